//! Which of two grants is the stronger one: a token makes none that may do more than itself,
//! and is itself changed to no more than it was.

use super::{PoolId, TokenGrant};

impl TokenGrant {
    /// The first field in which this grant allows more than another; `None`: it is at least as
    /// tight in each. Keeping bodies counts as a limit: who is watched makes nobody who isn't.
    pub fn exceeds(&self, other: &Self) -> Option<&'static str> {
        let is_within = [
            ("scopes", self.scopes.iter().all(|scope| other.scopes.contains(scope))),
            ("models", is_within(&self.models, &other.models)),
            ("expires_at", is_at_most(self.expires_at, other.expires_at)),
            ("points", self.points >= other.points),
            (
                "requests_per_minute",
                is_at_most(self.requests_per_minute, other.requests_per_minute),
            ),
            ("tokens_per_day", is_at_most(self.tokens_per_day, other.tokens_per_day)),
            ("keep_bodies", self.keep_bodies >= other.keep_bodies),
        ];
        self.reaches_beyond(other).or_else(|| first_beyond(is_within))
    }

    /// Of the fields that say what a token has anything to do with (its platforms and its
    /// pools), the first that reaches further than another's.
    pub fn reaches_beyond(&self, other: &Self) -> Option<&'static str> {
        first_beyond([
            ("platforms", is_within(&self.platforms, &other.platforms)),
            ("pools", are_of(self.only_pools.as_deref(), other.only_pools.as_deref())),
        ])
    }
}

fn first_beyond<const N: usize>(is_within: [(&'static str, bool); N]) -> Option<&'static str> {
    is_within.into_iter().find(|(_, is_within)| !is_within).map(|(field, _)| field)
}

/// Whether a list that limits (empty: not at all) allows nothing that another does not.
fn is_within<T: PartialEq>(list: &[T], other: &[T]) -> bool {
    other.is_empty() || (!list.is_empty() && list.iter().all(|one| other.contains(one)))
}

/// Whether pools (none named: every one of the user's) are among others.
fn are_of(pools: Option<&[PoolId]>, others: Option<&[PoolId]>) -> bool {
    match (pools, others) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(pools), Some(others)) => pools.iter().all(|pool| others.contains(pool)),
    }
}

/// Whether a bound (none: there is none) lies no higher than another.
fn is_at_most<T: PartialOrd>(bound: Option<T>, other: Option<T>) -> bool {
    match (bound, other) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(bound), Some(other)) => bound <= other,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use jiff::Timestamp;

    use super::super::{PoolId, Scope, Spending, TokenId, Tokens, UserId};
    use super::*;

    type Widen = fn(&mut TokenGrant);

    fn limited() -> TokenGrant {
        TokenGrant {
            id: TokenId(1),
            user: UserId(1),
            personal: PoolId(1),
            only_pools: Some(vec![PoolId(1), PoolId(2)]),
            scopes: vec![Scope::Chat, Scope::AccountsWrite],
            models: vec!["a".into(), "b".into()],
            platforms: vec!["qwen".into()],
            expires_at: Some(Timestamp::UNIX_EPOCH),
            points: Spending::Never,
            requests_per_minute: NonZeroU32::new(60),
            tokens_per_day: Some(Tokens(1000)),
            keep_bodies: true,
        }
    }

    #[test]
    fn each_field_that_allows_more_is_named() {
        let later = Timestamp::from_second(1).ok();
        let wider: [(&str, Widen); 13] = [
            ("scopes", |grant| grant.scopes.push(Scope::AccountsRead)),
            ("models", |grant| grant.models.push("c".into())),
            ("models", |grant| grant.models.clear()),
            ("platforms", |grant| grant.platforms = vec!["glm".into()]),
            ("platforms", |grant| grant.platforms.clear()),
            ("pools", |grant| grant.only_pools = Some(vec![PoolId(1), PoolId(3)])),
            ("pools", |grant| grant.only_pools = None),
            ("expires_at", |grant| grant.expires_at = None),
            ("points", |grant| grant.points = Spending::Fallback),
            ("requests_per_minute", |grant| grant.requests_per_minute = NonZeroU32::new(61)),
            ("requests_per_minute", |grant| grant.requests_per_minute = None),
            ("tokens_per_day", |grant| grant.tokens_per_day = Some(Tokens(1001))),
            ("keep_bodies", |grant| grant.keep_bodies = false),
        ];
        for (field, widen) in wider {
            let mut grant = limited();
            widen(&mut grant);
            assert_eq!(grant.exceeds(&limited()), Some(field));
        }
        assert_eq!(
            TokenGrant { expires_at: later, ..limited() }.exceeds(&limited()),
            Some("expires_at")
        );
    }

    #[test]
    fn only_platforms_and_pools_reach_anywhere() {
        let wider = TokenGrant {
            scopes: vec![Scope::AccountsRead],
            models: vec![],
            expires_at: None,
            points: Spending::Fallback,
            requests_per_minute: None,
            tokens_per_day: None,
            keep_bodies: false,
            ..limited()
        };
        assert_eq!(wider.reaches_beyond(&limited()), None);
        let further = TokenGrant { platforms: vec![], ..limited() };
        assert_eq!(further.reaches_beyond(&limited()), Some("platforms"));
        let further = TokenGrant { only_pools: Some(vec![PoolId(3)]), ..limited() };
        assert_eq!(further.reaches_beyond(&limited()), Some("pools"));
        assert_eq!(limited().reaches_beyond(&further), Some("pools"));
    }

    #[test]
    fn as_much_or_less_is_no_more() {
        let free = TokenGrant {
            models: vec![],
            platforms: vec![],
            expires_at: None,
            points: Spending::Fallback,
            requests_per_minute: None,
            tokens_per_day: None,
            keep_bodies: false,
            only_pools: None,
            ..limited()
        };
        let less = TokenGrant { scopes: vec![], only_pools: Some(vec![PoolId(2)]), ..limited() };
        for (one, other) in
            [(&less, &limited()), (&limited(), &limited()), (&limited(), &free), (&free, &free)]
        {
            assert_eq!(one.exceeds(other), None);
        }
    }
}
