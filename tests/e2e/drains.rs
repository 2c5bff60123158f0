//! Streams that are drained: their limits, and the gateway's own end.

use jiff::SignedDuration;
use serde_json::json;
use tributary::accounts::Record;
use tributary::platforms::Hangup;
use tributary::relay;
use tributary::server;
use tributary::telemetry::clock::Stopwatch;

use crate::both;
use crate::cuts::charged_once;
use crate::rig::{Rig, Wish, ask};

fn drains(set: impl FnOnce(&mut relay::Settings)) -> Wish {
    let mut relay = relay::Settings { on_hangup: Hangup::Drain, ..Default::default() };
    set(&mut relay);
    Wish { relay, ..Wish::default() }
}

/// What takes longer than any test waits.
const LONG: u64 = 4000;

/// Begins a stream of so many words, ten milliseconds each event, and hangs up.
async fn hang_up(rig: &Rig, model: &str, words: u64) -> String {
    let mut stream = rig.stream(ask(model, &format!("pace 10 ms say {words} words"))).await;
    stream.until("data: ").await;
    stream.id()
}

/// The record of a stream that was cancelled before its end.
async fn cancelled(rig: &Rig, platform: &str, id: &str) -> Record {
    let record = charged_once(rig, platform, id).await;
    assert!(record.estimated && record.outcome == "hangup", "{record:?}");
    rig.until(async || rig.last_row(platform).await["cancelled"] == true).await;
    record
}

both! {
    #[wish(drains(|relay| relay.drain_tokens = 20))]
    async fn a_drain_ends_after_so_many_tokens(rig: Rig) {
        let id = hang_up(&rig, "gpt-4.1", LONG).await;
        let record = cancelled(&rig, "openai", &id).await;
        assert!((15..LONG / 2).contains(&record.output.0), "{record:?}");
    }
}

both! {
    #[wish(drains(|relay| relay.drain_streams = 0))]
    async fn a_stream_for_which_there_is_no_room_is_cancelled(rig: Rig) {
        let id = hang_up(&rig, "gpt-4.1", LONG).await;
        let record = cancelled(&rig, "openai", &id).await;
        assert!((1..LONG / 2).contains(&record.output.0), "{record:?}");
    }
}

both! {
    #[wish(drains(|relay| relay.drain_time = SignedDuration::from_millis(200)))]
    async fn a_drain_ends_after_its_time(rig: Rig) {
        let id = hang_up(&rig, "gpt-4.1", LONG).await;
        let record = cancelled(&rig, "openai", &id).await;
        assert!((1..LONG / 2).contains(&record.output.0), "{record:?}");
    }
}

both! {
    #[wish(drains(|_| ()))]
    async fn a_drain_ends_when_the_platform_breaks_off(rig: Rig) {
        rig.fault("openai", json!({"kind": "error_mid_stream", "after_events": 30})).await;
        let id = hang_up(&rig, "gpt-4.1", LONG).await;
        let record = charged_once(&rig, "openai", &id).await;
        assert!(record.estimated, "{record:?}");
        assert!((20..40).contains(&record.output.0), "{record:?}");
    }
}

both! {
    #[wish(Wish { toml: "[platforms.qwen]\non_hangup = \"drain\"\n", ..Wish::default() })]
    async fn a_platforms_own_word_comes_first(rig: Rig) {
        let id = hang_up(&rig, "gpt-4.1", LONG).await;
        cancelled(&rig, "openai", &id).await;
        let id = hang_up(&rig, "qwen-plus", 100).await;
        let record = charged_once(&rig, "qwen", &id).await;
        assert!(!record.estimated && record.output.0 == 100, "{record:?}");
    }
}

both! {
    #[wish(drains(|_| ()))]
    async fn a_drained_stream_outlives_its_caller_while_the_gateway_shuts_down(rig: Rig) {
        let id = hang_up(&rig, "gpt-4.1", 200).await;
        let rig = shut_down(rig).await;
        let record = charged_once(&rig, "openai", &id).await;
        assert!(!record.estimated && record.output.0 == 200, "{record:?}");
    }
}

fn impatient() -> Wish {
    let mut wish = drains(|_| ());
    wish.server = server::Settings {
        drain_notice: SignedDuration::ZERO,
        drain_timeout: SignedDuration::from_millis(300),
        ..wish.server
    };
    wish
}

both! {
    #[wish(impatient())]
    async fn no_drained_stream_outlives_the_servers_own_drain(rig: Rig) {
        let id = hang_up(&rig, "gpt-4.1", LONG).await;
        // And one whose caller stays until it is cut.
        let mut stays = rig.stream(ask("qwen-plus", &format!("pace 10 ms say {LONG} words"))).await;
        stays.until("data: ").await;
        let since = Stopwatch::start();
        let rig = shut_down(rig).await;
        assert!(since.elapsed().as_secs() < 15, "{:?}", since.elapsed());
        let record = cancelled(&rig, "openai", &id).await;
        assert!(record.output.0 < LONG, "{record:?}");
        cancelled(&rig, "qwen", &stays.id()).await;
    }
}

/// Shuts the gateway down; its store and the platforms are there still.
async fn shut_down(mut rig: Rig) -> Rig {
    let next = rig.start_another(([127, 0, 0, 1], 0).into()).await.unwrap();
    std::mem::replace(&mut rig.running, next).drain().await;
    rig
}
