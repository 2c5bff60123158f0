//! What one account can't do, the next one does, and the caller sees nothing of it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tributary::accounts::{AccountId, AccountState, Harm, Health, Scale};
use tributary::telemetry::clock;

use crate::both;
use crate::cuts::{FRAMES, tokens};
use crate::rig::{Answer, Rig, Wish, ask, credential};

/// The first account has the most left, so it is chosen until it can't be.
const FIRST_IS_RICHER: [u64; 2] = [1_000_000, 900_000];

fn wish() -> Wish {
    Wish { limits: FIRST_IS_RICHER, ..Wish::default() }
}

/// What a failure leaves of the account that failed.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    Untouched,
    Expired,
    Banned,
    /// Cooling for so many seconds.
    Resting(i64),
    /// Cooling, for want of quota, for so many seconds.
    Spent(i64),
}

async fn each_class_moves_on(rig: &Rig, platform: &str, model: &str, classes: &[(Value, Leaves)]) {
    let [first, second] = ids(rig, platform).await;
    for (fault, leaves) in classes {
        for streamed in [false, true] {
            let told = format!("{platform}, streamed: {streamed}: {fault}");
            let mut fault = fault.clone();
            fault["credential"] = json!(credential(platform, 0));
            rig.fault(platform, fault).await;
            let asked_at = clock::now();
            let answer = say(rig, model, streamed).await;
            assert_eq!(answer.status, 200, "{told}: {answer:?}");
            assert_eq!(answer.content(), "one two three", "{told}");
            assert_eq!((answer.attempts(), answer.account()), ("2", second), "{told}");
            let state = rig.account(platform, 0).await;
            assert!(is_left(&state, *leaves, asked_at), "{told}: {leaves:?}: {:?}", state.health);
            assert_eq!(rig.account(platform, 1).await.health, Health::Active, "{told}");

            let record = rig.record(&answer).await;
            let accounts: Vec<i64> =
                record.attempts.iter().map(|attempt| attempt.account.0).collect();
            assert_eq!(accounts, [first, second], "{told}");
            assert_eq!((&*record.outcome, record.estimated), ("ok", false), "{told}");

            let next = say(rig, model, streamed).await;
            let expected = if matches!(leaves, Leaves::Untouched) { first } else { second };
            assert_eq!((next.attempts(), next.account()), ("1", expected), "{told}");
            rig.store.set_health(state.account.id, Health::Active).await.unwrap();
        }
    }
}

both! {
    #[wish(wish())]
    async fn every_class_of_openai_moves_on(rig: Rig) {
        let class = |class: &str| json!({"kind": "class", "class": class});
        let slow_down = json!({"kind": "status", "status": 429, "headers": {"retry-after": "30"}});
        each_class_moves_on(&rig, "openai", "gpt-4.1", &[
            (class("auth_expired"), Leaves::Expired),
            (class("banned"), Leaves::Banned),
            (class("quota_exhausted"), Leaves::Spent(3600)),
            (slow_down, Leaves::Resting(30)),
            (json!({"kind": "status", "status": 429}), Leaves::Resting(10)),
            (class("overloaded"), Leaves::Untouched),
            (class("upstream_fault"), Leaves::Untouched),
            (class("html"), Leaves::Untouched),
            (class("empty"), Leaves::Untouched),
            (json!({"kind": "status", "status": 403}), Leaves::Untouched),
            (json!({"kind": "close"}), Leaves::Untouched),
        ])
        .await;
    }
}

both! {
    #[wish(wish())]
    async fn every_class_of_glm_moves_on(rig: Rig) {
        let class = |class: &str| json!({"kind": "class", "class": class});
        each_class_moves_on(&rig, "glm", "glm-4.7", &[
            (class("auth_expired"), Leaves::Expired),
            (class("banned"), Leaves::Banned),
            (class("overloaded"), Leaves::Untouched),
            (class("upstream_fault"), Leaves::Untouched),
        ])
        .await;
    }
}

both! {
    #[wish(wish())]
    async fn a_stream_that_breaks_before_its_first_output_moves_on(rig: Rig) {
        let [_, second] = ids(&rig, "qwen").await;
        for fault in [
            json!({"kind": "cut", "after_bytes": 0}),
            json!({"kind": "cut", "after_bytes": 10}),
            json!({"kind": "error_mid_stream", "after_events": 0}),
            json!({"kind": "status", "status": 200, "body": {"error": {"message": "no", "code": "x"}}}),
        ] {
            rig.fault("qwen", fault.clone()).await;
            let answer = say(&rig, "qwen-plus", true).await;
            assert_eq!(answer.content(), "one two three", "{fault}");
            assert_eq!((answer.attempts(), answer.account()), ("2", second), "{fault}");
            say(&rig, "qwen-plus", true).await;
        }
    }
}

both! {
    #[wish(wish())]
    async fn an_account_that_keeps_failing_rests_and_a_success_wipes_the_slate(rig: Rig) {
        let fault = json!({"kind": "class", "class": "upstream_fault",
            "credential": credential("openai", 0)});
        for _ in 0..2 {
            for _ in 0..2 {
                rig.fault("openai", fault.clone()).await;
                assert_eq!(say(&rig, "gpt-4.1", false).await.attempts(), "2");
            }
            assert_eq!(say(&rig, "gpt-4.1", false).await.attempts(), "1");
            assert_eq!(rig.account("openai", 0).await.health, Health::Active);
        }
        for _ in 0..3 {
            rig.fault("openai", fault.clone()).await;
            assert_eq!(say(&rig, "gpt-4.1", false).await.attempts(), "2");
        }
        let state = rig.account("openai", 0).await;
        let soon = clock::now() - SignedDuration::from_secs(5);
        assert!(is_left(&state, Leaves::Resting(5), soon), "{:?}", state.health);
        assert_eq!(say(&rig, "gpt-4.1", false).await.attempts(), "1");
    }
}

fn patient() -> tributary::relay::Settings {
    tributary::relay::Settings { lease_wait: SignedDuration::from_secs(30), ..Default::default() }
}

both! {
    #[wish(Wish { relay: patient(), ..wish() })]
    async fn an_account_whose_pause_failures_began_meets_one_request_and_then_all(rig: Rig) {
        let pause = Duration::from_millis(10);
        let scale = Scale { forgiven: 0, first: pause, longest: pause };
        for account in ids(&rig, "openai").await {
            let reason = "it broke".to_owned();
            let strike = Harm::Strike { scale, reason, out_of_quota: false };
            rig.store.worsen(AccountId(account), clock::now(), strike).await.unwrap();
        }
        tokio::time::sleep(pause).await;
        let slow = json!({"kind": "delay", "ms": 1500, "times": 2});
        rig.fault("openai", slow).await;
        let crowd = futures_util::future::join_all((0..8).map(|_| say(&rig, "gpt-4.1", false)));
        let watch = async {
            rig.until(async || rig.sent("openai").await.len() >= 2).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(rig.sent("openai").await.len(), 2, "one for each account");
        };
        let (answers, ()) = tokio::join!(crowd, watch);
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert_eq!(rig.sent("openai").await.len(), 8);
        for number in 0..2 {
            assert_eq!(rig.account("openai", number).await.health, Health::Active);
        }
    }
}

both! {
    #[wish(Wish { toml: CHAIN, ..wish() })]
    async fn a_chain_goes_on_across_platforms(rig: Rig) {
        // All of openai's accounts, then all of qwen's, then spark's.
        let sick = json!({"kind": "class", "class": "auth_expired", "times": 2});
        rig.fault("openai", sick.clone()).await;
        let answer = say(&rig, "chain", false).await;
        assert_eq!((answer.header("x-tributary-platform"), answer.attempts()), ("qwen", "3"));
        assert_eq!(answer.header("x-tributary-model"), "qwen-plus");
        rig.fault("qwen", sick).await;
        let answer = say(&rig, "chain", true).await;
        assert_eq!((answer.header("x-tributary-platform"), answer.attempts()), ("spark", "3"));
        assert_eq!(answer.content(), "one two three");
        assert_eq!(say(&rig, "chain", true).await.attempts(), "1");
    }
}

both! {
    #[wish(Wish { toml: CHAIN, ..wish() })]
    async fn a_model_that_an_account_lacks_goes_to_the_next_platform(rig: Rig) {
        rig.fault("openai", json!({"kind": "class", "class": "not_found"})).await;
        let answer = say(&rig, "chain", false).await;
        assert_eq!((answer.header("x-tributary-platform"), answer.attempts()), ("qwen", "2"));
        assert_eq!(rig.account("openai", 0).await.health, Health::Active);
        assert_eq!(rig.rows("openai").await.len(), 1, "its other account has the same models");
        // With nowhere to go, it is the caller's to know.
        rig.fault("openai", json!({"kind": "class", "class": "not_found"})).await;
        let answer = say(&rig, "gpt-4.1", false).await;
        assert_eq!(answer.row(), "404 invalid_request_error model_not_found param=model");
    }
}

both! {
    #[wish(Wish { toml: CHAIN, ..wish() })]
    async fn a_refused_connection_moves_on(rig: Rig) {
        rig.bind(&rig.user, "gone", "gone-1", "sk-nobody-listens-there-0000", 1_000_000).await;
        for streamed in [false, true] {
            let answer = say(&rig, "gone-chain", streamed).await;
            assert_eq!(answer.content(), "one two three");
            assert_eq!((answer.header("x-tributary-platform"), answer.attempts()), ("qwen", "2"));
            let record = rig.record(&answer).await;
            assert_eq!(record.attempts[0].charge, tributary::accounts::Charge::Release);
        }
    }
}

both! {
    #[wish(wish())]
    async fn a_connection_that_closes_before_an_answer_is_charged_its_prompt(rig: Rig) {
        rig.fault("openai", json!({"kind": "close", "credential": credential("openai", 0)})).await;
        let answer = say(&rig, "gpt-4.1", false).await;
        assert_eq!(answer.attempts(), "2");
        let record = rig.record(&answer).await;
        let tributary::accounts::Charge::Estimated(prompt) = record.attempts[0].charge else {
            panic!("{record:?}");
        };
        assert_eq!(prompt.0, tokens("o200k_base", "repeat: one two three") + FRAMES);
        rig.all_settled("openai").await;
        assert_eq!(rig.account("openai", 0).await.windows[0].used, prompt);
    }
}

both! {
    #[wish(wish())]
    async fn a_pin_never_moves(rig: Rig) {
        let [first, _] = ids(&rig, "openai").await;
        for class in ["overloaded", "auth_expired", "rate_limited"] {
            let fault = json!({"kind": "class", "class": class,
                "credential": credential("openai", 0)});
            rig.fault("openai", fault).await;
            let before = rig.rows("openai").await.len();
            let mut body = ask("gpt-4.1", "say 3 words");
            body["account_id"] = json!(first);
            let answer = rig.chat(body).await;
            assert!(!answer.status.is_success(), "{class}: {answer:?}");
            assert_eq!(rig.rows("openai").await.len(), before + 1, "{class}");
            let id = rig.account("openai", 0).await.account.id;
            rig.store.set_health(id, Health::Active).await.unwrap();
        }
        let used = rig.account("openai", 1).await.windows[0].used;
        assert_eq!(used, tributary::accounts::Tokens::ZERO);
    }
}

both! {
    #[wish(wish())]
    async fn nothing_is_sent_again_once_output_began(rig: Rig) {
        for (count, fault) in [
            json!({"kind": "cut", "after_bytes": 1500}),
            json!({"kind": "error_mid_stream", "after_events": 4}),
        ]
        .into_iter()
        .enumerate()
        {
            rig.fault("openai", fault).await;
            let answer = rig.chat_streamed(ask("gpt-4.1", "say 60 words")).await;
            assert!(!answer.events().contains(&"[DONE]".to_owned()));
            assert_eq!(rig.record(&answer).await.attempts.len(), 1);
            assert_eq!(rig.rows("openai").await.len(), count + 1);
        }
    }
}

both! {
    async fn at_most_max_attempts_are_made(rig: Rig) {
        for number in 0..10 {
            let key = format!("sk-one-of-many-accounts-{number:06}");
            rig.bind(&rig.user, "openai", &format!("more-{number}"), &key, 1_000_000).await;
        }
        rig.fault("openai", json!({"kind": "class", "class": "upstream_fault", "times": 0})).await;
        let answer = say(&rig, "gpt-4.1", false).await;
        assert_eq!(answer.status, 502);
        let record = rig.record(&answer).await;
        assert_eq!(record.attempts.len(), 8);
        let mut accounts: Vec<i64> = record.attempts.iter().map(|it| it.account.0).collect();
        accounts.sort_unstable();
        accounts.dedup();
        assert_eq!(accounts.len(), 8, "each account is tried once");
    }
}

const CHAIN: &str = r#"
[aliases]
chain = ["openai/gpt-4.1", "qwen/qwen-plus", "spark/4.0Ultra"]
gone-chain = ["gone/gone-1", "qwen/qwen-plus"]
"#;

async fn say(rig: &Rig, model: &str, streamed: bool) -> Answer {
    let mut body = ask(model, "repeat: one two three");
    body["stream"] = json!(streamed);
    rig.chat(body).await
}

async fn ids(rig: &Rig, platform: &str) -> [i64; 2] {
    let accounts = rig.accounts(platform).await;
    [accounts[0].account.id.0, accounts[1].account.id.0]
}

fn is_left(state: &AccountState, leaves: Leaves, asked_at: Timestamp) -> bool {
    let rests_for = |until: Timestamp, seconds: i64| {
        let earliest = asked_at + SignedDuration::from_secs(seconds);
        (earliest..earliest + SignedDuration::from_secs(10)).contains(&until)
    };
    match (&state.health, leaves) {
        (Health::Active, Leaves::Untouched)
        | (Health::Expired { .. }, Leaves::Expired)
        | (Health::Banned { .. }, Leaves::Banned) => true,
        (Health::Cooling { until, out_of_quota, .. }, Leaves::Resting(seconds)) => {
            !out_of_quota && rests_for(*until, seconds)
        }
        (Health::Cooling { until, out_of_quota, .. }, Leaves::Spent(seconds)) => {
            *out_of_quota && rests_for(*until, seconds)
        }
        _ => false,
    }
}
