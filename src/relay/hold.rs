//! A hold from asking to its end. It ends exactly once: by `end`, or with nothing when it
//! is dropped.

use std::sync::Arc;

use jiff::Timestamp;

use super::books::{Books, Entry, Place};
use crate::accounts::{ChargeKind, HoldEnd, HoldKey, LeaseId, Purse};
use crate::telemetry::clock;

/// A part of a purse, set aside for one request.
pub(super) struct OpenHold {
    key: HoldKey,
    books: Books,
    place: Option<Place>,
}

/// A hold that was asked for; dropped, it is released, whether it was granted or not.
pub(super) struct AskedHold(OpenHold);

impl OpenHold {
    pub(super) fn ask(key: HoldKey, books: Books, place: Place) -> AskedHold {
        AskedHold(Self { key, books, place: Some(place) })
    }

    /// Ends the hold.
    pub(super) fn end(mut self, kind: ChargeKind, amount: u64) {
        self.leave(kind, amount);
    }

    /// For one who ends it otherwise.
    pub(super) fn into_parts(mut self) -> (HoldKey, Option<Place>) {
        (self.key.clone(), self.place.take())
    }

    fn leave(&mut self, kind: ChargeKind, amount: u64) {
        let Some(place) = self.place.take() else { return };
        self.books.hold_ended(self.key.id);
        let end = Box::new(HoldEnd { hold: self.key.clone(), kind, amount });
        place.send(Entry::Counted { settlement: None, hold: Some(end), record: None, news: None });
    }
}

impl AskedHold {
    pub(super) fn key(&self) -> &HoldKey {
        &self.0.key
    }

    pub(super) fn granted(self, at: Timestamp) -> OpenHold {
        let mut hold = self.0;
        hold.key.granted_at = at;
        hold.books.hold_opened(hold.key.clone());
        hold
    }

    /// There is nothing to end: the place in the queue is free again.
    pub(super) fn was_refused(mut self) -> Option<Place> {
        self.0.place.take()
    }
}

impl Drop for OpenHold {
    fn drop(&mut self) {
        self.leave(ChargeKind::Released, 0);
    }
}

/// The key of a hold that is about to be asked for.
pub(super) fn key(id: LeaseId, purse: Purse, estimate: u64, note: Arc<str>) -> HoldKey {
    HoldKey { id, purse, estimate, granted_at: clock::now(), note }
}
