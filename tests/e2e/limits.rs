//! What answers' headers tell of accounts' limits.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tributary::accounts::{AccountState, Health, Origin, Tokens};
use tributary::telemetry::clock;

use crate::both;
use crate::rig::{Rig, Wish, ask};

/// A platform that tells of a window of five hours.
const WINDOWED: &str = r#"
[[platforms.openai.limits]]
period = "5h"
limit = "x-limit-5h"
remaining = "x-remaining-5h"
reset = "x-reset-5h"
[[platforms.openai.limits]]
remaining = "x-ratelimit-remaining-requests"
reset = "x-ratelimit-reset-requests"
"#;

fn wish() -> Wish {
    Wish { toml: WINDOWED, limits: [1_000_000, 900_000], ..Wish::default() }
}

/// An answer with headers of the test's.
fn answers(headers: Value) -> Value {
    let message = json!({"role": "assistant", "content": "so be it"});
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4.1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    });
    json!({"kind": "status", "status": 200, "headers": headers, "body": body})
}

/// The first account, once `is` so: what was told travels behind the answer.
async fn first(rig: &Rig, is: impl Fn(&AccountState) -> bool) -> AccountState {
    for _ in 0..200 {
        let state = rig.account("openai", 0).await;
        if is(&state) {
            return state;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", rig.account("openai", 0).await);
}

both! {
    #[wish(wish())]
    async fn a_window_that_an_answer_tells_of_is_learned(rig: Rig) {
        let headers = json!({
            "x-limit-5h": "40000", "x-remaining-5h": "39000", "x-reset-5h": "2h30m0s",
        });
        rig.fault("openai", answers(headers)).await;
        assert_eq!(rig.chat(ask("gpt-4.1", "hello")).await.status, 200);
        let state = first(&rig, |state| state.windows.len() == 2).await;
        let window = &state.windows[1];
        assert_eq!((window.limit, window.origin), (Some(Tokens(40_000)), Origin::Learned));
        let left = window.resets_at.unwrap().duration_since(clock::now());
        let hours = SignedDuration::from_mins(149)..=SignedDuration::from_mins(150);
        assert!(window.end_told && hours.contains(&left), "{window:?}");
        // Set by hand.
        assert_eq!(state.windows[0].origin, Origin::Hand);
        // The other account has more left now.
        let answer = rig.chat(ask("gpt-4.1", "hello")).await;
        assert_eq!(answer.account(), rig.account("openai", 1).await.account.id.0);
    }
}

both! {
    #[wish(wish())]
    async fn a_window_that_an_answer_says_is_empty_sends_the_account_to_rest(rig: Rig) {
        let resets_at = clock::now() + SignedDuration::from_mins(30);
        let headers = json!({"x-remaining-5h": "0", "x-reset-5h": resets_at.to_string()});
        rig.fault("openai", answers(headers)).await;
        assert_eq!(rig.chat(ask("gpt-4.1", "hello")).await.status, 200);
        let state = first(&rig, |state| state.health != Health::Active).await;
        let Health::Cooling { until, reason, out_of_quota, .. } = state.health else { panic!() };
        assert_eq!((until.as_millisecond(), out_of_quota), (resets_at.as_millisecond(), true));
        assert_eq!(reason, "the platform says that nothing is left of its 5h");
        assert_eq!(rig.chat(ask("gpt-4.1", "hello")).await.attempts(), "1");
    }
}

both! {
    #[wish(wish())]
    async fn a_rate_that_an_answer_says_is_used_up_is_a_short_rest_and_no_window(rig: Rig) {
        let headers = json!({
            "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20s",
        });
        rig.fault("openai", answers(headers)).await;
        assert_eq!(rig.chat(ask("gpt-4.1", "hello")).await.status, 200);
        let state = first(&rig, |state| state.health != Health::Active).await;
        let Health::Cooling { until, out_of_quota, tries_at, .. } = state.health else { panic!() };
        let left = until.duration_since(clock::now()).as_secs();
        assert!((15..=20).contains(&left) && !out_of_quota && tries_at.is_none(), "{left}");
        assert_eq!(state.windows.len(), 1);
    }
}

both! {
    #[wish(wish())]
    async fn a_refusal_that_names_its_window_is_a_spent_quota_until_it_ends(rig: Rig) {
        let resets_at = clock::now() + SignedDuration::from_hours(3);
        let headers = json!({"x-remaining-5h": "0", "x-reset-5h": resets_at.to_string()});
        rig.fault("openai", json!({"kind": "status", "status": 429, "headers": headers})).await;
        let answer = rig.chat(ask("gpt-4.1", "hello")).await;
        assert_eq!((answer.status.as_u16(), answer.attempts()), (200, "2"));
        let state = first(&rig, |state| state.windows.len() == 2).await;
        let Health::Cooling { until, out_of_quota, tries_at, .. } = state.health else { panic!() };
        assert_eq!((until.as_millisecond(), out_of_quota), (resets_at.as_millisecond(), true));
        // Somebody looks before, in case it resets early.
        assert!(tries_at.is_some_and(|tries_at| tries_at < until));
    }
}
