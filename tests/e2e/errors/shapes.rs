//! Answers that are none: pages, bare words, nothing, failures inside of a success, and
//! those that come in the middle of a stream. On every platform.

use serde_json::{Value, json};
use tributary::accounts::Health;

use crate::both;
use crate::rig::{Answer, Rig, ask};

const PLATFORMS: [&str; 6] = ["openai", "qwen", "glm", "ernie", "spark", "claude"];

const FAILED: &str = "502 server_error upstream_error";
const UNAUTHORIZED: &str = "502 server_error account_unauthorized x-should-retry=false";
const LIMITED: &str = "429 rate_limit_error rate_limit_exceeded Retry-After";
const SPENT: &str = "429 insufficient_quota insufficient_quota Retry-After x-should-retry=false";

/// The platform's own word for a used-up quota, as it stands inside of a success.
fn spent(platform: &str) -> Value {
    match platform {
        "glm" => json!({"error": {"code": "1113", "message": "so it is"}}),
        "ernie" => {
            json!({"error": {"code": "account_overdue", "message": "so it is", "type": "access_denied"}, "id": "as-1"})
        }
        "qwen" => {
            json!({"error": {"code": "Arrearage", "message": "so it is", "type": "Arrearage", "param": null}, "request_id": "r"})
        }
        "spark" => json!({"code": 10016, "message": "so it is", "sid": "cha1"}),
        "claude" => {
            json!({"type": "error", "error": {"type": "billing_error", "message": "so it is"}})
        }
        _ => {
            json!({"error": {"code": "insufficient_quota", "message": "so it is", "type": "insufficient_quota", "param": null}})
        }
    }
}

/// The first event of a stream that fails before it says anything.
fn event(platform: &str) -> String {
    let data = spent(platform);
    let name = if platform == "claude" { "event: error\n" } else { "" };
    format!("{name}data: {data}\n\n")
}

async fn chat(rig: &Rig, platform: &str, number: usize, streamed: bool) -> Answer {
    let mut body = ask(&format!("{platform}/shape-{number}"), "hello");
    body["stream"] = json!(streamed);
    rig.chat(body).await
}

async fn mend(rig: &Rig, platform: &str) {
    rig.behave(platform).await;
    for state in rig.accounts(platform).await {
        rig.store.set_health(state.account.id, Health::Active).await.unwrap();
    }
}

both! {
    async fn an_answer_of_any_shape_is_told_by_what_is_in_it_or_by_its_status(rig: Rig) {
        for platform in PLATFORMS {
            let inside = spent(platform);
            let text = |words: &str| json!(words);
            let plain = json!({"content-type": "text/plain"});
            for (number, (status, body, headers, row)) in [
                (502, text("<html>Bad Gateway</html>"), json!({}), FAILED),
                (503, text("busy"), plain.clone(), FAILED),
                (500, Value::Null, json!({}), FAILED),
                (401, text("<html>Unauthorized</html>"), json!({}), UNAUTHORIZED),
                (401, Value::Null, json!({}), UNAUTHORIZED),
                (403, text("<html>Forbidden</html>"), json!({}), FAILED),
                (429, text("slow down"), plain.clone(), LIMITED),
                (429, Value::Null, json!({}), LIMITED),
                (302, Value::Null, json!({"location": "https://elsewhere.test/"}), FAILED),
                // A success that is none.
                (200, text("<html>Welcome</html>"), json!({}), FAILED),
                (200, text("fine"), plain, FAILED),
                (200, Value::Null, json!({}), FAILED),
                (200, json!({}), json!({}), FAILED),
                (200, json!([]), json!({}), FAILED),
                (200, inside.clone(), json!({}), SPENT),
            ]
            .into_iter()
            .enumerate()
            {
                for streamed in [false, true] {
                    let fault = json!({"kind": "status", "status": status, "body": body, "headers": headers, "times": 2});
                    rig.fault(platform, fault.clone()).await;
                    let answer = chat(&rig, platform, 2 * number + usize::from(streamed), streamed).await;
                    assert_eq!(answer.row(), row, "{platform} {fault} streamed {streamed}");
                    assert_eq!(rig.record(&answer).await.attempts.len(), 2, "{platform} {fault}: both were tried");
                    let words = answer.message();
                    assert!(!words.contains('<') && !words.contains("elsewhere"), "{words}");
                    mend(&rig, platform).await;
                }
            }
        }
    }
}

both! {
    async fn a_stream_that_fails_before_it_says_anything_is_tried_elsewhere(rig: Rig) {
        for platform in PLATFORMS {
            let headers = json!({"content-type": "text/event-stream"});
            let fault = json!({"kind": "status", "status": 200, "body": event(platform), "headers": headers});
            rig.fault(platform, fault.clone()).await;
            let model = match platform {
                "openai" => "gpt-4.1",
                "qwen" => "qwen-plus",
                "glm" => "glm-4.7",
                "ernie" => "ernie-5.1",
                "spark" => "4.0Ultra",
                _ => "claude-haiku-4-5",
            };
            let answer = rig.chat_streamed(ask(model, "repeat: 好")).await;
            assert_eq!((answer.content().as_str(), answer.attempts()), ("好", "2"), "{platform}");
            let record = rig.record(&answer).await;
            assert_eq!(record.attempts[0].outcome, "quota_exhausted", "{platform}");
            assert_eq!(record.attempts[0].charge.tokens().0, 0, "{platform}: a verdict costs nothing");
            mend(&rig, platform).await;
        }
    }
}

both! {
    async fn a_stream_that_fails_after_it_began_ends_in_an_error_on_every_platform(rig: Rig) {
        for (platform, model) in [
            ("openai", "gpt-4.1"),
            ("qwen", "qwen-plus"),
            ("glm", "glm-4.7"),
            ("ernie", "ernie-5.1"),
            ("spark", "4.0Ultra"),
            ("claude", "claude-haiku-4-5"),
        ] {
            rig.fault(platform, json!({"kind": "error_mid_stream", "after_events": 8})).await;
            let answer = rig.chat_streamed(ask(model, "say 90 words")).await;
            assert_eq!(answer.status, 200, "{platform}");
            let events = answer.events();
            let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
            assert_eq!(last["error"]["type"], "server_error", "{platform}: {last}");
            assert_eq!(last["error"]["code"], "upstream_error", "{platform}: {last}");
            assert!(events.len() > 2 && !events.iter().any(|event| event == "[DONE]"), "{platform}");
            assert_eq!(rig.record(&answer).await.attempts.len(), 1, "{platform}: nothing is sent again");
            mend(&rig, platform).await;
        }
    }
}
