//! A gateway on free ports, with two accounts on each simulated platform.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tributary::accounts::{
    AccountId, AccountState, NewAccount, PlatformId, Resets, Scope, TokenGrant, Tokens, User,
    WindowSpec,
};
use tributary::accounts::{GatewayTokenRow, Period};
use tributary::platforms::{Catalogue, Credential};
use tributary::relay::{self, Books, CREDENTIAL_FIELD, Parts, token_mac_parts};
use tributary::server::{self, OperatorSettings, Running};
use tributary::simulator::Simulator;
use tributary::store::{self, Store};
use tributary::telemetry::{Metrics, clock};
use tributary::vault::{GatewayToken, KeyRing, MacPurpose, Place, Plain, Vault};

/// Keys that the simulated platforms take, two for each.
const KEYS: [(&str, [&str; 2]); 5] = [
    ("openai", ["sk-first-account-000000000001", "sk-second-account-00000000002"]),
    ("qwen", ["sk-first-account-000000000003", "sk-second-account-00000000004"]),
    (
        "glm",
        [
            "0123456789abcdef0123456789abcde5.0123456789abcde5",
            "0123456789abcdef0123456789abcde6.0123456789abcde6",
        ],
    ),
    ("ernie", ["bce-v3/ALTAK-first/00000007", "bce-v3/ALTAK-second/0000008"]),
    ("spark", ["first-api-password-0009", "second-api-password-0010"]),
];

/// How the rig shall be.
pub struct Wish {
    /// The daily limit of each account.
    pub limit: u64,
    /// Changes to the settings of the server and the relay.
    pub relay: relay::Settings,
    /// More `gateway.toml`.
    pub toml: &'static str,
}

impl Default for Wish {
    fn default() -> Self {
        Self { limit: 1_000_000, relay: relay::Settings::default(), toml: "" }
    }
}

/// Everything that runs.
pub struct Rig {
    pub simulator: Simulator,
    pub store: Arc<dyn Store>,
    pub user: User,
    pub token: String,
    pub running: Running,
    vault: Arc<Vault>,
    catalogue: Arc<Catalogue>,
    client: Client<HttpConnector, Full<Bytes>>,
    _folder: tempfile::TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The data of each event.
    pub fn events(&self) -> Vec<String> {
        let text = std::str::from_utf8(&self.body).unwrap();
        let data = |event: &str| event.strip_prefix("data: ").map(str::to_owned);
        text.split("\n\n").filter_map(data).collect()
    }
}

impl Rig {
    pub async fn start() -> Self {
        Self::with(Wish::default()).await
    }

    pub async fn with(wish: Wish) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = store::open(&store::Settings { url, ..Default::default() }).await.unwrap();
        let simulator = Simulator::start().await.unwrap();
        let catalogue = Arc::new(catalogue(&simulator, wish.toml));
        let ring = KeyRing::parse(&KeyRing::generate().unwrap()).unwrap();
        let vault = Arc::new(Vault::new(&ring));

        let user = store.add_user("tester").await.unwrap();
        let token = add_token(&*store, &vault, &user).await;
        let metrics = Arc::new(Metrics::new());
        let (books, keeper) = Books::open(wish.relay.queue);
        let parts = Parts::new(
            &wish.relay,
            catalogue.clone(),
            store.clone(),
            vault.clone(),
            metrics,
            books,
        );
        let settings = server::Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            threads: 2,
            ..server::Settings::default()
        };
        let operator = OperatorSettings { listen: ([127, 0, 0, 1], 0).into() };
        let upstream = tributary::upstream::Settings::default();
        let running = server::start(&settings, &operator, &upstream, parts, keeper).unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let rig = Self {
            simulator,
            store,
            user,
            token,
            running,
            vault,
            catalogue,
            client,
            _folder: folder,
        };
        for (platform, keys) in KEYS {
            for (number, key) in keys.into_iter().enumerate() {
                let name = format!("{platform}-{}", number + 1);
                rig.bind(platform, &name, key, Some(wish.limit)).await;
            }
        }
        rig
    }

    pub async fn bind(
        &self,
        platform: &str,
        name: &str,
        key: &str,
        limit: Option<u64>,
    ) -> AccountId {
        let entry = self.catalogue.platform(platform).unwrap();
        let face = entry.face(None).unwrap();
        let credential = Credential::parse(face, key).unwrap();
        let id = self.store.reserve_account_id().await.unwrap();
        let place = Place {
            pool: self.user.pool.0,
            account: id.0,
            platform,
            field: CREDENTIAL_FIELD,
            generation: 1,
        };
        let plain = Plain::from(credential.to_sealed().to_vec());
        let account = NewAccount {
            id,
            pool: self.user.pool,
            owner: self.user.id,
            platform: PlatformId::from(platform),
            name: name.into(),
            dialect: None,
            windows: vec![WindowSpec {
                period: Period::Day { zone: "UTC".into() },
                limit: limit.map(Tokens),
            }],
            sealed: self.vault.seal_credential(&place, &plain).unwrap(),
            generation: 1,
            expires_at: None,
        };
        self.store.add_account(account).await.unwrap();
        id
    }

    pub async fn chat(&self, body: Value) -> Answer {
        self.call(Request::post("/v1/chat/completions"), body.to_string()).await
    }

    pub async fn call(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Answer {
        let response = self.open(request, body).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    pub async fn open(
        &self,
        request: http::request::Builder,
        body: impl Into<Bytes>,
    ) -> http::Response<Incoming> {
        let mut request = request.body(Full::new(body.into())).unwrap();
        let path = request.uri().path().to_owned();
        let uri = format!("http://{}{path}", self.running.addresses.public);
        *request.uri_mut() = uri.parse().unwrap();
        let bearer = format!("Bearer {}", self.token).parse().unwrap();
        request.headers_mut().entry("authorization").or_insert(bearer);
        self.client.request(request).await.unwrap()
    }

    pub async fn fetch(&self, url: &str) -> Answer {
        let response = self.client.get(url.parse().unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// Makes a simulated platform misbehave.
    pub async fn fault(&self, platform: &str, fault: Value) {
        let url = format!("{}/_sim/faults", self.simulator.origin(platform).unwrap());
        let request = Request::post(url).body(Full::new(fault.to_string().into())).unwrap();
        let response = self.client.request(request).await.unwrap();
        assert!(response.status().is_success(), "{:?}", response.status());
    }

    pub async fn ledger(&self, platform: &str) -> Value {
        let url = format!("{}/_sim/ledger", self.simulator.origin(platform).unwrap());
        self.fetch(&url).await.json()
    }

    pub async fn accounts(&self, platform: &str) -> Vec<AccountState> {
        let resets = Resets::after(clock::now(), ["UTC"]);
        let mut all = self.store.accounts_in(&[self.user.pool], &resets).await.unwrap();
        all.retain(|state| state.account.platform.as_str() == platform);
        all
    }

    /// Waits until something holds.
    pub async fn until(&self, mut holds: impl AsyncFnMut() -> bool) {
        let patience = std::time::Duration::from_secs(20);
        let look = async {
            while !holds().await {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(patience, look).await.expect("it came about");
    }
}

/// The built-in catalogue, its platforms' faces turned to the simulator.
fn catalogue(simulator: &Simulator, more: &str) -> Catalogue {
    let mut text = String::new();
    let paths = [
        ("openai", "/v1"),
        ("qwen", "/compatible-mode/v1"),
        ("glm", "/api/paas/v4"),
        ("ernie", "/v2"),
        ("spark", "/v1"),
    ];
    for (platform, path) in paths {
        let origin = simulator.origin(platform).unwrap();
        text += &format!("[platforms.{platform}]\nbase_url = \"{origin}{path}\"\n");
    }
    text += &more.replace("OPENAI", &simulator.origin("openai").unwrap());
    Catalogue::load(&text.parse().unwrap()).unwrap()
}

async fn add_token(store: &dyn Store, vault: &Vault, user: &User) -> String {
    let token = GatewayToken::generate().unwrap();
    let grant = TokenGrant {
        id: store.reserve_token_id().await.unwrap(),
        user: user.id,
        pools: vec![user.pool],
        scopes: vec![Scope::Chat, Scope::AccountsRead],
        models: Vec::new(),
        platforms: Vec::new(),
        expires_at: None,
    };
    let index = vault.token_index(&token).to_string();
    let mac = vault.mac(MacPurpose::Row, &token_mac_parts(&index, &grant));
    let row = GatewayTokenRow {
        index,
        grant,
        mac,
        name: "test".into(),
        prefix: token.prefix().into(),
        last_four: token.last_four().into(),
        created_at: clock::now(),
        revoked_at: None,
    };
    store.add_token(row).await.unwrap();
    token.expose_secret().to_owned()
}

/// A request of one question.
pub fn ask(model: &str, question: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": question}]})
}
