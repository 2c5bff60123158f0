//! Moving an account to another pool: from slot to slot, so in steps.
//!
//! 1. Its place says where it goes.
//! 2. The old pool lets it go: it is leased no more, and lies there as it is.
//! 3. It arrives in the new one, and is not leased there yet.
//! 4. Its place is the new pool: this makes the move.
//! 5. What is left in the old pool goes, and it is admitted.
//!
//! So it is never leased in two pools. A gateway that ends between two steps leaves it leased in
//! none, and whole where its place says; whoever moves it again goes on, whoever moves it to the
//! pool that it is in finishes the move, or takes it back. Of several who move it at once one
//! makes the move, because the fourth step wants the place as the first one left it. Who comes
//! late, from whatever step, undoes nothing of another's: a row is removed only as it was read,
//! and where an account stays it is admitted only while nobody moves it, under the mark that was
//! read before that was seen: by whose move it left last.

use redis::Value;

use crate::accounts::{Account, AccountId, Moving, PoolId, Resets};

use super::super::{Answer, StoreError};
use super::keys::{self, FAMILIES, Family};
use super::renewal::{TRIES, changes_all_the_time};
use super::{RedisStore, corrupt, from_json, to_json};

/// The pool of an account that is being removed: bound for nowhere.
const NOWHERE: PoolId = PoolId(0);

/// The mark of an account that has arrived.
const ARRIVED: &str = "in";

/// Where an account is, and whether it is on its way from there.
struct Whereabouts {
    family: Family,
    bound_for: Option<PoolId>,
}

impl Whereabouts {
    fn of(family: &Family, bound_for: Option<PoolId>) -> Self {
        Self { family: family.clone(), bound_for }
    }

    fn text(&self) -> String {
        match self.bound_for {
            Some(pool) => format!("{} {pool}", self.family.text()),
            None => self.family.text(),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let bound_for = text.split(' ').nth(2).map(|pool| pool.parse().map(PoolId));
        Some(Self { family: Family::read(text)?, bound_for: bound_for.transpose().ok()? })
    }

    /// The family that it is bound for.
    fn aim(&self) -> Option<Family> {
        let pool = self.bound_for.filter(|pool| *pool != NOWHERE)?;
        Some(Family { pool, platform: self.family.platform.clone() })
    }
}

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
        self.finish_move(id).await?;
        let Some(here) = self.whereabouts(id).await? else { return Ok(Moving::Stale) };
        if here.family != from || here.bound_for == Some(NOWHERE) {
            return Ok(Moving::Stale);
        }
        // What an earlier move to elsewhere left there goes, once that one can't be made any more.
        let astray = here.aim().filter(|aim| *aim != to);
        let astray = match astray {
            Some(aim) => self.fixed_text(&aim, id).await?.map(|text| (aim, text)),
            None => None,
        };
        let bound = Whereabouts::of(&from, Some(to.pool));
        if !self.swap_place(id, &here, &bound).await? {
            return Ok(Moving::Stale);
        }
        if let Some((aim, text)) = astray {
            self.remove_left(&aim, id, &text).await?;
        }
        self.expect_in(id, [&from, &to]).await?;

        let Some(held) = self.fixed_text(&from, id).await? else { return Ok(Moving::Stale) };
        let current: Account = from_json("account", &held)?;
        let is_it = current.sealed == before.sealed && current.generation == before.generation;
        let mark = format!("{:016x}", getrandom::u64().map_err(no_random)?);
        let left = if is_it { self.let_go(&from, id, &held, &mark).await? } else { Left::Stale };
        let parts = match left {
            Left::With(parts) => parts,
            refused => {
                if self.swap_place(id, &bound, &Whereabouts::of(&from, None)).await? {
                    self.admit_where_it_stays(&from, id).await?;
                }
                return Ok(if matches!(refused, Left::Busy) {
                    Moving::Busy
                } else {
                    Moving::Stale
                });
            }
        };

        // A name that it was given meanwhile comes along.
        let arrived = to_json("account", &Account { name: current.name.clone(), ..after.clone() })?;
        if let Err(error) = self.take_in(&to, id, &current.name, &arrived, &parts).await {
            if matches!(error, StoreError::Taken(_) | StoreError::Gone(_))
                && self.swap_place(id, &bound, &Whereabouts::of(&from, None)).await?
            {
                self.admit_where_it_stays(&from, id).await?;
            }
            return Err(error);
        }
        if !self.swap_place(id, &bound, &Whereabouts::of(&to, None)).await? {
            // Another one moved it elsewhere, or took it back.
            self.remove_left(&to, id, &arrived).await?;
            self.admit_where_it_stays(&from, id).await?;
            return Ok(Moving::Stale);
        }
        self.places.forget(id);
        self.finish_move(id).await?;
        Ok(Moving::Done)
    }

    /// Finishes a move that is made, or takes one back that is not.
    pub(super) async fn end_broken_move(&self, id: AccountId) -> Answer<()> {
        for _ in 0..TRIES {
            self.finish_move(id).await?;
            let Some(here) = self.whereabouts(id).await? else { return Ok(()) };
            let Some(aim) = here.aim() else { return Ok(()) };
            let there = self.fixed_text(&aim, id).await?;
            if !self.swap_place(id, &here, &Whereabouts::of(&here.family, None)).await? {
                continue;
            }
            if let Some(text) = there {
                self.remove_left(&aim, id, &text).await?;
            }
            return self.admit_where_it_stays(&here.family, id).await;
        }
        Err(changes_all_the_time())
    }

    /// Removes what a move left in other pools, and admits the account where it is.
    async fn finish_move(&self, id: AccountId) -> Answer<()> {
        let Some(here) = self.whereabouts(id).await? else { return Ok(()) };
        if here.bound_for.is_some() {
            return Ok(());
        }
        let Some(text) = self.fixed_text(&here.family, id).await? else { return Ok(()) };
        let generation = from_json::<Account>("account", &text)?.generation;
        for family in self.former_families(id).await? {
            if family == here.family {
                continue;
            }
            for _ in 0..TRIES {
                let Some(text) = self.fixed_text(&family, id).await? else { break };
                // Whoever moves it on, meanwhile, brings a later one.
                if from_json::<Account>("account", &text)?.generation >= generation {
                    break;
                }
                self.remove_older(&family, id, &text).await?;
            }
        }
        self.admit(&here.family, id, ARRIVED).await.map(drop)
    }

    /// Says that an account goes away for good: whoever moves it just now does not make it.
    /// Answers the families that something of it may lie in; `None`: there is no such account.
    pub(super) async fn bind_for_nowhere(&self, id: AccountId) -> Answer<Option<Vec<Family>>> {
        for _ in 0..TRIES {
            let Some(here) = self.whereabouts(id).await? else { return Ok(None) };
            let gone = Whereabouts::of(&here.family, Some(NOWHERE));
            if self.swap_place(id, &here, &gone).await? {
                let mut all = vec![here.family];
                all.extend(self.former_families(id).await?);
                all.dedup();
                return Ok(Some(all));
            }
        }
        Err(changes_all_the_time())
    }

    async fn whereabouts(&self, id: AccountId) -> Answer<Option<Whereabouts>> {
        let place = redis::cmd("GET").arg(keys::account_place(id)).take();
        let place: Option<String> = self.link.ask(&place).await?;
        Ok(place.as_deref().and_then(Whereabouts::read))
    }

    /// The family of an account just now, for what people do.
    pub(super) async fn family_now(&self, id: AccountId) -> Answer<Option<Family>> {
        Ok(self.whereabouts(id).await?.map(|here| here.family))
    }

    /// Whether the place is now the other one, by whoever's hand.
    async fn swap_place(&self, id: AccountId, was: &Whereabouts, is: &Whereabouts) -> Answer<bool> {
        let mut call = self.scripts.swap_text.call(&[keys::account_place(id)]);
        call.arg(was.text()).arg(is.text());
        if self.scripts.swap_text.run::<bool>(&self.link, &call).await? {
            return Ok(true);
        }
        let now = self.whereabouts(id).await?;
        Ok(now.is_some_and(|now| now.text() == is.text()))
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

    async fn former_families(&self, id: AccountId) -> Answer<Vec<Family>> {
        let all = redis::cmd("SMEMBERS").arg(keys::former_places(id)).take();
        let all: Vec<String> = self.link.ask(&all).await?;
        Ok(all.iter().filter_map(|text| Family::read(text)).collect())
    }

    async fn fixed_text(&self, family: &Family, id: AccountId) -> Answer<Option<String>> {
        self.link.ask(&redis::cmd("HGET").arg(family.fixed()).arg(id.0).take()).await
    }

    async fn let_go(
        &self,
        family: &Family,
        id: AccountId,
        fixed: &str,
        mark: &str,
    ) -> Answer<Left> {
        let mut call = self.call(&self.scripts.leave, family, &Resets::default());
        call.arg(id.0).arg(fixed).arg(mark);
        let mut parts: Vec<Vec<u8>> = self.scripts.leave.run(&self.link, &call).await?;
        let word = if parts.is_empty() { Vec::new() } else { parts.remove(0) };
        match word.as_slice() {
            b"left" => Ok(Left::With(parts)),
            b"busy" => Ok(Left::Busy),
            b"stale" => Ok(Left::Stale),
            _ => Err(corrupt("account", "the script answered something else")),
        }
    }

    async fn take_in(
        &self,
        family: &Family,
        id: AccountId,
        name: &str,
        fixed: &str,
        parts: &[Vec<u8>],
    ) -> Answer<()> {
        let mut call = self.call(&self.scripts.arrive, family, &Resets::default());
        call.arg(id.0).arg(family.platform.as_str()).arg(name).arg(fixed);
        parts.iter().for_each(|part| _ = call.arg(part));
        match self.scripts.arrive.run::<u8>(&self.link, &call).await? {
            0 => Err(StoreError::Taken(format!("an account named {name}"))),
            2 => Err(StoreError::Gone(format!("pool {}", family.pool))),
            _ => Ok(()),
        }
    }

    /// Makes an account ready again whose mark is this one; answers its mark.
    async fn admit(&self, family: &Family, id: AccountId, mark: &str) -> Answer<String> {
        let mut call = self.call(&self.scripts.admit, family, &Resets::default());
        call.arg(id.0).arg(mark);
        self.scripts.admit.run(&self.link, &call).await
    }

    /// Makes an account ready again that left and that nobody moves any more. While somebody does,
    /// it is for him, who may have been told already what it is here.
    async fn admit_where_it_stays(&self, family: &Family, id: AccountId) -> Answer<()> {
        for _ in 0..TRIES {
            let mark = self.admit(family, id, "").await?;
            let Some(here) = self.whereabouts(id).await? else { return Ok(()) };
            let stays = here.family == *family && here.bound_for.is_none();
            let left = mark.starts_with("out");
            if !left || !stays || self.admit(family, id, &mark).await? == mark {
                return Ok(());
            }
        }
        Err(changes_all_the_time())
    }

    /// Removes what a move left of an account, where it is still as it was read and on its way.
    async fn remove_left(&self, family: &Family, id: AccountId, fixed: &str) -> Answer<()> {
        self.remove_row(family, id, &[fixed]).await
    }

    /// The same of one that is older than where the account is by now, be it on its way or not.
    async fn remove_older(&self, family: &Family, id: AccountId, fixed: &str) -> Answer<()> {
        self.remove_row(family, id, &[fixed, "older"]).await
    }

    async fn remove_row(&self, family: &Family, id: AccountId, which: &[&str]) -> Answer<()> {
        let mut call = self.call(&self.scripts.remove_account, family, &Resets::default());
        call.arg(id.0).arg(which);
        self.scripts.remove_account.run::<Value>(&self.link, &call).await?;
        self.link.ask::<()>(&redis::cmd("DEL").arg(family.renewal(id)).take()).await
    }
}

fn no_random(error: getrandom::Error) -> StoreError {
    StoreError::Unavailable(format!("the operating system gives no random bytes: {error}"))
}
