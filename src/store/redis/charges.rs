//! Charges: a family's stream.

use jiff::Timestamp;
use redis::Value;

use crate::accounts::{AccountId, ChargeKind, ChargeRow, PlatformId, PoolId, UserId};

use super::super::Answer;
use super::keys::Family;
use super::{RedisStore, corrupt};

/// How many charges are read at once to find an account's.
const A_PAGE: usize = 1000;

pub(super) fn kind_number(kind: ChargeKind) -> u8 {
    match kind {
        ChargeKind::Released => 0,
        ChargeKind::Exact => 1,
        ChargeKind::Estimated => 2,
        ChargeKind::Correction => 3,
    }
}

impl RedisStore {
    pub(super) async fn charge_rows(
        &self,
        pool: PoolId,
        platform: &PlatformId,
        after: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<ChargeRow>> {
        let family = Family { pool, platform: platform.clone() };
        let from = after.map_or_else(|| "-".into(), |cursor| format!("({cursor}"));
        let mut range = redis::cmd("XRANGE");
        range.arg(family.charges()).arg(from).arg("+").arg("COUNT").arg(limit);
        let entries: Vec<(String, (Value, String))> = self.link.ask(&range).await?;
        entries.into_iter().map(|(cursor, (_, row))| read(cursor, &row)).collect()
    }

    /// Deletes an account's charges.
    pub(super) async fn forget_charges(&self, family: &Family, account: AccountId) -> Answer<()> {
        let mut after: Option<String> = None;
        loop {
            let (pool, platform) = (family.pool, &family.platform);
            let page = self.charge_rows(pool, platform, after.as_deref(), A_PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.cursor.clone());
            let own = page.iter().filter(|row| row.account == account);
            let own: Vec<&str> = own.map(|row| row.cursor.as_str()).collect();
            if !own.is_empty() {
                let delete = redis::cmd("XDEL").arg(family.charges()).arg(own).take();
                self.link.ask::<()>(&delete).await?;
            }
        }
    }
}

/// Reads `lease account user kind tokens time`.
fn read(cursor: String, row: &str) -> Answer<ChargeRow> {
    let words: Vec<&str> = row.split(' ').collect();
    let [lease, account, user, kind, tokens, at] = words[..] else {
        return Err(corrupt("charge", "it has not six fields"));
    };
    let number = |text: &str| text.parse::<i64>().map_err(|error| corrupt("charge", error));
    let kind = match number(kind)? {
        0 => ChargeKind::Released,
        1 => ChargeKind::Exact,
        2 => ChargeKind::Estimated,
        3 => ChargeKind::Correction,
        other => return Err(corrupt("charge", format!("kind {other}"))),
    };
    Ok(ChargeRow {
        cursor,
        lease: lease.parse().map_err(|error| corrupt("charge", error))?,
        account: AccountId(number(account)?),
        user: UserId(number(user)?),
        kind,
        tokens: number(tokens)?,
        at: Timestamp::from_millisecond(number(at)?).map_err(|error| corrupt("charge", error))?,
    })
}
