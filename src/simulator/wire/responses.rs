//! OpenAI Responses: `/v1/responses`.
//!
//! Vendor docs: OpenAI's OpenAPI description, its Python SDK's types (`types/responses`), the
//! guide "Sign in with ChatGPT: Preview limitations". Nothing is stored: an answer can't be
//! fetched again or gone on from.

use http::HeaderMap;
use serde_json::{Value, json};

use super::openai_errors::{error, refuse};
use super::responses_read::{admits, bare, read};
use super::{Asked, Facts, Refusal, Route, Wire, hex, letters, openai};
use crate::simulator::ask::{Ask, Body, Thinking};
use crate::simulator::call::{Habits, Opens, Part, Piece, Reply, Usage};
use crate::simulator::complaint::{Class, Complaint};
use crate::simulator::models::Model;
use crate::simulator::think::{Answer, Call, Finish};

pub(in crate::simulator) struct Responses;

/// How a person's token begins.
pub(super) const PERSONS: &str = "eyJ";

impl Wire for Responses {
    fn facts(&self) -> &'static Facts {
        openai::OpenAi.facts()
    }

    fn route<'a>(&self, path: &'a str) -> Option<Route<'a>> {
        (path == "/v1/responses").then_some(Route::Chat)
    }

    fn accepts(&self, key: &str) -> bool {
        openai::OpenAi.accepts(key) || (key.starts_with(PERSONS) && key.len() >= 16)
    }

    fn admits(&self, headers: &HeaderMap, body: &Body) -> Result<(), Complaint> {
        admits(super::bearer(headers).is_some_and(|key| key.starts_with(PERSONS)), body)
    }

    fn read(&self, body: &Body, model: &'static Model) -> Result<Ask, Complaint> {
        read(body, model)
    }

    fn id(&self, unique: u128) -> String {
        format!("resp_{}", hex(unique, 0, 48))
    }

    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    fn habits(&self, _ask: &Ask) -> Habits {
        Habits { stride: 1, whole_calls: false, opens_empty: Opens::Always }
    }

    fn whole(&self, reply: &Reply) -> Value {
        let Some(answer) = reply.answers.first() else { return Value::Null };
        finished(reply, answer)
    }

    fn event(&self, reply: &Reply, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let Some(answer) = reply.answers.first() else { return };
        let mut say = |kind: &str, body: Value| write(reply, out, kind, body);
        let text_at = usize::from(thinks(reply));
        let calls_at = text_at + usize::from(!answer.content.is_empty());
        match &piece.part {
            Part::Open => {
                let begun = response(reply, "in_progress", Vec::new(), Value::Null);
                say("response.created", json!({"response": begun}));
                say("response.in_progress", json!({"response": begun}));
                if thinks(reply) {
                    let item = reasoning(reply, None);
                    say("response.output_item.added", json!({"output_index": 0, "item": item}));
                    if answer.reasoning.is_empty() {
                        say("response.output_item.done", json!({"output_index": 0, "item": item}));
                    }
                }
            }
            Part::Reasoning(text) => {
                let at = |more: Value| {
                    let place = json!({"item_id": id(reply, "rs", 0), "output_index": 0, "summary_index": 0});
                    joined(place, more)
                };
                let part = |text: &str| json!({"type": "summary_text", "text": text});
                if begins(text, &answer.reasoning) {
                    say("response.reasoning_summary_part.added", at(json!({"part": part("")})));
                }
                say(
                    "response.reasoning_summary_text.delta",
                    at(json!({"delta": text, "obfuscation": "p"})),
                );
                if ends(text, &answer.reasoning) {
                    let all = answer.reasoning.as_str();
                    say("response.reasoning_summary_text.done", at(json!({"text": all})));
                    say("response.reasoning_summary_part.done", at(json!({"part": part(all)})));
                    let item = reasoning(reply, Some(all));
                    say("response.output_item.done", json!({"output_index": 0, "item": item}));
                }
            }
            Part::Content(text) => {
                let at = |more: Value| {
                    let place = json!({"item_id": id(reply, "msg", text_at), "output_index": text_at, "content_index": 0});
                    joined(place, more)
                };
                if begins(text, &answer.content) {
                    let item = message(reply, text_at, "in_progress", None);
                    say(
                        "response.output_item.added",
                        json!({"output_index": text_at, "item": item}),
                    );
                    say("response.content_part.added", at(json!({"part": output_text("")})));
                }
                say(
                    "response.output_text.delta",
                    at(json!({"delta": text, "logprobs": [], "obfuscation": "k3"})),
                );
                if ends(text, &answer.content) {
                    let all = answer.content.as_str();
                    say("response.output_text.done", at(json!({"text": all, "logprobs": []})));
                    say("response.content_part.done", at(json!({"part": output_text(all)})));
                    let item = message(reply, text_at, status(answer), Some(all));
                    say(
                        "response.output_item.done",
                        json!({"output_index": text_at, "item": item}),
                    );
                }
            }
            Part::Call { index, call, opens, arguments } => {
                let place = calls_at + index;
                let at = |more: Value| {
                    let place = json!({"item_id": id(reply, "fc", place), "output_index": place});
                    joined(place, more)
                };
                if *opens {
                    let item = function_call(reply, place, call, "in_progress", "");
                    say("response.output_item.added", json!({"output_index": place, "item": item}));
                }
                if !arguments.is_empty() {
                    let delta = json!({"delta": arguments, "obfuscation": "w0"});
                    say("response.function_call_arguments.delta", at(delta));
                }
                if ends(arguments, &call.arguments) && (!opens || call.arguments.is_empty()) {
                    let all = json!({"name": call.name, "arguments": call.arguments});
                    say("response.function_call_arguments.done", at(all));
                    let item = function_call(reply, place, call, "completed", &call.arguments);
                    say("response.output_item.done", json!({"output_index": place, "item": item}));
                }
            }
            Part::Done => {
                let mut response = finished(reply, answer);
                if bare(&reply.ask) {
                    response["output"] = json!([]);
                }
                say(&format!("response.{}", status(answer)), json!({"response": response}));
            }
            Part::Finish | Part::Usage => {}
        }
    }

    fn broken(&self, reply: &Reply, out: &mut Vec<u8>) {
        let words = "The server had an error processing your request. Sorry about that!";
        let error = json!({"code": "server_error", "message": words});
        if reply.events.get() == 0 {
            return write(reply, out, "error", joined(error, json!({"param": null})));
        }
        let mut failed = response(reply, "failed", Vec::new(), Value::Null);
        failed["error"] = error;
        write(reply, out, "response.failed", json!({"response": failed}));
    }

    fn refuse(&self, complaint: &Complaint, asked: &Asked) -> Refusal {
        match complaint {
            Complaint::TooLong { .. } | Complaint::Class(Class::ContextLength) => {
                let words = "Your input exceeds the context window of this model. Please adjust \
                             your input and try again.";
                let code = Some("context_length_exceeded");
                error(400, words, "invalid_request_error", Some("input"), code)
            }
            complaint => refuse(complaint, asked),
        }
    }

    fn headers(&self, asked: &Asked, headers: &mut HeaderMap) {
        openai::OpenAi.headers(asked, headers);
    }
}

/// What proves that reasoning is the model's own.
pub(super) fn seal(item: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    ("reasoning", item).hash(&mut hasher);
    format!("gAAAA{}==", letters(u128::from(hasher.finish()), 7, 60))
}

fn thinks(reply: &Reply) -> bool {
    reply.ask.thinking != Thinking::Off
}

/// Whether a fragment is a text's first, by where it stands.
fn begins(fragment: &str, text: &str) -> bool {
    fragment.as_ptr() == text.as_ptr()
}

fn ends(fragment: &str, text: &str) -> bool {
    fragment.as_bytes().as_ptr_range().end == text.as_bytes().as_ptr_range().end
}

fn status(answer: &Answer) -> &'static str {
    if answer.finish == Finish::Length { "incomplete" } else { "completed" }
}

/// The answer as it is at its end.
fn finished(reply: &Reply, answer: &Answer) -> Value {
    let mut items = Vec::new();
    if thinks(reply) {
        let shown = Some(answer.reasoning.as_str()).filter(|text| !text.is_empty());
        items.push(reasoning(reply, shown));
    }
    if !answer.content.is_empty() {
        items.push(message(reply, items.len(), status(answer), Some(&answer.content)));
    }
    for call in &answer.calls {
        items.push(function_call(reply, items.len(), call, "completed", &call.arguments));
    }
    let mut whole = response(reply, status(answer), items, usage(&reply.usage));
    if answer.finish == Finish::Length {
        whole["incomplete_details"] = json!({"reason": "max_output_tokens"});
    }
    whole
}

fn response(reply: &Reply, status: &str, output: Vec<Value>, usage: Value) -> Value {
    let ask = &reply.ask;
    let limit = Some(ask.whole_limit).filter(|limit| *limit < u64::MAX);
    json!({"id": reply.id, "object": "response", "created_at": reply.created, "status": status,
        "background": false, "error": null, "incomplete_details": null, "instructions": null,
        "max_output_tokens": limit, "model": ask.model.snapshot, "output": output,
        "parallel_tool_calls": ask.parallel, "previous_response_id": null,
        "reasoning": {"effort": if thinks(reply) { "medium" } else { "none" }, "summary": null},
        "service_tier": "default", "store": false, "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"}, "tool_choice": "auto",
        "tools": [], "top_p": 1.0, "truncation": "disabled", "usage": usage, "user": null,
        "metadata": {}})
}

fn reasoning(reply: &Reply, summary: Option<&str>) -> Value {
    let id = id(reply, "rs", 0);
    let summary = summary.map(|text| json!({"type": "summary_text", "text": text}));
    json!({"encrypted_content": seal(&id), "id": id, "type": "reasoning",
        "summary": summary.into_iter().collect::<Vec<Value>>()})
}

fn message(reply: &Reply, at: usize, status: &str, text: Option<&str>) -> Value {
    let content: Vec<Value> = text.map(output_text).into_iter().collect();
    json!({"id": id(reply, "msg", at), "type": "message", "status": status, "role": "assistant",
        "content": content})
}

fn output_text(text: &str) -> Value {
    json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
}

fn function_call(reply: &Reply, at: usize, call: &Call, status: &str, arguments: &str) -> Value {
    let call_id = format!("call_{}", letters(reply.unique, at as u128 + 2, 24));
    json!({"id": id(reply, "fc", at), "type": "function_call", "status": status,
        "arguments": arguments, "call_id": call_id, "name": call.name})
}

fn id(reply: &Reply, prefix: &str, at: usize) -> String {
    format!("{prefix}_{}", hex(reply.unique, at as u128 + 100, 48))
}

fn usage(usage: &Usage) -> Value {
    json!({"input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total()})
}

fn joined(mut first: Value, more: Value) -> Value {
    if let (Some(first), Value::Object(more)) = (first.as_object_mut(), more) {
        first.extend(more);
    }
    first
}

/// Writes a named event, its type first and its number last.
fn write(reply: &Reply, out: &mut Vec<u8>, kind: &str, body: Value) {
    let number = reply.events.get();
    reply.events.set(number + 1);
    let mut body = joined(json!({"type": kind}), body);
    if !reply.ask.obfuscate
        && let Some(body) = body.as_object_mut()
    {
        body.remove("obfuscation");
    }
    body["sequence_number"] = number.into();
    out.extend_from_slice(format!("event: {kind}\ndata: {body}\n\n").as_bytes());
}
