//! `/api/v1/oauth/accounts` and `…/{id}`: the caller's accounts.

use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::answer::{no_content, typed};
use super::ask::{self, Query, bad, refused};
use super::page::Page;
use super::view::AccountView;
use super::{ApiError, App, PoolError, Request, Response};
use crate::accounts::{
    AccountId, AccountState, Deed, Health, Origin, PoolId, Priority, TeamRole, Tokens,
};
use crate::authorize::{self, LONGEST_NAME, Unbound, Unmoved, Wanted, is_name};
use crate::relay::{AccountRef, CallError, Caller};
use crate::store::StoreError;

/// The query of the list.
pub(super) const LIST_QUERY: [&str; 1] = ["platform"];

/// The account of an id, if it is the caller's.
pub(super) async fn load(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<AccountRef<AccountState>, ApiError> {
    let number = id.parse().ok().filter(|number: &i64| number.to_string() == id);
    let id = AccountId(number.ok_or(ApiError::NoAccount)?);
    let parts = &app.gateway.parts;
    let resets = parts.zones.resets();
    let found = AccountRef::load_whole(&*parts.store, caller, id, &resets).await;
    found.map_err(ApiError::unfound)
}

/// The same, where the caller may change it: its own, or in a pool that it owns.
pub(super) async fn load_to_change(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<AccountRef<AccountState>, ApiError> {
    let found = load(app, caller, id).await?;
    let account = &found.state().account;
    let is_owner =
        account.owner == caller.user() || caller.role_in(account.pool) == Some(TeamRole::Owner);
    if is_owner { Ok(found) } else { Err(PoolError::NotOwner.into()) }
}

/// The caller's accounts, by id.
pub async fn list_accounts(
    app: &App,
    caller: &Caller,
    request: &Request,
) -> Result<Response, ApiError> {
    let query = Query::read(request, &LIST_QUERY)?;
    let parts = &app.gateway.parts;
    if let Some(id) = query.text("platform") {
        super::platforms::known(app, caller, id)?;
    }
    let resets = parts.zones.resets();
    let mut states =
        parts.store.accounts_in(caller.pools(), &resets).await.map_err(ApiError::store)?;
    states.retain(|state| {
        let platform = state.account.platform.as_str();
        caller.may_reach(platform) && query.text("platform").is_none_or(|only| only == platform)
    });
    let views = states.iter().map(|state| AccountView::of(state, caller.reads(state)));
    Ok(typed(StatusCode::OK, &Page::whole(views.collect())))
}

/// One account.
pub async fn show_account(app: &App, caller: &Caller, id: &str) -> Result<Response, ApiError> {
    shown(app, caller, id, StatusCode::OK).await
}

async fn shown(
    app: &App,
    caller: &Caller,
    id: &str,
    status: StatusCode,
) -> Result<Response, ApiError> {
    let account = load(app, caller, id).await?;
    Ok(typed(status, &AccountView::of(account.state(), caller.reads(account.state()))))
}

/// An account to bind by a documented key: `key`, or its fields in `credentials`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BindAsk<'a> {
    platform: String,
    #[serde(alias = "name")]
    account_name: String,
    /// The key, where that is all.
    #[serde(default, deserialize_with = "secret")]
    #[schemars(with = "Option<String>")]
    key: Option<Zeroizing<String>>,
    /// The key's fields, as `GET /api/v1/oauth/platforms` names them.
    #[serde(borrow, default)]
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    credentials: Option<&'a RawValue>,
    /// The pool that it joins; left out: the first of the token's.
    #[schemars(with = "Option<i64>")]
    pool: Option<PoolId>,
    /// The wire format to reach it in; left out: the one that its credential fits.
    dialect: Option<String>,
    /// Its token limit, in its platform's first window; left out: the platform's.
    #[schemars(with = "Option<u64>")]
    limit: Option<Tokens>,
    /// Where it comes in a pool that goes by priority: 0 to 100.
    #[schemars(with = "Option<u8>", range(max = 100))]
    priority: Option<Priority>,
}

/// Binds an account.
pub async fn bind_account(
    app: &App,
    caller: &Caller,
    request: &mut Request,
) -> Result<Response, ApiError> {
    let bytes = ask::read(app, request).await?;
    let wish: BindAsk = ask::parse(&bytes)?;
    let parts = &app.gateway.parts;
    super::platforms::known(app, caller, &wish.platform)?;
    let wanted = Wanted {
        platform: &wish.platform,
        name: &wish.account_name,
        dialect: wish.dialect.as_deref(),
        limit: wish.limit,
        priority: wish.priority.unwrap_or_default(),
    };
    let target = wanted.target(&parts.catalogue).map_err(unbound)?;
    let ready = match (&wish.key, wish.credentials) {
        (Some(key), None) => target.with_key(key),
        (None, Some(fields)) if fields.get().starts_with('{') => target.with_key(fields.get()),
        (None, Some(_)) => return Err(bad("credentials", "It must be an object of texts.")),
        _ => return Err(bad("credentials", "Give `key`, or the key's fields as `credentials`.")),
    };
    let pool = match wish.pool {
        Some(pool) => Some(pool).filter(|pool| caller.role_in(*pool).is_some()),
        None => caller.pools().first().copied(),
    };
    let pool = pool.ok_or(PoolError::NoPool)?;
    let (store, vault) = (&*parts.store, &parts.vault);
    let bound = ready.map_err(unbound)?.bind(store, vault, caller.doer(), caller.user(), pool);
    let (id, worn) = bound.await.map_err(unbound)?;
    if let Some(worn) = worn {
        tracing::warn!("{worn}");
    }
    shown(app, caller, &id.to_string(), StatusCode::CREATED).await
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Zeroizing::new))
}

fn unbound(error: Unbound) -> ApiError {
    let said = format!("{error}.");
    match error {
        Unbound::BadName => bad_name(),
        Unbound::UnknownPlatform { .. } => refused("unknown_platform", "platform", said),
        Unbound::NoDialect { spoken, .. } => {
            bad("dialect", format!("{said} It can be: {}.", spoken.join(", ")))
        }
        Unbound::NoWindow { .. } => bad("limit", said),
        Unbound::BadKey { help, .. } => {
            refused("invalid_credential", "credentials", format!("{said} {help}"))
        }
        Unbound::Taken { .. } => ApiError::NameTaken,
        Unbound::NoSeal(authorize::NoSeal::Seal(error)) | Unbound::Seal(error) => {
            ApiError::Unsealed(error)
        }
        // It was closed since the caller was found.
        Unbound::Store(StoreError::Gone(_)) => PoolError::NoPool.into(),
        Unbound::NoSeal(authorize::NoSeal::Store(error)) | Unbound::Store(error) => {
            ApiError::store(error)
        }
    }
}

fn bad_name() -> ApiError {
    let said = format!("A name is one line of text, {LONGEST_NAME} characters at most.");
    refused("invalid_name", "account_name", said)
}

/// What shall be changed of an account; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeAsk {
    /// Another name.
    #[serde(alias = "name")]
    account_name: Option<String>,
    /// `false` keeps requests off it; `true` lets them on, whatever stopped it.
    enabled: Option<bool>,
    /// The token limit of its first window; null: its platform's.
    #[serde(default, deserialize_with = "ask::given")]
    #[schemars(with = "Option<u64>")]
    limit: Option<Option<Tokens>>,
    /// Where it comes in a pool that goes by priority: 0 to 100.
    #[schemars(with = "Option<u8>", range(max = 100))]
    priority: Option<Priority>,
    /// The pool that it goes to, one that the caller draws from; only its owner moves it.
    #[schemars(with = "Option<i64>")]
    pool: Option<PoolId>,
}

/// Renames, enables, disables, limits an account, or moves it to another pool.
pub async fn change_account(
    app: &App,
    caller: &Caller,
    request: &mut Request,
    id: &str,
) -> Result<Response, ApiError> {
    let bytes = ask::read(app, request).await?;
    let change: ChangeAsk = ask::parse(&bytes)?;
    let account = load_to_change(app, caller, id).await?;
    let account = match change.pool {
        Some(to) => moved(app, caller, account, &change, to).await?,
        None if account.state().health.is_on_its_way() => {
            return Err(PoolError::AccountMoving.into());
        }
        None => account,
    };
    if change.changes_nothing_else() {
        return shown(app, caller, id, StatusCode::OK).await;
    }
    let deed = deed(caller, account.state(), "account.change")
        .with_some("to_name", change.account_name.as_deref())
        .with_some(
            "limit",
            change.limit.map(|limit| limit.map_or("usual".into(), |it| it.to_string())),
        )
        .with_some("priority", change.priority)
        .with_some("enabled", change.enabled);
    change_of(app, account.state(), change).await?;
    app.write_down(deed).await?;
    shown(app, caller, id, StatusCode::OK).await
}

impl ChangeAsk {
    /// Whether it is of the pool alone.
    fn changes_nothing_else(&self) -> bool {
        let Self { account_name, enabled, limit, priority, pool } = self;
        let others =
            account_name.is_some() || enabled.is_some() || limit.is_some() || priority.is_some();
        pool.is_some() && !others
    }
}

/// The account once it is in another pool. Who brings one to a pool must draw from it, here as
/// where it is bound; and nobody takes away what somebody else has bound.
async fn moved(
    app: &App,
    caller: &Caller,
    account: AccountRef<AccountState>,
    change: &ChangeAsk,
    to: PoolId,
) -> Result<AccountRef<AccountState>, ApiError> {
    caller.role_in(to).ok_or(PoolError::NoPool)?;
    let AccountState { account: before, windows, .. } = account.state();
    if before.owner != caller.user() {
        return Err(PoolError::NotOwner.into());
    }
    if !authorize::has_proved_owner(&app.gateway.parts.vault, before) {
        tracing::error!(account = before.id.0, "its owner is not proved by a MAC of ours");
        return Err(PoolError::AccountUnproved.into());
    }
    // A change is made whole, or not at all.
    if change.account_name.is_some() {
        return Err(bad("account_name", "Rename it in a call of its own."));
    }
    if change.limit.is_some() && windows.is_empty() {
        return Err(no_window());
    }
    let parts = &app.gateway.parts;
    let done = authorize::relocate(&*parts.store, &parts.vault, caller.doer(), before, to).await;
    if let Some(worn) = done.map_err(unmoved)? {
        tracing::warn!("{worn}");
    }
    load(app, caller, &before.id.to_string()).await
}

fn unmoved(error: Unmoved) -> ApiError {
    match error {
        Unmoved::Busy(_) => PoolError::AccountBusy.into(),
        Unmoved::Changed(_) => PoolError::AccountChanged.into(),
        Unmoved::Taken(_) => ApiError::NameTaken,
        Unmoved::Closed(_) => PoolError::NoPool.into(),
        Unmoved::Unopened(account, error) => {
            tracing::error!(account = account.id.0, %error, "a credential does not open");
            let (platform, account) = (account.platform.clone(), account.id);
            CallError::Unauthorized { platform, account, status: "locked" }.into()
        }
        Unmoved::NoSeal(authorize::NoSeal::Seal(error)) | Unmoved::Seal(error) => {
            ApiError::Unsealed(error)
        }
        Unmoved::NoSeal(authorize::NoSeal::Store(error)) | Unmoved::Store(error) => {
            ApiError::store(error)
        }
    }
}

fn no_window() -> ApiError {
    bad("limit", "The account has no window that a limit could be of.")
}

async fn change_of(app: &App, state: &AccountState, change: ChangeAsk) -> Result<(), ApiError> {
    let parts = &app.gateway.parts;
    let (store, id) = (&parts.store, state.account.id);
    let there = |answer: Result<Option<()>, StoreError>| match answer {
        Ok(Some(())) => Ok(()),
        Ok(None) => Err(ApiError::NoAccount),
        Err(StoreError::Taken(_)) => Err(ApiError::NameTaken),
        Err(error) => Err(ApiError::store(error)),
    };
    let name = change.account_name.as_deref();
    if name.is_some_and(|name| !is_name(name)) {
        return Err(bad_name());
    }
    if change.limit.is_some() && state.windows.is_empty() {
        return Err(no_window());
    }
    // First what may be refused: a change is made whole, or not at all.
    if let Some(name) = name {
        there(store.rename_account(id, name).await)?;
    }
    if let Some(limit) = change.limit {
        let platform = parts.catalogue.platform(state.account.platform.as_str());
        let usual = platform.and_then(|known| known.windows.first()).and_then(|spec| spec.limit);
        let (limit, origin) = match limit {
            Some(limit) => (Some(limit), Origin::Hand),
            None => (usual, Origin::Catalogue),
        };
        there(store.set_limit(id, limit, origin, &parts.zones.resets()).await)?;
    }
    if let Some(priority) = change.priority {
        there(store.set_priority(id, priority).await)?;
    }
    if let Some(enabled) = change.enabled {
        let health = if enabled { Health::Active } else { Health::disabled_by_hand() };
        there(store.set_health(id, health).await)?;
    }
    Ok(())
}

/// Deletes an account with its credential and its records.
pub async fn delete_account(app: &App, caller: &Caller, id: &str) -> Result<Response, ApiError> {
    let account = load_to_change(app, caller, id).await?;
    let deed = |action| deed(caller, account.state(), action);
    // Before: of a removal that fails half way, or whose caller hangs up, nobody finds the account.
    app.write_down(deed("account.delete")).await?;
    let removed = app.gateway.parts.store.remove_account(account.id()).await;
    if !removed.map_err(ApiError::store)? {
        app.write_down(deed("account.delete_refused")).await?;
        return Err(ApiError::NoAccount);
    }
    Ok(no_content())
}

/// What a caller does to an account, for the audit log.
pub(super) fn deed(caller: &Caller, state: &AccountState, action: &str) -> Deed {
    let account = &state.account;
    Deed::new(caller.doer(), action, "account", account.id)
        .of(account.owner)
        .with("platform", &account.platform)
        .with("name", &account.name)
}
