//! Accounts as they are shown.

use crate::accounts::{AccountState, Health, Period, PoolId, Resets, Tokens, Window, WindowSpec};
use futures_util::future::try_join_all;

use super::super::Answer;
use super::keys::{Family, platforms};
use super::{RedisStore, corrupt, from_json, instant};

/// How many accounts one script shows.
const A_PAGE: usize = 200;

/// A window as a script packs it: `day` and its zone or `use` and its seconds, limit,
/// used, end.
type Packed = (String, String, i64, i64, i64);

/// Fixed part, health, leased, last use, windows.
type Shown = (String, String, i64, i64, Vec<Packed>);

impl RedisStore {
    async fn families_in(&self, pools: &[PoolId]) -> Answer<Vec<Family>> {
        let members = pools.iter().map(|&pool| async move {
            let set: Vec<String> =
                self.link.ask(&redis::cmd("SMEMBERS").arg(platforms(pool)).take()).await?;
            let family = move |name: &String| Family { pool, platform: name.as_str().into() };
            Ok::<_, super::StoreError>(set.iter().map(family).collect::<Vec<_>>())
        });
        Ok(try_join_all(members).await?.concat())
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
                    states.push(state(one)?);
                }
            }
        }
        states.sort_by_key(|state| state.account.id);
        states.dedup_by_key(|state| state.account.id);
        Ok(states)
    }
}

fn state((fixed, health, leased, used_at, windows): Shown) -> Answer<AccountState> {
    let health = if health.is_empty() { Health::Active } else { from_json("health", &health)? };
    Ok(AccountState {
        account: from_json("account", &fixed)?,
        health,
        windows: windows.into_iter().map(window).collect::<Answer<_>>()?,
        leased: Tokens(leased.unsigned_abs()),
        last_used_at: instant("account", used_at)?,
    })
}

fn window((kind, period, limit, used, end): Packed) -> Answer<Window> {
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
    })
}

/// A window's three arguments.
pub(super) fn packed(spec: &WindowSpec) -> (&'static str, String, i64) {
    let limit = spec.limit.map_or(-1, |limit| super::arguments::tokens(limit).cast_signed());
    match &spec.period {
        Period::Day { zone } => ("day", zone.clone(), limit),
        Period::FromFirstUse { seconds } => ("use", seconds.to_string(), limit),
    }
}
