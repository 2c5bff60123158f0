//! Spark (iFlytek) over WebSocket: `/v1.1/chat`, `/v3.5/chat` and so on, one path a model.
//!
//! Vendor docs: 星火认知大模型websocket接口文档, 星火深度推理websocket协议文档,
//! WebSocket协议通用鉴权URL生成说明; `spark_ai_python` 0.4.5. A simulated app has 32 hexadecimal
//! digits as its key, the first eight of them as its id, and as its secret the Base64 of the
//! key read backwards.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::header::HOST;
use http::request::Parts;
use serde_json::{Value, json};
use sha2::Sha256;

use super::spark::{MODELS, THINKER, format_in_words};
use super::{Asked, Facts, Refusal, Socket, Wire, event, hex, object};
use crate::simulator::ask::{Ask, Body, Role, Thinking, given};
use crate::simulator::call::{Habits, Opens, Part, Piece, Reply, Usage};
use crate::simulator::check;
use crate::simulator::clock;
use crate::simulator::complaint::{Class, Complaint, Range, Rule};
use crate::simulator::models::{Model, Thinks};

/// Each model's path: one that is not its own is refused.
const PATHS: [(&str, &str); 9] = [
    ("/v1.1/chat", "lite"),
    ("/v3.1/chat", "generalv3"),
    ("/chat/pro-128k", "pro-128k"),
    ("/v3.5/chat", "generalv3.5"),
    ("/chat/max-32k", "max-32k"),
    ("/v4.0/chat", "4.0Ultra"),
    ("/v1/x1", THINKER),
    ("/v1.1/chat_kjwx", "kjwx"),
    ("/v2.1/image", "imagev3"),
];

/// The platform takes no date that is further from its own, in seconds.
const MOST_SKEW: i64 = 300;

/// The longest `header.uid`.
const LONGEST_UID: usize = 32;

pub(in crate::simulator) struct SparkWs;

static FACTS: Facts = Facts { platform: "spark", base: "", owner: "", models: MODELS };

impl Socket for SparkWs {
    fn model_at(&self, path: &str) -> Option<&'static Model> {
        let (_, name) = PATHS.iter().find(|(known, _)| *known == path)?;
        MODELS.iter().find(|model| model.name == *name)
    }

    fn claims(&self, head: &Parts) -> Option<String> {
        Proof::read(head).map(|proof| proof.api_key)
    }

    fn prove(&self, head: &Parts, now_s: i64) -> Result<(), Refusal> {
        let refused = |status: u16, words: &str| Refusal::new(status, json!({"message": words}));
        let proof = Proof::read(head).ok_or_else(|| refused(401, "Unauthorized"))?;
        let unknown = || refused(401, "HMAC signature cannot be verified");
        let well_formed = self.accepts(&proof.api_key)
            && proof.algorithm == "hmac-sha256"
            && proof.headers == "host date request-line";
        if !well_formed {
            return Err(unknown());
        }
        let date = jiff::fmt::rfc2822::parse(&proof.date).map(|date| date.timestamp().as_second());
        if !date.is_ok_and(|date| (date - now_s).abs() <= MOST_SKEW) {
            let words = "HMAC signature does not match, a valid date or x-date header is required \
                         for HMAC Authentication";
            return Err(refused(403, words).with("content-type", "text/plain; charset=utf-8"));
        }
        let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
        let text =
            format!("host: {}\ndate: {}\nGET {} HTTP/1.1", proof.host, proof.date, head.uri.path());
        let mut mac = Hmac::<Sha256>::new_from_slice(secret(&proof.api_key).as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        let signed = STANDARD.decode(&proof.signature).unwrap_or_default();
        if mac.verify_slice(&signed).is_err() || host != Some(proof.host.as_str()) {
            return Err(refused(401, "HMAC signature does not match"));
        }
        Ok(())
    }

    fn names_app(&self, key: &str, frame: &Body) -> Result<(), Complaint> {
        let app = frame.get("header").and_then(|header| header.get("app_id")?.as_str());
        if app == Some(&key[..8]) {
            return Ok(());
        }
        Err(Complaint::words("$.header.app_id", "app_id is not the one that signed"))
    }
}

/// What stands in a handshake's query.
struct Proof {
    api_key: String,
    algorithm: String,
    headers: String,
    signature: String,
    date: String,
    host: String,
}

impl Proof {
    fn read(head: &Parts) -> Option<Proof> {
        let query = head.uri.query()?.as_bytes();
        let field = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query);
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let words = STANDARD.decode(field("authorization")?).ok()?;
        let words = String::from_utf8(words).ok()?;
        // Loosely: the SDK leaves a run of blanks between two of them.
        let word = |name: &str| {
            let start = format!("{name}=\"");
            let found = words.split(',').find_map(|pair| pair.trim().strip_prefix(&start))?;
            found.strip_suffix('"').map(str::to_owned)
        };
        Some(Proof {
            api_key: word("api_key")?,
            algorithm: word("algorithm").unwrap_or_default(),
            headers: word("headers").unwrap_or_default(),
            signature: word("signature").unwrap_or_default(),
            date: field("date").unwrap_or_default(),
            host: field("host").unwrap_or_default(),
        })
    }
}

/// The secret of a simulated app.
fn secret(api_key: &str) -> String {
    STANDARD.encode(api_key.chars().rev().collect::<String>())
}

impl Wire for SparkWs {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn accepts(&self, key: &str) -> bool {
        key.len() == 32 && key.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    }

    fn read(&self, frame: &Body, model: &'static Model) -> Result<Ask, Complaint> {
        known(frame, "$", &["header", "parameter", "payload"])?;
        let header = part(frame, "header", "$.header")?;
        known(header, "$.header", &["app_id", "uid", "patch_id"])?;
        let uid = header.get("uid").and_then(Value::as_str).unwrap_or_default();
        if uid.chars().count() > LONGEST_UID {
            return Err(Complaint::invalid("$.header.uid", Rule::Type("string")));
        }
        let chat = part(part(frame, "parameter", "$.parameter")?, "chat", "$.parameter.chat")?;
        if chat.get("domain").and_then(Value::as_str) != Some(model.name) {
            let name = chat.get("domain").and_then(Value::as_str).unwrap_or_default();
            return Err(Complaint::UnknownModel(name.to_owned()));
        }
        check::ranges(
            chat,
            &[
                ("temperature", Range::new(0.0, 1.0).low_open()),
                ("top_k", Range::whole(1, 6)),
                ("max_tokens", Range::whole(1, model.max_output)),
            ],
        )?;
        let payload = part(frame, "payload", "$.payload")?;
        let message = part(payload, "message", "$.payload.message")?;
        let texts = listed(message, "text", "$.payload.message.text")?;
        roles(texts)?;
        let functions = match given(payload, "functions") {
            None => &Vec::new(),
            Some(_) => {
                let functions = part(payload, "functions", "$.payload.functions")?;
                listed(functions, "text", "$.payload.functions.text")?
            }
        };
        if !functions.is_empty() && !model.tools {
            return Err(Complaint::invalid("$.payload.functions", Rule::Unsupported(None)));
        }
        let tools: Vec<Value> = functions
            .iter()
            .map(|function| json!({"type": "function", "function": function}))
            .collect();
        let messages = match model.sees {
            true => shown(texts)?,
            false => texts.clone(),
        };
        let front = json!({"messages": messages, "tools": tools, "stream": true});
        let Value::Object(front) = front else { unreachable!("it is written as an object") };
        let mut ask = Ask::read(&front, model)?;
        for turn in &mut ask.turns {
            // There is no role for results: a model understands them by their words.
            if turn.role == Role::User && is_result(&turn.text) {
                turn.role = Role::Tool;
            }
        }
        let disabled = check::thinking_type(chat) == Some("disabled");
        if model.thinks == Thinks::UnlessAsked && !disabled {
            ask.thinking = Thinking::Shown;
        }
        ask.parallel = false; // one call an answer
        let limit = given(chat, "max_tokens").and_then(Value::as_u64);
        ask.whole_limit = limit.unwrap_or(model.max_output);
        ask.format = format_in_words(&ask);
        Ok(ask)
    }

    fn id(&self, unique: u128) -> String {
        format!("cht{}@dx{}", hex(unique, 0, 8), hex(unique, 1, 18))
    }

    fn habits(&self, _ask: &Ask) -> Habits {
        Habits { stride: 4, whole_calls: true, opens_empty: Opens::Never }
    }

    /// The one frame of an answer that is short enough for it.
    fn whole(&self, reply: &Reply) -> Value {
        let answer = reply.answers.first();
        let content = answer.map_or("", |answer| answer.content.as_str());
        let text = json!({"content": content, "role": "assistant", "index": 0});
        frame(reply, Status::Last, 0, text)
    }

    fn event(&self, reply: &Reply, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let Some(answer) = reply.answers.get(piece.choice) else { return };
        let thinks = !answer.reasoning.is_empty();
        let (content, reasoning, call) = match &piece.part {
            Part::Reasoning(text) => ("", Some(*text), None),
            Part::Content(text) => (*text, thinks.then_some(""), None),
            Part::Call { call, .. } => {
                let call = json!({"arguments": call.arguments, "name": call.name});
                ("", None, Some(call))
            }
            Part::Finish if piece.last => ("", None, None),
            Part::Finish | Part::Open | Part::Usage | Part::Done => return,
        };
        let text = object([
            ("content", Some(content.into())),
            ("reasoning_content", reasoning.map(Value::from)),
            ("role", Some("assistant".into())),
            ("content_type", call.is_some().then(|| "text".into())),
            ("function_call", call),
            ("index", Some(0.into())),
        ]);
        let status = match (piece.first, piece.last) {
            (_, true) => Status::Last,
            (true, false) => Status::First,
            (false, false) => Status::Between,
        };
        put(out, &frame(reply, status, piece.number, text));
    }

    fn broken(&self, reply: &Reply, out: &mut Vec<u8>) {
        let words =
            format!("EngineInternalError:({}) engine failed", clock::shanghai_time_of_day());
        put(out, &failure(10012, &words, &reply.id));
    }

    fn refuse(&self, complaint: &Complaint, asked: &Asked) -> Refusal {
        refuse(complaint, asked)
    }
}

/// A frame stands alone: no event's prefix, no empty line.
fn put(out: &mut Vec<u8>, frame: &Value) {
    event(out, "", frame);
    out.truncate(out.trim_ascii_end().len());
}

#[derive(Clone, Copy)]
enum Status {
    First = 0,
    Between = 1,
    Last = 2,
}

fn frame(reply: &Reply, status: Status, seq: u64, text: Value) -> Value {
    let status_number = status as u8;
    let payload = object([
        ("choices", Some(json!({"status": status_number, "seq": seq, "text": [text]}))),
        ("usage", matches!(status, Status::Last).then(|| usage(&reply.usage))),
    ]);
    json!({"header": {"code": 0, "message": "Success", "sid": reply.id, "status": status_number},
        "payload": payload})
}

fn failure(code: u32, words: &str, sid: &str) -> Value {
    json!({"header": {"code": code, "message": words, "sid": sid, "status": 2}})
}

fn usage(usage: &Usage) -> Value {
    // The last question's alone; nobody bills by it.
    let question = usage.prompt.saturating_sub(3);
    json!({"text": {"question_tokens": question, "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion, "total_tokens": usage.total()}})
}

fn part<'a>(body: &'a Body, name: &str, path: &str) -> Result<&'a Body, Complaint> {
    let found = body.get(name).and_then(Value::as_object);
    found.ok_or_else(|| Complaint::invalid(path, Rule::Missing))
}

fn listed<'a>(body: &'a Body, name: &str, path: &str) -> Result<&'a Vec<Value>, Complaint> {
    let found = body.get(name).and_then(Value::as_array).filter(|list| !list.is_empty());
    found.ok_or_else(|| Complaint::invalid(path, Rule::Missing))
}

/// The platform's schema has no other keys.
fn known(body: &Body, path: &str, keys: &[&str]) -> Result<(), Complaint> {
    match body.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(Complaint::invalid(format!("{path}.{key}"), Rule::Type("nothing"))),
        None => Ok(()),
    }
}

/// `system` only at the beginning, the last word the user's, and all contents texts.
fn roles(texts: &[Value]) -> Result<(), Complaint> {
    for (at, text) in texts.iter().enumerate() {
        let path = |key: &str| format!("$.payload.message.text[{at}].{key}");
        match text.get("role").and_then(Value::as_str) {
            Some("user" | "assistant") => {}
            Some("system") if at == 0 || (at == 1 && is_picture(&texts[0])) => {}
            Some(other) => {
                return Err(Complaint::invalid(path("role"), Rule::Role(other.to_owned())));
            }
            None => return Err(Complaint::invalid(path("role"), Rule::Missing)),
        }
        if !text.get("content").is_some_and(Value::is_string) {
            return Err(Complaint::invalid(path("content"), Rule::Type("string")));
        }
    }
    let last = texts.last().and_then(|text| text.get("role")?.as_str());
    if last != Some("user") {
        return Err(Complaint::words("$.payload.message.text", "the last role must be user"));
    }
    Ok(())
}

fn is_picture(text: &Value) -> bool {
    text.get("content_type").and_then(Value::as_str) == Some("image")
}

/// The messages of a model that sees (图片理解 API): the picture comes first, as bare Base64, and
/// everything else says that it is text.
fn shown(texts: &[Value]) -> Result<Vec<Value>, Complaint> {
    let mut messages = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let path = || format!("$.payload.message.text[{at}].content_type");
        match text.get("content_type").and_then(Value::as_str) {
            Some("image") if at == 0 => {
                let base64 = text.get("content").and_then(Value::as_str).unwrap_or_default();
                let url = format!("data:image/png;base64,{base64}");
                let part = json!({"type": "image_url", "image_url": {"url": url}});
                messages.push(json!({"role": "user", "content": [part]}));
            }
            Some("text") if at > 0 => messages.push(text.clone()),
            _ => return Err(Complaint::invalid(path(), Rule::Type("image, then text"))),
        }
    }
    Ok(messages)
}

/// `[NAME 的结果] …`
fn is_result(text: &str) -> bool {
    let named = text.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    named.is_some_and(|(name, _)| name.ends_with(" 的结果"))
}

/// Refusals after the handshake are frames; those of an edge come before it.
fn refuse(complaint: &Complaint, asked: &Asked) -> Refusal {
    let frame = |code: u32, words: &str| Refusal::new(200, failure(code, words, &asked.id));
    let time = clock::shanghai_time_of_day;
    let unknown =
        |name: &str| frame(11200, &format!("AppIdNoAuthError:({}) domain.{name}", time()));
    match complaint {
        Complaint::NoKey => Refusal::new(401, json!({"message": "Unauthorized"})),
        Complaint::BadKey(_) => {
            Refusal::new(401, json!({"message": "HMAC signature cannot be verified"}))
        }
        Complaint::NoRoute => Refusal::new(404, json!({"message": "no Route matched"})),
        Complaint::NotJson => frame(10003, "用户的消息格式有错误"),
        Complaint::UnknownModel(name) | Complaint::Offline(name) => unknown(name),
        Complaint::TooLong { .. } | Complaint::Class(Class::ContextLength) => {
            frame(10907, "the total tokens is over the limit")
        }
        Complaint::Invalid { param, rule: Rule::Missing | Rule::Type(_) } => {
            frame(10004, &format!("param validate error: '{param}' is wrong"))
        }
        Complaint::Invalid { param, rule: Rule::Range { range, .. } } => {
            let words =
                format!("param validate error: '$.parameter.chat.{param}' must be in {range}");
            frame(10163, &words)
        }
        Complaint::Invalid { param, rule } => {
            let words = match rule {
                Rule::Words(words) => words.clone(),
                _ => format!("'{param}' is invalid"),
            };
            frame(10005, &format!("param validate error: {words}"))
        }
        Complaint::Class(class) => match class {
            Class::RateLimited => {
                frame(11202, &format!("AppIdQpsOverFlowError:({}) tokens.qps", time()))
            }
            Class::QuotaExhausted => {
                frame(11200, &format!("AppIdNoAuthError:({}) tokens.total", time()))
            }
            Class::AuthExpired => {
                Refusal::new(401, json!({"message": "HMAC signature does not match"}))
            }
            Class::Banned => frame(10015, &format!("AppIdBlackListError:({})", time())),
            Class::Overloaded => frame(10110, "服务忙,请稍后再试"),
            Class::UpstreamFault => {
                frame(10012, &format!("EngineInternalError:({}) engine failed", time()))
            }
            Class::ContentFiltered => {
                frame(10013, "输入内容审核不通过,涉嫌违规,请重新调整输入内容")
            }
            Class::NotFound => unknown(&asked.model),
            Class::Html => Refusal::html(),
            Class::Empty => Refusal::empty(),
            Class::ContextLength => unreachable!("answered above"),
        },
    }
}
