//! A look at all rows by turns, some in each sweep: what a gateway that died between two steps
//! has left, or a Redis that lost its last writes, is found and mended.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use redis::Value;

use crate::accounts::AccountId;

use super::super::super::Answer;
use super::super::RedisStore;
use super::super::keys::Family;
use super::super::ledger::all_of;
use super::mend::{Row, TakesBack};

/// A move that is not made after so long is nobody's any more: each of its steps would have
/// failed.
const ABANDONED: Duration = Duration::from_secs(60);

/// How many rows a sweep looks at, and how many families at most. A page may have more rows, for
/// Redis shows a small hash whole; then the next sweeps look at none.
const ROWS: usize = 32;
const SOME_FAMILIES: usize = 32;

/// Where the round is.
#[derive(Default)]
pub(in super::super) struct Round(Mutex<State>);

#[derive(Default)]
struct State {
    /// The families that it has yet to come to, and the cursor in each.
    rest: Vec<(Family, String)>,
    /// How many rows were looked at beyond what was due.
    ahead: usize,
}

impl Round {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, all: Vec<Family>) {
        self.state().rest.extend(all.into_iter().map(|family| (family, "0".into())));
    }

    fn is_over(&self) -> bool {
        self.state().rest.is_empty()
    }

    fn next(&self) -> Option<(Family, String)> {
        self.state().rest.pop()
    }

    /// Whether it is time to look at more.
    fn is_due(&self) -> bool {
        let mut state = self.state();
        state.ahead = state.ahead.saturating_sub(ROWS);
        state.ahead == 0
    }
}

impl RedisStore {
    /// Looks at the next rows, if it is time to.
    pub(in super::super) async fn look_round(&self) -> Answer<()> {
        if !self.round.is_due() {
            return Ok(());
        }
        if self.round.is_over() {
            self.round.begin(self.roster.all());
        }
        let mut parts = Vec::new();
        for _ in 0..SOME_FAMILIES {
            let Some((family, cursor)) = self.round.next() else { break };
            parts.push(self.look_at_rows(&family, &cursor, TakesBack::After(ABANDONED)).await);
            if self.round.state().ahead >= ROWS {
                break;
            }
        }
        all_of(parts)
    }

    /// A whole round at once, to which no move is too young.
    #[cfg(test)]
    pub(super) async fn look_at_all(&self) -> Answer<()> {
        self.round.begin(self.roster.all());
        while let Some((family, cursor)) = self.round.next() {
            self.look_at_rows(&family, &cursor, TakesBack::After(Duration::ZERO)).await?;
        }
        Ok(())
    }

    /// Looks at some rows of a family.
    async fn look_at_rows(
        &self,
        family: &Family,
        cursor: &str,
        takes_back: TakesBack,
    ) -> Answer<()> {
        let mut scan = redis::cmd("HSCAN");
        scan.arg(family.accounts()).arg(cursor).arg("COUNT").arg(ROWS);
        let (next, rows): (String, Vec<(String, Value)>) = self.link.ask(&scan).await?;
        if next != "0" {
            self.round.state().rest.push((family.clone(), next));
        }
        let ids = rows.iter().filter_map(|(id, _)| id.parse().ok().map(AccountId));
        let ids: Vec<AccountId> = ids.collect();
        if ids.is_empty() {
            return Ok(());
        }
        self.round.state().ahead += ids.len();
        let seen = self.look(family, &ids).await?;
        let places = join_all(ids.iter().map(|id| self.place_now(*id))).await;
        let mut parts = Vec::new();
        for ((id, (row, _)), place) in ids.iter().zip(seen).zip(places) {
            // One that can't be read keeps no other from being looked at.
            parts.push(match place {
                Ok(Some(place)) if row == Row::Admitted && place.is_in(family) => Ok(()),
                Ok(_) => self.mend_here(*id, family, takes_back).await,
                Err(error) => Err(error),
            });
        }
        all_of(parts)
    }

    async fn mend_here(&self, id: AccountId, family: &Family, takes_back: TakesBack) -> Answer<()> {
        if self.mend(id, Some(family), takes_back).await? {
            let (account, pool) = (id.0, family.pool.0);
            tracing::warn!(account, pool, "put in order what a move of an account has left");
        }
        Ok(())
    }
}
