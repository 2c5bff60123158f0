//! What an answer has produced: how much by class, and its words for a tokenizer.
//!
//! Words are kept as they stand in JSON strings, so that an event costs one copy of its
//! few bytes; whoever counts them makes plain text of them with [`plain`].

use super::ByteCensus;

/// No more words wait to be taken; what comes beyond is counted by class alone.
const MOST_KEPT: usize = 64 << 10;

/// The text of an answer so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Produced {
    census: ByteCensus,
    words: Vec<u8>,
}

impl Produced {
    /// Nothing at all.
    pub const NOTHING: Self = Self { census: ByteCensus::NOTHING, words: Vec::new() };

    /// Adds the text of a JSON string, without its quotes.
    pub fn add(&mut self, json_text: &[u8]) {
        self.census += ByteCensus::of_json_text(json_text);
        let room = MOST_KEPT - self.words.len().min(MOST_KEPT);
        self.words.extend_from_slice(&json_text[..json_text.len().min(room)]);
    }

    /// All of it by class, words that were taken too.
    pub fn census(&self) -> ByteCensus {
        self.census
    }

    /// How many bytes of words wait to be taken.
    pub fn waiting(&self) -> usize {
        self.words.len()
    }

    /// Takes words up to their last blank, where no tokenizer joins two words to a token.
    pub fn take_words(&mut self) -> Vec<u8> {
        let end = memchr::memrchr(b' ', &self.words).filter(|end| *end > self.words.len() / 2);
        let rest = self.words.split_off(end.unwrap_or(self.words.len()));
        std::mem::replace(&mut self.words, rest)
    }

    /// The words that nobody took.
    pub fn words(&self) -> &[u8] {
        &self.words
    }
}

/// Plain text of a JSON string's inside, cut anywhere: what can't be read is left out.
pub fn plain(json_text: &[u8]) -> String {
    let mut plain = String::with_capacity(json_text.len());
    for chunk in json_text.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(at) = rest.find('\\') {
            plain.push_str(&rest[..at]);
            let (meant, length) = escape(&rest[at..]);
            plain.extend(meant);
            rest = &rest[at + length..];
        }
        plain.push_str(rest);
    }
    plain
}

/// What an escape at a text's start means, and its length.
fn escape(text: &str) -> (Option<char>, usize) {
    let Some(letter) = text.chars().nth(1) else { return (None, text.len()) };
    let meant = match letter {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => return unicode_escape(text),
        other => other,
    };
    (Some(meant), 1 + letter.len_utf8())
}

fn unicode_escape(text: &str) -> (Option<char>, usize) {
    let unit = |at: usize| u32::from_str_radix(text.get(at..at + 4)?, 16).ok();
    let low = || unit(8).filter(|low| text.get(6..8) == Some("\\u") && (low >> 10) == 0x37);
    match unit(2) {
        None => (None, 2),
        Some(high) if (high >> 10) == 0x36 => match low() {
            Some(low) => (char::from_u32(0x1_0000 + ((high & 0x3ff) << 10) + (low & 0x3ff)), 12),
            None => (None, 6),
        },
        Some(code) => (char::from_u32(code), 6),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_taken_at_a_blank_and_none_is_lost() {
        let mut produced = Produced::default();
        produced.add(b"river stone li");
        assert_eq!(produced.take_words(), b"river stone");
        produced.add(b"ght");
        assert_eq!(produced.waiting(), 6);
        assert_eq!(produced.census().ascii, 17);
        assert_eq!(produced.words(), b" light");
        let mut chinese = Produced::default();
        chinese.add("长城".as_bytes());
        assert_eq!(chinese.take_words(), "长城".as_bytes());
    }

    #[test]
    fn an_endless_answer_is_kept_in_part() {
        let mut produced = Produced::default();
        for _ in 0..3 {
            produced.add(&[b'a'; 40 << 10]);
        }
        assert_eq!((produced.waiting(), produced.census().ascii), (MOST_KEPT, 120 << 10));
    }

    proptest! {
        #[test]
        fn plain_text_is_what_a_json_reader_reads(text in any::<String>(), escaped: bool) {
            let json = serde_json::to_string(&text).unwrap();
            let json = if escaped {
                let unit = |unit: u16| format!("\\u{unit:04x}");
                format!("\"{}\"", text.encode_utf16().map(unit).collect::<String>())
            } else {
                json
            };
            prop_assert_eq!(plain(&json.as_bytes()[1..json.len() - 1]), text);
        }

        #[test]
        fn text_that_is_cut_anywhere_is_no_panic(text in "(\\\\|u|[0-9a-fD]|é|\"){0,24}", cut in 0_usize..24) {
            plain(&text.as_bytes()[..cut.min(text.len())]);
        }
    }
}
