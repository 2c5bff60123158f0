//! Random sequences of everything, against books as simple as they can be.
//!
//! Each answer must be the model's, and so must every account at the end. After time
//! has passed a sweep runs, because Redis promises the order of accounts up to a sweep.

mod books;

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tributary::accounts::{
    AccountId, Charge, End, Harm, Health, LeaseId, Period, Policy, Rest, Scale, Tokens, Told, User,
    WindowSpec, WindowTold,
};

use crate::rig::{Held, Rig, Wish, day, fresh_id, hours};
use books::{Books, Granted};

/// Set it to what a failure printed, to see that failure again.
const SEED: Option<[u8; 32]> = None;

const MODELS: [&str; 2] = ["qwen-plus", "qwen-max"];
const POOLS: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    Lease {
        pool: usize,
        model: usize,
        estimate: u64,
        pin: Option<usize>,
        conversation: Option<u64>,
        tried: Vec<usize>,
    },
    AskAgain {
        lease: usize,
    },
    Settle {
        lease: usize,
        charge: Charge,
    },
    Renew {
        leases: Vec<usize>,
    },
    Pass {
        secs: u64,
    },
    Health {
        account: usize,
        health: Kind,
    },
    /// A call failed.
    Worsen {
        account: usize,
        /// How long ago it was granted.
        age: i64,
        harm: Hurt,
    },
    /// An answer told of a window.
    Learn {
        account: usize,
        told: WindowTold,
    },
    /// A call succeeded.
    Recover {
        account: usize,
    },
    Block {
        account: usize,
        model: usize,
        secs: u64,
    },
    /// A pool picks by another policy.
    Policy {
        pool: usize,
        policy: Policy,
    },
    Priority {
        account: usize,
        priority: u8,
    },
    /// The gateway is killed, and another starts.
    Crash,
}

#[derive(Clone, Debug)]
enum Hurt {
    Rest { secs: u64, out_of_quota: bool },
    Strike { forgiven: u32, out_of_quota: bool },
    Stuck(Kind),
}

impl Hurt {
    fn at(&self, now: Timestamp) -> Harm {
        let reason = String::from("so it was");
        match *self {
            Self::Rest { secs, out_of_quota } => {
                Harm::Rest { rest: Rest::after(Duration::from_secs(secs)), reason, out_of_quota }
            }
            Self::Strike { forgiven, out_of_quota } => {
                let second = Duration::from_secs;
                let scale = Scale { forgiven, first: second(20), longest: second(200) };
                Harm::Strike { scale, reason, out_of_quota }
            }
            Self::Stuck(ref kind) => Harm::Stuck(kind.at(now)),
        }
    }
}

#[derive(Clone, Debug)]
enum Kind {
    Active,
    Cooling { secs: i64, out_of_quota: bool },
    Expired,
    Disabled,
}

impl Kind {
    fn at(&self, now: Timestamp) -> Health {
        let reason = String::from("so it was");
        match *self {
            Self::Active => Health::Active,
            Self::Cooling { secs, out_of_quota } => {
                let until = now + jiff::SignedDuration::from_secs(secs);
                Health::Cooling { until, reason, out_of_quota, tries_at: None }
            }
            Self::Expired => Health::Expired { reason },
            Self::Disabled => Health::Disabled { reason },
        }
    }
}

fn windows() -> impl Strategy<Value = Vec<WindowSpec>> {
    let limit = 0..400_u64;
    prop_oneof![
        1 => Just(vec![]),
        1 => Just(vec![WindowSpec { limit: None, ..day(0) }]),
        4 => limit.clone().prop_map(|limit| vec![day(limit)]),
        2 => (1..6_i64, limit.clone()).prop_map(|(length, limit)| vec![hours(length, limit)]),
        2 => (limit.clone(), limit).prop_map(|(a, b)| vec![day(a), hours(2, b)]),
        1 => Just(vec![WindowSpec { period: Period::Day { zone: "UTC".into() }, ..day(200) }]),
    ]
}

fn told() -> impl Strategy<Value = WindowTold> {
    let period = prop_oneof![
        Just(Period::Day { zone: "UTC".into() }),
        (1..6_i64).prop_map(|hours| Period::FromFirstUse { seconds: hours * 3600 }),
    ];
    let count = || prop::option::of((0..400_u64).prop_map(Tokens));
    let end = prop::option::of(prop_oneof![
        (0..30_000_u64).prop_map(|secs| End::In(Duration::from_secs(secs))),
        (0..30_000_i64).prop_map(|secs| {
            let begin: Timestamp = crate::rig::NOON.parse().unwrap();
            End::At(begin + jiff::SignedDuration::from_secs(secs))
        }),
    ]);
    (period, count(), count(), end).prop_map(|(period, limit, left, end)| WindowTold {
        period,
        limit,
        left,
        end,
    })
}

fn charge() -> impl Strategy<Value = Charge> {
    prop_oneof![
        1 => Just(Charge::Release),
        4 => (0..200_u64).prop_map(|tokens| Charge::Exact(Tokens(tokens))),
        2 => (0..200_u64).prop_map(|tokens| Charge::Estimated(Tokens(tokens))),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let one = 0..1000_usize;
    let kind = prop_oneof![
        3 => Just(Kind::Active),
        3 => (0..300_i64, any::<bool>())
            .prop_map(|(secs, out_of_quota)| Kind::Cooling { secs, out_of_quota }),
        1 => Just(Kind::Expired),
        1 => Just(Kind::Disabled),
    ];
    let stuck = prop_oneof![Just(Kind::Active), Just(Kind::Expired), Just(Kind::Disabled)];
    let hurt = prop_oneof![
        // Longer than an hour a spent quota is tried.
        2 => (1..9000_u64, any::<bool>())
            .prop_map(|(secs, out_of_quota)| Hurt::Rest { secs, out_of_quota }),
        4 => (0..2_u32, any::<bool>())
            .prop_map(|(forgiven, out_of_quota)| Hurt::Strike { forgiven, out_of_quota }),
        1 => stuck.prop_map(Hurt::Stuck),
    ];
    let pin = prop_oneof![4 => Just(None), 1 => one.clone().prop_map(Some)];
    let conversation = prop_oneof![1 => Just(None), 3 => (0..5_u64).prop_map(Some)];
    let some = prop::collection::vec(one.clone(), 0..3);
    let pass = prop_oneof![4 => 1..60_u64, 2 => 60..400_u64, 1 => 3600..30_000_u64];
    prop_oneof![
        12 => (0..POOLS, 0..MODELS.len(), 0..150_u64, pin, conversation, some.clone()).prop_map(
            |(pool, model, estimate, pin, conversation, tried)| {
                Step::Lease { pool, model, estimate, pin, conversation, tried }
            }
        ),
        1 => one.clone().prop_map(|lease| Step::AskAgain { lease }),
        9 => (one.clone(), charge()).prop_map(|(lease, charge)| Step::Settle { lease, charge }),
        1 => some.prop_map(|leases| Step::Renew { leases }),
        2 => pass.prop_map(|secs| Step::Pass { secs }),
        2 => (one.clone(), kind.clone())
            .prop_map(|(account, health)| Step::Health { account, health }),
        3 => (one.clone(), 0..200_i64, hurt).prop_map(
            |(account, age, harm)| Step::Worsen { account, age, harm }
        ),
        1 => (one.clone(), told()).prop_map(|(account, told)| Step::Learn { account, told }),
        1 => one.clone().prop_map(|account| Step::Recover { account }),
        1 => (0..POOLS, prop::sample::select(Policy::ALL.to_vec()))
            .prop_map(|(pool, policy)| Step::Policy { pool, policy }),
        1 => (one.clone(), 49..53_u8)
            .prop_map(|(account, priority)| Step::Priority { account, priority }),
        1 => (one, 0..MODELS.len(), 1..4000_u64)
            .prop_map(|(account, model, secs)| Step::Block { account, model, secs }),
        1 => Just(Step::Crash),
    ]
}

type Case = (Vec<(usize, Vec<WindowSpec>)>, Vec<Step>);

fn case() -> impl Strategy<Value = Case> {
    let accounts = prop::collection::vec((0..POOLS, windows()), 1..7);
    (accounts, prop::collection::vec(step(), 1..120))
}

/// The store, the model, and what was granted so far.
struct Walk {
    rig: Rig,
    users: Vec<User>,
    books: Books,
    asked: Vec<(LeaseId, usize, usize, u64)>,
    held: Vec<Held>,
}

impl Walk {
    async fn begin(rig: Rig, accounts: &[(usize, Vec<WindowSpec>)]) -> Self {
        let mut users = Vec::new();
        for _ in 0..POOLS {
            users.push(rig.user().await);
        }
        let mut known = Vec::new();
        for (pool, specs) in accounts {
            let id = rig.account_with(&users[*pool], "qwen", specs.clone()).await;
            known.push((id, *pool, specs.clone()));
        }
        Self { rig, users, books: Books::new(known), asked: Vec::new(), held: Vec::new() }
    }

    fn account(&self, index: usize) -> AccountId {
        self.books.accounts[index % self.books.accounts.len()].id
    }

    async fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        self.books.tick(self.rig.now(), &self.rig.resets());
        let now = self.rig.now();
        match step {
            Step::Lease { pool, model, estimate, pin, conversation, tried } => {
                let only = pin.map(|index| self.account(index));
                let except: Vec<_> = tried.iter().map(|&index| self.account(index)).collect();
                let id = fresh_id();
                self.asked.push((id, *pool, *model, *estimate));
                let ask = books::Ask {
                    id,
                    pool: *pool,
                    model: MODELS[*model],
                    estimate: *estimate,
                    only,
                    conversation: *conversation,
                    except: &except,
                };
                self.lease(&ask).await?;
            }
            Step::AskAgain { lease } => {
                let Some(held) = pick(&self.held, *lease) else { return Ok(()) };
                let id = held.key.id;
                if !self.books.is_open(id) {
                    return Ok(());
                }
                let &(_, pool, model, estimate) =
                    self.asked.iter().find(|asked| asked.0 == id).unwrap();
                let model = MODELS[model];
                let (only, conversation) = (None, None);
                let except = &[];
                let ask = books::Ask { id, pool, model, estimate, only, conversation, except };
                self.lease(&ask).await?;
            }
            Step::Settle { lease, charge } => {
                let Some(held) = pick(&self.held, *lease) else { return Ok(()) };
                self.rig.settle(held, *charge).await;
                self.books.settle(held.key.id, *charge, now);
            }
            Step::Renew { leases } => {
                let keys: Vec<_> = leases
                    .iter()
                    .filter_map(|&lease| pick(&self.held, lease))
                    .map(|held| held.key.clone())
                    .collect();
                let mut gone = self.rig.store.renew(&keys).await.unwrap();
                let mut expected: Vec<_> = keys.iter().map(|key| key.id).collect();
                expected.retain(|id| !self.books.renew(*id, now));
                gone.sort();
                expected.sort();
                prop_assert_eq!(gone, expected);
            }
            Step::Pass { secs } => {
                self.rig.pass(Duration::from_secs(*secs));
                let now = self.rig.now();
                self.books.tick(now, &self.rig.resets());
                prop_assert_eq!(self.rig.sweep().await, self.books.sweep(now));
            }
            Step::Health { account, health } => {
                let id = self.account(*account);
                let health = health.at(now);
                self.rig.store.set_health(id, health.clone()).await.unwrap().unwrap();
                self.books.set_health(id, health);
            }
            Step::Worsen { account, age, harm } => {
                let (id, harm) = (self.account(*account), harm.at(now));
                let granted_at = now - jiff::SignedDuration::from_secs(*age);
                let moved = self.rig.store.worsen(id, granted_at, harm.clone()).await.unwrap();
                prop_assert_eq!(moved, self.books.worsen(id, granted_at, &harm, now));
            }
            Step::Learn { account, told } => {
                let id = self.account(*account);
                let batch = vec![Told { account: id, windows: vec![told.clone()] }];
                self.rig.store.learn(batch, &self.rig.resets()).await.unwrap();
                self.books.learn(id, told, now);
            }
            Step::Recover { account } => {
                let id = self.account(*account);
                self.rig.store.recovered(id).await.unwrap();
                self.books.recovered(id, now);
            }
            Step::Block { account, model, secs } => {
                let id = self.account(*account);
                self.rig.block(id, MODELS[*model], *secs).await;
                let rest = Duration::from_secs(*secs).min(tributary::accounts::EARLY_TRY);
                self.books.block(id, MODELS[*model], now + rest);
            }
            Step::Policy { pool, policy } => {
                self.rig.set_policy(&self.users[*pool], *policy).await;
                self.books.policies[*pool] = *policy;
            }
            Step::Priority { account, priority } => {
                let id = self.account(*account);
                self.rig.set_priority(id, *priority).await;
                self.books.set_priority(id, *priority);
            }
            Step::Crash => {
                if self.rig.crash() {
                    self.books.forget_conversations();
                }
            }
        }
        Ok(())
    }

    async fn lease(&mut self, asked: &books::Ask<'_>) -> Result<(), TestCaseError> {
        let user = &self.users[asked.pool];
        let mut ask = self.rig.ask(user, asked.estimate).id(asked.id).model(asked.model);
        ask = ask.except(asked.except);
        if let Some(pin) = asked.only {
            ask = ask.only(pin);
        }
        if let Some(conversation) = asked.conversation {
            ask = ask.conversation(conversation);
        }
        let answer = ask.answer().await;
        let id = asked.id;
        let expected = self.books.lease(asked, self.rig.now());
        let answered = answer.clone().map(|held| Granted {
            account: held.grant.account,
            remaining: held.grant.remaining,
            candidates: held.grant.candidates.unwrap(),
            ailing: held.grant.ailing,
            policy: held.grant.policy,
            stayed: held.grant.stayed,
        });
        prop_assert_eq!(answered, expected);
        if let Ok(held) = answer
            && self.held.iter().all(|known| known.key.id != id)
        {
            self.held.push(held);
        }
        Ok(())
    }

    async fn end(mut self) -> Result<(), TestCaseError> {
        let (now, resets) = (self.rig.now(), self.rig.resets());
        self.books.tick(now, &resets);
        for (pool, user) in self.users.iter().enumerate() {
            let states = self.rig.store.accounts_in(&[user.pool], &resets).await.unwrap();
            let known: Vec<_> =
                self.books.accounts.iter().filter(|account| account.pool == pool).collect();
            prop_assert_eq!(states.len(), known.len());
            for (state, account) in states.iter().zip(known) {
                prop_assert_eq!(state.account.id, account.id);
                prop_assert_eq!(&state.windows, &account.windows);
                prop_assert_eq!(state.leased.0, account.leased);
                prop_assert_eq!(&state.health, &account.health);
            }
        }
        let mut charges = Vec::new();
        for user in &self.users {
            let (charged, total) = crate::totals::sums(&self.rig, user).await;
            prop_assert_eq!(charged, total, "the totals are the charges' sum");
            let rows = self.rig.charges(user).await;
            charges
                .extend(rows.into_iter().map(|row| (row.lease, row.account, row.kind, row.tokens)));
        }
        let order = |row: &(LeaseId, AccountId, _, i64)| (row.0, row.3);
        charges.sort_by_key(order);
        self.books.charges.sort_by_key(order);
        prop_assert_eq!(charges, self.books.charges);
        Ok(())
    }
}

fn pick<T>(all: &[T], index: usize) -> Option<&T> {
    all.get(index.checked_rem(all.len())?)
}

/// Walks many cases; the first that fails is made small, and its seed is printed.
fn walk(cases: u32, rig: impl AsyncFn() -> Rig) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let seed = SEED.unwrap_or_else(|| {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        seed
    });
    println!("seed: {seed:?}");
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new_with_rng(config, rng).run(&case(), |(accounts, steps)| {
        runtime.block_on(async {
            let mut walk = Walk::begin(rig().await, &accounts).await;
            for (index, step) in steps.iter().enumerate() {
                let done = walk.step(step).await;
                done.map_err(|error| TestCaseError::fail(format!("step {index}: {error}")))?;
            }
            walk.end().await
        })
    });
    if let Err(error) = outcome {
        panic!("seed {seed:?}: {error}");
    }
}

#[test]
fn any_sequence_of_verbs_answers_as_the_simplest_books_do_on_sqlite() {
    walk(150, async || Rig::sqlite(Wish::default()));
}

#[test]
fn any_sequence_of_verbs_answers_as_the_simplest_books_do_on_redis() {
    walk(80, async || Rig::redis(Wish::default()).await);
}

#[test]
fn any_sequence_of_verbs_answers_as_the_simplest_books_do_on_sentinel() {
    walk(10, async || Rig::sentinel(Wish::default()).await);
}

#[test]
fn any_sequence_of_verbs_answers_as_the_simplest_books_do_on_cluster() {
    walk(20, async || Rig::cluster(Wish::default()).await);
}
