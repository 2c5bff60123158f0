//! `tributary keys rotate`: all that old keys sealed, put under the primary.

use std::io::{IsTerminal, Write};
use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::status::{shown, text};
use crate::accounts::{Deed, Doer};
use crate::authorize::{KeyUse, Rotated, key_use, rotate};
use crate::cli::{Desk, Failure, print};
use crate::identity::prove_users_anew;
use crate::relay::prove_anew;
use crate::store::write_down;
use crate::telemetry::clock::Stopwatch;

/// Put what older keys sealed under the first of the ring, while gateways serve.
///
/// Every gateway must have the new key in its ring before. The command may be stopped at
/// any moment and begun again: it goes on where it was. Gateway tokens move by themselves,
/// when their callers next call. `tributary keys status` shows what is left.
#[derive(Debug, Args)]
pub struct Rotate {
    /// How many seals to move in a second, at most.
    #[arg(long, value_name = "SEALS", default_value = "500")]
    per_second: NonZeroU32,
}

impl Rotate {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let (directory, vault) = desk.sealing().await?;
        let resets = desk.resets();
        let before = key_use(&*directory, &resets).await?;
        let users = prove_users_anew(&*directory, &vault).await?;
        let memberships = prove_anew(&*directory, &vault).await?;
        let due = vault.kids().skip(1).filter_map(|kid| before.get(kid.as_str()));
        let mut progress = Progress::of(due.map(to_move).sum());
        let mut tell = |done: &Rotated| progress.tell(done.moved());
        let (done, left) = rotate(&*directory, &vault, &resets, self.per_second, &mut tell).await?;
        progress.end();
        if done.moved() + users + memberships > 0 {
            let deed = Deed::new(Doer::OPERATOR, "keys.rotate", "key", vault.sealing_kid())
                .with("accounts", done.accounts)
                .with("short_keys", done.short_keys)
                .with("users", users)
                .with("memberships", memberships)
                .with("records", done.records);
            write_down(&*directory, &vault, deed).await?;
        }
        if !done.broken_accounts.is_empty() || done.broken_records > 0 {
            eprintln!(
                "warning: the seals of accounts {:?} and of {} records are broken; they are as \
                 they were. Bind these accounts anew.",
                done.broken_accounts, done.broken_records
            );
        }
        let keys = shown(&vault, left);
        if desk.json {
            return print::json(
                &json!({ "moved": done, "users": users, "memberships": memberships, "keys": keys }),
            );
        }
        let Rotated { accounts, short_keys, records, unlocked, .. } = &done;
        print::line(&format!(
            "moved to key {}: {accounts} accounts, {short_keys} short-lived keys, {users} users, \
             {memberships} memberships, {records} records; {unlocked} locked accounts work again",
            vault.sealing_kid()
        ))?;
        print::line(&text(&keys))
    }
}

fn to_move(under: &KeyUse) -> u64 {
    under.accounts + under.short_keys + under.records
}

/// What is done, on standard error: one line that is written over on a terminal, else one a
/// second.
struct Progress {
    due: u64,
    terminal: bool,
    last: Option<Stopwatch>,
}

impl Progress {
    const EVERY: Duration = Duration::from_secs(1);

    fn of(due: u64) -> Self {
        Self { due, terminal: std::io::stderr().is_terminal(), last: None }
    }

    fn tell(&mut self, moved: u64) {
        // Others may have added some meanwhile.
        let due = self.due.max(moved);
        let is_news = self.last.is_none_or(|last| last.elapsed() >= Self::EVERY) || moved == due;
        let mut err = std::io::stderr().lock();
        // Who has gone wants to hear no more; the rotation goes on.
        if self.terminal {
            let _ = write!(err, "\r\x1b[K{moved} of {due} moved").and_then(|()| err.flush());
        } else if is_news {
            let _ = writeln!(err, "{moved} of {due} moved");
            self.last = Some(Stopwatch::start());
        }
    }

    fn end(&self) {
        if self.terminal && self.due > 0 {
            eprintln!();
        }
    }
}
