//! What the simulated platforms bill by: a small tokenizer of their own.
//!
//! A token is a word of up to eight ASCII letters or digits, or one other
//! character (so one per Chinese character), with the blank before it. Cutting
//! at a token's end never changes the count of what follows, so what is counted
//! while a stream runs adds up to the count of the whole.

const WORD: usize = 8;

/// Tokens that a platform adds for each message's frame.
pub(super) const PER_MESSAGE: u64 = 3;

/// Tokens that one image counts as.
pub(super) const PER_IMAGE: u64 = 765;

/// The byte length of the first token of `text`; 0 when there is none.
pub(super) fn first(text: &str) -> usize {
    let mut rest = text.char_indices();
    let Some((_, mut c)) = rest.next() else { return 0 };
    let mut start = 0;
    if c.is_whitespace() {
        let Some((at, next)) = rest.next() else { return text.len() };
        if next.is_whitespace() {
            return at;
        }
        (start, c) = (at, next);
    }
    if !c.is_ascii_alphanumeric() {
        return start + c.len_utf8();
    }
    let word = text.as_bytes()[start..].iter().take(WORD);
    start + word.take_while(|b| b.is_ascii_alphanumeric()).count()
}

/// The byte length of the first `n` tokens of `text`.
pub(super) fn take(text: &str, n: u64) -> (usize, u64) {
    let (mut end, mut taken) = (0, 0);
    while taken < n && end < text.len() {
        end += first(&text[end..]);
        taken += 1;
    }
    (end, taken)
}

/// How many tokens `text` is.
pub(super) fn count(text: &str) -> u64 {
    take(text, u64::MAX).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_chinese_characters_are_one_token_each() {
        assert_eq!(count(""), 0);
        assert_eq!(count("one two three"), 3);
        assert_eq!(count("合肥的天气"), 5);
        assert_eq!(count("internationalization"), 3);
        assert_eq!(count("Hi, 世界!\n\n  🙂"), 9);
    }

    #[test]
    fn counts_add_up_wherever_a_stream_is_cut() {
        let text = "Hello  there,\n\n这是 a test: {\"city\": \"合肥\"} 🙂 done ";
        for n in 0..=count(text) {
            let (end, taken) = take(text, n);
            assert_eq!(taken + count(&text[end..]), count(text), "cut after {n}");
        }
    }
}
