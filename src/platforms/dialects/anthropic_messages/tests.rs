//! Answers and failures that the worked examples don't reach.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::front::ChatRequest;
use crate::front::sse::events;
use crate::platforms::{Catalogue, ErrorClass, Exchange, PlatformError, Reset, StreamEnd, Words};

fn exchange(more: Value) -> Exchange {
    let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
    let platform = Arc::clone(catalogue.platform("claude").unwrap());
    let hop = catalogue.resolve_on(&platform, "claude-opus-5");
    let mut body = json!({"messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f"}}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let ask = ChatRequest::parse(Bytes::from(body.to_string())).unwrap();
    Exchange::begin(&platform, platform.face(None).unwrap(), &hop.model, &ask, 7).unwrap().0
}

/// Deltas and finish reasons of the chunks, and how the stream ended.
fn streamed(more: Value, sent: &[Value]) -> (Vec<Value>, Option<StreamEnd>, Exchange) {
    let mut ask = json!({"stream": true});
    ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut exchange = exchange(ask);
    let text: String = sent.iter().map(|event| format!("event: x\ndata: {event}\n\n")).collect();
    let fed = exchange.feed(Bytes::from(text));
    let rest = exchange.end();
    let out = [fed.out, rest.out].concat();
    let chunks = events(&out).filter_map(|event| serde_json::from_slice::<Value>(&event.data).ok());
    let choice = |chunk: Value| {
        let choice = &chunk["choices"][0];
        if choice["finish_reason"].is_string() {
            choice["finish_reason"].clone()
        } else {
            choice["delta"].clone()
        }
    };
    (chunks.map(choice).collect(), fed.end.or(rest.end), exchange)
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "model": "m",
        "usage": {"input_tokens": 5, "output_tokens": 1}}})
}

fn block(index: u64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn delta(index: u64, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn end(reason: &str) -> [Value; 2] {
    [
        json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 9}}),
        json!({"type": "message_stop"}),
    ]
}

fn text(text: &str) -> Value {
    delta(0, json!({"type": "text_delta", "text": text}))
}

fn failed(end: Option<StreamEnd>) -> PlatformError {
    match end {
        Some(StreamEnd::Failed(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn role() -> Value {
    json!({"role": "assistant", "content": ""})
}

#[test]
fn a_call_whose_arguments_never_come_has_those_of_its_beginning() {
    let call = |input: Value| json!({"type": "tool_use", "id": "t", "name": "f", "input": input});
    for (input, arguments) in [(json!({}), "{}"), (json!({"a": [1, "b c"]}), r#"{"a":[1,"b c"]}"#)]
    {
        let [last, done] = end("tool_use");
        let empty = delta(4, json!({"type": "input_json_delta", "partial_json": ""}));
        let sent = [start(), block(4, call(input)), empty, stop(4), last, done];
        let (chunks, end, exchange) = streamed(json!({}), &sent);
        assert_eq!(
            chunks[2]["tool_calls"][0],
            json!({"index": 0, "function": {"arguments": arguments}})
        );
        assert_eq!((chunks.last().unwrap(), end), (&json!("tool_calls"), Some(StreamEnd::Done)));
        let usage = exchange.usage().unwrap();
        assert_eq!((usage.input, usage.output), (5, 9));
    }
}

#[test]
fn thinking_goes_back_once_and_beside_calls_alone() {
    let thinking = [
        block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "h\"m"})),
        delta(0, json!({"type": "signature_delta", "signature": "S"})),
        stop(0),
        block(1, json!({"type": "redacted_thinking", "data": "x"})),
    ];
    let call = block(2, json!({"type": "tool_use", "id": "t", "name": "f", "input": {}}));
    let with = [&[start()][..], &thinking, &[call], &end("tool_use")].concat();
    let blocks = |chunks: &[Value]| {
        let all = chunks.iter().filter_map(|chunk| chunk.get("thinking_blocks").cloned());
        all.collect::<Vec<Value>>()
    };
    let wanted = json!([{"type": "thinking", "thinking": "h\"m", "signature": "S"},
        {"type": "redacted_thinking", "data": "x"}]);
    assert_eq!(blocks(&streamed(json!({}), &with).0), [wanted]);
    let without = [&[start()][..], &thinking, &[text("x")], &end("end_turn")].concat();
    let (chunks, _, _) = streamed(json!({}), &without);
    assert!(blocks(&chunks).is_empty());
    assert_eq!(chunks[1], json!({"reasoning_content": "h\"m"}));
}

#[test]
fn what_is_yet_to_come_is_passed_over() {
    let [last, done] = end("some_new_reason");
    let sent = [
        start(),
        json!({"type": "some_new_event", "x": 1}),
        block(3, json!({"type": "server_tool_use", "id": "s", "name": "f", "input": {}})),
        delta(3, json!({"type": "input_json_delta", "partial_json": "{"})),
        delta(0, json!({"type": "citations_delta", "citation": {}})),
        text("x"),
        last,
        done,
    ];
    let (chunks, end, _) = streamed(json!({}), &sent);
    assert_eq!(chunks, [role(), json!({"content": "x"}), json!("stop")]);
    assert_eq!(end, Some(StreamEnd::Done));
}

#[test]
fn a_stream_that_fails_before_it_said_anything_leaves_nothing_behind() {
    let error = |kind: &str| json!({"type": "error", "error": {"type": kind, "message": "m"}});
    for (last, class) in [
        (error("overloaded_error"), ErrorClass::Overloaded),
        (error("rate_limit_error"), ErrorClass::RateLimited),
        (error("api_error"), ErrorClass::UpstreamFault),
        (json!({"error": {"message": "m"}}), ErrorClass::UpstreamFault),
    ] {
        let (chunks, end, exchange) = streamed(json!({}), &[start(), last]);
        assert!(chunks.is_empty() && !exchange.began());
        assert_eq!(failed(end).class, class);
    }
    let (chunks, end, _) = streamed(json!({}), &[start()]);
    assert_eq!((chunks.len(), failed(end).class), (0, ErrorClass::UpstreamFault));
}

#[test]
fn a_stream_without_its_end_is_broken_and_its_count_is_not_believed() {
    let (chunks, end, exchange) = streamed(json!({}), &[start(), text("x")]);
    assert_eq!((chunks.len(), failed(end).class), (2, ErrorClass::UpstreamFault));
    assert_eq!((exchange.usage(), exchange.produced().ascii), (None, 1));
}

#[test]
fn what_is_withheld_after_output_ends_the_answer_as_filtered() {
    let error = json!({"type": "error", "error": {"type": "invalid_request_error",
        "message": "Output blocked by content filtering policy"}});
    let (chunks, end, _) = streamed(json!({}), &[start(), text("x"), error]);
    assert_eq!((chunks.last().unwrap(), end), (&json!("content_filter"), Some(StreamEnd::Done)));
}

#[test]
fn a_refusal_is_streamed_with_its_words() {
    let refused = json!({"type": "message_delta", "delta": {"stop_reason": "refusal",
        "stop_details": {"type": "refusal", "explanation": "No."}}, "usage": {"output_tokens": 0}});
    let sent = [start(), refused, json!({"type": "message_stop"})];
    let (chunks, _, _) = streamed(json!({}), &sent);
    assert_eq!(chunks, [role(), json!({"refusal": "No."}), json!("content_filter")]);
}

#[test]
fn a_caller_of_functions_hears_of_a_function_call() {
    let old = json!({"tools": null, "functions": [{"name": "f"}]});
    let call = block(0, json!({"type": "tool_use", "id": "t", "name": "f", "input": {}}));
    let sent = [&[start(), call, stop(0)][..], &end("tool_use")].concat();
    let (chunks, _, _) = streamed(old.clone(), &sent);
    assert_eq!(chunks[1]["function_call"]["name"], "f");
    assert_eq!(chunks.last().unwrap(), "function_call");
    let whole = json!({"content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}],
        "stop_reason": "tool_use"});
    let answer = exchange(old).whole(&HeaderMap::new(), whole.to_string().into()).unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["choices"][0]["message"]["function_call"]["arguments"], "{}");
    assert_eq!(answer["choices"][0]["finish_reason"], "function_call");
}

#[test]
fn a_whole_answer_that_is_none_is_told_apart() {
    let whole = |body: &str| {
        let body = Bytes::copy_from_slice(body.as_bytes());
        exchange(json!({})).whole(&HeaderMap::new(), body).map_err(|error| error.class)
    };
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#;
    assert_eq!(whole(error).unwrap_err(), ErrorClass::Overloaded);
    for broken in ["", "<html>", "[]", r#"{"type":"message"}"#, r#"{"content":7}"#] {
        assert_eq!(whole(broken).unwrap_err(), ErrorClass::UpstreamFault, "{broken}");
    }
    let empty = whole(r#"{"content":[],"stop_reason":"end_turn"}"#).unwrap();
    assert_eq!(empty.usage, None);
}

fn classify(status: u16, body: &Value, headers: &[(&'static str, &'static str)]) -> PlatformError {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    let status = StatusCode::from_u16(status).unwrap();
    exchange(json!({})).classify(status, &headers, body.to_string().as_bytes())
}

#[test]
fn every_failure_has_its_class() {
    use ErrorClass as Class;
    let limit = |code: &str| json!({"type": "rate_limit_error", "message": "m", "details": {"error_code": code}});
    let plain = |kind: &str, message: &str| json!({"type": kind, "message": message});
    for (status, error, class) in [
        (
            400,
            plain("invalid_request_error", "prompt is too long: 2 tokens > 1 maximum"),
            Class::InvalidRequest,
        ),
        (
            400,
            plain("invalid_request_error", "Your credit balance is too low to access"),
            Class::QuotaExhausted,
        ),
        (
            400,
            plain("invalid_request_error", "You have reached your specified API usage limits."),
            Class::QuotaExhausted,
        ),
        (400, plain("invalid_request_error", "spend limit reached"), Class::QuotaExhausted),
        (
            400,
            plain("invalid_request_error", "Output blocked by content filtering policy"),
            Class::ContentFiltered,
        ),
        (
            400,
            plain("invalid_request_error", "This organization has been disabled."),
            Class::Banned,
        ),
        (
            400,
            json!({"type": "invalid_request_error", "message": "m", "details": {"error_code": "organization_on_hold"}}),
            Class::Banned,
        ),
        (400, plain("invalid_request_error", "m"), Class::InvalidRequest),
        (409, plain("invalid_request_error", "m"), Class::InvalidRequest),
        (413, plain("request_too_large", "m"), Class::InvalidRequest),
        (422, plain("invalid_request_error", "m"), Class::InvalidRequest),
        (401, plain("authentication_error", "m"), Class::AuthExpired),
        (402, plain("billing_error", "m"), Class::QuotaExhausted),
        (403, plain("permission_error", "OAuth token has been revoked."), Class::AuthExpired),
        (403, plain("permission_error", "This account was banned."), Class::Banned),
        (403, plain("permission_error", "m"), Class::NotFound),
        (404, plain("not_found_error", "model: m"), Class::NotFound),
        (429, limit("enforced_spend_limit_reached"), Class::QuotaExhausted),
        (429, limit("contract_spend_limit_reached"), Class::QuotaExhausted),
        (429, limit("linked_organization_spend_limit_reached"), Class::QuotaExhausted),
        (429, limit("ramp_limit_exceeded"), Class::RateLimited),
        (429, plain("rate_limit_error", "m"), Class::RateLimited),
        (500, plain("api_error", "m"), Class::UpstreamFault),
        (504, plain("timeout_error", "m"), Class::UpstreamFault),
        (529, plain("overloaded_error", "m"), Class::Overloaded),
        (503, plain("overloaded_error", "m"), Class::Overloaded),
    ] {
        let body = json!({"type": "error", "error": error});
        assert_eq!(classify(status, &body, &[]).class, class, "{status} {body}");
    }
}

#[test]
fn a_rejected_window_is_a_quota_that_resets_and_a_hint_is_kept() {
    let body = json!({"type": "error", "error": {"type": "rate_limit_error", "message": "m"}});
    let error = classify(
        429,
        &body,
        &[
            ("retry-after", "60"),
            ("anthropic-ratelimit-unified-status", "rejected"),
            ("anthropic-ratelimit-unified-7d-status", "rejected"),
            ("anthropic-ratelimit-unified-7d-reset", "1790400000"),
        ],
    );
    let reset = jiff::Timestamp::from_second(1_790_400_000).unwrap();
    assert_eq!((error.class, error.reset), (ErrorClass::QuotaExhausted, Some(Reset::At(reset))));
    assert_eq!(error.retry_after.unwrap().as_secs(), 60);
    let allowed =
        classify(429, &body, &[("anthropic-ratelimit-unified-status", "allowed_warning")]);
    assert_eq!(allowed.class, ErrorClass::RateLimited);
}

#[test]
fn a_field_that_is_named_in_a_refusal_is_told_and_the_accounts_own_affairs_are_not() {
    let refused = |message: &str| {
        let body = json!({"type": "error", "error": {"type": "invalid_request_error", "message": message}});
        classify(400, &body, &[])
    };
    let named = refused("messages.0.content: Field required");
    assert_eq!((named.param.as_deref(), named.words), (Some("messages"), Words::OfRequest));
    let unknown = refused("Something about your workspace.");
    assert_eq!((unknown.param, unknown.words), (None, Words::OfAccount));
}
