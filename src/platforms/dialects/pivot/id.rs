//! The names that answers go by.

/// No model's name is this long; every chunk repeats it.
const LONGEST_NAME: usize = 256;

/// The front's id of an answer: `chatcmpl-` and the platform's own, less its prefix and
/// any character that ids don't have.
pub(crate) fn answer_id(platforms: &str) -> String {
    let bare = ["chatcmpl-", "msg_", "resp_"]
        .iter()
        .find_map(|prefix| platforms.strip_prefix(prefix))
        .unwrap_or(platforms);
    let fits = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let mut id = String::with_capacity(9 + bare.len());
    id.push_str("chatcmpl-");
    id.extend(bare.chars().filter(fits).take(128));
    id
}

/// A model's name, or the beginning of what is none.
pub(crate) fn answer_model(platforms: &str) -> &str {
    beginning(platforms, LONGEST_NAME)
}

/// The first characters of a text, of no more bytes than this.
pub(crate) fn beginning(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_end_is_cut_between_characters() {
        assert_eq!(answer_model("glm-4.7"), "glm-4.7");
        assert_eq!(answer_model(&"模".repeat(100)).len(), 255);
    }

    #[test]
    fn an_id_keeps_what_ids_may_have() {
        assert_eq!(answer_id("cha0@dx1"), "chatcmpl-cha0dx1");
        assert_eq!(answer_id("chatcmpl-7"), "chatcmpl-7");
        assert_eq!(answer_id("as-7kd2"), "chatcmpl-as-7kd2");
    }
}
