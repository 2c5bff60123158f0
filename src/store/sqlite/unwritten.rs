//! What follows from the journal and the last records, and is written by the fold: the packs of
//! charges, the lists of records, the totals.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::accounts::{AccountId, Record};

use super::super::{Answer, Keep};
use super::books::Charged;
use super::charges::{self, Packed};
use super::file::failure;
use super::journal::{self, Line, Tail};
use super::lists::{self, List};
use super::records;
use super::retention::Retention;
use super::totals::{Days, Sums};

/// The counters that hold the last charge and the last record that the fold has written:
/// numbers are never given twice, though the rows are gone.
const CHARGES: &str = "charges";
pub(super) const RECORDS: &str = "records";
/// The counter of folds.
pub(super) const FOLDS: &str = "folds";

/// What no fold has written yet.
pub(super) struct Unwritten {
    pub(super) journal: Tail,
    charges: Vec<Packed>,
    last_charge: i64,
    listed: BTreeMap<List, Vec<i64>>,
    last_record: i64,
    sums: Sums,
}

impl Unwritten {
    /// Reads what follows from the file.
    pub(super) fn load(conn: &Connection) -> Answer<Self> {
        let mut unwritten = Self {
            journal: Tail::load(conn)?,
            charges: Vec::new(),
            last_charge: counter(conn, CHARGES)?,
            listed: BTreeMap::new(),
            last_record: counter(conn, RECORDS)?,
            sums: Sums::default(),
        };
        journal::walk(conn, |line| match line {
            Line::Charged(line) => unwritten.charged(&line.read()?),
            Line::Leased(_) | Line::Renewed { .. } | Line::Empty => Ok(()),
        })?;
        records::after(conn, unwritten.last_record, |number, record| {
            // Where an account was gone, the fold went with the record.
            unwritten.count(number, &record, &[]);
            Ok(())
        })?;
        Ok(unwritten)
    }

    /// How many rows of records the file has that no fold has listed.
    pub(super) fn records(conn: &Connection) -> Answer<usize> {
        let (count, last) = ("SELECT count(*) FROM records WHERE seq > ?", counter(conn, RECORDS)?);
        let count: i64 = conn
            .prepare_cached(count)
            .and_then(|mut count| count.query_row([last], |row| row.get(0)))
            .map_err(failure)?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// As [`Unwritten::load`], of a version that counted totals when they were made.
    pub(super) fn load_counted(conn: &Connection) -> Answer<Self> {
        Ok(Self { sums: Sums::default(), ..Self::load(conn)? })
    }

    /// Looks at the file as it will be when all is written. `conn` only reads otherwise; what is
    /// written here stays in its memory, and is rolled back.
    pub(super) fn look_as_if_written<T>(
        conn: &Connection,
        look: impl FnOnce(&Connection) -> Answer<T>,
    ) -> Answer<T> {
        conn.pragma_update(None, "query_only", false).map_err(failure)?;
        let seen = Self::write_and_look(conn, look);
        conn.pragma_update(None, "query_only", true).map_err(failure)?;
        seen
    }

    fn write_and_look<T>(
        conn: &Connection,
        look: impl FnOnce(&Connection) -> Answer<T>,
    ) -> Answer<T> {
        // Nobody folds meanwhile. Rolled back when it is dropped.
        let _rolled_back =
            Transaction::new_unchecked(conn, TransactionBehavior::Immediate).map_err(failure)?;
        let mut retention = Retention::new(Keep::default());
        Self::load(conn)?.write(conn, &mut Days::default(), &mut retention)?;
        look(conn)
    }

    /// Adds a charge.
    pub(super) fn charged(&mut self, charged: &Charged) -> Answer<()> {
        self.last_charge += 1;
        self.charges.push(Packed::new(self.last_charge, charged));
        self.sums.charge(charged)
    }

    /// Adds a record of which these accounts are gone; answers its number.
    pub(super) fn recorded(&mut self, record: &Record, gone: &[AccountId]) -> i64 {
        self.count(self.last_record + 1, record, gone);
        self.last_record
    }

    fn count(&mut self, number: i64, record: &Record, gone: &[AccountId]) {
        self.last_record = number;
        let is_gone = |account| gone.contains(&account);
        self.sums.record(record, is_gone);
        for list in records::lists_of(record, is_gone) {
            self.listed.entry(list).or_default().push(number);
        }
    }

    /// Writes it all.
    pub(super) fn write(
        &mut self,
        conn: &Connection,
        days: &mut Days,
        retention: &mut Retention,
    ) -> Answer<()> {
        charges::write(conn, &self.charges)?;
        self.charges.clear();
        std::mem::take(&mut self.sums).write(conn, days)?;
        keep(conn, CHARGES, self.last_charge)?;
        keep(conn, RECORDS, self.last_record)?;
        for (list, numbers) in std::mem::take(&mut self.listed) {
            lists::add(conn, list, &numbers)?;
            retention.added(conn, list, numbers.len())?;
        }
        Ok(())
    }
}

pub(super) fn counter(conn: &Connection, name: &str) -> Answer<i64> {
    conn.prepare_cached("SELECT value FROM counters WHERE name = ?")
        .and_then(|mut find| find.query_row([name], |row| row.get(0)).optional())
        .map(Option::unwrap_or_default)
        .map_err(failure)
}

pub(super) fn keep(conn: &Connection, name: &str, value: i64) -> Answer<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO counters VALUES (?, ?)")
        .and_then(|mut keep| keep.execute(params![name, value]))
        .map(drop)
        .map_err(failure)
}
