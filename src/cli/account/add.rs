//! `tributary account add`: bind an account by a documented key.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::key_file;
use crate::accounts::{
    AccountId, NewAccount, Origin, PlatformId, Priority, Tokens, User, WindowSpec,
};
use crate::cli::desk::user_named;
use crate::cli::{Desk, Failure, print, ring};
use crate::platforms::{Credential, DialectName, Face, Platform};
use crate::relay::CREDENTIAL_FIELD;
use crate::store::{Directory, StoreError};
use crate::vault::{Place, Plain, Vault};

/// Bind an account by a key. Nothing is asked of the platform.
#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// Whose account.
    #[arg(long, value_name = "NAME")]
    user: String,
    /// Where it lives, as `qwen`.
    #[arg(long)]
    platform: String,
    /// A name to know it by.
    #[arg(long)]
    name: String,
    /// A file that holds the key, or a JSON object where several fields are needed; `-` is
    /// standard input.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// The wire format to reach it in [default: the one that its credential fits].
    #[arg(long)]
    dialect: Option<String>,
    /// Its token limit, in its platform's first window [default: the platform's].
    #[arg(long, value_name = "TOKENS")]
    limit: Option<u64>,
    /// Where it comes in a pool that goes by priority: 0 is first, 100 last.
    #[arg(long, value_name = "NUMBER", value_parser = priority, default_value_t)]
    priority: Priority,
}

/// Reads a priority.
pub(super) fn priority(text: &str) -> Result<Priority, String> {
    let number: u8 = text.parse().map_err(|_| "it is a number from 0 to 100")?;
    Priority::try_from(number)
}

impl Add {
    pub(in crate::cli) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        if self.name.is_empty() || self.name.chars().any(char::is_control) {
            return Err(Failure::usage(
                "an account's name is a line of text",
                "Give another --name.",
            ));
        }
        let platform = self.platform(desk)?;
        let text = key_file::read(&self.key_file)?;
        let (credential, face) = read_credential(platform, self.face(platform)?, &text)?;
        let (directory, vault) = desk.sealing().await?;
        let user = user_named(&*directory, &self.user).await?;
        let new = New {
            platform,
            name: &self.name,
            // The usual face may change with the configuration; another one was chosen.
            dialect: (Some(face.dialect) != platform.faces.first().map(|face| face.dialect))
                .then(|| face.dialect.as_str().to_owned()),
            windows: windows_of(platform, self.limit),
            priority: self.priority,
        };
        let id = bind(&*directory, &vault, &user, new, &credential).await?;
        if desk.json {
            return print::json(&json!({
                "id": id,
                "platform": platform.id,
                "name": self.name,
                "user": user.name,
                "dialect": face.dialect,
                "status": "active",
            }));
        }
        print::line(&format!(
            "account {id} `{}` on {} bound for {}; try it: tributary account check {id}",
            self.name, platform.name, user.name
        ))
    }

    fn platform<'d>(&self, desk: &'d Desk) -> Result<&'d Arc<Platform>, Failure> {
        let catalogue = &desk.config.catalogue;
        let platform = catalogue.platform(&self.platform).ok_or_else(|| {
            let known: Vec<_> = catalogue.platforms().map(|known| known.id.as_str()).collect();
            let fix = format!(
                "Known are: {}. [platforms.{}] in gateway.toml adds one.",
                known.join(", "),
                self.platform
            );
            Failure::usage(format!("there is no platform `{}`", self.platform), fix)
        })?;
        if platform.is_available() {
            return Ok(platform);
        }
        let what =
            format!("{} is listed, but this version does not speak its dialect", platform.name);
        Err(Failure::other(what, "A later version will; nothing was bound."))
    }

    fn face<'p>(&self, platform: &'p Platform) -> Result<Option<&'p Arc<Face>>, Failure> {
        let Some(name) = &self.dialect else { return Ok(None) };
        let face = DialectName::named(name).and_then(|dialect| platform.face(Some(dialect)));
        let face = face.filter(|face| face.dialect.is_spoken());
        face.map(Some).ok_or_else(|| {
            let spoken = spoken_faces(platform).map(|face| face.dialect.as_str());
            let fix = format!("It can be: {}.", spoken.collect::<Vec<_>>().join(", "));
            Failure::usage(format!("{} is not reached in `{name}`", platform.name), fix)
        })
    }
}

fn spoken_faces(platform: &Platform) -> impl Iterator<Item = &Arc<Face>> {
    platform.faces.iter().filter(|face| face.dialect.is_spoken())
}

/// Reads a key file for the face that was named, or for the first that it fits.
fn read_credential<'p>(
    platform: &'p Platform,
    named: Option<&'p Arc<Face>>,
    text: &str,
) -> Result<(Credential, &'p Arc<Face>), Failure> {
    let mut refused = None;
    for face in named.into_iter().chain(spoken_faces(platform).filter(|_| named.is_none())) {
        match Credential::parse(face, text) {
            Ok(credential) => return Ok((credential, face)),
            Err(error) => {
                refused.get_or_insert((error, face));
            }
        }
    }
    let (error, face) = refused.expect("an available platform has a face that is spoken");
    let rows = face.credential.rows().map(|row| [row.help.as_str(), row.get.as_str()].join(" "));
    let fix = rows.collect::<Vec<_>>().join("\n");
    Err(Failure::other(format!("{}: {error}", platform.name), fix.trim()))
}

/// A platform's windows, with a limit of the account's own in the first.
pub(in crate::cli) fn windows_of(platform: &Platform, limit: Option<u64>) -> Vec<WindowSpec> {
    let mut windows = platform.windows.clone();
    if let (Some(first), Some(limit)) = (windows.first_mut(), limit) {
        first.limit = Some(Tokens(limit));
        first.origin = Origin::Hand;
    }
    windows
}

/// An account that is to be bound.
pub(in crate::cli) struct New<'a> {
    pub(in crate::cli) platform: &'a Platform,
    pub(in crate::cli) name: &'a str,
    pub(in crate::cli) dialect: Option<String>,
    pub(in crate::cli) windows: Vec<WindowSpec>,
    pub(in crate::cli) priority: Priority,
}

/// Seals a credential to its place and binds the account.
pub(in crate::cli) async fn bind(
    directory: &dyn Directory,
    vault: &Vault,
    user: &User,
    new: New<'_>,
    credential: &Credential,
) -> Result<AccountId, Failure> {
    let id = directory.reserve_account_id().await?;
    let generation = 1;
    let place = Place {
        pool: user.pool.0,
        account: id.0,
        platform: &new.platform.id,
        field: CREDENTIAL_FIELD,
        generation,
    };
    if let Some(worn) = ring::count_seal(directory, vault).await? {
        eprintln!("warning: {worn}");
    }
    let sealed = vault.seal_credential(&place, &Plain::from(credential.to_sealed()))?;
    let account = NewAccount {
        id,
        pool: user.pool,
        owner: user.id,
        platform: PlatformId::from(new.platform.id.as_str()),
        name: new.name.to_owned(),
        dialect: new.dialect,
        windows: new.windows,
        priority: new.priority,
        sealed,
        generation,
        expires_at: None,
    };
    directory.add_account(account).await.map_err(|error| match error {
        StoreError::Taken(_) => {
            let what =
                format!("`{}` has an account `{}` on {}", user.name, new.name, new.platform.name);
            Failure::other(what, "Give another --name; `tributary account list` shows all.")
        }
        error => error.into(),
    })?;
    Ok(id)
}
