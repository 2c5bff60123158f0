//! A connection: to one server, or to the nodes of a Cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind, Value};

/// How long a server may take for one answer, or to accept a connection.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_millis(1500);
pub(super) const CONNECT_WITHIN: Duration = Duration::from_millis(1000);

/// How many calls may wait to be written before the next waits for its turn.
pub(super) const QUEUED: usize = 1024;

/// A connection that all calls share.
pub(super) enum Wire {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Wire {
    pub(super) async fn send<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, RedisError> {
        match self {
            Self::Server(connection) => cmd.query_async(&mut connection.clone()).await,
            Self::Cluster(connection) => cmd.query_async(&mut connection.clone()).await,
        }
    }
}

/// Whether a failure says that another connection would do better: this one broke, does
/// not answer, or leads to a server that is no master, or not yet.
pub(super) fn ends_wire(error: &RedisError) -> bool {
    let of_server = matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown | ServerErrorKind::ReadOnly
        )
    );
    of_server || error.is_unrecoverable_error() || error.is_timeout()
}

/// The processes that `INFO server` tells of: one, or each master's of a Cluster. A
/// promotion and a restart bring another.
pub(super) fn processes(told: &Value) -> BTreeSet<String> {
    match told {
        Value::Map(nodes) => nodes.iter().flat_map(|(_, told)| processes(told)).collect(),
        told => {
            let text = redis::from_redis_value_ref::<String>(told).unwrap_or_default();
            let run_id = text.lines().find_map(|line| line.strip_prefix("run_id:"));
            run_id.map(|id| id.trim().to_owned()).into_iter().collect()
        }
    }
}
