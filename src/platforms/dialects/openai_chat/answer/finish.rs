//! Finish reasons, and the ids that answers go by.

use crate::platforms::rules::AnswerRules;

/// What a platform's finish reason means.
pub(super) enum Finish<'a> {
    /// The front's reason.
    Reason(&'a str),
    /// The answer broke.
    Broken,
}

/// Translates a finish reason.
pub(super) fn finish<'a>(
    rules: &'a AnswerRules,
    reason: &str,
    calls: bool,
    filtered: bool,
) -> Finish<'a> {
    if rules.broken.iter().any(|broken| broken == reason) {
        return Finish::Broken;
    }
    if filtered {
        return Finish::Reason("content_filter");
    }
    let known = ["stop", "length", "tool_calls", "content_filter", "function_call"];
    let ours = match rules.finish.get(reason) {
        Some(ours) => ours.as_str(),
        None => match known.into_iter().find(|known| *known == reason) {
            Some(known) => known,
            None => rules.finish.get("*").map_or("stop", String::as_str),
        },
    };
    Finish::Reason(match ours {
        "stop" if calls => "tool_calls",
        "tool_calls" if !calls => "stop",
        ours => ours,
    })
}

/// The front's id of an answer: `chatcmpl-` and the platform's own, less its prefix and
/// any character that ids don't have.
pub(super) fn answer_id(platforms: &str) -> String {
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

    #[test]
    fn calls_and_filters_overrule_the_platforms_word() {
        let rules: AnswerRules =
            toml::from_str("finish = { sensitive = 'content_filter' }\nbroken = ['network_error']")
                .unwrap();
        let ours = |reason, calls, filtered| match finish(&rules, reason, calls, filtered) {
            Finish::Reason(reason) => reason.to_owned(),
            Finish::Broken => "broken".to_owned(),
        };
        assert_eq!(ours("sensitive", false, false), "content_filter");
        assert_eq!(ours("network_error", false, false), "broken");
        assert_eq!(ours("stop", true, false), "tool_calls");
        assert_eq!(ours("tool_calls", false, false), "stop");
        assert_eq!(ours("length", true, false), "length");
        assert_eq!(ours("stop", false, true), "content_filter");
        assert_eq!(ours("new_reason", false, false), "stop");
    }
}
