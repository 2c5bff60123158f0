//! The connection: one, shared by all calls, that comes back by itself.
//!
//! Every call ends within [`PATIENCE`]. One whose connection broke is sent once more on
//! the next connection, unless its second answer would differ (a name is taken).

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind};

use super::super::{Answer, StoreError};

/// How long a call may take, connection and second attempt included.
const PATIENCE: Duration = Duration::from_millis(1900);

/// How long a server may take for one answer, or to accept a connection.
const ANSWER_WITHIN: Duration = Duration::from_millis(1500);
const CONNECT_WITHIN: Duration = Duration::from_millis(1000);

/// How many calls may wait to be written before the next waits for its turn.
const QUEUED: usize = 1024;

/// The connection to a server.
pub(super) struct Link {
    client: Client,
    manager: ArcSwap<ConnectionManager>,
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// `StoreError::Unusable` for a URL that is none; it may hold a password, so it is
    /// not shown. `StoreError::Unavailable` when the server does not answer.
    pub(super) async fn open(url: &str) -> Answer<Self> {
        let client = Client::open(url).map_err(|error| {
            StoreError::Unusable(format!("the store's url can't be used: {}", error.category()))
        })?;
        let manager = ArcSwap::from_pointee(manager(&client)?);
        let link = Self { client, manager };
        link.ask::<()>(&redis::cmd("PING")).await?;
        Ok(link)
    }

    /// Sends a command that may be sent twice.
    pub(super) async fn ask<T: FromRedisValue>(&self, cmd: &Cmd) -> Answer<T> {
        self.send(cmd).await.map_err(|error| failure(&error))
    }

    /// Sends a command whose second sending would be answered otherwise.
    pub(super) async fn ask_once<T: FromRedisValue>(&self, cmd: &Cmd) -> Answer<T> {
        self.send_once(cmd).await.map_err(|error| failure(&error))
    }

    pub(super) async fn send<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, RedisError> {
        let twice = async {
            match self.once(cmd).await {
                Err(error) if error.is_unrecoverable_error() => self.once(cmd).await,
                answer => answer,
            }
        };
        in_time(twice).await
    }

    pub(super) async fn send_once<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, RedisError> {
        in_time(self.once(cmd)).await
    }

    async fn once<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, RedisError> {
        let current = self.manager.load_full();
        let answer = cmd.query_async(&mut (*current).clone()).await;
        if let Err(error) = &answer
            && was_turned_away(error)
        {
            // The manager reconnects after I/O errors alone. A server that restarts turns
            // connections away while it loads, and would be given up for good.
            if let Ok(fresh) = manager(&self.client) {
                self.manager.compare_and_swap(&current, Arc::new(fresh));
            }
        }
        answer
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(answer) => answer,
        Err(_) => Err((ErrorKind::Io, "no answer in time").into()),
    }
}

fn manager(client: &Client) -> Answer<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(ANSWER_WITHIN))
        .set_connection_timeout(Some(CONNECT_WITHIN))
        // A call does not wait for a server that is down: the next call tries again.
        .set_number_of_retries(0)
        .set_pipeline_buffer_size(QUEUED);
    ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(|error| failure(&error))
}

fn was_turned_away(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AuthenticationFailed
            | ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown)
    )
}

/// A failure in our words: a server's own text may quote what was sent.
pub(super) fn failure(error: &RedisError) -> StoreError {
    match error.code() {
        Some(code) if fails_for_good(code, error.detail().unwrap_or_default()) => {
            StoreError::Corrupt { what: "key", why: format!("Redis says {code}") }
        }
        Some(code) => StoreError::Unavailable(format!("Redis says {code}")),
        None => StoreError::Unavailable(format!("Redis: {}", error.category())),
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
