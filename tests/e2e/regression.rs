//! Faults of other gateways that this one must not have, by their numbers.

use futures_util::stream::{StreamExt, iter};

use crate::rig::{Rig, Wish, ask};

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
