//! What the worked examples don't reach: each field mapped, left out or refused.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::front::{BadRequest, ChatRequest};
use crate::platforms::{Catalogue, DialectName, Exchange, Face, Kind};

/// The request for an account of this kind, of the caller's fields beside the model.
fn sent(kind: Kind, ask: Value) -> Result<Value, BadRequest> {
    let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
    let platform = Arc::clone(catalogue.platform("openai").unwrap());
    let hop = catalogue.resolve_on(&platform, "gpt-5.4-mini");
    let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(ask.as_object().unwrap().clone());
    let ask = ChatRequest::parse(Bytes::from(body.to_string())).unwrap();
    let face = platform.face(Some(DialectName::OpenaiResponses)).unwrap();
    let (_, request) = Exchange::begin(&platform, Face::of(face, kind), &hop.model, &ask, 0)?;
    assert_eq!(request.url.path(), "/v1/responses");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(request.streams, body["stream"] == json!(true));
    assert_eq!(body["store"], json!(false));
    Ok(body)
}

fn body(ask: Value) -> Value {
    sent(Kind::Key, ask).unwrap()
}

fn refused(ask: Value) -> String {
    let error = sent(Kind::Key, ask.clone()).err();
    error.unwrap_or_else(|| panic!("{ask} was taken")).param.unwrap()
}

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name}})
}

fn flat(name: &str) -> Value {
    json!({"type": "function", "name": name, "strict": false,
        "parameters": {"type": "object", "properties": {}, "additionalProperties": false}})
}

#[test]
fn what_responses_cannot_say_is_refused_with_its_name() {
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let assistant = |fields: Value| json!({"messages": [{"role": "user", "content": "a"}, fields]});
    let called = |call: Value| assistant(json!({"role": "assistant", "tool_calls": [call]}));
    for (ask, param) in [
        (json!({"n": 2}), "n"),
        (json!({"logprobs": true}), "logprobs"),
        (json!({"audio": {"voice": "x"}}), "audio"),
        (json!({"web_search_options": {}}), "web_search_options"),
        (json!({"response_format": 7}), "response_format"),
        (json!({"response_format": {"type": "json_schema"}}), "response_format.json_schema"),
        (json!({"tools": [{"type": "custom", "custom": {"name": "c"}}]}), "tools[0].type"),
        (json!({"tools": [{"type": "function", "function": {}}]}), "tools[0].function.name"),
        (
            json!({"tools": [function("f")], "tool_choice": {"type": "custom", "custom": {"name": "c"}}}),
            "tool_choice",
        ),
        (json!({"messages": ["x"]}), "messages[0]"),
        (json!({"messages": [{"role": "wizard", "content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "user"}]}), "messages[0].content"),
        (
            json!({"messages": [{"role": "system", "content": [{"type": "image_url"}]}]}),
            "messages[0].content[0]",
        ),
        (user(json!([{"type": "input_audio", "input_audio": {}}])), "messages[0].content[0]"),
        (user(json!([{"type": "text", "text": "a"}, {"type": "text"}])), "messages[0].content[1]"),
        (user(json!([{"text": "a"}])), "messages[0].content[0]"),
        (user(json!([{"type": "image_url", "image_url": {}}])), "messages[0].content[0]"),
        (user(json!([{"type": "file", "file": {"filename": "x"}}])), "messages[0].content[0]"),
        (assistant(json!({"role": "assistant", "content": 7})), "messages[1].content"),
        (
            assistant(json!({"role": "assistant", "content": "x", "thinking_blocks": [7]})),
            "messages[1].thinking_blocks",
        ),
        (
            called(json!({"type": "function", "function": {"name": "f"}})),
            "messages[1].tool_calls[0]",
        ),
        (called(json!({"id": "c", "type": "custom", "custom": {}})), "messages[1].tool_calls[0]"),
        (called(json!({"id": "c", "function": {}})), "messages[1].tool_calls[0]"),
        (assistant(json!({"role": "tool", "content": "x"})), "messages[1].tool_call_id"),
    ] {
        assert_eq!(refused(ask.clone()), param, "{ask}");
    }
}

#[test]
fn what_only_tunes_and_what_nobody_knows_stays_here() {
    let tuned = body(json!({
        "stop": ["x"], "seed": 7, "frequency_penalty": 1, "presence_penalty": 1, "n": 1,
        "logit_bias": {"1": 2}, "logprobs": false, "modalities": ["text"], "store": true,
        "prediction": {"type": "content", "content": "x"}, "account_id": 7,
        "previous_response_id": "resp_1", "background": true, "input": "x", "enable_thinking": true,
        "stream_options": {"include_usage": true}, "temperature": null, "tools": null,
    }));
    let keys: Vec<&String> = tuned.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["model", "input", "store"]);
}

#[test]
fn what_has_the_same_name_goes_as_it_came() {
    let same = json!({
        "metadata": {"a": "b"}, "moderation": {"model": "omni-moderation-latest"},
        "parallel_tool_calls": false, "prompt_cache_key": "k",
        "prompt_cache_options": {"mode": "explicit"}, "prompt_cache_retention": "24h",
        "safety_identifier": "s", "service_tier": "flex", "temperature": 0.25,
        "top_logprobs": 3, "top_p": 0.5, "user": "u",
    });
    let out = body(same.clone());
    for (name, value) in same.as_object().unwrap() {
        assert_eq!(&out[name], value, "{name}");
    }
    let plan = sent(Kind::Oauth, same.clone()).unwrap();
    let left: Vec<&String> =
        same.as_object().unwrap().keys().filter(|name| plan.get(*name).is_some()).collect();
    assert_eq!(left, ["parallel_tool_calls", "prompt_cache_key", "prompt_cache_options"]);
}

#[test]
fn the_answers_limit_has_one_name_and_a_least_value() {
    for (ask, limit) in [
        (json!({"max_tokens": 100}), json!(100)),
        (json!({"max_completion_tokens": 16}), json!(16)),
        (json!({"max_completion_tokens": 20, "max_tokens": 30}), json!(20)),
        (json!({"max_tokens": 1}), json!(16)),
        (json!({"max_tokens": 0}), json!(0)),
        (json!({"max_tokens": "x"}), json!("x")),
        (json!({}), Value::Null),
    ] {
        assert_eq!(body(ask.clone())["max_output_tokens"], limit, "{ask}");
        let plan = sent(Kind::Oauth, ask).unwrap();
        assert_eq!(plan.get("max_output_tokens"), None);
    }
}

#[test]
fn the_answers_form_stands_in_text() {
    let schema = json!({"name": "n", "description": "d", "strict": true, "schema": {"type": "object", "n": 1.50}});
    for (ask, text) in [
        (json!({"verbosity": "low"}), json!({"verbosity": "low"})),
        (json!({"response_format": {"type": "text"}}), json!({"format": {"type": "text"}})),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": schema}, "verbosity": "high"}),
            json!({"format": {"type": "json_schema", "name": "n", "description": "d", "strict": true,
                "schema": {"type": "object", "n": 1.50}}, "verbosity": "high"}),
        ),
        (json!({"response_format": null}), Value::Null),
    ] {
        assert_eq!(body(ask.clone())["text"], text, "{ask}");
    }
}

#[test]
fn json_mode_is_asked_for_in_an_item_where_only_the_instructions_do() {
    let input = |messages: Value| {
        let ask = json!({"messages": messages, "response_format": {"type": "json_object"}});
        body(ask)["input"].as_array().unwrap().clone()
    };
    let hi = json!({"role": "user", "content": "hi"});
    let asked = input(json!([{"role": "system", "content": "Answer in JSON."}, hi]));
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1]["role"], "developer");
    assert!(asked[1]["content"][0]["text"].as_str().unwrap().contains("JSON"));
    // Said in an item, or nowhere: nothing is added.
    assert_eq!(input(json!([{"role": "user", "content": "As json, please."}])).len(), 1);
    assert_eq!(input(json!([hi])).len(), 1);
}

#[test]
fn a_function_is_flat_and_strict_only_where_it_is_said() {
    let tools = json!([
        {"type": "function", "function": {"name": "a", "description": "d", "parameters": {"x": 1.0}, "strict": true}},
        function("b"),
        {"type": "function", "function": {"name": "c", "parameters": null, "strict": null}},
    ]);
    let out = body(json!({"tools": tools}));
    let a = json!({"type": "function", "name": "a", "description": "d", "parameters": {"x": 1.0}, "strict": true});
    assert_eq!(out["tools"], json!([a, flat("b"), flat("c")]));
    assert_eq!(out.get("tool_choice"), None);
    let old = body(json!({"functions": [{"name": "f"}], "function_call": {"name": "f"}}));
    assert_eq!(old["tools"], json!([flat("f")]));
    assert_eq!(old["tool_choice"], json!({"type": "function", "name": "f"}));
}

#[test]
fn a_choice_of_tools_is_said_as_the_account_takes_it() {
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    let allowed = |mode: &str| {
        json!({"type": "allowed_tools",
        "allowed_tools": {"mode": mode, "tools": [function("b"), function("c")]}})
    };
    let there = |mode: &str| {
        json!({"type": "allowed_tools", "mode": mode, "tools": [
        {"type": "function", "name": "b"}, {"type": "function", "name": "c"}]})
    };
    for (choice, by_key, by_login, left) in [
        (json!("auto"), json!("auto"), json!("auto"), "abc"),
        (json!("none"), json!("none"), json!("none"), "abc"),
        (json!("required"), json!("required"), json!("required"), "abc"),
        (named("b"), json!({"type": "function", "name": "b"}), json!("required"), "b"),
        (allowed("auto"), there("auto"), json!("auto"), "bc"),
        (allowed("required"), there("required"), json!("required"), "bc"),
    ] {
        let ask =
            json!({"tools": [function("a"), function("b"), function("c")], "tool_choice": choice});
        let key = body(ask.clone());
        assert_eq!((&key["tool_choice"], key["tools"].as_array().unwrap().len()), (&by_key, 3));
        let login = sent(Kind::Oauth, ask).unwrap();
        assert_eq!((&login["tool_choice"], login.get("tools")), (&by_login, None));
        let first = &login["input"][0];
        assert_eq!(
            (&first["type"], &first["role"]),
            (&json!("additional_tools"), &json!("developer"))
        );
        let names =
            first["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap());
        assert_eq!(names.collect::<String>(), left);
    }
}

#[test]
fn every_role_and_part_has_its_item() {
    let text = |text: &str| json!([{"type": "input_text", "text": text}]);
    let message =
        |role: &str, content: Value| json!({"type": "message", "role": role, "content": content});
    for (messages, instructions, input) in [
        // Instructions alone are no input.
        (
            json!([{"role": "system", "content": "你"}]),
            Value::Null,
            json!([message("developer", text("你"))]),
        ),
        (
            json!([{"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                {"role": "user", "content": ""}]),
            json!("a\n\nb"),
            json!([message("user", text(""))]),
        ),
        (
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": "https://x/y"},
                {"type": "file", "file": {"filename": "f.pdf", "file_data": "data:application/pdf;base64,JQ=="}},
                {"type": "file", "file": {"file_id": "file-1"}}]}]),
            Value::Null,
            json!([message(
                "user",
                json!([
                {"type": "input_image", "image_url": "https://x/y", "detail": "auto"},
                {"type": "input_file", "filename": "f.pdf", "file_data": "data:application/pdf;base64,JQ=="},
                {"type": "input_file", "file_id": "file-1"}])
            )]),
        ),
        (
            json!([{"role": "user", "content": "a", "name": "n"}, {"role": "assistant", "content": ""},
                {"role": "assistant", "content": "é🙂"}, {"role": "assistant", "refusal": "no"},
                {"role": "assistant", "content": [{"type": "text", "text": "t"}, {"type": "refusal", "refusal": "r"}]},
                {"role": "system", "content": "s"}]),
            Value::Null,
            json!([
                message("user", text("a")),
                message("assistant", json!([{"type": "output_text", "text": "é🙂"}])),
                message("assistant", json!([{"type": "refusal", "refusal": "no"}])),
                message(
                    "assistant",
                    json!([{"type": "output_text", "text": "t"}, {"type": "refusal", "refusal": "r"}])
                ),
                message("developer", text("s"))
            ]),
        ),
        (
            json!([{"role": "user", "content": "a"},
                {"role": "assistant", "function_call": {"name": "f", "arguments": "{\"x\":1}"}},
                {"role": "function", "name": "f", "content": "7"}]),
            Value::Null,
            json!([message("user", text("a")),
                {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{\"x\":1}"},
                {"type": "function_call_output", "call_id": "call_1", "output": "7"}]),
        ),
    ] {
        let out = body(json!({"messages": messages}));
        assert_eq!((&out["instructions"], &out["input"]), (&instructions, &input), "{messages}");
    }
}
