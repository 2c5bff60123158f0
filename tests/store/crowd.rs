//! Many tasks at once: the invariants of quota.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;
use tributary::accounts::{AccountId, Charge, ChargeKind, Refusal, Tokens, User};

use crate::contract;
use crate::rig::{Held, Rig};

const TASKS: usize = 64;

/// Runs `what` so many times on 64 tasks.
async fn crowd<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    rig: &Arc<Rig>,
    times: usize,
    what: impl Fn(Arc<Rig>, usize) -> F + Send + Sync + Clone + 'static,
) -> Vec<T> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (rig, next, what) = (rig.clone(), next.clone(), what.clone());
        tasks.spawn(async move {
            let mut done = Vec::new();
            loop {
                let turn = next.fetch_add(1, Ordering::SeqCst);
                if turn >= times {
                    return done;
                }
                done.push(what(rig.clone(), turn).await);
            }
        });
    }
    tasks.join_all().await.concat_all()
}

trait ConcatAll<T> {
    fn concat_all(self) -> Vec<T>;
}

impl<T> ConcatAll<T> for Vec<Vec<T>> {
    fn concat_all(self) -> Vec<T> {
        self.into_iter().flatten().collect()
    }
}

/// A number that looks random and is the same in every run.
fn dice(turn: usize, sides: u64) -> u64 {
    let mut x = (turn as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) % sides
}

fn by_account(held: &[Held]) -> HashMap<AccountId, Vec<&Held>> {
    let mut map: HashMap<AccountId, Vec<&Held>> = HashMap::new();
    for one in held {
        map.entry(one.grant.account).or_default().push(one);
    }
    map
}

contract! {
    async fn a_thousand_leases_over_a_hundred_equal_accounts_are_ten_each(rig: Rig) {
        let ann = rig.user().await;
        for _ in 0..100 {
            rig.account(&ann, 1_000_000).await;
        }
        let rig = Arc::new(rig);
        let user = ann.clone();
        let held = crowd(&rig, 1000, move |rig, _| {
            let user = user.clone();
            async move {
                let held = rig.ask(&user, 100).held().await;
                rig.settle(&held, Charge::Exact(Tokens(100))).await;
                held
            }
        })
        .await;
        let counts: Vec<usize> = by_account(&held).values().map(Vec::len).collect();
        assert_eq!(counts, [10; 100]);
        for state in rig.store.accounts_in(&[ann.pool], &rig.resets()).await.unwrap() {
            assert_eq!((state.windows[0].used, state.leased), (Tokens(1000), Tokens::ZERO));
        }
    }
}

contract! {
    async fn no_grant_passes_a_limit_but_for_one_lone_request(rig: Rig) {
        let ann = rig.user().await;
        for _ in 0..5 {
            rig.account(&ann, 1000).await;
        }
        let rig = Arc::new(rig);
        let user = ann.clone();
        let answers = crowd(&rig, 400, move |rig, turn| {
            let user = user.clone();
            async move { rig.ask(&user, 1 + dice(turn, 300)).answer().await }
        })
        .await;
        let refused: Vec<&Refusal> = answers.iter().filter_map(|one| one.as_ref().err()).collect();
        assert!(!refused.is_empty() && refused.iter().all(|one| **one == Refusal::Busy));
        let held: Vec<Held> = answers.into_iter().flatten().collect();
        for (account, held) in by_account(&held) {
            let total: u64 = held.iter().map(|one| one.key.estimate.0).sum();
            // Nothing was settled, so an overdraft could only be a lone first request.
            assert!(total <= 1000, "{account}: {total} of 1000 leased");
            for one in held {
                let remaining = one.grant.remaining.unwrap();
                assert!(one.key.estimate.signed() <= remaining, "{one:?}");
            }
        }
    }
}

contract! {
    async fn every_lease_of_a_crowd_ends_in_one_charge(rig: Rig) {
        let ann = rig.user().await;
        let ben = rig.user().await;
        for _ in 0..10 {
            rig.account(&ann, 50_000).await;
            rig.account(&ben, 1_000_000).await;
        }
        let rig = Arc::new(rig);
        let user = ann.clone();
        let held: Vec<Held> = crowd(&rig, 2000, move |rig, turn| {
            let user = user.clone();
            async move { one_life(&rig, &user, turn).await }
        })
        .await
        .into_iter()
        .flatten()
        .collect();
        assert!(held.len() > 1000, "{} granted", held.len());
        // Those that nobody settled.
        rig.pass_secs(120);
        let swept = rig.sweep().await;
        assert!(swept > 0);

        let mut sums: HashMap<AccountId, i64> = HashMap::new();
        let mut ends: HashMap<_, Vec<ChargeKind>> = HashMap::new();
        for row in rig.charges(&ann).await {
            *sums.entry(row.account).or_default() += row.tokens;
            ends.entry(row.lease).or_default().push(row.kind);
        }
        assert_eq!(ends.len(), held.len());
        for (lease, kinds) in ends {
            let first = kinds[0];
            let rest = &kinds[1..];
            assert!(first != ChargeKind::Correction, "{lease}: {kinds:?}");
            let may_follow = first == ChargeKind::Estimated && rest == [ChargeKind::Correction];
            assert!(rest.is_empty() || may_follow, "{lease}: {kinds:?}");
        }
        for state in rig.store.accounts_in(&[ann.pool], &rig.resets()).await.unwrap() {
            let sum = sums.get(&state.account.id).copied().unwrap_or_default();
            assert_eq!((state.windows[0].used.signed(), state.leased.0), (sum, 0));
        }
        for state in rig.store.accounts_in(&[ben.pool], &rig.resets()).await.unwrap() {
            assert_eq!(state.windows[0].used, Tokens::ZERO);
        }
        assert!(held.iter().all(|one| sums.contains_key(&one.grant.account)));
    }
}

/// A lease and one of its possible ends: exact, estimated and then exact, released,
/// settled twice at once, or left to its deadline.
async fn one_life(rig: &Rig, user: &User, turn: usize) -> Option<Held> {
    let held = rig.ask(user, 1 + dice(turn, 200)).answer().await.ok()?;
    let actual = Tokens(dice(turn + 7, 400));
    match dice(turn + 13, 10) {
        0 => {}
        1 => rig.settle(&held, Charge::Release).await,
        2 | 3 => {
            rig.settle(&held, Charge::Estimated(held.key.estimate)).await;
            rig.settle(&held, Charge::Exact(actual)).await;
        }
        4 => {
            let twice = futures_util::future::join(
                rig.settle(&held, Charge::Exact(actual)),
                rig.settle(&held, Charge::Exact(actual)),
            );
            twice.await;
        }
        _ => rig.settle(&held, Charge::Exact(actual)).await,
    }
    Some(held)
}

contract! {
    async fn what_is_left_of_equal_accounts_stays_within_a_request_for_each_in_flight(rig: Rig) {
        let ann = rig.user().await;
        for _ in 0..8 {
            rig.account(&ann, 1_000_000).await;
        }
        let rig = Arc::new(rig);
        let user = ann.clone();
        crowd(&rig, 800, move |rig, turn| {
            let user = user.clone();
            async move {
                let held = rig.ask(&user, 100).held().await;
                rig.settle(&held, Charge::Exact(Tokens(50 + dice(turn, 101)))).await;
            }
        })
        .await;
        let states = rig.store.accounts_in(&[ann.pool], &rig.resets()).await.unwrap();
        let left: Vec<i64> = states.iter().map(|state| state.remaining().unwrap()).collect();
        let spread = left.iter().max().unwrap() - left.iter().min().unwrap();
        // At most 150 tokens a request, and at most 64 in flight over eight accounts.
        assert!(spread <= 150 * (TASKS as i64 / 8 + 1), "{left:?}");
    }
}
