//! `GET /v1/models` and `GET /v1/models/{*id}`: what the caller can name.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::answer::json as answer;
use super::{ApiError, App, Response};
use crate::accounts::AccountState;
use crate::platforms::{Hop, Model, Platform, Resolution};
use crate::relay::{CallError, Caller};

/// Models have no date of their own here (2026-09-21).
const CREATED: i64 = 1_790_000_000;
const BY_ACCOUNT: &str = "OAuth accounts";

/// Every model of the platforms on which the caller has accounts, the aliases that lead
/// there, then each account's models.
pub async fn list_models(app: &App, caller: &Caller) -> Result<Response, ApiError> {
    let accounts = accounts(app, caller).await?;
    let mut by_platform = Vec::new();
    let mut by_account = Vec::new();
    let catalogue = &app.gateway.parts.catalogue;
    let mut named = HashSet::new();
    for platform in catalogue.platforms() {
        let mut bound = accounts.iter().filter(|state| is_on(state, platform)).peekable();
        if bound.peek().is_none() || !caller.may_reach(&platform.id) {
            continue;
        }
        let models = || platform.models.iter().filter(|model| caller.may_call(&model.name));
        // A model that several platforms have stands once: with the first of them.
        let new = models().filter(|model| named.insert(model.name.as_str()));
        by_platform.extend(new.map(|model| entry(&model.name, &platform.id, model)));
        by_account
            .extend(bound.flat_map(|state| models().map(move |model| of_account(state, model))));
    }
    // An alias is no model's name, and stands behind what it leads to.
    by_platform
        .extend(catalogue.aliases().filter_map(|alias| by_name(app, caller, &accounts, alias)));
    by_platform.append(&mut by_account);
    let mut list = json!({"object": "list", "data": by_platform});
    if accounts.is_empty() {
        list["hint"] = json!(
            "No account is bound yet. Bind one: POST /api/v1/oauth/accounts, or tributary \
             account add --user YOU --platform qwen --name NAME --key-file FILE"
        );
    }
    Ok(answer(&list))
}

/// One model by any name that a call could use.
pub async fn show_model(app: &App, caller: &Caller, id: &str) -> Result<Response, ApiError> {
    let accounts = accounts(app, caller).await?;
    let shown =
        by_account(app, caller, &accounts, id).or_else(|| by_name(app, caller, &accounts, id));
    shown.map(|model| answer(&model)).ok_or_else(|| {
        let hint = format!(
            "The model `{id}` is not among those that you can call. GET /v1/models lists them."
        );
        CallError::ModelNotFound { hint }.into()
    })
}

async fn accounts(app: &App, caller: &Caller) -> Result<Vec<AccountState>, ApiError> {
    let parts = &app.gateway.parts;
    let resets = parts.zones.resets();
    parts.store.accounts_in(caller.pools(), &resets).await.map_err(ApiError::store)
}

fn by_account(app: &App, caller: &Caller, accounts: &[AccountState], id: &str) -> Option<Value> {
    let (account, model) = id.strip_prefix("account:")?.split_once('/')?;
    let account: i64 = account.parse().ok()?;
    let state = accounts.iter().find(|state| state.account.id.0 == account)?;
    let catalogue = &app.gateway.parts.catalogue;
    let platform = catalogue.platform(state.account.platform.as_str())?;
    let model = catalogue.resolve_on(platform, model).model;
    let is_allowed = caller.may_reach(&platform.id) && caller.may_call(&model.name);
    is_allowed.then(|| of_account(state, &model))
}

fn by_name(app: &App, caller: &Caller, accounts: &[AccountState], id: &str) -> Option<Value> {
    if !caller.may_call(id) {
        return None;
    }
    let Resolution::Hops(hops) = app.gateway.parts.catalogue.resolve(id) else { return None };
    let is_bound = |hop: &Hop| accounts.iter().any(|state| is_on(state, &hop.platform));
    let hop = hops.iter().find(|hop| caller.may_reach(&hop.platform.id) && is_bound(hop))?;
    Some(entry(id, &hop.platform.id, &hop.model))
}

fn is_on(state: &AccountState, platform: &Platform) -> bool {
    state.account.platform.as_str() == platform.id
}

fn entry(id: &str, owner: &str, model: &Model) -> Value {
    let mut entry = json!({
        "id": id,
        "object": "model",
        "created": CREATED,
        "owned_by": owner,
    });
    if let Some(context) = model.context {
        entry["context_length"] = context.into();
    }
    if let Some(most) = model.max_output {
        entry["max_output_tokens"] = most.into();
    }
    entry
}

fn of_account(state: &AccountState, model: &Model) -> Value {
    let account = &state.account;
    let mut entry = entry(&format!("account:{}/{}", account.id, model.name), BY_ACCOUNT, model);
    entry["name"] = format!("{} ({})", model.name, account.name).into();
    entry
}
