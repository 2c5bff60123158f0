//! Users, gateway tokens, canaries, seals, and the counters that ids come from.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use crate::accounts::{
    AccountId, GatewayTokenRow, Identity, LinkRow, PoolId, Record, SessionRow, TokenId, TokenUse,
    User, UserId,
};

use super::super::super::{Answer, StoreError};
use super::super::notices::Waiting;
use super::{Books, Note};

/// What ids are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in super::super) enum Counter {
    User,
    Pool,
    Token,
    Account,
    Notice,
}

impl Counter {
    pub(in super::super) const ALL: [Self; 5] =
        [Self::User, Self::Pool, Self::Token, Self::Account, Self::Notice];

    /// Its name in the file.
    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Pool => "pool",
            Self::Token => "token",
            Self::Account => "account",
            Self::Notice => "notice",
        }
    }
}

/// Who may call.
#[derive(Default)]
pub(in super::super) struct People {
    pub(in super::super) users: BTreeMap<UserId, User>,
    pub(in super::super) tokens: BTreeMap<TokenId, Arc<GatewayTokenRow>>,
    by_index: HashMap<String, TokenId>,
    /// Console sessions by their index.
    pub(in super::super) sessions: HashMap<String, SessionRow>,
    /// One-time links by their purpose.
    pub(in super::super) links: HashMap<String, LinkRow>,
    /// When tokens were last used.
    uses: BTreeMap<TokenId, Timestamp>,
    pub(in super::super) canaries: Vec<String>,
    pub(in super::super) counters: BTreeMap<Counter, i64>,
    /// How often each key of the ring has sealed.
    pub(in super::super) seals: BTreeMap<Box<str>, u64>,
    /// The number and the MAC of the audit log's last row.
    pub(in super::super) audited: (i64, String),
    /// Notices that wait to be sent.
    pub(in super::super) waiting: Waiting,
}

impl People {
    pub(in super::super) fn place_token(&mut self, row: Arc<GatewayTokenRow>) {
        self.by_index.insert(row.index.clone(), row.grant.id);
        self.tokens.insert(row.grant.id, row);
    }

    pub(in super::super) fn place_use(&mut self, token: TokenId, at: Timestamp) {
        self.uses.insert(token, at);
    }

    pub(in super::super) fn uses_of(&self, user: UserId) -> BTreeMap<TokenId, Timestamp> {
        let is_its =
            |token: &TokenId| self.tokens.get(token).is_some_and(|row| row.grant.user == user);
        self.uses.iter().filter(|(token, _)| is_its(token)).map(|(&id, &at)| (id, at)).collect()
    }

    pub(in super::super) fn token(&self, index: &str) -> Option<&Arc<GatewayTokenRow>> {
        self.tokens.get(self.by_index.get(index)?)
    }
}

impl Books {
    /// The next id of a kind; never given twice, though the books be read anew.
    pub(in super::super) fn next_id(&mut self, counter: Counter) -> i64 {
        let count = self.people.counters.entry(counter).or_default();
        *count += 1;
        let id = *count;
        self.rows.push(Note::Counter(counter, id));
        id
    }

    pub(in super::super) fn add_user(&mut self, name: &str, now: Timestamp) -> Answer<User> {
        if self.people.users.values().any(|user| user.name == name) {
            return Err(StoreError::Taken(format!("a user named {name}")));
        }
        let user = User {
            id: UserId(self.next_id(Counter::User)),
            name: name.into(),
            pool: PoolId(self.next_id(Counter::Pool)),
            created_at: now,
            identity: Identity::default(),
        };
        self.people.users.insert(user.id, user.clone());
        self.rows.push(Note::User(user.clone()));
        Ok(user)
    }

    /// Adds a user with ids that were reserved; again, it is there.
    pub(in super::super) fn enrol(&mut self, user: User) -> Answer<()> {
        if self.people.users.get(&user.id) == Some(&user) {
            return Ok(());
        }
        let is_taken = |other: &User| other.name == user.name || other.id == user.id;
        if self.people.users.values().any(is_taken) {
            return Err(StoreError::Taken(format!("a user named {}", user.name)));
        }
        self.rows.push(Note::User(user.clone()));
        self.rows.push(Note::Identity(user.id, user.identity.clone()));
        self.people.users.insert(user.id, user);
        Ok(())
    }

    /// Gives a user another identity, if it still has this one.
    pub(in super::super) fn set_identity(
        &mut self,
        id: UserId,
        before: &Identity,
        after: Identity,
    ) -> bool {
        let Some(user) = self.people.users.get_mut(&id) else { return false };
        if user.identity != *before {
            return false;
        }
        user.identity = after.clone();
        self.rows.push(Note::Identity(id, after));
        true
    }

    pub(in super::super) fn add_token(&mut self, row: GatewayTokenRow) -> Answer<()> {
        if self.people.by_index.contains_key(&row.index)
            || self.people.tokens.contains_key(&row.grant.id)
        {
            return Err(StoreError::Taken("this token".into()));
        }
        let row = Arc::new(row);
        self.rows.push(Note::Token(row.clone()));
        self.people.place_token(row);
        Ok(())
    }

    /// Gives a token's row another index, if it is still this row, and not revoked.
    pub(in super::super) fn reindex(
        &mut self,
        old: &GatewayTokenRow,
        new: GatewayTokenRow,
    ) -> bool {
        let people = &mut self.people;
        let is_it = people.tokens.get(&new.grant.id).is_some_and(|row| **row == *old);
        if !is_it || old.revoked_at.is_some() || people.by_index.contains_key(&new.index) {
            return false;
        }
        people.by_index.remove(&old.index);
        let row = Arc::new(new);
        self.rows.push(Note::Reindexed(row.clone()));
        people.place_token(row);
        true
    }

    /// Gives a token's row another grant or name, if it is still this row, and not revoked.
    pub(in super::super) fn change_token(
        &mut self,
        old: &GatewayTokenRow,
        new: GatewayTokenRow,
    ) -> bool {
        let people = &mut self.people;
        let is_it = people.tokens.get(&new.grant.id).is_some_and(|row| **row == *old);
        if !is_it || old.revoked_at.is_some() || old.index != new.index {
            return false;
        }
        let row = Arc::new(new);
        self.rows.push(Note::Reindexed(row.clone()));
        people.place_token(row);
        true
    }

    /// Notes uses of tokens.
    pub(in super::super) fn note_uses(&mut self, uses: &[TokenUse]) {
        for &TokenUse { token, at, .. } in uses {
            let is_news = self.people.uses.get(&token).is_none_or(|before| *before < at);
            if is_news && self.people.tokens.contains_key(&token) {
                self.people.place_use(token, at);
                self.rows.push(Note::Used(token, at));
            }
        }
    }

    /// Revokes a token; one that is revoked already stays as it was.
    pub(in super::super) fn revoke(&mut self, id: TokenId, now: Timestamp) -> bool {
        let Some(row) = self.people.tokens.get_mut(&id) else { return false };
        if row.revoked_at.is_none() {
            Arc::make_mut(row).revoke(now);
            self.rows.push(Note::Revoked(row.clone()));
        }
        true
    }

    pub(in super::super) fn add_canary(&mut self, canary: &str) {
        if !self.people.canaries.iter().any(|known| known == canary) {
            self.people.canaries.push(canary.into());
            self.rows.push(Note::Canary(canary.into()));
        }
    }

    pub(in super::super) fn remove_canary(&mut self, canary: &str) {
        self.people.canaries.retain(|known| known != canary);
        self.rows.push(Note::NoCanary(canary.into()));
    }

    pub(in super::super) fn count_seals(&mut self, kid: &str, more: u64) -> u64 {
        let seals = self.people.seals.entry(kid.into()).or_default();
        *seals = seals.saturating_add(more);
        self.rows.push(Note::Seals(kid.into(), *seals));
        *seals
    }

    /// A call may end after its account was removed: it is kept without the id.
    pub(in super::super) fn add_record(&mut self, record: Arc<Record>) {
        let accounts = record.attempts.iter().map(|attempt| attempt.account);
        let gone: Vec<AccountId> =
            accounts.filter(|account| !self.accounts.contains_key(account)).collect();
        if gone.iter().any(|account| *account != AccountId::OPERATOR) {
            // Its row will not tell that an account of the caller's paid, as totals want to know.
            self.let_fold();
        }
        self.rows.push(Note::Record(record, gone));
    }
}
