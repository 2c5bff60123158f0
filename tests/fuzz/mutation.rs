//! Ways to spoil an input: what a broken platform, a bad proxy or a hostile one may make of it.

use std::ops::Range;

use proptest::prelude::*;

/// Longer ones only take longer.
const LONGEST: usize = 32 << 10;

/// Values that stand where others are expected.
const STRANGE: [&str; 22] = [
    "null",
    "true",
    "0",
    "-1",
    "7",
    "1e999",
    "1.5",
    "18446744073709551615",
    "4294967296",
    "\"\"",
    "\"stop\"",
    "\"tool_calls\"",
    "\"\\ud800\"",
    "\"\\u0000\\n\\\"\"",
    "\"[DONE]\"",
    "\"\\r\\n\\r\\ndata: x\"",
    "[]",
    "{}",
    "[[]]",
    "[{\"index\":1}]",
    "{\"a\":\t1,\r\"b\":[ ]}",
    "{\"code\":\"x\",\"message\":\"m\"}",
];

/// Bytes that mean something to a reader of events or of JSON.
const TELLING: [&str; 12] = [
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    ":",
    "data:",
    "data: [DONE]\n\n",
    "{",
    "}",
    "\"",
    "\\",
    "\u{feff}",
];

/// One step; places are shares of the input's length.
#[derive(Debug, Clone)]
pub enum Mutation {
    /// A bit is another.
    Flip(u16, u8),
    /// Bytes are lost.
    Cut(u16, u16),
    /// Bytes come again elsewhere.
    Duplicate(u16, u16, u16),
    /// A line comes again elsewhere.
    Line(u16, u16),
    /// A line of another input comes in.
    Splice(usize, u16, u16),
    /// A JSON value is that of another place.
    Swap(u16, u16),
    /// A JSON value is a strange one.
    Strange(u16, usize),
    /// A JSON value is a long text.
    Long(u16, u16),
    /// Telling bytes come in.
    Insert(u16, usize),
    /// The last of it never comes.
    End(u16),
}

impl Arbitrary for Mutation {
    type Parameters = ();
    type Strategy = BoxedStrategy<Mutation>;

    fn arbitrary_with((): ()) -> BoxedStrategy<Mutation> {
        let share = || any::<u16>();
        prop_oneof![
            2 => (share(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
            1 => (share(), 1..64_u16).prop_map(|(at, length)| Mutation::Cut(at, length)),
            1 => (share(), 1..400_u16, share())
                .prop_map(|(at, length, to)| Mutation::Duplicate(at, length, to)),
            2 => (share(), share()).prop_map(|(line, to)| Mutation::Line(line, to)),
            2 => (any::<usize>(), share(), share())
                .prop_map(|(other, line, to)| Mutation::Splice(other, line, to)),
            4 => (share(), share()).prop_map(|(from, to)| Mutation::Swap(from, to)),
            6 => (share(), 0..STRANGE.len()).prop_map(|(at, what)| Mutation::Strange(at, what)),
            1 => (share(), 1000..16_000_u16).prop_map(|(at, length)| Mutation::Long(at, length)),
            2 => (share(), 0..TELLING.len()).prop_map(|(at, what)| Mutation::Insert(at, what)),
            1 => share().prop_map(Mutation::End),
        ]
        .boxed()
    }
}

/// One of the seeds after these mutations.
pub fn mutated(number: usize, mutations: &[Mutation], seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[number].clone();
    for mutation in mutations {
        mutate(&mut input, mutation, seeds);
        input.truncate(LONGEST);
    }
    input
}

fn mutate(input: &mut Vec<u8>, mutation: &Mutation, seeds: &[Vec<u8>]) {
    match *mutation {
        Mutation::Flip(at, bit) => {
            let at = place(at, input.len());
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        Mutation::Cut(at, length) => {
            let part = part(at, length, input.len());
            input.drain(part);
        }
        Mutation::Duplicate(at, length, to) => {
            let bytes = input[part(at, length, input.len())].to_vec();
            insert(input, place(to, input.len()), &bytes);
        }
        Mutation::Line(line, to) => {
            let line = pick(&lines(input), line).map(|line| input[line].to_vec());
            insert_line(input, to, &line.unwrap_or_default());
        }
        Mutation::Splice(other, line, to) => {
            let other = &seeds[other % seeds.len()];
            let line = pick(&lines(other), line).map(|line| other[line].to_vec());
            insert_line(input, to, &line.unwrap_or_default());
        }
        Mutation::Swap(from, to) => {
            let values = values(input);
            if let (Some(from), Some(to)) = (pick(&values, from), pick(&values, to)) {
                let value = input[from].to_vec();
                input.splice(to, value);
            }
        }
        Mutation::Strange(at, what) => {
            if let Some(value) = pick(&values(input), at) {
                input.splice(value, STRANGE[what].bytes());
            }
        }
        Mutation::Long(at, length) => {
            if let Some(value) = pick(&values(input), at) {
                let text = format!("\"{}\"", "x".repeat(usize::from(length)));
                input.splice(value, text.bytes());
            }
        }
        Mutation::Insert(at, what) => {
            insert(input, place(at, input.len()), TELLING[what].as_bytes())
        }
        Mutation::End(at) => input.truncate(place(at, input.len())),
    }
}

fn place(share: u16, length: usize) -> usize {
    length * usize::from(share) / usize::from(u16::MAX)
}

fn part(share: u16, length: u16, of: usize) -> Range<usize> {
    let start = place(share, of);
    start..of.min(start + usize::from(length))
}

fn pick(parts: &[Range<usize>], share: u16) -> Option<Range<usize>> {
    parts.get(place(share, parts.len().saturating_sub(1))).cloned()
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    input.splice(at..at, bytes.iter().copied());
}

fn insert_line(input: &mut Vec<u8>, to: u16, line: &[u8]) {
    let at = pick(&lines(input), to).map_or(0, |line| line.start);
    insert(input, at, line);
}

/// Lines with their ends.
fn lines(input: &[u8]) -> Vec<Range<usize>> {
    let mut start = 0;
    let lengths = input.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::len);
    let line = |length| {
        let line = start..start + length;
        start = line.end;
        line
    };
    lengths.map(line).collect()
}

/// What stands after a colon, bracket or comma and looks like JSON: texts, numbers, words, and
/// lists and objects with all that is in them.
fn values(input: &[u8]) -> Vec<Range<usize>> {
    let mut values = Vec::new();
    for (at, byte) in input.iter().enumerate() {
        if matches!(byte, b':' | b'[' | b',') {
            let blank =
                input[at + 1..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let start = at + 1 + blank;
            let end = start + length(&input[start..]);
            if end > start {
                values.push(start..end);
            }
        }
    }
    values
}

/// The length of the JSON value at the beginning, or of what is left of it; 0 if there is none.
fn length(bytes: &[u8]) -> usize {
    let mut read = serde_json::Deserializer::from_slice(bytes).into_iter::<serde::de::IgnoredAny>();
    match read.next() {
        Some(Ok(_)) => read.byte_offset(),
        _ => 0,
    }
}
