//! Bugs that others had, by their numbers, so that we have them never.

use futures_util::stream::{StreamExt, iter};
use serde_json::json;
use tributary::platforms::Hangup;
use tributary::relay;

use crate::both;
use crate::cuts::{FRAMES, charged_once, tokens};
use crate::rig::{Rig, Wish, ask};

/// Hangs up on a stream of 300 words once the platform has sent a part of it.
async fn hang_up_in_the_middle(rig: &Rig, question: &str) -> String {
    let mut stream = rig.stream(ask("gpt-4.1", question)).await;
    stream.read(usize::MAX, |text| text.split_whitespace().count() >= 20).await;
    stream.id()
}

both! {
    async fn new_api_5235_a_hang_up_is_charged_neither_nothing_nor_everything(rig: Rig) {
        rig.fault("openai", json!({"kind": "stall", "after_bytes": 8000})).await;
        let id = hang_up_in_the_middle(&rig, "say 300 words").await;
        let record = charged_once(&rig, "openai", &id).await;
        let row = rig.last_row("openai").await;
        let sent = row["completion_tokens"].as_u64().unwrap();
        assert!((20..290).contains(&sent), "{row}");
        assert!(record.estimated && record.output.0.abs_diff(sent) <= 1, "{record:?}, {row}");
        assert_eq!(record.input.0, tokens("o200k_base", "say 300 words") + FRAMES);
    }
}

both! {
    #[wish(Wish {
        relay: relay::Settings { on_hangup: Hangup::Drain, ..Default::default() },
        ..Wish::default()
    })]
    async fn new_api_5235_a_drained_hang_up_is_charged_what_the_platform_bills(rig: Rig) {
        let id = hang_up_in_the_middle(&rig, "pace 3 ms say 300 words").await;
        let record = charged_once(&rig, "openai", &id).await;
        assert!(!record.estimated && record.output.0 == 300, "{record:?}");
        assert_eq!(record.outcome, "hangup");
    }
}

/// Names that callers make up: of nobody's model, of a platform's, of an account's.
fn made_up(number: usize) -> String {
    match number % 10 {
        0 => format!("qwen/made-up-{number}"),
        1 => format!("account:{}/made-up-{number}", number / 10),
        _ => format!("made-up-{number}"),
    }
}

/// LiteLLM #12159: a series for each model name that a caller made up, without bound.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn litellm_12159_model_names_of_callers_add_no_metric_series() {
    let rig = Rig::on_sqlite(Wish::default()).await;
    let url = format!("http://{}/metrics", rig.running.addresses.operator);
    let metrics = async || String::from_utf8(rig.fetch(&url).await.body.to_vec()).unwrap();
    let series = async || metrics().await.lines().filter(|line| !line.starts_with('#')).count();
    let rig = &rig;
    let ask_for = async |numbers: std::ops::Range<usize>| {
        let asked = iter(numbers.map(made_up)).map(|name| async move {
            let answer = rig.chat(ask(&name, "hi")).await;
            assert!(answer.status.is_success() || answer.status == 404, "{name}: {answer:?}");
        });
        asked.buffer_unordered(32).collect::<()>().await;
    };
    // The first of each kind, on each account.
    ask_for(0..200).await;
    let before = series().await;
    ask_for(200..10_200).await;
    // An outcome may turn up that the first ones did not have; ten thousand names may not.
    let after = series().await;
    assert!(after < before + 10, "{before} series, then {after}");
    assert!(!metrics().await.contains("made-up"));
}
