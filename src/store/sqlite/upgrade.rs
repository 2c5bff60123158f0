//! Brings files of older versions up to date.
//!
//! Before version 6 each lease and each charge was a row, and what followed from the charges
//! after one (the counter `folded`) was not in its place yet.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::accounts::{AccountId, ChargeKind, Policy, Resets, TokenId, UserId};

use super::super::Answer;
use super::books::{Books, Charged, Folding, LATE, Usage};
use super::charges::{self, Unwritten};
use super::file::failure;
use super::load::{accounts, each, get, lease_id, leases, platform_of};
use super::rows;
use super::statements::Statements;

/// Brings a file of an older version up to date, in the caller's transaction.
pub(super) fn bring(conn: &Connection, version: i64, now: Timestamp) -> Answer<()> {
    let run = |sql| conn.execute_batch(sql).map_err(failure);
    if version == 3 {
        run(include_str!("upgrade.sql"))?;
    }
    run("ALTER TABLE charges RENAME TO old_charges")?;
    run(include_str!("journal.sql"))?;
    let mut books = Books::new(Policy::default());
    accounts(conn, &mut books, now)?;
    leases(conn, &mut books, now)?;
    replay(conn, &mut books, now)?;
    if let Some(fold) = books.take_notes(Folding::Now).fold {
        Statements::prepare(conn)?.fold(&fold, &mut Unwritten::load(conn)?)?;
    }
    charges::take_over(conn)?;
    run("DROP TABLE old_charges; DELETE FROM counters WHERE name = 'folded'")
}

/// Charges: the deadlines' estimates of the last day that may yet be replaced, and all since
/// the last fold.
fn replay(conn: &Connection, books: &mut Books, now: Timestamp) -> Answer<()> {
    let folded: i64 = conn
        .query_row("SELECT value FROM counters WHERE name = 'folded'", [], |row| row.get(0))
        .optional()
        .map_err(failure)?
        .unwrap_or_default();
    let oldest = now.saturating_sub(LATE).map_or(0, Timestamp::as_millisecond);
    let columns = "lease, account, user, kind, tokens, at, row, windows, token, model";
    books.begin_replay();
    // Left to itself, SQLite walks every charge by `seq`.
    let sql = format!(
        "SELECT {columns} FROM old_charges INDEXED BY charges_that_may_change
         WHERE kind >= 2 AND at >= {oldest} AND seq <= {folded}
         ORDER BY seq"
    );
    each(conn, &sql, |row| {
        let charged = charged(row, books)?;
        match charged.kind {
            ChargeKind::Estimated => books.place_estimate(&charged),
            _ => _ = books.forget_estimate(charged.lease),
        }
        Ok(())
    })?;
    let (mut resets, mut lines) = (Resets::default(), 0);
    let sql = format!("SELECT {columns} FROM old_charges WHERE seq > {folded} ORDER BY seq");
    each(conn, &sql, |row| {
        lines += 1;
        let charged = charged(row, books)?;
        let at = rows::at("charge", charged.at)?;
        if resets.0.is_empty() || !resets.is_fresh(at) {
            resets = books.resets_after(at);
        }
        books.replay(&charged, at, &resets);
        Ok(())
    })?;
    books.end_replay(lines);
    Ok(())
}

fn charged(row: &Row<'_>, books: &Books) -> Answer<Charged> {
    let account = AccountId(get(row, 1)?);
    let windows: Option<String> = get(row, 7)?;
    Ok(Charged {
        lease: lease_id(row, 0)?,
        account,
        user: UserId(get(row, 2)?),
        usage: Usage {
            token: TokenId(get(row, 8)?),
            platform: platform_of(books, account),
            model: get::<String>(row, 9)?.into(),
        },
        kind: rows::kind(get(row, 3)?)?,
        tokens: get(row, 4)?,
        at: get(row, 5)?,
        row: get(row, 6)?,
        windows: windows.as_deref().map(rows::ends),
        replaced: None,
    })
}
