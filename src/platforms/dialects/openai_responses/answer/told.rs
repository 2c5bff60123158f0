//! What the caller was told already.
//!
//! A text comes in pieces, and once more as a whole: with its part, with its item and with the
//! answer. Some servers send no pieces, so a whole one is news where none of it came before; in
//! doubt it is none, for nothing may be said twice.

use super::place::Place;

/// More parts than any answer has; what comes whole after so many is taken for told.
const MOST_PARTS: usize = 1024;

/// What a part belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text or refusal of a message.
    Message,
    /// The summary of a thought.
    Summary,
    /// A thought itself.
    Thought,
}

/// A part of an item: a text of a message, a paragraph of a thought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) kind: Kind,
    /// The item.
    pub(super) place: Place,
    /// Its number in the item, if that was told.
    pub(super) number: Option<u64>,
}

impl Part {
    /// Whether the two may be one part, of whatever kind.
    pub(super) fn may_be(self, other: Part) -> bool {
        let same_number = match (self.number, other.number) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        same_number && self.place.may_be(other.place)
    }
}

/// The parts that came, whole or a piece of them.
#[derive(Debug, Default)]
pub(super) struct Told {
    parts: Vec<Part>,
}

impl Told {
    /// A part came, or a piece of it.
    pub(super) fn note(&mut self, part: Part) {
        // Most pieces are of the part that the one before was of.
        if self.parts.last() != Some(&part) && !self.has_part(part) {
            self.parts.push(part);
        }
    }

    /// Whether anything of this part may have come.
    pub(super) fn has_part(&self, part: Part) -> bool {
        self.has(part.kind, |other| other.may_be(part))
    }

    /// Whether anything of this item may have come.
    pub(super) fn has_item(&self, kind: Kind, place: Place) -> bool {
        self.has(kind, |part| part.place.may_be(place))
    }

    /// Whether anything of this kind may have come.
    pub(super) fn has_any(&self, kind: Kind) -> bool {
        self.has(kind, |_| true)
    }

    fn has(&self, kind: Kind, is: impl Fn(&Part) -> bool) -> bool {
        self.parts.len() >= MOST_PARTS
            || self.parts.iter().any(|part| part.kind == kind && is(part))
    }
}
