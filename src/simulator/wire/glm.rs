//! GLM (Zhipu AI): `/api/paas/v4/…`.
//!
//! Vendor docs: bigmodel's 对话补全, 错误码, 流式消息, 工具流式输出, 深度思考, 模型概览.
//!
//! Older models (`glm-4-*`) stream as the documents show it: no `object`, no role
//! until the last event. Newer ones stream as they were seen live: `object`, the role
//! in every event, no `finish_reason` until the last.

use serde::Serialize;
use serde_json::{Value, json};

use super::glm_errors::{error, refuse};
use super::{Asked, Facts, Refusal, Wire, calls, choices, done, event, hex, object};
use crate::simulator::ask::{Ask, Body, Choice as ToolChoice, Format, Thinking, given};
use crate::simulator::call::{Habits, Opens, Part, Piece, Reply, Usage};
use crate::simulator::check::{self, Parts, token_limits};
use crate::simulator::complaint::{Complaint, Range, Rule};
use crate::simulator::models::{Model, Thinks};
use crate::simulator::think::{Answer, schema_in_instructions};
use crate::simulator::{clock, proof};

const K: u64 = 1024;

static MODELS: &[Model] = &[
    thinker("glm-4.7", 200 * K, 128 * K),
    thinker("glm-4.7-flash", 200 * K, 128 * K),
    thinker("glm-4.7-flashx", 200 * K, 128 * K),
    thinker("glm-4.6", 200 * K, 128 * K),
    thinker("glm-5.3", 1024 * K, 128 * K).thinks(Thinks::Always),
    thinker("glm-5.3-flash", 1024 * K, 128 * K).thinks(Thinks::Always).sees(),
    thinker("glm-5.3-flashx", 1024 * K, 128 * K).thinks(Thinks::Always).sees(),
    thinker("glm-5.2", 1024 * K, 128 * K),
    thinker("glm-5.1", 200 * K, 128 * K),
    thinker("glm-5", 200 * K, 128 * K),
    thinker("glm-5-turbo", 200 * K, 128 * K),
    thinker("glm-5v-turbo", 200 * K, 128 * K).sees(),
    thinker("glm-4.5-air", 128 * K, 96 * K),
    thinker("glm-4.5-airx", 128 * K, 96 * K),
    thinker("glm-4.5-flash", 128 * K, 96 * K),
    thinker("glm-4.6v", 128 * K, 32 * K).sees(),
    thinker("glm-4.6v-flash", 128 * K, 32 * K).sees(),
    thinker("glm-4.6v-flashx", 128 * K, 32 * K).sees(),
    Model::new("glm-4-long", 1024 * K, 4 * K),
    Model::new("glm-4-flash-250414", 128 * K, 16 * K),
    Model::new("glm-4-flashx-250414", 128 * K, 16 * K),
    Model::new("glm-4v-flash", 16 * K, K).sees(),
];

const fn thinker(name: &'static str, context: u64, max_output: u64) -> Model {
    Model::new(name, context, max_output).thinks(Thinks::UnlessAsked)
}

pub(in crate::simulator) struct Glm;

static FACTS: Facts =
    Facts { platform: "glm", base: "/api/paas/v4", owner: "z-ai", models: MODELS };

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    created: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'static str>,
    model: &'static str,
    choices: [Value; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

impl Wire for Glm {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn accepts(&self, key: &str) -> bool {
        let Some((id, secret)) = key.split_once('.') else { return false };
        let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
        let secret_fits = secret.len() == 16 && secret.bytes().all(|b| b.is_ascii_alphanumeric());
        (id.len() == 32 && hex(id) && secret_fits) || proof::zhipu_id(key).is_some()
    }

    fn owner(&self, key: &str) -> Option<String> {
        proof::zhipu_id(key)
    }

    fn read(&self, body: &Body, model: &'static Model) -> Result<Ask, Complaint> {
        check::roles(body, &["system", "user", "assistant", "tool"])?;
        check::contents(body)?;
        if !model.sees {
            check::sightless(body, Parts::Refused)?;
        }
        check::ranges(
            body,
            &[
                ("temperature", Range::new(0.0, 1.0)),
                ("top_p", Range::new(0.01, 1.0)),
                ("max_tokens", Range::whole(1, model.max_output)),
                ("n", Range::whole(1, 1)),
            ],
        )?;
        check::stop_list(body, 1, usize::MAX)?;
        let mut ask = Ask::read(body, model)?;
        settle(&ask, body)?;
        let asked = check::thinking_type(body);
        let off = asked == Some("disabled") || effort(body) == Some("none");
        ask.thinking = match model.thinks {
            Thinks::Never => Thinking::Off,
            Thinks::Always => Thinking::Shown,
            _ if off => Thinking::Off,
            _ => Thinking::Shown,
        };
        ask.announces = ask.tool_stream;
        let (limit, _) = token_limits(body);
        ask.whole_limit = limit.unwrap_or(model.max_output);
        if ask.format == Format::Object
            && let Some(schema) = schema_in_instructions(&ask)
        {
            ask.format = Format::Schema(schema);
        }
        Ok(ask)
    }

    fn id(&self, unique: u128) -> String {
        clock::shanghai_stamp() + &hex(unique, 0, 16)
    }

    fn habits(&self, ask: &Ask) -> Habits {
        let streams = ask.tool_stream && is_new(ask.model);
        Habits { stride: 2, whole_calls: !streams, opens_empty: Opens::Never }
    }

    fn whole(&self, reply: &Reply) -> Value {
        let choices = choices(reply, |_, answer| choice(reply, answer));
        json!({"choices": choices, "created": reply.created, "id": reply.id,
            "model": reply.ask.model.name, "object": "chat.completion", "request_id": reply.id,
            "usage": usage(&reply.usage)})
    }

    fn event(&self, reply: &Reply, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let Some(answer) = reply.answers.get(piece.choice) else { return };
        let new = is_new(reply.ask.model);
        // The last fragment of streamed arguments comes with the finish.
        let merged = reply.ask.tool_stream && new && !answer.calls.is_empty();
        let ends = matches!(piece.part, Part::Finish) || (merged && piece.last);
        let (content, reasoning, calls) = match &piece.part {
            Part::Reasoning(text) => (None, Some(*text), None),
            Part::Content(text) => (Some(*text), None, None),
            Part::Call { index, call, opens, arguments } => {
                let function = object([
                    ("name", opens.then(|| call.name.as_str().into())),
                    ("arguments", Some((*arguments).into())),
                ]);
                let call = json!([{"id": call_id(reply, *index), "index": index,
                    "type": "function", "function": function}]);
                (ends.then_some(""), None, Some(call))
            }
            Part::Finish if merged && !piece.last => return,
            Part::Finish => (Some(""), None, None),
            Part::Done => return done(out),
            Part::Open | Part::Usage => return,
        };
        let delta = object([
            ("role", (new || ends).then(|| "assistant".into())),
            ("reasoning_content", reasoning.map(Value::from)),
            ("content", content.map(Value::from)),
            ("tool_calls", calls),
        ]);
        let finish = match (ends, new) {
            (true, _) => Some(answer.finish.word().into()),
            (false, true) => None,
            (false, false) => Some(Value::Null),
        };
        let choice =
            object([("index", Some(0.into())), ("delta", Some(delta)), ("finish_reason", finish)]);
        let chunk = Chunk {
            id: &reply.id,
            created: reply.created,
            object: new.then_some("chat.completion.chunk"),
            model: reply.ask.model.name,
            choices: [choice],
            usage: ends.then(|| usage(&reply.usage)),
        };
        event(out, "data: ", &chunk);
    }

    fn broken(&self, reply: &Reply, out: &mut Vec<u8>) {
        event(out, "data: ", &error("1234", &network_words(&reply.id)));
    }

    fn refuse(&self, complaint: &Complaint, asked: &Asked) -> Refusal {
        refuse(complaint, asked)
    }
}

pub(super) fn network_words(id: &str) -> String {
    format!("网络错误，错误id：{id}，请联系客服")
}

/// Models that stream as seen live.
fn is_new(model: &Model) -> bool {
    !model.name.starts_with("glm-4-") && !model.name.starts_with("glm-4v")
}

fn call_id(reply: &Reply, index: usize) -> String {
    format!("call_{}", hex(reply.unique, index as u128 + 2, 24))
}

fn choice(reply: &Reply, answer: &Answer) -> Value {
    let calls = calls(answer, |index, call| {
        // Without arguments an object comes instead of its text.
        let arguments =
            if call.arguments == "{}" { json!({}) } else { call.arguments.as_str().into() };
        json!({"function": {"arguments": arguments, "name": call.name},
            "id": call_id(reply, index), "index": index, "type": "function"})
    });
    // Beside calls, no content is null or, after thinking, empty.
    let silent = calls.is_some() && answer.content.is_empty() && answer.reasoning.is_empty();
    let content = if silent { Value::Null } else { answer.content.as_str().into() };
    let message = object([
        ("content", Some(content)),
        (
            "reasoning_content",
            (!answer.reasoning.is_empty()).then(|| answer.reasoning.as_str().into()),
        ),
        ("tool_calls", calls),
        ("role", Some("assistant".into())),
    ]);
    json!({"finish_reason": answer.finish.word(), "index": 0, "message": message})
}

fn usage(usage: &Usage) -> Value {
    let reasoning = (usage.reasoning > 0).then(|| json!({"reasoning_tokens": usage.reasoning}));
    object([
        ("prompt_tokens", Some(usage.prompt.into())),
        ("completion_tokens", Some(usage.completion.into())),
        ("total_tokens", Some(usage.total().into())),
        ("prompt_tokens_details", Some(json!({"cached_tokens": usage.cached}))),
        ("completion_tokens_details", reasoning),
    ])
}

fn effort(body: &Body) -> Option<&str> {
    given(body, "reasoning_effort")?.as_str()
}

fn settle(ask: &Ask, body: &Body) -> Result<(), Complaint> {
    use crate::simulator::ask::Role;
    if ask.turns.iter().all(|turn| matches!(turn.role, Role::System | Role::Assistant)) {
        return Err(Complaint::words("messages", "only system or assistant messages"));
    }
    if given(body, "tool_choice").is_some() && !matches!(ask.choice, ToolChoice::Auto) {
        return Err(Complaint::invalid("tool_choice", Rule::Unsupported(None)));
    }
    if matches!(ask.format, Format::Schema(_)) || (ask.format != Format::Text && ask.model.sees) {
        return Err(Complaint::invalid("response_format", Rule::Unsupported(None)));
    }
    let tools = given(body, "tools").and_then(Value::as_array).into_iter().flatten();
    for (at, function) in tools.filter_map(|tool| tool.get("function")).enumerate() {
        for key in ["description", "parameters"] {
            if function.get(key).is_none_or(Value::is_null) {
                let param = format!("tools[{at}].function.{key}");
                return Err(Complaint::invalid(param, Rule::Missing));
            }
        }
    }
    if let Some(user) = given(body, "user_id").and_then(Value::as_str)
        && !(6..=128).contains(&user.chars().count())
    {
        return Err(Complaint::invalid("user_id", Rule::Unsupported(None)));
    }
    let thinking = check::thinking_type(body);
    let fixed = ask.model.thinks == Thinks::Always;
    let good = match thinking {
        None | Some("enabled") => true,
        Some("disabled") => !fixed,
        Some(_) => false,
    };
    if !good {
        return Err(Complaint::invalid("thinking.type", Rule::Unsupported(None)));
    }
    if let Some(effort) = effort(body).filter(|_| fixed)
        && !["low", "high", "max"].contains(&effort)
    {
        return Err(Complaint::invalid("reasoning_effort", Rule::Unsupported(None)));
    }
    Ok(())
}
