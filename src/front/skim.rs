//! JSON skimmed: proven to be JSON from its first byte to its last, and cut into values that
//! stay text.
//!
//! Prompts and answers are long strings, of which serde_json looks at each byte with a handful
//! of instructions; here a whole vector of them is looked at with as many. What isn't taken is
//! serde_json's to judge: it says what is wrong, and where. The grammar is RFC 8259's; like
//! serde_json's raw values, a string may hold half of a surrogate pair.

use std::borrow::Cow;

use memchr::memchr2;

/// A place in a JSON text. Every step is `None` where the text is no JSON.
pub struct Skim<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Skim<'a> {
    /// At the text's begin.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Steps over an object. Of each field `field` gets the name, and must step over the value.
    pub fn object(
        &mut self,
        mut field: impl FnMut(&mut Self, Cow<'a, str>) -> Option<()>,
    ) -> Option<()> {
        self.list(b'{', b'}', |skim| {
            let start = skim.at;
            let name = match skim.string()? {
                Text::Plain => Cow::Borrowed(skim.text.get(start + 1..skim.at - 1)?),
                Text::Escaped => serde_json::from_str(skim.text.get(start..skim.at)?).ok()?,
            };
            skim.colon()?;
            field(skim, name)
        })
    }

    /// Steps over an array, each element of which `element` must step over.
    pub fn array(&mut self, element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.list(b'[', b']', element)
    }

    /// Steps over any value; tells its text. It may be nested as deep as it is long.
    pub fn value(&mut self) -> Option<&'a str> {
        self.blanks();
        let start = self.at;
        let mut ends: Vec<u8> = Vec::new();
        loop {
            match self.peek()? {
                b'"' => _ = self.string()?,
                begin @ (b'{' | b'[') => {
                    let end = if begin == b'{' { b'}' } else { b']' };
                    self.at += 1;
                    self.blanks();
                    if self.peek()? != end {
                        ends.push(end);
                        self.name_before(end)?;
                        continue;
                    }
                    self.at += 1;
                }
                b'-' | b'0'..=b'9' => self.number()?,
                _ => self.word()?,
            }
            while let Some(&end) = ends.last() {
                self.blanks();
                match self.next()? {
                    b',' => {
                        self.blanks();
                        self.name_before(end)?;
                        break;
                    }
                    byte if byte == end => _ = ends.pop(),
                    _ => return None,
                }
            }
            if ends.is_empty() {
                return self.text.get(start..self.at);
            }
        }
    }

    /// Whether nothing but blanks is left.
    pub fn end(mut self) -> Option<()> {
        self.blanks();
        self.peek().is_none().then_some(())
    }

    fn list(
        &mut self,
        begin: u8,
        end: u8,
        mut entry: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.blanks();
        self.eat(begin)?;
        self.blanks();
        if self.eat(end).is_some() {
            return Some(());
        }
        loop {
            entry(self)?;
            self.blanks();
            match self.next()? {
                b',' => self.blanks(),
                byte => return (byte == end).then_some(()),
            }
        }
    }

    /// Steps over a string.
    fn string(&mut self) -> Option<Text> {
        self.eat(b'"')?;
        let mut text = Text::Plain;
        loop {
            self.at += plain(self.rest())?;
            match self.next()? {
                b'"' => return Some(text),
                b'\\' => self.escape()?,
                _ => return None,
            }
            text = Text::Escaped;
        }
    }

    /// Steps over a name and its colon, in what ends as an object does.
    fn name_before(&mut self, end: u8) -> Option<()> {
        if end == b'}' {
            self.string()?;
            self.colon()?;
        }
        Some(())
    }

    /// Steps over the colon between a name and its value.
    fn colon(&mut self) -> Option<()> {
        self.blanks();
        self.eat(b':')?;
        self.blanks();
        Some(())
    }

    /// Steps over what follows a backslash.
    fn escape(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.rest().get(..4)?;
                self.at += 4;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<()> {
        _ = self.eat(b'-');
        if self.eat(b'0').is_none() {
            self.digits()?;
        }
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        if self.eat(b'e').or_else(|| self.eat(b'E')).is_some() {
            _ = self.eat(b'+').or_else(|| self.eat(b'-'));
            self.digits()?;
        }
        Some(())
    }

    /// Steps over one digit or more.
    fn digits(&mut self) -> Option<()> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        (count > 0).then_some(())
    }

    fn word(&mut self) -> Option<()> {
        let words: [&[u8]; 3] = [b"null", b"true", b"false"];
        let word = words.into_iter().find(|word| self.rest().starts_with(word))?;
        self.at += word.len();
        Some(())
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

/// How a string is written.
enum Text {
    /// As it is.
    Plain,
    /// With escapes.
    Escaped,
}

/// How many bytes at the begin of `bytes` stand for themselves in a string.
fn plain(bytes: &[u8]) -> Option<usize> {
    /// Names, and most that is no prose, end in these many words: no search pays for them.
    const WORDS: usize = 2;
    for (number, word) in bytes.as_chunks().0.iter().take(WORDS).enumerate() {
        let end = first_end(u64::from_le_bytes(*word));
        if end < 8 {
            return Some(number * 8 + end);
        }
    }
    let end = memchr2(b'"', b'\\', bytes)?;
    let (words, rest) = bytes[..end].as_chunks();
    // All of them, whatever is found: the compiler makes vectors of it. It does not of a minimum,
    // once it is told how seldom that changes.
    let controls = words.iter().fold(0, |all, word| all | below(u64::from_le_bytes(*word), b' '));
    let is_plain = controls == 0 && rest.iter().all(|byte| *byte >= b' ');
    is_plain.then_some(end)
}

/// Which byte of a word, from its lowest, is the first that doesn't stand for itself; 8 if each
/// does.
fn first_end(word: u64) -> usize {
    let each = |byte: u8| u64::from_le_bytes([byte; 8]);
    let quote = below(word ^ each(b'"'), 1);
    let backslash = below(word ^ each(b'\\'), 1);
    let ends = quote | backslash | below(word, b' ');
    ends.trailing_zeros() as usize / 8
}

/// A word's bytes that are below a limit, by their high bits: they borrow for it when the limit is
/// taken off. They borrow of the next byte too, which may be found wrongly, but never first.
fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(u64::from_le_bytes([limit; 8])) & !word & u64::from_le_bytes([0x80; 8])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;
    use crate::front::object::Object;
    use crate::front::pieces::PIECES;

    fn value(text: &str) -> Option<&str> {
        let mut skim = Skim::new(text);
        let value = skim.value()?;
        skim.end().map(|()| value)
    }

    /// As serde_json has it.
    fn raw(text: &str) -> Option<&str> {
        serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get)
    }

    fn object(text: &str) -> Option<Object<'_>> {
        let mut skim = Skim::new(text);
        let object = Object::skim(&mut skim)?;
        skim.end().map(|()| object)
    }

    fn list(text: &str) -> Option<Vec<Object<'_>>> {
        let (mut skim, mut list) = (Skim::new(text), Vec::new());
        skim.array(|skim| Object::skim(skim).map(|object| list.push(object)))?;
        skim.end().map(|()| list)
    }

    #[test]
    fn what_is_json_and_what_is_not_is_told_as_serde_json_tells_it() {
        let numbers = ["0", "-0", "01", "-", "1.", ".5", "1.5e+07", "1e", "1e999", "+1", "0x1"];
        let words = ["null", "nul", "true", "falsey", "NULL", "", " ", "\u{a0}1", "\u{feff}1"];
        let texts = ["\"", "\"a", "\"\\\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud83d\"", "\"\\x\""];
        let lists = ["[", "[]", "[ ]", "[1,]", "[,1]", "[1 2]", "[1}", "[1]]", "[[1],[]]", "[{}}"];
        let objects = [
            "{}",
            "{1:2}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\" : 1 , \"a\":{}}",
            "{\"a\":1]",
        ];
        for text in [&numbers[..], &words, &texts, &lists, &objects].concat() {
            for text in [text.to_owned(), format!("[{text}]"), format!("{{\"a\":{text}}}\n")] {
                assert_eq!(value(&text), raw(&text), "{text:?}");
                assert_eq!(object(&text), serde_json::from_str(&text).ok(), "{text:?}");
                assert_eq!(list(&text), serde_json::from_str(&text).ok(), "{text:?}");
            }
        }
    }

    #[test]
    fn each_byte_at_each_place_of_a_string_is_told_as_serde_json_tells_it() {
        for odd in (0..=0xff_u8).map(char::from).chain(['你', '🙂']) {
            for (before, after) in (0..40).flat_map(|before| [(before, 0), (before, 20)]) {
                for slash in ["", "\\"] {
                    let (before, after) = ("a".repeat(before), "!".repeat(after));
                    let text = format!("\"{before}{slash}{odd}{after}\"");
                    assert_eq!(value(&text), raw(&text), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let text = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
        assert_eq!(value(&text), Some(&*text));
    }

    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            8 => proptest::sample::select(PIECES).prop_map(str::to_owned),
            1 => any::<char>().prop_map(String::from),
        ]
    }

    /// Any JSON, deep and with blanks.
    fn json() -> impl Strategy<Value = String> {
        let name = || prop_oneof![".{0,20}", "[ -~]{0,80}", "[a-c]"];
        let text = name().prop_map(|text| serde_json::to_string(&text).unwrap());
        let number = prop_oneof![
            any::<f64>().prop_map(|it| serde_json::json!(it).to_string()),
            any::<i64>().prop_map(|it| it.to_string())
        ];
        let leaf = prop_oneof![4 => text, 1 => number, 1 => Just("null".to_owned())];
        leaf.prop_recursive(5, 60, 6, move |inner| {
            let field = (name(), inner.clone()).prop_map(|(name, value)| {
                format!("{} :\n{value}", serde_json::to_string(&name).unwrap())
            });
            let list = |of: BoxedStrategy<String>| proptest::collection::vec(of, 0..6);
            prop_oneof![
                list(inner.boxed()).prop_map(|all| format!("[{}]", all.join(" ,"))),
                list(field.boxed()).prop_map(|all| format!("{{ {} }}", all.join(","))),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_pieces_are_told_as_serde_json_tells_them(
            pieces in proptest::collection::vec(piece(), 0..24), within in 0..4_u8,
        ) {
            let text = pieces.concat();
            let text = match within {
                0 => text,
                1 => format!("\"{text}\""),
                2 => format!("[{text}]"),
                _ => format!("{{\"a\":1,\"b\":{text}}}"),
            };
            prop_assert_eq!(value(&text), raw(&text));
            prop_assert_eq!(object(&text), serde_json::from_str(&text).ok());
        }

        #[test]
        fn any_json_is_cut_as_serde_json_cuts_it(text in json(), at: prop::sample::Index) {
            prop_assert_eq!(value(&text), raw(&text));
            prop_assert_eq!(object(&text), serde_json::from_str(&text).ok());
            let mut broken = text;
            let at = at.index(broken.chars().count());
            let at = broken.char_indices().nth(at).unwrap().0;
            broken.remove(at);
            prop_assert_eq!(value(&broken), raw(&broken));
            prop_assert_eq!(object(&broken), serde_json::from_str(&broken).ok());
        }
    }
}
