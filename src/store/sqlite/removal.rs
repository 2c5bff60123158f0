//! Removing an account from the file, with all that tells of it.

use rusqlite::Connection;

use crate::accounts::AccountId;

use super::super::Answer;
use super::charges;
use super::file::failure;
use super::lists::{self, List};
use super::records;

/// What totals counted stays without its id.
pub(super) fn remove(conn: &Connection, account: AccountId) -> Answer<()> {
    for sql in [
        // Its open leases are nobody's, and end as any.
        "INSERT OR REPLACE INTO platforms_of_leases SELECT l.row, a.platform
           FROM leases l JOIN accounts a ON a.id = l.account WHERE l.account = ?",
        "UPDATE leases SET account = 0 WHERE account = ?",
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
    ] {
        conn.prepare_cached(sql).and_then(|mut one| one.execute([account.0])).map_err(failure)?;
    }
    let tried = lists::oldest(conn, List::Account(account), usize::MAX)?;
    records::delete(conn, &tried)?;
    charges::forget(conn, account)
}
