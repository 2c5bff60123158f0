//! Who moves one account at the same time, interleaved call by call, on a Cluster.
//!
//! Every call waits until the dice let it go. A mover dies before any call, and that call comes
//! later, or never; any step comes again at any later time; a master loses the last that it took.
//! Still the account is ready in one pool at most at every moment, all that was charged is known,
//! and once a round of sweeps has looked at it, it lies in the pool of its place alone. Where a
//! master lost something, it may be ready in two until then.

#[path = "../../../../tests/common/redis_ready.rs"]
mod redis_ready;
#[path = "../../../../tests/common/redis_sets.rs"]
mod sets;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use redis::Cmd;
use tokio::sync::mpsc::Receiver;

use super::super::super::{Directory as _, Ledger as _};
use super::super::gate::{Gate, Waiting};
use super::super::keys::{self, Family};
use super::super::{Options, RedisStore, from_json};
use super::mend::TakesBack;
use crate::accounts::{
    Account, AccountId, Charge, LeaseAsk, LeaseId, LeaseKey, Moving, NewAccount, Origin, Period,
    PoolId, Priority, Resets, Settlement, TokenId, Tokens, UserId, WindowSpec,
};
use crate::vault::SealedCredential;
use sets::Cluster;

const POOLS: [PoolId; 3] = [PoolId(11), PoolId(12), PoolId(13)];
const USER: UserId = UserId(5);

/// Each number is a run of its own, the same each time.
const RUNS: u64 = 70;
const STEPS: usize = 90;

/// What may befall an account beside its movers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    /// It is removed at some time.
    Removed,
    /// A master loses the last that it took.
    FailsOver,
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut is = self.0;
        is = (is ^ (is >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        is = (is ^ (is >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        is ^ (is >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// Who does something to the account, and the call that waits for its turn.
struct Mover {
    what: String,
    run: Pin<Box<dyn Future<Output = String>>>,
    calls: Receiver<Waiting>,
    waiting: Waiting,
}

/// What a master had at some time: each key and its value.
type Saved = Vec<(String, Option<Vec<u8>>)>;

struct World {
    store: RedisStore,
    id: AccountId,
    dice: Dice,
    fate: Fate,
    is_gone: bool,
    /// A master has lost something, and nobody has looked at it since.
    is_torn: bool,
    movers: Vec<Mover>,
    /// The account as it was seen, for those who move what they saw long ago.
    seen: Vec<Account>,
    /// Steps that were made, which may come again.
    sent: Vec<Cmd>,
    /// Calls of the dead that may still come.
    in_the_air: Vec<Cmd>,
    begun: usize,
    /// Requests under way.
    held: Vec<LeaseKey>,
    charged: u64,
    story: Vec<String>,
}

fn family(pool: PoolId) -> Family {
    Family { pool, platform: "qwen".into() }
}

fn is_step(call: &Cmd) -> bool {
    let first = call.args_iter().next();
    matches!(first, Some(redis::Arg::Simple(word)) if word.starts_with(b"EVAL"))
}

impl World {
    async fn new(cluster: &Cluster, seed: u64, fate: Fate) -> Self {
        cluster.clear();
        let store = RedisStore::open(&cluster.url(), Options::default()).await.unwrap();
        let id = store.reserve_account_id().await.unwrap();
        let new = NewAccount {
            id,
            pool: POOLS[0],
            owner: USER,
            owner_proof: String::new(),
            platform: "qwen".into(),
            name: "main".into(),
            dialect: None,
            windows: vec![WindowSpec {
                period: Period::FromFirstUse { seconds: 100_000 },
                limit: Some(Tokens(1_000_000)),
                origin: Origin::Catalogue,
            }],
            priority: Priority::default(),
            sealed: SealedCredential { wrapped_key: "wrapped".into(), body: "sealed".into() },
            generation: 1,
            expires_at: None,
        };
        store.add_account(new).await.unwrap();
        Self {
            store,
            id,
            dice: Dice(seed),
            fate,
            is_gone: false,
            is_torn: false,
            movers: Vec::new(),
            seen: Vec::new(),
            sent: Vec::new(),
            in_the_air: Vec::new(),
            begun: 0,
            held: Vec::new(),
            charged: 0,
            story: Vec::new(),
        }
    }

    fn tell(&mut self, what: impl Into<String>) {
        self.story.push(what.into());
    }

    /// What lies in each pool: nothing, what is on its way, or what is ready.
    async fn rows(&self) -> [u8; 3] {
        const LOOK: &str = "local raw = redis.call('HGET', KEYS[1], ARGV[1])
            return raw and (cmsgpack.unpack(raw)[1] >= 100 and 1 or 2) or 0";
        let mut rows = [0; 3];
        for (row, pool) in rows.iter_mut().zip(POOLS) {
            let key = family(pool).accounts();
            let look = redis::cmd("EVAL").arg(LOOK).arg(1).arg(key).arg(self.id.0).take();
            *row = self.store.link.ask(&look).await.unwrap();
        }
        rows
    }

    async fn is_never_in_two(&self) {
        let rows = self.rows().await;
        let ready = rows.iter().filter(|row| **row == 2).count();
        let most = usize::from(!self.is_gone);
        assert!(self.is_torn || ready <= most, "ready in {ready} pools: {rows:?}");
    }

    /// After a round the account lies where its place says, and nowhere else.
    async fn comes_to_order(&mut self) {
        // One that arrived where it was lost, and has left where it was, can't be mended.
        let is_lost = self.fate == Fate::FailsOver && self.rows().await == [0; 3];
        self.is_looked_at().await;
        let rows = self.rows().await;
        if self.is_gone || is_lost {
            assert_eq!(rows, [0; 3], "it is gone");
            return;
        }
        let place = self.store.family_now(self.id).await.unwrap().expect("it has a place");
        let expected = POOLS.map(|pool| if pool == place.pool { 2 } else { 0 });
        assert_eq!(rows, expected, "its place is {}", place.text());
        let states = self.store.accounts_in(&POOLS, &Resets::default()).await.unwrap();
        let [state] = &states[..] else { panic!("{states:?}") };
        assert_eq!((state.account.pool, &*state.account.name), (place.pool, "main"));
        if self.fate != Fate::FailsOver {
            assert_eq!(state.windows[0].used, Tokens(self.charged), "what was charged");
        }
    }

    /// A round of sweeps, to which no move is too young.
    async fn is_looked_at(&mut self) {
        self.tell("a round of sweeps");
        self.store.roster.grow();
        self.store.due_families().await.unwrap();
        self.store.look_at_all().await.unwrap();
        self.is_torn = false;
    }

    /// The account, as it is where its place says.
    async fn account(&self) -> Option<Account> {
        let here = self.store.family_now(self.id).await.unwrap()?;
        let fixed = redis::cmd("HGET").arg(here.fixed()).arg(self.id.0).take();
        let fixed: Option<String> = self.store.link.ask(&fixed).await.unwrap();
        fixed.map(|fixed| from_json("account", &fixed).unwrap())
    }

    async fn begin(&mut self) {
        self.seen.extend(self.account().await);
        let Some(last) = self.seen.len().checked_sub(1) else { return };
        let which = if self.dice.one_in(4) { self.dice.below(last + 1) } else { last };
        let (gate, calls) = Gate::new();
        let link = Arc::new(self.store.link.behind(gate));
        let together = Arc::default();
        let (store, id) = (RedisStore { link, together, ..self.store.clone() }, self.id);
        self.begun += 1;
        let number = self.begun;
        let (what, run): (String, Pin<Box<dyn Future<Output = String>>>) = match self.dice.below(8)
        {
            0 => (
                format!("{number}: ends it"),
                Box::pin(async move { format!("{:?}", store.end_broken_move(id).await) }),
            ),
            1 => {
                let also = family(POOLS[self.dice.below(3)]);
                let what = format!("{number}: mends {}", also.text());
                let takes_back = TakesBack::After(Duration::ZERO);
                let mend = async move { store.mend(id, Some(&also), takes_back).await };
                (what, Box::pin(async move { format!("{:?}", mend.await) }))
            }
            _ => {
                let before = self.seen[which].clone();
                let others: Vec<_> = POOLS.into_iter().filter(|to| *to != before.pool).collect();
                let to = others[self.dice.below(2)];
                let sealed = SealedCredential {
                    wrapped_key: format!("wrapped by {number}").into(),
                    body: format!("sealed for {to}").into(),
                };
                let after = before.bound_for(to).sealed_as(sealed);
                let what = format!("{number}: moves it from {} to {to}", before.pool);
                let moving = async move { store.move_to(&before, &after).await };
                (what, Box::pin(async move { format!("{:?}", moving.await) }))
            }
        };
        self.tell(&what);
        self.run_to_the_gate(what, run, calls).await;
    }

    async fn run_to_the_gate(
        &mut self,
        what: String,
        mut run: Pin<Box<dyn Future<Output = String>>>,
        mut calls: Receiver<Waiting>,
    ) {
        tokio::select! {
            biased;
            ended = &mut run => self.tell(format!("{what}: {ended}")),
            Some(waiting) = calls.recv() => {
                self.movers.push(Mover { what, run, calls, waiting });
            }
        }
    }

    async fn go_on(&mut self) {
        let which = self.dice.below(self.movers.len());
        let Mover { what, run, calls, waiting } = self.movers.swap_remove(which);
        if is_step(&waiting.call) {
            self.sent.push(waiting.call.clone());
        }
        self.tell(format!("{what}: {}", words(&waiting.call)));
        waiting.opens.send(()).unwrap();
        self.run_to_the_gate(what, run, calls).await;
    }

    fn kill(&mut self) {
        let which = self.dice.below(self.movers.len());
        let Mover { what, waiting, .. } = self.movers.swap_remove(which);
        let comes = self.dice.one_in(2);
        self.tell(format!("{what}: dies; what it sent comes: {comes}"));
        if comes {
            self.in_the_air.push(waiting.call);
        }
    }

    async fn comes_late(&mut self) {
        if !self.in_the_air.is_empty() {
            let call = self.in_the_air.swap_remove(self.dice.below(self.in_the_air.len()));
            self.tell(format!("late: {}", words(&call)));
            self.store.link.ask::<redis::Value>(&call).await.ok();
        }
    }

    async fn comes_again(&mut self, call: &Cmd) {
        self.tell(format!("again: {}", words(call)));
        self.store.link.ask::<redis::Value>(call).await.unwrap();
    }

    /// A request in some pool.
    async fn is_used(&mut self) {
        let pool = POOLS[self.dice.below(3)];
        let (id, model, tokens) = (self.dice.next().into(), "m".into(), Tokens(7));
        let (platform, resets) = ("qwen".into(), Resets::default());
        let ask = LeaseAsk {
            id: LeaseId(id),
            user: USER,
            token: TokenId(1),
            pool,
            platform: &platform,
            model: &model,
            estimate: tokens,
            only: None,
            except: &[],
            conversation: None,
            resets: &resets,
        };
        let Ok(grant) = self.store.lease(ask).await.unwrap() else { return };
        self.tell(format!("is used in {pool}"));
        let lease = LeaseKey {
            id: LeaseId(id),
            pool,
            platform,
            account: self.id,
            user: USER,
            token: TokenId(1),
            model,
            estimate: tokens,
            granted_at: grant.granted_at,
        };
        self.held.push(lease);
        if self.dice.one_in(2) {
            self.answers_come().await;
        }
    }

    /// What requests used is told.
    async fn answers_come(&mut self) {
        for lease in std::mem::take(&mut self.held) {
            self.tell(format!("an answer comes in {}", lease.pool));
            self.charged += lease.estimate.0;
            let settlement =
                Settlement { charge: Charge::Exact(lease.estimate), lease: lease.into() };
            self.store.settle(vec![settlement], &Resets::default()).await.unwrap();
        }
    }

    /// What the master of some keys has.
    async fn save(&mut self) -> Saved {
        let which = self.dice.below(POOLS.len() + 1);
        self.tell(format!("from here on master {which} loses what it takes"));
        let keys = match POOLS.get(which) {
            Some(pool) => family(*pool).keys_of_moves(),
            None => vec![keys::account_place(self.id)],
        };
        let mut saved = Vec::new();
        for key in keys {
            let dump = redis::cmd("DUMP").arg(&key).take();
            saved.push((key, self.store.link.ask(&dump).await.unwrap()));
        }
        saved
    }

    async fn lose(&mut self, saved: Saved) {
        self.tell("it has lost it");
        for (key, value) in saved {
            self.store.link.ask::<()>(&redis::cmd("DEL").arg(&key).take()).await.unwrap();
            if let Some(value) = value {
                let again = redis::cmd("RESTORE").arg(&key).arg(0).arg(value).take();
                self.store.link.ask::<()>(&again).await.unwrap();
            }
        }
        self.is_torn = true;
    }

    async fn step(&mut self) {
        match self.dice.below(20) {
            0 if !self.held.is_empty() => self.answers_come().await,
            0 | 1 => self.is_used().await,
            2 if !self.sent.is_empty() => {
                let call = self.sent[self.dice.below(self.sent.len())].clone();
                self.comes_again(&call).await;
            }
            3 => self.comes_late().await,
            4 if !self.movers.is_empty() => self.kill(),
            5..8 if self.movers.len() < 4 => self.begin().await,
            _ if self.movers.is_empty() => self.begin().await,
            _ => self.go_on().await,
        }
        self.is_never_in_two().await;
    }

    async fn run(&mut self) {
        let turns = [self.dice.below(STEPS / 2), STEPS / 2 + self.dice.below(STEPS / 2)];
        let mut saved = None;
        for turn in 0..STEPS {
            match self.fate {
                Fate::Removed if turn == turns[1] => {
                    self.tell("is removed");
                    assert!(self.store.remove_account(self.id).await.unwrap());
                    self.is_gone = true;
                }
                Fate::FailsOver if turn == turns[0] => saved = Some(self.save().await),
                Fate::FailsOver if turn == turns[1].min(turns[0] + 12) => {
                    let saved = saved.take().expect("it was saved before");
                    self.lose(saved).await;
                }
                _ => {}
            }
            self.step().await;
        }
        while !self.movers.is_empty() {
            if self.dice.one_in(8) {
                self.kill()
            } else {
                self.go_on().await
            }
            self.is_never_in_two().await;
        }
        if self.fate == Fate::FailsOver {
            while !self.in_the_air.is_empty() {
                self.comes_late().await;
            }
        }
        self.answers_come().await;
        self.comes_to_order().await;
        // What is late leaves it where it is, or holds it up there: if it comes for the first time,
        // and who took the move back died before the pool knew.
        let order = self.rows().await;
        while !self.in_the_air.is_empty() {
            self.comes_late().await;
            let rows = self.rows().await;
            let stays = (0..3).all(|pool| rows[pool] != 2 || order[pool] == 2);
            assert!(stays || self.fate == Fate::FailsOver, "{rows:?}, and was {order:?}");
        }
        self.comes_to_order().await;
        for call in std::mem::take(&mut self.sent) {
            self.comes_again(&call).await;
            let rows = self.rows().await;
            let is_it = (0..3).all(|pool| (rows[pool] == 2) == (order[pool] == 2));
            assert!(is_it || self.fate == Fate::FailsOver, "{rows:?}, and was {order:?}");
        }
        self.comes_to_order().await;
    }
}

/// A call as a failure tells it.
fn words(call: &Cmd) -> String {
    let mut words = Vec::new();
    for argument in call.args_iter() {
        if let redis::Arg::Simple(word) = argument {
            let word = String::from_utf8_lossy(word);
            if !word.contains("{p:") || words.len() < 4 {
                words.push(word.chars().take(24).collect::<String>());
            }
        }
    }
    words.join(" ")
}

/// Tells what has happened when a run fails.
struct Told<'a>(&'a mut World, u64);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("run {}:\n{}", self.1, self.0.story.join("\n"));
        }
    }
}

async fn all_runs(fate: Fate) {
    let cluster = Cluster::start(0);
    // So that every master knows the scripts, and a run's calls are the same each time.
    let world = World::new(&cluster, 0, fate).await;
    for to in [POOLS[1], POOLS[2], POOLS[0]] {
        let before = world.account().await.expect("it was added");
        let moved = world.store.move_to(&before, &before.bound_for(to)).await;
        assert_eq!(moved.unwrap(), Moving::Done);
    }
    assert!(world.store.remove_account(world.id).await.unwrap());
    for seed in 0..RUNS {
        let mut world = World::new(&cluster, seed, fate).await;
        let told = Told(&mut world, seed);
        told.0.run().await;
    }
}

#[tokio::test]
async fn an_account_is_ready_in_one_pool_whatever_comes_in_which_order() {
    all_runs(Fate::Stays).await;
}

#[tokio::test]
async fn no_step_brings_back_an_account_that_was_removed() {
    all_runs(Fate::Removed).await;
}

#[tokio::test]
async fn what_a_master_lost_of_a_move_is_mended() {
    all_runs(Fate::FailsOver).await;
}
