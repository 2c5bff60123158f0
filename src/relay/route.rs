//! From a model name to an ordered list of (platform, model), and from a pin to one
//! account.

use std::sync::Arc;

use super::account_ref::AccountRef;
use super::caller::Caller;
use super::error::CallError;
use crate::accounts::{Account, AccountId};
use crate::front::{BadRequest, ChatRequest};
use crate::platforms::{Catalogue, Exchange, Hop, Resolution};
use crate::store::Store;

/// Where a request may go, in order.
pub(super) struct Route {
    pub(super) hops: Arc<[Hop]>,
    /// This account or none.
    pub(super) pin: Option<AccountId>,
}

impl Route {
    /// Finds the way of a model name (`None`: the pinned account's default model).
    pub(super) async fn find(
        catalogue: &Catalogue,
        store: &dyn Store,
        caller: &Caller,
        model: Option<&str>,
        pin: Option<AccountId>,
    ) -> Result<Self, CallError> {
        let (named_pin, model) = split_account(model);
        if let (Some(one), Some(other)) = (named_pin, pin)
            && one != other
        {
            return Err(two_accounts());
        }
        let Some(id) = named_pin.or(pin) else {
            return Self::by_name(catalogue, caller, model);
        };
        let account = AccountRef::load(store, caller, id).await?;
        let hop = hop_on(catalogue, account.account(), model)?;
        if !caller.may_reach(&hop.platform.id) || !caller.may_call(&hop.model.name) {
            return Err(not_for_this_token(&hop.model.name));
        }
        Ok(Self { hops: Arc::new([hop]), pin: Some(id) })
    }

    /// Without the hops whose model can't do what is asked.
    ///
    /// # Errors
    /// What the first of them lacks, if none is left.
    pub(super) fn able(mut self, ask: &ChatRequest) -> Result<Self, CallError> {
        let lacks: Vec<Option<BadRequest>> = self
            .hops
            .iter()
            .map(|hop| Exchange::check(&hop.platform, &hop.model, ask).err())
            .collect();
        let first = lacks.iter().flatten().next().cloned();
        let Some(first) = first else { return Ok(self) };
        let able: Arc<[Hop]> = self
            .hops
            .iter()
            .zip(&lacks)
            .filter(|(_, lack)| lack.is_none())
            .map(|(hop, _)| hop.clone())
            .collect();
        if able.is_empty() {
            return Err(first.into());
        }
        self.hops = able;
        Ok(self)
    }

    fn by_name(
        catalogue: &Catalogue,
        caller: &Caller,
        model: Option<&str>,
    ) -> Result<Self, CallError> {
        let Some(model) = model else { return Err(no_model()) };
        let Resolution::Hops(hops) = catalogue.resolve(model) else {
            let hint = format!(
                "The model `{model}` is not known. GET /v1/models lists what you can call; \
                 PLATFORM/MODEL names any model of a platform."
            );
            return Err(CallError::ModelNotFound { hint });
        };
        if !caller.may_call(model) {
            return Err(not_for_this_token(model));
        }
        if hops.iter().all(|hop| caller.may_reach(&hop.platform.id)) {
            return Ok(Self { hops, pin: None });
        }
        let hops: Arc<[Hop]> =
            hops.iter().filter(|hop| caller.may_reach(&hop.platform.id)).cloned().collect();
        if hops.is_empty() { Err(not_for_this_token(model)) } else { Ok(Self { hops, pin: None }) }
    }
}

/// `account:ID/MODEL`, or `account:ID` for its default model.
fn split_account(model: Option<&str>) -> (Option<AccountId>, Option<&str>) {
    let Some(rest) = model.and_then(|model| model.strip_prefix("account:")) else {
        return (None, model);
    };
    let (id, model_there) = match rest.split_once('/') {
        Some((id, model)) => (id, Some(model)),
        None => (rest, None),
    };
    match id.parse() {
        Ok(id) => (Some(AccountId(id)), model_there),
        Err(_) => (None, model),
    }
}

fn hop_on(catalogue: &Catalogue, account: &Account, model: Option<&str>) -> Result<Hop, CallError> {
    let unknown = |hint: String| CallError::ModelNotFound { hint };
    let platform = catalogue.platform(account.platform.as_str()).ok_or_else(|| {
        unknown(format!(
            "Account {} is on {}, which the configuration no longer has.",
            account.id, account.platform
        ))
    })?;
    let model = model.or(platform.default_model.as_deref()).ok_or_else(no_model)?;
    Ok(catalogue.resolve_on(platform, model))
}

fn no_model() -> CallError {
    CallError::Bad(BadRequest::field("model", "You must name a model."))
}

fn two_accounts() -> CallError {
    let message = "The model's name pins one account and account_id another.";
    CallError::Bad(BadRequest::field("account_id", message))
}

fn not_for_this_token(model: &str) -> CallError {
    let hint = format!("This token may not call `{model}`: its models or platforms are limited.");
    CallError::ModelNotFound { hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_in_a_models_name_is_split_off() {
        let id = Some(AccountId(7));
        assert_eq!(split_account(Some("account:7/qwen/a")), (id, Some("qwen/a")));
        assert_eq!(split_account(Some("account:7")), (id, None));
        assert_eq!(split_account(Some("account:x/m")), (None, Some("account:x/m")));
        assert_eq!(split_account(Some("qwen-plus")), (None, Some("qwen-plus")));
    }
}
