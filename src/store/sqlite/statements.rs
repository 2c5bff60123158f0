//! The writer's statements, prepared once, and the rows that go through them.

use std::borrow::Cow;

use rusqlite::{Connection, Statement, params};

use crate::accounts::{Account, AccountId, LeaseId, Tokens, Window};

use super::super::{Answer, StoreError};
use super::audit;
use super::books::{Estimate, Fold, Motion, Note, Notes, OpenLease};
use super::file::failure;
use super::journal::Line;
use super::notices;
use super::purses;
use super::records::{self, Rows};
use super::removal;
use super::retention::Retention;
use super::rows;
use super::sealings;
use super::sign_ins;
use super::teams;
use super::totals::Days;
use super::unwritten::Unwritten;

/// Prepared statements, kept as long as the connection.
pub(super) struct Statements<'conn> {
    conn: &'conn Connection,
    begin: Statement<'conn>,
    commit: Statement<'conn>,
    journal: Statement<'conn>,
    open: Statement<'conn>,
    end: Statement<'conn>,
    window: Statement<'conn>,
    used: Statement<'conn>,
    records: Statement<'conn>,
    /// Asked of the file when it is not known: at first, and when a commit failed.
    unwritten: Option<Unwritten>,
    days: Days,
}

impl<'conn> Statements<'conn> {
    pub(super) fn prepare(conn: &'conn Connection) -> Answer<Self> {
        let prepare = |sql| conn.prepare(sql).map_err(failure);
        Ok(Self {
            conn,
            unwritten: None,
            days: Days::default(),
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            journal: prepare("INSERT OR REPLACE INTO journal VALUES (?, ?, ?)")?,
            open: prepare(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            end: prepare("DELETE FROM leases WHERE row = ?")?,
            window: prepare(
                "UPDATE windows SET used = ?, resets_at = ?, end_told = ?
                 WHERE account = ? AND place = ?",
            )?,
            used: prepare("INSERT OR REPLACE INTO uses VALUES (?, ?, ?)")?,
            records: prepare(records::PUT)?,
        })
    }

    /// Commits notes in one transaction, all or none.
    pub(super) fn commit(&mut self, notes: &Notes, retention: &mut Retention) -> Answer<()> {
        if notes.is_empty() && !retention.is_behind() {
            return Ok(());
        }
        let mut unwritten = match self.unwritten.take() {
            Some(unwritten) => unwritten,
            None => Unwritten::load(self.conn)?,
        };
        self.begin.execute([]).map_err(failure)?;
        let written = self.write(notes, &mut unwritten, retention).and_then(|()| {
            self.commit.execute([]).map_err(failure)?;
            Ok(())
        });
        match written {
            Ok(()) => self.unwritten = Some(unwritten),
            Err(_) => {
                self.days.forget();
                if !self.conn.is_autocommit() {
                    // The failure is what counts; SQLite has often rolled back by itself.
                    _ = self.conn.execute_batch("ROLLBACK");
                }
            }
        }
        written
    }

    fn write(
        &mut self,
        notes: &Notes,
        unwritten: &mut Unwritten,
        retention: &mut Retention,
    ) -> Answer<()> {
        let mut records = Rows::default();
        for note in &notes.rows {
            match note {
                Note::Leased { .. } | Note::Renewed { .. } => {}
                Note::Charged(charged) => unwritten.charged(charged)?,
                Note::Record(record, gone) => {
                    let number = unwritten.recorded(record, gone);
                    let mut record = Cow::Borrowed(&**record);
                    if !gone.is_empty() {
                        record.to_mut().forget(|account| gone.contains(&account));
                    }
                    records.add(self.conn, &mut self.records, number, &record)?;
                }
                Note::Forget { now } => retention.forget(*now),
                Note::Leaving => retention.go_on(),
                Note::Removed(account, nobody) => {
                    // What it counted since the last fold goes with it, or loses its id.
                    unwritten.write(self.conn, &mut self.days, retention)?;
                    removal::remove(self.conn, *account, *nobody)?;
                    retention.reset();
                    self.days.forget();
                }
                rare => self.rare(rare)?,
            }
        }
        records.end(&mut self.records)?;
        match &notes.fold {
            // What their lines would come to is in its place.
            Some(fold) => self.fold(fold, unwritten, retention)?,
            None => {
                let lines = notes.rows.iter().filter_map(Line::of);
                unwritten.journal.write(&mut self.journal, lines)?;
            }
        }
        retention.catch_up(self.conn)
    }

    /// Writes what follows from the journal, which begins anew.
    pub(super) fn fold(
        &mut self,
        fold: &Fold,
        unwritten: &mut Unwritten,
        retention: &mut Retention,
    ) -> Answer<()> {
        // First: where it gives its pages back, they are there for the rest.
        unwritten.journal.folded(self.conn)?;
        for row in &fold.ended {
            run(&mut self.end, [row])?;
        }
        for (id, lease) in &fold.open {
            self.open(*id, lease)?;
        }
        for (id, estimate) in &fold.estimates {
            self.estimate(*id, estimate.as_ref())?;
        }
        for motion in &fold.motions {
            self.motion(motion)?;
        }
        unwritten.write(self.conn, &mut self.days, retention)
    }

    fn open(&mut self, id: LeaseId, lease: &OpenLease) -> Answer<()> {
        let row = params![
            lease.row,
            id.0.to_be_bytes(),
            lease.grant.account.0,
            lease.user.0,
            lease.estimate.signed(),
            lease.deadline,
            lease.grant.granted_at.as_millisecond(),
            lease.grant.remaining,
            lease.grant.candidates,
            rows::reasons(&lease.grant),
            lease.token.0,
            &*lease.model,
        ];
        run(&mut self.open, row)?;
        match lease.grant.account {
            AccountId::OPERATOR => self.once(
                "INSERT OR REPLACE INTO platforms_of_leases VALUES (?, ?)",
                params![lease.row, lease.platform.as_str()],
            ),
            _ => Ok(()),
        }
    }

    fn estimate(&self, id: LeaseId, estimate: Option<&Estimate>) -> Answer<()> {
        let id = id.0.to_be_bytes();
        let Some(estimate) = estimate else {
            return self.once("DELETE FROM estimates WHERE lease = ?", [id]);
        };
        let row = params![
            id,
            estimate.account.0,
            estimate.user.0,
            estimate.usage.token.0,
            &*estimate.usage.model,
            estimate.tokens.signed(),
            estimate.at,
            rows::ends_text(&estimate.windows),
        ];
        self.once("INSERT OR REPLACE INTO estimates VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    }

    fn motion(&mut self, motion: &Motion) -> Answer<()> {
        for (place, (used, resets_at, told)) in (0_i64..).zip(&motion.windows) {
            run(&mut self.window, params![used, resets_at, told, motion.account.0, place])?;
        }
        match motion.last_used_at {
            Some(at) => run(&mut self.used, params![motion.account.0, at, motion.turn]),
            None => Ok(()),
        }
    }

    /// What people change; not worth a statement kept.
    fn rare(&self, note: &Note) -> Answer<()> {
        match note {
            Note::Counter(counter, value) => self.once(
                "INSERT OR REPLACE INTO counters VALUES (?, ?)",
                params![counter.name(), value],
            ),
            Note::User(user) => self.once(
                "INSERT INTO users VALUES (?, ?, ?, ?)",
                params![user.id.0, user.name, user.pool.0, user.created_at.as_millisecond()],
            ),
            Note::Identity(user, identity) => self.once(
                "INSERT OR REPLACE INTO identities VALUES (?, ?)",
                params![user.0, rows::to_json("identity", identity)?],
            ),
            Note::Session(index, row) => sign_ins::write_session(self.conn, index, row.as_ref()),
            Note::Link(slot, row) => sign_ins::write_link(self.conn, slot, row.as_ref()),
            Note::Token(row) => {
                let json = rows::to_json("token", &**row)?;
                let revoked = row.revoked_at.map(jiff::Timestamp::as_millisecond);
                self.once(
                    "INSERT INTO tokens VALUES (?, ?, ?, ?)",
                    params![row.grant.id.0, row.index, json, revoked],
                )
            }
            Note::Revoked(row) => {
                let json = rows::to_json("token", &**row)?;
                let revoked = row.revoked_at.map(jiff::Timestamp::as_millisecond);
                self.once(
                    "UPDATE tokens SET row = ?, revoked_at = ? WHERE id = ?",
                    params![json, revoked, row.grant.id.0],
                )
            }
            Note::Reindexed(row) => self.once(
                "UPDATE tokens SET lookup = ?, row = ? WHERE id = ?",
                params![row.index, rows::to_json("token", &**row)?, row.grant.id.0],
            ),
            Note::Used(token, at) => self.once(
                "INSERT OR REPLACE INTO token_uses VALUES (?, ?)",
                params![token.0, at.as_millisecond()],
            ),
            Note::Canary(canary) => {
                self.once("INSERT INTO canaries VALUES (NULL, ?)", params![canary])
            }
            Note::NoCanary(canary) => {
                self.once("DELETE FROM canaries WHERE canary = ?", params![canary])
            }
            Note::Resealed(kid, row) => sealings::reseal(self.conn, kid, row),
            Note::Seals(kid, seals) => self.once(
                "INSERT OR REPLACE INTO counters VALUES (?, ?)",
                params![format!("{}{kid}", rows::SEALS), Tokens(*seals).signed()],
            ),
            Note::Purse(note) => purses::write(self.conn, note),
            Note::Team(note) => teams::write(self.conn, note),
            Note::Account(account) => self.account(account),
            Note::Changed(account) => self.once(
                "UPDATE accounts SET name = ?, row = ? WHERE id = ?",
                params![account.name, rows::to_json("account", &**account)?, account.id.0],
            ),
            Note::Moved(account) => self.once(
                "UPDATE accounts SET pool = ?, name = ?, row = ? WHERE id = ?",
                params![
                    account.pool.0,
                    account.name,
                    rows::to_json("account", &**account)?,
                    account.id.0,
                ],
            ),
            Note::Condition(id, condition) => self.once(
                "INSERT OR REPLACE INTO health VALUES (?, ?)",
                params![id.0, rows::to_json("health", condition)?],
            ),
            Note::Windows(id, windows) => self.windows(id.0, windows),
            Note::Priority(id, priority) => self.once(
                "INSERT OR REPLACE INTO priorities VALUES (?, ?)",
                params![id.0, u8::from(*priority)],
            ),
            Note::Policy(pool, Some(policy)) => self.once(
                "INSERT OR REPLACE INTO policies VALUES (?, ?)",
                params![pool.0, policy.name()],
            ),
            Note::Nobody(id, pool, platform) => self.once(
                "INSERT INTO nobodies VALUES (?, ?, ?)",
                params![id.0, pool.0, platform.as_str()],
            ),
            Note::Policy(pool, None) => {
                self.once("DELETE FROM policies WHERE pool = ?", params![pool.0])
            }
            Note::Board(note) => notices::write(self.conn, note),
            Note::Audit(row) => audit::write(self.conn, row),
            Note::Block { account, model, until } => self.once(
                "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?)",
                params![account.0, &**model, until],
            ),
            Note::Unblock { account, model } => self.once(
                "DELETE FROM blocks WHERE account = ? AND model = ?",
                params![account.0, &**model],
            ),
            Note::Leased { .. }
            | Note::Charged(_)
            | Note::Record(..)
            | Note::Renewed { .. }
            | Note::Forget { .. }
            | Note::Leaving
            | Note::Removed(..) => {
                Err(StoreError::Corrupt { what: "note", why: "it was taken for a rare one".into() })
            }
        }
    }

    fn account(&self, account: &Account) -> Answer<()> {
        let row = params![
            account.id.0,
            account.pool.0,
            account.platform.as_str(),
            account.name,
            rows::to_json("account", account)?,
        ];
        self.once("INSERT INTO accounts VALUES (?, ?, ?, ?, ?)", row)
    }

    fn windows(&self, account: i64, windows: &[Window]) -> Answer<()> {
        self.once("DELETE FROM windows WHERE account = ?", params![account])?;
        for (place, window) in (0_i64..).zip(windows) {
            let row = params![
                account,
                place,
                rows::to_json("window", &window.period)?,
                window.limit.map(Tokens::signed),
                window.used.signed(),
                window.resets_at.map(jiff::Timestamp::as_millisecond),
                rows::to_json("window", &window.origin)?,
                window.end_told,
            ];
            self.once("INSERT INTO windows VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)?;
        }
        Ok(())
    }

    fn once(&self, sql: &str, params: impl rusqlite::Params) -> Answer<()> {
        let mut statement = self.conn.prepare_cached(sql).map_err(failure)?;
        run(&mut statement, params)
    }
}

fn run(statement: &mut Statement<'_>, params: impl rusqlite::Params) -> Answer<()> {
    statement.execute(params).map(drop).map_err(failure)
}
