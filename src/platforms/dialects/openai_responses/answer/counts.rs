//! Usage, which has other names here.

use crate::front::object::Object;
use crate::front::{Usage, UsageReport};

/// Reads a `usage` object, if it counts anything; what is no count is as good as absent.
pub(super) fn report(json: &str) -> Option<UsageReport> {
    let usage = Object::parse(json).ok()?;
    let count = |object: &Object<'_>, name: &str| object.get(name)?.parse::<u64>().ok();
    let details = |name: &str| Object::parse(usage.given(name)?).ok();
    let (input, output) = (count(&usage, "input_tokens"), count(&usage, "output_tokens"));
    input.or(output)?;
    let (read, made) = (details("input_tokens_details"), details("output_tokens_details"));
    let of_input = |name: &str| read.as_ref().and_then(|details| count(details, name)).unwrap_or(0);
    let reasoning = made.as_ref().and_then(|details| count(details, "reasoning_tokens"));
    let usage = Usage {
        input: input.unwrap_or(0),
        cache_read: of_input("cached_tokens"),
        cache_write: of_input("cache_write_tokens"),
        output: output.unwrap_or(0),
        reasoning: reasoning.unwrap_or(0),
    };
    Some(UsageReport::counted(usage, reasoning.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_its_place() {
        let json = r#"{"input_tokens":9,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},
            "output_tokens":7,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":99}"#;
        let usage = report(json).unwrap().usage();
        let counts =
            [usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning];
        assert_eq!(counts, [9, 4, 2, 7, 5]);
        for none in ["null", "[]", "{}", r#"{"input_tokens":"9"}"#, r#"{"output_tokens":-1}"#] {
            assert!(report(none).is_none(), "{none}");
        }
    }
}
