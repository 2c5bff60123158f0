//! What is sent, and what is refused before.

use serde_json::{Value, json};

use super::begin;

fn body(model: &str, more: Value) -> Value {
    serde_json::from_slice(&begin(model, more).unwrap().1.body).unwrap()
}

fn refused(model: &str, more: Value) -> Option<String> {
    begin(model, more).map(|_| ()).unwrap_err().param
}

#[test]
fn a_stream_is_asked_for_by_a_header_and_whatever_says_its_form_is_ours() {
    let own = json!({"stream": true, "stream_options": {"include_usage": true}, "top_k": 3,
        "result_format": "text", "incremental_output": false, "enable_search": true, "user": "u"});
    let (_, request) = begin("qwen3-max", own).unwrap();
    assert_eq!(request.headers["x-dashscope-sse"], "enable");
    assert!(request.streams);
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let parameters = json!({"result_format": "message", "incremental_output": true, "top_k": 3,
        "enable_search": true});
    let messages = json!([{"role": "user", "content": "hi"}]);
    let wanted =
        json!({"model": "qwen3-max", "input": {"messages": messages}, "parameters": parameters});
    assert_eq!(body, wanted);

    let (_, request) = begin("qwen3-max", json!({"stream": false})).unwrap();
    assert!(request.headers.is_empty() && !request.streams);
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["parameters"], json!({"result_format": "message"}));
}

#[test]
fn models_that_see_have_an_endpoint_and_a_form_of_their_own() {
    let text = "/api/v1/services/aigc/text-generation/generation";
    let multimodal = "/api/v1/services/aigc/multimodal-generation/generation";
    for (model, path) in [
        ("qwen-plus", text),
        ("qwen-plus-2025-07-28", text),
        ("qwen3-max", text),
        ("qwen3.7-max", text),
        ("qwen3-32b", text),
        ("qwen3.7-plus", multimodal),
        ("qwen3.7-plus-2026-05-01", multimodal),
        ("qwen3.5-plus", multimodal),
        ("qwen3.5-397b-a17b", multimodal),
        ("qwen3-vl-plus", multimodal),
        ("qwen3-vl-8b-instruct", multimodal),
        ("qwen4-max", multimodal),
    ] {
        let (_, request) = begin(model, json!({})).unwrap();
        assert_eq!(request.url.path(), path, "{model}");
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let content = if path == text { json!("hi") } else { json!([{"text": "hi"}]) };
        assert_eq!(body["input"]["messages"][0]["content"], content, "{model}");
    }
}

#[test]
fn parts_are_told_by_their_keys() {
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let messages = json!([
        {"role": "system", "content": "Look."},
        {"role": "user", "content": [
            {"type": "text", "text": "what \"is\" it?"},
            {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "high"}},
            {"type": "image_url", "image_url": "https://x.test/b.png"},
            {"type": "video_url", "video_url": {"url": "https://x.test/c.mp4"}}]},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "7"}]);
    let sent = body("qwen3-vl-plus", json!({"messages": messages}));
    let wanted = json!([
        {"role": "system", "content": [{"text": "Look."}]},
        {"role": "user", "content": [{"text": "what \"is\" it?"}, {"image": "https://x.test/a.png"},
            {"image": "https://x.test/b.png"}, {"video": "https://x.test/c.mp4"}]},
        {"role": "assistant", "content": [{"text": ""}], "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": [{"text": "7"}]}]);
    assert_eq!(sent["input"]["messages"], wanted);
}

#[test]
fn content_that_the_endpoint_lacks_is_refused_by_its_place() {
    let with = |part: Value| {
        let image = json!({"type": "image_url", "image_url": {"url": "https://x.test/a.png"}});
        json!({"messages": [{"role": "user", "content": "hi"}, {"role": "user", "content": [image, part]}]})
    };
    let sound = json!({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}});
    let place = Some("messages[1].content[1]");
    assert_eq!(refused("qwen3-vl-plus", with(sound)).as_deref(), place);
    for strange in
        [json!({"text": "no type"}), json!({"type": "image_url"}), json!({"type": "text"})]
    {
        assert_eq!(refused("qwen3-vl-plus", with(strange)).as_deref(), place);
    }
    let nothing = Some("messages[1].content");
    // Nobody knows whether this one sees; its endpoint takes texts alone.
    let text = json!({"type": "text", "text": "and this?"});
    assert_eq!(refused("qwen-math-plus", with(text)).as_deref(), nothing);
}

#[test]
fn rules_are_those_of_compatible_mode_but_for_what_the_nest_allows() {
    let parameters = |more: Value| body("qwen3.7-max", more)["parameters"].clone();
    assert_eq!(parameters(json!({"seed": -1}))["seed"], json!(i64::MAX));
    assert_eq!(parameters(json!({"seed": 4_294_967_296_u64}))["seed"], json!(4_294_967_296_u64));
    assert_eq!(parameters(json!({"temperature": 2}))["temperature"], json!(1.99));
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
    let forced = parameters(json!({"tools": tools, "tool_choice": "required"}));
    assert_eq!(forced["tool_choice"]["function"]["name"], "f");
    assert_eq!(forced["enable_thinking"], false);
    let schema =
        json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}});
    let asked = body("qwen3.7-max", json!({"response_format": schema}));
    assert_eq!(asked["parameters"]["response_format"], json!({"type": "json_object"}));
    assert!(asked["input"]["messages"][0]["content"].as_str().unwrap().contains("JSON Schema"));
    let functions = body("qwen3-max", json!({"functions": [{"name": "f"}]}));
    assert_eq!(functions["parameters"]["tools"][0]["function"]["name"], "f");
}
