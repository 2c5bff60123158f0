//! Many callers at once, and books that agree with the platforms' own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use tributary::accounts::{AccountState, ChargeKind, Tokens};

use crate::both;
use crate::rig::{Answer, KEYS, Rig, Wish, ask, tail};

const CALLERS: usize = 64;
const MODEL: &str = "gpt-4.1";
/// No request here uses more.
const BIGGEST: u64 = 120;

fn queue(places: usize) -> Wish {
    let relay = tributary::relay::Settings { queue: places, ..Default::default() };
    Wish { relay, ..Wish::default() }
}

both! {
    async fn two_equal_accounts_share_a_thousand_requests(rig: Rig) {
        share_evenly(Arc::new(rig), 0).await;
    }
}

both! {
    async fn eight_equal_accounts_share_a_thousand_requests(rig: Rig) {
        share_evenly(Arc::new(rig), 6).await;
    }
}

/// A thousand requests over the two accounts and so many more.
async fn share_evenly(rig: Arc<Rig>, more: usize) {
    let keys = bind_more(&rig, more).await;
    let answers = crowd(&rig, 1024).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert!(answers.iter().all(|answer| answer.attempts() == "1"));
    rig.all_settled("openai").await;

    let ledger = rig.ledger("openai").await;
    let states = rig.accounts("openai").await;
    assert_eq!(states.len(), keys.len());
    let mut requests = Vec::new();
    for (state, key) in states.iter().zip(&keys) {
        let counted = rig.counted("openai", &tail(key)).await;
        assert_eq!(state.windows[0].used, Tokens(counted), "to the token");
        requests.push(ledger["credentials"][tail(key)]["requests"].as_u64().unwrap());
    }
    assert_eq!(requests.iter().sum::<u64>(), 1024);
    let used: Vec<u64> = states.iter().map(|state| state.windows[0].used.0).collect();
    let apart = used.iter().max().unwrap() - used.iter().min().unwrap();
    assert!(apart <= BIGGEST * CALLERS as u64 / keys.len() as u64, "{used:?}, {requests:?}");

    let charged = charged_by_account(&rig).await;
    let records = recorded(&rig, 1024).await;
    for state in &states {
        let used = state.windows[0].used.signed();
        assert_eq!(charged[&state.account.id.0], used, "the charges' rows");
        assert_eq!(records[&state.account.id.0], used, "the records' attempts");
    }
}

both! {
    async fn one_caller_alone_takes_equal_accounts_in_turn(rig: Rig) {
        let keys = bind_more(&rig, 2).await;
        let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
        for _ in 0..40 {
            let answer = rig.chat(ask(MODEL, "say 7 words")).await;
            *counts.entry(answer.account()).or_default() += 1;
            rig.all_settled("openai").await;
            let most = counts.values().max().unwrap();
            let least = if counts.len() == keys.len() { *counts.values().min().unwrap() } else { 0 };
            assert!(most - least <= 1, "{counts:?}");
        }
    }
}

both! {
    #[wish(Wish { limits: [8_000, 8_000], ..Wish::default() })]
    async fn no_window_is_exceeded_at_any_moment(rig: Rig) {
        let rig = Arc::new(rig);
        let done = Arc::new(AtomicBool::new(false));
        let looks = Arc::new(AtomicUsize::new(0));
        let watch = {
            let (rig, done, looks) = (rig.clone(), done.clone(), looks.clone());
            TaskTracker::new().spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    rig.accounts("openai").await.iter().for_each(is_within);
                    looks.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        };
        // Of one length, so that estimates are good: by what they fall short of the bill a
        // window may be exceeded.
        let answers = crowd_of(&rig, 640, |_| 20).await;
        done.store(true, Ordering::Relaxed);
        watch.await.unwrap();
        assert!(looks.load(Ordering::Relaxed) > 5);
        let served = answers.iter().filter(|answer| answer.status == 200).count();
        let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
        assert_eq!(served + refused.len(), 640);
        assert!(served > 50 && refused.len() > 50, "{served} served");
        rig.all_settled("openai").await;
        let states = rig.accounts("openai").await;
        states.iter().for_each(is_within);
        // Nearly all of it was used: what is left on each is less than a request.
        let left: Vec<_> = states.iter().map(AccountState::remaining).collect();
        assert!(left.iter().all(|left| left.unwrap() < 2 * BIGGEST.cast_signed()), "{left:?}");
        for (number, state) in states.iter().enumerate() {
            let counted = rig.counted("openai", &tail(KEYS[0].1[number])).await;
            assert_eq!(state.windows[0].used, Tokens(counted));
        }
    }
}

/// At most the limit is used and leased; past it goes the one request that no account fits.
fn is_within(state: &AccountState) {
    let window = &state.windows[0];
    let taken = window.used + state.leased;
    let limit = window.limit.unwrap() + Tokens(BIGGEST);
    assert!(taken <= limit, "{} used, {} leased of {limit}", window.used, state.leased);
}

both! {
    async fn a_strangers_calls_never_reach_the_users_accounts(rig: Rig) {
        let rig = Arc::new(rig);
        let (stranger, token) = rig.stranger().await;
        let own = rig.bind(&stranger, "openai", "own", "sk-of-the-stranger-00000099", 3_000).await;
        let strangers = {
            let rig = rig.clone();
            TaskTracker::new().spawn(async move {
                let mut served = 0;
                for turn in 0..100 {
                    // When its own account is used up, it is refused and nothing else.
                    let model = if turn % 3 == 0 { "qwen-plus" } else { MODEL };
                    let answer = rig.chat_as(&token, ask(model, "say 30 words")).await;
                    match answer.status.as_u16() {
                        200 => {
                            assert_eq!((answer.account(), model), (own.0, MODEL));
                            served += 1;
                        }
                        404 => assert_eq!(model, "qwen-plus"),
                        429 => assert_eq!(model, MODEL),
                        _ => panic!("{answer:?}"),
                    }
                }
                served
            })
        };
        let answers = crowd(&rig, 256).await;
        assert!(answers.iter().all(|answer| answer.status == 200 && answer.account() != own.0));
        assert!(strangers.await.unwrap() > 10);
        let charges = rig.charges("openai").await;
        assert!(charges.iter().all(|row| row.user == rig.user.id && row.account != own));
    }
}

both! {
    #[wish(Wish { limits: [1_000_000, 900_000], ..Wish::default() })]
    async fn a_refused_attempt_gives_its_tokens_back(rig: Rig) {
        let fault = json!({"kind": "class", "class": "overloaded", "times": 2});
        rig.fault("openai", fault).await;
        assert_eq!(rig.chat(ask(MODEL, "say 7 words")).await.status, 502);
        rig.all_settled("openai").await;
        for state in rig.accounts("openai").await {
            assert_eq!(state.windows[0].used, Tokens::ZERO);
        }
        let charges = rig.charges("openai").await;
        let kinds: Vec<_> = charges.iter().map(|row| (row.kind, row.tokens)).collect();
        assert_eq!(kinds, [(ChargeKind::Released, 0); 2]);
    }
}

both! {
    #[wish(queue(3))]
    async fn a_small_queue_slows_a_crowd_and_stops_nobody(rig: Rig) {
        rig.fault("openai", json!({"kind": "class", "class": "overloaded", "times": 20})).await;
        let rig = Arc::new(rig);
        let answers = crowd(&rig, 256).await;
        assert_eq!(answers.len(), 256);
        rig.all_settled("openai").await;
        recorded(&rig, 256).await;
    }
}

/// So many calls of many lengths by 64 callers at once.
async fn crowd(rig: &Arc<Rig>, calls: usize) -> Vec<Answer> {
    crowd_of(rig, calls, |number| 5 + number % 40).await
}

/// The same, each with an answer of so many words.
async fn crowd_of(rig: &Arc<Rig>, calls: usize, words: fn(usize) -> usize) -> Vec<Answer> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (rig, next) = (rig.clone(), next.clone());
        callers.spawn(async move {
            let mut answers = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= calls {
                    return answers;
                }
                let mut body = ask(MODEL, &format!("say {} words", words(number)));
                body["stream"] = json!(number.is_multiple_of(2));
                answers.push(rig.chat(body).await);
            }
        });
    }
    callers.join_all().await.into_iter().flatten().collect()
}

/// Binds so many more accounts on openai; the keys of all, by their accounts' ids.
async fn bind_more(rig: &Rig, more: usize) -> Vec<String> {
    let mut keys: Vec<String> = KEYS[0].1.iter().map(ToString::to_string).collect();
    for number in 0..more {
        let key = format!("sk-one-more-account-1{number:05}");
        rig.bind(&rig.user, "openai", &format!("more-{number}"), &key, 1_000_000).await;
        keys.push(key);
    }
    keys
}

async fn charged_by_account(rig: &Rig) -> BTreeMap<i64, i64> {
    let mut sums = BTreeMap::new();
    for row in rig.charges("openai").await {
        assert_eq!(row.kind, ChargeKind::Exact);
        *sums.entry(row.account.0).or_default() += row.tokens;
    }
    sums
}

/// What the attempts of all records come to, once so many are written.
async fn recorded(rig: &Rig, count: usize) -> BTreeMap<i64, i64> {
    let mut records = Vec::new();
    rig.until(async || {
        records = rig.records().await;
        records.len() >= count
    })
    .await;
    assert_eq!(records.len(), count);
    let mut sums = BTreeMap::new();
    for attempt in records.iter().flat_map(|record| &record.attempts) {
        *sums.entry(attempt.account.0).or_default() += attempt.charge.tokens().signed();
    }
    sums
}
