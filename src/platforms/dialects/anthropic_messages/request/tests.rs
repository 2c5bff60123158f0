//! What the worked examples don't reach: each field mapped, left out or refused.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::front::{BadRequest, ChatRequest};
use crate::platforms::{Catalogue, Exchange};

/// The request for a model of Claude's, of the caller's fields beside the model.
fn sent(model: &str, ask: Value) -> Result<Value, BadRequest> {
    let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
    let platform = Arc::clone(catalogue.platform("claude").unwrap());
    let hop = catalogue.resolve_on(&platform, model);
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(ask.as_object().unwrap().clone());
    let ask = ChatRequest::parse(Bytes::from(body.to_string())).unwrap();
    let face = platform.face(None).unwrap();
    let (_, request) = Exchange::begin(&platform, face, &hop.model, &ask, 0)?;
    assert_eq!(request.headers["anthropic-version"], "2023-06-01");
    Ok(serde_json::from_slice(&request.body).unwrap())
}

fn body(model: &str, ask: Value) -> Value {
    sent(model, ask).unwrap()
}

/// A field of a body, null where it is not there.
fn field(model: &str, ask: Value, name: &str) -> Value {
    body(model, ask)[name].clone()
}

fn refused(ask: Value) -> String {
    let error = sent("claude-haiku-4-5", ask.clone()).err();
    error.unwrap_or_else(|| panic!("{ask} was taken")).param.unwrap()
}

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name}})
}

fn call(id: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}})
}

#[test]
fn what_messages_cannot_say_is_refused_with_its_name() {
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    for (ask, param) in [
        (json!({"n": 2}), "n"),
        (json!({"logprobs": true}), "logprobs"),
        (json!({"top_logprobs": 3}), "top_logprobs"),
        (json!({"audio": {"voice": "x"}}), "audio"),
        (json!({"web_search_options": {}}), "web_search_options"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"max_completion_tokens": 1.5}), "max_completion_tokens"),
        (json!({"stop": 7}), "stop"),
        (json!({"stop": ["a", 7]}), "stop"),
        (json!({"reasoning_effort": "utmost"}), "reasoning_effort"),
        (json!({"response_format": {"type": "xml"}}), "response_format"),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}}),
            "response_format.json_schema.schema",
        ),
        (json!({"tool_choice": "required"}), "tool_choice"),
        (
            json!({"tools": [function("f")], "tool_choice": {"type": "function", "function": {"name": "g"}}}),
            "tool_choice",
        ),
        (json!({"tools": [{"type": "custom", "custom": {"name": "c"}}]}), "tools[0].type"),
        (json!({"tools": [{"type": "function", "function": {}}]}), "tools[0].function.name"),
        (user(json!([{"type": "input_audio", "input_audio": {}}])), "messages[0].content[0]"),
        (
            user(
                json!([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "ftp://x"}}]),
            ),
            "messages[0].content[1]",
        ),
        (user(json!([{"type": "file", "file": {"file_id": "f"}}])), "messages[0].content[0]"),
        (user(json!(null)), "messages[0].content"),
        (json!({"messages": [{"role": "critic", "content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "system", "content": "x"}]}), "messages"),
        (json!({"messages": [{"role": "tool", "tool_call_id": "c", "content": "x"}]}), "messages"),
        (json!({"messages": [{"role": "assistant", "tool_calls": [call("c")]}]}), "messages"),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [call("c")]},
                {"role": "user", "content": "well?"}]}),
            "messages",
        ),
        (
            json!({"messages": [{"role": "assistant", "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": "[1]"}}]}]}),
            "messages[0].tool_calls[0]",
        ),
        (
            json!({"messages": [{"role": "assistant", "content": "x", "thinking_blocks": [{"text": "x"}]}]}),
            "messages[0].thinking_blocks",
        ),
    ] {
        assert_eq!(refused(ask.clone()), param, "{ask}");
    }
}

#[test]
fn what_only_tunes_or_nobody_knows_is_left_out_and_what_messages_alone_has_goes_on() {
    let body = body(
        "claude-haiku-4-5",
        json!({"max_tokens": 5, "n": 1, "seed": 1, "logprobs": false, "frequency_penalty": 1,
            "presence_penalty": 1, "logit_bias": {}, "store": true, "metadata": {"a": "b"},
            "verbosity": "low", "stream": false, "stream_options": null, "prompt_cache_key": "k",
            "parallel_tool_calls": false, "tool_choice": "auto", "x_new": {"a": [1.0]}, "top_k": 4,
            "account_id": 3, "tools": [], "response_format": {"type": "text"}, "top_logprobs": 0}),
    );
    let wanted = json!({"model": "claude-haiku-4-5", "max_tokens": 5, "top_k": 4,
        "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(body, wanted);
}

#[test]
fn the_limit_is_the_callers_else_the_models_and_without_a_stream_what_can_be_waited_for() {
    let limit = |model, ask| field(model, ask, "max_tokens");
    assert_eq!(limit("claude-haiku-4-5", json!({})), 21_333);
    assert_eq!(limit("claude-haiku-4-5", json!({"stream": true})), 64_000);
    assert_eq!(limit("claude-opus-5", json!({"max_tokens": 999_999})), 128_000);
    let both = json!({"max_tokens": 7, "max_completion_tokens": 9});
    assert_eq!(limit("claude-opus-5", both), 9);
    assert_eq!(limit("claude-nobody-listed", json!({"stream": true})), 21_333);
}

#[test]
fn stops_are_a_list_without_blanks() {
    let stops = |stop: Value| field("claude-opus-5", json!({"stop": stop}), "stop_sequences");
    assert_eq!(stops(json!("###")), json!(["###"]));
    assert_eq!(stops(json!(["\n", "a", " "])), json!(["a"]));
    assert_eq!(stops(json!(["\n"])), Value::Null);
    assert_eq!(stops(json!(null)), Value::Null);
}

#[test]
fn people_and_tiers_have_other_names() {
    let body = body(
        "claude-opus-5",
        json!({"user": "u", "safety_identifier": "s", "service_tier": "default"}),
    );
    assert_eq!(body["metadata"], json!({"user_id": "u"}));
    assert_eq!(body["service_tier"], "standard_only");
    assert!(body.get("user").is_none() && body.get("safety_identifier").is_none());
    let long = json!({"user": "x".repeat(300), "safety_identifier": "s", "service_tier": "flex"});
    let body = self::body("claude-opus-5", long);
    assert_eq!((&body["metadata"]["user_id"], body.get("service_tier")), (&json!("s"), None));
}

#[test]
fn every_models_thinking_is_asked_for_in_its_words() {
    let adaptive = || json!({"type": "adaptive", "display": "summarized"});
    let budget = |tokens: u64| json!({"type": "enabled", "budget_tokens": tokens});
    let disabled = || json!({"type": "disabled"});
    for (model, effort, thinking, output) in [
        ("claude-opus-5-5", "high", adaptive(), json!({"effort": "high"})),
        ("claude-opus-5-5", "minimal", adaptive(), json!({"effort": "low"})),
        ("claude-opus-5-5", "max", adaptive(), json!({"effort": "max"})),
        ("claude-opus-5-5", "none", Value::Null, json!({"effort": "low"})),
        ("claude-sonnet-5-5", "none", json!({"type": "between_tools"}), Value::Null),
        ("claude-haiku-5-5", "none", disabled(), Value::Null),
        ("claude-opus-5", "none", disabled(), Value::Null),
        ("claude-opus-4-8", "none", Value::Null, Value::Null),
        ("claude-sonnet-4-6", "xhigh", adaptive(), json!({"effort": "high"})),
        ("claude-haiku-4-5", "minimal", budget(1024), Value::Null),
        ("claude-haiku-4-5", "low", budget(4096), Value::Null),
        ("claude-haiku-4-5", "medium", budget(16_384), Value::Null),
        ("claude-haiku-4-5", "max", budget(21_332), Value::Null),
        ("claude-haiku-4-5", "none", Value::Null, Value::Null),
        ("claude-nobody-listed", "low", adaptive(), json!({"effort": "low"})),
    ] {
        let body = body(model, json!({"reasoning_effort": effort}));
        assert_eq!(body["thinking"], thinking, "{model} {effort}");
        assert_eq!(body["output_config"], output, "{model} {effort}");
    }
    let little = json!({"reasoning_effort": "low", "max_tokens": 1024});
    assert_eq!(field("claude-haiku-4-5", little, "thinking"), Value::Null);
    let own = json!({"reasoning_effort": "low", "thinking": {"type": "disabled"}});
    assert_eq!(field("claude-opus-5", own, "thinking"), disabled());
}

#[test]
fn sampling_goes_where_the_model_keeps_it_and_not_with_thinking() {
    let ask = |more: Value| {
        let mut ask = json!({"temperature": 0.5, "top_p": 0.9});
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask
    };
    let kept = body("claude-sonnet-4-6", ask(json!({})));
    assert_eq!((&kept["temperature"], kept.get("top_p")), (&json!(0.5), None));
    assert_eq!(field("claude-sonnet-4-6", json!({"top_p": 1.5}), "top_p"), 1.0);
    for (model, more) in [
        ("claude-sonnet-4-6", json!({"reasoning_effort": "low"})),
        ("claude-haiku-4-5", json!({"reasoning_effort": "low"})),
        ("claude-opus-4-7", json!({"top_k": 5})),
        ("claude-opus-5-5", json!({"top_k": 5})),
    ] {
        let body = body(model, ask(more));
        for name in ["temperature", "top_p", "top_k"] {
            assert!(body.get(name).is_none(), "{model} {name}");
        }
    }
}

#[test]
fn a_tool_is_forced_where_the_model_lets_it() {
    let named = json!({"type": "function", "function": {"name": "g"}});
    let allowed = |mode: &str| json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [function("g")]}});
    for (model, choice, effort, wanted, names) in [
        ("claude-haiku-4-5", json!("required"), "none", json!({"type": "any"}), "fg"),
        ("claude-haiku-4-5", named.clone(), "none", json!({"type": "tool", "name": "g"}), "fg"),
        ("claude-haiku-4-5", named.clone(), "low", json!({"type": "auto"}), "g"),
        ("claude-opus-5", json!("required"), "low", json!({"type": "any"}), "fg"),
        ("claude-sonnet-5-5", json!("required"), "none", json!({"type": "auto"}), "fg"),
        ("claude-sonnet-5-5", named, "none", json!({"type": "auto"}), "g"),
        ("claude-opus-5", json!("none"), "low", json!({"type": "none"}), "fg"),
        ("claude-opus-5", json!("auto"), "low", Value::Null, "fg"),
        ("claude-opus-5", allowed("required"), "low", json!({"type": "any"}), "g"),
        ("claude-opus-5", allowed("auto"), "low", json!({"type": "auto"}), "g"),
    ] {
        let ask = json!({"tools": [function("f"), function("g")], "tool_choice": choice,
            "reasoning_effort": effort});
        let body = body(model, ask);
        assert_eq!(body["tool_choice"], wanted, "{model} {choice}");
        let sent = body["tools"].as_array().unwrap().iter();
        let sent: String = sent.map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(sent, names, "{model} {choice}");
    }
}

#[test]
fn a_tool_without_parameters_takes_an_object_and_strictness_is_kept() {
    let tools = json!([function("f"), {"type": "function", "function": {"name": "g",
        "strict": true, "description": "d", "parameters": {"properties": {}}}}]);
    let ask = json!({"tools": tools, "parallel_tool_calls": false});
    let body = body("claude-opus-5", ask);
    let wanted = json!([{"name": "f", "input_schema": {"type": "object"}},
        {"name": "g", "description": "d", "input_schema": {"type": "object", "properties": {}},
            "strict": true}]);
    assert_eq!(body["tools"], wanted);
    assert_eq!(body["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
}

#[test]
fn images_and_documents_become_sources() {
    let parts = json!([
        {"type": "text", "text": "看"}, {"type": "text", "text": ""},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
    ]);
    let body = body("claude-opus-5", json!({"messages": [{"role": "user", "content": parts}]}));
    let wanted = json!([
        {"type": "text", "text": "看"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
    ]);
    assert_eq!(body["messages"][0]["content"], wanted);
}

#[test]
fn json_mode_is_asked_for_in_words_and_late_instructions_are_lifted() {
    let body = body(
        "claude-opus-5",
        json!({"response_format": {"type": "json_object"}, "messages": [
            {"role": "user", "content": "a"},
            {"role": "system", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
            {"role": "user", "content": "d"}]}),
    );
    assert_eq!(body["system"], "b\n\nc\n\nAnswer with one JSON object.");
    let one = json!([{"role": "user", "content": [
        {"type": "text", "text": "a"}, {"type": "text", "text": "d"}]}]);
    assert_eq!(body["messages"], one);
}

#[test]
fn thinking_blocks_go_back_before_the_calls_that_they_led_to() {
    let thought = json!({"type": "thinking", "thinking": "", "signature": "S=="});
    let history = |blocks: Value| {
        json!({"reasoning_effort": "low", "messages": [
            {"role": "user", "content": "?"},
            {"role": "assistant", "content": "Let me see.", "reasoning_content": "hm",
                "thinking_blocks": blocks, "tool_calls": [call("c")]},
            {"role": "tool", "tool_call_id": "c", "content": "7"}]})
    };
    // What another platform thought is left out.
    let foreign = json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "x"});
    let with = body("claude-haiku-4-5", history(json!([foreign, thought])));
    let turn = json!([thought, {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "c", "name": "f", "input": {}}]);
    assert_eq!(with["messages"][1]["content"], turn);
    assert_eq!(with["thinking"]["type"], "enabled");
    // A model with a budget refuses to go on thinking where its thinking is gone.
    let without = body("claude-haiku-4-5", history(json!(null)));
    assert_eq!(without.get("thinking"), None);
    let adaptive = body("claude-opus-5", history(json!(null)));
    assert_eq!(adaptive["thinking"]["type"], "adaptive");
}

#[test]
fn empty_answers_go_and_refusals_are_what_was_said() {
    let messages = json!([
        {"role": "user", "content": "a"}, {"role": "assistant", "content": ""},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": null, "refusal": "No."}, {"role": "user", "content": "c"},
    ]);
    let sent = field("claude-opus-5", json!({"messages": messages}), "messages");
    let roles: Vec<&str> =
        sent.as_array().unwrap().iter().map(|turn| turn["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    assert_eq!(sent[1]["content"], "No.");
}

#[test]
fn the_old_form_of_tools_is_read_as_tools() {
    let body = body(
        "claude-haiku-4-5",
        json!({"functions": [{"name": "f"}], "function_call": {"name": "f"}, "messages": [
            {"role": "user", "content": "?"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "7"}]}),
    );
    assert_eq!(body["tools"][0]["name"], "f");
    assert_eq!(body["tool_choice"], json!({"type": "tool", "name": "f"}));
    assert_eq!(
        body["messages"][1]["content"][0]["id"],
        body["messages"][2]["content"][0]["tool_use_id"]
    );
    assert!(body.get("functions").is_none() && body.get("function_call").is_none());
}
