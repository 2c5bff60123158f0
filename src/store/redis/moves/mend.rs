//! What moves have left is put in order: an account is in the pool of its place alone, and is
//! admitted there. So each move ends. It may be done at any time and by any number of gateways:
//! whatever of it comes late does nothing.
//!
//! An account arrives before its place says so. So it is where its place says, unless Redis lost
//! that: an account that was admitted elsewhere under no lower number is there, and where its
//! place has nothing, it is where anything is.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::accounts::AccountId;

use super::super::super::Answer;
use super::super::keys::{self, Family};
use super::super::renewal::{TRIES, changes_all_the_time};
use super::super::{RedisStore, corrupt};
use super::place::{Aimed, NOWHERE, Place};

/// Which moves that are not made yet are taken back.
#[derive(Clone, Copy)]
pub(super) enum TakesBack {
    Nothing,
    /// Those that began so long ago.
    After(Duration),
}

/// What lies in a family of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Row {
    Nothing,
    OnItsWay,
    Admitted,
}

/// The same, where, and the number of the last move that touched it there.
pub(super) struct Seen {
    family: Family,
    row: Row,
    number: i64,
}

/// Where an account is.
fn home<'a>(here: &Place, all: &'a [Seen]) -> Option<&'a Seen> {
    let some = || all.iter().filter(|seen| seen.row != Row::Nothing);
    let no_earlier = |seen: &&Seen| seen.number > 0 && seen.number >= here.number;
    let admitted = some().filter(|seen| seen.row == Row::Admitted).filter(no_earlier);
    admitted
        .max_by_key(|seen| seen.number)
        .or_else(|| some().find(|seen| seen.family == here.family))
        .or_else(|| some().max_by_key(|seen| seen.number))
}

impl RedisStore {
    /// Puts in order what moves have left of an account; something of it may lie in this family
    /// also. Answers whether there was anything.
    pub(super) async fn mend(
        &self,
        id: AccountId,
        also: Option<&Family>,
        takes_back: TakesBack,
    ) -> Answer<bool> {
        for _ in 0..TRIES {
            let Some(here) = self.place_now(id).await? else {
                return self.remove_stray(id, also).await;
            };
            let age = match takes_back {
                _ if here.aim == NOWHERE => return Ok(false),
                _ if here.stays() => Duration::ZERO,
                TakesBack::Nothing => return Ok(false),
                TakesBack::After(age) => age,
            };
            let mut families: BTreeSet<Family> =
                self.former_families(id).await?.into_iter().collect();
            families.extend(also.cloned());
            families.extend([here.family.clone(), here.bound_for()]);
            let mut all = Vec::new();
            for family in families {
                let (row, number) = self.look(&family, &[id]).await?[0];
                all.push(Seen { family, row, number });
            }
            let Some(home) = home(&here, &all) else { return Ok(false) };
            let others = all.iter().filter(|seen| seen.family != home.family);
            let stays = here.stays() && home.family == here.family;
            let is_alone = others.clone().all(|seen| seen.row == Row::Nothing);
            if stays && here.number == 0 && home.row == Row::Admitted && is_alone {
                return Ok(false);
            }
            // A number of its own where the last does not say that it is here.
            let said = here.number > 0 && all.iter().all(|seen| seen.number <= here.number);
            let number = if stays && said {
                here.number
            } else {
                match self.aim(id, &here, &home.family, home.family.pool, age).await? {
                    Aimed::At(place) => place.number,
                    Aimed::Changed => continue,
                    Aimed::Young => return Ok(false),
                }
            };
            let mut changed = false;
            for seen in others {
                changed |= self.remove_left(&seen.family, id, number).await?;
            }
            self.places.forget(id);
            changed |= self.admit(&home.family, id, number).await?;
            return Ok(changed);
        }
        Err(changes_all_the_time())
    }

    /// What arrived while the account was removed goes. One that is admitted stays: it is its
    /// place that was lost.
    async fn remove_stray(&self, id: AccountId, family: Option<&Family>) -> Answer<bool> {
        let Some(family) = family else { return Ok(false) };
        let (row, number) = self.look(family, &[id]).await?[0];
        if row != Row::OnItsWay {
            return Ok(false);
        }
        self.remove_left(family, id, number).await
    }

    /// What lies in a family of some accounts, and the last move that touched each there.
    pub(super) async fn look(&self, family: &Family, ids: &[AccountId]) -> Answer<Vec<(Row, i64)>> {
        let mut call = self.call_of_move(&self.scripts.look, family);
        ids.iter().for_each(|id| _ = call.arg(id.0));
        let seen: Vec<(u8, i64)> = self.scripts.look.run(&self.link, &call).await?;
        if seen.len() != ids.len() {
            return Err(corrupt("account", "the script answered something else"));
        }
        let row = |(is, number)| match is {
            0 => (Row::Nothing, number),
            1 => (Row::OnItsWay, number),
            _ => (Row::Admitted, number),
        };
        Ok(seen.into_iter().map(row).collect())
    }

    pub(super) async fn former_families(&self, id: AccountId) -> Answer<Vec<Family>> {
        let all = redis::cmd("SMEMBERS").arg(keys::former_places(id)).take();
        let all: Vec<String> = self.link.ask(&all).await?;
        Ok(all.iter().filter_map(|text| Family::read(text)).collect())
    }

    /// Makes an account ready again that is in this pool under this number.
    async fn admit(&self, family: &Family, id: AccountId, number: i64) -> Answer<bool> {
        let mut call = self.call_of_move(&self.scripts.admit, family);
        call.arg(id.0).arg(number);
        self.scripts.admit.run(&self.link, &call).await
    }

    /// Removes what is left of an account that is elsewhere under this number.
    pub(super) async fn remove_left(
        &self,
        family: &Family,
        id: AccountId,
        number: i64,
    ) -> Answer<bool> {
        let mut call = self.call_of_move(&self.scripts.remove_left, family);
        call.arg(id.0).arg(number);
        let was_left = self.scripts.remove_left.run(&self.link, &call).await?;
        if was_left {
            self.link.ask::<()>(&redis::cmd("DEL").arg(family.renewal(id)).take()).await?;
        }
        Ok(was_left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::PoolId;
    use Row::{Admitted, Nothing, OnItsWay};

    #[test]
    fn an_account_is_where_its_place_says_unless_that_was_lost() {
        let family = |pool| Family { pool: PoolId(pool), platform: "qwen".into() };
        for (place, rows, is_in) in [
            // Nothing was lost.
            ("1 qwen", &[(Admitted, 0)][..], Some(1)),
            ("1 qwen 2 50", &[(Admitted, 40), (OnItsWay, 30)], Some(1)),
            ("1 qwen 2 50", &[(OnItsWay, 50), (OnItsWay, 50)], Some(1)),
            ("2 qwen 2 50", &[(OnItsWay, 50), (OnItsWay, 50)], Some(2)),
            ("2 qwen 2 50", &[(Nothing, 50), (Admitted, 50)], Some(2)),
            ("2 qwen", &[(OnItsWay, 0), (OnItsWay, 0)], Some(2)),
            // The old pool lost that it let it go.
            ("2 qwen 2 50", &[(Admitted, 40), (Admitted, 50)], Some(2)),
            ("2 qwen", &[(Admitted, 0), (Admitted, 0)], Some(2)),
            // The place lost that it has switched, or that it was bound elsewhere.
            ("1 qwen 2 50", &[(OnItsWay, 50), (Admitted, 50)], Some(2)),
            ("1 qwen 1 40", &[(OnItsWay, 50), (Admitted, 50)], Some(2)),
            ("1 qwen", &[(Nothing, 50), (Admitted, 50)], Some(2)),
            // The new pool lost that it arrived.
            ("2 qwen 2 50", &[(OnItsWay, 50), (Nothing, 30)], Some(1)),
            ("3 qwen 3 50", &[(OnItsWay, 40), (OnItsWay, 45), (Nothing, 0)], Some(2)),
            ("2 qwen 2 50", &[(Nothing, 50), (Nothing, 0)], None),
        ] {
            let here = Place::read(place.into()).expect("it is one");
            let seen =
                |(pool, &(row, number)): (i64, &_)| Seen { family: family(pool), row, number };
            let all: Vec<Seen> = (1..).zip(rows).map(seen).collect();
            let is = home(&here, &all).map(|home| home.family.pool.0);
            assert_eq!(is, is_in, "{place}: {rows:?}");
        }
    }
}
