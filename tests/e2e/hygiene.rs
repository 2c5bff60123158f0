//! What a caller sends stays here, and what a platform sends beside its answer too.

use std::collections::BTreeSet;

use http::{HeaderMap, Request};
use serde_json::{Value, json};
use tributary::accounts::Health;

use crate::both;
use crate::rig::{CHAT, KEYS, Rig, ask, credential};

/// All that every platform hears beside the body.
const SENT: [&str; 5] = ["accept", "content-length", "content-type", "host", "user-agent"];
/// All that a caller hears beside the body.
const ANSWERED: [&str; 10] = [
    "cache-control",
    "content-length",
    "content-type",
    "date",
    "x-request-id",
    "x-tributary-account",
    "x-tributary-attempts",
    "x-tributary-billing",
    "x-tributary-model",
    "x-tributary-platform",
];

both! {
    async fn no_header_of_the_callers_reaches_a_platform(rig: Rig) {
        for (platform, model) in
            [("openai", "gpt-4.1"), ("qwen", "qwen-plus"), ("glm", "glm-4.7"), ("ernie", "ernie-5.1"), ("spark", "4.0Ultra"), ("claude", "claude-haiku-4-5")]
        {
            for streamed in [false, true] {
                let mut body = ask(model, "hello");
                body["stream"] = json!(streamed);
                let request = rig
                    .with_token(Request::post(CHAT))
                    .header("cookie", "session=of-the-caller")
                    .header("x-api-key", "sk-of-the-caller")
                    .header("x-forwarded-for", "203.0.113.9")
                    .header("x-anything", "else")
                    .header("x-stainless-lang", "python")
                    .header("openai-organization", "org-of-the-caller")
                    .header("openai-project", "proj-of-the-caller")
                    .header("proxy-authorization", "Basic b2YtdGhlLWNhbGxlcg==")
                    .header("user-agent", "a caller/1.0")
                    .header("accept-language", "tlh")
                    .header("accept-encoding", "br")
                    .header("origin", "https://callers.example")
                    .header("referer", "https://callers.example/page")
                    .header("te", "trailers")
                    .header("connection", "keep-alive, x-hop")
                    .header("x-hop", "by hop");
                assert_eq!(rig.send(request, body.to_string()).await.status, 200);
                let sent = rig.sent(platform).await.pop().unwrap();
                let headers = sent["headers"].as_object().unwrap();
                let names: BTreeSet<&str> = headers.keys().map(String::as_str).collect();
                let own: &[&str] = match platform {
                    "claude" => &["x-api-key", "anthropic-version"],
                    _ => &["authorization"],
                };
                let wanted: BTreeSet<&str> = SENT.iter().chain(own).copied().collect();
                assert_eq!(names, wanted, "{platform}");
                let text = sent.to_string();
                assert!(!text.contains("of-the-caller") && !text.contains(&rig.token), "{text}");
                assert!(headers["user-agent"].as_str().unwrap().starts_with("tributary/"));
                let key = headers[own[0]].as_str().unwrap();
                let (_, keys) = KEYS.iter().find(|(name, _)| *name == platform).unwrap();
                let tail = key.trim_start_matches("Bearer ").trim_start_matches('…');
                assert!(keys.iter().any(|known| known.ends_with(tail)), "{key}");
            }
        }
    }
}

both! {
    async fn what_names_an_account_here_is_not_told_to_the_platform(rig: Rig) {
        let id = rig.account("openai", 0).await.account.id;
        let mut body = ask("gpt-4.1", "hello");
        body["account_id"] = json!(id.0);
        assert_eq!(rig.chat(body).await.status, 200);
        let named = format!("account:{id}/gpt-4.1");
        assert_eq!(rig.chat(ask(&named, "hello")).await.status, 200);
        for sent in rig.sent("openai").await {
            assert_eq!(sent["body"]["model"], "gpt-4.1");
            assert_eq!(sent["body"]["account_id"], Value::Null, "{sent}");
        }
    }
}

both! {
    async fn no_header_of_a_platforms_reaches_the_caller(rig: Rig) {
        let theirs = json!({"set-cookie": "of=the-platform", "server": "of-the-platform/1",
            "x-request-id": "of-the-platform", "x-ratelimit-remaining-tokens": "7",
            "openai-organization": "org-of-the-platform", "via": "of-the-platform",
            "retry-after": "77", "x-should-retry": "true"});
        let whole = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1,
            "model": "gpt-4.1", "choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": "hello"}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}});
        let mut fault = json!({"kind": "status", "status": 200, "body": whole, "headers": theirs});
        rig.fault("openai", fault.clone()).await;
        let answer = rig.chat(ask("gpt-4.1", "hello")).await;
        assert_eq!(answer.content(), "hello");
        assert_eq!(names(&answer.headers), BTreeSet::from(ANSWERED));
        assert!(!format!("{answer:?}").contains("the-platform"), "{answer:?}");
        assert!(answer.header("x-request-id").starts_with("req_"));

        fault["status"] = json!(400);
        fault["body"] = json!({"error": {"message": "no", "code": "invalid_value"}});
        rig.fault("openai", fault).await;
        let answer = rig.chat(ask("gpt-4.1", "hello")).await;
        assert_eq!(answer.status, 400);
        assert!(names(&answer.headers).is_subset(&BTreeSet::from(ANSWERED)), "{answer:?}");
        assert!(!format!("{answer:?}").contains("the-platform"), "{answer:?}");
    }
}

both! {
    async fn a_key_that_a_platform_repeats_is_taken_out_of_its_words(rig: Rig) {
        for (platform, keys) in KEYS {
            let model = rig.simulator.model(platform).unwrap();
            for status in [400, 401, 429, 500] {
                for (number, key) in keys.into_iter().enumerate() {
                    let words = format!("the key {key} is odd");
                    let body = json!({"error": {"message": words, "code": "x"}});
                    let fault = json!({"kind": "status", "status": status, "body": body,
                        "credential": credential(platform, number)});
                    rig.fault(platform, fault).await;
                }
                let answer = rig.chat(ask(model, "hello")).await;
                assert!(answer.message().contains("is odd"), "{answer:?}");
                for state in rig.accounts(platform).await {
                    for key in keys {
                        assert!(!format!("{answer:?} {state:?}").contains(key), "{answer:?}");
                    }
                    rig.store.set_health(state.account.id, Health::Active).await.unwrap();
                }
                rig.behave(platform).await;
            }
        }
    }
}

fn names(headers: &HeaderMap) -> BTreeSet<&str> {
    headers.keys().map(http::HeaderName::as_str).collect()
}
