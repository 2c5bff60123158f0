//! One simulated platform: its wire format, its books, its faults.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::faults::Faults;
use super::ledger::Ledger;
use super::requests::Requests;
use super::wire::{Asked, Socket, Wire};
use super::{clock, wire};

pub(super) struct Site {
    pub wire: &'static dyn Wire,
    /// Its face over WebSocket, if it has one.
    pub socket: Option<&'static dyn Socket>,
    pub ledger: Ledger,
    pub faults: Faults,
    pub requests: Requests,
    started_ms: u64,
    counter: AtomicU64,
}

impl Site {
    pub(super) fn all() -> [Site; 6] {
        [
            Site::new(&wire::openai::OpenAi),
            Site::new(&wire::qwen::Qwen),
            Site::new(&wire::glm::Glm),
            Site::new(&wire::ernie::Ernie),
            Site { socket: Some(&wire::spark_ws::SparkWs), ..Site::new(&wire::spark::Spark) },
            Site::new(&wire::claude::Claude),
        ]
    }

    fn new(wire: &'static dyn Wire) -> Site {
        Site {
            wire,
            socket: None,
            ledger: Ledger::default(),
            faults: Faults::default(),
            requests: Requests::default(),
            started_ms: clock::now_ms(),
            counter: AtomicU64::new(1),
        }
    }

    /// A new request, numbered; also across restarts no two are alike.
    pub(super) fn asked(&self) -> Asked {
        let number = self.counter.fetch_add(1, Relaxed);
        let unique = (u128::from(self.started_ms) << 64) | u128::from(number);
        let id = self.wire.id(unique);
        Asked { unique, id, model: String::new(), key: String::new() }
    }
}
