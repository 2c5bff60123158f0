//! Which account each conversation of a family is on, for pools that are sticky.
//!
//! They lie in memory alone: after a restart a conversation goes to the account with the
//! most left, as a new one does, and stays there.

use std::collections::BTreeSet;

use crate::accounts::{AccountId, Conversation, IdMap};

use super::Ms;

/// A family's conversations.
#[derive(Default)]
pub(super) struct Bindings {
    by_conversation: IdMap<Conversation, (AccountId, Ms)>,
    by_time: BTreeSet<(Ms, Conversation)>,
}

impl Bindings {
    /// The account that a conversation is on.
    pub(super) fn find(&self, conversation: Conversation, now: Ms) -> Option<AccountId> {
        let &(account, at) = self.by_conversation.get(&conversation)?;
        (at > oldest(now)).then_some(account)
    }

    /// A conversation's request goes to an account; answers where it was before.
    pub(super) fn bind(
        &mut self,
        conversation: Conversation,
        account: AccountId,
        now: Ms,
    ) -> Option<AccountId> {
        let before = self.find(conversation, now);
        if let Some((_, at)) = self.by_conversation.insert(conversation, (account, now)) {
            self.by_time.remove(&(at, conversation));
        }
        self.by_time.insert((now, conversation));
        if self.by_time.len() > Conversation::KEPT {
            self.forget_first();
        }
        before
    }

    /// Forgets those that have been silent for long.
    pub(super) fn forget(&mut self, now: Ms) {
        while self.by_time.first().is_some_and(|&(at, _)| at <= oldest(now)) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, conversation)) = self.by_time.pop_first() {
            self.by_conversation.remove(&conversation);
        }
    }
}

fn oldest(now: Ms) -> Ms {
    now - Conversation::FRESH.as_millis() as Ms
}
