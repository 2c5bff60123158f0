//! A connection: to one server, or to the nodes of a Cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{
    MultiSlotArgPattern, MultipleNodeRoutingInfo, Route, RoutingInfo, Slot, SlotAddr,
};
use redis::{Cmd, ConnectionAddr, ErrorKind, FromRedisValue, RedisError, ServerErrorKind, Value};

use super::shards::Shards;
use super::succession::Succession;

/// How long a server may take for one answer, or to accept a connection.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_millis(1500);
pub(super) const CONNECT_WITHIN: Duration = Duration::from_millis(1000);

/// How long one of a Cluster's masters may take to say who it is, so that the others are heard.
const HEARD_WITHIN: Duration = Duration::from_millis(700);

/// How many calls may wait to be written before the next waits for its turn.
pub(super) const QUEUED: usize = 1024;

/// A replica that said nothing for so long is not in step; `min-replicas-max-lag` by default.
const IN_STEP_SECS: u64 = 10;

/// A connection that all calls share.
pub(super) struct Wire {
    way: Way,
    /// The term that it was made in.
    term: u64,
}

/// Where it leads.
enum Way {
    Server(MultiplexedConnection, ConnectionAddr),
    Cluster(ClusterConnection),
}

/// What the masters say of themselves.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Each one's process and replication: a restart and a promotion bring another.
    pub(super) masters: BTreeSet<String>,
    /// How many of them have a replica in step.
    pub(super) followed: usize,
    /// Some said nothing.
    pub(super) is_partial: bool,
}

impl Wire {
    /// Takes a new connection to a server, and asks who that is.
    pub(super) async fn to_server(
        mut connection: MultiplexedConnection,
        at: ConnectionAddr,
        succession: &Succession,
    ) -> Result<Self, RedisError> {
        let told = match info().query_async(&mut connection).await {
            Ok(told) => told,
            // Who may not ask that may do the rest.
            Err(error) if !ends_wire(&error) => Value::Nil,
            Err(error) => return Err(error),
        };
        let term = succession.meet(&Heard::from(&told));
        Ok(Self { way: Way::Server(connection, at), term })
    }

    /// Takes a new connection to a Cluster, which was begun in that term.
    pub(super) fn to_cluster(connection: ClusterConnection, term: u64) -> Self {
        Self { way: Way::Cluster(connection), term }
    }

    pub(super) async fn send<T: FromRedisValue>(&self, cmd: &Cmd) -> Result<T, RedisError> {
        match &self.way {
            Way::Server(connection, _) => cmd.query_async(&mut connection.clone()).await,
            Way::Cluster(connection) => cmd.query_async(&mut connection.clone()).await,
        }
    }

    /// Whether an answer comes, or fails to, within [`ANSWER_WITHIN`]. A Cluster's connection asks
    /// more than once.
    pub(super) fn ends_in_time(&self) -> bool {
        matches!(self.way, Way::Server(..))
    }

    /// A Cluster's shards.
    pub(super) async fn shards(&self) -> Result<Shards, RedisError> {
        match &self.way {
            Way::Server(..) => Ok(Shards::default()),
            Way::Cluster(_) => Shards::read(&self.send(&Shards::ask()).await?),
        }
    }

    /// What the masters say of themselves. One of a Cluster's that says nothing keeps no other
    /// from being heard.
    pub(super) async fn hear(&self) -> Result<Heard, RedisError> {
        let Way::Cluster(connection) = &self.way else {
            return Ok(Heard::from(&self.send::<Value>(&info()).await?));
        };
        let slots = self.shards().await?.slots();
        let asked = slots.into_iter().map(|slot| async move {
            let mut connection = connection.clone();
            let told = connection.route_command(info(), master_of(slot));
            let silent = RedisError::from((ErrorKind::Io, "no answer in time"));
            tokio::time::timeout(HEARD_WITHIN, told).await.unwrap_or(Err(silent))
        });
        Heard::of_shards(join_all(asked).await)
    }

    /// Whether another master has been met since. A Cluster's connection finds each by itself,
    /// but only when the last one refuses: one that stood still and wakes takes what comes first.
    pub(super) fn is_outdated(&self, succession: &Succession) -> bool {
        self.term != succession.term()
    }

    /// Whether it leads to another server.
    pub(super) fn is_elsewhere(&self, than: &ConnectionAddr) -> bool {
        matches!(&self.way, Way::Server(_, at) if at != than)
    }
}

/// Asks what [`Heard`] reads.
pub(super) fn info() -> Cmd {
    redis::cmd("INFO")
}

/// Leads to the master of a slot, and nowhere where there is no connection to it: what leads to
/// one node is sent to another then.
fn master_of(slot: Slot) -> RoutingInfo {
    let route = vec![(Route::with_slot(slot, SlotAddr::Master), Vec::new())];
    let to = MultipleNodeRoutingInfo::MultiSlot((route, MultiSlotArgPattern::KeysOnly));
    RoutingInfo::MultiNode((to, None))
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

impl Heard {
    /// What those say that say something; fails where none does.
    fn of_shards(told: Vec<Result<Value, RedisError>>) -> Result<Self, RedisError> {
        let (mut heard, mut failed, mut is_any) = (Self::default(), None, false);
        for told in told {
            match told {
                Ok(told) => {
                    is_any = true;
                    heard.add(Self::from(&told));
                }
                Err(error) => failed = Some(error),
            }
        }
        heard.is_partial = failed.is_some();
        failed.filter(|_| !is_any).map_or(Ok(heard), Err)
    }

    fn add(&mut self, other: Self) {
        self.masters.extend(other.masters);
        self.followed += other.followed;
    }
}

impl From<&Value> for Heard {
    /// Reads what [`info`] is answered: by a server, or by each master of a Cluster.
    fn from(told: &Value) -> Self {
        if let Value::Map(nodes) = told {
            let mut all = Self::default();
            for (_, told) in nodes {
                all.add(Self::from(told));
            }
            return all;
        }
        let text = redis::from_redis_value_ref::<String>(told).unwrap_or_default();
        let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let master = line("run_id:").map(|id| {
            format!("{} {}", id.trim(), line("master_replid:").unwrap_or_default().trim())
        });
        let followed = usize::from(text.lines().any(is_in_step));
        Self { masters: master.into_iter().collect(), followed, is_partial: false }
    }
}

/// Reads `slave0:ip=…,port=…,state=online,offset=…,lag=…`.
fn is_in_step(line: &str) -> bool {
    let Some((name, said)) = line.trim().split_once(':') else { return false };
    let number = name.strip_prefix("slave").unwrap_or_default();
    let says = |word: &str| said.split(',').find_map(|part| part.strip_prefix(word));
    number.parse::<u32>().is_ok()
        && says("state=") == Some("online")
        && says("lag=").and_then(|lag| lag.parse().ok()).is_some_and(|lag: u64| lag <= IN_STEP_SECS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_answers_and_whether_a_replica_is_in_step_is_read() {
        let told = |slaves: &str| {
            let text = format!(
                "# Server\r\nrun_id:a1\r\n\r\n# Replication\r\nrole:master\r\n\
                 connected_slaves:1\r\n{slaves}master_replid:b2\r\n\
                 slave_expires_tracked_keys:0\r\n"
            );
            Value::VerbatimString { format: redis::VerbatimFormat::Text, text }
        };
        let slave = |state: &str, lag: &str| {
            format!("slave0:ip=::1,port=7001,state={state},offset=14,lag={lag}\r\n")
        };
        let masters = BTreeSet::from(["a1 b2".to_owned()]);
        for (slaves, followed) in [
            (slave("online", "1"), 1),
            (slave("online", "10"), 1),
            (slave("online", "11"), 0),
            (slave("online", "-1"), 0),
            (slave("wait_bgsave", "0"), 0),
            (slave("online", "60") + &slave("online", "0"), 1),
            (String::new(), 0),
        ] {
            let heard = Heard::from(&told(&slaves));
            let masters = masters.clone();
            assert_eq!(heard, Heard { masters, followed, is_partial: false }, "{slaves}");
        }
        let node = |name: &str| Value::SimpleString(name.to_owned());
        let cluster = Value::Map(vec![
            (node("one"), told(&slave("online", "0"))),
            (node("two"), told(&slave("online", "0"))),
        ]);
        assert_eq!(Heard::from(&cluster), Heard { masters, followed: 2, is_partial: false });
        assert_eq!(Heard::from(&Value::Nil), Heard::default());
    }

    #[test]
    fn one_shard_that_says_nothing_makes_it_partial_and_all_make_it_fail() {
        let told = || Ok(Value::SimpleString("run_id:a1\r\nmaster_replid:b2\r\n".to_owned()));
        let silent = || Err(RedisError::from((ErrorKind::Io, "no answer in time")));
        for (told, is_partial) in [
            (vec![told(), told()], Some(false)),
            (vec![told(), silent()], Some(true)),
            (vec![silent(), told()], Some(true)),
            (vec![silent(), silent()], None),
            (vec![], Some(false)),
        ] {
            let heard = Heard::of_shards(told.clone());
            assert_eq!(heard.ok().map(|heard| heard.is_partial), is_partial, "{told:?}");
        }
    }
}
