//! What an OpenAI caller may send, and what each field is tried with.

use serde_json::{Value, json};

/// One row of the table: a field, and the values that it is tried with.
pub struct Probe {
    /// Its name for the reader.
    pub name: &'static str,
    /// The field that is set.
    pub field: &'static str,
    /// Tried one after another.
    pub values: Vec<Value>,
    /// What else the request says, with the value and without it.
    pub beside: Value,
}

/// Every field of a chat completion (the official SDK's `completion_create_params`), what
/// messages may have in them, and a field that nobody knows.
pub fn probes() -> Vec<Probe> {
    let function =
        json!({"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true});
    let tools = json!([{"type": "function", "function": function}]);
    let with_tools = json!({"tools": tools});
    let call =
        json!([{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    let plain = |field, values: &[Value]| Probe {
        name: field,
        field,
        values: values.to_vec(),
        beside: json!({}),
    };
    let beside = |field, beside: &Value, values: &[Value]| Probe {
        name: field,
        field,
        values: values.to_vec(),
        beside: beside.clone(),
    };
    let said = |name, messages: Value| Probe {
        name,
        field: "messages",
        values: vec![messages],
        beside: json!({}),
    };
    let image = |image: Value| {
        let text = json!({"type": "text", "text": "?"});
        json!([{"role": "user", "content": [text, {"type": "image_url", "image_url": image}]}])
    };
    let schema = json!({"name": "s", "schema": {"type": "object"}, "strict": true});
    let functions = json!({"functions": [function]});
    vec![
        said(
            "messages: system, later developer",
            json!([{"role": "system", "content": "a"}, {"role": "developer", "content": "b"},
                   {"role": "user", "content": "?"}]),
        ),
        said(
            "messages: a content of text parts",
            json!([{"role": "user", "content": [{"type": "text", "text": "a"},
                   {"type": "text", "text": "b"}]}]),
        ),
        said("messages: name", json!([{"role": "user", "name": "n", "content": "?"}])),
        said(
            "messages: an image by URL",
            image(json!({"url": "https://x.test/i.png", "detail": "low"})),
        ),
        said("messages: an image as data", image(json!({"url": "data:image/png;base64,AAAA"}))),
        Probe {
            name: "messages: calls and their results",
            field: "messages",
            values: vec![json!([
                {"role": "user", "content": "?"},
                {"role": "assistant", "content": null, "tool_calls": call},
                {"role": "tool", "tool_call_id": "c1", "content": "r"},
            ])],
            beside: with_tools.clone(),
        },
        Probe {
            name: "messages: thinking_blocks of another platform",
            field: "messages",
            values: vec![json!([
                {"role": "user", "content": "?"},
                {"role": "assistant", "content": "a", "thinking_blocks": [{"type": "other"}]},
                {"role": "user", "content": "?"},
            ])],
            beside: json!({"messages": [
                {"role": "user", "content": "?"},
                {"role": "assistant", "content": "a"},
                {"role": "user", "content": "?"},
            ]}),
        },
        plain("account_id", &[json!(7)]),
        plain("audio", &[json!({"voice": "alloy", "format": "wav"})]),
        plain("frequency_penalty", &[json!(-2), json!(0.5), json!(2)]),
        beside("function_call", &functions, &[json!("auto"), json!({"name": "f"})]),
        plain("functions", &[json!([function])]),
        plain("logit_bias", &[json!({"1": 5})]),
        plain("logprobs", &[json!(true), json!(false)]),
        plain("max_completion_tokens", &[json!(5), json!(9_999_999)]),
        plain("max_tokens", &[json!(5), json!(9_999_999)]),
        plain("metadata", &[json!({"a": "b"})]),
        plain("modalities", &[json!(["text"])]),
        plain("moderation", &[json!({"model": "m"})]),
        plain("n", &[json!(1), json!(2)]),
        beside("parallel_tool_calls", &with_tools, &[json!(true), json!(false)]),
        plain("prediction", &[json!({"type": "content", "content": "p"})]),
        plain("presence_penalty", &[json!(-2), json!(0.5), json!(2)]),
        plain("prompt_cache_key", &[json!("k")]),
        plain("prompt_cache_options", &[json!({"ttl": "1h"})]),
        plain("prompt_cache_retention", &[json!("24h")]),
        plain(
            "reasoning_effort",
            &["none", "minimal", "low", "medium", "high", "xhigh"].map(|effort| json!(effort)),
        ),
        plain(
            "response_format",
            &[
                json!({"type": "text"}),
                json!({"type": "json_object"}),
                json!({"type": "json_schema", "json_schema": schema}),
            ],
        ),
        plain("safety_identifier", &[json!("someone")]),
        plain("seed", &[json!(-1), json!(42), json!(4_294_967_296_u64)]),
        plain("service_tier", &[json!("auto"), json!("default"), json!("flex")]),
        plain("stop", &[json!("a"), json!(["a", "b"]), json!(["a", "b", "c", "d", "e"])]),
        plain("store", &[json!(true), json!(false)]),
        plain("stream", &[json!(true)]),
        beside(
            "stream_options",
            &json!({"stream": true}),
            &[json!({"include_usage": true}), json!({"include_obfuscation": false})],
        ),
        plain("temperature", &[json!(0), json!(0.7), json!(2)]),
        beside(
            "tool_choice",
            &with_tools,
            &[
                json!("auto"),
                json!("none"),
                json!("required"),
                json!({"type": "function", "function": {"name": "f"}}),
                json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
                    {"type": "function", "function": {"name": "f"}}]}}),
            ],
        ),
        plain("tools", std::slice::from_ref(&tools)),
        beside("top_logprobs", &json!({"logprobs": true}), &[json!(0), json!(20)]),
        plain("top_p", &[json!(0), json!(0.5), json!(1)]),
        plain("user", &[json!("u"), json!("someone-longer")]),
        plain("verbosity", &[json!("low")]),
        plain("web_search_options", &[json!({}), json!({"search_context_size": "high"})]),
        plain("a_field_of_its_own", &[json!(1)]),
    ]
}
