//! Reads the books from the file: when it is opened, and when a commit failed.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, Row};

use crate::accounts::{
    AccountId, Grant, LeaseId, PlatformId, Policy, PoolId, Priority, Resets, TokenId, Tokens, User,
    UserId, Window,
};

use super::super::{Answer, StoreError};
use super::books::{Books, Counter, Entry, Estimate, Ms, OpenLease, Usage};
use super::file::failure;
use super::journal::{self, Line};
use super::rows;
use super::unwritten::Unwritten;

/// Reads everything that leases need; open leases with their deadlines, so that the
/// next sweep charges what a killed gateway left behind. `usual` is the policy of pools
/// without one of their own.
pub(super) fn load(conn: &Connection, now: Timestamp, usual: Policy) -> Answer<Books> {
    let mut books = Books::new(usual);
    people(conn, &mut books)?;
    super::teams::load(conn, &mut books)?;
    policies(conn, &mut books, now)?;
    accounts(conn, &mut books, now)?;
    nobodies(conn, &mut books)?;
    estimates(conn, &mut books)?;
    leases(conn, &mut books, now)?;
    replay(conn, &mut books, now)?;
    super::purses::load(conn, &mut books)?;
    super::sign_ins::load(conn, &mut books)?;
    super::audit::load(conn, &mut books)?;
    super::notices::load(conn, &mut books)?;
    // Windows may have ended since: the first lease finds every account in its place.
    let resets = books.resets_after(now);
    books.wake_all(now, &resets);
    Ok(books)
}

fn people(conn: &Connection, books: &mut Books) -> Answer<()> {
    each(conn, "SELECT name, value FROM counters", |row| {
        let name: String = get(row, 0)?;
        if let Some(counter) = Counter::ALL.into_iter().find(|counter| counter.name() == name) {
            books.people.counters.insert(counter, get(row, 1)?);
        }
        if let Some(kid) = name.strip_prefix(rows::SEALS) {
            books.people.seals.insert(kid.into(), tokens(get(row, 1)?).0);
        }
        Ok(())
    })?;
    let sql = "SELECT u.id, u.name, u.pool, u.created_at, i.row FROM users u
               LEFT JOIN identities i ON i.user = u.id";
    each(conn, sql, |row| {
        let user = User {
            id: UserId(get(row, 0)?),
            name: get(row, 1)?,
            pool: PoolId(get(row, 2)?),
            created_at: rows::at("user", get(row, 3)?)?,
            identity: match get::<Option<String>>(row, 4)? {
                Some(text) => rows::json("identity", &text)?,
                None => Default::default(),
            },
        };
        books.people.users.insert(user.id, user);
        Ok(())
    })?;
    each(conn, "SELECT row, revoked_at FROM tokens", |row| {
        let mut token: crate::accounts::GatewayTokenRow =
            rows::json("token", &get::<String>(row, 0)?)?;
        let revoked: Option<Ms> = get(row, 1)?;
        token.revoked_at = revoked.map(|ms| rows::at("token", ms)).transpose()?;
        books.people.place_token(Arc::new(token));
        Ok(())
    })?;
    each(conn, "SELECT token, at FROM token_uses", |row| {
        books.people.place_use(TokenId(get(row, 0)?), rows::at("token", get(row, 1)?)?);
        Ok(())
    })?;
    each(conn, "SELECT canary FROM canaries ORDER BY seq", |row| {
        books.people.canaries.push(get(row, 0)?);
        Ok(())
    })
}

fn policies(conn: &Connection, books: &mut Books, now: Timestamp) -> Answer<()> {
    each(conn, "SELECT pool, policy FROM policies", |row| {
        let policy = get::<String>(row, 1)?.parse();
        let policy = policy.map_err(|why| StoreError::Corrupt { what: "policy", why })?;
        books.place_policy(PoolId(get(row, 0)?), Some(policy), now);
        Ok(())
    })
}

pub(super) fn accounts(conn: &Connection, books: &mut Books, now: Timestamp) -> Answer<()> {
    let mut windows: HashMap<AccountId, Vec<Window>> = HashMap::new();
    let sql = "SELECT account, period, \"limit\", used, resets_at, origin, end_told FROM windows
               ORDER BY account, place";
    each(conn, sql, |row| {
        let window = Window {
            period: rows::json("window", &get::<String>(row, 1)?)?,
            limit: get::<Option<i64>>(row, 2)?.map(tokens),
            used: tokens(get(row, 3)?),
            resets_at: get::<Option<Ms>>(row, 4)?.map(|ms| rows::at("window", ms)).transpose()?,
            origin: rows::json("window", &get::<String>(row, 5)?)?,
            end_told: get(row, 6)?,
        };
        windows.entry(AccountId(get(row, 0)?)).or_default().push(window);
        Ok(())
    })?;
    let sql = "SELECT a.id, a.row, h.health, u.last_used_at, u.turn, p.priority FROM accounts a
               LEFT JOIN health h ON h.account = a.id
               LEFT JOIN uses u ON u.account = a.id
               LEFT JOIN priorities p ON p.account = a.id";
    each(conn, sql, |row| {
        let fixed = Arc::new(rows::json("account", &get::<String>(row, 1)?)?);
        let condition = match get::<Option<String>>(row, 2)? {
            Some(text) => rows::json("health", &text)?,
            None => Default::default(),
        };
        let used_at: Option<Ms> = get(row, 3)?;
        let used_at = used_at.map(|ms| rows::at("account", ms)).transpose()?;
        let windows = windows.remove(&AccountId(get(row, 0)?)).unwrap_or_default();
        let mut entry = Entry::read(fixed, condition, windows, used_at);
        entry.turn = get::<Option<i64>>(row, 4)?.unwrap_or_default();
        if let Some(priority) = get::<Option<u8>>(row, 5)? {
            let corrupt = |why| StoreError::Corrupt { what: "priority", why };
            entry.priority = Priority::try_from(priority).map_err(corrupt)?;
        }
        books.place(entry, now);
        Ok(())
    })?;
    each(conn, "SELECT account, model, until FROM blocks", |row| {
        _ = books.place_block(AccountId(get(row, 0)?), &get::<String>(row, 1)?, get(row, 2)?);
        Ok(())
    })
}

/// The deadlines' estimates that may yet be replaced.
pub(super) fn estimates(conn: &Connection, books: &mut Books) -> Answer<()> {
    let sql = "SELECT lease, account, user, token, model, tokens, at, windows FROM estimates";
    each(conn, sql, |row| {
        let account = AccountId(get(row, 1)?);
        let estimate = Estimate {
            account,
            user: UserId(get(row, 2)?),
            usage: Usage {
                token: TokenId(get(row, 3)?),
                platform: platform_of(books, account),
                model: get::<String>(row, 4)?.into(),
            },
            tokens: tokens(get(row, 5)?),
            at: get(row, 6)?,
            windows: rows::ends(&get::<String>(row, 7)?),
        };
        books.read_estimate(lease_id(row, 0)?, estimate);
        Ok(())
    })
}

/// What was leased, renewed and charged since the last fold.
pub(super) fn replay(conn: &Connection, books: &mut Books, now: Timestamp) -> Answer<()> {
    let (mut resets, mut lines) = (Resets::default(), 0);
    books.begin_replay();
    journal::walk(conn, |line| {
        lines += 1;
        match line {
            Line::Leased(line) => {
                let platform = platform_of(books, line.account());
                let (id, lease) = line.read(platform)?;
                books.place_use(lease.row, &lease.grant, now);
                books.place_lease(id, lease, now);
            }
            Line::Renewed { id, deadline } => {
                _ = books.prolong(LeaseId(u128::from_be_bytes(id)), deadline);
            }
            Line::Charged(line) => {
                let charged = line.read()?;
                let at = rows::at("charge", charged.at)?;
                if resets.0.is_empty() || !resets.is_fresh(at) {
                    resets = books.resets_after(at);
                }
                books.replay(&charged, at, &resets);
            }
            Line::Empty => {}
        }
        Ok(())
    })?;
    // Records are in their place, but for their lists and sums: the next fold writes these.
    books.end_replay(lines + Unwritten::records(conn)?);
    Ok(())
}

/// Of an account that went before its leases were anybody's, nothing tells.
pub(super) fn platform_of(books: &Books, account: AccountId) -> PlatformId {
    books.platform_of(account).unwrap_or_else(|| "".into())
}

/// Whose the leases of removed accounts are.
fn nobodies(conn: &Connection, books: &mut Books) -> Answer<()> {
    each(conn, "SELECT id, pool, platform FROM nobodies", |row| {
        let platform = get::<String>(row, 2)?.as_str().into();
        books.read_nobody(AccountId(get(row, 0)?), PoolId(get(row, 1)?), platform);
        Ok(())
    })
}

/// Leases that were open at the last fold.
pub(super) fn leases(conn: &Connection, books: &mut Books, now: Timestamp) -> Answer<()> {
    let sql = "SELECT id, l.row, account, user, estimate, deadline, granted_at, remaining,
               candidates, ailing, token, model, platform
               FROM leases l LEFT JOIN platforms_of_leases p ON p.row = l.row ORDER BY l.row";
    each(conn, sql, |row| {
        let account = AccountId(get(row, 2)?);
        let grant = Grant {
            account,
            remaining: get(row, 7)?,
            candidates: get(row, 8)?,
            granted_at: rows::at("lease", get(row, 6)?)?,
            ailing: false,
            policy: None,
            stayed: false,
        };
        let lease = OpenLease {
            row: get(row, 1)?,
            user: UserId(get(row, 3)?),
            token: TokenId(get(row, 10)?),
            platform: match get::<Option<String>>(row, 12)? {
                Some(platform) => platform.as_str().into(),
                None => platform_of(books, account),
            },
            model: get::<String>(row, 11)?.into(),
            estimate: tokens(get(row, 4)?),
            deadline: get(row, 5)?,
            grant: rows::with_reasons(grant, get(row, 9)?),
        };
        books.place_use(lease.row, &lease.grant, now);
        books.place_lease(lease_id(row, 0)?, lease, now);
        Ok(())
    })
}

/// Walks the rows of a query.
pub(super) fn each(
    conn: &Connection,
    sql: &str,
    mut take: impl FnMut(&Row<'_>) -> Answer<()>,
) -> Answer<()> {
    let mut statement = conn.prepare(sql).map_err(failure)?;
    let mut rows = statement.query([]).map_err(failure)?;
    while let Some(row) = rows.next().map_err(failure)? {
        take(row)?;
    }
    Ok(())
}

pub(super) fn get<T: rusqlite::types::FromSql>(row: &Row<'_>, column: usize) -> Answer<T> {
    row.get(column).map_err(failure)
}

pub(super) fn lease_id(row: &Row<'_>, column: usize) -> Answer<LeaseId> {
    get::<[u8; 16]>(row, column).map(|bytes| LeaseId(u128::from_be_bytes(bytes)))
}

fn tokens(count: i64) -> Tokens {
    Tokens(u64::try_from(count).unwrap_or_default())
}
