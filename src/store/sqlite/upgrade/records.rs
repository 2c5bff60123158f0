//! Records as they were before version 8: a row each; before 7 a column for each of their parts.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};

use crate::accounts::{Points, Record, TokenId, Tokens, UserId};

use super::super::super::Answer;
use super::super::file::failure;
use super::super::lists::{self, List};
use super::super::load::{each, get};
use super::super::records::{self, Line, Rows};
use super::super::rows;

/// So many numbers of a list are written at once.
const A_LIST: usize = 400;

/// So many rows are taken over at once.
const A_SLICE: usize = 10_000;

const HAS_BODIES: &str = "EXISTS (SELECT 1 FROM bodies WHERE record = seq)";

/// Takes over the rows of version 7 under their numbers, a slice after the other, so that they lie
/// where those before them lay.
pub(super) fn take_over_rows(conn: &Connection) -> Answer<()> {
    let mut put = conn.prepare(records::PUT).map_err(failure)?;
    let mut delete = conn.prepare("DELETE FROM old_records WHERE seq <= ?").map_err(failure)?;
    let mut rows = Rows::default();
    let slice = format!(
        "SELECT seq, user, at, {HAS_BODIES}, id, line FROM old_records ORDER BY seq LIMIT {A_SLICE}"
    );
    loop {
        let mut last: Option<i64> = None;
        each(conn, &slice, |row| {
            let (id, line): (String, Vec<u8>) = (get(row, 4)?, get(row, 5)?);
            let known = (get(row, 0)?, get(row, 1)?, get(row, 2)?, get(row, 3)?);
            last = Some(known.0);
            rows.add_line(&mut put, &Line::of_row(known, &id, &line)?)
        })?;
        match last {
            Some(last) => _ = delete.execute([last]).map_err(failure)?,
            None => return rows.end(&mut put),
        }
    }
}

/// Takes over the rows of older versions under their numbers.
pub(super) fn take_over(conn: &Connection) -> Answer<()> {
    let mut put = conn.prepare(records::PUT).map_err(failure)?;
    let mut rows = Rows::default();
    let mut listed: BTreeMap<List, Vec<i64>> = BTreeMap::new();
    each(conn, &format!("SELECT *, {HAS_BODIES} FROM old_records ORDER BY seq"), |row| {
        let (number, record) = (get(row, 0)?, read(row)?);
        // One that was kept for its number alone, when its account was removed.
        if record.id.is_empty() && record.attempts.is_empty() {
            return Ok(());
        }
        rows.add_line(&mut put, &Line::of(number, &record, get(row, 19)?))?;
        for list in records::lists_of(&record, |_| false) {
            let numbers = listed.entry(list).or_default();
            numbers.push(number);
            if numbers.len() == A_LIST {
                lists::add(conn, list, numbers)?;
                numbers.clear();
            }
        }
        Ok(())
    })?;
    rows.end(&mut put)?;
    listed.iter().try_for_each(|(list, numbers)| lists::add(conn, *list, numbers))
}

fn read(row: &Row<'_>) -> Answer<Record> {
    Ok(Record {
        user: UserId(get(row, 1)?),
        at: rows::at("record", get(row, 2)?)?,
        id: get(row, 3)?,
        token: TokenId(get(row, 4)?),
        model: get(row, 5)?,
        streamed: get(row, 6)?,
        input: Tokens(count(row, 7)?),
        cache_read: Tokens(count(row, 8)?),
        cache_write: Tokens(count(row, 9)?),
        output: Tokens(count(row, 10)?),
        reasoning: Tokens(count(row, 11)?),
        estimated: get(row, 12)?,
        took_ms: count(row, 13)?,
        first_byte_ms: get::<Option<i64>>(row, 14)?.map(i64::unsigned_abs),
        billing: rows::billing(&get::<String>(row, 15)?)?,
        points: Points(get(row, 16)?),
        outcome: get(row, 17)?,
        attempts: rows::json("record", &get::<String>(row, 18)?)?,
        // They lie in a table of their own, under the record's number.
        bodies: None,
    })
}

fn count(row: &Row<'_>, column: usize) -> Answer<u64> {
    get::<i64>(row, column).map(i64::unsigned_abs)
}
