//! `tributary account add`: bind an account by a documented key.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::key_file;
use crate::accounts::{Doer, Priority, Tokens};
use crate::authorize::Wanted;
use crate::cli::desk::user_named;
use crate::cli::pool::joined;
use crate::cli::{Desk, Failure, print};

/// Bind an account by a key. Nothing is asked of the platform.
#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// Whose account.
    #[arg(long, value_name = "NAME")]
    user: String,
    /// The pool it joins: a team's name or a pool's id [default: the user's own].
    #[arg(long)]
    pool: Option<String>,
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
        let wanted = Wanted {
            platform: &self.platform,
            name: &self.name,
            dialect: self.dialect.as_deref(),
            limit: self.limit.map(Tokens),
            priority: self.priority,
        };
        let target = wanted.target(&desk.config.catalogue)?;
        let ready = target.with_key(&key_file::read(&self.key_file)?)?;
        let (directory, vault) = desk.sealing().await?;
        let user = user_named(&*directory, &self.user).await?;
        let (platform, dialect) = (ready.platform().name.clone(), ready.dialect());
        let pool = match &self.pool {
            Some(pool) => joined(&*directory, &user, pool).await?,
            None => user.pool,
        };
        let (id, worn) = ready.bind(&*directory, &vault, Doer::OPERATOR, user.id, pool).await?;
        if let Some(worn) = worn {
            eprintln!("warning: {worn}");
        }
        if desk.json {
            return print::json(&json!({
                "id": id,
                "platform": self.platform,
                "name": self.name,
                "user": user.name,
                "pool": pool,
                "dialect": dialect,
                "status": "active",
            }));
        }
        print::line(&format!(
            "account {id} `{}` on {platform} bound for {}; try it: tributary account check {id}",
            self.name, user.name
        ))
    }
}
