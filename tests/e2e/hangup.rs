//! Callers that hang up, platforms that fall silent, and the comments that bridge it.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tributary::accounts::{Charge, ChargeKind, Record, Tokens};
use tributary::relay;
use tributary::telemetry::clock::Stopwatch;
use tributary::upstream;

use crate::both;
use crate::cuts::{FRAMES, tokens};
use crate::rig::{Rig, Wish, ask, chunk, is_cut};

const COMMENT: &str = ": keep-alive\n\n";

fn lively(keep_alive_ms: i64) -> relay::Settings {
    let keep_alive = SignedDuration::from_millis(keep_alive_ms);
    relay::Settings { keep_alive, ..relay::Settings::default() }
}

fn gap(ms: i64) -> upstream::Settings {
    let gap_timeout = SignedDuration::from_millis(ms);
    upstream::Settings { gap_timeout, ..upstream::Settings::default() }
}

both! {
    async fn a_caller_that_hangs_up_cancels_the_platforms_work_and_pays_for_what_came(rig: Rig) {
        let mut stream = rig.stream(ask("qwen-plus", "pace 20 ms say 500 words")).await;
        let id = stream.id();
        let heard = stream.read(usize::MAX, |text| text.split_whitespace().count() >= 30).await;
        drop(stream);
        let since = Stopwatch::start();
        let row = cancelled_row(&rig, "qwen").await;
        assert!(since.elapsed().as_secs() < 5, "{:?}", since.elapsed());
        let produced = row["completion_tokens"].as_u64().unwrap();
        assert!((5..250).contains(&produced), "{row}");
        let record = charged_by_estimate(&rig, "qwen", &id).await;
        assert_eq!(record.outcome, "hangup");
        // No less than what was relayed, no more than what the platform made.
        let heard = tokens("qwen2", &heard);
        let charged = record.output.0;
        assert!((heard..=produced + 1).contains(&charged), "{heard}, {charged}, {produced}");
    }
}

both! {
    async fn a_silent_platform_hears_of_a_hang_up_too(rig: Rig) {
        let (mut stream, mut platform) = rig.begun_on_the_stub().await;
        let id = stream.id();
        stream.next().await.unwrap();
        drop(stream);
        assert!(is_cut(&mut platform).await);
        assert_eq!(charged_by_estimate(&rig, "stub", &id).await.outcome, "hangup");
    }
}

both! {
    async fn a_hang_up_before_the_first_byte_is_charged_the_prompt(rig: Rig) {
        rig.fault("openai", json!({"kind": "hang", "times": 0})).await;
        for streamed in [true, false] {
            let mut body = ask("gpt-4.1", "say 200 words");
            body["stream"] = json!(streamed);
            let sent = rig.rows("openai").await.len();
            let mut caller = rig.dial().await;
            caller.write_all(rig.chat_on_the_wire(&body).as_bytes()).await.unwrap();
            rig.until(async || rig.rows("openai").await.len() > sent).await;
            drop(caller);
            cancelled_row(&rig, "openai").await;
            let mut records = Vec::new();
            rig.until(async || {
                records = rig.records().await;
                records.len() == sent + 1
            })
            .await;
            let record = charged_by_estimate(&rig, "openai", &records[0].id).await;
            assert_eq!(record.outcome, "hangup");
            let prompt = tokens("o200k_base", "say 200 words") + FRAMES;
            assert_eq!((record.input, record.output), (Tokens(prompt), Tokens::ZERO));
        }
    }
}

both! {
    #[wish(Wish { limits: [400, 400], ..Wish::default() })]
    async fn a_hang_up_gives_back_what_was_leased(rig: Rig) {
        // Both accounts are leased out, again and again.
        for _ in 0..3 {
            let slow = || rig.stream(ask("qwen-plus", "pace 50 ms say 100 words"));
            let (mut one, mut other) = tokio::join!(slow(), slow());
            assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200));
            one.next().await;
            other.next().await;
            drop((one, other));
            rig.all_settled("qwen").await;
        }
    }
}

both! {
    #[wish(Wish { relay: lively(100), ..Wish::default() })]
    async fn a_slow_stream_carries_comments_and_loses_nothing(rig: Rig) {
        let mut body = ask("openai/gpt-4.1", "pace 350 ms say 3 words");
        body["stream"] = json!(true);
        let answer = rig.chat(body).await;
        let text = std::str::from_utf8(&answer.body).unwrap();
        assert!(text.matches(COMMENT).count() >= 6, "{text}");
        let without = text.replace(COMMENT, "");
        assert!(without.ends_with("data: [DONE]\n\n"), "{without}");
        assert!(!without.contains(": keep"), "a comment stands between events: {text}");
    }
}

both! {
    #[wish(Wish { relay: lively(50), ..Wish::default() })]
    async fn no_comment_is_sent_while_another_account_may_still_be_tried(rig: Rig) {
        rig.fault("openai", json!([
            {"kind": "delay", "ms": 300, "times": 1},
            {"kind": "class", "class": "upstream_fault"}
        ]))
        .await;
        let answer = rig.chat_streamed(ask("gpt-4.1", "say 3 words")).await;
        assert_eq!(answer.attempts(), "2");
        assert!(answer.body.starts_with(b"data: "), "{answer:?}");
        rig.fault("openai", json!({"kind": "delay", "ms": 300, "times": 2})).await;
        rig.fault("openai", json!({"kind": "class", "class": "upstream_fault", "times": 2})).await;
        let answer = rig.chat_streamed(ask("gpt-4.1", "say 3 words")).await;
        assert_eq!(answer.status, 502, "the status is still open after the wait");
    }
}

both! {
    #[wish(Wish { relay: lively(50), upstream: gap(400), ..Wish::default() })]
    async fn a_platform_that_falls_silent_ends_the_stream_with_an_error(rig: Rig) {
        let (stream, mut platform) = rig.begun_on_the_stub().await;
        let answer = stream.rest().await;
        let events = answer.events();
        let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
        assert_eq!(last["error"]["code"], "upstream_error", "{last}");
        assert!(answer.body.windows(COMMENT.len()).any(|it| it == COMMENT.as_bytes()));
        assert!(is_cut(&mut platform).await);
        let id = answer.header("x-request-id");
        assert_eq!(charged_by_estimate(&rig, "stub", id).await.outcome, "upstream_error");
    }
}

both! {
    #[wish(Wish { upstream: gap(500), ..Wish::default() })]
    async fn a_platform_that_sends_signs_of_life_is_not_silent(rig: Rig) {
        let (stream, mut platform) = rig.begun_on_the_stub().await;
        let think = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                platform.write_all(b": still thinking\n\n").await.unwrap();
            }
            let end = chunk(json!({}), "stop") + "data: [DONE]\n\n";
            platform.write_all(end.as_bytes()).await.unwrap();
        };
        let (answer, ()) = tokio::join!(stream.rest(), think);
        assert_eq!(answer.content(), "so it is");
    }
}

both! {
    async fn an_answer_that_its_platform_did_not_count_is_counted_by_a_tokenizer(rig: Rig) {
        rig.bind_stub().await;
        let text = "green water, quiet \"fields\"\n".repeat(40);
        for streamed in [true, false] {
            let mut body = ask("stub-1", "hello there");
            body["stream"] = json!(streamed);
            let answered = async {
                let mut platform = rig.stub_hears().await;
                let answer = if streamed {
                    let events = chunk(json!({"content": text}), "") + &chunk(json!({}), "stop");
                    format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\
                         {events}data: [DONE]\n\n"
                    )
                } else {
                    let message = json!({"role": "assistant", "content": text});
                    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
                    let body = json!({"id": "a", "object": "chat.completion", "created": 1,
                        "model": "stub-1", "choices": [choice]})
                    .to_string();
                    format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                         content-length: {}\r\n\r\n{body}",
                        body.len()
                    )
                };
                platform.write_all(answer.as_bytes()).await.unwrap();
                platform.shutdown().await.unwrap();
            };
            let (answer, ()) = tokio::join!(rig.chat(body), answered);
            assert_eq!(answer.content(), text);
            let record = charged_by_estimate(&rig, "stub", answer.header("x-request-id")).await;
            assert_eq!(record.outcome, "ok");
            let counts = (record.input.0, record.output.0);
            let prompt = tokens("o200k_base", "hello there") + FRAMES;
            assert_eq!(counts, (prompt, tokens("o200k_base", &text)), "streamed: {streamed}");
        }
    }
}

/// The platform's row of a request that was cancelled, once it knows.
pub async fn cancelled_row(rig: &Rig, platform: &str) -> Value {
    let mut last = Value::Null;
    rig.until(async || {
        last = rig.rows(platform).await.pop().unwrap();
        last["cancelled"] == true
    })
    .await;
    assert_eq!(last["done"], true);
    last
}

/// The record of a call whose one attempt was charged by our estimate, and the charge.
pub async fn charged_by_estimate(rig: &Rig, platform: &str, id: &str) -> Record {
    let record = rig.record_named(id).await;
    rig.all_settled(platform).await;
    assert!(record.estimated, "{record:?}");
    let attempt = record.attempts.last().unwrap();
    assert_eq!(attempt.charge, Charge::Estimated(record.input + record.output), "{record:?}");
    let rows = rig.charges(platform).await;
    let rows: Vec<_> = rows.iter().filter(|row| row.lease == attempt.lease).collect();
    let charged: Vec<_> = rows.iter().map(|row| (row.kind, row.tokens)).collect();
    assert_eq!(charged, [(ChargeKind::Estimated, attempt.charge.tokens().signed())]);
    record
}
