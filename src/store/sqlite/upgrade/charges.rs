//! Leases and charges as they were before version 6: a row each. What followed from the charges
//! after one (the counter `folded`) was not in its place yet.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use crate::accounts::{AccountId, ChargeKind, Resets, TokenId, UserId};

use super::super::super::Answer;
use super::super::books::{Books, Charged, LATE, Usage};
use super::super::charges::{self, Packed};
use super::super::file::failure;
use super::super::load::{each, get, lease_id, platform_of};
use super::super::rows;

/// Takes over the rows of one charge each that older files have.
pub(super) fn take_over(conn: &Connection) -> Answer<()> {
    let mut some: Vec<Packed> = Vec::new();
    let sql = "SELECT seq, lease, account, user, kind, tokens, at FROM old_charges ORDER BY seq";
    each(conn, sql, |row| {
        let charge = Packed {
            number: get(row, 0)?,
            lease: get(row, 1)?,
            account: get(row, 2)?,
            user: get(row, 3)?,
            kind: get(row, 4)?,
            tokens: get(row, 5)?,
            at: get(row, 6)?,
        };
        // Those of a row lie near each other in time, and are few.
        if some.last().is_some_and(|last| !last.is_near(&charge)) || some.len() >= 1000 {
            charges::write(conn, &some)?;
            some.clear();
        }
        some.push(charge);
        Ok(())
    })?;
    charges::write(conn, &some)
}

/// Charges: the deadlines' estimates of the last day that may yet be replaced, and all since
/// the last fold.
pub(super) fn replay(conn: &Connection, books: &mut Books, now: Timestamp) -> Answer<()> {
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
