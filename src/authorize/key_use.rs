//! What lies under each key of the ring: what keeps an old one from leaving it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::accounts::{GatewayTokenRow, Resets};
use crate::store::{Answer, Directory};
use crate::telemetry::clock;
use crate::vault::{Kid, proof_kid, sealed_kid};

/// How many accounts are read at once.
pub(super) const A_PAGE: usize = 100;

/// What lies under one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KeyUse {
    /// Accounts whose credential it wraps.
    pub accounts: u64,
    /// Accounts whose owner it proves.
    pub owners: u64,
    /// Accounts whose short-lived key it wraps.
    pub short_keys: u64,
    /// Gateway tokens that are found or proved by it; those that are revoked, or have ended,
    /// are not counted.
    pub tokens: u64,
    /// Users whose rights it proves.
    pub users: u64,
    /// Memberships of teams that it proves.
    pub memberships: u64,
    /// Records whose bodies it seals.
    pub records: u64,
    /// Whether the store has its canary.
    pub canary: bool,
    /// How often it has sealed.
    pub seals: u64,
}

impl KeyUse {
    /// Whether nothing would be lost with it.
    pub fn is_free(&self) -> bool {
        let Self { accounts, owners, short_keys, tokens, users, memberships, records, .. } = self;
        [accounts, owners, short_keys, tokens, users, memberships, records]
            .into_iter()
            .all(|count| *count == 0)
    }
}

/// Counts what lies under each key that the store has heard of, by the keys' names. What
/// names no key at all is under the empty name.
///
/// # Errors
/// What the store refuses.
pub async fn key_use(
    directory: &dyn Directory,
    resets: &Resets,
) -> Answer<BTreeMap<String, KeyUse>> {
    let mut keys: BTreeMap<String, KeyUse> = BTreeMap::new();
    let name = |kid: Option<Kid>| kid.map(|kid| kid.to_string()).unwrap_or_default();
    for (kid, seals) in directory.seals().await? {
        keys.entry(kid).or_default().seals = seals;
    }
    for canary in directory.canaries().await? {
        keys.entry(name(proof_kid(&canary))).or_default().canary = true;
    }
    let mut after = None;
    loop {
        let page = directory.accounts_after(after, A_PAGE, resets).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.account.id);
        for account in page.iter().map(|state| &state.account) {
            let kid = sealed_kid(&account.sealed.wrapped_key);
            keys.entry(name(kid)).or_default().accounts += 1;
            if let Some(kid) = proof_kid(&account.owner_proof) {
                keys.entry(name(Some(kid))).or_default().owners += 1;
            }
            if let Some(short) = account.own_short_key() {
                let kid = sealed_kid(&short.sealed.wrapped_key);
                keys.entry(name(kid)).or_default().short_keys += 1;
            }
        }
    }
    for user in directory.users().await? {
        if !user.identity.is_blank() {
            keys.entry(name(proof_kid(&user.identity.mac))).or_default().users += 1;
        }
        for token in directory.tokens_of(user.id).await?.iter().filter(|token| is_live(token)) {
            let (index, mac) = (proof_kid(&token.index), proof_kid(&token.mac));
            keys.entry(name(index)).or_default().tokens += 1;
            if mac != index {
                keys.entry(name(mac)).or_default().tokens += 1;
            }
        }
    }
    for team in directory.teams().await? {
        for member in directory.members_of(team.id).await? {
            keys.entry(name(proof_kid(&member.mac))).or_default().memberships += 1;
        }
    }
    let mut after = None;
    loop {
        let page = directory.kept_bodies(None, after.as_deref()).await?;
        for (kid, count) in page.under {
            keys.entry(kid).or_default().records += count;
        }
        after = page.next;
        if after.is_none() {
            return Ok(keys);
        }
    }
}

fn is_live(token: &GatewayTokenRow) -> bool {
    token.revoked_at.is_none() && token.grant.expires_at.is_none_or(|end| end > clock::now())
}
