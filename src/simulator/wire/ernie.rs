//! ERNIE (Baidu Qianfan) v2: `/v2/…`.
//!
//! Vendor docs: 文本生成, 错误码 (qianfan-api), 深度思考.
//!
//! Two forms of tool deltas and of the closing usage are documented or seen; both
//! are spoken here: ERNIE's own models repeat a call's id and send no index, the
//! others send the index and an empty id; the usage comes on the last choice, or
//! alone (and `finish_reason: null` before) when it has cached tokens to tell of.

use http::HeaderMap;
use serde::Serialize;
use serde_json::{Value, json};

use super::ernie_errors::{error, refuse};
use super::{
    Asked, Facts, Refusal, Wire, calls, choices, done, event, hex, message, object, steady,
};
use crate::simulator::ask::{Ask, Body, Thinking, given};
use crate::simulator::call::{Habits, Opens, Part, Piece, Reply, Usage};
use crate::simulator::check::{self, Parts, token_limits};
use crate::simulator::complaint::{Complaint, Range};
use crate::simulator::issuer::Issuer;
use crate::simulator::models::{Model, Thinks};
use crate::simulator::think::Spacing;

static MODELS: &[Model] = &[
    Model::new("ernie-5.1", 119_000, 65_536),
    Model::new("ernie-4.5-vl-28b-a3b", 128_000, 16_384).sees().thinks(Thinks::IfAsked),
    Model::new("deepseek-v4-pro", 1_000_000, 393_216).thinks(Thinks::IfAsked),
    Model::new("deepseek-v4-flash-0731", 1_000_000, 393_216),
    Model::new("glm-5.1", 198_000, 131_072).thinks(Thinks::IfAsked),
    Model::new("glm-5.2", 1_000_000, 131_072).thinks(Thinks::IfAsked),
    Model::new("glm-5.3", 1_000_000, 131_072).thinks(Thinks::IfAsked),
    Model::new("qwen3.5-397b-a17b", 256_000, 65_536).thinks(Thinks::IfAsked),
    Model::new("ernie-5.0", 128_000, 65_536).offline(),
    Model::new("ernie-4.5-turbo-128k", 128_000, 12_288).offline(),
    Model::new("ernie-4.5-turbo-32k", 32_000, 12_288).offline(),
    Model::new("ernie-4.5-turbo-vl", 128_000, 16_384).offline(),
];

pub(in crate::simulator) struct Ernie;

static FACTS: Facts = Facts { platform: "ernie", base: "/v2", owner: "baidu", models: MODELS };

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'static str,
    choices: &'a [Choice],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

#[derive(Serialize)]
struct Choice {
    index: usize,
    delta: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<Option<&'static str>>,
    flag: u8,
}

impl Wire for Ernie {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn accepts(&self, key: &str) -> bool {
        let parts = key.strip_prefix("bce-v3/ALTAK-").and_then(|rest| rest.split_once('/'));
        parts.is_some_and(|(id, secret)| !id.is_empty() && !secret.is_empty())
    }

    fn issuer(&self, path: &str) -> Option<Issuer> {
        (path == "/v1/BCE-BEARER/token").then_some(Issuer::Baidu)
    }

    fn read(&self, body: &Body, model: &'static Model) -> Result<Ask, Complaint> {
        check::roles(body, &["system", "user", "assistant", "tool"])?;
        check::contents(body)?;
        if !model.sees {
            check::sightless(body, Parts::Taken)?;
        }
        let own = model.name.starts_with("ernie");
        let heat = if own { Range::new(0.0, 1.0).low_open() } else { Range::new(0.0, 2.0) };
        check::ranges(
            body,
            &[
                ("temperature", heat),
                ("top_p", Range::new(0.0, 1.0)),
                ("frequency_penalty", Range::new(-2.0, 2.0)),
                ("presence_penalty", Range::new(-2.0, 2.0)),
                ("penalty_score", Range::new(1.0, 2.0)),
                ("seed", Range::whole(1, 2_147_483_646)),
                ("max_tokens", Range::whole(1, model.max_output)),
                ("n", Range::whole(1, 1)),
            ],
        )?;
        check::stop_list(body, 4, 20)?;
        let mut ask = Ask::read(body, model)?;
        let blank = |turn: &crate::simulator::ask::Turn| {
            turn.text.trim().is_empty() && turn.images.is_empty()
        };
        if ask.turns.last().is_some_and(blank) {
            let words = "the content of the last message is blank";
            return Err(Complaint::words("messages", words));
        }
        let flag = given(body, "enable_thinking").and_then(Value::as_bool);
        let kind = check::thinking_type(body).map(|kind| kind == "enabled");
        let asked = flag.or(kind).unwrap_or(given(body, "reasoning_effort").is_some());
        if asked && model.thinks != Thinks::Never {
            ask.thinking = Thinking::Shown;
        }
        let (limit, _) = token_limits(body);
        ask.whole_limit = limit.unwrap_or(model.max_output);
        Ok(ask)
    }

    fn id(&self, unique: u128) -> String {
        const LETTERS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        format!("as-{}", super::digits(unique, 0, 10, LETTERS))
    }

    fn habits(&self, _ask: &Ask) -> Habits {
        Habits { stride: 4, whole_calls: false, opens_empty: Opens::Never }
    }

    fn spacing(&self) -> Spacing {
        Spacing::Python
    }

    fn whole(&self, reply: &Reply) -> Value {
        let choices = choices(reply, |index, answer| {
            let calls = calls(answer, |at, call| {
                json!({"id": call_id(reply, at), "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments}})
            });
            json!({"index": index, "message": message(answer, calls),
                "finish_reason": answer.finish.word(), "flag": 0})
        });
        json!({"id": reply.id, "object": "chat.completion", "created": reply.created,
            "model": reply.ask.model.name, "choices": choices, "usage": usage(&reply.usage)})
    }

    fn event(&self, reply: &Reply, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let Some(answer) = reply.answers.get(piece.choice) else { return };
        let starts_with_call = answer.reasoning.is_empty() && answer.content.is_empty();
        let role = piece.first && !starts_with_call;
        let role = ("role", role.then(|| "assistant".into()));
        let alone = reply.usage.cached > 0;
        let wanted = reply.ask.include_usage;
        let mut bill = wanted.then_some(Value::Null);
        let mut finish_reason = alone.then_some(None);
        let delta = match &piece.part {
            Part::Open if starts_with_call => json!({"role": "assistant", "content": ""}),
            Part::Reasoning(text) => object([
                role,
                ("content", Some("".into())),
                ("reasoning_content", Some((*text).into())),
            ]),
            Part::Content(text) => object([role, ("content", Some((*text).into()))]),
            Part::Call { index, call, opens, arguments } => {
                json!({"tool_calls": [tool_delta(reply, *index, call, *opens, arguments)]})
            }
            Part::Finish => {
                finish_reason = Some(Some(answer.finish.word()));
                if wanted && !alone {
                    bill = Some(usage(&reply.usage));
                }
                json!({"content": ""})
            }
            Part::Usage if wanted && alone => {
                return write(reply, &[], Some(usage(&reply.usage)), out);
            }
            Part::Done => return done(out),
            Part::Open | Part::Usage => return,
        };
        let choice = Choice { index: piece.choice, delta, finish_reason, flag: 0 };
        write(reply, &[choice], bill, out);
    }

    fn broken(&self, reply: &Reply, out: &mut Vec<u8>) {
        let body = error("internal_error", "Internal error", "Internal_error", &reply.id);
        event(out, "data: ", &body);
    }

    fn refuse(&self, complaint: &Complaint, asked: &Asked) -> Refusal {
        refuse(complaint, asked)
    }

    fn headers(&self, _asked: &Asked, headers: &mut HeaderMap) {
        let all = [
            ("x-ratelimit-limit-requests", "60000"),
            ("x-ratelimit-limit-input-tokens", "150000000"),
            ("x-ratelimit-limit-output-tokens", "50000000"),
            ("x-ratelimit-remaining-requests", "59999"),
            ("x-ratelimit-remaining-input-tokens", "149999000"),
            ("x-ratelimit-remaining-output-tokens", "49999000"),
        ];
        steady(headers, &all);
    }
}

fn write(reply: &Reply, choices: &[Choice], usage: Option<Value>, out: &mut Vec<u8>) {
    let chunk = Chunk {
        id: &reply.id,
        object: "chat.completion.chunk",
        created: reply.created,
        model: reply.ask.model.name,
        choices,
        usage,
    };
    event(out, "data: ", &chunk);
}

fn tool_delta(
    reply: &Reply,
    index: usize,
    call: &crate::simulator::think::Call,
    opens: bool,
    arguments: &str,
) -> Value {
    let id = call_id(reply, index);
    if reply.ask.model.name.starts_with("ernie") {
        return json!({"id": id, "type": "function",
            "function": {"name": call.name, "arguments": arguments}});
    }
    let (id, name) = if opens { (id.as_str(), call.name.as_str()) } else { ("", "") };
    json!({"index": index, "id": id, "type": "function",
        "function": {"name": name, "arguments": arguments}})
}

fn call_id(reply: &Reply, index: usize) -> String {
    hex(reply.unique, index as u128 + 2, 32)
}

fn usage(usage: &Usage) -> Value {
    let cached =
        (usage.cached > 0).then(|| json!({"search_tokens": 0, "cached_tokens": usage.cached}));
    let reasoning = (usage.reasoning > 0).then(|| json!({"reasoning_tokens": usage.reasoning}));
    object([
        ("prompt_tokens", Some(usage.prompt.into())),
        ("completion_tokens", Some(usage.completion.into())),
        ("total_tokens", Some(usage.total().into())),
        ("prompt_tokens_details", cached),
        ("completion_tokens_details", reasoning),
    ])
}
