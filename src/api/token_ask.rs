//! What shall be granted by a token that is made, or changed.

use std::num::NonZeroU32;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::ask::{self, bad, refused};
use super::{ApiError, App};
use crate::accounts::{PoolId, Scope, Spending, TokenGrant, Tokens};
use crate::authorize::{LONGEST_NAME, is_name};
use crate::telemetry::clock;

/// A gateway token's name and limits. What is left out is, of a new token, as of the one that
/// makes it; of one that is changed, as it was.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenAsk {
    /// What it is known by; several may have one name. A new token without one is `default`.
    name: Option<String>,
    /// `chat`, `accounts:read`, `accounts:write`; a new token has the first two, as far as the
    /// one that makes it has them.
    #[schemars(with = "Option<Vec<String>>")]
    scopes: Option<Vec<Scope>>,
    /// The model names that it may call; empty: every one.
    models: Option<Vec<String>>,
    /// The platforms that it may reach; empty: every one.
    platforms: Option<Vec<String>>,
    /// The only pools that it draws from, in order; null: the personal one, then the teams'.
    #[serde(default, deserialize_with = "ask::given")]
    #[schemars(with = "Option<Vec<i64>>")]
    pools: Option<Option<Vec<PoolId>>>,
    /// When it ends; null: when it is revoked.
    #[serde(default, deserialize_with = "ask::given")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<Option<Timestamp>>,
    /// `fallback`: its calls may cost points once no account has quota; or `never`.
    #[schemars(with = "Option<String>")]
    points: Option<Spending>,
    /// Null: any number.
    #[serde(default, deserialize_with = "ask::given")]
    #[schemars(with = "Option<u32>", range(min = 1))]
    requests_per_minute: Option<Option<NonZeroU32>>,
    /// A day begins at 00:00 UTC. Null: any number.
    #[serde(default, deserialize_with = "ask::given")]
    #[schemars(with = "Option<u64>", range(min = 1))]
    tokens_per_day: Option<Option<Tokens>>,
    /// Whether requests and answers are kept with its records, sealed.
    keep_bodies: Option<bool>,
}

/// What a new token may do where nothing is said.
const USUAL: [Scope; 2] = [Scope::Chat, Scope::AccountsRead];

impl TokenAsk {
    /// The name that was given.
    pub(super) fn take_name(&mut self) -> Result<Option<String>, ApiError> {
        let name = self.name.take();
        if name.as_deref().is_some_and(|name| !is_name(name)) {
            let said = format!("A name is one line of text, {LONGEST_NAME} characters at most.");
            return Err(refused("invalid_name", "name", said));
        }
        Ok(name)
    }

    /// The grant that a new token shall have, by the one of its maker.
    pub(super) fn of_new(self, app: &App, maker: &TokenGrant) -> Result<TokenGrant, ApiError> {
        let usual = maker.scopes.iter().copied().filter(|scope| USUAL.contains(scope)).collect();
        self.of_changed(app, &TokenGrant { scopes: usual, ..maker.clone() })
    }

    /// The grant that a token shall have which has this one.
    pub(super) fn of_changed(self, app: &App, now: &TokenGrant) -> Result<TokenGrant, ApiError> {
        if self.expires_at.flatten().is_some_and(|at| at <= clock::now()) {
            return Err(bad("expires_at", "It must lie ahead."));
        }
        if self.tokens_per_day.flatten() == Some(Tokens::ZERO) {
            return Err(bad("tokens_per_day", "It must be 1 at least."));
        }
        if self.pools.iter().flatten().any(Vec::is_empty) {
            return Err(bad("pools", "A token draws from one pool at least."));
        }
        let catalogue = &app.gateway.parts.catalogue;
        let mut named = self.platforms.iter().flatten();
        if let Some(unknown) = named.position(|id| catalogue.platform(id).is_none()) {
            let said = "There is no such platform. GET /api/v1/oauth/platforms lists them.";
            return Err(refused("unknown_platform", &format!("platforms[{unknown}]"), said));
        }
        Ok(TokenGrant {
            id: now.id,
            user: now.user,
            personal: now.personal,
            only_pools: match self.pools {
                Some(pools) => pools.map(|pools| once_each(Some(pools), &[])),
                None => now.only_pools.clone(),
            },
            scopes: once_each(self.scopes, &now.scopes),
            models: once_each(self.models, &now.models),
            platforms: once_each(self.platforms, &now.platforms),
            expires_at: self.expires_at.unwrap_or(now.expires_at),
            points: self.points.unwrap_or(now.points),
            requests_per_minute: self.requests_per_minute.unwrap_or(now.requests_per_minute),
            tokens_per_day: self.tokens_per_day.unwrap_or(now.tokens_per_day),
            keep_bodies: self.keep_bodies.unwrap_or(now.keep_bodies),
        })
    }
}

/// A list that was given, or else the one that there is.
fn once_each<T: Clone + PartialEq>(given: Option<Vec<T>>, now: &[T]) -> Vec<T> {
    let Some(given) = given else { return now.to_vec() };
    let mut list = Vec::with_capacity(given.len());
    for one in given {
        if !list.contains(&one) {
            list.push(one);
        }
    }
    list
}
