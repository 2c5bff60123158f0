//! Accounts as they are shown.

use crate::accounts::{
    Account, AccountId, AccountState, Origin, Period, PoolId, Priority, Resets, Tokens, Window,
    WindowSpec,
};
use futures_util::future::try_join_all;

use super::super::Answer;
use super::health::{Parts, whole};
use super::keys::{Family, account_place, platforms};
use super::{RedisStore, corrupt, from_json, instant};

/// How many accounts one script shows.
const A_PAGE: usize = 200;

/// A window as a script packs it: `day` and its zone or `use` and its seconds, limit,
/// used, end, and where the limit comes from, with [`END_TOLD`] if the end was told.
type Packed = (String, String, i64, i64, i64, i64);

const END_TOLD: i64 = 4;

/// Fixed part, health, leased, last use, priority, windows.
type Shown = (String, Parts, i64, i64, u8, Vec<Packed>);

impl RedisStore {
    /// The families of some pools.
    pub(super) async fn families_in(&self, pools: &[PoolId]) -> Answer<Vec<Family>> {
        let members = pools.iter().map(|&pool| async move {
            let set: Vec<String> =
                self.link.ask(&redis::cmd("SMEMBERS").arg(platforms(pool)).take()).await?;
            let family = move |name: &String| Family { pool, platform: name.as_str().into() };
            Ok::<_, super::StoreError>(set.iter().map(family).collect::<Vec<_>>())
        });
        Ok(try_join_all(members).await?.concat())
    }

    /// One account, if it is in some pools. A foreign one is as far as one that is nowhere.
    pub(super) async fn view_one(
        &self,
        pools: &[PoolId],
        id: AccountId,
        resets: &Resets,
    ) -> Answer<Option<AccountState>> {
        let place = redis::cmd("GET").arg(account_place(id)).take();
        let place: Option<String> = self.link.ask(&place).await?;
        let family = place.as_deref().and_then(Family::read);
        let Some(family) = family.filter(|family| pools.contains(&family.pool)) else {
            return Ok(None);
        };
        let mut call = self.call(&self.scripts.view, &family, resets);
        call.arg(id.0);
        let mut shown: Vec<Shown> = self.scripts.view.run(&self.link, &call).await?;
        let state = shown.pop().map(|shown| state(&family, shown)).transpose()?;
        Ok(state.filter(|state| state.account.id == id))
    }

    pub(super) async fn view(
        &self,
        pools: &[PoolId],
        resets: &Resets,
    ) -> Answer<Vec<AccountState>> {
        let mut states = Vec::new();
        for family in self.families_in(pools).await? {
            let ids: Vec<String> =
                self.link.ask(&redis::cmd("HKEYS").arg(family.accounts()).take()).await?;
            for page in ids.chunks(A_PAGE) {
                let mut call = self.call(&self.scripts.view, &family, resets);
                call.arg(page);
                let shown: Vec<Shown> = self.scripts.view.run(&self.link, &call).await?;
                for one in shown {
                    states.push(state(&family, one)?);
                }
            }
        }
        states.sort_by_key(|state| state.account.id);
        states.dedup_by_key(|state| state.account.id);
        Ok(states)
    }
}

fn state(family: &Family, shown: Shown) -> Answer<AccountState> {
    let (fixed, health, leased, used_at, priority, windows) = shown;
    let account: Account = from_json("account", &fixed)?;
    family.holds(&account)?;
    Ok(AccountState {
        account,
        priority: Priority::try_from(priority).map_err(|error| corrupt("account", error))?,
        health: whole(health)?,
        windows: windows.into_iter().map(window).collect::<Answer<_>>()?,
        leased: Tokens(leased.unsigned_abs()),
        last_used_at: instant("account", used_at)?,
    })
}

fn window((kind, period, limit, used, end, origin): Packed) -> Answer<Window> {
    Ok(Window {
        period: match kind.as_str() {
            "day" => Period::Day { zone: period },
            _ => Period::FromFirstUse {
                seconds: period.parse().map_err(|error| corrupt("window", error))?,
            },
        },
        limit: u64::try_from(limit).ok().map(Tokens),
        used: Tokens(used.unsigned_abs()),
        resets_at: instant("window", end)?,
        origin: match origin % END_TOLD {
            0 => Origin::Catalogue,
            1 => Origin::Hand,
            _ => Origin::Learned,
        },
        end_told: origin >= END_TOLD,
    })
}

/// A window's four arguments.
pub(super) fn packed(spec: &WindowSpec) -> (&'static str, String, i64, u8) {
    let (limit, origin) = packed_limit(spec.limit, spec.origin);
    match &spec.period {
        Period::Day { zone } => ("day", zone.clone(), limit, origin),
        Period::FromFirstUse { seconds } => ("use", seconds.to_string(), limit, origin),
    }
}

/// A limit, and whose word it is.
pub(super) fn packed_limit(limit: Option<Tokens>, origin: Origin) -> (i64, u8) {
    let origin = match origin {
        Origin::Catalogue => 0,
        Origin::Hand => 1,
        Origin::Learned => 2,
    };
    (limit.map_or(-1, |limit| super::arguments::tokens(limit).cast_signed()), origin)
}
