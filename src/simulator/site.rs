//! One simulated platform: its wire formats, and one set of books and faults for all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::faults::Faults;
use super::issuer::Issued;
use super::ledger::Ledger;
use super::requests::Requests;
use super::wire::{Asked, Socket, Wire};
use super::{clock, wire};

/// A platform in one of its wire formats.
pub(super) struct Site {
    pub wire: &'static dyn Wire,
    pub ledger: Arc<Ledger>,
    pub faults: Arc<Faults>,
    pub requests: Arc<Requests>,
    pub issued: Arc<Issued>,
    started_ms: u64,
    counter: Arc<AtomicU64>,
}

/// A platform in all of its wire formats, the usual one first.
pub(super) struct Faces(Vec<Site>);

/// Every platform, by its wire formats.
const ALL: [&[&dyn Wire]; 6] = [
    &[&wire::openai::OpenAi, &wire::responses::Responses],
    &[&wire::qwen::Qwen, &wire::dashscope::DashScope],
    &[&wire::glm::Glm],
    &[&wire::ernie::Ernie],
    &[&wire::spark::Spark],
    &[&wire::claude::Claude],
];

/// Faces over WebSocket, which share their platform's books and faults.
const SOCKETS: [&dyn Socket; 1] = [&wire::spark_ws::SparkWs];

impl Faces {
    /// Every platform, with empty books.
    pub(super) fn all() -> impl Iterator<Item = Faces> {
        ALL.into_iter().map(Faces::new)
    }

    fn new(wires: &[&'static dyn Wire]) -> Faces {
        let (ledger, faults, requests) = (Arc::default(), Arc::default(), Arc::default());
        let issued = Arc::default();
        let (started_ms, counter) = (clock::now_ms(), Arc::new(AtomicU64::new(1)));
        let site = |wire: &&'static dyn Wire| Site {
            wire: *wire,
            ledger: Arc::clone(&ledger),
            faults: Arc::clone(&faults),
            requests: Arc::clone(&requests),
            issued: Arc::clone(&issued),
            started_ms,
            counter: Arc::clone(&counter),
        };
        Faces(wires.iter().map(site).collect())
    }

    /// The platform in its usual wire format.
    pub(super) fn usual(&self) -> &Site {
        self.0.first().expect("a platform has a wire format")
    }

    /// Its face over WebSocket, if it has one.
    pub(super) fn socket(&self) -> Option<&'static dyn Socket> {
        SOCKETS.iter().find(|wire| wire.platform() == self.usual().wire.platform()).copied()
    }

    /// The platform in the wire format that a path belongs to.
    pub(super) fn at(&self, path: &str) -> &Site {
        self.0.iter().find(|site| site.wire.route(path).is_some()).unwrap_or(self.usual())
    }
}

impl Site {
    /// A new request, numbered; also across restarts no two are alike.
    pub(super) fn asked(&self) -> Asked {
        let number = self.counter.fetch_add(1, Relaxed);
        let unique = (u128::from(self.started_ms) << 64) | u128::from(number);
        let id = self.wire.id(unique);
        Asked { unique, id, model: String::new(), key: String::new(), stream: false }
    }
}
