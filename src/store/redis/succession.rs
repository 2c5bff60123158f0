//! Who the masters are, and how often that has changed.
//!
//! A term begins when another server, or the same one promoted anew, is met as a master. A
//! connection belongs to the term that it was made in: a master that woke after another took
//! its place may go on answering, and no link of a store may stay with it when one has left.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The masters that were met last, and the term.
#[derive(Default)]
pub(super) struct Succession {
    masters: Mutex<Option<BTreeSet<String>>>,
    term: AtomicU64,
}

impl Succession {
    /// These are the masters; answers the term. Where one is missing, no other took its place
    /// yet.
    pub(super) fn meet(&self, masters: BTreeSet<String>) -> u64 {
        let mut known = self.masters.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(known) if masters.is_subset(known) => {}
            None if masters.is_empty() => {}
            was => {
                let new = u64::from(was.is_some());
                self.term.fetch_add(new, Ordering::SeqCst);
                *known = Some(masters);
            }
        }
        self.term()
    }

    pub(super) fn term(&self) -> u64 {
        self.term.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_term_begins_with_each_new_master_and_with_one_that_comes_back() {
        let succession = Succession::default();
        for (masters, term) in [
            (&["a", "b"][..], 0),
            (&["a", "b"], 0),
            (&["a"], 0),
            (&["a", "c"], 1),
            (&[], 1),
            (&["a", "b"], 2),
            (&["a", "c"], 3),
        ] {
            assert_eq!(succession.meet(some(masters)), term, "{masters:?}");
        }
        assert_eq!(succession.term(), 3);
    }
}
