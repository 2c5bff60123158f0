//! Bugs that others had, by their numbers, so that we have them never.

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
