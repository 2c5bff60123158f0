//! `/api/v1/pools/{id}/members`: who belongs to a team.

use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{no_content, typed};
use super::ask;
use super::page::Page;
use super::pools::{own, owned_team};
use super::{ApiError, App, PoolError, Request, Response};
use crate::accounts::{Deed, Membership, PoolId, Seating, TeamRole, User, UserId};
use crate::relay::{Caller, membership};
use crate::telemetry::clock;

/// A member of a team.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MemberView {
    /// Its name.
    user: String,
    #[schemars(with = "i64")]
    user_id: UserId,
    role: TeamRole,
    #[schemars(with = "String", extend("format" = "date-time"))]
    joined_at: Timestamp,
}

impl MemberView {
    fn of(member: &Membership, name: &str) -> Self {
        let Membership { user, role, joined_at, .. } = *member;
        Self { user: name.to_owned(), user_id: user, role, joined_at }
    }
}

/// What a path's two names are: a pool's id and a user's name.
fn names(named: &str) -> (&str, &str) {
    named.split_once("/members/").unwrap_or((named, ""))
}

/// A team's members, in the order of joining.
pub async fn list_members(app: &App, caller: &Caller, id: &str) -> Result<Response, ApiError> {
    let (pool, _) = own(caller, id)?;
    let store = &app.gateway.parts.store;
    let members = store.members_of(pool).await.map_err(ApiError::store)?;
    let ids: Vec<_> = members.iter().map(|member| member.user).collect();
    let people = store.users_among(&ids).await.map_err(ApiError::store)?;
    let views = members.iter().filter_map(|member| {
        let user = people.iter().find(|user| user.id == member.user)?;
        Some(MemberView::of(member, &user.name))
    });
    Ok(typed(StatusCode::OK, &Page::whole(views.collect())))
}

/// What a member shall be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberAsk {
    /// `member` or `owner`; left out: `member`.
    #[serde(default)]
    role: TeamRole,
}

/// Adds a member, or changes what it may do.
pub async fn put_member(
    app: &App,
    caller: &Caller,
    request: &mut Request,
    named: &str,
) -> Result<Response, ApiError> {
    let (id, name) = names(named);
    let bytes = ask::read(app, request).await?;
    let wish: MemberAsk = ask::parse(&bytes)?;
    let pool = owned_team(caller, id)?;
    let (parts, user) = (&app.gateway.parts, user(app, name).await?);
    let before = member(app, pool, user.id).await?;
    let joined_at = before.as_ref().map_or_else(clock::now, |before| before.joined_at);
    let after = membership(&parts.vault, pool, user.id, wish.role, joined_at);
    let deed = |action| {
        let deed = Deed::new(caller.doer(), action, "pool", pool).of(user.id);
        deed.with("user", &user.name).with("role", wish.role.name())
    };
    // The log before the grant.
    app.write_down(deed("pool.member")).await?;
    let seated = parts.store.seat(before.as_ref(), after.clone()).await.map_err(ApiError::store)?;
    if seated != Seating::Done {
        app.write_down(deed("pool.member_refused")).await?;
    }
    done(seated, PoolError::Changed)?;
    parts.callers.forget_user(user.id);
    Ok(typed(StatusCode::OK, &MemberView::of(&after, &user.name)))
}

/// Ends a membership: an owner anybody's, others their own.
pub async fn remove_member(app: &App, caller: &Caller, named: &str) -> Result<Response, ApiError> {
    let (id, name) = names(named);
    let (pool, role) = own(caller, id)?;
    if pool == caller.grant().personal {
        return Err(PoolError::Personal.into());
    }
    let is = app.gateway.parts.store.user_named(name).await.map_err(ApiError::store)?;
    let is_itself = is.as_ref().is_some_and(|user| user.id == caller.user());
    if role != TeamRole::Owner && !is_itself {
        return Err(PoolError::NotOwner.into());
    }
    let user = is.ok_or(PoolError::NoMember)?;
    let parts = &app.gateway.parts;
    // A credential must not stay where its owner has no say.
    let accounts = parts.store.accounts_in(&[pool], &parts.zones.resets()).await;
    let accounts = accounts.map_err(ApiError::store)?;
    if let Some(own) = accounts.iter().find(|state| state.account.owner == user.id) {
        return Err(PoolError::BroughtOne(own.account.id).into());
    }
    let gone = parts.store.unseat(pool, user.id).await.map_err(ApiError::store)?;
    done(gone, PoolError::NoMember)?;
    parts.callers.forget_user(user.id);
    let deed = Deed::new(caller.doer(), "pool.leave", "pool", pool).of(user.id);
    app.write_down(deed.with("user", &user.name)).await?;
    Ok(no_content())
}

async fn user(app: &App, name: &str) -> Result<User, ApiError> {
    let user = app.gateway.parts.store.user_named(name).await.map_err(ApiError::store)?;
    user.ok_or(PoolError::NoUser.into())
}

async fn member(app: &App, pool: PoolId, user: UserId) -> Result<Option<Membership>, ApiError> {
    let members = app.gateway.parts.store.memberships_of(user).await.map_err(ApiError::store)?;
    Ok(members.into_iter().find(|member| member.pool == pool))
}

fn done(seating: Seating, stale: PoolError) -> Result<(), ApiError> {
    Err(match seating {
        Seating::Done => return Ok(()),
        Seating::Stale => stale,
        Seating::LastOwner => PoolError::LastOwner,
        Seating::Full => PoolError::Full,
    }
    .into())
}
