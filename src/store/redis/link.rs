//! The connection: one, shared by all calls of a runtime, that comes back by itself.
//!
//! Every call ends within [`PATIENCE`]. One whose connection broke is sent once more on
//! the next connection, unless its second answer would differ (a name is taken). Each new
//! connection asks anew who the master is, and one is made when another link of the store has
//! met another master.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::telemetry::clock::Stopwatch;

use super::super::{Answer, StoreError};
use super::address::Address;
use super::shards::Shards;
use super::succession::Succession;
use super::wire::{Heard, Wire, ends_wire};

/// How long a call may take, connection and second attempt included.
const PATIENCE: Duration = Duration::from_millis(1900);

/// How long connecting may take, though those who asked for it have given up.
const CONNECTED_WITHIN: Duration = Duration::from_secs(4);

/// The connection to Redis.
pub(super) struct Link {
    address: Arc<Address>,
    /// The masters as any link of the store met them.
    succession: Arc<Succession>,
    wire: Arc<ArcSwapOption<Wire>>,
    /// Held by the one who connects.
    connecting: Arc<Mutex<()>>,
    /// The runtime that the connection lives in.
    home: Handle,
    #[cfg(test)]
    gate: Option<super::gate::Gate>,
}

impl Link {
    /// Connects. The connection lives in the runtime that this is called in: a caller's
    /// own may end before it.
    ///
    /// # Errors
    /// `StoreError::Unusable` for a URL or a file that can't be used,
    /// `StoreError::Unavailable` when no server answers.
    pub(super) async fn open(url: &str, ca_file: Option<&Path>) -> Answer<Self> {
        let link = Self {
            address: Arc::new(Address::read(url, ca_file)?),
            succession: Arc::default(),
            wire: Arc::default(),
            connecting: Arc::default(),
            home: Handle::current(),
            #[cfg(test)]
            gate: None,
        };
        link.ask::<()>(&redis::cmd("PING")).await?;
        Ok(link)
    }

    /// A link to the same place, whose connection lives in this runtime; it connects when it
    /// is first used.
    pub(super) fn in_this_runtime(&self) -> Self {
        Self {
            address: self.address.clone(),
            succession: self.succession.clone(),
            wire: Arc::default(),
            connecting: Arc::default(),
            home: Handle::current(),
            #[cfg(test)]
            gate: None,
        }
    }

    /// The same connection, behind a gate.
    #[cfg(test)]
    pub(super) fn behind(&self, gate: super::gate::Gate) -> Self {
        let (wire, connecting) = (self.wire.clone(), self.connecting.clone());
        Self { wire, connecting, gate: Some(gate), ..self.in_this_runtime() }
    }

    /// Sends a command that may be sent twice.
    pub(super) async fn ask<T: FromRedisValue>(&self, cmd: &Cmd) -> Answer<T> {
        self.send(cmd).await.map_err(|error| failure(&error))
    }

    /// Sends a command whose second sending would be answered otherwise.
    pub(super) async fn ask_once<T: FromRedisValue>(&self, cmd: &Cmd) -> Answer<T> {
        self.send_once(cmd).await.map_err(|error| failure(&error))
    }

    /// Who the masters are; a term begins where there is another.
    pub(super) async fn hear(&self) -> Answer<Heard> {
        let twice = async {
            match self.hear_once().await {
                Err(error) if is_worth_another(&error) => self.hear_once().await,
                heard => heard,
            }
        };
        let heard = in_time(PATIENCE, twice).await.map_err(|error| failure(&error))?;
        self.succession.meet(&heard);
        Ok(heard)
    }

    async fn hear_once(&self) -> Result<Heard, RedisError> {
        let wire = self.wire().await?;
        let heard = wire.hear().await;
        self.leave_if_it_ended(wire, &heard);
        heard
    }

    /// A Cluster's shards.
    pub(super) async fn shards(&self) -> Answer<Shards> {
        let asked = async { self.wire().await?.shards().await };
        in_time(PATIENCE, asked).await.map_err(|error| failure(&error))
    }

    /// How often there has been another master.
    pub(super) fn term(&self) -> u64 {
        self.succession.term()
    }

    /// Leaves a server where Sentinels name another. Should they not answer, it is what we have.
    pub(super) async fn ask_sentinels(&self) {
        let address = self.address.clone();
        let asked = self.home.spawn(async move { address.named().await });
        let Ok(Ok(Ok(Some(named)))) = tokio::time::timeout(PATIENCE, asked).await else { return };
        let wire = self.wire.load_full();
        if wire.as_ref().is_some_and(|wire| wire.is_elsewhere(&named)) {
            self.wire.compare_and_swap(&wire, None);
        }
    }

    /// Does something in the connection's runtime, whether or not who asked for it waits.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.home.spawn(task));
    }

    /// What an answer is, if it comes in the time that any call has.
    pub(super) async fn in_time<T>(&self, answer: impl Future<Output = T>) -> Answer<T> {
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        answer.map_err(|_| failure(&no_answer()))
    }

    pub(super) async fn send<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, RedisError> {
        #[cfg(test)]
        self.pass(cmd).await;
        let begun = Stopwatch::start();
        // Most calls: one that the connection itself ends in time needs no timer of ours.
        let first = match self.wire_of_this_term().filter(|wire| wire.ends_in_time()) {
            Some(wire) => self.over(wire, cmd).await,
            None => in_time(PATIENCE, self.once(cmd)).await,
        };
        match first {
            Err(error) if is_worth_another(&error) => {
                in_time(PATIENCE.saturating_sub(begun.elapsed()), self.once(cmd)).await
            }
            answer => answer,
        }
    }

    pub(super) async fn send_once<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, RedisError> {
        #[cfg(test)]
        self.pass(cmd).await;
        in_time(PATIENCE, self.once(cmd)).await
    }

    #[cfg(test)]
    async fn pass(&self, cmd: &Cmd) {
        if let Some(gate) = &self.gate {
            gate.pass(cmd).await;
        }
    }

    async fn once<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, RedisError> {
        self.over(self.wire().await?, cmd).await
    }

    async fn over<T: FromRedisValue>(&self, wire: Arc<Wire>, cmd: &Cmd) -> Result<T, RedisError> {
        let answer = wire.send(cmd).await;
        self.leave_if_it_ended(wire, &answer);
        answer
    }

    fn leave_if_it_ended<T>(&self, wire: Arc<Wire>, answer: &Result<T, RedisError>) {
        if answer.as_ref().is_err_and(ends_wire) {
            // Unless another call has found a better one already.
            self.wire.compare_and_swap(&Some(wire), None);
        }
    }

    async fn wire(&self) -> Result<Arc<Wire>, RedisError> {
        if let Some(wire) = self.wire_of_this_term() {
            return Ok(wire);
        }
        let alone = self.connecting.clone().lock_owned().await;
        if let Some(wire) = self.wire_of_this_term() {
            return Ok(wire);
        }
        let (address, succession) = (self.address.clone(), self.succession.clone());
        let found = self.wire.clone();
        // Where it takes longer than this call has, it is there for the next: a Cluster is joined
        // past each of its nodes that hangs.
        let connecting = async move {
            let _alone = alone;
            let wire = tokio::time::timeout(CONNECTED_WITHIN, address.connect(&succession)).await;
            let wire = Arc::new(wire.unwrap_or_else(|_| Err(no_answer()))?);
            found.store(Some(wire.clone()));
            Ok(wire)
        };
        let ended = |_| RedisError::from((ErrorKind::Io, "the gateway is shutting down"));
        self.home.spawn(connecting).await.map_err(ended)?
    }

    fn wire_of_this_term(&self) -> Option<Arc<Wire>> {
        self.wire.load_full().filter(|wire| !wire.is_outdated(&self.succession))
    }
}

/// Whether a call may be answered on another connection.
fn is_worth_another(error: &RedisError) -> bool {
    ends_wire(error) && !error.is_timeout()
}

async fn in_time<T>(
    within: Duration,
    call: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, RedisError> {
    match tokio::time::timeout(within, call).await {
        Ok(answer) => answer,
        Err(_) => Err(no_answer()),
    }
}

fn no_answer() -> RedisError {
    (ErrorKind::Io, "no answer in time").into()
}

/// A failure in our words: a server's own text may quote what was sent.
pub(super) fn failure(error: &RedisError) -> StoreError {
    match error.code() {
        Some(code) => refused(code, error.detail().unwrap_or_default()),
        None => StoreError::Unavailable(format!("Redis: {}", error.category())),
    }
}

/// What a server's answer that it failed means.
pub(super) fn refused(code: &str, detail: &str) -> StoreError {
    let why = format!("Redis says {code}");
    if fails_for_good(code, detail) {
        StoreError::Corrupt { what: "key", why }
    } else {
        StoreError::Unavailable(why)
    }
}

/// Whether what was asked fails however often it is asked: a key holds something else
/// than it should, or is not ours. A server's state may pass.
fn fails_for_good(code: &str, detail: &str) -> bool {
    // Before version 7 a server puts what a script met behind a code of its own.
    const PASSING: [&str; 7] =
        ["LOADING", "READONLY", "OOM", "MISCONF", "CLUSTERDOWN", "MASTERDOWN", "NOREPLICAS"];
    match code {
        "WRONGTYPE" | "NOPERM" => true,
        // Without a script it is the server's refusal: it has too many clients.
        "ERR" => {
            let of_a_script = detail.contains("script");
            of_a_script && !PASSING.iter().any(|word| detail.contains(&format!("-{word} ")))
        }
        _ => false,
    }
}
