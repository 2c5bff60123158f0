//! Which of a Cluster's shards a key lies in.

use std::collections::HashMap;

use redis::cluster_routing::Slot;
use redis::{Cmd, RedisError, Value, from_redis_value_ref};

/// A Cluster's shards, as one of its nodes tells them. A server alone is one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shards {
    /// The first slot, the last one, and the number of the shard.
    ranges: Vec<(u16, u16, usize)>,
}

/// The number of each slot's shard.
pub(super) struct ShardOf(HashMap<Slot, usize>);

impl Shards {
    /// Asks what [`Shards::read`] reads.
    pub(super) fn ask() -> Cmd {
        redis::cmd("CLUSTER").arg("SLOTS").take()
    }

    /// Reads `first, last, master, replica…` of each range.
    pub(super) fn read(told: &Value) -> Result<Self, RedisError> {
        let mut masters: Vec<Value> = Vec::new();
        let mut ranges = Vec::new();
        for row in from_redis_value_ref::<Vec<Vec<Value>>>(told)? {
            let [first, last, master, ..] = &row[..] else { continue };
            let number = masters.iter().position(|known| known == master);
            let number = number.unwrap_or_else(|| {
                masters.push(master.clone());
                masters.len() - 1
            });
            ranges.push((from_redis_value_ref(first)?, from_redis_value_ref(last)?, number));
        }
        Ok(Self { ranges })
    }

    /// A slot of each shard.
    pub(super) fn slots(&self) -> Vec<Slot> {
        let mut slots = HashMap::new();
        for &(first, _, number) in &self.ranges {
            slots.insert(number, first);
        }
        slots.into_values().filter_map(Slot::new).collect()
    }

    pub(super) fn of_slots(&self) -> ShardOf {
        let each = self.ranges.iter().flat_map(|&(first, last, number)| {
            (first..=last).filter_map(Slot::new).map(move |slot| (slot, number))
        });
        ShardOf(each.collect())
    }
}

impl ShardOf {
    /// The shard that has a slot; `None` where there is but one, or none has it.
    pub(super) fn slot(&self, slot: Slot) -> Option<usize> {
        self.0.get(&slot).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(first: i64, last: i64, port: i64) -> Value {
        let node = |port: i64| {
            let id = Value::BulkString(format!("id of {port}").into_bytes());
            Value::Array(vec![Value::BulkString(b"127.0.0.1".to_vec()), Value::Int(port), id])
        };
        Value::Array(vec![Value::Int(first), Value::Int(last), node(port), node(port + 1)])
    }

    #[test]
    fn keys_lie_in_the_shard_whose_master_has_their_slot() {
        let told = vec![row(0, 99, 7000), row(100, 12_181, 7002), row(12_182, 12_182, 7000)];
        let shards = Shards::read(&Value::Array(told)).unwrap();
        assert_eq!(shards.slots().len(), 2);
        let of = shards.of_slots();
        // `CLUSTER KEYSLOT` says 12182, 3300, 866 and 15495.
        let keys = [("foo", Some(0)), ("b", Some(1)), ("{hello}:world", Some(1)), ("a", None)];
        for (key, shard) in keys {
            assert_eq!(of.slot(Slot::for_key(key)), shard, "{key}");
        }
    }

    #[test]
    fn a_server_alone_has_every_key() {
        let shards = Shards::default();
        assert_eq!(shards.slots(), []);
        assert_eq!(shards.of_slots().slot(Slot::for_key("foo")), None);
    }
}
