//! `tributary token create|list|revoke`: what callers send as their API key.

use std::num::NonZeroU32;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::desk::{user_named, users};
use super::pool::joined;
use super::table::table;
use super::{Desk, Failure, print};
use crate::accounts::{
    Deed, Doer, GatewayTokenRow, PoolId, Scope, Spending, TokenGrant, TokenId, Tokens, User,
};
use crate::relay::mint;
use crate::store::{Directory, write_down};
use crate::telemetry::clock;
use crate::vault::{GatewayToken, Vault};

/// What callers send as their API key.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    Create(Box<Create>),
    List(List),
    Revoke(Revoke),
}

/// Create a token and print it, once.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// Whose token.
    #[arg(long, value_name = "NAME")]
    user: String,
    /// A name to know it by.
    #[arg(long, default_value = "default")]
    name: String,
    /// What it may do; several with commas.
    #[arg(long, value_delimiter = ',', default_values = ["chat", "accounts:read"])]
    scopes: Vec<ScopeWord>,
    /// The only model names that it may call; several with commas [default: all].
    #[arg(long, value_delimiter = ',', value_name = "MODELS")]
    models: Vec<String>,
    /// The only platforms that it may reach; several with commas [default: all].
    #[arg(long, value_delimiter = ',', value_name = "PLATFORMS")]
    platforms: Vec<String>,
    /// The only pools that it draws from, in order: a team's name, the user's own for its
    /// personal one, or an id; several with commas [default: the personal one, then its
    /// user's teams in the order of joining].
    #[arg(long, value_delimiter = ',', value_name = "POOLS")]
    pools: Vec<String>,
    /// How long it is good, as `30d` or `12h` [default: until it is revoked].
    #[arg(long, value_name = "TIME")]
    expires: Option<jiff::Span>,
    /// Whether its calls may cost points, once no account has quota left.
    #[arg(long, default_value = "fallback")]
    points: SpendingWord,
    /// The most requests a minute [default: any number].
    #[arg(long, value_name = "N")]
    rpm: Option<NonZeroU32>,
    /// The most tokens a day, which begins at 00:00 UTC [default: any number].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    tokens_per_day: Option<u64>,
    /// Keep its requests and answers with its records, sealed, for this token alone to see.
    #[arg(long)]
    keep_bodies: bool,
}

/// List tokens: their ends, never themselves.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Of this user alone.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

/// Revoke a token: it stops working within 5 seconds.
#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// Its id, as `token list` shows it.
    id: i64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScopeWord {
    Chat,
    #[value(name = "accounts:read")]
    AccountsRead,
    #[value(name = "accounts:write")]
    AccountsWrite,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SpendingWord {
    Fallback,
    Never,
}

impl Token {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(desk).await,
            Self::List(list) => list.run(desk).await,
            Self::Revoke(revoke) => revoke.run(desk).await,
        }
    }
}

impl Create {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let catalogue = &desk.config.catalogue;
        if let Some(unknown) = self.platforms.iter().find(|id| catalogue.platform(id).is_none()) {
            let known: Vec<_> = catalogue.platforms().map(|known| known.id.as_str()).collect();
            let fix = format!("Known are: {}.", known.join(", "));
            return Err(Failure::usage(format!("there is no platform `{unknown}`"), fix));
        }
        let expires_at = self.expires.map(end_of).transpose()?;
        let (directory, vault) = desk.sealing().await?;
        let user = user_named(&*directory, &self.user).await?;
        let only_pools = match &self.pools[..] {
            [] => None,
            pools => Some(only(&*directory, &user, pools).await?),
        };
        let grant = TokenGrant {
            id: directory.reserve_token_id().await?,
            user: user.id,
            personal: user.pool,
            scopes: self.scopes.into_iter().map(Scope::from).collect(),
            models: self.models,
            platforms: self.platforms,
            expires_at,
            points: self.points.into(),
            requests_per_minute: self.rpm,
            tokens_per_day: self.tokens_per_day.map(Tokens),
            keep_bodies: self.keep_bodies,
            only_pools,
        };
        let (token, row) = create(&*directory, &vault, grant, self.name).await?;
        if !desk.json {
            eprintln!("Keep it: it is shown this once. OpenAI clients take it as their API key.");
            return print::line(token.expose_secret());
        }
        let mut facts = facts(&row, &user);
        facts["token"] = token.expose_secret().into();
        print::json(&facts)
    }
}

/// Pools that a user's token may be limited to.
async fn only(
    directory: &dyn Directory,
    user: &User,
    names: &[String],
) -> Result<Vec<PoolId>, Failure> {
    let mut pools = Vec::new();
    for name in names {
        let pool = joined(directory, user, name).await?;
        if !pools.contains(&pool) {
            pools.push(pool);
        }
    }
    Ok(pools)
}

/// Creates a token with this grant.
pub(super) async fn create(
    directory: &dyn Directory,
    vault: &Vault,
    grant: TokenGrant,
    name: String,
) -> Result<(GatewayToken, GatewayTokenRow), Failure> {
    // The log before the grant.
    write_down(directory, vault, deed(&grant, "token.create").with("name", &name)).await?;
    let (token, row) = mint(vault, grant, name)?;
    directory.add_token(row.clone()).await?;
    Ok((token, row))
}

fn deed(grant: &TokenGrant, action: &str) -> Deed {
    Deed::new(Doer::OPERATOR, action, "token", grant.id).of(grant.user)
}

fn end_of(life: jiff::Span) -> Result<jiff::Timestamp, Failure> {
    let now = clock::now().to_zoned_datetime(jiff::tz::TimeZone::UTC);
    match now.checked_add(life) {
        Ok(end) if life.is_positive() => Ok(end.timestamp()),
        _ => Err(Failure::usage(
            "--expires must be a time that lies ahead",
            "Give a length, as `30d` or `12h`.",
        )),
    }
}

impl List {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let directory = desk.directory().await?;
        let mut tokens = Vec::new();
        for user in users(&*directory, self.user.as_deref()).await? {
            let uses = directory.token_uses(user.id).await?;
            for row in directory.tokens_of(user.id).await? {
                let used_at = uses.get(&row.grant.id).copied();
                tokens.push((row, user.clone(), used_at));
            }
        }
        if desk.json {
            let facts: Vec<_> = tokens
                .iter()
                .map(|(row, user, used_at)| {
                    let mut facts = facts(row, user);
                    facts["last_used_at"] = json!(used_at);
                    facts
                })
                .collect();
            return print::json(&facts);
        }
        let row = |(row, user, used_at): (GatewayTokenRow, User, Option<jiff::Timestamp>)| {
            [
                row.grant.id.to_string(),
                user.name,
                row.name.clone(),
                format!("{}***{}", row.prefix, row.last_four),
                scopes(&row).join(" "),
                limits(&row),
                row.created_at.to_string(),
                used_at.map_or_else(|| "never".to_owned(), |at| at.to_string()),
                state(&row),
            ]
        };
        let head =
            ["ID", "USER", "NAME", "TOKEN", "SCOPES", "LIMITS", "CREATED", "LAST USED", "STATE"];
        print::line(&table(head, tokens.into_iter().map(row).collect()))
    }
}

fn facts(row: &GatewayTokenRow, user: &User) -> serde_json::Value {
    json!({
        "id": row.grant.id,
        "user": user.name,
        "name": row.name,
        "prefix": row.prefix,
        "last_four": row.last_four,
        "scopes": row.grant.scopes,
        "models": row.grant.models,
        "platforms": row.grant.platforms,
        "pools": row.grant.only_pools,
        "created_at": row.created_at,
        "expires_at": row.grant.expires_at,
        "points": row.grant.points,
        "requests_per_minute": row.grant.requests_per_minute,
        "tokens_per_day": row.grant.tokens_per_day,
        "keep_bodies": row.grant.keep_bodies,
        "revoked_at": row.revoked_at,
    })
}

fn scopes(row: &GatewayTokenRow) -> Vec<String> {
    let word = |scope: &Scope| serde_json::to_value(scope).ok()?.as_str().map(str::to_owned);
    row.grant.scopes.iter().filter_map(word).collect()
}

fn limits(row: &GatewayTokenRow) -> String {
    let grant = &row.grant;
    let rate = grant.requests_per_minute.map(|rate| format!("{rate}/min"));
    let day = grant.tokens_per_day.map(|tokens| format!("{tokens}/day"));
    let points = (grant.points == Spending::Never).then(|| "no points".to_owned());
    let bodies = grant.keep_bodies.then(|| "keeps bodies".to_owned());
    [rate, day, points, bodies].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn state(row: &GatewayTokenRow) -> String {
    match (row.revoked_at, row.grant.expires_at) {
        (Some(at), _) => format!("revoked {at}"),
        (None, Some(end)) if end <= clock::now() => format!("ended {end}"),
        (None, Some(end)) => format!("until {end}"),
        (None, None) => "good".to_owned(),
    }
}

impl Revoke {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let (directory, vault) = desk.sealing().await?;
        let token = TokenId(self.id);
        if !directory.revoke_token(token).await? {
            let what = format!("there is no token {}", self.id);
            return Err(Failure::other(what, "`tributary token list` shows all."));
        }
        let mut deed = Deed::new(Doer::OPERATOR, "token.revoke", "token", token);
        for user in directory.users().await? {
            let rows = directory.tokens_of(user.id).await?;
            if let Some(row) = rows.into_iter().find(|row| row.grant.id == token) {
                deed = deed.of(user.id).with("name", row.name);
                break;
            }
        }
        write_down(&*directory, &vault, deed).await?;
        if desk.json {
            return print::json(&json!({ "id": self.id, "revoked": true }));
        }
        print::line(&format!("token {} is revoked: it stops working within 5 seconds", self.id))
    }
}

impl From<ScopeWord> for Scope {
    fn from(word: ScopeWord) -> Self {
        match word {
            ScopeWord::Chat => Self::Chat,
            ScopeWord::AccountsRead => Self::AccountsRead,
            ScopeWord::AccountsWrite => Self::AccountsWrite,
        }
    }
}

impl From<SpendingWord> for Spending {
    fn from(word: SpendingWord) -> Self {
        match word {
            SpendingWord::Fallback => Self::Fallback,
            SpendingWord::Never => Self::Never,
        }
    }
}
