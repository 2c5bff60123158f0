//! Finish reasons.

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

#[cfg(test)]
mod tests {
    use super::*;

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
