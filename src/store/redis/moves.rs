//! Moving an account to another pool: from slot to slot, so in steps.
//!
//! 1. Its place says where it is bound for, under a number that rises: the move's.
//! 2. The old pool lets it go: it is leased no more, and lies there as it is.
//! 3. It arrives in the new one, and is not leased there yet.
//! 4. Its place is the new pool: this makes the move.
//! 5. What is left in the old pool goes, and it is admitted (`mend.rs`).
//!
//! Every step brings the number to the pool that it is about, and a pool remembers the last one:
//! after a step of a later move, a step does nothing. So it is never leased in two pools. One is
//! admitted where its place was under that number; before it comes to be elsewhere, a later number
//! has let it go, and what would admit it again comes late.
//!
//! Of several who move an account at once, he makes the move whose number came last: the fourth
//! step wants the place as his first one left it. A gateway that ends between two steps leaves an
//! account that is leased nowhere, and whole where its place says. Whoever moves it again takes it
//! from there; sweeps take back what is not made after a minute, and end what is (`round.rs`).

#[cfg(test)]
mod interleavings;
mod mend;
mod place;
mod round;

use std::time::Duration;

use crate::accounts::{Account, AccountId, Moving};

use super::super::{Answer, StoreError};
use super::keys::{self, FAMILIES, Family};
use super::renewal::{TRIES, changes_all_the_time};
use super::{RedisStore, corrupt, from_json, to_json};
use mend::TakesBack;
use place::{Aimed, NOWHERE, Place};
pub(super) use round::Round;

/// How the old pool let an account go.
enum Left {
    Stale,
    Busy,
    /// Its moving part, the reason of its health, and its blocks, as `leave.lua` tells them.
    With(Vec<Vec<u8>>),
}

impl RedisStore {
    pub(super) async fn move_to(&self, before: &Account, after: &Account) -> Answer<Moving> {
        let id = before.id;
        let [from, to] = [before, after]
            .map(|account| Family { pool: account.pool, platform: account.platform.clone() });
        let Some(here) = self.place_now(id).await? else { return Ok(Moving::Stale) };
        if here.family != from || here.aim == NOWHERE {
            return Ok(Moving::Stale);
        }
        let Aimed::At(bound) = self.aim(id, &here, &from, to.pool, Duration::ZERO).await? else {
            return Ok(Moving::Stale);
        };
        match self.carry(before, after, [&from, &to], bound.number).await {
            Ok(Moving::Done) => {}
            Err(error) if !matches!(error, StoreError::Taken(_) | StoreError::Gone(_)) => {
                return Err(error);
            }
            refused => {
                let stays = self.aim(id, &bound, &from, from.pool, Duration::ZERO).await?;
                if matches!(stays, Aimed::At(_)) {
                    self.mend(id, None, TakesBack::Nothing).await?;
                }
                return refused;
            }
        }
        if !self.switch(id, &bound).await? {
            // Another one moved it elsewhere, or took it back.
            self.remove_left(&to, id, bound.number).await?;
            return Ok(Moving::Stale);
        }
        self.places.forget(id);
        self.mend(id, None, TakesBack::Nothing).await?;
        Ok(Moving::Done)
    }

    /// Carries an account from pool to pool: afterwards it is in both, and leased in none.
    async fn carry(
        &self,
        before: &Account,
        after: &Account,
        [from, to]: [&Family; 2],
        number: i64,
    ) -> Answer<Moving> {
        let id = before.id;
        self.expect_in(id, [from, to]).await?;
        let held = redis::cmd("HGET").arg(from.fixed()).arg(id.0).take();
        let held: Option<String> = self.link.ask(&held).await?;
        let Some(held) = held else { return Ok(Moving::Stale) };
        let current: Account = from_json("account", &held)?;
        if current.sealed != before.sealed || current.generation != before.generation {
            return Ok(Moving::Stale);
        }
        let parts = match self.let_go(from, id, &held, number).await? {
            Left::With(parts) => parts,
            Left::Busy => return Ok(Moving::Busy),
            Left::Stale => return Ok(Moving::Stale),
        };
        // A name that it was given meanwhile comes along.
        let name = &current.name;
        let arrived = to_json("account", &Account { name: name.clone(), ..after.clone() })?;
        let mut call = self.call_of_move(&self.scripts.arrive, to);
        call.arg(id.0).arg(to.platform.as_str()).arg(name).arg(arrived).arg(number);
        parts.iter().for_each(|part| _ = call.arg(part));
        match self.scripts.arrive.run::<u8>(&self.link, &call).await? {
            0 => Err(StoreError::Taken(format!("an account named {name}"))),
            1 => Ok(Moving::Done),
            2 => Err(StoreError::Gone(format!("pool {}", to.pool))),
            _ => Ok(Moving::Stale),
        }
    }

    /// Ends a move that was broken off: finishes one that is made, takes back one that is not.
    pub(super) async fn end_broken_move(&self, id: AccountId) -> Answer<()> {
        self.mend(id, None, TakesBack::After(Duration::ZERO)).await.map(drop)
    }

    /// Says that an account goes away for good: whoever moves it just now does not make it.
    /// Answers the families that something of it may lie in, and the number that it has for
    /// `remove_for_good`. `None`: there is no such account.
    pub(super) async fn bind_for_nowhere(
        &self,
        id: AccountId,
    ) -> Answer<Option<(Vec<Family>, i64)>> {
        for _ in 0..TRIES {
            let Some(here) = self.place_now(id).await? else { return Ok(None) };
            let gone = self.aim(id, &here, &here.family, NOWHERE, Duration::ZERO).await?;
            let Aimed::At(Place { family, number, .. }) = gone else { continue };
            let mut all = self.former_families(id).await?;
            all.retain(|former| *former != family);
            all.insert(0, family);
            return Ok(Some((all, number)));
        }
        Err(changes_all_the_time())
    }

    pub(super) async fn remove_for_good(
        &self,
        family: &Family,
        id: AccountId,
        number: i64,
    ) -> Answer<()> {
        let mut call = self.call_of_move(&self.scripts.remove_account, family);
        call.arg(id.0).arg(number);
        self.scripts.remove_account.run::<()>(&self.link, &call).await?;
        self.link.ask(&redis::cmd("DEL").arg(family.renewal(id)).take()).await
    }

    /// The family of an account just now, for what people do.
    pub(super) async fn family_now(&self, id: AccountId) -> Answer<Option<Family>> {
        Ok(self.place_now(id).await?.map(|here| here.family))
    }

    /// Something of the account will lie there: said before it does.
    async fn expect_in(&self, id: AccountId, families: [&Family; 2]) -> Answer<()> {
        let texts = families.map(Family::text);
        let places = redis::cmd("SADD").arg(keys::former_places(id)).arg(&texts).take();
        self.link.ask::<()>(&places).await?;
        let known = redis::cmd("SADD").arg(FAMILIES).arg(&texts[1]).take();
        self.link.ask::<()>(&known).await?;
        self.roster.grow();
        Ok(())
    }

    async fn let_go(
        &self,
        family: &Family,
        id: AccountId,
        fixed: &str,
        number: i64,
    ) -> Answer<Left> {
        let mut call = self.call_of_move(&self.scripts.leave, family);
        call.arg(id.0).arg(fixed).arg(number);
        let mut parts: Vec<Vec<u8>> = self.scripts.leave.run(&self.link, &call).await?;
        let word = if parts.is_empty() { Vec::new() } else { parts.remove(0) };
        match word.as_slice() {
            b"left" => Ok(Left::With(parts)),
            b"busy" => Ok(Left::Busy),
            b"stale" => Ok(Left::Stale),
            _ => Err(corrupt("account", "the script answered something else")),
        }
    }
}
