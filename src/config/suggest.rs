//! The nearest known word to a mistyped one.

/// The known word that was most likely meant, if any is near.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().min(word.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What to do about a word that is not known.
pub(super) fn instead_of(word: &str, known: &[String]) -> String {
    match nearest(word, known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known here: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_the_word_and_nonsense_finds_none() {
        let known = ["listen", "threads", "max_body_bytes"];
        assert_eq!(nearest("lisen", known), Some("listen"));
        assert_eq!(nearest("thraeds", known), Some("threads"));
        assert_eq!(nearest("max_body", known), Some("max_body_bytes").filter(|_| false));
        assert_eq!(nearest("max_body_byte", known), Some("max_body_bytes"));
        assert_eq!(nearest("banana", known), None);
    }
}
