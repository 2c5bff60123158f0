//! Gateways that are restarted one after the other under callers who go to whichever is up,
//! as behind a load balancer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tributary::accounts::{
    Billing, GatewayTokenRow, KeptBodies, NewAccount, Origin, Period, Points, Priority, Record,
    Scope, ShortKey, Spending, TokenGrant, TokenId, Tokens, User, WindowSpec,
};
use tributary::authorize::prove_owner;
use tributary::platforms::{Catalogue, Credential};
use tributary::relay::{CREDENTIAL_FIELD, token_mac_parts};
use tributary::simulator::Simulator;
use tributary::store::{self, Store};
use tributary::telemetry::clock;
use tributary::vault::{
    GatewayToken, KeyRing, MacPurpose, Place, Plain, Said, SealedCredential, Vault,
};

use super::{KEYS, PLATFORM, ask, configured};
use crate::shell::{self, Running};

const PATIENCE: Duration = Duration::from_secs(120);
/// How long a caller thinks between two calls.
const THINKS: Duration = Duration::from_millis(30);

/// A store, and the gateways on it.
pub struct Town {
    pub shell: shell::Rig,
    url: String,
    vault: Vault,
    gateways: Vec<(Running, Arc<Door>)>,
    open: Open,
    _simulator: Simulator,
}

/// A gateway as its callers know it.
struct Door {
    url: String,
    /// How many have sent a request that is not answered yet.
    knocking: AtomicUsize,
}

type Open = Arc<RwLock<Vec<Arc<Door>>>>;

impl Town {
    /// A store whose first ring is this one.
    pub async fn on(url: &str, ring: &str) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let mut shell = shell::Rig::without_keys(&format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[operator]\nlisten = \"127.0.0.1:0\"\n\
             [store]\nurl = \"{url}\"\n[log]\nfilter = \"off\"\n{}",
            configured(&simulator)
        ));
        shell.set("TRIBUTARY_MASTER_KEYS", ring);
        let url = match url.strip_prefix("sqlite:") {
            Some(file) => format!("sqlite:{}", shell.path().join(file).display()),
            None => url.to_owned(),
        };
        let vault = Vault::new(&KeyRing::parse(ring).unwrap());
        let (gateways, open) = (Vec::new(), Open::default());
        let town = Self { shell, url, vault, gateways, open, _simulator: simulator };
        town.shell.run(&["user", "add", "tester"]).ok();
        town
    }

    /// The store itself, while no gateway holds it.
    pub async fn store(&self) -> Arc<dyn Store> {
        let settings = store::Settings { url: self.url.clone(), ..Default::default() };
        store::open(&settings).await.unwrap()
    }

    /// Accounts, each tenth with a short-lived key, and tokens; all sealed by the first ring.
    pub async fn people(&self, accounts: usize, tokens: usize) -> Vec<String> {
        let store = self.store().await;
        let user = store.user_named("tester").await.unwrap().unwrap();
        for canary in self.vault.canaries() {
            store.add_canary(&canary).await.unwrap();
        }
        for number in 0..accounts {
            self.bind(&*store, &user, number).await;
        }
        let mut made = Vec::new();
        for _ in 0..tokens {
            made.push(self.token(&*store, &user).await);
        }
        made
    }

    async fn bind(&self, store: &dyn Store, user: &User, number: usize) {
        let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
        let face = catalogue.platform(PLATFORM).unwrap().face(None).unwrap();
        let credential = Credential::parse(face, KEYS[0].1[number % 2]).unwrap();
        let id = store.reserve_account_id().await.unwrap();
        let place = |field| Place {
            pool: user.pool.0,
            account: id.0,
            platform: PLATFORM,
            field,
            generation: 1,
        };
        let seal = |field, plain: Vec<u8>| -> SealedCredential {
            self.vault.seal_credential(&place(field), &Plain::from(plain)).unwrap()
        };
        let account = NewAccount {
            id,
            pool: user.pool,
            owner: user.id,
            owner_proof: prove_owner(&self.vault, id, user.id),
            platform: PLATFORM.into(),
            name: format!("account-{number}"),
            dialect: None,
            windows: vec![WindowSpec {
                period: Period::Day { zone: "UTC".into() },
                limit: Some(Tokens(1_000_000_000)),
                origin: Origin::Hand,
            }],
            priority: Priority::default(),
            sealed: seal(CREDENTIAL_FIELD, credential.to_sealed().to_vec()),
            generation: 1,
            expires_at: None,
        };
        store.add_account(account).await.unwrap();
        if number.is_multiple_of(10) {
            let sealed = seal("short_key", b"a key for an hour".to_vec());
            let ends_at = clock::now() + SignedDuration::from_hours(1);
            let key = ShortKey { sealed, generation: 1, renew_at: ends_at, ends_at };
            assert!(store.keep_short_key(id, key).await.unwrap());
        }
    }

    async fn token(&self, store: &dyn Store, user: &User) -> String {
        let token = GatewayToken::generate().unwrap();
        let grant = TokenGrant {
            id: store.reserve_token_id().await.unwrap(),
            user: user.id,
            personal: user.pool,
            only_pools: None,
            scopes: vec![Scope::Chat],
            models: Vec::new(),
            platforms: Vec::new(),
            expires_at: None,
            points: Spending::Fallback,
            requests_per_minute: None,
            tokens_per_day: None,
            keep_bodies: true,
        };
        let index = self.vault.token_index(&token).to_string();
        let mac = self.vault.mac(MacPurpose::Row, &token_mac_parts(&index, &grant));
        let row = GatewayTokenRow {
            index,
            grant,
            mac,
            name: "a token".into(),
            prefix: token.prefix().into(),
            last_four: token.last_four().into(),
            created_at: clock::now(),
            revoked_at: None,
            first_index: None,
        };
        store.add_token(row).await.unwrap();
        token.expose_secret().to_owned()
    }

    /// Records whose bodies the first ring sealed.
    pub async fn records(&self, many: usize, bytes: usize) {
        let store = self.store().await;
        let user = store.user_named("tester").await.unwrap().unwrap();
        for number in 0..many {
            let id = format!("record-{number}");
            let words = vec![b'x'; bytes];
            let seal = |said| self.vault.seal_words(user.id.0, &id, said, &words).unwrap();
            let (request, response) = (seal(Said::Request), seal(Said::Response));
            let record = Record {
                at: clock::now(),
                user: user.id,
                token: TokenId(1),
                model: "gpt-4.1".into(),
                streamed: false,
                input: Tokens(1),
                cache_read: Tokens(0),
                cache_write: Tokens(0),
                output: Tokens(1),
                reasoning: Tokens(0),
                estimated: false,
                took_ms: 1,
                first_byte_ms: None,
                billing: Billing::Quota,
                points: Points(0),
                outcome: "ok".into(),
                attempts: Vec::new(),
                bodies: Some(KeptBodies { request, response, cut: false }),
                id,
            };
            store.record(vec![Arc::new(record)]).await.unwrap();
        }
    }

    /// Starts a gateway with this ring, and lets callers in.
    pub fn serve(&mut self, ring: &str) {
        let ring = vec![("TRIBUTARY_MASTER_KEYS", ring.to_owned())];
        let mut gateway = self.shell.start_in(&["--json", "serve"], ring);
        let line: Value = serde_json::from_str(&gateway.first_line()).unwrap();
        let url = format!("{}/chat/completions", line["base_url"].as_str().unwrap());
        let door = Arc::new(Door { url, knocking: AtomicUsize::new(0) });
        self.open.write().unwrap().push(door.clone());
        self.gateways.push((gateway, door));
    }

    /// Restarts each gateway with this ring, one after the other. Before it is told to end,
    /// callers are sent elsewhere; who is being answered is answered to the end.
    pub async fn restart_each(&mut self, ring: &str) {
        for (gateway, door) in std::mem::take(&mut self.gateways) {
            self.open.write().unwrap().retain(|other| !Arc::ptr_eq(other, &door));
            while door.knocking.load(Ordering::SeqCst) > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let ended = tokio::task::block_in_place(|| gateway.terminate());
            assert_eq!(ended.code, 0, "{ended:?}");
            tokio::task::block_in_place(|| self.serve(ring));
        }
    }

    /// Ends every gateway.
    pub fn end(&mut self) {
        self.open.write().unwrap().clear();
        for (gateway, _) in self.gateways.drain(..) {
            let ended = tokio::task::block_in_place(|| gateway.terminate());
            assert_eq!(ended.code, 0, "{ended:?}");
        }
    }

    /// A caller for each token, who calls until it is told to end.
    pub fn callers(&self, tokens: &[String]) -> Callers {
        let counts = Arc::new(Counts::default());
        let mut all = JoinSet::new();
        for (number, token) in tokens.iter().enumerate() {
            let (counts, open) = (counts.clone(), self.open.clone());
            all.spawn(call(number, format!("Bearer {token}"), open, counts));
        }
        Callers { counts, all }
    }
}

#[derive(Default)]
struct Counts {
    answered: AtomicUsize,
    failed: Mutex<Vec<String>>,
    ends: AtomicBool,
}

async fn call(number: usize, token: String, open: Open, counts: Arc<Counts>) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    for turn in 0.. {
        if counts.ends.load(Ordering::Relaxed) {
            return;
        }
        let door = {
            let open = open.read().unwrap();
            let door = open.get((number + turn) % open.len().max(1)).cloned();
            door.inspect(|door| _ = door.knocking.fetch_add(1, Ordering::SeqCst))
        };
        let Some(door) = door else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let mut body = ask("gpt-4.1", &format!("pace 2 ms say {} words", 3 + turn % 40));
        body["stream"] = json!(turn % 2 == 0);
        let request = Request::post(&door.url).header("authorization", &token);
        let request = request.body(Full::from(body.to_string())).unwrap();
        let answer = client.request(request).await;
        door.knocking.fetch_sub(1, Ordering::SeqCst);
        let whole = async {
            let answer = answer.map_err(|error| format!("{error:?}"))?;
            let status = answer.status();
            let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
            let body = body.to_bytes();
            let text = String::from_utf8_lossy(&body);
            let is_whole = turn % 2 == 1 || text.ends_with("data: [DONE]\n\n");
            let is_good = status == StatusCode::OK && is_whole;
            if is_good { Ok(()) } else { Err(format!("{status}: {text}")) }
        };
        match whole.await {
            Ok(()) => _ = counts.answered.fetch_add(1, Ordering::Relaxed),
            Err(why) => counts.failed.lock().unwrap().push(why),
        }
        tokio::time::sleep(THINKS).await;
    }
}

/// Who calls.
pub struct Callers {
    counts: Arc<Counts>,
    all: JoinSet<()>,
}

impl Callers {
    /// Waits until so many more are answered.
    pub async fn goes_on(&self, more: usize) {
        let answered = || self.counts.answered.load(Ordering::Relaxed);
        let enough = answered() + more;
        self.until(async || {
            let failed = self.failed();
            assert!(failed.is_empty(), "{failed:?}");
            answered() >= enough
        })
        .await;
    }

    /// Waits until something holds.
    pub async fn until(&self, mut holds: impl AsyncFnMut() -> bool) {
        let look = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.expect("it came about");
    }

    /// What failed until now.
    pub fn failed(&self) -> Vec<String> {
        self.counts.failed.lock().unwrap().clone()
    }

    /// Lets every caller read its answer to the end; with it how many were answered, and
    /// what failed.
    pub async fn end(self) -> (usize, Vec<String>) {
        self.counts.ends.store(true, Ordering::Relaxed);
        self.all.join_all().await;
        let failed = self.counts.failed.lock().unwrap().clone();
        (self.counts.answered.load(Ordering::Relaxed), failed)
    }
}
