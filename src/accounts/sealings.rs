//! What lies under a key of the ring, as a rotation walks through it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Account, AccountId, KeptBodies, UserId};

/// Another wrapping of an account's data key: of its credential's, or of its short-lived
/// key's, whichever is wrapped as `old`; or another proof of its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewrap {
    /// Whose it is.
    pub account: AccountId,
    /// The wrapping as it was read.
    pub old: String,
    /// The same key, wrapped anew.
    pub new: String,
}

impl Account {
    /// Takes in another wrapping; `false`: the one that was read lies here no more.
    pub fn rewrap(&mut self, one: &Rewrap) -> bool {
        if !one.old.is_empty() && self.owner_proof == one.old {
            self.owner_proof.clone_from(&one.new);
            return true;
        }
        let credential = Some(&mut self.sealed);
        let short = self.short_key.as_mut().map(|key| &mut key.sealed);
        let mut both = credential.into_iter().chain(short);
        let found = both.find(|sealed| sealed.wrapped_key == one.old);
        found.map(|sealed| sealed.wrapped_key = one.new.as_str().into()).is_some()
    }
}

/// The bodies that are kept with a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRow {
    /// Where the store has them.
    pub at: String,
    /// Whose record it is.
    pub user: UserId,
    /// The record's id.
    pub record: String,
    /// The bodies, sealed.
    pub bodies: KeptBodies,
}

/// A part of all kept bodies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPage {
    /// How many lie under each key, by its name.
    pub under: BTreeMap<String, u64>,
    /// Those that do not lie under the key that was asked for.
    pub others: Vec<KeptRow>,
    /// Where the next part begins; `None`: this was the last one.
    pub next: Option<String>,
}

impl KeptBodies {
    /// How both bodies begin in JSON, where this key sealed them: what a store searches for
    /// without reading them.
    pub fn beginning(kid: &str) -> String {
        format!("{{\"request\":\"v1.{kid}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_begin_in_json_with_their_key() {
        let sealed = |part: &str| format!("v1.k-1.{part}");
        let bodies = KeptBodies { request: sealed("a"), response: sealed("b"), cut: false };
        let json = serde_json::to_string(&bodies).unwrap();
        assert!(json.starts_with(&KeptBodies::beginning("k-1")), "{json}");
        assert!(!json.starts_with(&KeptBodies::beginning("k")), "{json}");
    }
}
