//! Reasoning: its summary for the caller, and its items for the way back.
//!
//! Nothing is stored there, so what a model thought before its calls returns with their
//! results, encrypted, or is lost. It goes to the caller beside the calls, as
//! `thinking_blocks`, and comes back from there as it went.

use std::borrow::Cow;

use super::told::Part;
use crate::front::object::{Object, compact};
use crate::platforms::dialects::pivot::inside;

/// More reasoning than any model does; what is longer is not kept.
const MOST_BYTES: usize = 8 << 20;

/// What returns of an item; the rest is refused or means nothing there.
const RETURNS: [&str; 5] = ["type", "id", "summary", "content", "encrypted_content"];

/// The reasoning items of one answer.
#[derive(Debug, Default)]
pub(super) struct Kept {
    items: Vec<String>,
    bytes: usize,
}

impl Kept {
    /// A reasoning item is complete. One that is not encrypted can't return.
    pub(super) fn add(&mut self, item: &Object<'_>) {
        if item.given("encrypted_content").is_none() {
            return;
        }
        let known = item.iter().filter(|(name, json)| RETURNS.contains(name) && *json != "null");
        let json = compact(&known.collect::<Object<'_>>().to_json());
        self.bytes += json.len();
        if self.bytes <= MOST_BYTES {
            self.items.push(json);
        }
    }

    /// Whether nothing can return.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All of it as a JSON list, if there is any.
    pub(super) fn take(&mut self) -> Option<String> {
        let items = std::mem::take(&mut self.items);
        let fits = !items.is_empty() && self.bytes <= MOST_BYTES;
        fits.then(|| format!("[{}]", items.join(",")))
    }
}

/// Parts of reasoning, with an empty line between one and the next.
#[derive(Debug, Default)]
pub(super) struct Parts {
    last: Option<Part>,
}

impl Parts {
    /// A text (a JSON string) of this part.
    pub(super) fn add<'a>(&mut self, part: Part, json: &'a str) -> Cow<'a, str> {
        match self.last.replace(part) {
            Some(last) if !last.may_be(part) => Cow::Owned(format!("\"\\n\\n{}\"", inside(json))),
            _ => Cow::Borrowed(json),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Place;
    use super::super::told::Kind;
    use super::*;

    #[test]
    fn parts_are_paragraphs() {
        let mut parts = Parts::default();
        let all = [((0, 0), "\"a\""), ((0, 0), "\"b\""), ((0, 1), "\"c\""), ((2, 0), "\"d\"")];
        let add = |((item, number), json): &((u64, u64), &str)| {
            let place = Place::numbered(*item);
            let part = Part { kind: Kind::Thought, place, number: Some(*number) };
            inside(&parts.add(part, json)).to_owned()
        };
        let said: String = all.iter().map(add).collect();
        assert_eq!(said, r"ab\n\nc\n\nd");
    }

    #[test]
    fn an_encrypted_item_is_kept_without_its_status_and_a_bare_one_is_not() {
        let mut kept = Kept::default();
        for json in [
            r#"{"id":"rs_1","type":"reasoning","summary":[],"status":"completed"}"#,
            r#"{"id":"rs_2", "type":"reasoning","summary":[ ],"status":null,"content":null,"encrypted_content":"x y"}"#,
        ] {
            kept.add(&Object::parse(json).unwrap());
        }
        let all = r#"[{"id":"rs_2","type":"reasoning","summary":[],"encrypted_content":"x y"}]"#;
        assert_eq!(kept.take().as_deref(), Some(all));
        assert_eq!(kept.take(), None);
    }
}
