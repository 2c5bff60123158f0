//! The straight line: an answer, whole and streamed, on every platform.

use serde_json::{Value, json};

use crate::rig::{Rig, ask};

const MODELS: [(&str, &str); 5] = [
    ("openai", "gpt-5.4-mini"),
    ("qwen", "qwen-plus"),
    ("glm", "glm-4.7"),
    ("ernie", "ernie-5.1"),
    ("spark", "4.0Ultra"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_platform_answers_whole() {
    let rig = Rig::start().await;
    for (platform, model) in MODELS {
        let answer = rig.chat(ask(model, "repeat: 你好, world")).await;
        assert_eq!(answer.status, 200, "{platform}: {answer:?}");
        let body = answer.json();
        assert_eq!(body["choices"][0]["message"]["content"], "你好, world", "{platform}: {body}");
        assert_eq!(answer.header("x-tributary-platform"), platform);
        assert_eq!(answer.header("x-tributary-attempts"), "1");
        assert_eq!(answer.header("x-tributary-billing"), "quota");
        assert!(answer.header("x-request-id").starts_with("req_"));
        charged_what_the_platform_counted(&rig, platform).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_platform_answers_streamed() {
    let rig = Rig::start().await;
    for (platform, model) in MODELS {
        let mut body = ask(model, "repeat: 你好, wide world 🙂");
        body["stream"] = json!(true);
        let answer = rig.chat(body).await;
        assert_eq!(answer.status, 200, "{platform}: {answer:?}");
        let events = answer.events();
        assert_eq!(events.last().unwrap(), "[DONE]", "{platform}: {events:?}");
        let text: String = events[..events.len() - 1]
            .iter()
            .map(|event| serde_json::from_str::<Value>(event).unwrap())
            .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(text, "你好, wide world 🙂", "{platform}");
        charged_what_the_platform_counted(&rig, platform).await;
    }
}

async fn charged_what_the_platform_counted(rig: &Rig, platform: &str) {
    let ledger = rig.ledger(platform).await;
    let counted: u64 = ledger["credentials"]
        .as_object()
        .unwrap()
        .values()
        .map(|one| {
            one["prompt_tokens"].as_u64().unwrap() + one["completion_tokens"].as_u64().unwrap()
        })
        .sum();
    assert!(counted > 0, "{platform}: {ledger}");
    rig.until(async || {
        let accounts = rig.accounts(platform).await;
        let used: u64 = accounts.iter().map(|state| state.windows[0].used.0).sum();
        let leased: u64 = accounts.iter().map(|state| state.leased.0).sum();
        used == counted && leased == 0
    })
    .await;
}
