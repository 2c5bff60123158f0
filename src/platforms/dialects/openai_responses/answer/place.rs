//! Which item an event is about.
//!
//! OpenAI gives each event its item's number and id. Servers that speak the same leave one of
//! them out, give every item the same number, or make up an id for each event.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::value::RawValue;

use crate::platforms::dialects::pivot::text;

/// An item's number and id, as far as an event names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    number: Option<u64>,
    /// By its hash: an id may be of any length, and is only compared.
    id: Option<u64>,
}

/// How sure it is that two events are about one item, the surest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// They name different items.
    Other,
    /// They name nothing that could be compared.
    Unknown,
    Number,
    Id,
}

impl Place {
    /// The place that an event names; the id is JSON.
    pub(super) fn named(number: Option<&RawValue>, id: Option<&str>) -> Place {
        let id = text(id).map(hash);
        Place { number: number.and_then(read_number), id }
    }

    /// The place of the item with this number.
    pub(super) fn numbered(number: u64) -> Place {
        Place { number: Some(number), id: None }
    }

    /// Whether the two may be one item.
    pub(super) fn may_be(self, other: Place) -> bool {
        self.likeness(other) > Likeness::Other
    }

    pub(super) fn likeness(self, other: Place) -> Likeness {
        let same = |one: Option<u64>, other: Option<u64>| Some(one? == other?);
        match (same(self.id, other.id), same(self.number, other.number)) {
            (Some(true), _) => Likeness::Id,
            (_, Some(true)) => Likeness::Number,
            (None, None) => Likeness::Unknown,
            _ => Likeness::Other,
        }
    }
}

/// A text to be compared.
pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// A number from 0 on.
pub(super) fn read_number(json: &RawValue) -> Option<u64> {
    json.get().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_surer_than_a_number_and_a_number_than_nothing() {
        let place =
            |number: Option<u64>, id: &str| Place { number, ..Place::named(None, Some(id)) };
        let (first, none) = (place(Some(0), "\"a\""), "\"\"");
        for (other, likeness) in [
            (place(Some(0), "\"a\""), Likeness::Id),
            (place(Some(7), "\"a\""), Likeness::Id),
            (place(None, "\"a\""), Likeness::Id),
            (place(Some(0), "\"b\""), Likeness::Number),
            (place(Some(0), none), Likeness::Number),
            (place(None, none), Likeness::Unknown),
            (place(Some(1), none), Likeness::Other),
            (place(None, "\"b\""), Likeness::Other),
            (place(Some(1), "\"b\""), Likeness::Other),
        ] {
            assert_eq!(first.likeness(other), likeness, "{other:?}");
            assert_eq!(other.likeness(first), likeness, "{other:?}");
        }
        assert!(Likeness::Id > Likeness::Number && Likeness::Number > Likeness::Unknown);
    }
}
