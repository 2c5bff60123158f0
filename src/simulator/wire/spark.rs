//! Spark (iFlytek) over HTTP: `/v1/chat/completions`, for `spark-x` `/v2/chat/completions`.
//!
//! Vendor docs: 星火认知大模型http接口文档, 星火深度推理http接口文档, 星火认知大模型服务说明.
//! There is no list of models.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Asked, Facts, Refusal, Route, Wire, choices, event, hex, message, object};
use crate::simulator::ask::{Ask, Body, Format, Role, Thinking};
use crate::simulator::call::{Habits, Opens, Part, Piece, Reply, Usage};
use crate::simulator::check::{self, Parts, token_limits};
use crate::simulator::clock;
use crate::simulator::complaint::{Class, Complaint, Range, Rule};
use crate::simulator::models::{Model, Thinks};
use crate::simulator::think::{Answer, schema_in_instructions};

pub(super) static MODELS: &[Model] = &[
    Model::new("4.0Ultra", 131_072, 32_768),
    Model::new("generalv3.5", 32_768, 8192),
    Model::new("max-32k", 32_768, 8192),
    Model::new("generalv3", 8192, 8192).no_tools(),
    Model::new("pro-128k", 131_072, 4096).no_tools(),
    Model::new("lite", 8192, 4096).no_tools(),
    Model::new("kjwx", 8192, 8192).no_tools(),
    Model::new("imagev3", 8192, 8192).no_tools().sees(),
    Model::new(THINKER, 65_536, 65_536).thinks(Thinks::UnlessAsked),
];

pub(super) const THINKER: &str = "spark-x";

/// Models that have an address of their own, and none over HTTP.
const SOCKETS_ALONE: [&str; 2] = ["kjwx", "imagev3"];

pub(in crate::simulator) struct Spark;

static FACTS: Facts = Facts { platform: "spark", base: "/v1", owner: "", models: MODELS };

#[derive(Serialize)]
struct Chunk<'a> {
    code: u32,
    message: &'static str,
    sid: &'a str,
    id: &'a str,
    created: u64,
    choices: [Value; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

impl Wire for Spark {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn route<'a>(&self, path: &'a str) -> Option<Route<'a>> {
        matches!(path, "/v1/chat/completions" | "/v2/chat/completions").then_some(Route::Chat)
    }

    fn accepts(&self, key: &str) -> bool {
        key.len() >= 16 && key.bytes().all(|b| b.is_ascii_graphic())
    }

    fn model(&self, path: &str, name: &str) -> Result<&'static Model, Complaint> {
        let known = MODELS.iter().find(|model| model.name == name);
        known
            .filter(|model| !SOCKETS_ALONE.contains(&model.name))
            .filter(|model| path.starts_with("/v2") == (model.name == THINKER))
            .ok_or_else(|| Complaint::UnknownModel(name.to_owned()))
    }

    fn read(&self, body: &Body, model: &'static Model) -> Result<Ask, Complaint> {
        check::roles(body, &["system", "user", "assistant", "tool"])?;
        check::contents(body)?;
        check::sightless(body, Parts::Refused)?;
        check::ranges(
            body,
            &[
                ("temperature", Range::new(0.0, 2.0)),
                ("top_k", Range::whole(1, 6)),
                ("max_tokens", Range::whole(1, model.max_output)),
            ],
        )?;
        let mut ask = Ask::read(body, model)?;
        if !ask.tools.is_empty() && !model.tools {
            return Err(Complaint::invalid("tools", Rule::Unsupported(None)));
        }
        let disabled = check::thinking_type(body) == Some("disabled");
        if model.thinks == Thinks::UnlessAsked && !disabled {
            ask.thinking = Thinking::Shown;
        }
        ask.parallel = false; // one call an answer
        ask.n = 1;
        let (limit, _) = token_limits(body);
        ask.whole_limit = limit.unwrap_or(model.max_output);
        ask.format = format_in_words(&ask);
        Ok(ask)
    }

    fn id(&self, unique: u128) -> String {
        format!("cha{}@dx{}", hex(unique, 0, 8), hex(unique, 1, 18))
    }

    fn habits(&self, _ask: &Ask) -> Habits {
        Habits { stride: 4, whole_calls: true, opens_empty: Opens::Never }
    }

    fn whole(&self, reply: &Reply) -> Value {
        let choices = choices(
            reply,
            |_, answer| json!({"message": message(answer, calls(reply, answer)), "index": 0}),
        );
        json!({"code": 0, "message": "Success", "sid": reply.id, "choices": choices,
            "usage": usage(&reply.usage)})
    }

    fn event(&self, reply: &Reply, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let Some(answer) = reply.answers.get(piece.choice) else { return };
        // The usage rides on the last text, but after thinking it comes alone.
        let apart = !answer.reasoning.is_empty();
        let (content, reasoning, call) = match &piece.part {
            Part::Reasoning(text) => ("", Some(*text), None),
            Part::Content(text) => (*text, None, None),
            Part::Call { call, .. } => {
                // One object, without id and index.
                let call = json!({"type": "function",
                    "function": {"name": call.name, "arguments": call.arguments}});
                ("", None, Some(call))
            }
            Part::Finish if apart || piece.last => ("", None, None),
            Part::Done => return out.extend_from_slice(b"data:[DONE]\n\n"),
            Part::Finish | Part::Open | Part::Usage => return,
        };
        let ends = if apart { matches!(piece.part, Part::Finish) } else { piece.last };
        let delta = object([
            ("role", Some("assistant".into())),
            ("content", Some(content.into())),
            ("reasoning_content", reasoning.map(Value::from)),
            ("tool_calls", call),
        ]);
        let chunk = Chunk {
            code: 0,
            message: "Success",
            sid: &reply.id,
            id: &reply.id,
            created: reply.created,
            choices: [json!({"delta": delta, "index": 0})],
            usage: ends.then(|| usage(&reply.usage)),
        };
        event(out, "data:", &chunk);
    }

    fn broken(&self, reply: &Reply, out: &mut Vec<u8>) {
        let words =
            format!("EngineInternalError:({}) engine failed", clock::shanghai_time_of_day());
        event(out, "data:", &json!({"code": 10012, "message": words, "sid": reply.id}));
    }

    fn refuse(&self, complaint: &Complaint, asked: &Asked) -> Refusal {
        refuse(complaint, asked)
    }

    fn show(&self, model: &Model) -> Value {
        json!({"id": model.name})
    }
}

/// A list if the caller switched that on, else one object.
fn calls(reply: &Reply, answer: &Answer) -> Option<Value> {
    let call = answer.calls.first()?;
    let id = format!("call_{}_0", reply.id.replace('@', ""));
    let call = json!({"type": "function",
        "function": {"name": call.name, "arguments": call.arguments}, "id": id});
    Some(if reply.ask.calls_as_list { Value::Array(vec![call]) } else { call })
}

/// There is no `response_format`: instructions ask for JSON in words.
pub(super) fn format_in_words(ask: &Ask) -> Format {
    let says = |text: &str| text.contains("JSON object") || text.contains("JSON 对象");
    let wants = || ask.turns.iter().any(|turn| turn.role == Role::System && says(&turn.text));
    match schema_in_instructions(ask) {
        Some(schema) => Format::Schema(schema),
        None if wants() => Format::Object,
        None => Format::Text,
    }
}

fn usage(usage: &Usage) -> Value {
    json!({"prompt_tokens": usage.prompt, "completion_tokens": usage.completion,
        "total_tokens": usage.total()})
}

/// The three shapes of an error: 200 with a code for what the engine refuses, an
/// `error` object for what stands before the engine, a chunk with a code in a stream.
fn refuse(complaint: &Complaint, asked: &Asked) -> Refusal {
    let engine = |code: u32, words: &str| {
        Refusal::new(200, json!({"code": code, "message": words, "sid": asked.id}))
    };
    let front = |status, code: Option<&str>, words: &str| {
        let body = json!({"error": {"message": words, "type": "api_error", "param": null,
            "code": code}});
        Refusal::new(status, body)
    };
    let time = clock::shanghai_time_of_day;
    let unknown = |name: &str| {
        front(403, Some("11200"), &format!("AppIdNoAuthError:({}) domain.{name}", time()))
    };
    let too_long = || engine(10907, "token数量超过上限。对话历史+问题的字数太多，需要精简输入");
    match complaint {
        Complaint::NoKey | Complaint::BadKey(_) => front(401, None, "invalid user"),
        Complaint::NotJson => engine(10003, "用户的消息格式有错误"),
        Complaint::NoRoute => front(404, None, "not found"),
        Complaint::UnknownModel(name) | Complaint::Offline(name) => unknown(name),
        Complaint::TooLong { .. } => too_long(),
        Complaint::Invalid { param, rule: Rule::Missing | Rule::Type(_) } => {
            engine(10004, &format!("用户数据的schema错误: {param}"))
        }
        Complaint::Invalid { param, rule } => {
            let words = match rule {
                Rule::Range { range, got } => format!("{param} {got} should be in {range}"),
                Rule::Words(words) => words.clone(),
                _ => format!("{param} is invalid"),
            };
            engine(10163, &format!("EngineParameterError:({}) {words}", time()))
        }
        Complaint::Class(class) => match class {
            Class::RateLimited => {
                let words = format!("AppIdQpsOverFlowError:({}) qps overflow", time());
                front(500, Some("11202"), &words)
            }
            Class::QuotaExhausted => {
                front(403, Some("11200"), &format!("AppIdNoAuthError:({}) tokens.total", time()))
            }
            Class::AuthExpired => front(401, None, "invalid user"),
            Class::Banned => {
                front(403, Some("10015"), &format!("AppIdBlackListError:({})", time()))
            }
            Class::Overloaded => engine(10110, "服务忙，请稍后再试"),
            Class::UpstreamFault => {
                let words = format!("EngineInternalError:({}) engine failed", time());
                front(500, Some("10012"), &words)
            }
            Class::ContentFiltered => {
                engine(10013, "输入内容审核不通过，涉嫌违规，请重新调整输入内容")
            }
            Class::ContextLength => too_long(),
            Class::NotFound => unknown(&asked.model),
            Class::Html => Refusal::html(),
            Class::Empty => Refusal::empty(),
        },
    }
}
