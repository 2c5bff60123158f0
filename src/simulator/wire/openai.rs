//! OpenAI chat completions: `/v1/chat/completions`, `/v1/models`.
//!
//! Vendor docs: OpenAI's OpenAPI description, its Python SDK's types, the guides
//! "Error codes" and "Rate limits".

use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use serde_json::{Value, json};

use super::openai_check::check;
use super::openai_errors::refuse;
use super::{
    Asked, Facts, Refusal, Wire, calls, choices, done, event, hex, letters, object, steady,
};
use crate::simulator::ask::{Ask, Body, Thinking, given};
use crate::simulator::call::{Habits, Opens, Part, Piece, Reply, Usage};
use crate::simulator::check::token_limits;
use crate::simulator::complaint::Complaint;
use crate::simulator::models::{Model, Thinks};
use crate::simulator::tokens;

const FINGERPRINT: &str = "fp_2e1a6b8c4d";

static MODELS: &[Model] = &[
    model("gpt-5.4-mini").snapshot("gpt-5.4-mini-2026-03-17"),
    model("gpt-6.2-astra"),
    model("gpt-6.2-sol"),
    model("gpt-6.1-sol"),
    model("gpt-6.1-terra"),
    model("gpt-6-astra"),
    model("gpt-6-sol"),
    model("gpt-6-luna"),
    model("gpt-5.6-sol"),
    model("gpt-5.6-terra"),
    model("gpt-5.6-luna"),
    model("gpt-5.5"),
    model("gpt-5.4"),
    model("gpt-5.4-nano"),
    model("gpt-5.2"),
    model("gpt-5.1"),
    model("gpt-5").thinks(Thinks::Always),
    model("gpt-5-mini").thinks(Thinks::Always),
    model("gpt-5-nano").thinks(Thinks::Always),
    Model::new("o3", 200_000, 100_000).sees().thinks(Thinks::Always),
    Model::new("gpt-4.1", 1_047_576, 32_768).sees().snapshot("gpt-4.1-2025-04-14"),
    Model::new("gpt-4o", 128_000, 16_384).sees().snapshot("gpt-4o-2024-08-06"),
    Model::new("gpt-4o-mini", 128_000, 16_384).sees().snapshot("gpt-4o-mini-2024-07-18"),
    model("gpt-5.1-codex-max"),
    model("gpt-5-codex").thinks(Thinks::Always),
    model("gpt-5-pro").thinks(Thinks::Always),
    model("gpt-5.5-pro").thinks(Thinks::Always).snapshot("gpt-5.5-pro-2026-04-23"),
];

/// Models that chat completions have not.
const RESPONSES_ONLY: [&str; 4] = ["gpt-5.1-codex-max", "gpt-5-codex", "gpt-5-pro", "gpt-5.5-pro"];

const fn model(name: &'static str) -> Model {
    Model::new(name, 400_000, 128_000).sees().thinks(Thinks::IfAsked)
}

pub(in crate::simulator) struct OpenAi;

static FACTS: Facts = Facts { platform: "openai", base: "/v1", owner: "system", models: MODELS };

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'static str,
    service_tier: &'static str,
    system_fingerprint: &'static str,
    choices: &'a [Choice],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    obfuscation: Option<&'static str>,
}

#[derive(Serialize)]
struct Choice {
    index: usize,
    delta: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<Value>,
    finish_reason: Option<&'static str>,
}

impl Wire for OpenAi {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn model(&self, _path: &str, name: &str) -> Result<&'static Model, Complaint> {
        let known = MODELS.iter().find(|m| m.name == name || m.snapshot == name);
        known
            .filter(|model| !RESPONSES_ONLY.contains(&model.name))
            .ok_or_else(|| Complaint::UnknownModel(name.to_owned()))
    }

    fn accepts(&self, key: &str) -> bool {
        key.starts_with("sk-") && key.len() >= 8
    }

    fn read(&self, body: &Body, model: &'static Model) -> Result<Ask, Complaint> {
        check(body, model)?;
        let mut ask = Ask::read(body, model)?;
        let (old, new) = token_limits(body);
        ask.whole_limit = new.or(old).unwrap_or(u64::MAX);
        let effort = given(body, "reasoning_effort").and_then(Value::as_str);
        let asked = effort.is_some_and(|effort| effort != "none");
        ask.thinking = match model.thinks {
            Thinks::Never => Thinking::Off,
            Thinks::IfAsked if !asked => Thinking::Off,
            _ => Thinking::Hidden,
        };
        Ok(ask)
    }

    fn id(&self, unique: u128) -> String {
        format!("chatcmpl-{}", letters(unique, 0, 29))
    }

    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    fn habits(&self, _ask: &Ask) -> Habits {
        Habits { stride: 1, whole_calls: false, opens_empty: Opens::Always }
    }

    fn whole(&self, reply: &Reply) -> Value {
        let choices = choices(reply, |index, answer| {
            let calls = calls(answer, |at, call| {
                json!({"id": call_id(reply, index, at), "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments}})
            });
            let spoken = calls.is_none();
            let content = if spoken { answer.content.as_str().into() } else { Value::Null };
            let message = object([
                ("role", Some("assistant".into())),
                ("content", Some(content)),
                ("tool_calls", calls),
                ("refusal", Some(Value::Null)),
                ("annotations", Some(json!([]))),
            ]);
            let logprobs = reply.ask.logprobs.filter(|_| spoken);
            json!({"index": index, "message": message,
                "logprobs": logprobs.map(|top| log_probabilities(&answer.content, top)),
                "finish_reason": answer.finish.word()})
        });
        json!({"id": reply.id, "object": "chat.completion", "created": reply.created,
            "model": reply.ask.model.snapshot, "choices": choices, "usage": usage(&reply.usage),
            "service_tier": "default", "system_fingerprint": FINGERPRINT})
    }

    fn event(&self, reply: &Reply, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let mut finish_reason = None;
        let mut logprobs = None;
        let delta = match &piece.part {
            Part::Open => json!({"role": "assistant", "content": "", "refusal": null}),
            Part::Content(text) => {
                logprobs = reply.ask.logprobs.map(|top| log_probabilities(text, top));
                json!({"content": text})
            }
            Part::Call { index, call, opens: true, .. } => {
                let id = call_id(reply, piece.choice, *index);
                json!({"tool_calls": [{"index": index, "id": id, "type": "function",
                    "function": {"name": call.name, "arguments": ""}}]})
            }
            Part::Call { index, arguments, .. } => {
                json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]})
            }
            Part::Finish => {
                finish_reason = reply.answers.get(piece.choice).map(|answer| answer.finish.word());
                json!({})
            }
            Part::Usage if reply.ask.include_usage => {
                return write(reply, &[], Some(usage(&reply.usage)), out);
            }
            Part::Done => return done(out),
            Part::Reasoning(_) | Part::Usage => return,
        };
        let unbilled = reply.ask.include_usage.then_some(Value::Null);
        let choice = Choice { index: piece.choice, delta, logprobs, finish_reason };
        write(reply, &[choice], unbilled, out);
    }

    fn broken(&self, _reply: &Reply, out: &mut Vec<u8>) {
        let error = json!({"error": {"message": "The server had an error while processing your \
            request. Sorry about that!", "type": "server_error", "param": null, "code": null}});
        event(out, "data: ", &error);
    }

    fn refuse(&self, complaint: &Complaint, asked: &Asked) -> Refusal {
        refuse(complaint, asked)
    }

    fn headers(&self, asked: &Asked, headers: &mut HeaderMap) {
        let request_id = format!("req_{}", hex(asked.unique, 1, 32));
        if let Ok(value) = HeaderValue::try_from(request_id) {
            headers.insert("x-request-id", value);
        }
        let all = [
            ("openai-version", "2020-10-01"),
            ("openai-organization", "org-simulated"),
            ("openai-processing-ms", "12"),
            ("x-ratelimit-limit-requests", "30000"),
            ("x-ratelimit-limit-tokens", "150000000"),
            ("x-ratelimit-remaining-requests", "29999"),
            ("x-ratelimit-remaining-tokens", "149999000"),
            ("x-ratelimit-reset-requests", "2ms"),
            ("x-ratelimit-reset-tokens", "0s"),
        ];
        steady(headers, &all);
    }
}

fn write(reply: &Reply, choices: &[Choice], usage: Option<Value>, out: &mut Vec<u8>) {
    // Padding of a varying length, so that sizes on the wire do not tell the tokens.
    const PADS: &[&str] = &["uQk4aZ", "nT", "0sLr8Yp", "", "c9", "Xa1k", "Q", "7dPz2", "vB3"];
    let pad = PADS[(out.len() + choices.len() + reply.answers.len()) % PADS.len()];
    let chunk = Chunk {
        id: &reply.id,
        object: "chat.completion.chunk",
        created: reply.created,
        model: reply.ask.model.snapshot,
        service_tier: "default",
        system_fingerprint: FINGERPRINT,
        choices,
        usage,
        obfuscation: reply.ask.obfuscate.then_some(pad),
    };
    event(out, "data: ", &chunk);
}

fn call_id(reply: &Reply, choice: usize, index: usize) -> String {
    format!("call_{}", letters(reply.unique, (choice * 1000 + index + 2) as u128, 24))
}

fn usage(usage: &Usage) -> Value {
    json!({"prompt_tokens": usage.prompt, "completion_tokens": usage.completion,
        "total_tokens": usage.total(),
        "prompt_tokens_details": {"cached_tokens": usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}})
}

/// A plausible log probability for each token, and `top` alternatives.
pub(super) fn log_probabilities(mut text: &str, top: u64) -> Value {
    let mut content = Vec::new();
    while !text.is_empty() {
        let (token, rest) = text.split_at(tokens::first(text));
        let entry = |token: &str, logprob: f64| json!({"token": token, "logprob": logprob, "bytes": token.as_bytes()});
        let others = ["", " the", " a", ",", ".", " of", " and", "的", " in", " to"];
        let alternatives: Vec<Value> = (0..top)
            .map(|n| match n {
                0 => entry(token, -0.01),
                n => entry(others[n as usize % others.len()], -4.5 - n as f64 / 2.0),
            })
            .collect();
        let mut shown = entry(token, -0.01);
        shown["top_logprobs"] = Value::Array(alternatives);
        content.push(shown);
        text = rest;
    }
    json!({"content": content, "refusal": null})
}
