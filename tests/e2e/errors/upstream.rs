//! What platforms and accounts did wrong.

use jiff::SignedDuration;
use serde_json::{Value, json};
use tributary::accounts::{AccountState, Health};
use tributary::telemetry::clock::Stopwatch;
use tributary::upstream;

use crate::both;
use crate::rig::{Rig, Wish, ask};

const UNAUTHORIZED: &str = "502 server_error account_unauthorized x-should-retry=false";
const FAILED: &str = "502 server_error upstream_error";
const SLOW: &str = "504 server_error upstream_timeout";

fn impatient() -> upstream::Settings {
    let short = SignedDuration::from_millis(300);
    upstream::Settings {
        first_byte_timeout: short,
        whole_answer_timeout: short,
        gap_timeout: short,
        ..upstream::Settings::default()
    }
}

both! {
    async fn a_login_that_is_no_longer_good_names_the_account_and_is_not_the_callers(rig: Rig) {
        for (platform, model) in [("openai", "gpt-5.4-mini"), ("qwen", "qwen-plus"), ("spark", "4.0Ultra"), ("claude", "claude-haiku-4-5")] {
            for class in ["auth_expired", "banned"] {
                rig.fault(platform, json!({"kind": "class", "class": class, "times": 2})).await;
                for _ in 0..2 {
                    let answer = rig.chat(ask(model, "hello")).await;
                    assert_eq!(answer.row(), UNAUTHORIZED, "{platform} {class}");
                    let message = answer.message();
                    let accounts = rig.accounts(platform).await;
                    let named = |id| message.contains(&format!("account {id}"));
                    assert!(accounts.iter().any(|state| named(state.account.id)), "{message}");
                    assert!(message.contains("needs authorization"), "{message}");
                }
                for state in rig.accounts(platform).await {
                    rig.store.set_health(state.account.id, Health::Active).await.unwrap();
                }
            }
        }
    }
}

both! {
    async fn a_platform_that_fails_on_every_account_is_an_upstream_error(rig: Rig) {
        for (kind, row) in [
            (json!({"kind": "class", "class": "upstream_fault"}), FAILED),
            (json!({"kind": "class", "class": "html"}), FAILED),
            (json!({"kind": "class", "class": "empty"}), FAILED),
            (json!({"kind": "close"}), FAILED),
            (json!({"kind": "cut", "after_bytes": 20}), FAILED),
            (json!({"kind": "status", "status": 302}), FAILED),
            (json!({"kind": "status", "status": 200, "body": "<html>"}), FAILED),
            (json!({"kind": "class", "class": "overloaded"}), "502 server_error upstream_error Retry-After"),
        ] {
            rig.fault("openai", twice(&kind)).await;
            let answer = rig.chat(ask("gpt-5.4-mini", "hello")).await;
            assert_eq!(answer.row(), row, "{kind}: {answer:?}");
            // A success, so that no failures in a row are left.
            for number in 0..2 {
                let id = rig.account("openai", number).await.account.id;
                let mut body = ask("gpt-5.4-mini", "hello");
                body["account_id"] = json!(id.0);
                assert_eq!(rig.chat(body).await.status, 200);
            }
        }
    }
}

both! {
    #[wish(Wish { upstream: impatient(), ..Wish::default() })]
    async fn a_platform_that_is_too_slow_is_a_timeout(rig: Rig) {
        rig.fault("openai", json!({"kind": "hang", "times": 0})).await;
        assert_eq!(rig.chat(ask("gpt-5.4-mini", "hello")).await.row(), SLOW);
        assert_eq!(rig.chat_streamed(ask("gpt-5.4-mini", "hello")).await.row(), SLOW);
        rig.behave("openai").await;
        // The head comes, and nothing after it.
        rig.fault("qwen", json!({"kind": "delay", "ms": 60_000, "where": "chunk", "times": 2})).await;
        assert_eq!(rig.chat_streamed(ask("qwen-plus", "hello")).await.row(), SLOW);
    }
}

both! {
    async fn a_failure_after_output_began_is_an_event_and_no_done_follows(rig: Rig) {
        for (platform, model) in [("openai", "gpt-5.4-mini"), ("qwen", "qwen-plus"), ("ernie", "ernie-5.1")] {
            for fault in [
                json!({"kind": "error_mid_stream", "after_events": 6}),
                json!({"kind": "cut", "after_bytes": 2000}),
            ] {
                rig.fault(platform, fault.clone()).await;
                let answer = rig.chat_streamed(ask(model, "say 60 words")).await;
                assert_eq!(answer.status, 200);
                let events = answer.events();
                let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
                let error = last["error"].as_object().unwrap_or_else(|| panic!("{fault}: {last}"));
                assert_eq!(error["type"], "server_error", "{last}");
                assert_eq!(error["code"], "upstream_error", "{last}");
                assert_eq!(events.iter().filter(|event| *event == "[DONE]").count(), 0);
                assert!(events.len() > 3, "{events:?}");
                let record = rig.record(&answer).await;
                assert_eq!((&*record.outcome, record.attempts.len()), ("upstream_error", 1));
                assert!(record.estimated && record.output.0 > 0, "{record:?}");
            }
        }
    }
}

both! {
    async fn a_platforms_endless_words_are_cut_short(rig: Rig) {
        let refuse = |status: u16, code: &str, times: usize| {
            let words = "so it is ".repeat(4000);
            let body = json!({"error": {"message": words, "code": code}});
            json!({"kind": "status", "status": status, "body": body, "times": times})
        };
        rig.fault("openai", refuse(500, "server_error", 2)).await;
        let answer = rig.chat(ask("gpt-5.4-mini", "hello")).await;
        assert_eq!(answer.row(), FAILED);
        assert!(answer.message().starts_with("so it is so it is"), "{answer:?}");
        assert!(answer.body.len() < 4096, "{}", answer.body.len());
        rig.fault("openai", refuse(401, "account_deactivated", 1)).await;
        assert_eq!(rig.chat(ask("gpt-5.4-mini", "hello")).await.attempts(), "2");
        let accounts = rig.accounts("openai").await;
        let banned = accounts.iter().find(|state| state.health.status() == "banned").unwrap();
        assert!(banned.health.reason().unwrap().len() < 4096);
    }
}

both! {
    async fn a_refusal_of_a_megabyte_is_taken_by_its_status(rig: Rig) {
        let body = json!({"error": {"message": "so it is ".repeat(120_000)}});
        let refuse = json!({"kind": "status", "status": 401, "body": body});
        rig.fault("openai", refuse).await;
        let answer = rig.chat(ask("gpt-5.4-mini", "hello")).await;
        assert_eq!((answer.status.as_u16(), answer.attempts()), (200, "2"), "{answer:?}");
        let expired = |state: &AccountState| state.health.status() == "expired";
        assert!(rig.accounts("openai").await.iter().any(expired));
    }
}

both! {
    async fn a_refusal_whose_body_never_comes_is_taken_by_its_status(rig: Rig) {
        // A body of which the first byte alone comes.
        let slow = json!({"kind": "split", "bytes": 1, "ms": 600_000});
        rig.fault("openai", slow).await;
        rig.fault("openai", json!({"kind": "class", "class": "auth_expired"})).await;
        let since = Stopwatch::start();
        let answer = rig.chat(ask("gpt-5.4-mini", "hello")).await;
        assert_eq!((answer.status.as_u16(), answer.attempts()), (200, "2"), "{answer:?}");
        assert!(since.elapsed().as_secs() < 15, "{:?}", since.elapsed());
        let expired = |state: &AccountState| state.health.status() == "expired";
        assert!(rig.accounts("openai").await.iter().any(expired));
    }
}

fn twice(fault: &Value) -> Value {
    let mut fault = fault.clone();
    fault["times"] = json!(2);
    fault
}
