//! Qwen in OpenAI-compatible mode: `/compatible-mode/v1/…`.
//!
//! Vendor docs: Alibaba Model Studio's 错误码, 通义千问 API 参考, "Deep thinking",
//! "Structured output", "Streaming output".

use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use serde_json::{Value, json};

use super::qwen_errors::{broken, refuse};
use super::{Asked, Facts, Refusal, Wire, calls, choices, done, event, hex, object, uuid};
use crate::simulator::ask::{Ask, Body, Choice as ToolChoice, Format, Thinking, given};
use crate::simulator::call::{Habits, Opens, Part, Piece, Reply, Usage};
use crate::simulator::check::{self, Parts, token_limits};
use crate::simulator::complaint::{Complaint, Range, Rule};
use crate::simulator::issuer::Issuer;
use crate::simulator::models::{Model, Thinks};
use crate::simulator::think::{Finish, Spacing, schema_in_instructions};

pub(super) static MODELS: &[Model] = &[
    Model::new("qwen-plus", 129_024, 32_768).thinks(Thinks::IfAsked),
    Model::new("qwen-flash", 997_952, 32_768).thinks(Thinks::IfAsked),
    Model::new("qwen-turbo", 129_024, 16_384).thinks(Thinks::IfAsked).no_schema(),
    Model::new("qwen-max", 30_720, 8192).no_schema(),
    Model::new("qwen3-max", 258_048, 65_536),
    Model::new("qwen4-max", 1_000_000, 131_072).sees().thinks(Thinks::UnlessAsked),
    Model::new("qwen3.8-max", 991_808, 131_072).sees().thinks(Thinks::UnlessAsked),
    Model::new("qwen3.8-flash", 991_808, 131_072).sees().thinks(Thinks::UnlessAsked).no_schema(),
    Model::new("qwen3.7-max", 991_808, 65_536).thinks(Thinks::UnlessAsked).no_schema(),
    Model::new("qwen3.7-plus", 1_000_000, 65_536).sees().thinks(Thinks::UnlessAsked).no_schema(),
    Model::new("qwen3.6-plus", 1_000_000, 65_536).sees().thinks(Thinks::UnlessAsked).no_schema(),
    Model::new("qwen3.5-plus", 1_000_000, 65_536).sees().thinks(Thinks::UnlessAsked).no_schema(),
    Model::new("qwen3-vl-plus", 260_096, 32_768).sees().thinks(Thinks::IfAsked).no_schema(),
    Model::new("qwen3-vl-flash", 260_096, 32_768).sees().thinks(Thinks::IfAsked).no_schema(),
    Model::new("qwen-plus-2025-07-28", 129_024, 32_768).thinks(Thinks::IfAsked).no_schema(),
    Model::new("qwen3-coder-plus", 997_952, 65_536).no_schema(),
    Model::new("qwq-plus", 98_304, 8192).thinks(Thinks::Always).no_schema(),
];

pub(in crate::simulator) struct Qwen;

static FACTS: Facts =
    Facts { platform: "qwen", base: "/compatible-mode/v1", owner: "system", models: MODELS };

#[derive(Serialize)]
struct Chunk<'a> {
    choices: &'a [Choice],
    object: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
    created: u64,
    system_fingerprint: Option<&'static str>,
    model: &'static str,
    id: &'a str,
}

#[derive(Serialize)]
struct Choice {
    delta: Value,
    index: usize,
    logprobs: Option<Value>,
    finish_reason: Option<&'static str>,
}

impl Wire for Qwen {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn accepts(&self, key: &str) -> bool {
        key.starts_with("sk-") && key.len() >= 8
    }

    fn issuer(&self, path: &str) -> Option<Issuer> {
        (path == "/api/v1/tokens").then_some(Issuer::Dashscope)
    }

    fn read(&self, body: &Body, model: &'static Model) -> Result<Ask, Complaint> {
        check::roles(body, &["system", "user", "assistant", "tool", "function"])?;
        check::contents(body)?;
        if !model.sees {
            check::sightless(body, Parts::Refused)?;
        }
        check::ranges(
            body,
            &[
                ("temperature", Range::new(0.0, 2.0).high_open()),
                ("top_p", Range::new(0.0, 1.0).low_open()),
                ("presence_penalty", Range::new(-2.0, 2.0)),
                ("seed", Range::whole(0, (1 << 31) - 1)),
                ("max_tokens", Range::whole(1, model.max_output)),
                ("max_completion_tokens", Range::whole(1, u64::MAX)),
                ("n", Range::whole(1, 4)),
                ("top_logprobs", Range::whole(0, 5)),
            ],
        )?;
        check::stream_options(body)?;
        check::says_json(body)?;
        let mut ask = Ask::read(body, model)?;
        let thinks = thinks(body, model)?;
        settle(&ask, body, thinks)?;
        ask.thinking = if thinks { Thinking::Shown } else { Thinking::Off };
        ask.parallel = given(body, "parallel_tool_calls").and_then(Value::as_bool).unwrap_or(false);
        ask.logprobs = None;
        let (answer, whole) = token_limits(body);
        ask.answer_limit = answer.unwrap_or(model.max_output);
        ask.whole_limit = whole.unwrap_or(u64::MAX);
        if ask.format == Format::Object
            && let Some(schema) = schema_in_instructions(&ask)
        {
            ask.format = Format::Schema(schema);
        }
        Ok(ask)
    }

    fn id(&self, unique: u128) -> String {
        format!("chatcmpl-{}", uuid(unique, 0))
    }

    fn stream_type(&self) -> &'static str {
        "text/event-stream;charset=UTF-8"
    }

    fn habits(&self, _ask: &Ask) -> Habits {
        Habits { stride: 3, whole_calls: false, opens_empty: Opens::First }
    }

    fn spacing(&self) -> Spacing {
        Spacing::Python
    }

    fn whole(&self, reply: &Reply) -> Value {
        let choices = choices(reply, |index, answer| {
            let calls = calls(answer, |at, call| {
                json!({"index": at, "id": call_id(reply, at), "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments}})
            });
            let shows = tells_of_thinking(reply.ask.model) || reply.ask.thinking == Thinking::Shown;
            let message = object([
                ("role", Some("assistant".into())),
                ("content", Some(answer.content.as_str().into())),
                ("reasoning_content", shows.then(|| answer.reasoning.as_str().into())),
                ("tool_calls", calls),
            ]);
            json!({"message": message, "finish_reason": finish(reply, answer.finish),
                "index": index, "logprobs": null})
        });
        json!({"choices": choices, "object": "chat.completion", "usage": usage(&reply.usage),
            "created": reply.created, "system_fingerprint": null,
            "model": reply.ask.model.name, "id": reply.id})
    }

    fn event(&self, reply: &Reply, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let Some(answer) = reply.answers.get(piece.choice) else { return };
        let thought = !answer.reasoning.is_empty();
        let mut finish_reason = None;
        let delta = match &piece.part {
            Part::Open if thought => {
                json!({"content": null, "role": "assistant", "reasoning_content": ""})
            }
            Part::Open if !answer.calls.is_empty() => return, // the first call has the role
            Part::Open => json!({"content": "", "role": "assistant"}),
            Part::Reasoning(text) => json!({"content": null, "reasoning_content": text}),
            Part::Content(text) => said(text, thought),
            Part::Call { index, call, opens: true, arguments } => object([
                ("content", Some(Value::Null)),
                ("role", (piece.first && !thought).then(|| "assistant".into())),
                (
                    "tool_calls",
                    Some(json!([{"index": index, "id": call_id(reply, *index),
                        "type": "function",
                        "function": {"name": call.name, "arguments": arguments}}])),
                ),
            ]),
            Part::Call { index, arguments, .. } => {
                json!({"content": null, "tool_calls": [{"index": index, "id": "",
                    "type": "function", "function": {"arguments": arguments}}]})
            }
            Part::Finish => {
                finish_reason = Some(finish(reply, answer.finish));
                said("", thought)
            }
            Part::Usage if reply.ask.include_usage => {
                return write(reply, &[], Some(usage(&reply.usage)), out);
            }
            Part::Usage => return,
            Part::Done => return done(out),
        };
        let choice = Choice { delta, index: piece.choice, logprobs: None, finish_reason };
        write(reply, &[choice], reply.ask.include_usage.then_some(Value::Null), out);
    }

    fn broken(&self, reply: &Reply, out: &mut Vec<u8>) {
        event(out, "data: ", &broken(reply.id.trim_start_matches("chatcmpl-")));
    }

    fn refuse(&self, complaint: &Complaint, asked: &Asked) -> Refusal {
        refuse(complaint, asked)
    }

    fn headers(&self, asked: &Asked, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::try_from(uuid(asked.unique, 0)) {
            headers.insert("x-request-id", value);
        }
        headers.insert("req-cost-time", HeaderValue::from_static("12"));
    }
}

fn write(reply: &Reply, choices: &[Choice], usage: Option<Value>, out: &mut Vec<u8>) {
    let chunk = Chunk {
        choices,
        object: "chat.completion.chunk",
        usage,
        created: reply.created,
        system_fingerprint: None,
        model: reply.ask.model.name,
        id: &reply.id,
    };
    event(out, "data: ", &chunk);
}

fn said(text: &str, thought: bool) -> Value {
    object([("content", Some(text.into())), ("reasoning_content", thought.then_some(Value::Null))])
}

pub(super) fn call_id(reply: &Reply, index: usize) -> String {
    format!("call_{}", hex(reply.unique, index as u128 + 2, 22))
}

/// A forced call ends in `stop`.
fn finish(reply: &Reply, finish: Finish) -> &'static str {
    match finish {
        Finish::ToolCalls if matches!(reply.ask.choice, ToolChoice::Named(_)) => "stop",
        finish => finish.word(),
    }
}

/// Newer text models have `reasoning_content` in every whole answer.
fn tells_of_thinking(model: &Model) -> bool {
    let newer = model.name.starts_with("qwen3") || model.name.starts_with("qwen4");
    newer && !model.name.contains("-vl-")
}

fn usage(usage: &Usage) -> Value {
    let details = if usage.image > 0 {
        json!({"text_tokens": usage.prompt - usage.image, "image_tokens": usage.image})
    } else {
        json!({"cached_tokens": usage.cached})
    };
    let completion = match (usage.reasoning, usage.image) {
        (0, 0) => None,
        (0, _) => Some(json!({"text_tokens": usage.completion})),
        (reasoning, _) => Some(json!({"reasoning_tokens": reasoning})),
    };
    object([
        ("prompt_tokens", Some(usage.prompt.into())),
        ("completion_tokens", Some(usage.completion.into())),
        ("total_tokens", Some(usage.total().into())),
        ("completion_tokens_details", completion),
        ("prompt_tokens_details", Some(details)),
    ])
}

/// Whether the model is to think: `enable_thinking`, or from 3.8 on `reasoning_effort`.
pub(super) fn thinks(body: &Body, model: &Model) -> Result<bool, Complaint> {
    let flag = given(body, "enable_thinking").and_then(Value::as_bool);
    let takes_effort = model.name.starts_with("qwen3.8") || model.name.starts_with("qwen4");
    let effort = given(body, "reasoning_effort").filter(|_| takes_effort);
    const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];
    if effort.is_some_and(|effort| !effort.as_str().is_some_and(|word| EFFORTS.contains(&word))) {
        let words = format!("reasoning_effort should be in {EFFORTS:?}");
        return Err(Complaint::words("reasoning_effort", words));
    }
    let asked = flag.or_else(|| effort.map(|effort| effort != "none"));
    let refused = |rule| Err(Complaint::invalid("enable_thinking", rule));
    match (model.thinks, asked) {
        (Thinks::Never, Some(true)) => refused(Rule::Unsupported(None)),
        (Thinks::Always, Some(false)) => refused(Rule::Words(
            "The value of the enable_thinking parameter is restricted to True.".into(),
        )),
        (Thinks::Never, _) => Ok(false),
        (Thinks::IfAsked, asked) => Ok(asked.unwrap_or(false)),
        (Thinks::UnlessAsked | Thinks::Always, asked) => Ok(asked.unwrap_or(true)),
    }
}

/// What must not come together.
pub(super) fn settle(ask: &Ask, body: &Body, thinks: bool) -> Result<(), Complaint> {
    let older = ["qwen-plus", "qwen-flash", "qwen-turbo", "qwq-plus"];
    let older = older.iter().any(|name| ask.model.name.starts_with(name));
    if thinks && older && !ask.stream {
        let words = "parameter.enable_thinking must be set to false for non-streaming calls";
        return Err(Complaint::words("enable_thinking", words));
    }
    let forced = matches!(ask.choice, ToolChoice::Required | ToolChoice::Named(_));
    if thinks && forced {
        let words = "The tool_choice parameter does not support being set to required or object \
                     in thinking mode";
        return Err(Complaint::words("tool_choice", words));
    }
    if thinks && ask.format != Format::Text {
        let words = "Json mode response is not supported when enable_thinking is true";
        return Err(Complaint::words("response_format", words));
    }
    if matches!(ask.format, Format::Schema(_)) && !ask.model.schema {
        let words = "'response_format.type' Invalid value: 'json_schema' is not supported by this \
                     model, supported values are: 'text', 'json_object'";
        return Err(Complaint::words("response_format", words));
    }
    if ask.tools.iter().any(|tool| tool.name == "search") {
        return Err(Complaint::words("tools", "Tool names are not allowed to be [search]"));
    }
    if ask.n > 1 {
        let several = ask.model.name == "qwen-plus" || ask.model.name.starts_with("qwen3-");
        if !several || thinks || !ask.tools.is_empty() {
            return Err(Complaint::words("n", "Range of n should be [1, 1]"));
        }
    }
    let mixed = given(body, "stop").and_then(Value::as_array).is_some_and(|list| {
        let strings = list.iter().filter(|stop| stop.is_string()).count();
        strings != 0 && strings != list.len()
    });
    if mixed {
        return Err(Complaint::words("stop", "stop must not mix strings and token ids"));
    }
    Ok(())
}
