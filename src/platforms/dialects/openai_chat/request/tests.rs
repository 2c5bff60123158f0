//! Rules that the worked examples don't reach, one each.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::front::{BadRequest, ChatRequest};
use crate::platforms::{Catalogue, DialectName, Exchange};

/// The request for a platform's model, of the caller's fields beside the model.
fn sent(platform: &str, model: &str, ask: Value) -> Result<(Value, bool), BadRequest> {
    let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
    let platform = Arc::clone(catalogue.platform(platform).unwrap());
    let face = platform.face(Some(DialectName::OpenaiChat)).unwrap();
    let hop = catalogue.resolve_on(&platform, model);
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(ask.as_object().unwrap().clone());
    let ask = ChatRequest::parse(Bytes::from(body.to_string())).unwrap();
    let (_, request) = Exchange::begin(&platform, face, &hop.model, &ask, 0)?;
    Ok((serde_json::from_slice(&request.body).unwrap(), request.streams))
}

fn body(platform: &str, model: &str, ask: Value) -> Value {
    sent(platform, model, ask).unwrap().0
}

fn refused(platform: &str, model: &str, ask: Value) -> Option<String> {
    sent(platform, model, ask).unwrap_err().param
}

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {}}})
}

#[test]
fn what_another_platform_thought_stays_here() {
    let history = json!({"messages": [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": null, "thinking_blocks": [{"type": "thinking"}],
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "thinking_blocks"}]});
    for (platform, model) in [
        ("openai", "gpt-5.4-mini"),
        ("qwen", "qwen-plus"),
        ("glm", "glm-4.7"),
        ("ernie", "ernie-5.1"),
        ("spark", "4.0Ultra"),
    ] {
        let body = body(platform, model, history.clone());
        let messages = body["messages"].as_array().unwrap();
        assert!(messages.iter().all(|message| message.get("thinking_blocks").is_none()), "{body}");
        assert_eq!(messages[2]["content"], "thinking_blocks", "{body}");
        assert_eq!(messages[1]["tool_calls"][0]["id"], "c", "{body}");
    }
}

#[test]
fn what_would_be_another_answer_is_refused_with_its_name() {
    assert_eq!(refused("glm", "glm-4.7", json!({"n": 2})).as_deref(), Some("n"));
    assert_eq!(refused("ernie", "ernie-5.1", json!({"audio": {}})).as_deref(), Some("audio"));
    let tools = json!({"tools": [function("f")]});
    assert_eq!(refused("spark", "lite", tools).as_deref(), Some("tools"));
    let image = json!({"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]});
    let place = Some("messages[0].content[0]");
    assert_eq!(refused("qwen", "qwen-plus", image.clone()).as_deref(), place);
    assert!(sent("qwen", "qwen3.7-plus", image).is_ok());
}

#[test]
fn an_image_is_named_by_its_place_and_only_where_the_model_is_known_not_to_see() {
    let text = json!({"type": "text", "text": "an \"image_url\" in words"});
    let image = json!({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}});
    let words = json!({"messages": [{"role": "user", "content": [text]},
        {"role": "user", "content": "\"image_url\""}]});
    let late = json!({"messages": [{"role": "system", "content": "Look."},
        {"role": "assistant", "content": null}, {"role": "user", "content": [text, image, image]}]});
    for (platform, blind, sees) in [
        ("qwen", "qwen-plus", "qwen3-vl-plus"),
        ("glm", "glm-4.7", "glm-4.6v"),
        ("ernie", "ernie-5.1", "ernie-4.5-vl-28b-a3b"),
        ("spark", "4.0Ultra", ""),
        ("openai", "", "gpt-4.1"),
        ("openai", "", "one-that-nobody-listed"),
    ] {
        if !blind.is_empty() {
            let place = refused(platform, blind, late.clone());
            assert_eq!(place.as_deref(), Some("messages[2].content[1]"), "{platform}");
            assert!(sent(platform, blind, words.clone()).is_ok(), "{platform}");
        }
        if !sees.is_empty() {
            assert!(sent(platform, sees, late.clone()).is_ok(), "{platform}");
        }
    }
}

#[test]
fn calls_side_by_side_are_refused_where_one_is_made_and_a_wish_for_one_is_not() {
    let ask = |wish: Value| json!({"tools": [function("f")], "parallel_tool_calls": wish});
    let old = json!({"functions": [{"name": "f"}], "parallel_tool_calls": true});
    let param = Some("parallel_tool_calls");
    for model in ["4.0Ultra", "generalv3.5", "spark-x", "one-that-nobody-listed"] {
        assert_eq!(refused("spark", model, ask(json!(true))).as_deref(), param, "{model}");
        assert_eq!(refused("spark", model, old.clone()).as_deref(), param, "{model}");
        for harmless in [
            ask(json!(false)),
            ask(Value::Null),
            json!({"tools": [function("f")]}),
            json!({"parallel_tool_calls": true}),
        ] {
            let body = body("spark", model, harmless.clone());
            assert_eq!(body.get("parallel_tool_calls"), None, "{model} {harmless}");
        }
    }
    for (platform, model) in
        [("openai", "gpt-4.1"), ("qwen", "qwen-plus"), ("glm", "glm-4.7"), ("ernie", "ernie-5.1")]
    {
        for wish in [json!(true), json!(false)] {
            let sent = body(platform, model, ask(wish.clone()));
            // GLM knows no such field and calls as many as it likes.
            let kept = (platform != "glm").then_some(&wish);
            assert_eq!(sent.get("parallel_tool_calls"), kept, "{platform}");
        }
    }
}

#[test]
fn functions_in_their_old_form_are_refused_by_their_name() {
    let old = json!({"functions": [{"name": "f"}]});
    assert_eq!(refused("spark", "lite", old).as_deref(), Some("functions"));
    let search = json!({"tools": [{"type": "web_search", "web_search": {"enable": true}}]});
    assert!(sent("spark", "lite", search).is_ok());
}

#[test]
fn a_platform_of_the_operators_refuses_what_its_entry_says_though_its_bodies_go_as_they_came() {
    let text = "[platforms.mine]\nbase_url = 'https://x.test/v1'\ndialect = 'openai_chat'\n\
        models = [{ name = 'm', sees = false, traits = { calls = 'one' } }]\n\
        request = { refuse = { audio = 'no audio output' } }";
    let catalogue = Catalogue::load(&text.parse().unwrap()).unwrap();
    let platform = catalogue.platform("mine").unwrap();
    let model = platform.model("m").unwrap();
    assert!(model.reach(DialectName::OpenaiChat).unwrap().is_plain);
    let param = |ask: Value| {
        let ask = ChatRequest::parse(Bytes::from(ask.to_string())).unwrap();
        let begun = Exchange::begin(platform, platform.face(None).unwrap(), model, &ask, 0);
        begun.err().and_then(|bad| bad.param)
    };
    let image = json!([{"role": "user", "content": [{"type": "image_url"}]}]);
    let hello = json!([{"role": "user", "content": "hello"}]);
    assert_eq!(param(json!({"messages": image})).unwrap(), "messages[0].content[0]");
    assert_eq!(param(json!({"messages": hello, "audio": {}})).unwrap(), "audio");
    let parallel =
        json!({"messages": hello, "tools": [function("f")], "parallel_tool_calls": true});
    assert_eq!(param(parallel).unwrap(), "parallel_tool_calls");
    assert_eq!(param(json!({"messages": hello, "audio": null})), None);
}

#[test]
fn a_question_without_content_is_refused_and_an_answer_without_text_is_not() {
    for (platform, model) in [("qwen", "qwen-plus"), ("glm", "glm-4.7"), ("spark", "4.0Ultra")] {
        let question = json!({"messages": [{"role": "user"}]});
        assert_eq!(refused(platform, model, question).as_deref(), Some("messages"), "{platform}");
        let called = json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
        let result = json!({"role": "tool", "tool_call_id": "c", "content": "1"});
        let body = body(platform, model, json!({"messages": [called, result]}));
        assert_eq!(body["messages"][0]["content"], "", "{platform}");
    }
}

#[test]
fn unknown_fields_reach_the_platform_untouched() {
    for (platform, model) in [("qwen", "qwen-plus"), ("glm", "glm-4.7"), ("spark", "lite")] {
        let body = body(platform, model, json!({"x_new": {"a": [1.0]}, "account_id": 3}));
        assert_eq!(body["x_new"], json!({"a": [1.0]}), "{platform}");
        assert!(body.get("account_id").is_none());
    }
}

#[test]
fn a_zero_temperature_is_greedy_at_glm() {
    let body = body("glm", "glm-4.7", json!({"temperature": 0, "top_p": 0.5}));
    assert_eq!(body["do_sample"], json!(false));
    assert!(body.get("temperature").is_none() && body.get("top_p").is_none());
}

#[test]
fn the_second_name_of_a_user_stands_in_for_one_out_of_range() {
    let body = body("glm", "glm-4.7", json!({"user": "me", "safety_identifier": "person-7"}));
    assert_eq!(body["user_id"], "person-7");
    assert!(body.get("user").is_none());
}

#[test]
fn ranges_and_bits_of_single_fields() {
    let body = body("qwen", "qwen-plus", json!({"top_p": 0, "seed": -1, "top_logprobs": 20}));
    assert_eq!((&body["top_p"], &body["top_logprobs"]), (&json!(0.01), &json!(5)));
    assert_eq!(body["seed"], json!(0x7fff_ffff));
}

#[test]
fn a_plain_call_of_a_model_that_only_streams_is_streamed() {
    for (model, ask, streams) in [
        ("qwen-plus", json!({"reasoning_effort": "high"}), true),
        ("qwen-plus", json!({"enable_thinking": true}), true),
        ("qwen-plus", json!({}), false),
        ("qwen3-8b", json!({}), true),
        ("qwen3-8b", json!({"reasoning_effort": "none"}), false),
        ("qwq-plus", json!({}), true),
        ("qwen3.7-plus", json!({}), false),
    ] {
        let (body, streamed) = sent("qwen", model, ask.clone()).unwrap();
        assert_eq!(streamed, streams, "{model} {ask}");
        assert_eq!(body["stream"] == json!(true), streams);
        assert_eq!(body.get("stream_options").is_some(), streams);
    }
}

#[test]
fn forced_tools_and_thinking_exclude_each_other_at_qwen() {
    let forced = |effort: Value| {
        let mut ask = json!({"tools": [function("f"), function("g")], "tool_choice": "required"});
        ask.as_object_mut().unwrap().extend(effort.as_object().unwrap().clone());
        ask
    };
    let silent = body("qwen", "qwen3.7-plus", forced(json!({})));
    assert_eq!(
        (&silent["enable_thinking"], &silent["tool_choice"]),
        (&json!(false), &json!("required"))
    );
    let wants = body("qwen", "qwen3.7-plus", forced(json!({"reasoning_effort": "high"})));
    assert_eq!((&wants["enable_thinking"], &wants["tool_choice"]), (&json!(true), &json!("auto")));
    let never = body("qwen", "qwen3-max", forced(json!({})));
    assert!(never.get("enable_thinking").is_none());
    let schema = json!({"response_format": {"type": "json_object"}});
    assert_eq!(body("qwen", "qwen4-max", schema)["enable_thinking"], json!(false));
}

#[test]
fn a_schema_becomes_text_where_it_is_not_known() {
    let format = json!({"response_format": {"type": "json_schema", "json_schema":
        {"name": "n", "schema": {"type": "object"}}}, "messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "json?"}]});
    let text = "Be brief.\n\nAnswer with one JSON object that conforms to this JSON Schema:\n{\"type\":\"object\"}";
    for (platform, model, kept) in [
        ("glm", "glm-4.7", Some("json_object")),
        ("qwen", "qwen3.7-max", Some("json_object")),
        ("spark", "lite", None),
    ] {
        let body = body(platform, model, format.clone());
        assert_eq!(body["messages"][0]["content"], text, "{platform}");
        assert_eq!(body["response_format"]["type"].as_str(), kept, "{platform}");
    }
    let broken = json!({"response_format": {"type": "json_schema"}});
    assert!(refused("glm", "glm-4.7", broken).unwrap().starts_with("response_format"));
}

#[test]
fn tool_choice_is_narrowed_or_left_out_at_glm() {
    let tools = json!([function("f"), function("g")]);
    let none = body("glm", "glm-4.7", json!({"tools": tools, "tool_choice": "none"}));
    assert!(none.get("tools").is_none() && none.get("tool_choice").is_none());
    let allowed = json!({"tools": tools, "tool_choice": {"type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [function("g")]}}});
    let body = body("glm", "glm-4.7", allowed);
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&body["tools"][0]["function"]["name"], &body["tool_choice"]),
        (&json!("g"), &json!("auto"))
    );
}

#[test]
fn a_web_search_is_asked_for_in_the_platforms_words() {
    let wish = || json!({"web_search_options": {"search_context_size": "high"}});
    let glm = body("glm", "glm-4.7", wish());
    assert_eq!(glm["tools"][0]["web_search"]["content_size"], "high");
    assert_eq!(body("ernie", "ernie-5.1", wish())["web_search"], json!({"enable": true}));
    assert_eq!(body("spark", "4.0Ultra", wish())["tools"][0]["web_search"]["enable"], json!(true));
    for body in [glm, body("spark", "lite", wish()), body("qwen", "qwen-plus", wish())] {
        assert!(body.get("web_search_options").is_none());
    }
}

#[test]
fn a_callers_own_search_is_the_only_one() {
    let own = json!({"tools": [{"type": "web_search", "web_search": {"enable": true}}]});
    assert_eq!(body("spark", "4.0Ultra", own.clone())["tools"], own["tools"]);
    let silent = body("spark", "4.0Ultra", json!({}));
    assert_eq!(silent["tools"][0]["web_search"]["enable"], json!(false));
}

#[test]
fn the_old_form_of_tools_is_read_as_tools() {
    let ask = json!({
        "functions": [{"name": "f"}],
        "function_call": {"name": "f"},
        "messages": [
            {"role": "user", "content": "?"},
            {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "7"},
        ],
    });
    let body = body("qwen", "qwen-plus", ask);
    assert_eq!(body["tools"], json!([{"type": "function", "function": {"name": "f"}}]));
    assert_eq!(body["tool_choice"]["function"]["name"], "f");
    assert_eq!(body["messages"][1]["tool_calls"][0]["id"], "call_1");
    assert_eq!(
        body["messages"][2],
        json!({"role": "tool", "content": "7", "tool_call_id": "call_1"})
    );
    assert!(body.get("functions").is_none() && body.get("function_call").is_none());
}

#[test]
fn the_callers_own_word_for_thinking_wins() {
    let ask = json!({"reasoning_effort": "high", "thinking": {"type": "disabled"}});
    assert_eq!(body("glm", "glm-4.7", ask)["thinking"]["type"], "disabled");
}
