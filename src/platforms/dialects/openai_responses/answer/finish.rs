//! Why an answer ended.

/// The front's finish reason of a status, the reason of an incomplete one, and whether there
/// were calls (the SDK's `response`).
pub(super) fn finish(status: &str, reason: &str, calls: bool) -> &'static str {
    match (status, reason) {
        ("incomplete", "content_filter") => "content_filter",
        // `max_output_tokens`, `max_messages`, and reasons that are yet to come: it was cut.
        ("incomplete", _) => "length",
        _ if calls => "tool_calls",
        _ => "stop",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_its_word() {
        for (status, reason, calls, word) in [
            ("completed", "", false, "stop"),
            ("completed", "", true, "tool_calls"),
            ("incomplete", "max_output_tokens", false, "length"),
            ("incomplete", "max_output_tokens", true, "length"),
            ("incomplete", "content_filter", true, "content_filter"),
            ("incomplete", "yet_to_come", false, "length"),
        ] {
            assert_eq!(finish(status, reason, calls), word, "{status} {reason}");
        }
    }
}
