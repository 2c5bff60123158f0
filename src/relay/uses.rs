//! When tokens were last used: noted once a minute a token, behind the answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::caller::Callers;
use crate::accounts::{TokenGrant, TokenId, TokenUse};
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::telemetry::clock;
use crate::telemetry::events::StoreFailed;

/// A token that was noted is not noted again for so long.
const REST_MS: i64 = 60_000;
/// How many tokens are remembered as noted.
const MOST: usize = 20_000;

/// Tokens that were seen lately.
#[derive(Default)]
pub(super) struct Uses(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    noted_ms: HashMap<TokenId, i64>,
    news: Vec<TokenUse>,
}

impl Uses {
    /// Takes in that a token is used now.
    pub(super) fn saw(&self, grant: &TokenGrant) {
        let at = clock::now();
        let now_ms = at.as_millisecond();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |noted_ms: &i64| now_ms.saturating_sub(*noted_ms) < REST_MS;
        if seen.noted_ms.get(&grant.id).is_some_and(is_fresh) {
            return;
        }
        if seen.noted_ms.len() >= MOST {
            seen.noted_ms.retain(|_, noted_ms| is_fresh(noted_ms));
        }
        if seen.noted_ms.len() < MOST {
            seen.noted_ms.insert(grant.id, now_ms);
            seen.news.push(TokenUse { user: grant.user, token: grant.id, at });
        }
    }

    /// What was not told yet.
    fn take(&self) -> Vec<TokenUse> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut seen.news)
    }
}

/// Carries to the store which tokens were used, each second. What it does not take is not
/// insisted on: a token that is used is noted again a minute later.
pub async fn note_uses(callers: Arc<Callers>, store: Arc<dyn Store>, metrics: Arc<Metrics>) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    loop {
        every.tick().await;
        let news = callers.uses().take();
        if !news.is_empty()
            && let Err(error) = store.note_uses(news).await
        {
            StoreFailed { metrics: &metrics, why: &error.to_string() }.emit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{PoolId, Spending, UserId};

    #[test]
    fn a_token_that_is_used_all_the_time_is_noted_once() {
        let grant = |id| TokenGrant {
            id: TokenId(id),
            user: UserId(7),
            personal: PoolId(1),
            only_pools: None,
            scopes: vec![],
            models: vec![],
            platforms: vec![],
            expires_at: None,
            points: Spending::Never,
            requests_per_minute: None,
            tokens_per_day: None,
            keep_bodies: false,
        };
        let uses = Uses::default();
        for id in [1, 1, 2, 1] {
            uses.saw(&grant(id));
        }
        let told = |uses: &Uses| uses.take().iter().map(|used| used.token.0).collect::<Vec<_>>();
        assert_eq!(told(&uses), [1, 2]);
        uses.saw(&grant(2));
        assert_eq!(told(&uses), [0; 0]);
    }
}
