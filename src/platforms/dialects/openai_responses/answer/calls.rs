//! The calls of a streamed answer: which one an event is about.

use super::place::{Likeness, Place, hash};

/// More calls than any model makes in one turn.
const MOST_CALLS: usize = 1024;

/// Calls in the order in which they opened.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    place: Place,
    /// By which its result comes back, as a hash.
    id: u64,
    /// Whether any of its arguments came.
    wrote: bool,
}

impl Calls {
    pub(super) fn any(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Opens a call; nothing once there are too many.
    pub(super) fn open(&mut self, place: Place, id: &str) -> Option<usize> {
        let index = self.calls.len();
        (index < MOST_CALLS).then(|| {
            self.calls.push(Call { place, id: hash(id), wrote: false });
            index
        })
    }

    /// The call that a piece of arguments belongs to: the likeliest, of equals the last.
    pub(super) fn piece(&mut self, place: Place) -> Option<usize> {
        let likely = self.likely(place).max_by_key(|(_, likeness)| *likeness);
        self.wrote(likely.map(|(index, _)| index))
    }

    /// The call whose whole arguments come, unless they came in pieces.
    pub(super) fn whole(&mut self, place: Place) -> Option<usize> {
        let best = self.likely(place).map(|(_, likeness)| likeness).max()?;
        let is_news = |(index, likeness): &(usize, Likeness)| {
            *likeness == best && self.calls.get(*index).is_some_and(|call| !call.wrote)
        };
        let news = self.likely(place).find(is_news);
        self.wrote(news.map(|(index, _)| index))
    }

    /// The open call that a whole item is.
    ///
    /// Servers that number every item alike are told by their calls' ids.
    pub(super) fn known(&self, place: Place, id: &str) -> Option<usize> {
        let id = hash(id);
        let same_id = |call: &Call| call.id == id;
        let same_item = |call: &Call| call.place.likeness(place) == Likeness::Id;
        let known = self.calls.iter().position(same_id);
        known.or_else(|| self.calls.iter().position(same_item))
    }

    /// Whether the arguments of this call are news; from now on they are not.
    pub(super) fn takes_whole(&mut self, index: usize) -> bool {
        self.calls.get_mut(index).is_some_and(|call| !std::mem::replace(&mut call.wrote, true))
    }

    fn likely(&self, place: Place) -> impl Iterator<Item = (usize, Likeness)> {
        let likely = self.calls.iter().map(move |call| call.place.likeness(place));
        likely.enumerate().filter(|(_, likeness)| *likeness > Likeness::Other)
    }

    fn wrote(&mut self, index: Option<usize>) -> Option<usize> {
        self.calls.get_mut(index?)?.wrote = true;
        index
    }
}
