//! Why an answer stopped.

/// The front's finish reason (the SDK's `stop_reason`); whether there were calls overrules
/// what doesn't fit to them.
pub(super) fn finish(reason: &str, calls: bool) -> &'static str {
    match reason {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "refusal" => "content_filter",
        _ if calls => "tool_calls",
        // `end_turn`, `stop_sequence`, `pause_turn`, and reasons that are yet to come.
        _ => "stop",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_word() {
        for (reason, calls, word) in [
            ("end_turn", false, "stop"),
            ("stop_sequence", false, "stop"),
            ("pause_turn", false, "stop"),
            ("max_tokens", false, "length"),
            ("max_tokens", true, "length"),
            ("model_context_window_exceeded", false, "length"),
            ("tool_use", true, "tool_calls"),
            ("tool_use", false, "stop"),
            ("refusal", true, "content_filter"),
            ("yet_to_come", false, "stop"),
        ] {
            assert_eq!(finish(reason, calls), word, "{reason}");
        }
    }
}
