//! Simulated platforms: real wire formats, own books, misbehaviour on request.
//!
//! Each platform listens on its own loopback origin and speaks as its vendor
//! documents it, quirks and refusals included. This room imports no other room of
//! the crate and shares no code with the gateway: it is the evidence that the gateway
//! is tested against, and the platforms behind `tributary demo`.
//!
//! | platform | chat | keys of the form |
//! | --- | --- | --- |
//! | `openai` | `/v1/chat/completions` | `sk-…` |
//! | | `/v1/responses` | `sk-…`, or a person's token `eyJ…` |
//! | `qwen` | `/compatible-mode/v1/chat/completions` | `sk-…`, `st-…` that it made |
//! | | `/api/v1/services/aigc/{text,multimodal}-generation/generation` | |
//! | `glm` | `/api/paas/v4/chat/completions` | `ID.SECRET` (32 hex, 16), or a JWT of it |
//! | `ernie` | `/v2/chat/completions` | `bce-v3/ALTAK-…/…` |
//! | `spark` | `/v1/chat/completions`, `spark-x`: `/v2/…` | 16 characters or more |
//! | `spark` | WebSockets: `/v1.1/chat` and so on | 32 hex, with app id and secret (`wire/spark_ws.rs`) |
//! | `claude` | `/v1/messages` | `sk-ant-…` |
//!
//! `qwen` and `ernie` make short-lived keys too (`issuer.rs`), and every platform has logins
//! (`login.rs`).
//!
//! `GET …/models` beside them, but for Spark, which documents none. Any key of the
//! right form is good, and has its own row in the books. `/_sim/` on each origin is
//! the operator's side: `operator.rs` has the routes and `faults.rs` what can be
//! made to go wrong.
//!
//! Answers derive from the request alone (`think/`). Words in the user's text
//! that tests may use:
//!
//! | text | does |
//! | --- | --- |
//! | `say N words` | exactly N words, one token each |
//! | `repeat: TEXT` | TEXT to the letter, to the message's end |
//! | `pace N ms` | N milliseconds before each event of a stream |
//!
//! What a request is charged in the books: its prompt once an answer begins, and
//! of the answer what was handed out. A refused request is charged nothing.

mod ask;
mod body;
mod call;
mod chat;
mod check;
mod clock;
mod complaint;
mod faults;
mod issuer;
mod ledger;
mod login;
mod models;
mod operator;
mod proof;
mod requests;
mod serve;
mod site;
mod socket;
mod think;
mod tokens;
mod wire;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use site::Faces;

/// All simulated platforms, listening. They stop when this is dropped.
#[derive(Debug)]
pub struct Simulator {
    platforms: Vec<Listening>,
    tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Listening {
    name: &'static str,
    address: SocketAddr,
    first_model: &'static str,
}

impl Simulator {
    /// Starts every platform on a free loopback port.
    ///
    /// # Errors
    /// When a port cannot be bound.
    pub async fn start() -> std::io::Result<Simulator> {
        Simulator::start_at(&HashMap::new()).await
    }

    /// Starts every platform; those that `addresses` names listen there.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub async fn start_at(addresses: &HashMap<String, SocketAddr>) -> std::io::Result<Simulator> {
        let mut platforms = Vec::new();
        let mut tasks = JoinSet::new();
        for faces in Faces::all() {
            let wire = faces.usual().wire;
            let name = wire.platform();
            let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let wanted = addresses.get(name).copied().unwrap_or(free);
            let listener = TcpListener::bind(wanted).await?;
            let first_model = wire.facts().models.first().map_or("", |model| model.name);
            platforms.push(Listening { name, address: listener.local_addr()?, first_model });
            tasks.spawn(serve::serve(listener, Arc::new(faces)));
        }
        Ok(Simulator { platforms, tasks })
    }

    /// A platform's origin, `http://127.0.0.1:PORT`.
    pub fn origin(&self, platform: &str) -> Option<String> {
        self.platforms().find(|(name, _)| *name == platform).map(|(_, origin)| origin)
    }

    /// A model of a platform that does for a first try: it takes text and tools.
    pub fn model(&self, platform: &str) -> Option<&str> {
        self.platforms.iter().find(|known| known.name == platform).map(|known| known.first_model)
    }

    /// Every platform's name and origin.
    pub fn platforms(&self) -> impl Iterator<Item = (&str, String)> {
        self.platforms.iter().map(|known| (known.name, format!("http://{}", known.address)))
    }

    /// Stops, and waits until every listener and connection is gone.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}
