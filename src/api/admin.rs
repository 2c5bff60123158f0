//! `/api/v1/admin/…`: what operators do. They see who there is and how accounts fare, never a
//! credential, a request or an answer.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::typed;
use super::ask::{self, bad};
use super::console_sessions::check_name;
use super::page::Page;
use super::sign_in_error::SignInError;
use super::{ApiError, App, Request, Response};
use crate::accounts::{Deed, Identity, Points, PoolId, User, UserId, UserRole};
use crate::identity::{
    Changed, LINK_LIFE, SignedIn, change, change_but_the_last_operator, identity_of,
};
use crate::store::{Directory, StoreError};
use crate::telemetry::clock;

/// A user, as operators see it.
#[derive(Serialize, JsonSchema)]
pub struct UserView {
    #[schemars(with = "i64")]
    id: UserId,
    name: String,
    /// `member` or `operator`.
    #[schemars(with = "String")]
    role: UserRole,
    /// Whether it may sign in and use its tokens.
    enabled: bool,
    has_password: bool,
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// Where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    password_link: Option<LinkView>,
}

/// A one-time link, for the user to set its password with.
#[derive(Serialize, JsonSchema)]
pub struct LinkView {
    /// The `token` of POST /api/v1/password/reset; shown this once.
    token: String,
    #[schemars(with = "String", extend("format" = "date-time"))]
    ends_at: Timestamp,
}

/// A user to add.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddUserAsk {
    name: String,
    /// `member` or `operator`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    role: UserRole,
}

/// What shall be changed of a user; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeUserAsk {
    /// `member` or `operator`; its sessions end.
    #[schemars(with = "Option<String>")]
    role: Option<UserRole>,
    /// `false`: it can't sign in, and its tokens stop within 5 seconds.
    enabled: Option<bool>,
    /// `true`: make a link by which it sets another password.
    #[serde(default)]
    reset_password: bool,
}

/// Points to give, or, below zero, to take back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantAsk {
    /// As `100` or `"0.25"`.
    #[schemars(with = "String")]
    points: Points,
    /// Words for the ledger.
    #[serde(default)]
    note: String,
}

/// What a user has after a grant.
#[derive(Serialize, JsonSchema)]
pub struct GrantView {
    #[schemars(with = "i64")]
    user: UserId,
    #[schemars(with = "String")]
    granted: Points,
    #[schemars(with = "String")]
    balance: Points,
}

/// How the accounts on a platform fare.
#[derive(Serialize, JsonSchema)]
pub struct HealthView {
    platform: String,
    name: String,
    accounts: usize,
    /// How many are `active`, `cooling`, `expired`, `banned`, `locked`, `disabled`.
    by_status: BTreeMap<&'static str, usize>,
}

/// Every user, by id.
pub async fn list_users(app: &App) -> Result<Response, ApiError> {
    let users = app.gateway.parts.store.users().await.map_err(ApiError::store)?;
    let views = users.iter().map(|user| UserView::of(app, user)).collect();
    Ok(typed(StatusCode::OK, &Page::whole(views)))
}

/// Adds a user, and makes the link by which it sets its password.
pub async fn add_user(
    app: &App,
    operator: &SignedIn,
    request: &mut Request,
) -> Result<Response, ApiError> {
    let bytes = ask::read(app, request).await?;
    let AddUserAsk { name, role } = ask::parse(&bytes)?;
    check_name(&name)?;
    let parts = &app.gateway.parts;
    let user = parts.store.add_user(&name).await.map_err(|error| match error {
        StoreError::Taken(_) => SignInError::NameTaken.into(),
        error => ApiError::store(error),
    })?;
    let deed = deed(operator, "user.add", user.id);
    app.write_down(deed.with("name", &user.name).with("role", role.word())).await?;
    let user = changed(app, user.id, |it| it.role = role).await?;
    let link = link(app, user.id).await?;
    let view = UserView { password_link: Some(link), ..UserView::of(app, &user) };
    Ok(typed(StatusCode::CREATED, &view))
}

/// Changes what a user may do.
pub async fn change_user(
    app: &App,
    operator: &SignedIn,
    request: &mut Request,
    id: &str,
) -> Result<Response, ApiError> {
    let bytes = ask::read(app, request).await?;
    let ask: ChangeUserAsk = ask::parse(&bytes)?;
    let mut user = user_of(app, id).await?;
    let parts = &app.gateway.parts;
    let before = identity_of(&parts.vault, &user);
    let role = ask.role.unwrap_or(before.role);
    let enabled = ask.enabled.unwrap_or(before.disabled_at.is_none());
    if !(role == UserRole::Operator && enabled) && is_last_operator(app, &user).await? {
        return Err(SignInError::LastOperator.into());
    }
    if ask.role.is_some() || ask.enabled.is_some() {
        let id = user.id;
        let deed =
            |action| deed(operator, action, id).with("role", role.word()).with("enabled", enabled);
        app.write_down(deed("user.change")).await?;
        let now = clock::now();
        let edit = move |it: &mut Identity| {
            if it.role != role || it.disabled_at.is_none() != enabled {
                it.epoch += 1;
            }
            it.role = role;
            it.disabled_at = if enabled { None } else { it.disabled_at.or(Some(now)) };
        };
        let directory: &dyn Directory = &*parts.store;
        let changed = change_but_the_last_operator(directory, &parts.vault, user.id, edit).await;
        user = match changed.map_err(ApiError::store)? {
            Changed::Done(user) => *user,
            Changed::NoUser => return Err(SignInError::NoUser.into()),
            Changed::LastOperator => {
                app.write_down(deed("user.change_refused")).await?;
                return Err(SignInError::LastOperator.into());
            }
        };
        if user.identity.epoch != before.epoch {
            parts.people.end_sessions(&user).await.map_err(ApiError::store)?;
        }
    }
    let password_link = match ask.reset_password {
        true => {
            app.write_down(deed(operator, "user.password_link", user.id)).await?;
            Some(link(app, user.id).await?)
        }
        false => None,
    };
    Ok(typed(StatusCode::OK, &UserView { password_link, ..UserView::of(app, &user) }))
}

/// Gives points to a user.
pub async fn grant_points(
    app: &App,
    operator: &SignedIn,
    request: &mut Request,
    id: &str,
) -> Result<Response, ApiError> {
    let bytes = ask::read(app, request).await?;
    let GrantAsk { points, note } = ask::parse(&bytes)?;
    if note.chars().any(char::is_control) {
        return Err(bad("note", "A note is one line of text."));
    }
    let user = user_of(app, id).await?.id;
    let facts = deed(operator, "points.grant", user).with("points", points);
    app.write_down(facts.with("note", &note)).await?;
    let granted = app.gateway.parts.store.grant_points(user, points, &note).await;
    let Some(balance) = granted.map_err(ApiError::store)? else {
        return Err(bad("points", "The user has not so many points, or would have too many."));
    };
    Ok(typed(StatusCode::OK, &GrantView { user, granted: points, balance }))
}

/// How the accounts on each platform fare: counts, and nobody's names.
pub async fn show_health(app: &App) -> Result<Response, ApiError> {
    let parts = &app.gateway.parts;
    let users = parts.store.users().await.map_err(ApiError::store)?;
    let teams = parts.store.teams().await.map_err(ApiError::store)?;
    let pools = users.iter().map(|user| user.pool).chain(teams.iter().map(|team| team.id));
    let pools: Vec<PoolId> = pools.collect();
    let states = parts.store.accounts_in(&pools, &parts.zones.resets()).await;
    let states = states.map_err(ApiError::store)?;
    let view = |platform: &crate::platforms::Platform| {
        let mut by_status = BTreeMap::new();
        let own = states.iter().filter(|it| it.account.platform.as_str() == platform.id.as_str());
        for state in own {
            *by_status.entry(state.health.status()).or_default() += 1;
        }
        HealthView {
            platform: platform.id.to_string(),
            name: platform.name.clone(),
            accounts: by_status.values().sum(),
            by_status,
        }
    };
    let views = parts.catalogue.platforms().map(|platform| view(platform)).collect();
    Ok(typed(StatusCode::OK, &Page::whole(views)))
}

fn deed(operator: &SignedIn, action: &str, user: UserId) -> Deed {
    Deed::new(operator.doer(), action, "user", user).of(user)
}

pub(super) async fn user_of(app: &App, id: &str) -> Result<User, ApiError> {
    let number = id.parse().ok().filter(|number: &i64| number.to_string() == id);
    let number = number.ok_or(SignInError::NoUser)?;
    let user = app.gateway.parts.store.user(UserId(number)).await.map_err(ApiError::store)?;
    Ok(user.ok_or(SignInError::NoUser)?)
}

async fn changed(
    app: &App,
    user: UserId,
    edit: impl Fn(&mut Identity) + Send + Sync,
) -> Result<User, ApiError> {
    let parts = &app.gateway.parts;
    let directory: &dyn Directory = &*parts.store;
    let user = change(directory, &parts.vault, user, edit).await.map_err(ApiError::store)?;
    Ok(user.ok_or(SignInError::NoUser)?)
}

async fn link(app: &App, user: UserId) -> Result<LinkView, ApiError> {
    let token = app.gateway.parts.people.password_link(user).await?;
    Ok(LinkView { token, ends_at: clock::now() + LINK_LIFE })
}

/// Whether no other operator could act: looked at before anything is written down. That it
/// still holds when the change is made, the change sees to.
async fn is_last_operator(app: &App, user: &User) -> Result<bool, ApiError> {
    let parts = &app.gateway.parts;
    let acts = |user: &User| identity_of(&parts.vault, user).is_acting_operator();
    let users = parts.store.users().await.map_err(ApiError::store)?;
    Ok(acts(user) && !users.iter().any(|other| other.id != user.id && acts(other)))
}

impl UserView {
    fn of(app: &App, user: &User) -> Self {
        let identity = identity_of(&app.gateway.parts.vault, user);
        Self {
            id: user.id,
            name: user.name.clone(),
            role: identity.role,
            enabled: identity.disabled_at.is_none(),
            has_password: identity.password.is_some(),
            created_at: user.created_at,
            password_link: None,
        }
    }
}
