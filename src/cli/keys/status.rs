//! `tributary keys status`: what lies under each key.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use crate::authorize::{KeyUse, key_use};
use crate::cli::table::table;
use crate::cli::{Desk, Failure, print, ring};
use crate::config::OwnRing;
use crate::vault::Vault;

/// Show what lies under each key, and which may leave the ring.
///
/// A key that nothing lies under may leave it. Accounts, the proofs of their owners, short-lived
/// keys, users' rights, memberships of teams and kept records move by `tributary keys rotate`; a token moves when its
/// caller next calls.
#[derive(Debug, Args)]
pub struct Status {}

/// Where a key stands in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Standing {
    /// It seals.
    Primary,
    /// It opens what it sealed before.
    Behind,
    /// It is not in the ring: what lies under it is locked.
    Missing,
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Behind => "behind",
            Self::Missing => "missing",
        }
    }
}

/// A key, for people and scripts.
#[derive(Debug, Serialize)]
pub struct Shown {
    key: String,
    ring: Standing,
    #[serde(flatten)]
    under: KeyUse,
    may_leave: bool,
}

impl Status {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let vault = desk.vault(OwnRing::IfThere).await?;
        let directory = desk.directory().await?;
        ring::fits(&directory.canaries().await?, &vault)?;
        let keys = shown(&vault, key_use(&*directory, &desk.resets()).await?);
        if desk.json {
            return print::json(&serde_json::json!({ "keys": keys }));
        }
        print::line(&text(&keys))
    }
}

/// The ring's keys in its order, then those that it has not.
pub(super) fn shown(vault: &Vault, mut keys: BTreeMap<String, KeyUse>) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for (number, kid) in vault.kids().enumerate() {
        let key = kid.to_string();
        let under = keys.remove(&key).unwrap_or_default();
        let ring = if number == 0 { Standing::Primary } else { Standing::Behind };
        all.push(Shown { key, ring, under, may_leave: number > 0 && under.is_free() });
    }
    // One that only ever sealed is of no interest once it is gone.
    let kept = keys.into_iter().filter(|(_, under)| under.canary || !under.is_free());
    all.extend(kept.map(|(key, under)| {
        let key = if key.is_empty() { "(none)".to_owned() } else { key };
        Shown { key, ring: Standing::Missing, under, may_leave: false }
    }));
    all
}

/// The table, and what to do about each key that is not the primary.
pub(super) fn text(keys: &[Shown]) -> String {
    let row = |shown: &Shown| {
        let under = &shown.under;
        let counts = [
            under.accounts,
            under.owners,
            under.short_keys,
            under.tokens,
            under.users,
            under.memberships,
            under.records,
            under.seals,
        ];
        let [accounts, owners, short, tokens, users, members, records, seals] =
            counts.map(|n| n.to_string());
        let (key, ring) = (shown.key.clone(), shown.ring.word().to_owned());
        [key, ring, accounts, owners, short, tokens, users, members, records, seals]
    };
    let head = [
        "KEY",
        "RING",
        "ACCOUNTS",
        "OWNERS",
        "SHORT-LIVED",
        "TOKENS",
        "USERS",
        "MEMBERS",
        "RECORDS",
        "SEALS MADE",
    ];
    let mut lines = vec![table(head, keys.iter().map(row).collect())];
    lines.extend(keys.iter().filter_map(advice));
    lines.join("\n")
}

fn advice(shown: &Shown) -> Option<String> {
    let Shown { key, ring, under, .. } = shown;
    let KeyUse { accounts, owners, short_keys, users, memberships, records, .. } = under;
    let sealed = accounts + owners + short_keys + users + memberships + records;
    Some(match ring {
        Standing::Primary => return None,
        Standing::Missing if under.is_free() => {
            format!("{key}: left the ring, and nothing lies under it")
        }
        Standing::Missing => {
            format!("{key}: is not in the ring; what lies under it is locked until it is back")
        }
        Standing::Behind if under.is_free() => format!("{key}: may leave the ring"),
        Standing::Behind if sealed > 0 => {
            format!("{key}: must stay in the ring; run: tributary keys rotate")
        }
        Standing::Behind => format!(
            "{key}: must stay in the ring until its tokens have called once more, or are revoked \
             (tributary token list)"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::KeyRing;

    fn said(under: KeyUse) -> String {
        let [new, old] = [(); 2].map(|()| KeyRing::generate().unwrap().to_string());
        let vault = Vault::new(&KeyRing::parse(&format!("{new}\n{old}")).unwrap());
        let old = vault.kids().nth(1).unwrap().to_string();
        let keys = shown(&vault, [(old.clone(), under)].into());
        text(&keys).replace(&old, "old").lines().last().unwrap().to_owned()
    }

    #[test]
    fn a_key_is_told_to_stay_as_long_as_anything_lies_under_it() {
        let none = KeyUse { seals: 9, canary: true, ..KeyUse::default() };
        assert_eq!(said(none), "old: may leave the ring");
        for under in [
            KeyUse { accounts: 1, ..none },
            KeyUse { owners: 1, ..none },
            KeyUse { short_keys: 1, ..none },
            KeyUse { memberships: 1, ..none },
            KeyUse { users: 1, ..none },
            KeyUse { records: 1, tokens: 1, ..none },
        ] {
            assert_eq!(said(under), "old: must stay in the ring; run: tributary keys rotate");
        }
        let told = said(KeyUse { tokens: 1, ..none });
        assert!(told.starts_with("old: must stay in the ring until its tokens"), "{told}");
    }
}
