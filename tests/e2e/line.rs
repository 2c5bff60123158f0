//! The straight line: an answer, whole and streamed, on every platform.

use crate::both;
use crate::rig::{Rig, ask, credential};

const MODELS: [(&str, &str); 7] = [
    ("openai", "gpt-5.4-mini"),
    ("qwen", "qwen-plus"),
    ("glm", "glm-4.7"),
    ("ernie", "ernie-5.1"),
    ("spark", "4.0Ultra"),
    ("claude", "claude-haiku-4-5"),
    // By Responses.
    ("openai", "gpt-5.1-codex-max"),
];

both! {
    async fn every_platform_answers_whole(rig: Rig) {
        for (platform, model) in MODELS {
            let answer = rig.chat(ask(model, "repeat: 你好, world")).await;
            assert_eq!(answer.status, 200, "{platform}: {answer:?}");
            assert_eq!(answer.content(), "你好, world", "{platform}");
            assert_eq!(answer.header("x-tributary-platform"), platform);
            assert_eq!(answer.attempts(), "1");
            assert_eq!(answer.header("x-tributary-billing"), "quota");
            assert!(answer.header("x-request-id").starts_with("req_"));
            charged_what_the_platform_counted(&rig, platform).await;
        }
    }
}

both! {
    async fn every_platform_answers_streamed(rig: Rig) {
        for (platform, model) in MODELS {
            let answer = rig.chat_streamed(ask(model, "repeat: 你好, wide world 🙂")).await;
            assert_eq!(answer.status, 200, "{platform}: {answer:?}");
            assert_eq!(answer.content(), "你好, wide world 🙂", "{platform}");
            charged_what_the_platform_counted(&rig, platform).await;
        }
    }
}

async fn charged_what_the_platform_counted(rig: &Rig, platform: &str) {
    let counted = rig.counted(platform, &credential(platform, 0)).await
        + rig.counted(platform, &credential(platform, 1)).await;
    assert!(counted > 0, "{platform}");
    rig.all_settled(platform).await;
    let accounts = rig.accounts(platform).await;
    let used: u64 = accounts.iter().map(|state| state.windows[0].used.0).sum();
    assert_eq!(used, counted, "{platform}");
}
