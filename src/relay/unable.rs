//! Accounts that were passed over, by the face that reaches them: the next request that asks
//! this face for what it can't do leases another one at once.
//!
//! What is known here may be old, for an account may get a credential of another kind: where
//! no other account is there, these are looked at all the same.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use crate::accounts::AccountId;
use crate::front::ChatRequest;
use crate::platforms::{Exchange, Face, Hop};

/// So many of one face are remembered, and kept out of a lease.
const MOST_KNOWN: usize = 256;

/// Faces that could not do what was asked, each with accounts that it reaches.
#[derive(Default)]
pub(super) struct Unable {
    faces: RwLock<Vec<(Arc<Face>, HashSet<AccountId>)>>,
}

impl Unable {
    /// An account was passed over, which this face reaches.
    pub(super) fn note(&self, account: AccountId, face: &Arc<Face>) {
        let mut faces = self.faces.write().unwrap_or_else(PoisonError::into_inner);
        forget(&mut faces, account);
        let at = faces.iter().position(|(known, _)| Arc::ptr_eq(known, face));
        let at = at.unwrap_or_else(|| {
            faces.push((face.clone(), HashSet::new()));
            faces.len() - 1
        });
        let accounts = &mut faces[at].1;
        if accounts.len() < MOST_KNOWN {
            accounts.insert(account);
        }
    }

    /// An account is looked at anew.
    pub(super) fn forget(&self, account: AccountId) {
        forget(&mut self.faces.write().unwrap_or_else(PoisonError::into_inner), account);
    }

    /// Accounts on this platform whose face can't do what is asked, as far as its rules tell.
    pub(super) fn of(&self, hop: &Hop, ask: &ChatRequest) -> Vec<AccountId> {
        let faces = self.faces.read().unwrap_or_else(PoisonError::into_inner);
        let lacks = |face: &Face| Exchange::lacks(&hop.platform, face, &hop.model, ask);
        let unable = faces.iter().filter(|(face, _)| hop.platform.has(face) && lacks(face));
        unable.flat_map(|(_, accounts)| accounts.iter().copied()).collect()
    }
}

fn forget(faces: &mut [(Arc<Face>, HashSet<AccountId>)], account: AccountId) {
    for (_, accounts) in faces {
        accounts.remove(&account);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::platforms::{Catalogue, DialectName};

    #[test]
    fn an_account_is_known_by_its_last_face_and_kept_out_of_what_that_lacks_alone() {
        let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
        let openai = catalogue.platform("openai").unwrap();
        let face = |dialect| openai.face(Some(dialect)).unwrap();
        let hop = |platform: &str, model: &str| {
            catalogue.resolve_on(catalogue.platform(platform).unwrap(), model)
        };
        let ask = |n: u8| {
            let body = json!({"messages": [{"role": "user", "content": "?"}], "n": n});
            ChatRequest::parse(body.to_string().into()).unwrap()
        };
        let (unable, account) = (Unable::default(), AccountId(7));
        let gpt = hop("openai", "gpt-5.4-mini");
        assert!(unable.of(&gpt, &ask(2)).is_empty());
        unable.note(account, face(DialectName::OpenaiResponses));
        assert_eq!(unable.of(&gpt, &ask(2)), [account]);
        assert!(unable.of(&gpt, &ask(1)).is_empty());
        assert!(unable.of(&hop("glm", "glm-4.7"), &ask(2)).is_empty());
        unable.note(account, face(DialectName::OpenaiChat));
        assert!(unable.of(&gpt, &ask(2)).is_empty());
        unable.note(account, face(DialectName::OpenaiResponses));
        unable.forget(account);
        assert!(unable.of(&gpt, &ask(2)).is_empty());
    }
}
