//! The ids that answers go by.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_what_ids_may_have() {
        assert_eq!(answer_id("cha0@dx1"), "chatcmpl-cha0dx1");
        assert_eq!(answer_id("chatcmpl-7"), "chatcmpl-7");
        assert_eq!(answer_id("as-7kd2"), "chatcmpl-as-7kd2");
    }
}
