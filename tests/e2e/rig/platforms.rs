//! The simulated platforms: their keys, faults and books.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tributary::platforms::{Catalogue, Credential};
use tributary::relay::{OperatorKey, OperatorKeys};
use tributary::simulator::Simulator;
use tributary::vault::Vault;

use super::Rig;

/// Keys that the simulated platforms take, two for each.
pub const KEYS: [(&str, [&str; 2]); 6] = [
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
    ("claude", ["sk-ant-first-account-0000000011", "sk-ant-second-account-000000012"]),
];

/// Faces that are not their platform's usual one: platform, dialect, path of the base.
pub const OTHER_FACES: [(&str, &str, &str); 2] =
    [("openai", "openai_responses", "/v1"), ("qwen", "dashscope", "/api/v1")];

/// How a platform's books call a key.
pub fn tail(key: &str) -> String {
    format!("…{}", &key[key.len() - 6..])
}

/// The key file of a simulated Spark app, for its WebSocket; the key is 32 hexadecimal digits.
pub fn spark_app(api_key: &str) -> String {
    let secret = STANDARD.encode(api_key.chars().rev().collect::<String>());
    let (app, secret) = (json!(api_key[..8]), json!(secret));
    json!({"app_id": app, "api_key": api_key, "api_secret": secret}).to_string()
}

/// What the user's first or second account on a platform is called in its books.
pub fn credential(platform: &str, number: usize) -> String {
    let (_, keys) = KEYS.iter().find(|(name, _)| *name == platform).unwrap();
    tail(keys[number])
}

/// The built-in catalogue, its platforms' faces turned to the simulator; `stub`, which a
/// test answers itself, and `gone`, where nobody listens.
pub fn catalogue(simulator: &Simulator, stub: &str, more: &str) -> Catalogue {
    let mut text = configured(simulator);
    for (platform, origin) in [("stub", stub), ("gone", "127.0.0.1:1")] {
        text += &format!(
            "[platforms.{platform}]\ndialect = \"openai_chat\"\nbase_url = \"http://{origin}/v1\"\n\
             models = [{{ name = \"{platform}-1\" }}]\n"
        );
    }
    let mut table: toml::Table = text.parse().unwrap();
    lay(&mut table, more.parse().unwrap());
    Catalogue::load(&table).unwrap()
}

fn lay(base: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(over)) => lay(base, over),
            (_, value) => _ = base.insert(key, value),
        }
    }
}

/// The operator's own keys, sealed.
pub fn operator_keys(keys: &[(&str, &str)], catalogue: &Catalogue, vault: &Vault) -> OperatorKeys {
    let key = |(platform, key): &(&str, &str)| {
        let face = catalogue.platform(platform).unwrap().face(None).unwrap();
        OperatorKey {
            platform: (*platform).into(),
            dialect: None,
            credential: Credential::parse(face, key).unwrap(),
        }
    };
    OperatorKeys::seal(vault, keys.iter().map(key).collect()).unwrap()
}

/// What `gateway.toml` says of the simulator's platforms.
pub fn configured(simulator: &Simulator) -> String {
    let mut text = String::new();
    let paths = [
        ("openai", "/v1"),
        ("qwen", "/compatible-mode/v1"),
        ("glm", "/api/paas/v4"),
        ("ernie", "/v2"),
        ("spark", "/v1"),
        ("claude", "/v1"),
    ];
    for (platform, path) in paths {
        let origin = simulator.origin(platform).unwrap();
        text += &format!("[platforms.{platform}]\nbase_url = \"{origin}{path}\"\n");
    }
    for (platform, face, path) in OTHER_FACES {
        let origin = simulator.origin(platform).unwrap();
        text += &format!("[platforms.{platform}.faces.{face}]\nbase_url = \"{origin}{path}\"\n");
    }
    let socket = simulator.origin("spark").unwrap().replacen("http", "ws", 1);
    text += &format!("[platforms.spark.faces.spark_ws]\nbase_url = \"{socket}\"\n");
    text + &issuers(&simulator.origin("ernie").unwrap())
}

/// The simulated ERNIE issues its own short-lived keys.
fn issuers(origin: &str) -> String {
    let row = |name: &str| {
        format!(
            "[[platforms.ernie.credential.also]]\nname = \"{name}\"\n\
             issuer = {{ url = \"{origin}/v1/BCE-BEARER/token\" }}\n"
        )
    };
    ["baidu_iam", "baidu_key"].map(row).concat()
}

impl Rig {
    /// Makes a simulated platform misbehave.
    pub async fn fault(&self, platform: &str, fault: Value) {
        let url = format!("{}/_sim/faults", self.simulator.origin(platform).unwrap());
        let request = Request::post(url).body(Full::new(fault.to_string().into())).unwrap();
        let response = self.client.request(request).await.unwrap();
        assert!(response.status().is_success(), "{:?}", response.status());
    }

    /// Makes it behave again.
    pub async fn behave(&self, platform: &str) {
        let url = format!("{}/_sim/faults", self.simulator.origin(platform).unwrap());
        let request = Request::delete(url).body(Full::new(Bytes::new())).unwrap();
        assert!(self.client.request(request).await.unwrap().status().is_success());
    }

    /// How many short-lived keys a platform has made.
    pub async fn keys_made(&self, platform: &str) -> u64 {
        self.ask_simulator(platform, "keys").await["made"].as_u64().unwrap()
    }

    /// Ends all short-lived keys of a platform.
    pub async fn end_keys(&self, platform: &str) {
        let url = format!("{}/_sim/keys", self.simulator.origin(platform).unwrap());
        let request = Request::delete(url).body(Full::new(Bytes::new())).unwrap();
        assert!(self.client.request(request).await.unwrap().status().is_success());
    }

    pub async fn ledger(&self, platform: &str) -> Value {
        self.ask_simulator(platform, "ledger").await
    }

    /// The requests that a platform has in its books, oldest first.
    pub async fn rows(&self, platform: &str) -> Vec<Value> {
        self.ledger(platform).await["requests"].as_array().unwrap().clone()
    }

    /// The request that a platform met last.
    pub async fn last_row(&self, platform: &str) -> Value {
        self.ask_simulator(platform, "ledger?last=1").await["requests"][0].clone()
    }

    /// The tokens that a platform counted for a credential.
    pub async fn counted(&self, platform: &str, credential: &str) -> u64 {
        let row = &self.ledger(platform).await["credentials"][credential];
        let tokens = |field: &str| row[field].as_u64().unwrap_or(0);
        tokens("prompt_tokens") + tokens("completion_tokens")
    }

    /// The last requests as a platform saw them.
    pub async fn sent(&self, platform: &str) -> Vec<Value> {
        self.ask_simulator(platform, "requests").await.as_array().unwrap().clone()
    }

    async fn ask_simulator(&self, platform: &str, what: &str) -> Value {
        let origin = self.simulator.origin(platform).unwrap();
        self.fetch(&format!("{origin}/_sim/{what}")).await.json()
    }
}
