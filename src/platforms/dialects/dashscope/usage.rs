//! Usage, under the platform's names for it.

use crate::front::UsageReport;
use crate::front::object::Object;

/// Reads a `usage` object.
///
/// What the prompt was stands in one of two details, or in both.
pub(super) fn read(json: &str) -> Option<UsageReport> {
    let usage = Object::parse(json).ok()?;
    let mut report = Object::default();
    for (theirs, ours) in
        [("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")]
    {
        if let Some(count) = usage.get(theirs) {
            report.set(ours, count);
        }
    }
    let details = |name: &str| Object::parse(usage.get(name)?).ok();
    let mut prompt = details("input_tokens_details").unwrap_or_default();
    if let Some(more) = details("prompt_tokens_details") {
        for (name, count) in more.iter().filter(|(_, count)| *count != "null") {
            prompt.set(name.to_owned(), count.to_owned());
        }
    }
    report.set("prompt_tokens_details", prompt.to_json());
    if let Some(details) = usage.get("output_tokens_details") {
        report.set("completion_tokens_details", details);
    }
    UsageReport::read(&report.to_json())
}
