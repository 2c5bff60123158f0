//! Answers and failures that the worked examples don't reach.

mod untold;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::front::ChatRequest;
use crate::front::sse::events;
use crate::platforms::{
    Catalogue, DialectName, ErrorClass, Exchange, Face, Kind, PlatformError, StreamEnd, Words,
};

fn exchange_of(kind: Kind, more: &Value) -> Exchange {
    let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
    let platform = Arc::clone(catalogue.platform("openai").unwrap());
    let hop = catalogue.resolve_on(&platform, "gpt-5.4-mini");
    let mut body = json!({"messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f"}}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let ask = ChatRequest::parse(Bytes::from(body.to_string())).unwrap();
    let face = platform.face(Some(DialectName::OpenaiResponses)).unwrap();
    Exchange::begin(&platform, Face::of(face, kind), &hop.model, &ask, 7).unwrap().0
}

fn exchange(more: Value) -> Exchange {
    exchange_of(Kind::Key, &more)
}

/// Deltas and finish reasons of the chunks, and how the stream ended.
fn streamed(more: Value, sent: &[Value]) -> (Vec<Value>, Option<StreamEnd>, Exchange) {
    let mut ask = json!({"stream": true});
    ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut exchange = exchange(ask);
    let fed = exchange.feed(Bytes::from(written(sent)));
    let rest = exchange.end();
    let out = [fed.out, rest.out].concat();
    (choices(&out), fed.end.or(rest.end), exchange)
}

fn written(sent: &[Value]) -> String {
    sent.iter().map(|event| format!("event: x\ndata: {event}\n\n")).collect()
}

fn choices(out: &[u8]) -> Vec<Value> {
    let chunks = events(out).filter_map(|event| serde_json::from_slice::<Value>(&event.data).ok());
    let choice = |chunk: Value| {
        let choice = &chunk["choices"][0];
        if choice["finish_reason"].is_string() {
            choice["finish_reason"].clone()
        } else {
            choice["delta"].clone()
        }
    };
    chunks.map(choice).collect()
}

fn created() -> Value {
    json!({"type": "response.created", "response": {"id": "resp_1", "model": "m", "created_at": 5.5}})
}

fn item(kind: &str, at: u64, item: Value) -> Value {
    json!({"type": format!("response.output_item.{kind}"), "output_index": at, "item": item})
}

fn call(arguments: &str) -> Value {
    json!({"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": arguments})
}

fn text(text: &str) -> Value {
    json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": text})
}

fn end(status: &str) -> Value {
    json!({"type": format!("response.{status}"), "response": {"status": status, "output": [],
        "incomplete_details": {"reason": "content_filter"},
        "usage": {"input_tokens": 5, "output_tokens": 9}}})
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
fn arguments_come_once_whether_in_deltas_or_at_the_end() {
    let opened = json!({"tool_calls": [{"index": 0, "id": "c", "type": "function",
        "function": {"name": "f", "arguments": ""}}]});
    let delta = json!({"type": "response.function_call_arguments.delta", "output_index": 3, "delta": "{\"a\":1}"});
    let done = json!({"type": "response.function_call_arguments.done", "output_index": 3, "arguments": "{\"a\":1}"});
    let added = item("added", 3, call(""));
    let whole = item("done", 3, call("{\"a\":1}"));
    for sent in [
        vec![added.clone(), delta, done.clone(), whole.clone()],
        vec![added.clone(), done],
        vec![added.clone(), whole.clone()],
        vec![whole],
    ] {
        let sent = [&[created()][..], &sent, &[end("completed")]].concat();
        let (chunks, end, exchange) = streamed(json!({}), &sent);
        let arguments =
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"a\":1}"}}]});
        assert_eq!(chunks, [role(), opened.clone(), arguments, json!("tool_calls")], "{sent:?}");
        assert_eq!(end, Some(StreamEnd::Done));
        let usage = exchange.usage().unwrap();
        assert_eq!((usage.input, usage.output), (5, 9));
    }
    let (chunks, ..) = streamed(json!({}), &[added, item("done", 3, call("")), end("completed")]);
    assert_eq!(chunks[2]["tool_calls"][0]["function"]["arguments"], "{}");
}

#[test]
fn reasoning_goes_back_once_and_beside_calls_alone() {
    let thought = json!({"id": "rs_1", "type": "reasoning", "status": "completed",
        "summary": [{"type": "summary_text", "text": "h\"m"}], "encrypted_content": "X"});
    let bare = json!({"id": "rs_2", "type": "reasoning", "summary": []});
    let summary = json!({"type": "response.reasoning_summary_text.delta", "output_index": 0,
        "summary_index": 0, "delta": "h\"m"});
    let thinking = [created(), summary, item("done", 0, thought), item("done", 1, bare)];
    let blocks = |chunks: &[Value]| {
        let all = chunks.iter().filter_map(|chunk| chunk.get("thinking_blocks").cloned());
        all.collect::<Vec<Value>>()
    };
    let wanted = json!([{"id": "rs_1", "type": "reasoning", "encrypted_content": "X",
        "summary": [{"type": "summary_text", "text": "h\"m"}]}]);
    let with = [&thinking[..], &[item("done", 2, call("{}")), end("completed")]].concat();
    assert_eq!(blocks(&streamed(json!({}), &with).0), [wanted]);
    let without = [&thinking[..], &[text("x"), end("completed")]].concat();
    let (chunks, ..) = streamed(json!({}), &without);
    assert!(blocks(&chunks).is_empty());
    assert_eq!(chunks[1], json!({"reasoning_content": "h\"m"}));
    // Without tools nothing has to come back.
    assert!(blocks(&streamed(json!({"tools": null}), &with).0).is_empty());
}

#[test]
fn what_is_yet_to_come_is_passed_over() {
    let sent = [
        created(),
        json!({"type": "response.some_new_event", "x": 1}),
        item("added", 0, json!({"type": "web_search_call", "id": "ws_1"})),
        json!({"type": "response.function_call_arguments.delta", "output_index": 8, "delta": "{"}),
        json!({"type": "response.output_text.annotation.added", "annotation": {}}),
        text("x"),
        item("done", 0, json!(7)),
        json!({"no": "type"}),
        end("completed"),
    ];
    let (chunks, end, _) = streamed(json!({}), &sent);
    assert_eq!(chunks, [role(), json!({"content": "x"}), json!("stop")]);
    assert_eq!(end, Some(StreamEnd::Done));
}

#[test]
fn a_stream_that_fails_before_it_said_anything_leaves_nothing_behind() {
    let failed_with = |code: &str| {
        json!({"type": "response.failed", "response": {"status": "failed",
        "error": {"code": code, "message": "m"}, "output": []}})
    };
    for (last, class) in [
        (failed_with("server_error"), ErrorClass::UpstreamFault),
        (failed_with("rate_limit_exceeded"), ErrorClass::RateLimited),
        (failed_with("invalid_image_url"), ErrorClass::InvalidRequest),
        (failed_with("image_content_policy_violation"), ErrorClass::ContentFiltered),
        (failed_with("subscription_sharing_usage_limit_exceeded"), ErrorClass::QuotaExhausted),
        (json!({"type": "response.failed", "response": null}), ErrorClass::UpstreamFault),
        (json!({"type": "error", "code": "slow_down", "message": "m"}), ErrorClass::RateLimited),
        (
            json!({"type": "error", "error": {"code": "server_is_overloaded", "message": "m"}}),
            ErrorClass::Overloaded,
        ),
        (json!({"error": {"message": "m"}}), ErrorClass::UpstreamFault),
    ] {
        let (chunks, end, exchange) = streamed(json!({}), &[created(), last.clone()]);
        assert!(chunks.is_empty() && !exchange.began(), "{last}");
        assert_eq!(failed(end).class, class, "{last}");
    }
    let (chunks, end, _) = streamed(json!({}), &[created()]);
    assert_eq!((chunks.len(), failed(end).class), (0, ErrorClass::UpstreamFault));
}

#[test]
fn a_stream_without_its_end_is_broken_and_what_a_failed_one_used_is_believed() {
    let (chunks, end, exchange) = streamed(json!({}), &[created(), text("x")]);
    assert_eq!((chunks.len(), failed(end).class), (2, ErrorClass::UpstreamFault));
    assert_eq!((exchange.usage(), exchange.produced().ascii), (None, 1));
    let last = json!({"type": "response.failed", "response": {"status": "failed",
        "error": {"code": "server_error", "message": "m"}, "usage": {"input_tokens": 3, "output_tokens": 2}}});
    let (_, end, exchange) = streamed(json!({}), &[created(), text("x"), last]);
    let failed = failed(end);
    assert_eq!(failed.class, ErrorClass::UpstreamFault);
    assert_eq!(exchange.usage().unwrap().total(), 5);
    assert_eq!(failed.billed.as_deref().copied(), exchange.usage());
}

#[test]
fn what_is_withheld_after_output_ends_the_answer_as_filtered() {
    let error = json!({"type": "response.failed", "response": {"status": "failed",
        "error": {"code": "bio_policy", "message": "m"}}});
    for last in [error, end("incomplete")] {
        let (chunks, end, _) = streamed(json!({}), &[created(), text("x"), last]);
        let ended = (chunks.last().unwrap(), end);
        assert_eq!(ended, (&json!("content_filter"), Some(StreamEnd::Done)));
    }
}

#[test]
fn a_caller_of_functions_hears_of_a_function_call() {
    let old = json!({"tools": null, "functions": [{"name": "f"}]});
    let (chunks, ..) = streamed(old.clone(), &[item("done", 0, call("{}")), end("completed")]);
    assert_eq!(chunks[1]["function_call"]["name"], "f");
    assert_eq!(chunks.last().unwrap(), "function_call");
    let whole = json!({"status": "completed", "output": [call("{}")]});
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
    let error =
        r#"{"status":"failed","output":[],"error":{"code":"rate_limit_exceeded","message":"m"}}"#;
    assert_eq!(whole(error).unwrap_err(), ErrorClass::RateLimited);
    let counted = error.replace("[],", r#"[],"usage":{"input_tokens":3,"output_tokens":2},"#);
    let counted = exchange(json!({})).whole(&HeaderMap::new(), counted.into()).unwrap_err();
    assert_eq!(counted.billed.map(|usage| usage.total()), Some(5));
    let filtered = r#"{"error":{"code":"invalid_prompt","message":"m"}}"#;
    assert_eq!(whole(filtered).unwrap_err(), ErrorClass::ContentFiltered);
    for broken in [
        "",
        "<html>",
        "[]",
        r#"{"status":"completed"}"#,
        r#"{"output":7}"#,
        r#"{"status":"failed","output":[]}"#,
        r#"{"status":"in_progress","output":[]}"#,
        r#"{"status":"cancelled","output":[]}"#,
    ] {
        assert_eq!(whole(broken).unwrap_err(), ErrorClass::UpstreamFault, "{broken}");
    }
    let uncounted = r#"{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"ab"}]}]}"#;
    let uncounted = whole(uncounted).unwrap();
    assert_eq!((uncounted.usage, uncounted.produced.census().ascii), (None, 2));
}

#[test]
fn parts_of_a_whole_answer_come_together() {
    let part = |text: &str| json!({"type": "summary_text", "text": text});
    let whole = json!({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [part("a"), part("b")]},
        {"type": "reasoning", "id": "rs_2", "summary": [], "content": [{"type": "reasoning_text", "text": "c"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "你"}, {"type": "refusal", "refusal": "no"},
            {"type": "output_text", "text": "好"}, {"type": "new", "text": "x"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "🙂"}]},
    ]});
    let answer = exchange(json!({})).whole(&HeaderMap::new(), whole.to_string().into()).unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let message = &answer["choices"][0]["message"];
    assert_eq!((&message["content"], &message["refusal"]), (&json!("你好🙂"), &json!("no")));
    assert_eq!(message["reasoning_content"], "a\n\nb\n\nc");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!((&answer["id"], &answer["created"]), (&json!("chatcmpl-7"), &json!(7)));
}

#[test]
fn a_plans_answer_is_gathered_for_a_caller_who_wants_it_whole() {
    let sent = [created(), text("你"), text("好"), item("done", 1, call("{}")), end("completed")];
    let mut exchange = exchange_of(Kind::Oauth, &json!({}));
    let fed = exchange.feed(Bytes::from(written(&sent[..3])));
    assert!(fed.out.is_empty() && fed.end.is_none() && !exchange.began());
    assert_eq!(exchange.gathered(), None);
    let fed = exchange.feed(Bytes::from(written(&sent[3..])));
    assert_eq!((fed.out.len(), fed.end), (0, Some(StreamEnd::Done)));
    let answer = exchange.gathered().unwrap();
    assert_eq!(answer.usage.unwrap().total(), 14);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "你好");
    assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
    // A broken one has given nothing away: another account may be tried.
    let mut broken = exchange_of(Kind::Oauth, &json!({}));
    broken.feed(Bytes::from(written(&sent[..2])));
    assert_eq!(failed(broken.end().end).class, ErrorClass::UpstreamFault);
    assert!(!broken.began());
}

#[test]
fn events_that_repeat_a_long_prompt_are_taken() {
    let mut long = created();
    long["response"]["instructions"] = "长".repeat(1 << 20).into();
    let text = written(&[long, text("x"), end("completed")]);
    let mut exchange = exchange(json!({"stream": true}));
    let mut done = None;
    for piece in text.as_bytes().chunks(64 << 10) {
        done = done.or(exchange.feed(Bytes::copy_from_slice(piece)).end);
    }
    assert_eq!(done, Some(StreamEnd::Done));
}

fn classify(status: u16, body: &str) -> PlatformError {
    let status = StatusCode::from_u16(status).unwrap();
    exchange(json!({"max_tokens": 9})).classify(status, &HeaderMap::new(), body.as_bytes())
}

#[test]
fn every_failure_has_its_class() {
    use ErrorClass as Class;
    let coded = |code: &str| json!({"error": {"code": code, "message": "m"}}).to_string();
    for (status, code, class) in [
        (400, "context_length_exceeded", Class::InvalidRequest),
        (400, "subscription_sharing_unsupported_capability", Class::InvalidRequest),
        (400, "invalid_encrypted_content", Class::InvalidRequest),
        (400, "anything_else", Class::InvalidRequest),
        (400, "invalid_prompt", Class::ContentFiltered),
        (400, "content_policy_violation", Class::ContentFiltered),
        (400, "misalignment_policy_violation", Class::ContentFiltered),
        (401, "invalid_api_key", Class::AuthExpired),
        (401, "subscription_sharing_invalid_user", Class::AuthExpired),
        (403, "subscription_sharing_user_not_eligible", Class::AuthExpired),
        (403, "chatpass_v2_missing_scope", Class::AuthExpired),
        (403, "unsupported_country_region_territory", Class::UpstreamFault),
        (401, "account_deactivated", Class::Banned),
        (404, "model_not_found", Class::NotFound),
        (403, "subscription_sharing_route_not_supported", Class::NotFound),
        (429, "insufficient_quota", Class::QuotaExhausted),
        (429, "subscription_sharing_usage_limit_exceeded", Class::QuotaExhausted),
        (429, "rate_limit_exceeded", Class::RateLimited),
        (503, "server_is_overloaded", Class::Overloaded),
        (503, "subscription_sharing_usage_unavailable", Class::Overloaded),
        (500, "x", Class::UpstreamFault),
    ] {
        assert_eq!(classify(status, &coded(code)).class, class, "{status} {code}");
    }
    let plain = classify(401, r#"{"detail":"Unauthorized"}"#);
    assert_eq!((plain.class, plain.message.as_str()), (Class::AuthExpired, "Unauthorized"));
    let coded = classify(403, r#"{"detail":{"error_code":"chatpass_v2_scope"}}"#);
    assert_eq!(coded.class, Class::AuthExpired);
    for page in ["<html>", ""] {
        assert_eq!(classify(502, page).message, "openai answered HTTP 502");
    }
}

#[test]
fn a_field_that_a_refusal_names_goes_by_the_callers_name() {
    let refused = |param: &str| {
        classify(400, &json!({"error": {"message": "m", "param": param}}).to_string())
    };
    for (param, callers) in [
        ("max_output_tokens", "max_tokens"),
        ("input[2].content", "messages"),
        ("tools[0].name", "tools[0].name"),
    ] {
        let error = refused(param);
        assert_eq!((error.param.as_deref(), error.words), (Some(callers), Words::OfRequest));
    }
}

/// Events of all kinds, in an order that a platform could send or that none would.
fn any_event() -> impl Strategy<Value = Value> {
    let texts = prop_oneof![
        Just(""),
        Just("x"),
        Just("你好"),
        Just("🙂👩‍👩‍👧"),
        Just("\"\\\u{2028}\n"),
        Just("{\"a\":")
    ];
    let places = 0..3u64;
    (0..14u8, texts, places).prop_map(|(kind, said, at)| match kind {
        0 => created(),
        1 => text(said),
        2 => json!({"type": "response.refusal.delta", "delta": said}),
        3 => json!({"type": "response.reasoning_summary_text.delta", "output_index": at, "summary_index": 0, "delta": said}),
        4 => json!({"type": "response.function_call_arguments.delta", "output_index": at, "delta": said}),
        5 => item("added", at, call("")),
        6 => item("done", at, call(said)),
        7 => item("done", at, json!({"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": said})),
        8 => json!({"type": "response.function_call_arguments.done", "output_index": at, "arguments": said}),
        9 => json!({"type": "keepalive", "x": said}),
        10 => json!({"type": "response.output_text.done", "output_index": at, "text": said}),
        11 => item("done", at, json!({"type": "message", "content": [{"type": "output_text", "text": said}]})),
        12 => json!({"type": "response.reasoning_text.done", "item_id": "rs", "text": said}),
        _ => text(said),
    })
}

fn last_event() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        Just(Some(end("completed"))),
        Just(Some(end("incomplete"))),
        Just(Some(json!({"type": "error", "code": "server_error", "message": "坏了"}))),
        Just(Some(
            json!({"type": "response.failed", "response": {"error": {"code": "bio_policy", "message": "m"}}})
        )),
        Just(None),
    ]
}

proptest! {
    #[test]
    fn any_stream_comes_out_alike_however_it_is_cut(
        sent in proptest::collection::vec(any_event(), 0..12),
        last in last_event(),
        cuts in proptest::collection::vec(0..4000usize, 0..8),
        crlf: bool,
    ) {
        let sent: Vec<Value> = sent.into_iter().chain(last).collect();
        let text = written(&sent);
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        let run = |cuts: &[usize]| {
            let mut exchange = exchange(json!({"stream": true}));
            let (mut out, mut end, mut start) = (Vec::new(), None, 0);
            for cut in cuts.iter().copied().chain([text.len()]) {
                let cut = cut.clamp(start, text.len());
                let fed = exchange.feed(Bytes::copy_from_slice(&text.as_bytes()[start..cut]));
                start = cut;
                out.extend_from_slice(&fed.out);
                end = end.or(fed.end);
            }
            let fed = exchange.end();
            out.extend_from_slice(&fed.out);
            (out, end.or(fed.end), exchange.usage(), exchange.produced())
        };
        let whole = run(&[]);
        let mut cuts = cuts;
        cuts.sort_unstable();
        prop_assert_eq!(&run(&cuts), &whole);
        let every_byte: Vec<usize> = (1..text.len()).collect();
        prop_assert_eq!(&run(&every_byte), &whole);
        prop_assert!(std::str::from_utf8(&whole.0).is_ok());
        // One opening, one finish, dense calls, and nothing that is no JSON.
        let chunks = choices(&whole.0);
        let opened = chunks.iter().filter(|chunk| chunk.get("role").is_some()).count();
        prop_assert!(opened <= 1);
        let done = matches!(whole.1, Some(StreamEnd::Done));
        prop_assert_eq!(chunks.iter().filter(|chunk| chunk.is_string()).count(), usize::from(done));
        let mut calls = 0;
        for call in chunks.iter().filter_map(|chunk| chunk["tool_calls"].get(0)) {
            if call.get("id").is_some() {
                prop_assert_eq!(&call["index"], calls);
                calls += 1;
            } else {
                prop_assert!(call["index"].as_i64().unwrap() < calls);
            }
        }
    }
}
