//! What the worked examples of `tests/fixtures/spark` do not show.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::front::{BadRequest, ChatRequest};
use crate::platforms::{Catalogue, DialectName, Exchange};

fn sent(model: &str, ask: Value) -> Result<Value, BadRequest> {
    let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
    let platform = catalogue.platform("spark").unwrap();
    let face = platform.face(Some(DialectName::SparkWs)).unwrap();
    let mut whole = json!({"messages": [{"role": "user", "content": "?"}]});
    whole.as_object_mut().unwrap().extend(ask.as_object().unwrap().clone());
    let ask = ChatRequest::parse(whole.to_string().into()).unwrap();
    let model = catalogue.resolve_on(platform, model).model;
    let (_, request) = Exchange::begin(platform, face, &Arc::clone(&model), &ask, 0)?;
    assert!(request.streams, "frames always stream");
    Ok(serde_json::from_slice(&request.body).unwrap())
}

fn frame(ask: Value) -> Value {
    sent("4.0Ultra", ask).unwrap()
}

fn chat(ask: Value) -> Value {
    frame(ask)["parameter"]["chat"].clone()
}

fn texts(messages: Value) -> Value {
    frame(json!({"messages": messages}))["payload"]["message"]["text"].clone()
}

fn param(model: &str, ask: Value) -> String {
    sent(model, ask).unwrap_err().param.unwrap()
}

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "description": "d", "strict": true}})
}

#[test]
fn every_model_has_its_own_address() {
    let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
    let platform = catalogue.platform("spark").unwrap();
    for (model, path) in [
        ("lite", "/v1.1/chat"),
        ("generalv3", "/v3.1/chat"),
        ("pro-128k", "/chat/pro-128k"),
        ("generalv3.5", "/v3.5/chat"),
        ("max-32k", "/chat/max-32k"),
        ("4.0Ultra", "/v4.0/chat"),
        ("spark-x", "/v1/x1"),
    ] {
        let reach = platform.model(model).unwrap().reach(DialectName::SparkWs).unwrap();
        assert_eq!(reach.url.to_string(), format!("wss://spark-api.xf-yun.com{path}"));
    }
}

#[test]
fn the_model_is_ours_to_name() {
    let chat = chat(json!({"domain": "dear", "Domain": "dearer", "account_id": 3, "top_k": 5}));
    assert_eq!(chat["domain"], "4.0Ultra");
    assert_eq!(chat["top_k"], 5);
    assert_eq!(chat.as_object().unwrap().len(), 3, "with the search that nobody asked for: {chat}");
}

#[test]
fn numbers_are_brought_into_range_and_what_only_tunes_is_left_out() {
    let chat =
        chat(json!({"temperature": 1.7, "max_tokens": 99999, "top_p": 0.5, "seed": 7, "n": 1}));
    assert_eq!((&chat["temperature"], &chat["max_tokens"]), (&json!(1), &json!(32768)));
    assert!(chat.get("top_p").is_none() && chat.get("seed").is_none() && chat.get("n").is_none());
    assert_eq!(param("lite", json!({"n": 2})), "n");
}

#[test]
fn a_user_of_at_most_32_letters_is_told() {
    assert_eq!(frame(json!({"user": "person-7"}))["header"]["uid"], "person-7");
    assert_eq!(frame(json!({"user": "p".repeat(33)}))["header"], json!({}));
}

#[test]
fn instructions_stand_first_and_later_ones_are_the_users() {
    let texts = texts(json!([
        {"role": "system", "content": "a"},
        {"role": "developer", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
        {"role": "user", "content": "d"},
        {"role": "system", "content": "e"},
    ]));
    assert_eq!(
        texts,
        json!([
            {"role": "system", "content": "a\n\nb\nc"},
            {"role": "user", "content": "d"},
            {"role": "user", "content": "e"},
        ])
    );
}

#[test]
fn calls_and_their_results_are_told_in_words() {
    let call = |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}});
    let texts = texts(json!([
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": "一起查", "tool_calls": [call("1", "f"), call("2", "g")]},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "🙂"}]},
        {"role": "tool", "tool_call_id": "1", "content": "7"},
        {"role": "assistant", "content": "", "tool_calls": [call("1", "h")]},
        {"role": "tool", "tool_call_id": "1", "content": "8"},
    ]));
    let contents: Vec<&str> =
        texts.as_array().unwrap().iter().map(|it| it["content"].as_str().unwrap()).collect();
    let wanted = [
        "?",
        "一起查\n[调用 f] {}\n[调用 g] {}",
        "[g 的结果] 🙂",
        "[f 的结果] 7",
        "[调用 h] {}",
        "[h 的结果] 8",
    ];
    assert_eq!(contents, wanted);
    let orphan = json!([{"role": "tool", "tool_call_id": "9", "content": "1"}]);
    assert_eq!(param("4.0Ultra", json!({"messages": orphan})), "messages[0].tool_call_id");
}

#[test]
fn the_old_form_of_calls_is_read_too() {
    let texts = texts(json!([
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "7"},
    ]));
    assert_eq!(texts[1], json!({"role": "assistant", "content": "[调用 f] {}"}));
    assert_eq!(texts[2], json!({"role": "user", "content": "[f 的结果] 7"}));
}

#[test]
fn a_choice_narrows_functions_and_none_leaves_them_out() {
    let ask =
        |choice: Value| json!({"tools": [function("f"), function("g")], "tool_choice": choice});
    let names = |choice: Value| -> Vec<String> {
        let frame = frame(ask(choice));
        let listed = frame["payload"]["functions"]["text"].as_array().cloned().unwrap_or_default();
        listed.iter().map(|function| function["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(json!("auto")), ["f", "g"]);
    assert_eq!(names(json!("required")), ["f", "g"]);
    assert_eq!(names(json!({"type": "function", "function": {"name": "g"}})), ["g"]);
    assert!(names(json!("none")).is_empty());
    let frame = frame(ask(json!("auto")));
    assert_eq!(frame["payload"]["functions"]["text"][0], json!({"name": "f", "description": "d"}));
    assert!(frame["parameter"]["chat"].get("tool_choice").is_none());
    assert_eq!(param("lite", json!({"tools": [function("f")]})), "tools");
}

#[test]
fn a_search_is_asked_for_or_forbidden() {
    let enabled = |ask: Value| chat(ask)["tools"][0]["web_search"]["enable"].clone();
    assert_eq!(enabled(json!({"web_search_options": {}})), json!(true));
    assert_eq!(enabled(json!({})), json!(false));
    let own = json!({"tools": [{"type": "web_search", "web_search": {"enable": true}}]});
    assert_eq!(chat(own)["tools"].as_array().unwrap().len(), 1, "the caller's own word wins");
    let lite = sent("lite", json!({"web_search_options": {}})).unwrap();
    assert!(lite["parameter"]["chat"].get("tools").is_none());
}

#[test]
fn a_format_becomes_an_instruction() {
    let format = |format: Value| {
        let ask = json!({"response_format": format, "messages": [
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": "?"}]});
        frame(ask)["payload"]["message"]["text"][0]["content"].as_str().unwrap().to_owned()
    };
    let schema =
        json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}});
    assert!(format(schema).ends_with("conforms to this JSON Schema:\n{\"type\":\"object\"}"));
    assert_eq!(format(json!({"type": "json_object"})), "Be brief.\n\nAnswer with one JSON object.");
    assert_eq!(format(json!({"type": "text"})), "Be brief.");
    let broken = json!({"response_format": {"type": "json_schema"}});
    assert_eq!(param("lite", broken), "response_format.json_schema.schema");
    assert_eq!(param("lite", json!({"response_format": 7})), "response_format");
}

#[test]
fn thinking_is_spark_xs_alone() {
    let thinking = |model: &str, effort: &str| {
        let frame = sent(model, json!({"reasoning_effort": effort})).unwrap();
        let chat = &frame["parameter"]["chat"];
        assert!(chat.get("reasoning_effort").is_none());
        chat["thinking"]["type"].clone()
    };
    assert_eq!(thinking("spark-x", "low"), "enabled");
    assert_eq!(thinking("spark-x", "none"), "disabled");
    assert_eq!(thinking("4.0Ultra", "high"), Value::Null);
}

#[test]
fn a_question_without_content_or_of_other_parts_is_refused() {
    let at = |message: Value| param("4.0Ultra", json!({"messages": [message]}));
    assert_eq!(at(json!({"role": "user"})), "messages[0].content");
    assert_eq!(at(json!({"role": "user", "content": 7})), "messages[0].content");
    let audio = json!({"role": "user", "content": [{"type": "input_audio"}]});
    assert_eq!(at(audio), "messages[0].content[0]");
    assert_eq!(at(json!({"role": "king", "content": "?"})), "messages[0].role");
    assert_eq!(at(json!({"role": "system", "content": "alone"})), "messages");
}

#[test]
fn a_model_that_sees_is_shown_one_picture_before_the_conversation() {
    let more = "[[platforms.spark.models]]\nname = 'seer'\nsees = true";
    let catalogue = Catalogue::load(&more.parse().unwrap()).unwrap();
    let spark = catalogue.platform("spark").unwrap();
    let face = spark.face(Some(DialectName::SparkWs)).unwrap();
    let ask = |parts: Value| {
        let body = json!({"model": "seer", "messages": [{"role": "user", "content": parts}]});
        let ask = ChatRequest::parse(body.to_string().into()).unwrap();
        Exchange::begin(spark, face, spark.model("seer").unwrap(), &ask, 0)
    };
    let text = || json!({"type": "text", "text": "这是什么?"});
    let picture = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let (_, request) = ask(json!([text(), picture("data:image/png;base64,AAAA")])).unwrap();
    let frame: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        frame["payload"]["message"]["text"],
        json!([
            {"role": "user", "content": "AAAA", "content_type": "image"},
            {"role": "user", "content": "这是什么?", "content_type": "text"},
        ])
    );
    let png = || picture("data:image/png;base64,AAAA");
    for refused in [
        json!([text(), picture("https://example.org/a.png")]),
        json!([text(), picture("data:image/gif;base64,AAAA")]),
    ] {
        assert_eq!(ask(refused).err().unwrap().param.unwrap(), "messages[0].content[1]");
    }
    let two = ask(json!([png(), png()])).err().unwrap();
    assert_eq!(two.param.unwrap(), "messages[0].content[1]");
}
