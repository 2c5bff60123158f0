//! `tributary user role|disable|enable`

use clap::Args;

use super::{Facts, RoleWord};
use crate::accounts::{Deed, Doer, Identity, UserRole};
use crate::cli::desk::user_named;
use crate::cli::{Desk, Failure, print};
use crate::identity;
use crate::store::write_down;
use crate::telemetry::clock;

/// Make a user a member or an operator; it must sign in anew.
#[derive(Debug, Args)]
pub(in super::super) struct Role {
    /// Its name.
    name: String,
    /// What it becomes.
    role: RoleWord,
}

/// Keep a user from signing in and from using its tokens, within 5 seconds.
#[derive(Debug, Args)]
pub(in super::super) struct Disable {
    /// Its name.
    name: String,
}

/// Let a user sign in and use its tokens again.
#[derive(Debug, Args)]
pub(in super::super) struct Enable {
    /// Its name.
    name: String,
}

impl Role {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let role = UserRole::from(self.role);
        let edit = |it: &mut Identity| {
            if it.role != role {
                it.role = role;
                it.epoch += 1;
            }
        };
        let said = format!("is {} now", with_article(role));
        changed(desk, &self.name, edit, "user.role", Some(role), &said).await
    }
}

impl Disable {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let now = clock::now();
        let edit = |it: &mut Identity| {
            it.disabled_at.get_or_insert(now);
            it.epoch += 1;
        };
        let said = "is disabled: its tokens stop working within 5 seconds";
        changed(desk, &self.name, edit, "user.disable", None, said).await
    }
}

impl Enable {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let edit = |it: &mut Identity| it.disabled_at = None;
        changed(desk, &self.name, edit, "user.enable", None, "is enabled").await
    }
}

fn with_article(role: UserRole) -> &'static str {
    match role {
        UserRole::Member => "a member",
        UserRole::Operator => "an operator",
    }
}

async fn changed(
    desk: &Desk,
    name: &str,
    edit: impl Fn(&mut Identity),
    action: &str,
    role: Option<UserRole>,
    said: &str,
) -> Result<(), Failure> {
    let (directory, vault) = desk.sealing().await?;
    let user = user_named(&*directory, name).await?;
    let deed = Deed::new(Doer::OPERATOR, action, "user", user.id).of(user.id);
    let deed = deed.with_some("role", role.map(UserRole::word));
    write_down(&*directory, &vault, deed).await?;
    let user = identity::change(&*directory, &vault, user.id, edit).await?.unwrap_or(user);
    if desk.json {
        return print::json(&Facts::of(&user));
    }
    print::line(&format!("{} {said}", user.name))
}
