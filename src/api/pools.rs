//! `/api/v1/pools` and `…/{id}`: the pools that the caller draws from.

use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::answer::{no_content, typed};
use super::ask::{self, refused};
use super::page::Page;
use super::{ApiError, App, PoolError, Request, Response};
use crate::accounts::{Closing, Deed, Policy, PoolId, Seating, Team, TeamRole};
use crate::authorize::{LONGEST_NAME, is_name};
use crate::relay::{Caller, membership};
use crate::telemetry::clock;

/// A pool, as who draws from it sees it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PoolView {
    #[schemars(with = "i64")]
    id: PoolId,
    /// `personal` for the caller's own.
    name: String,
    /// `personal` or `team`.
    kind: &'static str,
    /// What the caller may do there.
    role: TeamRole,
    /// How an account is picked.
    policy: Policy,
    /// Whether that is the gateway's usual policy.
    policy_is_default: bool,
    /// Null for a personal one.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    created_at: Option<Timestamp>,
}

impl PoolView {
    async fn of(
        app: &App,
        id: PoolId,
        team: Option<&Team>,
        role: TeamRole,
    ) -> Result<Self, ApiError> {
        let parts = &app.gateway.parts;
        let own = parts.store.pool_policy(id).await.map_err(ApiError::store)?;
        let policy = match own {
            Some(own) => own,
            None => parts.store.policy(id).await.map_err(ApiError::store)?,
        };
        Ok(Self {
            id,
            name: team.map_or_else(|| "personal".into(), |team| team.name.clone()),
            kind: if team.is_some() { "team" } else { "personal" },
            role,
            policy,
            policy_is_default: own.is_none(),
            created_at: team.map(|team| team.created_at),
        })
    }
}

/// A pool of the caller's, and what it may do there. Nothing is asked of the store: a foreign
/// id costs what a missing one does.
pub(super) fn own(caller: &Caller, id: &str) -> Result<(PoolId, TeamRole), ApiError> {
    let number = id.parse().ok().filter(|number: &i64| number.to_string() == id);
    let role = number.map(PoolId).and_then(|pool| Some((pool, caller.role_in(pool)?)));
    role.ok_or(PoolError::NoPool.into())
}

/// The same, where only an owner may.
pub(super) fn owned(caller: &Caller, id: &str) -> Result<PoolId, ApiError> {
    match own(caller, id)? {
        (pool, TeamRole::Owner) => Ok(pool),
        _ => Err(PoolError::NotOwner.into()),
    }
}

/// The same, of a team.
pub(super) fn owned_team(caller: &Caller, id: &str) -> Result<PoolId, ApiError> {
    let pool = owned(caller, id)?;
    if pool == caller.grant().personal { Err(PoolError::Personal.into()) } else { Ok(pool) }
}

/// The caller's pools, in the order that its token draws from them.
pub async fn list_pools(app: &App, caller: &Caller) -> Result<Response, ApiError> {
    let store = &app.gateway.parts.store;
    let teams = store.teams_among(caller.pools()).await.map_err(ApiError::store)?;
    let mut views = Vec::new();
    for &id in caller.pools() {
        let team = teams.iter().find(|team| team.id == id);
        let is_there = team.is_some() || id == caller.grant().personal;
        if let Some(role) = caller.role_in(id).filter(|_| is_there) {
            views.push(PoolView::of(app, id, team, role).await?);
        }
    }
    Ok(typed(StatusCode::OK, &Page::whole(views)))
}

/// One pool.
pub async fn show_pool(app: &App, caller: &Caller, id: &str) -> Result<Response, ApiError> {
    let (id, role) = own(caller, id)?;
    shown(app, caller, id, role, StatusCode::OK).await
}

async fn shown(
    app: &App,
    caller: &Caller,
    id: PoolId,
    role: TeamRole,
    status: StatusCode,
) -> Result<Response, ApiError> {
    let team = app.gateway.parts.store.teams_among(&[id]).await.map_err(ApiError::store)?.pop();
    if team.is_none() && id != caller.grant().personal {
        return Err(PoolError::NoPool.into());
    }
    Ok(typed(status, &PoolView::of(app, id, team.as_ref(), role).await?))
}

/// A team's pool to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolAsk {
    /// What to call it.
    name: String,
    /// How it picks an account; left out: as the gateway usually does.
    policy: Option<Policy>,
}

/// Makes a team with the caller as its owner.
pub async fn add_pool(
    app: &App,
    caller: &Caller,
    request: &mut Request,
) -> Result<Response, ApiError> {
    let bytes = ask::read(app, request).await?;
    let wish: PoolAsk = ask::parse(&bytes)?;
    check_name(&wish.name)?;
    if caller.grant().only_pools.is_some() {
        return Err(PoolError::Limited.into());
    }
    let parts = &app.gateway.parts;
    let store = &parts.store;
    let (id, now) = (store.reserve_pool_id().await.map_err(ApiError::store)?, clock::now());
    let founder = membership(&parts.vault, id, caller.user(), TeamRole::Owner, now);
    let team = Team { id, name: wish.name, created_at: now };
    let deed = |action| {
        Deed::new(caller.doer(), action, "pool", id).of(caller.user()).with("name", &team.name)
    };
    // The log before the grant.
    app.write_down(deed("pool.create")).await?;
    match store.found_team(team.clone(), founder).await.map_err(ApiError::store)? {
        Seating::Done => {}
        _ => {
            app.write_down(deed("pool.create_refused")).await?;
            return Err(PoolError::Full.into());
        }
    }
    parts.callers.forget_user(caller.user());
    if wish.policy.is_some() {
        store.set_pool_policy(id, wish.policy).await.map_err(ApiError::store)?;
    }
    let view = PoolView::of(app, id, Some(&team), TeamRole::Owner).await?;
    Ok(typed(StatusCode::CREATED, &view))
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if is_name(name) {
        return Ok(());
    }
    let said = format!("A name is one line of text, {LONGEST_NAME} characters at most.");
    Err(refused("invalid_name", "name", said))
}

/// What shall be changed of a pool; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolChangeAsk {
    /// Another name.
    name: Option<String>,
    /// How it picks an account; null: as the gateway usually does.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Option<Policy>")]
    policy: Option<Option<Policy>>,
}

fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<Policy>>, D::Error> {
    Option::<Policy>::deserialize(from).map(Some)
}

/// Renames a pool, or gives it a policy.
pub async fn change_pool(
    app: &App,
    caller: &Caller,
    request: &mut Request,
    id: &str,
) -> Result<Response, ApiError> {
    let bytes = ask::read(app, request).await?;
    let change: PoolChangeAsk = ask::parse(&bytes)?;
    let pool = owned(caller, id)?;
    let store = &app.gateway.parts.store;
    if let Some(name) = &change.name {
        check_name(name)?;
        owned_team(caller, id)?;
        let renamed = store.rename_team(pool, name).await.map_err(ApiError::store)?;
        renamed.ok_or(PoolError::NoPool)?;
    }
    if let Some(policy) = change.policy {
        store.set_pool_policy(pool, policy).await.map_err(ApiError::store)?;
    }
    let word = change.policy.map(|own| own.map_or("default".into(), |own| own.to_string()));
    let deed = Deed::new(caller.doer(), "pool.change", "pool", pool);
    let deed = deed.with_some("to_name", change.name.as_deref()).with_some("policy", word);
    app.write_down(deed).await?;
    shown(app, caller, pool, TeamRole::Owner, StatusCode::OK).await
}

/// Deletes a team's pool that has no account.
pub async fn delete_pool(app: &App, caller: &Caller, id: &str) -> Result<Response, ApiError> {
    let pool = owned_team(caller, id)?;
    match app.gateway.parts.store.close_team(pool).await.map_err(ApiError::store)? {
        Closing::Done => {
            app.gateway.parts.callers.forget_user(caller.user());
            app.write_down(Deed::new(caller.doer(), "pool.delete", "pool", pool)).await?;
            Ok(no_content())
        }
        Closing::HasAccounts => Err(PoolError::HasAccounts.into()),
        Closing::Unknown => Err(PoolError::NoPool.into()),
    }
}
