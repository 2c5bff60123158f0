//! Usage. Anthropic counts cached tokens beside the input, the front within it.

use crate::front::object::Object;
use crate::front::{Usage, UsageReport};

/// What was counted so far; a later count stands over an earlier one, field by field (the
/// SDK's `message_delta_usage`: cumulative).
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    input: Option<u64>,
    cache_write: Option<u64>,
    cache_read: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
}

impl Counts {
    /// Takes a `usage` object; a count that is no count is as good as absent.
    pub(super) fn take(&mut self, json: &str) {
        let Ok(usage) = Object::parse(json) else { return };
        let count = |name: &str| usage.get(name).and_then(|json| json.parse().ok());
        let details = usage.given("output_tokens_details").and_then(|it| Object::parse(it).ok());
        let thinking = details.and_then(|it| it.get("thinking_tokens")?.parse().ok());
        self.input = count("input_tokens").or(self.input);
        self.cache_write = count("cache_creation_input_tokens").or(self.cache_write);
        self.cache_read = count("cache_read_input_tokens").or(self.cache_read);
        self.output = count("output_tokens").or(self.output);
        self.thinking = thinking.or(self.thinking);
    }

    /// The front's report, if anything was counted.
    pub(super) fn report(&self) -> Option<UsageReport> {
        self.input.or(self.output)?;
        let (read, write) = (self.cache_read.unwrap_or(0), self.cache_write.unwrap_or(0));
        let usage = Usage {
            input: self.input.unwrap_or(0).saturating_add(read).saturating_add(write),
            cache_read: read,
            cache_write: write,
            output: self.output.unwrap_or(0),
            reasoning: self.thinking.unwrap_or(0),
        };
        Some(UsageReport::counted(usage, self.thinking.is_some()))
    }
}
