//! What lies under the keys of the ring. Accounts are walked through by their ids, kept
//! bodies user by user; a script looks at these where they lie.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::future::try_join_all;

use crate::accounts::{
    Account, AccountId, AccountState, KeptBodies, KeptPage, KeptRow, Record, Resets, Rewrap, UserId,
};
use crate::vault::sealed_kid;

use super::super::{Answer, Sealings};
use super::keys::{self, Family, account_place};
use super::renewal::{TRIES, changes_all_the_time};
use super::{RedisStore, corrupt, from_json, to_json};

/// How many records a script looks at, about: to count, and to answer some.
const A_LOOK: [usize; 2] = [500, 20];
/// How many bytes of them a page answers, about.
const MOST_BYTES: usize = 4 << 20;
/// How often a page looks.
const MOST_LOOKS: usize = 100;

/// Where the script's next look begins, how many it met under each key, and those that lie under
/// others than was asked for: a record's id, its bodies, or itself from before they lay apart.
type Looked = (String, Vec<(String, u64)>, Vec<(String, String, String)>);

#[async_trait]
impl Sealings for RedisStore {
    async fn accounts_after(
        &self,
        after: Option<AccountId>,
        limit: usize,
        resets: &Resets,
    ) -> Answer<Vec<AccountState>> {
        let last: Option<i64> =
            self.link.ask(&redis::cmd("GET").arg(keys::ACCOUNT_IDS).take()).await?;
        let last = last.unwrap_or_default();
        let mut next = after.map_or(0, |after| after.0).saturating_add(1);
        // Ids whose accounts were removed are passed over.
        while next <= last {
            let end = next.saturating_add(limit.max(1) as i64).min(last + 1);
            let shown = try_join_all((next..end).map(|id| self.view_any(AccountId(id), resets)));
            let shown: Vec<AccountState> = shown.await?.into_iter().flatten().collect();
            if !shown.is_empty() {
                return Ok(shown);
            }
            next = end;
        }
        Ok(Vec::new())
    }

    async fn rewrap(&self, batch: Vec<Rewrap>) -> Answer<Vec<bool>> {
        try_join_all(batch.iter().map(|one| self.rewrap_one(one))).await
    }

    async fn kept_bodies(&self, besides: Option<&str>, after: Option<&str>) -> Answer<KeptPage> {
        let (from, mut at) = after.map(cursor).transpose()?.unwrap_or((UserId(0), "0".into()));
        let all = redis::cmd("HKEYS").arg(keys::USERS[1]).take();
        let mut users: Vec<i64> = self.link.ask(&all).await?;
        users.sort_unstable();
        let mut users = users.into_iter().map(UserId).skip_while(|user| *user < from).peekable();
        if users.peek().is_some_and(|user| *user > from) {
            "0".clone_into(&mut at);
        }
        let (mut page, mut bytes) = (KeptPage::default(), 0);
        for _ in 0..MOST_LOOKS {
            let Some(&user) = users.peek() else { return Ok(page) };
            at = self.look_at_bodies(user, &at, besides, &mut page, &mut bytes).await?;
            if at == "0" {
                users.next();
            }
            if bytes >= MOST_BYTES {
                break;
            }
        }
        page.next = users.peek().map(|user| format!("{user} {at}"));
        Ok(page)
    }

    async fn reseal_bodies(&self, kid: &str, batch: Vec<KeptRow>) -> Answer<()> {
        try_join_all(batch.iter().map(|row| self.reseal_one(kid, row))).await.map(drop)
    }

    async fn count_seals(&self, kid: &str, seals: u64) -> Answer<u64> {
        self.link.ask(&redis::cmd("HINCRBY").arg(keys::SEALS).arg(kid).arg(seals).take()).await
    }

    async fn seals(&self) -> Answer<BTreeMap<String, u64>> {
        self.link.ask(&redis::cmd("HGETALL").arg(keys::SEALS).take()).await
    }

    async fn canaries(&self) -> Answer<Vec<String>> {
        self.link.ask(&redis::cmd("ZRANGE").arg(keys::CANARIES).arg(0).arg(-1).take()).await
    }

    async fn add_canary(&self, canary: &str) -> Answer<()> {
        let now = self.now().await?.as_millisecond();
        let add = redis::cmd("ZADD").arg(keys::CANARIES).arg("NX").arg(now).arg(canary).take();
        self.link.ask(&add).await
    }

    async fn remove_canary(&self, canary: &str) -> Answer<()> {
        self.link.ask(&redis::cmd("ZREM").arg(keys::CANARIES).arg(canary).take()).await
    }
}

impl RedisStore {
    /// An account, whatever its pool.
    async fn view_any(&self, id: AccountId, resets: &Resets) -> Answer<Option<AccountState>> {
        let place = redis::cmd("GET").arg(account_place(id)).take();
        let place: Option<String> = self.link.ask(&place).await?;
        match place.as_deref().and_then(Family::read) {
            Some(family) => self.view_one(&[family.pool], id, resets).await,
            None => Ok(None),
        }
    }

    async fn rewrap_one(&self, one: &Rewrap) -> Answer<bool> {
        let Some(family) = self.family_of(one.account).await? else { return Ok(false) };
        let change = |json: &str| {
            let mut account: Account = from_json("account", json)?;
            account.rewrap(one).then(|| to_json("account", &account)).transpose()
        };
        let done = self.swap(&family.fixed(), &one.account.to_string(), change).await;
        self.places.forget(one.account);
        done
    }

    async fn reseal_one(&self, kid: &str, row: &KeptRow) -> Answer<()> {
        let [_, records, _, said] = keys::records_of(row.user);
        let is_it = |bodies: &KeptBodies| under(bodies) == kid;
        let change = |json: &str| {
            let is_it = is_it(&from_json("bodies", json)?);
            is_it.then(|| to_json("bodies", &row.bodies)).transpose()
        };
        if self.swap(&said, &row.record, change).await? {
            return Ok(());
        }
        let change = |json: &str| {
            let mut record: Record = from_json("record", json)?;
            if !record.bodies.as_ref().is_some_and(is_it) {
                return Ok(None);
            }
            record.bodies = Some(row.bodies.clone());
            to_json("record", &record).map(Some)
        };
        self.swap(&records, &row.record, change).await.map(drop)
    }

    /// Changes a field of a hash, where nobody else does at the same time; `false`: it is not
    /// there, or wants no change.
    async fn swap(
        &self,
        hash: &str,
        field: &str,
        change: impl Fn(&str) -> Answer<Option<String>>,
    ) -> Answer<bool> {
        for _ in 0..TRIES {
            let before = redis::cmd("HGET").arg(hash).arg(field).take();
            let Some(before) = self.link.ask::<Option<String>>(&before).await? else {
                return Ok(false);
            };
            let Some(after) = change(&before)? else { return Ok(false) };
            let mut call = self.scripts.swap_fixed.call(&[hash]);
            call.arg(field).arg(before).arg(after);
            if self.scripts.swap_fixed.run::<bool>(&self.link, &call).await? {
                return Ok(true);
            }
        }
        Err(changes_all_the_time())
    }

    /// Looks at some of a user's records; answers where the next look begins.
    async fn look_at_bodies(
        &self,
        user: UserId,
        at: &str,
        besides: Option<&str>,
        page: &mut KeptPage,
        bytes: &mut usize,
    ) -> Answer<String> {
        let [_, records, _, said] = keys::records_of(user);
        let mut call = self.scripts.kept_bodies.call(&[records, said]);
        call.arg(at).arg(A_LOOK[usize::from(besides.is_some())]).arg(besides.unwrap_or_default());
        let (next, under, others): Looked = self.scripts.kept_bodies.run(&self.link, &call).await?;
        for (kid, count) in under {
            *page.under.entry(kid).or_default() += count;
        }
        for (record, said, json) in others {
            *bytes += said.len() + json.len();
            let bodies = if said.is_empty() {
                from_json::<Record>("record", &json)?.bodies
            } else {
                Some(from_json("bodies", &said)?)
            };
            let Some(bodies) = bodies else { continue };
            page.others.push(KeptRow { at: String::new(), user, record, bodies });
        }
        Ok(next)
    }
}

fn under(bodies: &KeptBodies) -> String {
    sealed_kid(&bodies.request).map(|kid| kid.to_string()).unwrap_or_default()
}

/// A cursor: a user, and where a look at its records begins.
fn cursor(text: &str) -> Answer<(UserId, String)> {
    let parts = text.split_once(' ').and_then(|(user, at)| {
        let is_number = !at.is_empty() && at.bytes().all(|byte| byte.is_ascii_digit());
        Some((UserId(user.parse().ok()?), is_number.then(|| at.to_owned())?))
    });
    parts.ok_or_else(|| corrupt("cursor", "it is none"))
}
