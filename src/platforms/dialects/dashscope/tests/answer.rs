//! Answers and failures, whole and streamed.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{begin, event, output, says, streamed};
use crate::front::Usage;
use crate::platforms::{ErrorClass, PlatformError, Reset, StreamEnd};

fn failed(end: StreamEnd) -> PlatformError {
    match end {
        StreamEnd::Failed(error) => error,
        StreamEnd::Done => panic!("it ended well"),
    }
}

fn whole(body: &str) -> Result<Value, PlatformError> {
    let (mut exchange, _) = begin("qwen3-max", json!({})).unwrap();
    let answer = exchange.whole(&HeaderMap::new(), Bytes::copy_from_slice(body.as_bytes()))?;
    Ok(serde_json::from_slice(&answer.body).unwrap())
}

#[test]
fn the_last_event_may_bring_text_and_what_is_yet_to_come_is_passed_over() {
    let strange = "id:9\nevent:ping\n:HTTP_STATUS/200\ndata:{\"heartbeat\":1}\n\n";
    let sent =
        [event(&says("你", "null", 1)), strange.to_owned(), event(&says("好🙂", "length", 3))];
    let (choices, end, exchange) = streamed("qwen3-max", json!({}), &sent.concat());
    assert_eq!(end, StreamEnd::Done);
    let texts: Vec<&Value> = choices.iter().map(|choice| &choice["delta"]["content"]).collect();
    assert_eq!(texts, [&json!(""), &json!("你"), &json!("好🙂"), &Value::Null]);
    assert_eq!(choices[3]["finish_reason"], "length");
    assert_eq!(exchange.usage(), Some(Usage { input: 5, output: 3, ..Usage::default() }));
}

#[test]
fn usage_counts_once_all_choices_have_ended() {
    let choice = |index: u32, text: &str, finish: &str| json!({"message": {"content": text}, "index": index, "finish_reason": finish});
    let sent = [
        output(json!([choice(0, "a", "null"), choice(1, "b", "null")]), 2),
        output(json!([choice(0, "", "stop")]), 2),
        output(json!([choice(1, "c", "null")]), 3),
        output(json!([choice(1, "", "stop")]), 3),
    ]
    .map(|data| event(&data));
    let usage =
        |count: usize| streamed("qwen-plus", json!({"n": 2}), &sent[..count].concat()).2.usage();
    assert_eq!([1, 2, 3].map(usage), [None; 3]);
    assert_eq!(usage(4).unwrap().output, 3);
    let (choices, end, _) = streamed("qwen-plus", json!({"n": 2}), &sent.concat());
    assert_eq!(end, StreamEnd::Done);
    let second = choices.iter().filter(|choice| choice["index"] == 1);
    let text: String = second.filter_map(|choice| choice["delta"]["content"].as_str()).collect();
    assert_eq!(text, "bc");
}

#[test]
fn usage_that_comes_after_the_finish_reason_is_the_last_word() {
    let alone = |output: Value| {
        let mut data = json!({"usage": {"input_tokens": 5, "output_tokens": 9}, "request_id": "r"});
        if !output.is_null() {
            data["output"] = output;
        }
        data
    };
    let nothing = json!([{"message": {"role": "assistant", "content": ""}, "index": 0,
        "finish_reason": "null"}]);
    for (bare, after) in [
        (alone(json!({"choices": []})), true),
        (alone(json!({"choices": null, "text": null})), true),
        (alone(json!({"choices": nothing})), true),
        (alone(Value::Null), true),
        // An earlier one is none.
        (alone(json!({"choices": []})), false),
    ] {
        let mut stop = says("", "stop", 1);
        stop.as_object_mut().unwrap().remove("usage");
        let text = says("a", "null", 1);
        let events = if after { vec![text, stop, bare] } else { vec![bare, text, stop] };
        let sent: String = events.iter().map(event).collect();
        for wants_usage in [false, true] {
            let ask = json!({"stream_options": {"include_usage": wants_usage}});
            let (choices, end, exchange) = streamed("qwen3-max", ask, &sent);
            assert_eq!(end, StreamEnd::Done, "{sent}");
            assert_eq!(choices[2]["finish_reason"], "stop");
            let usage = after.then_some(Usage { input: 5, output: 9, ..Usage::default() });
            assert_eq!(exchange.usage(), usage, "{sent}");
        }
    }
}

#[test]
fn a_stream_that_ends_without_a_reason_was_cut() {
    let (choices, end, exchange) = streamed("qwen3-max", json!({}), &event(&says("a", "null", 1)));
    let error = failed(end);
    assert_eq!((error.class, choices.len()), (ErrorClass::UpstreamFault, 2));
    assert!(exchange.began() && exchange.usage().is_none() && exchange.produced().ascii == 1);
    let (choices, end, exchange) = streamed("qwen3-max", json!({}), "");
    assert!(choices.is_empty() && !exchange.began());
    assert_eq!(failed(end).class, ErrorClass::UpstreamFault);
}

#[test]
fn a_refusal_inside_a_200_is_known_by_its_code_and_else_by_the_comment() {
    let refused = |head: &str, data: &str| {
        let sent = format!("id:1\n{head}\ndata:{data}\n\n");
        let (choices, end, exchange) = streamed("qwen3-max", json!({}), &sent);
        assert!(choices.is_empty() && !exchange.began());
        failed(end)
    };
    let error = "event:error\n:HTTP_STATUS/";
    let known = r#"{"code":"Throttling.RateQuota","message":"m","request_id":"r"}"#;
    let unknown = r#"{"code":"Teapot","message":"m","request_id":"r"}"#;
    assert_eq!(refused(&format!("{error}500"), known).class, ErrorClass::RateLimited);
    for (status, class) in [
        ("400", ErrorClass::InvalidRequest),
        ("401", ErrorClass::AuthExpired),
        ("429", ErrorClass::RateLimited),
        ("503", ErrorClass::Overloaded),
    ] {
        let error = refused(&format!("{error}{status}"), unknown);
        assert_eq!(
            (error.class, error.status),
            (class, StatusCode::from_bytes(status.as_bytes()).ok().map(|it| it.as_u16()))
        );
    }
    // Without a comment, or with one that says nothing.
    for head in ["event:error", "event: error\r", "event:error\n:HTTP_STATUS/200", "event:result"] {
        assert_eq!(refused(head, unknown).class, ErrorClass::UpstreamFault, "{head}");
    }
    // An error without a code is one all the same.
    let wordless = refused(&format!("{error}429"), r#"{"message":"slow down"}"#);
    assert_eq!((wordless.class, wordless.message.as_str()), (ErrorClass::RateLimited, "slow down"));
}

#[test]
fn whole_answers_that_are_none_are_told_apart() {
    let class = |body: &str| whole(body).unwrap_err().class;
    let free = r#"{"code":"AllocationQuota.FreeTierOnly","message":"used up","request_id":"r"}"#;
    let error = whole(free).unwrap_err();
    assert_eq!((error.class, error.reset), (ErrorClass::QuotaExhausted, Some(Reset::Person)));
    assert!(error.this_model_only);
    for none in ["<html>", "", "{}", r#"{"output":{"choices":[]}}"#, r#"{"output":null}"#, "[]"] {
        assert_eq!(class(none), ErrorClass::UpstreamFault, "{none}");
    }
}

#[test]
fn an_html_page_or_an_empty_body_in_place_of_an_error_goes_by_status() {
    let (exchange, _) = begin("qwen-plus", json!({})).unwrap();
    for body in ["<html>", ""] {
        let error =
            exchange.classify(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new(), body.as_bytes());
        assert_eq!(
            (error.class, error.message.as_str()),
            (ErrorClass::Overloaded, "qwen answered HTTP 503")
        );
    }
}

#[test]
fn every_form_of_content_is_one_text() {
    let content = |content: Value| {
        let message = json!({"role": "assistant", "content": content});
        let body = output(json!([{"message": message, "finish_reason": "stop"}]), 1);
        whole(&body.to_string()).unwrap()["choices"][0]["message"]["content"].clone()
    };
    assert_eq!(content(json!("a")), "a");
    assert_eq!(content(json!([{"text": "你"}, {"text": "好\n"}])), "你好\n");
    assert_eq!(content(json!([])), "");
    let text = json!({"output": {"text": "old", "finish_reason": "length", "choices": null}});
    let answer = whole(&text.to_string()).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "old");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
}

#[test]
fn choices_without_a_number_have_that_of_their_place() {
    let choice = |text: &str| json!({"message": {"content": text}, "finish_reason": "stop"});
    let answer = whole(&output(json!([choice("a"), choice("b")]), 2).to_string()).unwrap();
    let told = |at: usize| {
        let choice = &answer["choices"][at];
        (choice["index"].clone(), choice["message"]["content"].clone())
    };
    assert_eq!([told(0), told(1)], [(json!(0), json!("a")), (json!(1), json!("b"))]);
}

#[test]
fn usage_is_read_under_its_other_names() {
    let usage = |usage: Value| {
        let mut body = says("a", "stop", 0);
        body["usage"] = usage;
        whole(&body.to_string()).unwrap()["usage"].clone()
    };
    let told = usage(json!({"input_tokens": 9, "output_tokens": 4,
        "input_tokens_details": {"text_tokens": 2, "image_tokens": 7},
        "prompt_tokens_details": {"cached_tokens": 3, "cache_creation_input_tokens": 1, "text_tokens": null},
        "output_tokens_details": {"reasoning_tokens": 3, "text_tokens": 1}}));
    let wanted = json!({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 1, "text_tokens": 2,
            "image_tokens": 7},
        "completion_tokens_details": {"reasoning_tokens": 3, "text_tokens": 1}});
    assert_eq!(told, wanted);
    assert_eq!(usage(json!({})), Value::Null);
    let bare = usage(json!({"output_tokens": 4, "prompt_tokens_details": {}}));
    assert_eq!(bare, json!({"prompt_tokens": 0, "completion_tokens": 4, "total_tokens": 4}));
}

#[test]
fn log_probabilities_come_streamed_and_gathered() {
    let entry =
        |token: &str| json!({"token": token, "logprob": -0.5, "bytes": [1], "top_logprobs": []});
    let choice = |text: &str, finish: &str, entries: Value| {
        json!({"message": {"content": text}, "index": 0, "finish_reason": finish,
            "logprobs": {"content": entries}})
    };
    let sent = [
        output(json!([choice("a", "null", json!([entry("a")]))]), 1),
        output(json!([choice("bc", "null", json!([entry("b"), entry("c")]))]), 3),
        output(json!([choice("", "stop", json!([]))]), 3),
    ]
    .map(|data| event(&data))
    .concat();
    let (choices, end, _) = streamed("qwen3-32b", json!({"logprobs": true}), &sent);
    assert_eq!(end, StreamEnd::Done);
    let logprobs: Vec<&Value> = choices.iter().map(|choice| &choice["logprobs"]).collect();
    let said = |entries: Value| json!({"content": entries, "refusal": null});
    let (first, second) = (said(json!([entry("a")])), said(json!([entry("b"), entry("c")])));
    assert_eq!(logprobs, [&Value::Null, &first, &second, &Value::Null]);

    // A model that only streams, and a caller who wants it whole.
    let (mut exchange, request) = begin("qwq-plus", json!({"logprobs": true})).unwrap();
    assert!(request.streams);
    assert_eq!(exchange.feed(Bytes::from(sent)).out, "");
    assert_eq!(exchange.end().end, Some(StreamEnd::Done));
    let answer: Value = serde_json::from_slice(&exchange.gathered().unwrap().body).unwrap();
    assert_eq!(answer["choices"][0]["logprobs"], said(json!([entry("a"), entry("b"), entry("c")])));
    assert_eq!(answer["choices"][0]["message"]["content"], "abc");
}

#[test]
fn a_caller_of_functions_gets_a_function_call() {
    let call = |arguments: &str, open: bool| {
        let function = if open {
            json!({"name": "f", "arguments": arguments})
        } else {
            json!({"arguments": arguments})
        };
        let id = if open { "call_1" } else { "" };
        json!({"message": {"content": "", "tool_calls": [{"index": 0, "id": id, "type": "function",
            "function": function}]}, "index": 0, "finish_reason": if open { "null" } else { "tool_calls" }})
    };
    let sent = [output(json!([call("{\"a\"", true)]), 1), output(json!([call(":1}", false)]), 2)]
        .map(|data| event(&data))
        .concat();
    let (choices, end, _) = streamed("qwen3-max", json!({"functions": [{"name": "f"}]}), &sent);
    assert_eq!(end, StreamEnd::Done);
    assert_eq!(choices[1]["delta"]["function_call"], json!({"name": "f", "arguments": "{\"a\""}));
    assert_eq!(choices[2]["delta"]["function_call"], json!({"arguments": ":1}"}));
    assert_eq!(choices[3]["finish_reason"], "function_call");
}
