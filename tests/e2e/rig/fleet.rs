//! Gateways as processes of their own, on one store, and their books beside the platform's.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::SignedDuration;
use jiff::civil::Date;
use serde_json::Value;
use tributary::accounts::{
    AccountState, ChargeKind, ChargeRow, Counts, PlatformId, Resets, Tokens, Total,
};
use tributary::simulator::Simulator;
use tributary::store;
use tributary::telemetry::clock;

use super::{KEYS, Skew, configured, tail};
use crate::figures;
use crate::shell::{self, Running};

/// The platform of the fleet's accounts.
pub const PLATFORM: &str = "openai";

/// A store, and whatever gateways are started on it.
pub struct Fleet {
    pub shell: shell::Rig,
    /// Of the one user, who has two accounts on one platform.
    pub token: String,
    simulator: Simulator,
    url: String,
}

impl Fleet {
    pub async fn on(url: &str, lease_deadline: &str) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let vast = "windows = [{ period = \"day\", limit = 1000000000, zone = \"UTC\" }]\n";
        let section = format!("[platforms.{PLATFORM}]\n");
        let platforms = configured(&simulator).replace(&section, &format!("{section}{vast}"));
        let shell = shell::Rig::new(&format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[operator]\nlisten = \"127.0.0.1:0\"\n\
             [store]\nurl = \"{url}\"\nlease_deadline = \"{lease_deadline}\"\n[log]\nfilter = \"off\"\n\
             {platforms}"
        ));
        shell.run(&["user", "add", "tester"]).ok();
        let token = shell.run(&["--json", "token", "create", "--user", "tester"]).json();
        let token = token["token"].as_str().unwrap().to_owned();
        for (number, key) in KEYS[0].1.iter().enumerate() {
            let file = shell.write("key", key);
            let (name, file) = (format!("account-{number}"), file.to_str().unwrap());
            let who = ["account", "add", "--user", "tester", "--platform", PLATFORM];
            shell.run(&[&who[..], &["--name", &name, "--key-file", file]].concat()).ok();
        }
        let url = match url.strip_prefix("sqlite:") {
            Some(file) => format!("sqlite:{}", shell.path().join(file).display()),
            None => url.to_owned(),
        };
        Self { shell, token, simulator, url }
    }

    /// Starts a gateway; with it its base URL.
    pub fn serve(&self) -> (Running, String) {
        self.serve_in(Vec::new())
    }

    /// Starts a gateway whose clock is wrong.
    pub fn serve_at(&self, skew: Skew) -> (Running, String) {
        self.serve_in(skew.of_gateway())
    }

    fn serve_in(&self, environment: Vec<(&str, String)>) -> (Running, String) {
        let mut gateway = self.shell.start_in(&["--json", "serve"], environment);
        let line: Value = serde_json::from_str(&gateway.first_line()).unwrap();
        (gateway, line["base_url"].as_str().unwrap().to_owned())
    }

    /// Makes the platform misbehave.
    pub async fn fault(&self, fault: Value) {
        let url = format!("{}/_sim/faults", self.simulator.origin(PLATFORM).unwrap());
        let request = Request::post(url).body(Full::from(fault.to_string())).unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        assert!(client.request(request).await.unwrap().status().is_success());
    }

    /// The embedded store's file.
    pub fn file(&self) -> Option<&str> {
        self.url.strip_prefix("sqlite:")
    }

    /// Waits until no lease is open.
    pub async fn all_charged(&self) {
        let patience = clock::now() + SignedDuration::from_secs(30);
        loop {
            let accounts = self.shell.run(&["--json", "account", "list"]).json();
            let mut windows = accounts.as_array().unwrap().iter().map(|it| &it["windows"][0]);
            if windows.all(|window| window["leased"] == 0) {
                return;
            }
            assert!(clock::now() < patience, "{accounts}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Audits the books, once no gateway runs: each account's beside what its platform counted.
    pub async fn audit(&self) -> Audit {
        let (states, rows, totals) = self.books().await;
        let mut audit = Audit::default();
        for (state, key) in states.iter().zip(KEYS[0].1) {
            let id = state.account.id;
            let rows = rows.iter().filter(|row| row.account == id).collect();
            let totals = totals.iter().filter(|total| total.key.account == Some(id));
            let totals = totals.fold(Counts::default(), |mut sum, total| {
                sum += total.counts;
                sum
            });
            audit.account(state, rows, &totals, &self.counted(&tail(key)).await);
        }
        audit
    }

    /// The accounts, all that was charged to them, and the totals.
    async fn books(&self) -> (Vec<AccountState>, Vec<ChargeRow>, Vec<Total>) {
        let settings = store::Settings { url: self.url.clone(), ..Default::default() };
        let store = store::open(&settings).await.unwrap();
        let user = store.user_named("tester").await.unwrap().unwrap();
        let resets = Resets::after(clock::now(), ["UTC", "Asia/Shanghai"]);
        let states = store.accounts_in(&[user.pool], &resets).await.unwrap();
        let totals = store.totals_of(user.id, Date::MIN, Date::MAX).await.unwrap();
        let mut rows: Vec<ChargeRow> = Vec::new();
        loop {
            let after = rows.last().map(|row| row.cursor.clone());
            let platform = PlatformId::from(PLATFORM);
            let page = store.charges(user.pool, &platform, after.as_deref(), 500).await.unwrap();
            if page.is_empty() {
                return (states, rows, totals);
            }
            rows.extend(page);
        }
    }

    /// What the platform counted for each request of a credential.
    async fn counted(&self, credential: &str) -> Vec<i64> {
        let url = format!("{}/_sim/ledger", self.simulator.origin(PLATFORM).unwrap());
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let body = client.get(url.parse().unwrap()).await.unwrap().into_body();
        let body = body.collect().await.unwrap().to_bytes();
        let ledger: Value = serde_json::from_slice(&body).unwrap();
        let rows = ledger["requests"].as_array().unwrap();
        let credentials = ledger["credentials"].as_object().unwrap().values();
        let met = credentials.map(|one| one["requests"].as_u64().unwrap()).sum::<u64>();
        assert_eq!(rows.len() as u64, met, "the platform's books have lost rows");
        let rows = rows.iter();
        let own = rows.filter(|row| row["credential"] == credential);
        let tokens = |row: &Value, field: &str| row[field].as_i64().unwrap();
        own.map(|row| tokens(row, "prompt_tokens") + tokens(row, "completion_tokens")).collect()
    }
}

/// What became of a lease.
enum Charged {
    Nothing,
    Exactly(i64),
    ByUs(ChargeRow),
}

/// Each lease's one charge. One that its deadline charged and its gateway settled late has
/// two rows, whose sum is the platform's figure.
fn charged(rows: &[&ChargeRow]) -> Vec<Charged> {
    let mut leases: BTreeMap<_, Vec<&ChargeRow>> = BTreeMap::new();
    for row in rows {
        leases.entry(row.lease).or_default().push(row);
    }
    let one = |rows: Vec<&ChargeRow>| match rows[..] {
        [row] if row.kind == ChargeKind::Released => Charged::Nothing,
        [row] if row.kind == ChargeKind::Exact => Charged::Exactly(row.tokens),
        [row] if row.kind == ChargeKind::Estimated => Charged::ByUs(row.clone()),
        [first, late]
            if first.kind == ChargeKind::Estimated && late.kind == ChargeKind::Correction =>
        {
            Charged::Exactly(first.tokens + late.tokens)
        }
        _ => panic!("a lease is charged once: {rows:#?}"),
    };
    leases.into_values().map(one).collect()
}

/// What the books hold beside what the platform counted.
#[derive(Default)]
pub struct Audit {
    /// Requests, by the platform.
    pub requests: usize,
    /// Leases that ended.
    pub leases: usize,
    /// Charges that went to windows that have ended since.
    pub before_reset: usize,
    /// Charges that went to the windows that are open.
    pub since_reset: usize,
    /// Tokens, by the platform.
    pub counted: i64,
    /// Tokens charged by the platform's figure.
    pub exact: i64,
    /// Charges that are ours.
    pub marked: Vec<ChargeRow>,
    /// What the platform counted for requests that no exact charge is for.
    pub unexplained: Vec<i64>,
}

impl Audit {
    fn account(
        &mut self,
        state: &AccountState,
        rows: Vec<&ChargeRow>,
        totals: &Counts,
        requests: &[i64],
    ) {
        assert_eq!(state.leased, Tokens::ZERO, "every lease has ended");
        let day = &state.windows[0];
        let begin = day.resets_at.unwrap() - SignedDuration::from_hours(24);
        let (since, before): (Vec<&ChargeRow>, Vec<_>) =
            rows.iter().partition(|row| row.at >= begin);
        let sum: i64 = since.iter().map(|row| row.tokens).sum();
        assert_eq!(day.used.signed(), sum, "the books are the rows' sum since the reset");
        self.before_reset += before.len();
        self.since_reset += since.len();
        let leases = charged(&rows);
        self.requests += requests.len();
        self.leases += leases.len();
        assert!(leases.len() >= requests.len(), "a lease was durable before its request was sent");

        // What was charged exactly is among the platform's figures; what is left of these
        // belongs to leases that are marked. What a platform refused, it counted nothing for.
        let mut left: BTreeMap<i64, i64> = BTreeMap::new();
        for &tokens in requests.iter().filter(|tokens| **tokens > 0) {
            *left.entry(tokens).or_default() += 1;
        }
        let (mut marked, mut exact, mut estimated) = (0, 0, 0);
        for lease in leases {
            match lease {
                Charged::Exactly(tokens) => {
                    exact += tokens;
                    if tokens > 0 {
                        *left.entry(tokens).or_default() -= 1;
                    }
                }
                Charged::ByUs(row) => {
                    marked += 1;
                    estimated += row.tokens;
                    self.marked.push(row);
                }
                Charged::Nothing => {}
            }
        }
        let totals = (totals.exact.signed(), totals.estimated.signed());
        assert_eq!(totals, (exact, estimated), "the totals are the charges' sum");
        self.exact += exact;
        self.counted += requests.iter().sum::<i64>();
        let before = self.unexplained.len();
        for (tokens, count) in left {
            let count = usize::try_from(count).expect("a figure that no platform gave");
            self.unexplained.extend(std::iter::repeat_n(tokens, count));
        }
        let unexplained = self.unexplained.len() - before;
        assert!(unexplained <= marked, "{unexplained} unexplained, {marked} marked");
    }

    /// Both sums, and every charge that is ours by its lease.
    pub fn tell(&self, what: &str, times: usize) {
        let ours: i64 = self.marked.iter().map(|row| row.tokens).sum();
        let theirs: i64 = self.unexplained.iter().sum();
        let exactly_theirs = self.counted - theirs;
        assert_eq!(self.exact, exactly_theirs, "what was charged exactly is exact to the token");
        figures::tell(
            what,
            &[
                ("times", &times),
                ("requests", &self.requests),
                ("leases", &self.leases),
                ("exactly ours", &self.exact),
                ("theirs", &exactly_theirs),
                ("marked", &self.marked.len()),
                ("marked ours", &ours),
                ("theirs", &theirs),
                ("unexplained", &(self.exact - exactly_theirs)),
            ],
        );
        for row in &self.marked {
            println!("  {:032x} {} tokens", row.lease.0, row.tokens);
        }
    }
}
