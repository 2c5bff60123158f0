//! What share of prompts comes from the platform's cache, by the pool's policy.
//!
//! `cargo bench --profile dev --bench caches [-- redis://HOST:PORT/DB]`. A gateway with eight
//! accounts on the simulated OpenAI platform, whose cache is each account's own, as
//! documented: from 1,024 tokens on, in steps of 128. Forty conversations of eight turns go on at
//! once: a system prompt that all share, a document of some 1,500 tokens at the beginning
//! of each, then question after question. No field or header names a conversation: what
//! sticky knows it by is its beginning. The figures are the platform's own, from `usage`.

#![allow(clippy::unwrap_used, reason = "a bench says what is wrong by panicking")]
#![allow(clippy::disallowed_methods, reason = "a bench's tasks need no drain")]

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tributary::accounts::{
    GatewayTokenRow, NewAccount, Origin, Period, Policy, Priority, Scope, Spending, TokenGrant,
    Tokens, User, WindowSpec,
};
use tributary::platforms::{Catalogue, Credential};
use tributary::relay::{self, Books, CREDENTIAL_FIELD, Parts, token_mac_parts};
use tributary::server::{self, OperatorSettings, Running};
use tributary::simulator::Simulator;
use tributary::store::{self, Store};
use tributary::telemetry::{Metrics, clock};
use tributary::vault::{GatewayToken, KeyRing, MacPurpose, Place, Plain, Vault};

const ACCOUNTS: u8 = 8;
const CONVERSATIONS: usize = 40;
const TURNS: usize = 8;
/// So many requests are under way together.
const AT_ONCE: usize = 16;

fn main() {
    let url = std::env::args().skip(1).find(|arg| arg.contains(':'));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("policy           prompt tokens   from cache   share   accounts a conversation");
    for policy in Policy::ALL {
        runtime.block_on(measure(url.as_deref(), policy));
    }
}

async fn measure(url: Option<&str>, policy: Policy) {
    let bench = Bench::start(url, policy).await;
    let talks = (0..CONVERSATIONS).map(|number| Talk::begin(number, &bench));
    let mut talks: Vec<Talk> = talks.collect();
    for _ in 0..TURNS {
        let turns = futures_util::stream::iter(talks).map(|talk| talk.turn(&bench));
        talks = turns.buffer_unordered(AT_ONCE).collect().await;
    }
    let sum = |count: fn(&Talk) -> u64| talks.iter().map(count).sum::<u64>();
    let (prompt, cached) = (sum(|talk| talk.prompt), sum(|talk| talk.cached));
    let accounts = sum(|talk| talk.accounts.len() as u64) as f64 / CONVERSATIONS as f64;
    let share = 100.0 * cached as f64 / prompt as f64;
    let name = policy.name();
    println!("{name:<16} {prompt:>13} {cached:>12} {share:>6.1}% {accounts:>25.1}");
    bench.running.drain().await;
}

/// A conversation as it grows.
struct Talk {
    messages: Vec<Value>,
    prompt: u64,
    cached: u64,
    accounts: HashSet<String>,
}

impl Talk {
    fn begin(number: usize, bench: &Bench) -> Self {
        let document: String = (0..160)
            .map(|line| format!("Line {line} of document {number}: calm water. "))
            .collect();
        let messages = vec![
            json!({"role": "system", "content": bench.system}),
            json!({"role": "user", "content": document + "What does it say?"}),
        ];
        Self { messages, prompt: 0, cached: 0, accounts: HashSet::new() }
    }

    async fn turn(mut self, bench: &Bench) -> Self {
        let (account, answer) = bench.ask(&self.messages).await;
        let usage = &answer["usage"];
        self.prompt += usage["prompt_tokens"].as_u64().unwrap();
        self.cached += usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap();
        self.accounts.insert(account);
        self.messages.push(answer["choices"][0]["message"].clone());
        let next = format!("And line {}?", self.messages.len());
        self.messages.push(json!({"role": "user", "content": next}));
        self
    }
}

struct Bench {
    running: Running,
    _simulator: Simulator,
    _folder: tempfile::TempDir,
    client: Client<HttpConnector, Full<Bytes>>,
    token: String,
    system: String,
}

impl Bench {
    async fn start(url: Option<&str>, policy: Policy) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = format!("sqlite:{}", folder.path().join("bench.db").display());
        let url = url.map_or(file, str::to_owned);
        let store = store::open(&store::Settings { url, ..Default::default() }).await.unwrap();
        let ring = KeyRing::parse(&KeyRing::generate().unwrap()).unwrap();
        let vault = Arc::new(Vault::new(&ring));
        let catalogue = format!(
            "[platforms.openai]\nbase_url = \"{}/v1\"\n",
            simulator.origin("openai").unwrap()
        );
        let catalogue = Arc::new(Catalogue::load(&catalogue.parse().unwrap()).unwrap());
        let name = format!("bench {policy} {}", getrandom::u64().unwrap());
        let user = store.add_user(&name).await.unwrap();
        store.set_pool_policy(user.pool, Some(policy)).await.unwrap();
        for number in 0..ACCOUNTS {
            bind(&*store, &vault, &catalogue, &user, number).await;
        }
        let token = token(&*store, &vault, &user).await;
        let running = serve(catalogue, store, vault).await;
        Self {
            running,
            _simulator: simulator,
            _folder: folder,
            client: Client::builder(TokioExecutor::new()).build_http(),
            token,
            system: "Answer in one sentence, from the document alone. ".repeat(30),
        }
    }

    /// One call: the account that answered, and the answer.
    async fn ask(&self, messages: &[Value]) -> (String, Value) {
        let body = json!({"model": "gpt-4.1", "messages": messages, "max_tokens": 60});
        let url = format!("http://{}/v1/chat/completions", self.running.addresses.public);
        let request = Request::post(url)
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::new(body.to_string().into()));
        let answer = self.client.request(request.unwrap()).await.unwrap();
        let account = answer.headers().get("x-tributary-account").cloned();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let account = account.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&body)));
        (account.to_str().unwrap().to_owned(), serde_json::from_slice(&body).unwrap())
    }
}

async fn serve(catalogue: Arc<Catalogue>, store: Arc<dyn Store>, vault: Arc<Vault>) -> Running {
    let relay = relay::Settings::default();
    let (books, keeper) = Books::open(relay.queue);
    let metrics = Arc::new(Metrics::new());
    let parts = Parts::new(&relay, catalogue, store, vault, metrics, books).await.unwrap();
    let listen = ([127, 0, 0, 1], 0).into();
    let drain_notice = jiff::SignedDuration::ZERO;
    let settings = server::Settings { listen, drain_notice, threads: 1, ..Default::default() };
    let upstream = tributary::upstream::Settings::default();
    server::start(&settings, &OperatorSettings { listen }, &upstream, parts, keeper).unwrap()
}

async fn bind(store: &dyn Store, vault: &Vault, catalogue: &Catalogue, user: &User, number: u8) {
    let platform = catalogue.platform("openai").unwrap();
    let key = format!("sk-bench-account-{number:012}");
    let credential = Credential::parse(&platform.faces[0], &key).unwrap();
    let id = store.reserve_account_id().await.unwrap();
    let place = Place {
        pool: user.pool.0,
        account: id.0,
        platform: &platform.id,
        field: CREDENTIAL_FIELD,
        generation: 1,
    };
    let account = NewAccount {
        id,
        pool: user.pool,
        owner: user.id,
        owner_proof: String::new(),
        platform: platform.id.as_str().into(),
        name: number.to_string(),
        dialect: None,
        windows: vec![WindowSpec {
            period: Period::FromFirstUse { seconds: 24 * 3600 },
            limit: Some(Tokens(10_000_000)),
            origin: Origin::Hand,
        }],
        // One goes first while it has quota.
        priority: Priority::try_from(number).unwrap(),
        sealed: vault.seal_credential(&place, &Plain::from(credential.to_sealed())).unwrap(),
        generation: 1,
        expires_at: None,
    };
    store.add_account(account).await.unwrap();
}

async fn token(store: &dyn Store, vault: &Vault, user: &User) -> String {
    let token = GatewayToken::generate().unwrap();
    let grant = TokenGrant {
        id: store.reserve_token_id().await.unwrap(),
        user: user.id,
        personal: user.pool,
        scopes: vec![Scope::Chat],
        models: Vec::new(),
        platforms: Vec::new(),
        expires_at: None,
        points: Spending::Never,
        requests_per_minute: None,
        tokens_per_day: None,
        keep_bodies: false,
        only_pools: None,
    };
    let index = vault.token_index(&token).to_string();
    let mac = vault.mac(MacPurpose::Row, &token_mac_parts(&index, &grant));
    let row = GatewayTokenRow {
        index,
        grant,
        mac,
        name: "bench".into(),
        prefix: token.prefix().into(),
        last_four: token.last_four().into(),
        created_at: clock::now(),
        revoked_at: None,
        first_index: None,
    };
    store.add_token(row).await.unwrap();
    token.expose_secret().to_owned()
}
