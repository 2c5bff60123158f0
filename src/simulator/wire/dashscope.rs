//! Qwen's native face: DashScope, `/api/v1/services/aigc/…/generation`.
//!
//! Vendor docs: Alibaba Model Studio's 错误码, 通义千问 API 参考 (DashScope), recorded answers
//! of its servers, and what the `dashscope` SDK for Python reads.

use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};

use super::dashscope_errors::{broken, refuse};
use super::openai::log_probabilities;
use super::qwen::{MODELS, call_id};
use super::{Asked, Facts, Refusal, Route, Wire, choices, object, uuid};
use crate::simulator::ask::{Ask, Body, Thinking};
use crate::simulator::call::{Habits, Opens, Part, Piece, Reply, Usage};
use crate::simulator::complaint::Complaint;
use crate::simulator::models::Model;
use crate::simulator::think::{Answer, Spacing};

pub(in crate::simulator) struct DashScope;

static FACTS: Facts = Facts { platform: "qwen", base: "/api/v1", owner: "system", models: MODELS };

const TEXT: &str = "/api/v1/services/aigc/text-generation/generation";
const MULTIMODAL: &str = "/api/v1/services/aigc/multimodal-generation/generation";

impl Wire for DashScope {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn route<'a>(&self, path: &'a str) -> Option<Route<'a>> {
        matches!(path, TEXT | MULTIMODAL).then_some(Route::Chat)
    }

    fn accepts(&self, key: &str) -> bool {
        super::qwen::Qwen.accepts(key)
    }

    /// Models that see are served at an endpoint of their own.
    fn model(&self, path: &str, name: &str) -> Result<&'static Model, Complaint> {
        let known = MODELS.iter().find(|model| model.name == name);
        let model = known.ok_or_else(|| Complaint::UnknownModel(name.to_owned()))?;
        if model.sees == (path == MULTIMODAL) {
            return Ok(model);
        }
        Err(Complaint::words("", "url error, please check url！"))
    }

    fn admits(&self, headers: &HeaderMap, _body: &Body) -> Result<(), Complaint> {
        super::dashscope_read::admits(headers)
    }

    fn streams(&self, headers: &HeaderMap, _body: &Body) -> bool {
        super::dashscope_read::streams(headers)
    }

    fn unfold(&self, headers: &HeaderMap, body: Body) -> Result<Body, Complaint> {
        super::dashscope_read::unfold(headers, body)
    }

    fn read(&self, body: &Body, model: &'static Model) -> Result<Ask, Complaint> {
        super::dashscope_read::read(body, model)
    }

    fn id(&self, unique: u128) -> String {
        uuid(unique, 0)
    }

    fn stream_type(&self) -> &'static str {
        "text/event-stream;charset=UTF-8"
    }

    fn habits(&self, _ask: &Ask) -> Habits {
        Habits { stride: 3, whole_calls: false, opens_empty: Opens::Never }
    }

    fn spacing(&self) -> Spacing {
        Spacing::Python
    }

    fn whole(&self, reply: &Reply) -> Value {
        let told = usage(reply, reply.usage.completion);
        if let (true, Some(answer)) = (reply.ask.native.text, reply.answers.first()) {
            let output = json!({"finish_reason": answer.finish.word(), "text": answer.content});
            return json!({"output": output, "usage": told, "request_id": reply.id});
        }
        let choices = choices(reply, |index, answer| {
            let mut message = message(reply, &answer.reasoning, &answer.content);
            let calls = calls_until(reply, answer, None);
            // Beside calls in one piece it says `stop`.
            let finish = if calls.is_empty() { answer.finish.word() } else { "stop" };
            if !calls.is_empty() {
                message.insert("tool_calls".to_owned(), calls.into());
            }
            object([
                ("finish_reason", Some(finish.into())),
                ("index", (reply.answers.len() > 1).then(|| index.into())),
                ("logprobs", logprobs(reply, &answer.content)),
                ("message", Some(message.into())),
            ])
        });
        json!({"output": {"choices": choices}, "usage": told, "request_id": reply.id})
    }

    fn event(&self, reply: &Reply, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let Some(answer) = reply.answers.get(piece.choice) else { return };
        let incremental = reply.ask.native.incremental;
        let (mut reasoning, mut content) = ("", "");
        let mut calls = Vec::new();
        let mut said = "";
        match &piece.part {
            Part::Open | Part::Usage | Part::Done => return,
            // The last piece of a call has the reason.
            Part::Finish if !answer.calls.is_empty() => return,
            Part::Reasoning(text) => reasoning = text,
            Part::Content(text) => {
                said = text;
                content = if incremental { text } else { until(text, &answer.content) };
            }
            Part::Call { index, opens, arguments, .. } => {
                calls = if incremental {
                    vec![call_delta(reply, answer, *index, *opens, arguments)]
                } else {
                    calls_until(reply, answer, Some((*index, arguments)))
                };
                if !incremental {
                    content = &answer.content;
                }
            }
            Part::Finish if incremental => {}
            Part::Finish => content = &answer.content,
        }
        let ends = matches!(piece.part, Part::Finish) || (piece.last && !answer.calls.is_empty());
        let finish = if ends { answer.finish.word() } else { "null" };
        let output = if reply.ask.native.text {
            json!({"finish_reason": finish, "text": content})
        } else {
            let mut message = message(reply, reasoning, content);
            if !calls.is_empty() {
                message.insert("tool_calls".to_owned(), calls.into());
            }
            let choice = object([
                ("message", Some(message.into())),
                ("index", Some(piece.choice.into())),
                ("logprobs", logprobs(reply, said)),
                ("finish_reason", Some(finish.into())),
            ]);
            json!({"choices": [choice]})
        };
        let data = json!({"output": output, "usage": usage(reply, piece.so_far),
            "request_id": reply.id});
        write(out, piece.nth, "result", 200, &data);
    }

    fn broken(&self, reply: &Reply, out: &mut Vec<u8>) {
        write(out, 1, "error", 500, &broken(&reply.id));
    }

    fn refuse(&self, complaint: &Complaint, asked: &Asked) -> Refusal {
        refuse(complaint, asked)
    }

    fn headers(&self, asked: &Asked, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::try_from(asked.id.as_str()) {
            headers.insert("x-request-id", value);
        }
        headers.insert("req-cost-time", HeaderValue::from_static("12"));
    }
}

/// Writes one event; nothing stands between the colons and the values.
pub(super) fn write(out: &mut Vec<u8>, number: u64, kind: &str, status: u16, data: &Value) {
    let event = format!("id:{number}\nevent:{kind}\n:HTTP_STATUS/{status}\ndata:{data}\n\n");
    out.extend_from_slice(event.as_bytes());
}

/// A fragment with everything before it.
fn until<'a>(fragment: &str, text: &'a str) -> &'a str {
    let end = fragment.as_bytes().as_ptr_range().end.addr() - text.as_ptr().addr();
    text.get(..end).unwrap_or(text)
}

fn message(reply: &Reply, reasoning: &str, content: &str) -> Map<String, Value> {
    let mut message = Map::new();
    message.insert("role".to_owned(), "assistant".into());
    let content = match (reply.ask.model.sees, content) {
        (false, text) => text.into(),
        (true, "") => json!([]),
        (true, text) => json!([{"text": text}]),
    };
    message.insert("content".to_owned(), content);
    if reply.ask.thinking == Thinking::Shown {
        message.insert("reasoning_content".to_owned(), reasoning.into());
    }
    message
}

/// What an event adds to one call.
fn call_delta(reply: &Reply, answer: &Answer, index: usize, opens: bool, arguments: &str) -> Value {
    if !opens {
        return json!({"index": index, "id": "", "type": "function",
            "function": {"arguments": arguments}});
    }
    let name = answer.calls.get(index).map(|call| call.name.as_str());
    json!({"index": index, "id": call_id(reply, index), "type": "function",
        "function": {"name": name, "arguments": arguments}})
}

/// The calls as far as they are written: all of them, or to a fragment of one.
fn calls_until(reply: &Reply, answer: &Answer, to: Option<(usize, &str)>) -> Vec<Value> {
    let most = to.map_or(usize::MAX, |(index, _)| index + 1);
    let written = |(index, call): (usize, &crate::simulator::think::Call)| {
        let arguments = match to {
            Some((last, fragment)) if last == index => until(fragment, &call.arguments),
            _ => &call.arguments,
        };
        call_delta(reply, answer, index, true, arguments)
    };
    answer.calls.iter().take(most).enumerate().map(written).collect()
}

fn logprobs(reply: &Reply, text: &str) -> Option<Value> {
    let mut told = log_probabilities(text, reply.ask.logprobs?);
    // OpenAI's alone.
    told.as_object_mut()?.remove("refusal");
    Some(told)
}

/// What was billed so far.
fn usage(reply: &Reply, output: u64) -> Value {
    let Usage { prompt, cached, image, reasoning, .. } = reply.usage;
    let mut told = json!({"total_tokens": prompt + output, "input_tokens": prompt,
        "output_tokens": output});
    let reasoning = reasoning.min(output);
    if reply.ask.model.sees {
        told["prompt_tokens_details"] =
            if cached > 0 { json!({"cached_tokens": cached}) } else { json!({}) };
        told["input_tokens_details"] = json!({"text_tokens": prompt - image});
        told["output_tokens_details"] = json!({"text_tokens": output - reasoning});
        if image > 0 {
            told["input_tokens_details"]["image_tokens"] = image.into();
            told["image_tokens"] = image.into();
        }
    } else {
        told["prompt_tokens_details"] = json!({"cached_tokens": cached});
    }
    if reply.usage.reasoning > 0 {
        told["output_tokens_details"]["reasoning_tokens"] = reasoning.into();
    }
    told
}
