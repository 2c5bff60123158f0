//! `tributary demo`: the gateway on simulated platforms, accounts bound, a token printed.
//!
//! Nothing here reaches the internet. The store is a file in a temporary folder, unless
//! one is named; the key ring is the operator's, or one made in the user's configuration
//! folder, so that other commands work beside a demo.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value, json};

use super::account::{New, bind, windows_of};
use super::serve::{addresses, begin, begin_log, serve_until_told};
use super::{Common, Desk, Failure, print, ring, token};
use crate::accounts::{Scope, Spending, TokenGrant, User};
use crate::config::{Config, OwnRing};
use crate::platforms::{Catalogue, Credential, DialectName};
use crate::simulator::Simulator;
use crate::store::{self, Directory};
use crate::vault::Vault;

/// Try the gateway on simulated platforms: nothing to bind, nothing to pay.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where callers connect [default: the configuration's].
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The store [default: a file in a temporary folder].
    #[arg(long, value_name = "URL")]
    store: Option<String>,
}

const USER: &str = "demo";

/// A day's tokens where the platform's own limit is not known.
const LIMIT: u64 = 1_000_000;

/// Keys that the simulated platforms take at a face, two for each.
const KEYS: [(&str, DialectName, [&str; 2]); 7] = [
    (
        "qwen",
        DialectName::OpenaiChat,
        ["sk-demo-qwen-0000000000000001", "sk-demo-qwen-0000000000000002"],
    ),
    (
        "openai",
        DialectName::OpenaiChat,
        ["sk-demo-openai-00000000000001", "sk-demo-openai-00000000000002"],
    ),
    (
        "glm",
        DialectName::OpenaiChat,
        [
            "0123456789abcdef0123456789abcd01.0123456789demo01",
            "0123456789abcdef0123456789abcd02.0123456789demo02",
        ],
    ),
    (
        "ernie",
        DialectName::OpenaiChat,
        ["bce-v3/ALTAK-demo1/00000000000001", "bce-v3/ALTAK-demo2/00000000000002"],
    ),
    (
        "spark",
        DialectName::OpenaiChat,
        ["demo-spark-api-password-0001", "demo-spark-api-password-0002"],
    ),
    (
        "spark",
        DialectName::SparkWs,
        [
            r#"{"app_id": "01234567", "api_key": "0123456789abcdef0123456789abcd01",
                "api_secret": "MTBkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="}"#,
            r#"{"app_id": "01234567", "api_key": "0123456789abcdef0123456789abcd02",
                "api_secret": "MjBkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="}"#,
        ],
    ),
    (
        "claude",
        DialectName::AnthropicMessages,
        ["sk-ant-demo-claude-000000000001", "sk-ant-demo-claude-000000000002"],
    ),
];

impl Demo {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        let mut desk = Desk::open(common)?;
        let folder = self.set(&mut desk.config)?;
        begin_log(&desk.config)?;
        let simulator = Simulator::start()
            .await
            .map_err(|error| Failure::Io { what: "the simulated platforms".into(), error })?;
        point_at(&simulator, &mut desk.config)?;
        let vault = desk.vault(OwnRing::Make).await?;
        let store = store::open(&desk.config.settings.store).await?;
        ring::prove(&*store, &vault).await?;
        let token = populate(&desk.config, &*store, &vault).await?;
        let running = begin(&desk.config, store, vault, Vec::new()).await?;
        let mut facts = addresses(&running);
        if desk.json {
            facts["token"] = token.into();
            facts["platforms"] = platforms(&simulator).into();
            print::line(&facts.to_string())?;
        } else {
            print::line(&welcome(facts["base_url"].as_str().unwrap_or_default(), &token))?;
        }
        let done = serve_until_told(running).await;
        simulator.stop().await;
        drop(folder);
        done
    }

    /// What a demo sets differently; the folder of its store, if it has one of its own.
    fn set(&self, config: &mut Config) -> Result<Option<Folder>, Failure> {
        let settings = &mut config.settings;
        if let Some(listen) = self.listen {
            settings.server.listen = listen;
        }
        // Beside a gateway on the usual ports, and another demo.
        settings.operator.listen = (Ipv4Addr::LOCALHOST, 0).into();
        if settings.log == crate::telemetry::log::Settings::default() {
            settings.log.filter = "warn".into();
        }
        if let Some(url) = &self.store {
            settings.store.url.clone_from(url);
            return Ok(None);
        }
        let folder = Folder::make()?;
        settings.store.url = format!("sqlite:{}", folder.0.join("demo.db").display());
        Ok(Some(folder))
    }
}

/// A temporary folder, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("tributary-demo-{}", std::process::id()));
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| Failure::Io { what: path.display().to_string(), error })?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // The system clears its temporary folder too.
    }
}

/// Puts the simulated platforms' origins in the place of the real ones.
fn point_at(simulator: &Simulator, config: &mut Config) -> Result<(), Failure> {
    for (platform, origin) in simulator.platforms() {
        let Some(known) = config.catalogue.platform(platform).cloned() else { continue };
        let entry = table_in(&mut config.settings.platforms, platform);
        entry.remove("base_url");
        let faces = table_in(entry, "faces");
        for face in &known.faces {
            let is_socket = matches!(face.base_url.scheme_str(), Some("ws" | "wss"));
            let scheme = if is_socket { "ws" } else { "http" };
            let there = origin.trim_start_matches("http");
            let path = face.base_url.path().trim_end_matches('/');
            table_in(faces, face.dialect.as_str())
                .insert("base_url".into(), format!("{scheme}{there}{path}").into());
        }
    }
    let mut tables = toml::Table::new();
    tables.insert("platforms".into(), config.settings.platforms.clone().into());
    tables.insert("aliases".into(), config.settings.aliases.clone().into());
    let catalogue = Catalogue::load(&tables).map_err(|errors| {
        let all: Vec<_> = errors.iter().map(ToString::to_string).collect();
        Failure::other(all.join("\n"), "A demo takes [platforms] that leave its own as they are.")
    })?;
    config.catalogue = Arc::new(catalogue);
    Ok(())
}

/// The table of this name, made where there is none.
fn table_in<'t>(tables: &'t mut toml::Table, name: &str) -> &'t mut toml::Table {
    let entry = tables.entry(name).or_insert_with(|| toml::Table::new().into());
    if !entry.is_table() {
        *entry = toml::Table::new().into();
    }
    entry.as_table_mut().expect("it is a table now")
}

/// A user with two accounts on each platform and a new token. A store that has some of
/// it from an earlier demo keeps that.
async fn populate(
    config: &Config,
    directory: &dyn Directory,
    vault: &Vault,
) -> Result<String, Failure> {
    let user = match directory.user_named(USER).await? {
        Some(user) => user,
        None => directory.add_user(USER).await?,
    };
    let bound = directory.accounts_in(&[user.pool], &Default::default()).await?;
    for (id, dialect, keys) in KEYS {
        let Some(platform) = config.catalogue.platform(id) else { continue };
        let usual = platform.face(None).filter(|face| face.dialect == dialect);
        let Some(face) = usual else { continue };
        let knows_none = platform.windows.first().is_some_and(|window| window.limit.is_none());
        let limit = knows_none.then_some(LIMIT);
        for (number, key) in keys.into_iter().enumerate() {
            let name = format!("{id}-{}", number + 1);
            let is_it = |account: &crate::accounts::Account| {
                account.platform.as_str() == id && account.name == name
            };
            if bound.iter().any(|state| is_it(&state.account)) {
                continue;
            }
            let credential = Credential::parse(face, key)
                .map_err(|error| Failure::other(format!("{id}: {error}"), ""))?;
            let windows = windows_of(platform, limit);
            let new = New { platform, name: &name, dialect: None, windows };
            bind(directory, vault, &user, new, &credential).await?;
        }
    }
    new_token(directory, vault, &user).await
}

async fn new_token(
    directory: &dyn Directory,
    vault: &Vault,
    user: &User,
) -> Result<String, Failure> {
    let grant = TokenGrant {
        id: directory.reserve_token_id().await?,
        user: user.id,
        pools: vec![user.pool],
        scopes: vec![Scope::Chat, Scope::AccountsRead],
        models: Vec::new(),
        platforms: Vec::new(),
        expires_at: None,
        points: Spending::Never,
        requests_per_minute: None,
        tokens_per_day: None,
    };
    let (token, _) = token::create(directory, vault, grant, USER.into()).await?;
    Ok(token.expose_secret().to_owned())
}

fn platforms(simulator: &Simulator) -> Map<String, Value> {
    let facts = |(name, url): (&str, String)| {
        (name.to_owned(), json!({ "url": url, "model": simulator.model(name) }))
    };
    simulator.platforms().map(facts).collect()
}

fn welcome(base_url: &str, token: &str) -> String {
    format!(
        r#"Tributary answers on {base_url}, with two accounts on each simulated platform.

    base URL  {base_url}
    token     {token}

Try it:

    curl {base_url}/chat/completions \
      -H 'Authorization: Bearer {token}' \
      -H 'Content-Type: application/json' \
      -d '{{"model": "qwen-plus", "messages": [{{"role": "user", "content": "你好"}}]}}'

or with any OpenAI SDK:

    from openai import OpenAI

    client = OpenAI(base_url="{base_url}", api_key="{token}")
    answer = client.chat.completions.create(
        model="qwen-plus",
        messages=[{{"role": "user", "content": "你好"}}],
    )
    print(answer.choices[0].message.content)

Ctrl-C ends it."#
    )
}
