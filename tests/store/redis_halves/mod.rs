//! A script does all or nothing. Redis undoes nothing of one that fails: where something else
//! stands in a key's place, it is met before the first write, and what is sent again once that
//! was taken away counts once.

mod accounts;
mod full;
mod people;
mod purses;
mod unreadable;

use std::collections::{BTreeMap, BTreeSet};

use tributary::store::StoreError;

use crate::rig::{Rig, Server, Wish};

/// A store, and a way to what lies in it.
struct Ground {
    rig: Rig,
    link: redis::aio::MultiplexedConnection,
    _server: std::sync::Arc<Server>,
}

impl Ground {
    async fn new() -> Self {
        let server = Server::shared();
        let url = server.fresh_url();
        let rig = Rig::on_url(&url, Wish::default()).await;
        let client = redis::Client::open(url).unwrap();
        let link = client.get_multiplexed_async_connection().await.unwrap();
        Self { rig, link, _server: server }
    }

    async fn run<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut cmd = redis::cmd(words[0]);
        cmd.arg(&words[1..]);
        cmd.query_async(&mut self.link.clone()).await.unwrap()
    }

    /// All that lies there, but the turns that were given: one that nobody had harms nobody.
    async fn all(&self) -> BTreeMap<String, String> {
        // A hash that nobody wrote to may come in another order.
        const EACH: &str = r"
            local read = {
              string = { 'GET' }, hash = { 'HGETALL' }, set = { 'SMEMBERS' },
              zset = { 'ZRANGE', 0, -1, 'WITHSCORES' }, stream = { 'XRANGE', '-', '+' },
            }
            local all = {}
            for _, key in ipairs(redis.call('KEYS', '*')) do
              local type = redis.call('TYPE', key).ok
              local words = read[type]
              local held = redis.call(words[1], key, unpack(words, 2))
              local texts = {}
              for i = 1, type == 'string' and 0 or #held, type == 'hash' and 2 or 1 do
                local more = type == 'hash' and held[i + 1] or ''
                texts[#texts + 1] = cmsgpack.pack(held[i], more)
              end
              if type == 'hash' or type == 'set' then table.sort(texts) end
              all[#all + 1] = key
              all[#all + 1] = redis.sha1hex(type .. table.concat(texts))
            end
            return all";
        let mut all: BTreeMap<String, String> = self.run(&["EVAL", EACH, "0"]).await;
        all.retain(|key, _| !key.ends_with(":qwen:n"));
        all
    }

    /// Does something while something else stands in a key's place. Where that fails, all is as
    /// it was, and it is done again without. Answers whether it failed.
    async fn meets(&self, key: &str, act: impl AsyncFn() -> Result<(), StoreError>) -> bool {
        let whole = async || {
            let before = self.all().await;
            let answer = act().await;
            if answer.is_err() {
                let after = self.all().await;
                let changed = after.iter().filter(|(key, sum)| before.get(*key) != Some(*sum));
                assert_eq!(changed.map(|(key, _)| key).collect::<Vec<_>>(), [""; 0], "{key}");
                assert_eq!(after.len(), before.len());
            }
            answer
        };
        self.meets_in_steps(key, whole).await
    }

    /// The same of what is several steps.
    async fn meets_in_steps(
        &self,
        key: &str,
        act: impl AsyncFn() -> Result<(), StoreError>,
    ) -> bool {
        let aside = format!("{key}:aside");
        let had = self.run::<bool>(&["EXISTS", key]).await;
        if had {
            self.run::<()>(&["RENAME", key, &aside]).await;
        }
        self.run::<()>(&["SET", key, "of somebody else"]).await;
        let answer = act().await;
        self.run::<()>(&["DEL", key]).await;
        if had {
            self.run::<()>(&["RENAME", &aside, key]).await;
        }
        let Err(error) = answer else { return false };
        assert!(matches!(error, StoreError::Corrupt { .. }), "{key}: {error}");
        act().await.unwrap();
        true
    }
}

fn parts(all: &[&'static str]) -> BTreeSet<&'static str> {
    all.iter().copied().collect()
}
