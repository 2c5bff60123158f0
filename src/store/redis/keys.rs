//! The keys.
//!
//! A family (one pool on one platform) has a fixed handful, all under the pool's hash
//! tag, so that every script stays in one slot.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use jiff::civil::Date;

use crate::accounts::{
    AccountId, AttemptKey, Channel, LeaseKey, PlatformId, PoolId, Purse, TokenId, UserId,
};

/// One pool on one platform.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Family {
    pub(super) pool: PoolId,
    pub(super) platform: PlatformId,
}

impl Family {
    pub(super) fn of(lease: &LeaseKey) -> Self {
        Self { pool: lease.pool, platform: lease.platform.clone() }
    }

    /// As it lies in the set of families.
    pub(super) fn text(&self) -> String {
        format!("{} {}", self.pool, self.platform)
    }

    /// Of an account's place also, where another word may follow (`moves.rs`).
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (pool, platform) = (words.next()?, words.next()?);
        Some(Self { pool: PoolId(pool.parse().ok()?), platform: platform.into() })
    }

    /// The keys that the steps of a move declare, `moved.lua`'s after `common.lua`'s.
    pub(super) fn keys_of_moves(&self) -> Vec<String> {
        [self.keys(), vec![self.moved()]].concat()
    }

    /// The keys that every script declares, in the order of `common.lua`.
    fn keys(&self) -> Vec<String> {
        const FIRST: [&str; 21] = [
            "a", "q", "qi", "lo", "t", "r", "s", "ls", "ld", "out", "b", "bt", "n", "h", "f", "nm",
            "te", "m0", "m1", "m2", "m3",
        ];
        const PLACES: [&str; 5] = ["p", "p0", "p1", "p2", "p3"];
        const CONVERSATIONS: [&str; 2] = ["c", "ct"];
        let own = |names: &[&str]| names.iter().map(|name| self.key(name)).collect::<Vec<_>>();
        let (platforms, policy) = (vec![platforms(self.pool)], vec![policy(self.pool)]);
        let sums = vec![self.sums()];
        [own(&FIRST), platforms, own(&PLACES), policy, own(&CONVERSATIONS), sums].concat()
    }

    fn key(&self, name: &str) -> String {
        format!("{{p:{}}}:{}:{name}", self.pool, self.platform)
    }

    /// Accounts by id: the moving part.
    pub(super) fn accounts(&self) -> String {
        self.key("a")
    }

    /// Accounts by id: the fixed part.
    pub(super) fn fixed(&self) -> String {
        self.key("f")
    }

    /// What was charged, by day, user, token, account and model.
    pub(super) fn sums(&self) -> String {
        self.key("sum")
    }

    /// The last move of each account that it was touched by here, for a day at least.
    fn moved(&self) -> String {
        self.key("mv")
    }

    /// Who makes an account's next short-lived key.
    pub(super) fn renewal(&self, account: AccountId) -> String {
        self.key(&format!("rn:{account}"))
    }

    /// The stream of charges.
    pub(super) fn charges(&self) -> String {
        self.key("out")
    }
}

/// Each family's keys, made once.
#[derive(Default)]
pub(super) struct FamilyKeys(Mutex<HashMap<Family, Arc<[String]>, RandomState>>);

impl FamilyKeys {
    pub(super) fn of(&self, family: &Family) -> Arc<[String]> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(family) {
            Some(keys) => keys.clone(),
            None => known.entry(family.clone()).or_insert_with(|| family.keys().into()).clone(),
        }
    }
}

/// Every family that there is.
pub(super) const FAMILIES: &str = "families";
/// The zone of every window that there is.
pub(super) const ZONES: &str = "zones";
/// Users by name, users by id, and counters: one slot.
pub(super) const USERS: [&str; 3] = ["{us}:names", "{us}:users", "{us}:counters"];
/// What users may do and what they sign in with, by id; in the slot of the users.
pub(super) const IDENTITIES: &str = "{us}:identities";
/// One-time links by what they are for.
pub(super) const LINKS: &str = "links";
/// The format of all that lies here.
pub(super) const FORMAT: &str = "format";
/// The policy of pools without one of their own, and since when it is that.
pub(super) const USUAL_POLICY: &str = "usual-policy";
/// Teams by their pools' ids, in the users' slot.
pub(super) const TEAMS: &str = "{us}:teams";

/// A team's members: user to membership.
pub(super) fn members_of(pool: PoolId) -> String {
    format!("{{us}}:members:{pool}")
}

/// A user's teams: pool to membership.
pub(super) fn teams_of(user: UserId) -> String {
    format!("{{us}}:teams_of:{user}")
}

/// Who ever was a member of a team.
pub(super) fn ever_in(pool: PoolId) -> String {
    format!("{{us}}:ever_in:{pool}")
}

/// The teams that a user ever was in: where it may have been charged.
pub(super) fn ever_of(user: UserId) -> String {
    format!("{{us}}:ever_of:{user}")
}

/// What a change of one membership touches.
pub(super) fn member(pool: PoolId, user: UserId) -> [String; 5] {
    [TEAMS.into(), members_of(pool), teams_of(user), ever_in(pool), ever_of(user)]
}

/// The canaries, in the order they came.
pub(super) const CANARIES: &str = "canaries";
/// The audit log.
pub(super) const AUDIT: &str = "{au}:log";
/// Notices by their numbers, and what these are counted by.
pub(super) const NOTICES: &str = "{no}:log";
pub(super) const NOTICE_IDS: &str = "{no}:ids";
/// How often each key of the ring has sealed.
pub(super) const SEALS: &str = "seals";
pub(super) const TOKEN_IDS: &str = "ids:token";
pub(super) const ACCOUNT_IDS: &str = "ids:account";

/// The platforms of a pool.
pub(super) fn platforms(pool: PoolId) -> String {
    format!("{{p:{pool}}}:platforms")
}

/// A pool's own policy, the usual one, and which policy each family's order is for.
pub(super) fn policy(pool: PoolId) -> String {
    format!("{{p:{pool}}}:policy")
}

/// A token by its keyed hash.
pub(super) fn token(index: &str) -> String {
    format!("{{t:{index}}}")
}

/// A purse: what is in it, its holds, their times, its ledger.
pub(super) fn purse(purse: &Purse) -> [String; 4] {
    let name = match purse {
        Purse::Points(user) => format!("{{u:{user}}}:points"),
        Purse::Budget { index, .. } => format!("{}:budget", token(index)),
    };
    let [holds, times, ledger] = ["holds", "times", "ledger"].map(|part| format!("{name}:{part}"));
    [name, holds, times, ledger]
}

/// When a token's rate is fresh again.
pub(super) fn rate(index: &str) -> String {
    format!("{}:rate", token(index))
}

/// A console session by its keyed hash.
pub(super) fn session(index: &str) -> String {
    format!("{{s:{index}}}")
}

/// A user's console sessions: id to index.
pub(super) fn sessions_of(user: UserId) -> String {
    format!("{{u:{user}}}:sessions")
}

/// What was tried of a name or from an address.
pub(super) fn attempts(key: &AttemptKey) -> String {
    match key {
        AttemptKey::Name(hash) => format!("try:n:{hash}"),
        AttemptKey::Address(address) => format!("try:a:{address}"),
    }
}

/// The numbers of the audit log's rows that show in a user's.
pub(super) fn audit_of(user: UserId) -> String {
    format!("{{au}}:of:{user}")
}

/// A thing that was said.
pub(super) fn notice_key(key: &str) -> String {
    format!("{{no}}:k:{key}")
}

/// The numbers of notices about a pool's accounts.
pub(super) fn notices_in(pool: PoolId) -> String {
    format!("{{no}}:p:{pool}")
}

/// The numbers of notices about an account.
pub(super) fn notices_on(account: AccountId) -> String {
    format!("{{no}}:a:{account}")
}

/// The numbers of notices that a user has read.
pub(super) fn notices_read(user: UserId) -> String {
    format!("{{no}}:r:{user}")
}

/// The numbers of notices that are to be sent, by when.
pub(super) fn notices_to_send(channel: Channel) -> String {
    format!("{{no}}:q:{}", channel.name())
}

/// How often each of them was tried.
pub(super) fn notices_tried(channel: Channel) -> String {
    format!("{{no}}:n:{}", channel.name())
}

/// Where a token's id lies.
pub(super) fn token_place(token: TokenId) -> String {
    format!("tix:{token}")
}

/// Where an account's id lies.
pub(super) fn account_place(account: AccountId) -> String {
    format!("acx:{account}")
}

/// The families that an account was in, or was to be in: something of it may lie there.
pub(super) fn former_places(account: AccountId) -> String {
    format!("acw:{account}")
}

/// A user's tokens: id to index.
pub(super) fn tokens_of(user: UserId) -> String {
    format!("{{u:{user}}}:tokens")
}

/// When a user's tokens were last used: id to milliseconds.
pub(super) fn token_uses(user: UserId) -> String {
    format!("{{u:{user}}}:token_uses")
}

/// A user's records: ids by time, records by id, ids by account and time, and what was said by
/// the record's id.
pub(super) fn records_of(user: UserId) -> [String; 4] {
    ["ri", "rb", "ra", "rs"].map(|part| format!("{{u:{user}}}:{part}"))
}

/// The accounts that were removed while calls of a user's may have been under way.
pub(super) fn gone_of(user: UserId) -> String {
    format!("{{u:{user}}}:gone")
}

/// The days for which a user has totals.
pub(super) fn days_of(user: UserId) -> String {
    format!("{{u:{user}}}:days")
}

/// A user's totals of a day, but what was charged: that lies where it was charged.
pub(super) fn totals_of(user: UserId, day: Date) -> String {
    format!("{{u:{user}}}:totals:{day}")
}
