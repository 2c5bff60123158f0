//! Who the masters are, and how often that has changed.
//!
//! A term begins when another server, or the same one promoted anew, is met as a master. A
//! connection belongs to the term that it was made in: a master that woke after another took
//! its place may go on answering, and no link of a store may stay with it when one has left.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::wire::Heard;

/// The masters that were met last, and the term.
#[derive(Default)]
pub(super) struct Succession {
    masters: Mutex<Option<Masters>>,
    term: AtomicU64,
}

struct Masters {
    met: BTreeSet<String>,
    /// Those that said nothing when the last one was replaced: it may have been any of them.
    silent: BTreeSet<String>,
}

impl Succession {
    /// These are the masters; answers the term. Where one is missing, no other took its place
    /// yet.
    pub(super) fn meet(&self, heard: &Heard) -> u64 {
        let mut known = self.masters.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *known {
            Some(known) => {
                let new = u64::from(known.are_others(heard));
                self.term.fetch_add(new, Ordering::SeqCst);
            }
            None if heard.masters.is_empty() => {}
            None => {
                *known = Some(Masters { met: heard.masters.clone(), silent: BTreeSet::new() });
            }
        }
        self.term()
    }

    pub(super) fn term(&self) -> u64 {
        self.term.load(Ordering::SeqCst)
    }
}

impl Masters {
    /// Takes in who they are now; answers whether one took another's place.
    fn are_others(&mut self, heard: &Heard) -> bool {
        let now = &heard.masters;
        let are_known = now.is_subset(&self.met) || self.are_heard_again(now);
        if are_known {
            self.met.extend(now.iter().cloned());
        } else {
            self.silent.append(&mut self.met);
            self.met.clone_from(now);
        }
        if heard.is_partial {
            self.silent.retain(|one| !now.contains(one));
        } else {
            self.silent.clear();
        }
        !are_known
    }

    /// Whether those that said nothing are heard beside the one that is new: where it is missing,
    /// the one that it replaced may be back.
    fn are_heard_again(&self, now: &BTreeSet<String>) -> bool {
        let is_known = |one| self.met.contains(one) || self.silent.contains(one);
        self.met.is_subset(now) && now.iter().all(is_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(names: &[&str]) -> Heard {
        let masters = names.iter().map(|&name| name.to_owned()).collect();
        Heard { masters, ..Heard::default() }
    }

    fn some(names: &[&str]) -> Heard {
        Heard { is_partial: true, ..all(names) }
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
            assert_eq!(succession.meet(&all(masters)), term, "{masters:?}");
        }
        assert_eq!(succession.term(), 3);
    }

    #[test]
    fn no_term_begins_with_one_that_said_nothing_while_another_was_replaced() {
        let succession = Succession::default();
        for (heard, term) in [
            (all(&["a", "b", "c"]), 0),
            (some(&["b"]), 0),
            (some(&["d"]), 1),
            (some(&["b", "d"]), 1),
            (all(&["b", "c", "d"]), 1),
            (some(&["b", "c"]), 1),
            // It took the place that a had, and a has it again.
            (all(&["a", "b", "c"]), 2),
            (some(&["d"]), 3),
            (some(&["a"]), 4),
            (some(&["a", "b"]), 4),
            // All were heard, so c had no place any more: who has it now may lack something.
            (all(&["a", "b"]), 4),
            (all(&["a", "b", "c"]), 5),
        ] {
            assert_eq!(succession.meet(&heard), term, "{heard:?}");
        }
    }
}
