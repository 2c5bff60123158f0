//! Accounts whose quota is used up, leased out or resting.

use jiff::SignedDuration;
use serde_json::json;
use tributary::accounts::Health;
use tributary::telemetry::clock::{self, Stopwatch};

use crate::both;
use crate::rig::{Rig, Wish, ask, credential};

const EXHAUSTED: &str =
    "429 insufficient_quota insufficient_quota Retry-After x-should-retry=false";
const LIMITED: &str = "429 rate_limit_error rate_limit_exceeded Retry-After";

/// Room for one request's estimate on each account, not for two.
const ROOM_FOR_ONE: [u64; 2] = [400, 400];

fn short_wait(millis: i64) -> tributary::relay::Settings {
    let lease_wait = SignedDuration::from_millis(millis);
    tributary::relay::Settings { lease_wait, ..Default::default() }
}

both! {
    #[wish(Wish { limits: [40, 40], ..Wish::default() })]
    async fn quota_used_up_by_our_windows_says_when_it_resets(rig: Rig) {
        for _ in 0..2 {
            let answer = rig.chat(ask("qwen-plus", "say 60 words")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            rig.all_settled("qwen").await;
        }
        let answer = rig.chat(ask("qwen-plus", "say 60 words")).await;
        assert_eq!(answer.row(), EXHAUSTED);
        let resets_at = rig.account("qwen", 0).await.windows[0].resets_at.unwrap();
        assert!(answer.message().contains(&resets_at.to_string()), "{answer:?}");
        let left = resets_at.duration_since(clock::now()).as_secs();
        let told = i64::try_from(answer.retry_after()).unwrap();
        assert!((0..=5).contains(&(told - left)), "{told} s, and it resets in {left} s");
        assert_eq!(rig.rows("qwen").await.len(), 2);
    }
}

both! {
    async fn quota_used_up_by_the_platforms_word_says_so_at_once_and_later(rig: Rig) {
        for (platform, model) in [("openai", "gpt-5.4-mini"), ("qwen", "qwen-plus"), ("glm", "glm-4.7")] {
            rig.fault(platform, json!({"kind": "class", "class": "quota_exhausted", "times": 2})).await;
            let first = rig.chat(ask(model, "hello")).await;
            assert_eq!(first.row(), EXHAUSTED, "{platform}: {first:?}");
            let second = rig.chat(ask(model, "hello")).await;
            assert_eq!(second.row(), EXHAUSTED, "{platform}: {second:?}");
            let both = [first.retry_after(), second.retry_after()];
            assert!(both[0].abs_diff(both[1]) <= 5, "{platform}: {both:?}");
            assert_eq!(rig.rows(platform).await.len(), 2, "{platform}");
        }
    }
}

both! {
    async fn a_spent_model_leaves_the_accounts_other_models(rig: Rig) {
        rig.fault("qwen", json!({"kind": "class", "class": "quota_exhausted", "times": 2})).await;
        assert_eq!(rig.chat(ask("qwen-plus", "hello")).await.row(), EXHAUSTED);
        assert_eq!(rig.chat(ask("qwen-flash", "hello")).await.status, 200);
    }
}

both! {
    #[wish(Wish { limits: ROOM_FOR_ONE, relay: short_wait(300), ..Wish::default() })]
    async fn accounts_that_are_leased_out_are_busy_after_the_wait(rig: Rig) {
        let slow = || rig.stream(ask("qwen-plus", "pace 100 ms say 60 words"));
        let (mut one, mut other) = tokio::join!(slow(), slow());
        one.until("data: ").await;
        other.until("data: ").await;
        let since = Stopwatch::start();
        let answer = rig.chat(ask("qwen-plus", "say 3 words")).await;
        assert_eq!(answer.row(), LIMITED);
        assert_eq!(answer.retry_after(), 1);
        assert!(since.elapsed().as_millis() >= 300, "{:?}", since.elapsed());
        assert!(answer.message().contains("busy"), "{answer:?}");
    }
}

both! {
    #[wish(Wish { limits: ROOM_FOR_ONE, ..Wish::default() })]
    async fn a_request_waits_for_tokens_that_are_leased_to_others(rig: Rig) {
        let slow = || rig.chat_streamed(ask("qwen-plus", "pace 20 ms say 15 words"));
        let answers = futures_util::future::join_all((0..6).map(|_| slow())).await;
        for answer in answers {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
}

both! {
    #[wish(Wish { limits: [1_000_000, 400], ..Wish::default() })]
    async fn a_request_waits_for_a_busy_account_though_another_failed(rig: Rig) {
        let busy = rig.account("openai", 1).await.account.id;
        let mut slow = ask("gpt-4.1", "pace 20 ms say 20 words");
        slow["account_id"] = json!(busy.0);
        let mut stream = rig.stream(slow).await;
        stream.until("data: ").await;
        let fault = json!({"kind": "class", "class": "auth_expired",
            "credential": credential("openai", 0)});
        rig.fault("openai", fault).await;
        let (answer, _) = tokio::join!(rig.chat(ask("gpt-4.1", "say 3 words")), stream.rest());
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!((answer.account(), answer.attempts()), (busy.0, "2"));
    }
}

both! {
    async fn accounts_that_rest_say_when_the_first_returns(rig: Rig) {
        for (number, wait) in [(0, "2"), (1, "30")] {
            let fault = json!({"kind": "status", "status": 429, "headers": {"retry-after": wait},
                "body": {"error": {"message": "slow down", "code": "rate_limit_exceeded"}},
                "credential": credential("openai", number)});
            rig.fault("openai", fault).await;
        }
        let first = rig.chat(ask("gpt-5.4-mini", "hello")).await;
        assert_eq!((first.row().as_str(), first.retry_after()), (LIMITED, 2), "{first:?}");
        let second = rig.chat(ask("gpt-5.4-mini", "hello")).await;
        assert_eq!(second.row(), LIMITED);
        assert!((1..=2).contains(&second.retry_after()), "{second:?}");
        assert_eq!(rig.rows("openai").await.len(), 2);
        rig.until(async || rig.chat(ask("gpt-5.4-mini", "hello")).await.status == 200).await;
    }
}

both! {
    async fn a_pause_without_a_hint_is_told_too(rig: Rig) {
        let fault = json!({"kind": "status", "status": 429, "times": 2});
        rig.fault("openai", fault).await;
        for _ in 0..2 {
            let answer = rig.chat(ask("gpt-5.4-mini", "hello")).await;
            assert_eq!(answer.row(), LIMITED);
            assert!((8..=10).contains(&answer.retry_after()), "{answer:?}");
        }
    }
}

both! {
    #[wish(Wish { limits: [40, 1_000_000], ..Wish::default() })]
    async fn a_pinned_account_that_is_used_up_is_not_replaced(rig: Rig) {
        let first = rig.account("qwen", 0).await.account.id;
        let mut body = ask("qwen-plus", "say 60 words");
        body["account_id"] = json!(first.0);
        assert_eq!(rig.chat(body.clone()).await.account(), first.0);
        rig.all_settled("qwen").await;
        assert_eq!(rig.chat(body).await.row(), EXHAUSTED);
        assert!(matches!(rig.account("qwen", 0).await.health, Health::Active));
    }
}
