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

use super::serve::{Told, addresses, begin, begin_log, serve_until_told};
use super::{Common, Desk, Failure, print, ring, token};
use crate::accounts::{Doer, Priority, Scope, Spending, TokenGrant, Tokens, User};
use crate::authorize::Wanted;
use crate::config::{Config, OwnRing};
use crate::identity::CookieStyle;
use crate::platforms::{Catalogue, Credential, CredentialSpec, Face};
use crate::server::Addresses;
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

/// Keys that the simulated platforms take, two for each; of rows for one platform, the one that
/// its usual face takes.
const KEYS: [(&str, [&str; 2]); 7] = [
    ("qwen", ["sk-demo-qwen-0000000000000001", "sk-demo-qwen-0000000000000002"]),
    ("openai", ["sk-demo-openai-00000000000001", "sk-demo-openai-00000000000002"]),
    (
        "glm",
        [
            "0123456789abcdef0123456789abcd01.0123456789demo01",
            "0123456789abcdef0123456789abcd02.0123456789demo02",
        ],
    ),
    ("ernie", ["bce-v3/ALTAK-demo1/00000000000001", "bce-v3/ALTAK-demo2/00000000000002"]),
    ("spark", ["demo-spark-api-password-0001", "demo-spark-api-password-0002"]),
    (
        "spark",
        [
            r#"{"app_id": "01234567", "api_key": "0123456789abcdef0123456789abcd01",
                "api_secret": "MTBkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="}"#,
            r#"{"app_id": "01234567", "api_key": "0123456789abcdef0123456789abcd02",
                "api_secret": "MjBkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="}"#,
        ],
    ),
    ("claude", ["sk-ant-demo-claude-000000000001", "sk-ant-demo-claude-000000000002"]),
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
        let told = Told::listen()?;
        let (keys, senders) = (Vec::new(), Vec::new());
        let cookies = CookieStyle::Plain;
        let running = begin(&desk.config, store, vault, keys, senders, None, cookies).await?;
        if desk.json {
            let mut facts = addresses(&running);
            facts["token"] = token.into();
            facts["platforms"] = platforms(&simulator).into();
            print::line(&facts.to_string())?;
        } else {
            print::line(&welcome(&running.addresses, &token))?;
        }
        let done = serve_until_told(running, told).await;
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

/// Puts the simulated platforms' origins in the place of the real ones, for all their faces.
fn point_at(simulator: &Simulator, config: &mut Config) -> Result<(), Failure> {
    for (platform, origin) in simulator.platforms() {
        let Some(known) = config.catalogue.platform(platform) else { continue };
        let Some(entry) = table_in(&mut config.settings.platforms, platform) else { continue };
        // Short for the usual face's, over which it would win.
        entry.remove("base_url");
        let Some(faces) = table_in(entry, "faces") else { continue };
        for face in &known.faces {
            let is_socket = matches!(face.base_url.scheme_str(), Some("ws" | "wss"));
            let origin = if is_socket { origin.replacen("http", "ws", 1) } else { origin.clone() };
            let base_url = format!("{origin}{}", face.base_url.path().trim_end_matches('/'));
            if let Some(entry) = table_in(faces, face.dialect.as_str()) {
                entry.insert("base_url".into(), base_url.into());
                if let Some(also) = issuers(face, &origin) {
                    entry.insert("credential".into(), also.into());
                }
            }
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

fn table_in<'a>(table: &'a mut toml::Table, name: &str) -> Option<&'a mut toml::Table> {
    table.entry(name).or_insert_with(|| toml::Table::new().into()).as_table_mut()
}

/// The simulated platform issues its own short-lived keys.
fn issuers(face: &Face, origin: &str) -> Option<toml::Table> {
    let row = |row: &CredentialSpec| {
        let url = format!("{origin}{}", row.issuer.as_ref()?.address().path());
        let mut issuer = toml::Table::new();
        issuer.insert("url".into(), url.into());
        let mut table = toml::Table::new();
        table.insert("name".into(), row.name.clone().into());
        table.insert("issuer".into(), issuer.into());
        Some(toml::Value::from(table))
    };
    let rows: Vec<toml::Value> = face.credential.also.iter().filter_map(row).collect();
    let mut table = toml::Table::new();
    table.insert("also".into(), rows.clone().into());
    (!rows.is_empty()).then_some(table)
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
        None => super::user::add(directory, vault, USER).await?,
    };
    let bound = directory.accounts_in(&[user.pool], &Default::default()).await?;
    for (id, keys) in KEYS {
        let Some(platform) = config.catalogue.platform(id) else { continue };
        let Some(face) = platform.face(None) else { continue };
        let of_it = KEYS.iter().filter(|(other, _)| *other == id).count();
        if of_it > 1 && Credential::parse(face, keys[0]).is_err() {
            continue;
        }
        let knows_none = platform.windows.first().is_some_and(|window| window.limit.is_none());
        let limit = knows_none.then_some(Tokens(LIMIT));
        for (number, key) in keys.into_iter().enumerate() {
            let name = format!("{id}-{}", number + 1);
            let is_it = |account: &crate::accounts::Account| {
                account.platform.as_str() == id && account.name == name
            };
            if bound.iter().any(|state| is_it(&state.account)) {
                continue;
            }
            let priority = Priority::default();
            let wanted = Wanted { platform: id, name: &name, dialect: None, limit, priority };
            let ready = wanted.target(&config.catalogue)?.with_key(key)?;
            ready.bind(directory, vault, Doer::OPERATOR, user.id, user.pool).await?;
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
        personal: user.pool,
        scopes: vec![Scope::Chat, Scope::AccountsRead],
        models: Vec::new(),
        platforms: Vec::new(),
        expires_at: None,
        points: Spending::Never,
        requests_per_minute: None,
        keep_bodies: false,
        tokens_per_day: None,
        only_pools: None,
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

fn welcome(at: &Addresses, token: &str) -> String {
    let (origin, operator) = (format!("http://{}", at.public), format!("http://{}", at.operator));
    let base_url = format!("{origin}/v1");
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

What that used, and of which account:

    curl '{origin}/api/v1/oauth/accounts?platform=qwen' \
      -H 'Authorization: Bearer {token}'

    the API   {origin}/docs
    metrics   {operator}/metrics

Ctrl-C ends it."#
    )
}
