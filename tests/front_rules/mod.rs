//! The front's rules that no schema can see: one id a stream, the role once, tool
//! indexes dense, the finish last, usage where it was asked for.

use serde_json::Value;

/// What a caller asked for, as far as the rules depend on it.
pub struct Asked {
    /// `stream_options.include_usage`.
    pub usage: bool,
}

/// Panics with the rule that a stream breaks. `events` are the data of its events.
pub fn check_stream(name: &str, events: &[String], asked: &Asked) {
    let done = events.last().is_some_and(|event| event == "[DONE]");
    let mut chunks: Vec<Value> = events
        .iter()
        .filter(|event| *event != "[DONE]")
        .map(|event| serde_json::from_str(event).unwrap_or_else(|_| panic!("{name}: {event}")))
        .collect();
    if !done {
        let error = chunks.pop().unwrap_or_default();
        assert!(error["error"]["message"].is_string(), "{name}: ends without [DONE] or error");
    }
    for key in ["id", "created", "model"] {
        let values: Vec<&Value> = chunks.iter().map(|chunk| &chunk[key]).collect();
        assert!(!values[0].is_null(), "{name}: no {key}");
        assert!(values.iter().all(|value| *value == values[0]), "{name}: {key} changes");
    }
    let reported = |chunk: &Value| chunk["usage"].is_object();
    for (number, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk["object"], "chat.completion.chunk", "{name}");
        let choices = chunk["choices"].as_array().unwrap_or_else(|| panic!("{name}: no choices"));
        let last = number == chunks.len() - 1;
        assert_eq!(choices.is_empty(), reported(chunk), "{name}: usage stands alone");
        assert!(!reported(chunk) || (asked.usage && last), "{name}: usage out of place");
    }
    assert!(
        !(asked.usage && done) || chunks.last().is_some_and(reported),
        "{name}: usage was asked for and is not there"
    );
    for index in 0..128 {
        let parts: Vec<&Value> = chunks
            .iter()
            .flat_map(|chunk| chunk["choices"].as_array().unwrap())
            .filter(|choice| choice["index"] == index)
            .collect();
        if !parts.is_empty() {
            check_choice(name, &parts, done);
        }
    }
}

fn check_choice(name: &str, parts: &[&Value], done: bool) {
    let has_role = |part: &&Value| part["delta"].get("role").is_some();
    assert_eq!(parts[0]["delta"]["role"], "assistant", "{name}: the first chunk lacks the role");
    assert!(!parts.iter().skip(1).any(has_role), "{name}: the role comes again");
    let finishes: Vec<bool> = parts.iter().map(|part| part["finish_reason"].is_string()).collect();
    let early = finishes.iter().rev().skip(1).any(|finish| *finish);
    assert!(!early, "{name}: something follows the finish");
    assert_eq!(finishes.last() == Some(&true), done, "{name}: finish and [DONE] go together");
    let mut calls: Vec<String> = Vec::new();
    for call in parts.iter().filter_map(|part| part["delta"]["tool_calls"].as_array()).flatten() {
        let index = call["index"].as_u64().unwrap_or_else(|| panic!("{name}: no index")) as usize;
        let function = &call["function"];
        if call.get("id").is_some() {
            assert_eq!(index, calls.len(), "{name}: tool indexes have holes");
            assert!(call["id"] != "" && function["name"] != "", "{name}: an empty id or name");
            assert_eq!(call["type"], "function", "{name}");
            calls.push(String::new());
        } else {
            assert!(function.get("name").is_none(), "{name}: a name comes again");
        }
        let arguments = function["arguments"].as_str();
        calls[index].push_str(arguments.unwrap_or_else(|| panic!("{name}: no arguments")));
    }
    if parts.last().is_some_and(|part| part["finish_reason"] == "tool_calls") {
        assert!(!calls.is_empty(), "{name}: tool_calls without a call");
        for arguments in calls {
            let read = serde_json::from_str::<Value>(&arguments);
            assert!(read.is_ok(), "{name}: arguments are no JSON: {arguments}");
        }
    }
}

/// Panics with the rule that a whole answer breaks.
pub fn check_answer(name: &str, answer: &Value) {
    assert_eq!(answer["object"], "chat.completion", "{name}");
    assert!(answer["id"].is_string() && answer["model"].is_string(), "{name}");
    assert!(answer["created"].is_u64(), "{name}: created");
    for choice in answer["choices"].as_array().unwrap_or_else(|| panic!("{name}: no choices")) {
        assert!(choice["index"].is_u64() && choice.get("logprobs").is_some(), "{name}: {choice}");
        let finish = choice["finish_reason"].as_str().unwrap_or_default();
        let known = ["stop", "length", "tool_calls", "content_filter", "function_call"];
        assert!(known.contains(&finish), "{name}: finish {finish}");
        let message = &choice["message"];
        assert_eq!(message["role"], "assistant", "{name}");
        for key in ["content", "refusal"] {
            assert!(message.get(key).is_some(), "{name}: no {key}");
        }
        let calls = message.get("tool_calls").map(|calls| calls.as_array().unwrap());
        assert_eq!(finish == "tool_calls", calls.is_some(), "{name}: finish and calls");
        for call in calls.into_iter().flatten() {
            assert!(call["id"].is_string() && call["function"]["name"].is_string(), "{name}");
            let arguments = call["function"]["arguments"].as_str().unwrap();
            assert!(serde_json::from_str::<Value>(arguments).is_ok(), "{name}: {arguments}");
        }
    }
    if let Some(usage) = answer.get("usage") {
        let count = |key: &str| usage[key].as_u64().unwrap_or_else(|| panic!("{name}: {key}"));
        let sum = count("prompt_tokens") + count("completion_tokens");
        assert_eq!(count("total_tokens"), sum, "{name}: the total is no sum");
    }
}
