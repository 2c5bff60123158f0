//! What the worked examples of `tests/fixtures/spark` do not show.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::front::ChatRequest;
use crate::front::sse::events;
use crate::platforms::{Catalogue, DialectName, ErrorClass, Exchange, Fed, StreamEnd};

fn begin(ask: Value) -> Exchange {
    let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
    let platform = catalogue.platform("spark").unwrap();
    let face = platform.face(Some(DialectName::SparkWs)).unwrap();
    let mut whole = json!({"messages": [{"role": "user", "content": "?"}]});
    whole.as_object_mut().unwrap().extend(ask.as_object().unwrap().clone());
    let ask = ChatRequest::parse(whole.to_string().into()).unwrap();
    let model = Arc::clone(platform.model("4.0Ultra").unwrap());
    Exchange::begin(platform, face, &model, &ask, 1_790_000_000).unwrap().0
}

fn frame(status: u8, more: &str) -> String {
    format!(
        r#"{{"header":{{"code":0,"message":"Success","sid":"cht1@dx2","status":{status}}},"payload":{{{more}}}}}"#
    )
}

fn text(content: &str) -> String {
    let content = json!(content);
    format!(
        r#""choices":{{"status":1,"seq":1,"text":[{{"content":{content},"role":"assistant"}}]}}"#
    )
}

fn fed(exchange: &mut Exchange, frames: &str) -> Fed {
    exchange.feed(Bytes::copy_from_slice(frames.as_bytes()))
}

fn chunks(out: &[u8]) -> Vec<Value> {
    events(out).filter_map(|event| serde_json::from_slice(&event.data).ok()).collect()
}

fn said(chunks: &[Value]) -> String {
    let content =
        |chunk: &Value| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
    chunks.iter().filter_map(content).collect()
}

#[test]
fn a_frame_without_choices_gives_nothing() {
    let mut exchange = begin(json!({"stream": true}));
    let hits = r#""plugins":{"text":[{"name":"ifly_search","content":"[]"}]}"#;
    let first = fed(&mut exchange, &frame(0, hits));
    assert!(first.out.is_empty() && first.end.is_none() && !exchange.began());
    let next = fed(&mut exchange, &frame(2, &text("好")));
    assert_eq!(next.end, Some(StreamEnd::Done));
    assert_eq!(said(&chunks(&next.out)), "好");
}

#[test]
fn an_answer_that_closes_before_its_last_frame_is_a_fault() {
    let mut exchange = begin(json!({"stream": true}));
    fed(&mut exchange, &frame(0, &text("a")));
    let Some(StreamEnd::Failed(error)) = exchange.end().end else { panic!("it broke off") };
    assert_eq!(error.class, ErrorClass::UpstreamFault);
    assert!(fed(&mut exchange, &frame(2, &text("b"))).out.is_empty(), "nothing follows an end");
    let Some(StreamEnd::Failed(error)) = begin(json!({})).end().end else { panic!("it is empty") };
    assert!(error.message.contains("without an answer"), "{error}");
}

#[test]
fn what_is_no_frame_is_a_fault() {
    for strange in ["<html>", "[]", "7 ", r#"{"payload":{}}"#, r#"{"header":7}"#] {
        let end = fed(&mut begin(json!({"stream": true})), strange).end;
        let Some(StreamEnd::Failed(error)) = end else { panic!("{strange} is taken") };
        assert_eq!(error.class, ErrorClass::UpstreamFault, "{strange}");
    }
    let endless = format!("{{\"header\":\"{}", "x".repeat(1 << 20));
    assert!(fed(&mut begin(json!({})), &endless).end.is_some());
}

#[test]
fn every_code_of_the_vendors_table_has_its_class() {
    use ErrorClass as Class;
    for (code, message, class) in [
        (10000, "", Class::UpstreamFault),
        (10003, "", Class::InvalidRequest),
        (10004, "", Class::InvalidRequest),
        (10005, "", Class::InvalidRequest),
        (10006, "", Class::RateLimited),
        (10007, "", Class::RateLimited),
        (10008, "", Class::Overloaded),
        (10009, "", Class::UpstreamFault),
        (10012, "", Class::UpstreamFault),
        (10013, "", Class::ContentFiltered),
        (10014, "", Class::ContentFiltered),
        (10015, "", Class::Banned),
        (10016, "", Class::QuotaExhausted),
        (10019, "", Class::ContentFiltered),
        (10021, "", Class::ContentFiltered),
        (10110, "", Class::Overloaded),
        (10163, "", Class::InvalidRequest),
        (10907, "", Class::InvalidRequest),
        (11200, "AppIdNoAuthError:(1) tokens.total", Class::QuotaExhausted),
        (11200, "AppIdNoAuthError:(1) domain.lite", Class::NotFound),
        (11201, "", Class::QuotaExhausted),
        (11202, "", Class::RateLimited),
        (11203, "", Class::RateLimited),
        (99999, "", Class::UpstreamFault),
    ] {
        let header = json!({"code": code, "message": message, "sid": "s", "status": 2});
        let frame = json!({"header": header}).to_string();
        let Some(StreamEnd::Failed(error)) = fed(&mut begin(json!({})), &frame).end else {
            panic!("{code} is no failure")
        };
        assert_eq!((error.class, error.code), (class, Some(code.to_string())), "{code} {message}");
    }
}

#[test]
fn what_refuses_a_handshake_is_told_apart() {
    let classify = |status: u16, message: &str| {
        let body = json!({"message": message}).to_string();
        let status = http::StatusCode::from_u16(status).unwrap();
        begin(json!({})).classify(status, &HeaderMap::new(), body.as_bytes())
    };
    let bad_key = classify(401, "HMAC signature does not match");
    assert_eq!((bad_key.class, bad_key.of_our_clock), (ErrorClass::AuthExpired, false));
    let unsigned = classify(401, "Unauthorized");
    assert_eq!((unsigned.class, unsigned.of_our_clock), (ErrorClass::UpstreamFault, false));
    let words = "HMAC signature does not match, a valid date or x-date header is required";
    let clock = classify(403, words);
    assert_eq!((clock.class, clock.of_our_clock), (ErrorClass::UpstreamFault, true));
    assert!(!classify(403, "forbidden").of_our_clock);
}

#[test]
fn a_call_is_one_delta_and_its_arguments_are_text_whatever_came() {
    for (arguments, wanted) in [
        (r#""arguments":"{\"city\":\"合肥\"}","#, r#"{"city":"合肥"}"#),
        (r#""arguments":{"city": 1.50},"#, r#"{"city": 1.50}"#),
        ("", "{}"),
    ] {
        let call = format!(r#"{{{arguments}"name":"get_weather"}}"#);
        let choices =
            format!(r#""choices":{{"status":2,"text":[{{"content":"","function_call":{call}}}]}}"#);
        let fed = fed(&mut begin(json!({"stream": true})), &frame(2, &choices));
        let chunks = chunks(&fed.out);
        let call = &chunks[1]["choices"][0]["delta"]["tool_calls"][0];
        assert_eq!(call["function"], json!({"name": "get_weather", "arguments": wanted}));
        assert_eq!((&call["id"], &call["index"]), (&json!("call_cht1dx2_0"), &json!(0)));
        assert_eq!(chunks[2]["choices"][0]["finish_reason"], "tool_calls");
    }
}

#[test]
fn a_caller_of_functions_is_answered_in_the_old_form() {
    let ask = json!({"functions": [{"name": "f", "parameters": {}}]});
    let mut exchange = begin(ask);
    let call = r#""choices":{"status":2,"text":[{"function_call":{"name":"f","arguments":"{}"}}]}"#;
    assert_eq!(fed(&mut exchange, &frame(2, call)).end, Some(StreamEnd::Done));
    let answer: Value = serde_json::from_slice(&exchange.gathered().unwrap().body).unwrap();
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "function_call");
    assert_eq!(choice["message"]["function_call"], json!({"name": "f", "arguments": "{}"}));
}

#[test]
fn an_answer_without_an_id_has_one_of_ours() {
    let mut exchange = begin(json!({"stream": true}));
    let frame =
        r#"{"header":{"code":0,"status":2},"payload":{"choices":{"text":[{"content":"a"}]}}}"#;
    assert_eq!(chunks(&fed(&mut exchange, frame).out)[0]["id"], "chatcmpl-6ab13b80");
}

#[test]
fn a_refusal_in_the_middle_of_a_whole_answer_ends_it() {
    let mut exchange = begin(json!({}));
    fed(&mut exchange, &frame(0, &text("从前")));
    let withheld = r#"{"header":{"code":10014,"message":"x","sid":"s","status":2}}"#;
    assert_eq!(fed(&mut exchange, withheld).end, Some(StreamEnd::Done));
    let answer: Value = serde_json::from_slice(&exchange.gathered().unwrap().body).unwrap();
    assert_eq!(answer["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(answer["choices"][0]["message"]["content"], "从前");
}

#[test]
fn frames_that_came_all_at_once_are_an_answer() {
    let frames = frame(0, &text("a")) + &frame(2, &text("b"));
    let answer = begin(json!({})).whole(&HeaderMap::new(), frames.into()).unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "ab");
    assert!(begin(json!({})).whole(&HeaderMap::new(), frame(0, &text("a")).into()).is_err());
}

proptest! {
    #[test]
    fn texts_come_through_wherever_frames_are_cut(
        texts in proptest::collection::vec("([ -~]|[\\u{4e00}-\\u{4e20}]|🙂|👩‍👧|\n){0,9}", 1..6),
        blanks in "[ \n]{0,3}",
        cuts in proptest::collection::vec(0usize..2000, 0..12),
    ) {
        let mut frames = String::new();
        for (number, content) in texts.iter().enumerate() {
            let status = if number + 1 == texts.len() { 2 } else { 1 };
            frames += &frame(status, &text(content));
            frames += &blanks;
        }
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(frames.len())).collect();
        cuts.push(frames.len());
        cuts.sort_unstable();
        let mut exchange = begin(json!({"stream": true}));
        let (mut out, mut start, mut end) = (Vec::new(), 0, None);
        for cut in cuts {
            let piece = Bytes::copy_from_slice(&frames.as_bytes()[start..cut]);
            let fed = exchange.feed(piece);
            out.extend_from_slice(&fed.out);
            end = end.or(fed.end);
            start = cut;
        }
        prop_assert_eq!(end, Some(StreamEnd::Done));
        prop_assert_eq!(said(&chunks(&out)), texts.concat());
    }

    #[test]
    fn strange_frames_are_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut exchange = begin(json!({"stream": true}));
        exchange.feed(Bytes::from(bytes));
        exchange.end();
    }
}
