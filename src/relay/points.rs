//! Points: the operator's own keys, for callers none of whose accounts has quota left.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::call::Call;
use super::caller::Caller;
use super::chat::First;
use super::error::{CallError, PointsSaid};
use super::failure::{Consequence, Failure, Next};
use super::gateway::Gateway;
use super::hold::{self, OpenHold};
use super::ids::lease_id;
use super::lease::OpenLease;
use super::route::Route;
use super::tried::Tried;
use crate::accounts::{
    Account, AccountId, EARLY_TRY, Harm, HoldAsk, HoldRefusal, PoolId, Purse, Rest, UserId, later,
};
use crate::authorize::CREDENTIAL_FIELD;
use crate::front::{ChatRequest, Usage};
use crate::platforms::{Credential, Hop, Price, Reader};
use crate::telemetry::clock;
use crate::telemetry::events::PointsAsked;
use crate::vault::{Place, Plain, SealError, Vault};

/// A key that its platform refuses is left alone for so long.
const REFUSED_REST_MS: i64 = 60_000;

/// One of the operator's own keys.
pub struct OperatorKey {
    /// Where it is good.
    pub platform: String,
    /// The dialect to speak there; `None`: the platform's usual one.
    pub dialect: Option<String>,
    /// The key.
    pub credential: Credential,
}

/// The operator's keys, sealed while no request needs them.
#[derive(Default)]
pub struct OperatorKeys(Vec<Key>);

struct Key {
    /// The key as an account of nobody.
    account: Arc<Account>,
    /// Until then it is not tried.
    rests_until_ms: AtomicI64,
    /// Until then it is not tried for a model. Only models with a price are bought, so
    /// they are few.
    blocks: Mutex<HashMap<String, i64>>,
}

impl OperatorKeys {
    /// Seals keys; each is a seal of the ring's that was counted.
    ///
    /// # Errors
    /// As [`Vault::seal_credential`].
    pub fn seal(vault: &Vault, keys: Vec<OperatorKey>) -> Result<Self, SealError> {
        let seal = |(number, key): (usize, OperatorKey)| {
            let generation = number as u64;
            let place = Place {
                pool: NO_POOL.0,
                account: AccountId::OPERATOR.0,
                platform: &key.platform,
                field: CREDENTIAL_FIELD,
                generation,
            };
            let plain = Plain::from(key.credential.to_sealed());
            let account = Arc::new(Account {
                id: AccountId::OPERATOR,
                pool: NO_POOL,
                owner_proof: String::new(),
                owner: NOBODY,
                platform: key.platform.as_str().into(),
                name: "the operator's".into(),
                dialect: key.dialect,
                sealed: vault.seal_credential(&place, &plain)?,
                generation,
                expires_at: None,
                created_at: clock::now(),
                short_key: None,
            });
            Ok::<_, SealError>(Key {
                account,
                rests_until_ms: AtomicI64::new(0),
                blocks: Mutex::default(),
            })
        };
        Ok(Self(keys.into_iter().enumerate().map(seal).collect::<Result<_, _>>()?))
    }

    /// Keys that can buy something of a route, each with its number.
    fn of<'a>(&'a self, hop: &'a Hop) -> impl Iterator<Item = (usize, &'a Key)> {
        let keys = self.0.iter().enumerate();
        keys.filter(|(_, key)| key.account.platform.as_str() == hop.platform.id)
    }
}

const NO_POOL: PoolId = PoolId(0);
/// The platform's words are the operator's, in the log alone.
const NOBODY: UserId = UserId(0);

impl Key {
    /// Whether it is left alone for this model.
    fn rests(&self, model: &str) -> bool {
        let now_ms = clock::now_ms();
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        self.rests_until_ms.load(Ordering::Relaxed) > now_ms
            || blocks.get(model).is_some_and(|until_ms| *until_ms > now_ms)
    }

    /// Lets a failure take effect on the key.
    fn bear(&self, failure: &Failure, model: &str, now: Timestamp) {
        // Its operator may pay in meanwhile.
        let longest = later(now, EARLY_TRY).as_millisecond();
        let end = |rest: &Rest| {
            let told = rest.at.iter().find(|at| **at > now).copied();
            told.unwrap_or_else(|| later(now, rest.after)).as_millisecond()
        };
        let until = match failure.consequence(now) {
            Consequence::BlockModel(rest) => {
                let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
                blocks.insert(model.to_owned(), end(&rest).min(longest));
                return;
            }
            Consequence::Harm(Harm::Rest { rest, .. }) => end(&rest),
            Consequence::Harm(Harm::Strike { scale, .. }) if scale.forgiven == 0 => {
                later(now, scale.first).as_millisecond()
            }
            Consequence::Harm(Harm::Stuck(_)) => now.as_millisecond() + REFUSED_REST_MS,
            _ => return,
        };
        self.rests_until_ms.fetch_max(until.min(longest), Ordering::Relaxed);
        let (platform, class) = (&self.account.platform, failure.class());
        tracing::error!(%platform, class, "an operator's key was refused, and rests");
    }
}

impl Gateway {
    /// Answers a request with one of the operator's keys, charged to the caller's points.
    ///
    /// `None`: nothing could be bought; why is noted in `tried`.
    pub(super) async fn buy(
        &self,
        caller: &Caller,
        ask: &ChatRequest,
        route: &Route,
        call: &mut Call,
        tried: &mut Tried,
    ) -> Result<Option<First>, CallError> {
        let keys = &self.parts.operator_keys;
        for hop in route.hops.iter() {
            let Some(price) = hop.model.price else { continue };
            for (number, key) in keys.of(hop) {
                if !caller.may_spend() {
                    tried.points_said(PointsSaid::Never);
                    return Ok(None);
                }
                if tried.has_bought_with(number, &hop.model.upstream) {
                    continue;
                }
                if key.rests(&hop.model.upstream) {
                    tried.points_said(PointsSaid::KeyFailed);
                    continue;
                }
                let Some(lease) = self.hold_points(caller, hop, price, call, tried).await? else {
                    return Ok(None);
                };
                let lane = self.parts.lanes.of(hop, &self.parts.metrics);
                call.begin_attempt(lease, lane, hop.model.upstream.clone());
                let mut failure = match self.attempt(ask, hop, &key.account, call).await {
                    Ok(begun) => {
                        return Ok(Some(First { begun, hop: hop.clone(), account: None }));
                    }
                    Err(failure) => failure,
                };
                let used = call.use_of(&mut failure).await;
                let (now, next) = (clock::now(), failure.next(hop));
                // Its other models may do.
                let of_model = matches!(failure.consequence(now), Consequence::BlockModel(_))
                    .then_some(&*hop.model.upstream);
                call.attempt_failed(&failure, &used);
                key.bear(&failure, &hop.model.upstream, now);
                let platform = key.account.platform.clone();
                let error =
                    failure.into_call_error(platform, AccountId::OPERATOR, Reader::Member, now);
                tried.bought_in_vain(number, of_model, error);
                match next {
                    Next::Account => {}
                    Next::Platform => break,
                    Next::Never => return Ok(None),
                }
            }
        }
        Ok(None)
    }

    async fn hold_points(
        &self,
        caller: &Caller,
        hop: &Hop,
        price: Price,
        call: &mut Call,
        tried: &mut Tried,
    ) -> Result<Option<OpenLease>, CallError> {
        let parts = &self.parts;
        let lane = parts.lanes.of(hop, &parts.metrics);
        let input = lane.learned.prompt(call.prompt.census());
        let output =
            lane.learned.call(call.prompt.census(), call.max_tokens).saturating_sub(input).0;
        let probably = Usage { input: input.0, output, ..Usage::default() };
        let longest = [call.max_tokens, hop.model.max_output].into_iter().flatten().min();
        let longest = longest.map(|tokens| tokens.saturating_mul(call.answers));
        let most = price.most(call.prompt.census(), longest).0.unsigned_abs();
        let estimate = price.cost(&probably).0.unsigned_abs();
        let note = format!("{}/{}", hop.platform.id, hop.model.name);
        let place = self.place(call).await?;
        let purse = Purse::Points(caller.user());
        let key = hold::key(lease_id(), purse, estimate, note.into());
        let hold = OpenHold::ask(key, parts.books.clone(), place);
        let asked = parts.store.hold(HoldAsk { key: hold.key(), most }).await;
        let answer = asked.inspect_err(|error| self.store_failed(error))?;
        let word = match answer {
            Ok(_) => "held",
            Err(HoldRefusal::Busy) => "busy",
            Err(HoldRefusal::Empty { .. }) => "empty",
        };
        PointsAsked { metrics: &parts.metrics, answer: word }.emit();
        match answer {
            Ok(at) => {
                let platform = &lane.platform;
                Ok(Some(OpenLease::bought(
                    hold.granted(at),
                    caller.user(),
                    platform,
                    price,
                    input,
                    &parts.books,
                )))
            }
            Err(refusal) => {
                call.give_back(hold.was_refused());
                match refusal {
                    HoldRefusal::Busy => tried.points_are_busy(),
                    HoldRefusal::Empty { .. } => tried.points_said(PointsSaid::Gone),
                }
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::platforms::{Catalogue, ErrorClass, PlatformError};
    use crate::vault::KeyRing;

    fn key() -> Key {
        let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
        let face = catalogue.platform("qwen").unwrap().face(None).unwrap();
        let credential = Credential::parse(face, "sk-of-the-operator").unwrap();
        let own = OperatorKey { platform: "qwen".into(), dialect: None, credential };
        let ring = KeyRing::generate().unwrap().to_string();
        let vault = Vault::new(&KeyRing::parse(&ring).unwrap());
        OperatorKeys::seal(&vault, vec![own]).unwrap().0.remove(0)
    }

    fn spent(this_model_only: bool) -> Failure {
        let error = PlatformError::new(ErrorClass::QuotaExhausted, "spent");
        let retry_after = Some(Duration::from_secs(86_400));
        Failure::Platform(PlatformError { this_model_only, retry_after, ..error })
    }

    #[test]
    fn a_model_that_is_spent_rests_alone() {
        let key = key();
        key.bear(&spent(true), "qwen-plus", clock::now());
        assert!(key.rests("qwen-plus") && !key.rests("qwen-max"));
        key.bear(&spent(false), "qwen-max", clock::now());
        assert!(key.rests("qwen-max") && key.rests("any"));
    }

    #[test]
    fn no_rest_is_longer_than_until_the_operator_may_have_paid() {
        for this_model_only in [false, true] {
            let (key, now) = (key(), clock::now());
            let long_ago = later(now, Duration::ZERO) - EARLY_TRY - Duration::from_secs(1);
            key.bear(&spent(this_model_only), "qwen-plus", long_ago);
            assert!(!key.rests("qwen-plus"), "a day was told, an hour is over");
        }
    }
}
