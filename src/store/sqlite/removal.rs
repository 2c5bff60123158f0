//! Removing an account from the file, with all that tells of it.
//!
//! Its records and charges may be a million, so they go a slice with each commit, and whoever
//! waits for another commit waits for a slice at most. A gateway that starts after a kill goes on.

use rusqlite::Connection;

use crate::accounts::AccountId;

use super::super::Answer;
use super::file::failure;

/// All but its records and charges. What totals counted stays without its id; its open leases are
/// this one's, and end as any.
pub(super) fn remove(conn: &Connection, account: AccountId, nobody: AccountId) -> Answer<()> {
    conn.prepare_cached("UPDATE leases SET account = ? WHERE account = ?")
        .and_then(|mut update| update.execute([nobody.0, account.0]))
        .map_err(failure)?;
    for sql in [
        "DELETE FROM accounts WHERE id = ?",
        "DELETE FROM health WHERE account = ?",
        "DELETE FROM notices WHERE account = ?",
        "DELETE FROM uses WHERE account = ?",
        "DELETE FROM priorities WHERE account = ?",
        "DELETE FROM windows WHERE account = ?",
        "DELETE FROM blocks WHERE account = ?",
        "DELETE FROM estimates WHERE account = ?",
        "INSERT INTO totals
           SELECT user, day, token, 0, platform, model, sum(calls), sum(attempts), sum(input),
             sum(cache_read), sum(cache_write), sum(output), sum(reasoning), sum(exact),
             sum(estimated)
           FROM totals WHERE account = ? GROUP BY user, day, token, platform, model
         ON CONFLICT DO UPDATE SET
           calls = calls + excluded.calls, attempts = attempts + excluded.attempts,
           input = input + excluded.input, cache_read = cache_read + excluded.cache_read,
           cache_write = cache_write + excluded.cache_write,
           output = output + excluded.output, reasoning = reasoning + excluded.reasoning,
           exact = exact + excluded.exact, estimated = estimated + excluded.estimated",
        "DELETE FROM totals WHERE account = ?",
        "INSERT OR REPLACE INTO leaving VALUES (?)",
    ] {
        conn.prepare_cached(sql).and_then(|mut one| one.execute([account.0])).map_err(failure)?;
    }
    Ok(())
}

/// Accounts of which records or charges may still be there.
pub(super) fn leaving(conn: &Connection) -> Answer<Vec<AccountId>> {
    conn.prepare_cached("SELECT account FROM leaving")
        .and_then(|mut find| find.query_map([], |row| row.get(0).map(AccountId))?.collect())
        .map_err(failure)
}

/// Nothing of it is there any more.
pub(super) fn has_left(conn: &Connection, account: AccountId) -> Answer<()> {
    conn.prepare_cached("DELETE FROM leaving WHERE account = ?")
        .and_then(|mut delete| delete.execute([account.0]))
        .map(drop)
        .map_err(failure)
}
