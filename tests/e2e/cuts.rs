//! Streams that are cut at random bytes. What is charged is what the platform's own books
//! say (drained), or what a tokenizer makes of what it sent (cancelled): within an event.
//!
//! `TRIBUTARY_TEST_CUTS=1000` cuts as many on each platform.

use serde_json::json;
use tributary::accounts::{Charge, ChargeKind, Record, Tokens};
use tributary::platforms::Hangup;
use tributary::relay;

use crate::both;
use crate::figures;
use crate::rig::{Rig, Wish, ask};

/// Platforms with a vocabulary of their own: name, model, vocabulary, tokens an event.
const PLATFORMS: [(&str, &str, &str, u64); 3] = [
    ("openai", "gpt-4.1", "o200k_base", 1),
    ("qwen", "qwen-plus", "qwen2", 3),
    ("glm", "glm-4-flash-250414", "glm4", 2),
];

/// The messages' frames, as OpenAI counts them for one message.
pub const FRAMES: u64 = 7;

fn cuts() -> u64 {
    std::env::var("TRIBUTARY_TEST_CUTS").map_or(40, |count| count.parse().unwrap())
}

/// Places to cut at, other ones in each run.
struct Dice(u64);

impl Dice {
    fn cast() -> Self {
        let seed = tributary::telemetry::clock::now_ms().cast_unsigned();
        println!("seed {seed}");
        Self(seed)
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        least + (self.0 >> 33) % (most - least)
    }
}

pub fn tokens(vocabulary: &str, text: &str) -> u64 {
    tiktoken::get_encoding(vocabulary).unwrap().count(text) as u64
}

both! {
    async fn a_cancelled_stream_is_charged_what_a_tokenizer_counts_of_what_came(rig: Rig) {
        let all = PLATFORMS.map(|platform| cancel_on(&rig, platform));
        futures_util::future::join_all(all).await;
    }
}

async fn cancel_on(rig: &Rig, (platform, model, vocabulary, event): (&str, &str, &str, u64)) {
    let mut dice = Dice::cast();
    let mut charged = 0;
    for number in 0..cuts() {
        // The platform sends so many bytes and no more: nothing hangs on when the gateway
        // hears of the hang-up.
        // One in five is so long that its words are counted while it flows.
        let (most, words) = if number % 5 == 4 { (250_000, 3000) } else { (9_000, 100) };
        let bytes = dice.between(900, most);
        rig.fault(platform, json!({"kind": "stall", "after_bytes": bytes})).await;
        let question = format!("say {} words", words + number);
        let mut stream = rig.stream(ask(model, &question)).await;
        let mut row = json!(null);
        rig.until(async || {
            row = rig.last_row(platform).await;
            row["produced_bytes"] == bytes
        })
        .await;
        let sent = row["completion_tokens"].as_u64().unwrap();
        let enough = |text: &str| text.split_whitespace().count() as u64 + event >= sent;
        let heard = stream.read(usize::MAX, enough).await;
        let id = stream.id();
        drop(stream);
        let record = charged_once(rig, platform, &id).await;
        let told = format!("{platform}, {bytes} bytes: {record:?}");
        assert!(record.estimated && record.outcome == "hangup", "{told}");
        assert_eq!(record.input, Tokens(tokens(vocabulary, &question) + FRAMES), "{told}");
        // One more for a first word, which has no blank before it.
        assert!(record.output.0.abs_diff(sent) <= event + 1, "{sent} sent, {told}");
        assert!(record.output.0.abs_diff(tokens(vocabulary, &heard)) <= event, "{told}");
        charged += record.input.0 + record.output.0;
    }
    assert_eq!(used(rig, platform).await, charged);
    let what = format!("streams cut and cancelled, {platform}");
    figures::tell(&what, &[("cuts", &cuts()), ("tokens charged", &charged)]);
}

fn drains() -> Wish {
    let relay = relay::Settings { on_hangup: Hangup::Drain, ..Default::default() };
    Wish { relay, ..Wish::default() }
}

both! {
    #[wish(drains())]
    async fn a_drained_stream_is_charged_what_the_platform_says_to_the_token(rig: Rig) {
        let all = PLATFORMS.map(|(platform, model, ..)| drain_on(&rig, platform, model));
        futures_util::future::join_all(all).await;
    }
}

async fn drain_on(rig: &Rig, platform: &str, model: &str) {
    let mut dice = Dice::cast();
    let (mut charged, mut hung_up) = (0, 0);
    for number in 0..cuts() {
        let bytes = dice.between(1, 9_000);
        let question = format!("pace 1 ms say {} words", 60 + number % 60);
        let mut stream = rig.stream(ask(model, &question)).await;
        stream.read(usize::try_from(bytes).unwrap(), |_| false).await;
        let id = stream.id();
        drop(stream);
        let record = charged_once(rig, platform, &id).await;
        let row = rig.last_row(platform).await;
        let told = format!("{platform}, {bytes} bytes: {record:?}, {row}");
        assert!(!record.estimated, "{told}");
        assert_eq!((&row["done"], &row["cancelled"]), (&json!(true), &json!(false)), "{told}");
        let counted = |field: &str| Tokens(row[field].as_u64().unwrap());
        assert_eq!(record.input, counted("prompt_tokens"), "{told}");
        assert_eq!(record.output, counted("completion_tokens"), "{told}");
        charged += record.input.0 + record.output.0;
        hung_up += u64::from(record.outcome == "hangup");
    }
    assert!(hung_up > cuts() / 4, "{hung_up} were cut before their end");
    assert_eq!(used(rig, platform).await, charged);
    let ledger = rig.ledger(platform).await;
    let credentials = ledger["credentials"].as_object().unwrap().values();
    let field = |row: &serde_json::Value, name: &str| row[name].as_u64().unwrap();
    let theirs = credentials
        .map(|row| field(row, "prompt_tokens") + field(row, "completion_tokens"))
        .sum::<u64>();
    assert_eq!(theirs, charged);
    let what = format!("streams cut and drained, {platform}");
    figures::tell(&what, &[("cuts", &cuts()), ("exactly ours", &charged), ("theirs", &theirs)]);
}

/// A call's record, once its one lease has ended in one charge: the one that it tells.
pub async fn charged_once(rig: &Rig, platform: &str, id: &str) -> Record {
    let record = rig.record_named(id).await;
    let [attempt] = &record.attempts[..] else { panic!("one attempt: {record:?}") };
    let (total, kind) = (record.input + record.output, attempt.charge);
    let (charge, row) = match record.estimated {
        true => (Charge::Estimated(total), ChargeKind::Estimated),
        false => (Charge::Exact(total), ChargeKind::Exact),
    };
    assert_eq!(kind, charge, "{record:?}");
    let rows = rig.charges(platform).await;
    let rows = rows.iter().filter(|row| row.lease == attempt.lease);
    let rows: Vec<_> = rows.map(|row| (row.kind, row.tokens)).collect();
    assert_eq!(rows, [(row, total.signed())], "{record:?}");
    record
}

async fn used(rig: &Rig, platform: &str) -> u64 {
    rig.all_settled(platform).await;
    rig.accounts(platform).await.iter().map(|state| state.windows[0].used.0).sum()
}
