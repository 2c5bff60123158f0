//! Putting all that old keys of the ring sealed under its primary, while gateways serve.
//!
//! An account's data keys are wrapped anew where they lie as they were read; whatever moved
//! them meanwhile wins, and is looked at again. So a rotation may end at any moment, and is
//! gone on with by beginning it again. What the ring can't open stays as it is: its key may
//! come back.
//!
//! Gateway tokens are moved by their callers: only they know what an index is made of.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

use super::key_use::{A_PAGE, KeyUse, key_use};
use super::open::CREDENTIAL_FIELD;
use super::owner::{has_proved_owner, prove_owner};
use super::seals::NoSeal;
use super::short_keys::FIELD as SHORT_KEY_FIELD;
use crate::accounts::{Account, AccountState, Health, KeptBodies, KeptRow, Resets, Rewrap};
use crate::store::Directory;
use crate::telemetry::clock::Stopwatch;
use crate::vault::{Kid, Place, ResealError, Said, Vault, Worn, proof_kid, sealed_kid};

/// How often the accounts are walked through while others move what is read.
const WALKS: u32 = 3;
/// How many bytes of kept bodies are written at once.
const MOST_BYTES: usize = 1 << 19;

/// What a rotation came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// Accounts whose credential is wrapped anew.
    pub accounts: u64,
    /// Short-lived keys that are wrapped anew.
    pub short_keys: u64,
    /// Records whose bodies are sealed anew.
    pub records: u64,
    /// Accounts that were locked, and whose key is back.
    pub unlocked: u64,
    /// Accounts whose seal is broken, by id: they need another authorization.
    pub broken_accounts: Vec<i64>,
    /// Records whose seals are broken.
    pub broken_records: u64,
    /// Keys whose canaries went, because nothing lies under them any more.
    pub forgotten: Vec<String>,
}

impl Rotated {
    /// How many seals moved.
    pub fn moved(&self) -> u64 {
        self.accounts + self.short_keys + self.records
    }
}

/// Moves all that lies under the ring's other keys, so many seals a second; tells what is
/// done whenever something is. Answers that, and what lies under each key afterwards.
///
/// # Errors
/// What the store refuses, and [`crate::vault::SealError`]; what was moved until then stays.
pub async fn rotate(
    directory: &dyn Directory,
    vault: &Vault,
    resets: &Resets,
    per_second: NonZeroU32,
    tell: &mut (dyn FnMut(&Rotated) + Send),
) -> Result<(Rotated, BTreeMap<String, KeyUse>), NoSeal> {
    let done = Rotated::default();
    let pace = Pace { per_second, since: Stopwatch::start(), made: 0 };
    let mut rotation = Rotation { directory, vault, resets, pace, done, tell };
    for _ in 0..WALKS {
        rotation.done.broken_accounts.clear();
        if rotation.walk_accounts().await? == Met::AsRead {
            break;
        }
    }
    rotation.walk_records().await?;
    let left = rotation.forget_canaries().await?;
    Ok((rotation.done, left))
}

/// How what was read was met when it was to be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    AsRead,
    Moved,
}

struct Rotation<'a> {
    directory: &'a dyn Directory,
    vault: &'a Vault,
    resets: &'a Resets,
    pace: Pace,
    done: Rotated,
    tell: &'a mut (dyn FnMut(&Rotated) + Send),
}

/// A wrapping that is to be moved.
struct Wrapping<'a> {
    account: &'a Account,
    field: &'static str,
    wrapped_key: &'a str,
}

impl Wrapping<'_> {
    fn place(&self) -> Place<'_> {
        self.account.place(self.field)
    }
}

impl Rotation<'_> {
    async fn walk_accounts(&mut self) -> Result<Met, NoSeal> {
        let (mut after, mut met) = (None, Met::AsRead);
        loop {
            let limit = A_PAGE.min(self.pace.per_second.get() as usize);
            let page = self.directory.accounts_after(after, limit, self.resets).await?;
            let Some(last) = page.last() else { return Ok(met) };
            after = Some(last.account.id);
            for moved in [self.rewrap(&page).await?, self.prove_owners(&page).await?] {
                if moved == Met::Moved {
                    met = Met::Moved;
                }
            }
            self.unlock(&page).await?;
        }
    }

    async fn rewrap(&mut self, page: &[AccountState]) -> Result<Met, NoSeal> {
        let due: Vec<Wrapping<'_>> = page
            .iter()
            .flat_map(|state| wrappings(&state.account))
            .filter(|one| self.is_due(sealed_kid(one.wrapped_key)))
            .collect();
        if due.is_empty() {
            return Ok(Met::AsRead);
        }
        self.may_seal(due.len() as u64).await?;
        let (mut batch, mut fields) = (Vec::new(), Vec::new());
        for one in &due {
            let id = one.account.id;
            match self.vault.rewrap(&one.place(), one.wrapped_key) {
                Ok(new) => {
                    batch.push(Rewrap { account: id, old: one.wrapped_key.to_owned(), new });
                    fields.push(one.field);
                }
                Err(ResealError::Seal(error)) => return Err(error.into()),
                // A short-lived key that does not open is made anew when it is needed.
                Err(ResealError::Open(_)) if one.field == SHORT_KEY_FIELD => {}
                Err(ResealError::Open(_)) => self.done.broken_accounts.push(id.0),
            }
        }
        let count = batch.len();
        let moved = self.directory.rewrap(batch).await?;
        for (field, moved) in fields.iter().zip(&moved) {
            match *field {
                CREDENTIAL_FIELD => self.done.accounts += u64::from(*moved),
                _ => self.done.short_keys += u64::from(*moved),
            }
        }
        self.made(count).await;
        Ok(if moved.contains(&false) { Met::Moved } else { Met::AsRead })
    }

    /// What other keys of the ring have proved is proved anew. What they have not stays.
    async fn prove_owners(&mut self, page: &[AccountState]) -> Result<Met, NoSeal> {
        let accounts = page.iter().map(|state| &state.account);
        let due = accounts.filter(|account| {
            self.is_due(proof_kid(&account.owner_proof)) && has_proved_owner(self.vault, account)
        });
        let batch: Vec<Rewrap> = due
            .map(|account| Rewrap {
                account: account.id,
                old: account.owner_proof.clone(),
                new: prove_owner(self.vault, account.id, account.owner),
            })
            .collect();
        if batch.is_empty() {
            return Ok(Met::AsRead);
        }
        // A proof is no seal: it wears no key.
        let moved = self.directory.rewrap(batch).await?;
        Ok(if moved.contains(&false) { Met::Moved } else { Met::AsRead })
    }

    /// Accounts that were locked work again when their key is back.
    async fn unlock(&mut self, page: &[AccountState]) -> Result<(), NoSeal> {
        for state in page.iter().filter(|state| matches!(state.health, Health::Locked { .. })) {
            let account = &state.account;
            let place = account.place(CREDENTIAL_FIELD);
            if self.vault.opens(&place, &account.sealed) {
                self.directory.set_health(account.id, Health::Active).await?;
                self.done.unlocked += 1;
            }
        }
        Ok(())
    }

    async fn walk_records(&mut self) -> Result<(), NoSeal> {
        let primary = self.vault.sealing_kid();
        let mut after = None;
        loop {
            let page = self.directory.kept_bodies(Some(primary.as_str()), after.as_deref()).await?;
            let mut batches: BTreeMap<String, (Vec<KeptRow>, usize)> = BTreeMap::new();
            for row in page.others {
                let kid = sealed_kid(&row.bodies.request).filter(|kid| self.is_due(Some(*kid)));
                let Some(kid) = kid else { continue };
                let Some(row) = self.resealed(row)? else { continue };
                let (rows, bytes) = batches.entry(kid.to_string()).or_default();
                *bytes += row.bodies.request.len() + row.bodies.response.len();
                rows.push(row);
                if *bytes >= MOST_BYTES || rows.len() >= self.pace.per_second.get() as usize {
                    let (rows, _) = batches.remove(kid.as_str()).unwrap_or_default();
                    self.reseal(kid.as_str(), rows).await?;
                }
            }
            for (kid, (rows, _)) in batches {
                self.reseal(&kid, rows).await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Each record has keys of its own: these seals wear no key.
    fn resealed(&mut self, row: KeptRow) -> Result<Option<KeptRow>, NoSeal> {
        let anew =
            |said, sealed: &str| self.vault.reseal_words(row.user.0, &row.record, said, sealed);
        let KeptBodies { request, response, cut } = &row.bodies;
        let both = anew(Said::Request, request)
            .and_then(|request| Ok((request, anew(Said::Response, response)?)));
        match both {
            Ok((request, response)) => {
                let bodies = KeptBodies { request, response, cut: *cut };
                Ok(Some(KeptRow { bodies, ..row }))
            }
            Err(ResealError::Seal(error)) => Err(error.into()),
            Err(ResealError::Open(_)) => {
                self.done.broken_records += 1;
                Ok(None)
            }
        }
    }

    async fn reseal(&mut self, kid: &str, rows: Vec<KeptRow>) -> Result<(), NoSeal> {
        let count = rows.len();
        self.directory.reseal_bodies(kid, rows).await?;
        self.done.records += count as u64;
        self.made(count).await;
        Ok(())
    }

    /// The canary of a key that left the ring goes once nothing lies under it: it would warn
    /// at every start.
    async fn forget_canaries(&mut self) -> Result<BTreeMap<String, KeyUse>, NoSeal> {
        let mut left = key_use(self.directory, self.resets).await?;
        for canary in self.directory.canaries().await? {
            let Some(kid) = proof_kid(&canary) else { continue };
            let is_free = left.get(kid.as_str()).is_some_and(KeyUse::is_free);
            if is_free && !self.vault.kids().any(|own| own == kid) {
                self.directory.remove_canary(&canary).await?;
                self.done.forgotten.push(kid.to_string());
                if let Some(key) = left.get_mut(kid.as_str()) {
                    key.canary = false;
                }
            }
        }
        Ok(left)
    }

    /// Whether something lies under a key of the ring's that is not the primary.
    fn is_due(&self, kid: Option<Kid>) -> bool {
        kid.is_some_and(|kid| self.vault.kids().skip(1).any(|other| other == kid))
    }

    async fn may_seal(&self, seals: u64) -> Result<Option<Worn>, NoSeal> {
        let last = self.directory.count_seals(self.vault.sealing_kid().as_str(), seals).await?;
        Ok(self.vault.may_seal(last)?)
    }

    async fn made(&mut self, seals: usize) {
        (self.tell)(&self.done);
        self.pace.keep(seals as u64).await;
    }
}

fn wrappings(account: &Account) -> impl Iterator<Item = Wrapping<'_>> {
    let credential = (CREDENTIAL_FIELD, &account.sealed);
    let short = account.own_short_key().map(|key| (SHORT_KEY_FIELD, &key.sealed));
    let all = std::iter::once(credential).chain(short);
    all.map(move |(field, sealed)| Wrapping { account, field, wrapped_key: &sealed.wrapped_key })
}

/// So many seals a second, on the whole.
struct Pace {
    per_second: NonZeroU32,
    since: Stopwatch,
    made: u64,
}

impl Pace {
    async fn keep(&mut self, seals: u64) {
        self.made += seals;
        let due = Duration::from_secs_f64(self.made as f64 / f64::from(self.per_second.get()));
        if let Some(early) = due.checked_sub(self.since.elapsed()) {
            tokio::time::sleep(early).await;
        }
    }
}
