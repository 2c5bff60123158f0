//! Which families a sweep visits.
//!
//! All of them while they are few; else those that this gateway leased from since the
//! last sweep, and a share of the others by turns. A script that finds nothing due costs
//! Redis some microseconds.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::telemetry::clock::Stopwatch;

use super::super::Answer;
use super::RedisStore;
use super::keys::{FAMILIES, Family};

/// How many families that this gateway did not touch a sweep visits.
const A_SHARE: usize = 256;

/// How often the families are read anew.
const FRESH: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Roster(Mutex<State>);

#[derive(Default)]
struct State {
    families: Vec<Family>,
    read: Option<Stopwatch>,
    next: usize,
    touched: BTreeSet<Family>,
}

impl Roster {
    pub(super) fn touch(&self, family: &Family) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.touched.contains(family) {
            state.touched.insert(family.clone());
        }
    }

    /// A family was added: the next sweep reads them anew.
    pub(super) fn grow(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read = None;
    }

    fn is_fresh(&self) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.read.is_some_and(|since| since.elapsed() < FRESH)
    }

    fn set(&self, families: Vec<Family>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.families = families;
        state.read = Some(Stopwatch::start());
    }

    /// All of them, as they were read last.
    pub(super) fn all(&self) -> Vec<Family> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).families.clone()
    }

    fn take(&self) -> BTreeSet<Family> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = std::mem::take(&mut state.touched);
        let from = if state.next < state.families.len() { state.next } else { 0 };
        let share = state.families.iter().skip(from).take(A_SHARE);
        due.extend(share.cloned());
        state.next = from + A_SHARE;
        due
    }
}

impl RedisStore {
    /// The families that this sweep visits.
    pub(super) async fn due_families(&self) -> Answer<BTreeSet<Family>> {
        if !self.roster.is_fresh() {
            let all: BTreeSet<String> =
                self.link.ask(&redis::cmd("SMEMBERS").arg(FAMILIES).take()).await?;
            self.roster.set(all.iter().filter_map(|text| Family::read(text)).collect());
        }
        Ok(self.roster.take())
    }
}
