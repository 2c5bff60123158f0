//! Thinking that must come back with the results of the calls that it led to.
//!
//! The platform takes its thinking blocks back with their signatures alone, so they go to the
//! caller beside the calls, as `thinking_blocks`, and return from there as they came.

use crate::front::object::{compact, write_text};
use crate::platforms::dialects::pivot::inside;

/// More thinking than any model does; what is longer is not kept.
const MOST_BYTES: usize = 8 << 20;

/// The thinking of one answer.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    /// Finished blocks as JSON.
    blocks: Vec<String>,
    open: Option<Open>,
    bytes: usize,
}

/// A block that is still written; texts are JSON strings without their quotes.
#[derive(Debug, Default)]
struct Open {
    thinking: String,
    signature: String,
}

impl Thoughts {
    /// A block came as a whole.
    pub(super) fn whole(&mut self, json: &str) {
        self.bytes += json.len();
        if self.bytes <= MOST_BYTES {
            self.blocks.push(compact(json));
        }
    }

    /// A block begins, perhaps with some of it.
    pub(super) fn begin(&mut self, thinking: Option<&str>, signature: Option<&str>) {
        self.open = Some(Open::default());
        self.think(thinking.unwrap_or_default());
        self.sign(signature.unwrap_or_default());
    }

    /// It goes on; a JSON string.
    pub(super) fn think(&mut self, json: &str) {
        if let Some(open) = self.open.as_mut().filter(|_| self.bytes <= MOST_BYTES) {
            self.bytes += json.len();
            open.thinking.push_str(inside(json));
        }
    }

    /// It is signed; a JSON string.
    pub(super) fn sign(&mut self, json: &str) {
        if let Some(open) = self.open.as_mut().filter(|_| self.bytes <= MOST_BYTES) {
            self.bytes += json.len();
            open.signature.push_str(inside(json));
        }
    }

    /// It ends; unsigned it would only be refused.
    pub(super) fn finish(&mut self) {
        if let Some(Open { thinking, signature }) =
            self.open.take().filter(|it| !it.signature.is_empty())
        {
            self.blocks.push(format!(
                r#"{{"type":"thinking","thinking":"{thinking}","signature":"{signature}"}}"#
            ));
        }
    }

    /// All of it as a JSON list, if there is any.
    pub(super) fn take(&mut self) -> Option<String> {
        let blocks = std::mem::take(&mut self.blocks);
        let fits = !blocks.is_empty() && self.bytes <= MOST_BYTES;
        fits.then(|| format!("[{}]", blocks.join(",")))
    }
}

/// Any text as a JSON string that holds it.
pub(super) fn quoted(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 16);
    write_text(&mut out, json);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinking_comes_together_and_unsigned_thinking_goes() {
        let mut thoughts = Thoughts::default();
        thoughts.begin(Some("\"\""), None);
        thoughts.think("\"a\\n\"");
        thoughts.think("\"你\"");
        thoughts.sign("\"S\"");
        thoughts.finish();
        thoughts.begin(None, None);
        thoughts.think("\"unsigned\"");
        thoughts.finish();
        thoughts.whole(r#"{"type": "redacted_thinking", "data": "x"}"#);
        let all = r#"[{"type":"thinking","thinking":"a\n你","signature":"S"},{"type":"redacted_thinking","data":"x"}]"#;
        assert_eq!(thoughts.take().as_deref(), Some(all));
        assert_eq!(thoughts.take(), None);
    }
}
