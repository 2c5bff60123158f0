//! Failures: the catalogue's table, and fields by the names that the caller gave them.

use super::Shape;
use crate::platforms::PlatformError;

/// A failure with its field as the caller named it.
pub(super) fn in_callers_words(mut error: PlatformError, shape: Shape) -> PlatformError {
    error.param = error.param.map(|param| named(&param, shape).map_or(param, str::to_owned));
    error
}

/// The caller's name of a field that goes by another here.
fn named(param: &str, shape: Shape) -> Option<&'static str> {
    let is_in = |name: &str| {
        let rest = param.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    match param {
        "max_output_tokens" => Some(shape.limit),
        "text.verbosity" => Some("verbosity"),
        _ if is_in("input") || is_in("instructions") => Some("messages"),
        _ if is_in("reasoning") => Some("reasoning_effort"),
        _ if is_in("text") => Some("response_format"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_go_by_the_callers_names() {
        let shape = Shape { legacy: false, calls: false, limit: "max_tokens" };
        for (theirs, callers) in [
            ("max_output_tokens", Some("max_tokens")),
            ("input[0].content[1].image_url", Some("messages")),
            ("input", Some("messages")),
            ("inputs", None),
            ("instructions", Some("messages")),
            ("text.format.schema", Some("response_format")),
            ("text.verbosity", Some("verbosity")),
            ("reasoning.effort", Some("reasoning_effort")),
            ("temperature", None),
            ("tools[0].parameters", None),
        ] {
            assert_eq!(named(theirs, shape), callers, "{theirs}");
        }
    }
}
