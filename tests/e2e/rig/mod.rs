//! A gateway on free ports, with two accounts on each simulated platform.

mod answer;
mod console;
mod crowd;
mod fleet;
mod people;
mod platforms;
#[path = "../../common/redis_ready.rs"]
mod redis_ready;
#[path = "../../common/redis_server.rs"]
mod redis_server;
#[path = "../../common/redis_sets.rs"]
mod redis_sets;
mod skew;
mod stub;
mod town;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::request::Builder;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tributary::accounts::User;
use tributary::identity::{self, CookieStyle};
use tributary::platforms::Catalogue;
use tributary::relay::{self, Books, Mail, MailTls, Parts, Sender, SmtpSettings, Webhook};
use tributary::server::{self, OperatorSettings, Running};
use tributary::simulator::Simulator;
use tributary::store::{self, Store};
use tributary::telemetry::Metrics;
use tributary::vault::{KeyRing, Vault};

pub use answer::{Answer, Stream};
pub use console::{Console, PASSWORD};
pub use crowd::Crowd;
pub use fleet::{Fleet, PLATFORM};
pub use people::Grants;
pub use platforms::{KEYS, OTHER_FACES, configured, credential, spark_app, tail};
pub use redis_server::{Memory, Server};
pub use redis_sets::{Cluster, Process, Watched, cli, free_ports, info, until, until_shared};
pub use skew::Skew;
pub use stub::{chunk, is_cut};
pub use town::Town;

/// Passwords as cheap as they may be: a test makes many.
const CHEAP: identity::Settings = identity::Settings { memory_mib: 19, passes: 2 };

pub const CHAT: &str = "/v1/chat/completions";

/// Runs a check on each store.
#[macro_export]
macro_rules! both {
    (async fn $name:ident($rig:ident: $kind:ty) $body:block) => {
        $crate::both! {
            #[wish($crate::rig::Wish::default())]
            async fn $name($rig: $kind) $body
        }
    };
    (#[wish($wish:expr)] async fn $name:ident($rig:ident: $kind:ty) $body:block) => {
        mod $name {
            #[allow(unused_imports, reason = "each check uses its part")]
            use super::*;

            async fn check($rig: $kind) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                check($crate::rig::Rig::on_sqlite($wish).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis() {
                check($crate::rig::Rig::on_redis($wish).await).await;
            }
        }
    };
}

/// How the rig shall be.
pub struct Wish {
    /// The daily limits of the first and the second account on each platform.
    pub limits: [u64; 2],
    pub server: server::Settings,
    pub relay: relay::Settings,
    pub upstream: tributary::upstream::Settings,
    pub lease_deadline: SignedDuration,
    /// The operator's own keys, by platform.
    pub operator_keys: &'static [(&'static str, &'static str)],
    /// More `gateway.toml`.
    pub toml: &'static str,
    /// Where notices are posted, signed with [`WEBHOOK_SECRET`].
    pub webhook: Option<String>,
    /// The port of a mail server on this machine.
    pub mail: Option<u16>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            limits: [1_000_000; 2],
            server: server::Settings {
                listen: ([127, 0, 0, 1], 0).into(),
                threads: 2,
                ..server::Settings::default()
            },
            relay: relay::Settings::default(),
            upstream: tributary::upstream::Settings::default(),
            lease_deadline: store::Settings::default().lease_deadline,
            operator_keys: &[],
            toml: "",
            webhook: None,
            mail: None,
        }
    }
}

/// Everything that runs.
pub struct Rig {
    pub simulator: Simulator,
    /// The platform `stub`: nothing is bound on it.
    pub stub: TcpListener,
    pub store: Arc<dyn Store>,
    pub user: User,
    pub token: String,
    pub running: Running,
    pub vault: Arc<Vault>,
    ring: String,
    catalogue: Arc<Catalogue>,
    client: Client<HttpConnector, Full<Bytes>>,
    home: Home,
}

/// What goes when the test ends.
#[expect(dead_code, reason = "a server is held for its end")]
enum Home {
    Folder(tempfile::TempDir),
    Server(Arc<Server>),
}

impl Rig {
    pub async fn on_sqlite(wish: Wish) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self::start(wish, url, Home::Folder(folder)).await
    }

    pub async fn on_redis(wish: Wish) -> Self {
        Self::on_server(wish, Server::shared()).await
    }

    pub async fn on_server(wish: Wish, server: Arc<Server>) -> Self {
        Self::start(wish, server.fresh_url(), Home::Server(server)).await
    }

    /// On a database of a server that the test itself looks into.
    pub async fn on_database(wish: Wish, server: Arc<Server>, url: String) -> Self {
        Self::start(wish, url, Home::Server(server)).await
    }

    async fn start(wish: Wish, url: String, home: Home) -> Self {
        let settings = store::Settings {
            url,
            lease_deadline: wish.lease_deadline,
            ..store::Settings::default()
        };
        let store = store::open(&settings).await.unwrap();
        let simulator = Simulator::start().await.unwrap();
        let stub = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stub_address = stub.local_addr().unwrap().to_string();
        let catalogue = Arc::new(platforms::catalogue(&simulator, &stub_address, wish.toml));
        let ring = KeyRing::generate().unwrap().to_string();
        let vault = Arc::new(Vault::new(&KeyRing::parse(&ring).unwrap()));
        let user = store.add_user("tester").await.unwrap();
        let running = serve(&wish, &catalogue, &store, &vault).await.unwrap();
        let mut rig = Self {
            simulator,
            stub,
            store,
            user,
            token: String::new(),
            running,
            vault,
            ring,
            catalogue,
            client: Client::builder(TokioExecutor::new()).build_http(),
            home,
        };
        rig.token = rig.token(&rig.user, Grants::default()).await.1;
        for (platform, keys) in KEYS {
            for (number, key) in keys.into_iter().enumerate() {
                let name = format!("{platform}-{}", number + 1);
                rig.bind(&rig.user, platform, &name, key, wish.limits[number]).await;
            }
        }
        rig
    }

    /// Where the embedded store's files are.
    pub fn folder(&self) -> Option<&std::path::Path> {
        match &self.home {
            Home::Folder(folder) => Some(folder.path()),
            Home::Server(_) => None,
        }
    }

    /// Another gateway on the same store.
    pub async fn start_another(&self, listen: SocketAddr) -> io::Result<Running> {
        let mut wish = Wish::default();
        wish.server.listen = listen;
        serve(&wish, &self.catalogue, &self.store, &self.vault).await
    }

    /// Another gateway on the same store, as this wish says.
    pub async fn start_as(&self, wish: &Wish) -> io::Result<Running> {
        serve(wish, &self.catalogue, &self.store, &self.vault).await
    }

    /// A vault whose primary is new, with the rig's own key behind it.
    pub fn rotated(&self) -> Arc<Vault> {
        let ring = format!("{}\n{}", *KeyRing::generate().unwrap(), self.ring);
        Arc::new(Vault::new(&KeyRing::parse(&ring).unwrap()))
    }

    /// Another gateway on the same store, with this vault.
    pub async fn start_with(&self, vault: &Arc<Vault>) -> Running {
        serve(&Wish::default(), &self.catalogue, &self.store, vault).await.unwrap()
    }

    pub async fn chat(&self, body: Value) -> Answer {
        self.call(Request::post(CHAT), body.to_string()).await
    }

    /// A chat that is streamed and read to its end.
    pub async fn chat_streamed(&self, mut body: Value) -> Answer {
        body["stream"] = json!(true);
        self.chat(body).await
    }

    /// A chat that is streamed and read as it comes.
    pub async fn stream(&self, mut body: Value) -> Stream {
        body["stream"] = json!(true);
        Stream::new(self.open(self.with_token(Request::post(CHAT)), body.to_string()).await)
    }

    /// A request with the user's token.
    pub async fn call(&self, request: Builder, body: impl Into<Bytes>) -> Answer {
        self.send(self.with_token(request), body).await
    }

    /// A chat with somebody else's token.
    pub async fn chat_as(&self, token: &str, body: Value) -> Answer {
        let request = Request::post(CHAT).header("authorization", format!("Bearer {token}"));
        self.send(request, body.to_string()).await
    }

    /// A chat with another gateway.
    pub async fn chat_at(&self, gateway: SocketAddr, token: &str, body: Value) -> Answer {
        let request = Request::post(format!("http://{gateway}{CHAT}"))
            .header("authorization", format!("Bearer {token}"))
            .body(Full::new(body.to_string().into()));
        Stream::new(self.client.request(request.unwrap()).await.unwrap()).rest().await
    }

    /// A request as it is.
    pub async fn send(&self, request: Builder, body: impl Into<Bytes>) -> Answer {
        Stream::new(self.open(request, body).await).rest().await
    }

    /// A request to another listener than the callers'.
    pub async fn send_to(&self, request: Builder, body: impl Into<Bytes>) -> Answer {
        let request = request.body(Full::new(body.into())).unwrap();
        Stream::new(self.client.request(request).await.unwrap()).rest().await
    }

    pub fn with_token(&self, request: Builder) -> Builder {
        request.header("authorization", format!("Bearer {}", self.token))
    }

    async fn open(&self, request: Builder, body: impl Into<Bytes>) -> http::Response<Incoming> {
        let mut request = request.body(Full::new(body.into())).unwrap();
        let path = request.uri().path_and_query().unwrap();
        let uri = format!("http://{}{path}", self.running.addresses.public);
        *request.uri_mut() = uri.parse().unwrap();
        self.client.request(request).await.unwrap()
    }

    pub async fn fetch(&self, url: &str) -> Answer {
        let response = self.client.get(url.parse().unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// A connection to the gateway, to write on it what no client would.
    pub async fn dial(&self) -> TcpStream {
        TcpStream::connect(self.running.addresses.public).await.unwrap()
    }

    /// A connection with hardly any room for what the gateway sends.
    pub async fn dial_with_little_room(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8 << 10).unwrap();
        socket.connect(self.running.addresses.public).await.unwrap()
    }

    /// A chat as it stands on the wire.
    pub fn chat_on_the_wire(&self, body: &Value) -> String {
        let (token, body) = (&self.token, body.to_string());
        format!(
            "POST {CHAT} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// Waits until something holds.
    pub async fn until(&self, mut holds: impl AsyncFnMut() -> bool) {
        let look = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), look).await.expect("it came about");
    }
}

async fn serve(
    wish: &Wish,
    catalogue: &Arc<Catalogue>,
    store: &Arc<dyn Store>,
    vault: &Arc<Vault>,
) -> io::Result<Running> {
    let (books, keeper) = Books::open(wish.relay.queue);
    let metrics = Arc::new(Metrics::new());
    let parts =
        Parts::new(&wish.relay, catalogue.clone(), store.clone(), vault.clone(), metrics, books)
            .await
            .unwrap()
            .with_people(&CHEAP, CookieStyle::Secure)
            .with_operator_keys(platforms::operator_keys(wish.operator_keys, catalogue, vault))
            .with_senders(senders(wish));
    let operator = OperatorSettings { listen: ([127, 0, 0, 1], 0).into() };
    server::start(&wish.server, &operator, &wish.upstream, parts, keeper)
}

pub const WEBHOOK_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn senders(wish: &Wish) -> Vec<Sender> {
    let webhook = wish.webhook.iter().map(|url| Webhook::new(url, WEBHOOK_SECRET).unwrap());
    let mail = wish.mail.map(|port| {
        let settings = SmtpSettings {
            host: "127.0.0.1".into(),
            port: Some(port),
            tls: MailTls::None,
            username: Some("gateway".into()),
            password_env: None,
            from: "gateway@example.org".into(),
            to: vec!["ops@example.org".into(), "boss@example.org".into()],
        };
        Mail::new(&settings, Some("the-password")).unwrap()
    });
    webhook.map(Sender::Webhook).chain(mail.map(Sender::Mail)).collect()
}

/// A request of one question.
pub fn ask(model: &str, question: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": question}]})
}
