//! Claude: Anthropic Messages, `/v1/messages`, `/v1/models`.
//!
//! Vendor docs: Anthropic's reference of the Messages API, "Streaming", "Thinking", "Versions",
//! its migration guides, and its Python SDK's types.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::claude_check::{FIRST_VERSION, admits};
use super::claude_errors::{error, refuse, request_id};
use super::{Asked, Facts, Refusal, Route, Wire, bearer, letters};
use crate::simulator::ask::{Ask, Body, Thinking};
use crate::simulator::call::{Habits, Opens, Part, Piece, Reply, Usage};
use crate::simulator::complaint::Complaint;
use crate::simulator::models::{Model, Thinks};
use crate::simulator::think::{Answer, Call, Finish};

static MODELS: &[Model] = &[
    Model::new("claude-haiku-4-5", 200_000, 64_000)
        .snapshot("claude-haiku-4-5-20251001")
        .sees()
        .thinks(Thinks::IfAsked),
    Model::new("claude-sonnet-4-5", 200_000, 64_000)
        .snapshot("claude-sonnet-4-5-20250929")
        .sees()
        .thinks(Thinks::IfAsked),
    Model::new("claude-opus-4-5", 200_000, 64_000)
        .snapshot("claude-opus-4-5-20251101")
        .sees()
        .thinks(Thinks::IfAsked),
    model("claude-sonnet-4-6").thinks(Thinks::IfAsked),
    model("claude-opus-4-6").thinks(Thinks::IfAsked),
    model("claude-opus-4-7").thinks(Thinks::IfAsked),
    model("claude-opus-4-8").thinks(Thinks::IfAsked),
    model("claude-sonnet-5").thinks(Thinks::UnlessAsked),
    model("claude-opus-5").thinks(Thinks::UnlessAsked),
    model("claude-haiku-5-5").thinks(Thinks::UnlessAsked),
    model("claude-sonnet-5-5").thinks(Thinks::UnlessAsked),
    model("claude-opus-5-5").thinks(Thinks::Always),
    model("claude-fable-5").thinks(Thinks::Always),
    model("claude-fable-5-1").thinks(Thinks::Always),
    model("claude-fable-5-2").thinks(Thinks::Always),
];

const fn model(name: &'static str) -> Model {
    Model::new(name, 1_000_000, 128_000).sees()
}

pub(in crate::simulator) struct Claude;

static FACTS: Facts = Facts { platform: "claude", base: "/v1", owner: "", models: MODELS };

impl Wire for Claude {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn route<'a>(&self, path: &'a str) -> Option<Route<'a>> {
        match path {
            "/v1/messages" => Some(Route::Chat),
            _ => Route::under(FACTS.base, path).filter(|route| *route != Route::Chat),
        }
    }

    /// Both headers are taken, and `x-api-key` wins.
    fn key<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let bare = headers.get("x-api-key").and_then(|key| key.to_str().ok());
        bare.filter(|key| !key.is_empty()).or_else(|| bearer(headers))
    }

    fn accepts(&self, key: &str) -> bool {
        key.starts_with("sk-ant-") && key.len() >= 16
    }

    fn admits(&self, headers: &HeaderMap, body: &Body) -> Result<(), Complaint> {
        admits(headers, body)
    }

    fn read(&self, body: &Body, model: &'static Model) -> Result<Ask, Complaint> {
        super::claude_read::read(body, model)
    }

    fn id(&self, unique: u128) -> String {
        format!("msg_01{}", letters(unique, 0, 22))
    }

    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    fn habits(&self, _ask: &Ask) -> Habits {
        Habits { stride: 3, whole_calls: false, opens_empty: Opens::Always }
    }

    fn whole(&self, reply: &Reply) -> Value {
        let Some(answer) = reply.answers.first() else { return Value::Null };
        let mut content = Vec::new();
        if reply.ask.thinking != Thinking::Off {
            content.push(json!({"type": "thinking", "thinking": answer.reasoning,
                "signature": signature(&answer.reasoning)}));
        }
        if !answer.content.is_empty() {
            content.push(json!({"type": "text", "text": answer.content}));
        }
        for (at, call) in answer.calls.iter().enumerate() {
            let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
            content.push(tool_use(reply, at, call, input));
        }
        let mut message = message(reply, content, usage(&reply.usage, reply.usage.completion));
        message["stop_reason"] = stop_reason(answer);
        message["stop_sequence"] = json!(answer.stopped);
        message
    }

    fn event(&self, reply: &Reply, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let Some(answer) = reply.answers.first() else { return };
        let thinks = reply.ask.thinking != Thinking::Off;
        let text_at = usize::from(thinks);
        let calls_at = text_at + usize::from(!answer.content.is_empty());
        match &piece.part {
            Part::Open => {
                let started = message(reply, Vec::new(), usage(&reply.usage, 1));
                write(out, "message_start", &json!({"message": started}));
                if thinks && answer.reasoning.is_empty() {
                    // Thinking that is left out still comes, signed, as an empty block.
                    begin(out, 0, json!({"type": "thinking", "thinking": "", "signature": ""}));
                    sign(out, "");
                }
            }
            Part::Reasoning(text) => {
                if begins(text, &answer.reasoning) {
                    begin(out, 0, json!({"type": "thinking", "thinking": "", "signature": ""}));
                }
                delta(out, 0, json!({"type": "thinking_delta", "thinking": text}));
                if ends(text, &answer.reasoning) {
                    sign(out, &answer.reasoning);
                }
            }
            Part::Content(text) => {
                if begins(text, &answer.content) {
                    begin(out, text_at, json!({"type": "text", "text": ""}));
                    write(out, "ping", &json!({}));
                }
                delta(out, text_at, json!({"type": "text_delta", "text": text}));
                if ends(text, &answer.content) {
                    end(out, text_at);
                }
            }
            Part::Call { index, call, opens, arguments } => {
                let block = calls_at + index;
                if *opens {
                    begin(out, block, tool_use(reply, *index, call, json!({})));
                }
                delta(out, block, json!({"type": "input_json_delta", "partial_json": arguments}));
                if ends(arguments, &call.arguments) && (!opens || call.arguments.is_empty()) {
                    end(out, block);
                }
            }
            Part::Usage => {
                let mut billed = usage(&reply.usage, reply.usage.completion);
                if let Some(billed) = billed.as_object_mut() {
                    billed.remove("cache_creation");
                    billed.remove("service_tier");
                }
                let delta =
                    json!({"stop_reason": stop_reason(answer), "stop_sequence": answer.stopped});
                write(out, "message_delta", &json!({"delta": delta, "usage": billed}));
            }
            Part::Done => write(out, "message_stop", &json!({})),
            Part::Finish => {}
        }
    }

    fn broken(&self, reply: &Reply, out: &mut Vec<u8>) {
        let body = error("overloaded_error", "Overloaded", reply.unique);
        out.extend_from_slice(format!("event: error\ndata: {body}\n\n").as_bytes());
    }

    fn refuse(&self, complaint: &Complaint, asked: &Asked) -> Refusal {
        refuse(complaint, asked)
    }

    fn headers(&self, asked: &Asked, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::try_from(request_id(asked.unique)) {
            headers.insert("request-id", value);
        }
        super::steady(
            headers,
            &[
                ("anthropic-organization-id", "00000000-0000-4000-8000-000000000000"),
                ("anthropic-ratelimit-requests-limit", "4000"),
                ("anthropic-ratelimit-requests-remaining", "3999"),
                ("anthropic-ratelimit-tokens-limit", "4800000"),
                ("anthropic-ratelimit-tokens-remaining", "4799000"),
            ],
        );
    }

    fn show(&self, model: &Model) -> Value {
        json!({"type": "model", "id": model.name, "display_name": model.name, "lifecycle": "active",
            "created_at": "2026-03-17T00:00:00Z", "max_input_tokens": model.context,
            "max_tokens": model.max_output})
    }

    fn list(&self, models: Vec<Value>) -> Value {
        let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
        json!({"first_id": id(models.first()), "last_id": id(models.last()), "has_more": false,
            "data": models})
    }
}

/// What proves that thinking is the model's own, and untouched.
pub(super) fn signature(thinking: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (FIRST_VERSION, thinking).hash(&mut hasher);
    letters(u128::from(hasher.finish()), 7, 40) + "=="
}

/// Whether a fragment is a text's first, by where it stands.
fn begins(fragment: &str, text: &str) -> bool {
    fragment.as_ptr() == text.as_ptr()
}

fn ends(fragment: &str, text: &str) -> bool {
    fragment.as_bytes().as_ptr_range().end == text.as_bytes().as_ptr_range().end
}

fn message(reply: &Reply, content: Vec<Value>, usage: Value) -> Value {
    json!({"model": reply.ask.model.snapshot, "id": reply.id, "type": "message",
        "role": "assistant", "content": content, "stop_reason": null, "stop_sequence": null,
        "usage": usage})
}

fn stop_reason(answer: &Answer) -> Value {
    let reason = match answer.finish {
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::Stop if answer.stopped.is_some() => "stop_sequence",
        Finish::Stop => "end_turn",
    };
    reason.into()
}

fn tool_use(reply: &Reply, at: usize, call: &Call, input: Value) -> Value {
    let id = format!("toolu_01{}", letters(reply.unique, at as u128 + 2, 22));
    json!({"type": "tool_use", "id": id, "name": call.name, "input": input})
}

/// Cached tokens stand beside the input, not in it.
fn usage(usage: &Usage, output: u64) -> Value {
    let mut shown = json!({"input_tokens": usage.prompt - usage.cached,
        "cache_creation_input_tokens": 0, "cache_read_input_tokens": usage.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output, "service_tier": "standard"});
    if usage.reasoning > 0 && output == usage.completion {
        shown["output_tokens_details"] = json!({"thinking_tokens": usage.reasoning});
    }
    shown
}

fn begin(out: &mut Vec<u8>, index: usize, block: Value) {
    write(out, "content_block_start", &json!({"index": index, "content_block": block}));
}

fn delta(out: &mut Vec<u8>, index: usize, delta: Value) {
    write(out, "content_block_delta", &json!({"index": index, "delta": delta}));
}

fn end(out: &mut Vec<u8>, index: usize) {
    write(out, "content_block_stop", &json!({"index": index}));
}

fn sign(out: &mut Vec<u8>, thinking: &str) {
    delta(out, 0, json!({"type": "signature_delta", "signature": signature(thinking)}));
    end(out, 0);
}

/// Writes a named event, its type first, padded before the last brace.
fn write(out: &mut Vec<u8>, name: &'static str, body: &Value) {
    const PADS: [usize; 7] = [7, 0, 11, 3, 0, 9, 1];
    let pad = " ".repeat(PADS[out.len() % PADS.len()]);
    let body = body.to_string();
    let rest = body.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
    let comma = if rest.is_empty() { Cow::Borrowed("") } else { Cow::Owned(format!(",{rest}")) };
    let event = format!("event: {name}\ndata: {{\"type\":\"{name}\"{comma}{pad}}}\n\n");
    out.extend_from_slice(event.as_bytes());
}
