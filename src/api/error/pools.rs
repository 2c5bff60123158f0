//! What can be wrong with a call about a pool or its members.

use http::StatusCode;

use super::{INVALID, refuse};
use crate::accounts::{AccountId, Membership};
use crate::platforms::Refusal;

/// Why a call about a pool got nothing.
#[derive(Debug)]
pub enum PoolError {
    /// No such pool among those that the caller draws from; the id may not even be one.
    NoPool,
    /// It is for owners: of the pool, or of the account.
    NotOwner,
    /// It is nobody's but its user's.
    Personal,
    /// The token is limited to certain pools.
    Limited,
    /// It has accounts.
    HasAccounts,
    /// No such user.
    NoUser,
    /// No such member.
    NoMember,
    /// The team would have no owner.
    LastOwner,
    /// The team, or the user, has as many as it may.
    Full,
    /// Another change came between.
    Changed,
    /// The member's account is there.
    BroughtOne(AccountId),
    /// An account that shall go to another pool is in use.
    AccountBusy,
    /// It was changed while it was to go.
    AccountChanged,
    /// It is between two pools.
    AccountMoving,
    /// That it is its owner's is not proved.
    AccountUnproved,
}

impl PoolError {
    pub(super) fn refusal(&self) -> Refusal {
        let no = |status, param, code, message: String| {
            refuse(status, INVALID, Some(param), code, message)
        };
        let (missing, conflict) = (StatusCode::NOT_FOUND, StatusCode::CONFLICT);
        match self {
            Self::NoPool => {
                let said = "There is no such pool among yours.".into();
                no(missing, "pool_id", "pool_not_found", said)
            }
            Self::NotOwner => refuse(
                StatusCode::FORBIDDEN,
                INVALID,
                None,
                "owner_required",
                "Only an owner may do this: of the pool, or of the account.".into(),
            ),
            Self::Personal => {
                let said = "A personal pool is its user's alone: it has no other members, no \
                            other name, and stays.";
                no(StatusCode::BAD_REQUEST, "pool_id", "personal_pool", said.into())
            }
            Self::Limited => refuse(
                StatusCode::FORBIDDEN,
                INVALID,
                None,
                "token_limited",
                "This token is limited to certain pools: it can't make others.".into(),
            ),
            Self::HasAccounts => {
                let said = "The pool has accounts: move or delete them first.".into();
                no(conflict, "pool_id", "pool_not_empty", said)
            }
            Self::NoUser => {
                no(missing, "user", "user_not_found", "There is no user of that name.".into())
            }
            Self::NoMember => {
                let said = "The pool has no such member.".into();
                no(missing, "user", "member_not_found", said)
            }
            Self::LastOwner => {
                let said = "It is the team's last owner: make another one first.".into();
                no(conflict, "user", "last_owner", said)
            }
            Self::Full => {
                let (members, teams) = (Membership::MOST_MEMBERS, Membership::MOST_TEAMS);
                let said = format!(
                    "A team has {members} members at most, and a user is in {teams} teams at most."
                );
                no(conflict, "user", "too_many_members", said)
            }
            Self::Changed => {
                let said = "The team's members changed meanwhile: ask again.".into();
                no(conflict, "user", "members_changed", said)
            }
            Self::BroughtOne(account) => {
                let said = format!(
                    "Account {account} in the pool is that member's: it moves it to another \
                             pool, or it is deleted, first."
                );
                no(conflict, "user", "member_has_accounts", said)
            }
            Self::AccountBusy => {
                let said = "Requests are under way on the account. Disable it, wait until its \
                            `leased` is 0 (two minutes at most), then move it.";
                no(conflict, "pool", "account_busy", said.into())
            }
            Self::AccountChanged => {
                let said = "The account was changed meanwhile: ask again.".into();
                no(conflict, "pool", "account_changed", said)
            }
            Self::AccountUnproved => {
                let said = "Nothing proves that the account is yours: bind it anew in the other \
                            pool, or have the operator move it.";
                let refusal = no(conflict, "account_id", "account_unproved", said.into());
                Refusal { never_retry: true, ..refusal }
            }
            Self::AccountMoving => {
                let said = "A move of the account to another pool was broken off. Move it there \
                            again (`pool` alone), or to the pool that it is in.";
                let refusal = no(conflict, "account_id", "account_moving", said.into());
                Refusal { never_retry: true, ..refusal }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn all() -> [Self; 15] {
        [
            Self::NoPool,
            Self::NotOwner,
            Self::Personal,
            Self::Limited,
            Self::HasAccounts,
            Self::NoUser,
            Self::NoMember,
            Self::LastOwner,
            Self::Full,
            Self::Changed,
            Self::BroughtOne(AccountId(1)),
            Self::AccountBusy,
            Self::AccountChanged,
            Self::AccountMoving,
            Self::AccountUnproved,
        ]
    }
}
