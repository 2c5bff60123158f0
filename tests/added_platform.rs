//! A platform that stands in gateway.toml alone, and what it may do to us.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

mod front_rules;

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use front_rules::{Asked, check_answer, check_stream};
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use tributary::front::sse::events;
use tributary::front::{ChatRequest, Usage};
use tributary::platforms::{
    Catalogue, ErrorClass, Exchange, PlatformError, StreamEnd, UpstreamRequest,
};

const OPERATOR: &str = r#"
[platforms.deepseek]
dialect = "openai_chat"
base_url = "https://api.deepseek.com/v1"
models = [{ name = "deepseek-chat", context = 128000, max_output = 8192 }]
"#;

fn begin(platform: &str, ask: Value) -> (Exchange, UpstreamRequest) {
    static CATALOGUE: LazyLock<Catalogue> =
        LazyLock::new(|| Catalogue::load(&OPERATOR.parse().unwrap()).unwrap());
    let platform = Arc::clone(CATALOGUE.platform(platform).unwrap());
    let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(ask.as_object().unwrap().clone());
    let name = body["model"].as_str().or(platform.default_model.as_deref()).unwrap().to_owned();
    let hop = CATALOGUE.resolve_on(&platform, &name);
    let ask = ChatRequest::parse(body.to_string().into()).unwrap();
    let face = platform.face(None).unwrap();
    Exchange::begin(&platform, face, &hop.model, &ask, 1_790_000_000).unwrap()
}

/// Streams through a platform; the data of the caller's events and how it ended.
fn stream(platform: &str, ask: Value, came: &[&str]) -> (Vec<String>, StreamEnd, Exchange) {
    let mut ask = ask;
    ask["stream"] = json!(true);
    let (mut exchange, _) = begin(platform, ask.clone());
    let bytes: String = came.iter().map(|data| format!("data: {data}\n\n")).collect();
    let fed = exchange.feed(bytes.into());
    let last = exchange.end();
    let mut out = fed.out.to_vec();
    out.extend_from_slice(&last.out);
    let end = fed.end.or(last.end).unwrap();
    let texts = |event: tributary::front::sse::Event<'_>| {
        String::from_utf8(event.data.into_owned()).unwrap()
    };
    let data: Vec<String> = events(&out).map(texts).collect();
    if end == StreamEnd::Done {
        let usage = ask["stream_options"]["include_usage"] == json!(true);
        check_stream(platform, &data, &Asked { usage });
    }
    (data, end, exchange)
}

fn failed(end: StreamEnd) -> PlatformError {
    match end {
        StreamEnd::Failed(error) => error,
        StreamEnd::Done => panic!("it is done"),
    }
}

fn chunk(delta: &str, finish: &str, more: &str) -> String {
    format!(
        r#"{{"id":"a1","object":"chat.completion.chunk","created":1790000000,"model":"deepseek-chat","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]{more}}}"#
    )
}

const USAGE: &str =
    r#"{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_cache_hit_tokens":4}"#;

#[test]
fn the_request_is_the_callers_but_for_the_model_and_usage() {
    let (_, request) = begin("deepseek", json!({"stream": true, "top_k": 3, "account_id": 9}));
    assert_eq!(request.url, "https://api.deepseek.com/v1/chat/completions");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["model"], "deepseek-chat");
    assert_eq!(
        (&body["top_k"], &body["stream_options"]),
        (&json!(3), &json!({"include_usage": true}))
    );
    assert!(request.streams && body.get("account_id").is_none());
}

#[test]
fn usage_that_rides_on_the_finish_is_picked_out_and_stands_alone() {
    let usage = format!(r#","usage":{USAGE}"#);
    let came = [
        chunk(r#"{"role":"assistant","content":""}"#, "null", ""),
        chunk(r#"{"content":"你好"}"#, "null", ""),
        chunk(r#"{"content":""}"#, "\"stop\"", &usage),
        "[DONE]".to_owned(),
    ];
    let came: Vec<&str> = came.iter().map(String::as_str).collect();
    let (data, _, exchange) = stream("deepseek", json!({}), &came);
    assert!(!data.iter().any(|event| event.contains("prompt_tokens")));
    let counted = Usage { input: 5, cache_read: 4, output: 2, ..Usage::default() };
    assert_eq!(exchange.usage(), Some(counted));
    assert_eq!(exchange.produced().cjk, 6);
    let asked = json!({"stream_options": {"include_usage": true}});
    let (data, ..) = stream("deepseek", asked, &came);
    assert_eq!(data.len(), 5);
}

#[test]
fn a_repeated_role_and_strange_tool_deltas_are_put_right() {
    let call = |inside: &str| format!(r#"{{"role":"assistant","tool_calls":[{inside}]}}"#);
    let came = [
        chunk(
            &call(
                r#"{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"{"}}"#,
            ),
            "null",
            "",
        ),
        chunk(&call(r#"{"index":0,"id":"","function":{"name":null,"arguments":"}"}}"#), "null", ""),
        chunk(&call(r#"{"index":0,"id":"","function":{"arguments":""}}"#), "null", ""),
        chunk(
            &call(
                r#"{"index":0,"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}"#,
            ),
            "null",
            "",
        ),
        chunk("{}", "\"stop\"", ""),
        "[DONE]".to_owned(),
    ];
    let came: Vec<&str> = came.iter().map(String::as_str).collect();
    let (data, end, _) = stream("deepseek", json!({}), &came);
    assert_eq!(end, StreamEnd::Done);
    assert_eq!(data.len(), 5, "{data:#?}");
    assert!(data[3].contains("\"tool_calls\"") && data[3].contains("finish_reason"));
}

#[test]
fn what_needs_no_change_is_a_slice_of_what_came() {
    let (mut exchange, _) = begin("openai", json!({"stream": true}));
    let opening = chunk(r#"{"role":"assistant","content":""}"#, "null", "");
    assert!(exchange.feed(format!("data: {opening}\n\n").into()).out.is_empty(), "held");
    assert!(!exchange.began());
    let came = format!("data: {}\n\n", chunk(r#"{"content":"x"}"#, "null", ",\"usage\":null"));
    assert_eq!(events(&exchange.feed(came.clone().into()).out).count(), 2);
    let came = Bytes::from(came.repeat(3));
    assert_eq!(exchange.feed(came.clone()).out.as_ptr(), came.as_ptr());
}

#[test]
fn an_end_without_a_finish_is_a_failure_and_a_missing_done_is_not() {
    let text = chunk(r#"{"role":"assistant","content":"x"}"#, "null", "");
    let finish = chunk("{}", "\"stop\"", "");
    for platform in ["openai", "deepseek", "glm", "spark"] {
        let (data, end, exchange) = stream(platform, json!({}), &[&text]);
        assert_eq!(failed(end).class, ErrorClass::UpstreamFault, "{platform}");
        assert!(exchange.began() && !data.is_empty());
        if platform != "spark" {
            let (_, end, _) = stream(platform, json!({}), &[&text, "[DONE]"]);
            assert_eq!(failed(end).class, ErrorClass::UpstreamFault, "{platform}");
        }
        let (data, end, _) = stream(platform, json!({}), &[&text, &finish]);
        assert_eq!(end, StreamEnd::Done, "{platform}");
        assert_eq!(data.last().unwrap(), "[DONE]");
    }
}

#[test]
fn what_fails_before_it_begins_leaves_nothing_behind() {
    let opening = chunk(r#"{"role":"assistant","content":""}"#, "null", "");
    let error = r#"{"error":{"message":"busy","type":"x","code":"rate_limit_exceeded"}}"#;
    for platform in ["openai", "deepseek", "qwen", "glm"] {
        for came in
            [&[error][..], &[&opening, error], &[&opening], &["[DONE]"], &["{\"a\":1}"], &[]]
        {
            let (data, end, exchange) = stream(platform, json!({}), came);
            assert!(data.is_empty() && !exchange.began(), "{platform} {came:?}");
            failed(end);
        }
    }
    let (_, end, _) = stream("openai", json!({}), &[&opening, error]);
    assert_eq!(failed(end).class, ErrorClass::RateLimited);
}

#[test]
fn an_error_page_or_a_plain_error_in_place_of_a_stream_is_told_apart() {
    for (body, class) in [
        ("<html><body>hello</body></html>", ErrorClass::UpstreamFault),
        ("", ErrorClass::UpstreamFault),
        (r#"{"error":{"message":"m","code":"invalid_api_key"}}"#, ErrorClass::AuthExpired),
    ] {
        let (mut exchange, _) = begin("deepseek", json!({"stream": true}));
        let fed = exchange.feed(body.into());
        let end = fed.end.or(exchange.end().end).unwrap();
        assert_eq!(failed(end).class, class, "{body}");
        let (mut exchange, _) = begin("deepseek", json!({}));
        let error = exchange.whole(&HeaderMap::new(), body.into()).unwrap_err();
        assert_eq!(error.class, class, "{body}");
    }
}

#[test]
fn a_whole_answer_gets_what_it_lacks() {
    let (mut exchange, _) = begin("deepseek", json!({}));
    let body = json!({"id": "a1", "object": "chat.completion", "created": 1_790_000_000,
        "model": "deepseek-chat", "x_new": 1, "usage": serde_json::from_str::<Value>(USAGE).unwrap(),
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x",
            "reasoning_content": "y"}, "finish_reason": "stop"}]});
    let answer = exchange.whole(&HeaderMap::new(), body.to_string().into()).unwrap();
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    check_answer("deepseek", &body);
    assert_eq!((&body["x_new"], answer.usage.unwrap().total()), (&json!(1), 7));
}

#[test]
fn a_stream_nobody_asked_for_is_gathered() {
    let (mut exchange, request) = begin("qwen", json!({"reasoning_effort": "high"}));
    assert!(request.streams);
    let usage = format!(r#"{{"id":"a1","choices":[],"usage":{USAGE}}}"#);
    for data in [
        chunk(r#"{"role":"assistant","content":null,"reasoning_content":"想\n"}"#, "null", ""),
        chunk(r#"{"content":"\"6"}"#, "null", ""),
        chunk(r#"{"content":"0\""}"#, "\"stop\"", ""),
        usage,
    ] {
        assert!(exchange.feed(format!("data: {data}\n\n").into()).out.is_empty());
        assert!(exchange.gathered().is_none());
    }
    let fed = exchange.feed(Bytes::from_static(b"data: [DONE]\n\n"));
    assert_eq!((fed.end, fed.out.len()), (Some(StreamEnd::Done), 0));
    let answer = exchange.gathered().unwrap();
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    check_answer("qwen", &body);
    let message = &body["choices"][0]["message"];
    assert_eq!(
        (&message["content"], &message["reasoning_content"]),
        (&json!("\"60\""), &json!("想\n"))
    );
    assert_eq!(answer.usage.unwrap().total(), 7);
}

#[test]
fn a_caller_of_functions_gets_function_calls() {
    let ask = json!({"functions": [{"name": "f"}]});
    let came = [
        chunk(
            r#"{"role":"assistant","tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{"}}]}"#,
            "null",
            "",
        ),
        chunk(r#"{"tool_calls":[{"index":0,"id":"","function":{"arguments":"}"}}]}"#, "null", ""),
        chunk("{}", "\"tool_calls\"", ""),
    ];
    let came: Vec<&str> = came.iter().map(String::as_str).collect();
    let (data, end, _) = stream("qwen", ask, &came);
    assert_eq!(end, StreamEnd::Done);
    let value = |at: usize| serde_json::from_str::<Value>(&data[at]).unwrap()["choices"][0].clone();
    assert_eq!(value(1)["delta"]["function_call"], json!({"name": "f", "arguments": "{"}));
    assert_eq!(value(2)["delta"]["function_call"], json!({"arguments": "}"}));
    assert_eq!(value(3)["finish_reason"], "function_call");
}

#[test]
fn doubtful_zeros_are_no_count() {
    let came = chunk(
        r#"{"content":"x"}"#,
        "\"stop\"",
        r#","usage":{"prompt_tokens":5,"completion_tokens":0}"#,
    );
    let (_, _, exchange) = stream("glm", json!({}), &[&came, "[DONE]"]);
    assert_eq!(exchange.usage(), None);
    let (_, _, exchange) = stream("deepseek", json!({}), &[&came, "[DONE]"]);
    assert!(exchange.usage().is_some());
}

/// Pieces of what platforms send, and of what they never should.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    let parts = prop_oneof![
        Just(b"data: ".to_vec()),
        Just(b"data: [DONE]\n\n".to_vec()),
        Just(b"\n\n".to_vec()),
        Just(br#"{"choices":[{"delta":{"content":"x","tool_calls":[{"index":9}]},"finish_reason":"stop"}],"usage":{}}"#.to_vec()),
        Just(br#"{"choices":[{"index":4294967296,"delta":{"role":1}}],"error":{"#.to_vec()),
        Just(br#"{"choices":[[]],"usage":{"prompt_tokens":18446744073709551615,"completion_tokens":1}}"#.to_vec()),
        Just(br#"{"error":{"message":"\ud800","code":[]}}"#.to_vec()),
        Just(br#""choices":[{"delta":{"content":"\"#.to_vec()),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(parts, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn nothing_that_comes_makes_it_panic(
        bytes in anything(),
        cut in 0usize..400,
        status in 200u16..600,
        platform in prop_oneof!["openai", "deepseek", "qwen", "glm", "ernie", "spark"],
    ) {
        let cut = cut.min(bytes.len());
        for streamed in [true, false] {
            let (mut exchange, _) = begin(&platform, json!({"stream": streamed}));
            let one = exchange.feed(Bytes::copy_from_slice(&bytes[..cut]));
            let two = exchange.feed(Bytes::copy_from_slice(&bytes[cut..]));
            let last = exchange.end();
            prop_assert!(one.end.is_some() || two.end.is_some() || last.end.is_some());
            exchange.gathered();
            exchange.produced();
        }
        let (mut exchange, _) = begin(&platform, json!({}));
        let _ = exchange.whole(&HeaderMap::new(), Bytes::copy_from_slice(&bytes));
        let status = StatusCode::from_u16(status).unwrap();
        prop_assert!(!exchange.classify(status, &HeaderMap::new(), &bytes).message.is_empty());
        let _ = ChatRequest::parse(bytes.into()).map(|ask| ask.census());
    }
}
