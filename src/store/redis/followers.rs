//! Whether the masters' replicas are in step, and how often Sentinels are asked when they are not.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::telemetry::clock::Stopwatch;

use super::memory::LONGEST;
use super::wire::Heard;

/// How long a replica that is in step may have been behind.
const IN_STEP: Duration = Duration::from_secs(60);

/// A master that another replaced while it stood still is without its replicas from the moment
/// that it wakes, and Sentinels name the other within seconds. Where they name none for so long,
/// the replicas were taken away: one that is lost after that is looked after anew.
const ASKED_OFTEN: Duration = Duration::from_secs(600);
const ASKED_SELDOM_EVERY: Duration = Duration::from_secs(10);

/// How it is with the masters' replicas.
#[derive(Default)]
pub(super) struct Followers(Mutex<State>);

#[derive(Default)]
struct State {
    /// The most masters that had one in step, and how many had when we looked last.
    most: usize,
    last: usize,
    /// Since one was lost last.
    lost: Option<Stopwatch>,
    /// Since Sentinels were asked last.
    asked: Option<Stopwatch>,
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replicas {
    /// In step, or there never were any.
    AsEver,
    /// Fewer masters have one in step than had.
    Missed,
    /// One of the masters says nothing: it may be down, without a replica, and come back with less.
    Unheard,
}

impl Replicas {
    /// How old a thing may be that another master would lack.
    pub(super) fn may_lack(self) -> Duration {
        match self {
            Self::AsEver => IN_STEP,
            Self::Missed | Self::Unheard => LONGEST,
        }
    }
}

impl Followers {
    /// The masters say so.
    pub(super) fn are(&self, heard: &Heard) -> Replicas {
        let followed = heard.followed;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if followed < state.last {
            state.lost = Some(Stopwatch::start());
        }
        state.last = followed;
        state.most = state.most.max(followed);
        if followed < state.most {
            Replicas::Missed
        } else if heard.is_partial {
            Replicas::Unheard
        } else {
            Replicas::AsEver
        }
    }

    /// Whether to ask Sentinels now, where replicas are missed.
    pub(super) fn is_time_to_ask(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = |watch: Option<Stopwatch>| watch.map_or(Duration::MAX, |it| it.elapsed());
        let is_time = is_time(since(state.lost), since(state.asked));
        if is_time {
            state.asked = Some(Stopwatch::start());
        }
        is_time
    }
}

fn is_time(since_lost: Duration, since_asked: Duration) -> bool {
    since_lost < ASKED_OFTEN || since_asked >= ASKED_SELDOM_EVERY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(followed: usize) -> Heard {
        Heard { followed, ..Heard::default() }
    }

    fn some(followed: usize) -> Heard {
        Heard { is_partial: true, ..all(followed) }
    }

    #[test]
    fn more_is_remembered_while_replicas_are_missed_that_there_were() {
        let followers = Followers::default();
        for (heard, secs) in
            [(all(0), 60), (all(2), 60), (all(1), 600), (all(0), 600), (all(2), 60)]
        {
            assert_eq!(followers.are(&heard).may_lack(), Duration::from_secs(secs), "{heard:?}");
        }
    }

    #[test]
    fn more_is_remembered_while_a_master_says_nothing_that_never_had_a_replica() {
        let followers = Followers::default();
        for (heard, replicas, secs) in [
            (all(0), Replicas::AsEver, 60),
            (some(0), Replicas::Unheard, 600),
            (all(1), Replicas::AsEver, 60),
            (some(1), Replicas::Unheard, 600),
            (some(0), Replicas::Missed, 600),
            (all(1), Replicas::AsEver, 60),
        ] {
            let are = followers.are(&heard);
            assert_eq!((are, are.may_lack()), (replicas, Duration::from_secs(secs)), "{heard:?}");
        }
    }

    #[test]
    fn sentinels_are_asked_each_second_for_ten_minutes_after_a_replica_was_lost() {
        let secs = Duration::from_secs;
        for (lost, asked, is) in [
            (secs(0), Duration::MAX, true),
            (secs(5), secs(1), true),
            (secs(599), secs(1), true),
            (secs(600), secs(1), false),
            (secs(600), secs(9), false),
            (secs(100_000), secs(10), true),
        ] {
            assert_eq!(is_time(lost, asked), is, "{lost:?}, {asked:?}");
        }
    }

    #[test]
    fn each_replica_that_is_lost_begins_the_ten_minutes_anew() {
        let long_ago = |followers: &Followers| {
            let mut state = followers.0.lock().unwrap();
            state.lost = None;
            state.asked = Some(Stopwatch::start());
        };
        let followers = Followers::default();
        followers.are(&all(2));
        followers.are(&all(0));
        assert!(followers.is_time_to_ask());
        long_ago(&followers);
        followers.are(&all(0));
        assert!(!followers.is_time_to_ask());
        // One was added, and is lost again, though there never were two.
        followers.are(&all(1));
        assert!(!followers.is_time_to_ask());
        followers.are(&all(0));
        assert!(followers.is_time_to_ask());
    }
}
