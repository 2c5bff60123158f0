//! What a fail-over may have lost is given again.
//!
//! A replica that takes over, or a server that restarts, may lack the last of what was
//! acknowledged. A gateway remembers what it settled, ended and recorded in the last minute, and
//! for longer while no replica is in step; when another is the master, all of it is given
//! again, once a second more of it until all has been taken. Nothing counts twice: a lease that
//! has ended left a tombstone, a record has an id.
//!
//! A master that woke after another took its place acknowledges what it will lose. So what is
//! remembered is given again as well where the term has changed between its sending and its
//! answer, though the master is one that we knew.
//!
//! Each shard of a Cluster is given what lies in it by itself: one that is down holds up no other.
//!
//! What stays lost is what nobody alive remembers: the settlements of a gateway that ended
//! too, the oldest of more than [`Remembered::MOST`], and what a master refuses for good.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::accounts::{HoldEnd, Record, Resets, Settlement};

use super::super::{Answer, StoreError};
use super::RedisStore;
use super::followers::Replicas;
use super::ledger::all_of;
use super::memory::Remembered;
use super::shards::ShardOf;

/// What is owed to one shard: the numbers that it is remembered by.
#[derive(Default)]
struct Share {
    settled: Vec<u64>,
    ended: Vec<u64>,
    recorded: Vec<u64>,
}

type Shares = BTreeMap<Option<usize>, Share>;

/// How much of each was given again.
#[derive(Default)]
struct Counts {
    settlements: usize,
    holds: usize,
    records: usize,
}

impl RedisStore {
    /// Gives again what another server than the present master may have taken alone.
    pub(super) async fn keep_up(&self, resets: &Resets) -> Answer<()> {
        let mut replicas = self.followers.are(&self.link.hear().await?);
        if replicas == Replicas::Missed && self.followers.is_time_to_ask() {
            // It may have been replaced while it stood still.
            self.link.ask_sentinels().await;
            replicas = self.followers.are(&self.link.hear().await?);
        }
        let term = self.link.term();
        let given = if self.memory.is_given(term) { Ok(()) } else { self.give(term, resets).await };
        self.memory.forget(replicas.may_lack());
        given
    }

    /// Remembers a batch that was sent in that term and is done, but for what is refused for good.
    pub(super) fn remember<T: Remembered>(
        &self,
        batch: Vec<T>,
        term: u64,
        answer: Answer<()>,
    ) -> Answer<()> {
        if !answer.as_ref().is_err_and(StoreError::is_passing) {
            self.memory.add(batch, term);
        }
        answer
    }

    async fn give(&self, term: u64, resets: &Resets) -> Answer<()> {
        self.memory.begin(term);
        let shards = self.link.shards().await?.of_slots();
        let mut shares = Shares::new();
        self.deal::<Settlement>(&shards, &mut shares, |share| &mut share.settled).await;
        self.deal::<HoldEnd>(&shards, &mut shares, |share| &mut share.ended).await;
        self.deal::<Arc<Record>>(&shards, &mut shares, |share| &mut share.recorded).await;
        let parts = shares.into_values().map(|share| self.give_share(share, term, resets));
        let mut all = Counts::default();
        let mut answers = Vec::new();
        for (counts, answer) in join_all(parts).await {
            all.settlements += counts.settlements;
            all.holds += counts.holds;
            all.records += counts.records;
            answers.push(answer);
        }
        self.memory.gave();
        let is_all = self.memory.is_given(term);
        let Counts { settlements, holds, records } = all;
        if is_all || settlements + holds + records > 0 {
            const GAVE: &str = "another Redis is the master: gave again what it may lack";
            tracing::warn!(settlements, holds, records, is_all, "{GAVE}");
        }
        all_of(answers)
    }

    /// Deals out by shard what is owed of one kind. Calls go on in between: it may be a lot, each
    /// second anew while a shard is down.
    async fn deal<T: Remembered>(
        &self,
        shards: &ShardOf,
        shares: &mut Shares,
        part: fn(&mut Share) -> &mut Vec<u64>,
    ) {
        for numbers in self.memory.owed::<T>().chunks(T::AT_ONCE) {
            for (number, slot) in self.memory.slots::<T>(numbers) {
                part(shares.entry(shards.slot(slot)).or_default()).push(number);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Gives one shard its share, as far as it takes it.
    async fn give_share(&self, share: Share, term: u64, resets: &Resets) -> (Counts, Answer<()>) {
        let mut counts = Counts::default();
        let mut refused = Vec::new();
        let answer = async {
            let Counts { settlements, holds, records } = &mut counts;
            let Share { settled, ended, recorded } = &share;
            self.give_all::<Settlement>(settled, term, resets, settlements, &mut refused).await?;
            self.give_all::<HoldEnd>(ended, term, resets, holds, &mut refused).await?;
            self.give_all::<Arc<Record>>(recorded, term, resets, records, &mut refused).await
        };
        let answer = answer.await;
        (counts, answer.and_then(|()| refused.into_iter().next().map_or(Ok(()), Err)))
    }

    /// Gives what is owed of one kind, and remembers what was taken, or refused for good: that
    /// holds up nothing else, and is told once.
    async fn give_all<T: Remembered>(
        &self,
        owed: &[u64],
        term: u64,
        resets: &Resets,
        count: &mut usize,
        refused: &mut Vec<StoreError>,
    ) -> Answer<()> {
        for numbers in owed.chunks(T::AT_ONCE) {
            let some = self.memory.of::<T>(numbers);
            match T::give(&some, self, resets).await {
                Ok(()) => {}
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => {
                    tracing::error!(%error, "a master refuses for good what it is given again");
                    refused.push(error);
                }
            }
            self.memory.took::<T>(numbers, term);
            *count += some.len();
        }
        Ok(())
    }
}
