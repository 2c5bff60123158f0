//! A chat request, read: what every OpenAI-like face has in common.
//!
//! `Ask::read` refuses what has the wrong shape on any platform; what one
//! platform alone refuses is checked in its `wire` file before.

use serde_json::{Map, Value};

use super::complaint::{Complaint, Rule};
use super::models::Model;
use super::tokens;

/// A JSON object as it came.
pub(super) type Body = Map<String, Value>;

#[derive(Debug)]
pub(super) struct Ask {
    pub model: &'static Model,
    pub turns: Vec<Turn>,
    pub tools: Vec<Tool>,
    pub choice: Choice,
    /// Whether one answer may hold several calls.
    pub parallel: bool,
    pub format: Format,
    /// How many tokens the answer may have, thinking not counted.
    pub answer_limit: u64,
    /// How many tokens thinking and answer may have together.
    pub whole_limit: u64,
    pub stops: Vec<String>,
    pub n: usize,
    pub thinking: Thinking,
    pub stream: bool,
    pub include_usage: bool,
    /// How many alternatives to each token's log probability, if any are wanted.
    pub logprobs: Option<u64>,
    /// GLM: arguments may come in fragments.
    pub tool_stream: bool,
    /// GLM: several calls are announced in words.
    pub announces: bool,
    /// OpenAI: events are padded.
    pub obfuscate: bool,
    /// Spark: calls come as a list.
    pub calls_as_list: bool,
    /// OpenAI: a stream's last event does not repeat the output.
    pub bare_end: bool,
    /// DashScope: the form of the answer.
    pub native: Native,
    pub prompt_tokens: u64,
    pub image_tokens: u64,
}

/// The form of an answer in DashScope.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Native {
    /// Each event has what it adds, and not all until then.
    pub incremental: bool,
    /// The answer is a bare text, and not a message.
    pub text: bool,
}

/// One message.
#[derive(Debug)]
pub(super) struct Turn {
    pub role: Role,
    pub text: String,
    pub images: Vec<String>,
    /// Ids and names of the calls that an assistant's message holds.
    pub calls: Vec<(String, String)>,
    /// The call that a tool's message answers.
    pub answers: Option<String>,
    pub tokens: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    System,
    User,
    Assistant,
    Tool,
}

#[derive(Debug, Clone)]
pub(super) struct Tool {
    pub name: String,
    pub description: String,
    pub parameters: Value,
}

#[derive(Debug, PartialEq)]
pub(super) enum Choice {
    None,
    Auto,
    Required,
    Named(String),
}

#[derive(Debug, PartialEq)]
pub(super) enum Format {
    Text,
    /// Some JSON object.
    Object,
    /// An instance of this schema.
    Schema(Value),
}

/// Whether the model thinks, and whether that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    Off,
    /// Billed, not shown (OpenAI).
    Hidden,
    Shown,
}

impl Ask {
    /// Reads a body that `wire` has checked.
    ///
    /// # Errors
    /// What no platform takes: `messages` missing, empty or of a wrong shape, a
    /// tool message without its call, a call without its tool message.
    pub(super) fn read(body: &Body, model: &'static Model) -> Result<Ask, Complaint> {
        let messages = match given(body, "messages") {
            None => return Err(Complaint::invalid("messages", Rule::Missing)),
            Some(Value::Array(list)) if !list.is_empty() => list,
            Some(Value::Array(_)) => {
                return Err(Complaint::words("messages", "[] is too short - 'messages'"));
            }
            Some(_) => return Err(Complaint::invalid("messages", Rule::Type("array"))),
        };
        let turns = messages
            .iter()
            .enumerate()
            .map(|(at, message)| Turn::read(at, message))
            .collect::<Result<Vec<_>, _>>()?;
        answered(&turns)?;
        let tools = tools(body)?;
        let choice = choice(body, !tools.is_empty())?;
        if let Choice::Named(name) = &choice
            && !tools.iter().any(|tool| tool.name == *name)
        {
            let words = format!("Tool choice '{name}' not found in 'tools' parameter.");
            return Err(Complaint::words("tool_choice", words));
        }
        let images: usize = turns.iter().map(|turn| turn.images.len()).sum();
        let image_tokens = images as u64 * tokens::PER_IMAGE;
        let tool_tokens: u64 = tools.iter().map(Tool::tokens).sum();
        let turn_tokens: u64 = turns.iter().map(|turn| turn.tokens).sum();
        Ok(Ask {
            model,
            choice,
            parallel: flag(body, "parallel_tool_calls").unwrap_or(true),
            format: format(body)?,
            answer_limit: model.max_output,
            whole_limit: u64::MAX,
            stops: stops(body),
            n: given(body, "n").and_then(Value::as_u64).map_or(1, |n| n as usize),
            thinking: Thinking::Off,
            stream: flag(body, "stream").unwrap_or(false),
            include_usage: stream_option(body, "include_usage").unwrap_or(false),
            obfuscate: stream_option(body, "include_obfuscation").unwrap_or(true),
            calls_as_list: flag(body, "tool_calls_switch").unwrap_or(false),
            bare_end: false,
            logprobs: flag(body, "logprobs")
                .unwrap_or(false)
                .then(|| body.get("top_logprobs").and_then(Value::as_u64).unwrap_or(0)),
            announces: false,
            native: Native::default(),
            tool_stream: flag(body, "tool_stream").unwrap_or(false),
            prompt_tokens: turn_tokens + tool_tokens + tokens::PER_MESSAGE,
            image_tokens,
            turns,
            tools,
        })
    }

    /// The text of the last message from the user; empty if there is none.
    pub(super) fn question(&self) -> &str {
        self.turns.iter().rfind(|turn| turn.role == Role::User).map_or("", |turn| &turn.text)
    }
}

impl Turn {
    fn read(at: usize, message: &Value) -> Result<Turn, Complaint> {
        let param = |field: &str| format!("messages[{at}].{field}");
        let Some(message) = message.as_object() else {
            return Err(Complaint::invalid(format!("messages[{at}]"), Rule::Type("object")));
        };
        let role = match message.get("role").and_then(Value::as_str) {
            Some("system" | "developer") => Role::System,
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("tool" | "function") => Role::Tool,
            Some(other) => {
                return Err(Complaint::invalid(param("role"), Rule::Role(other.to_owned())));
            }
            None => return Err(Complaint::invalid(param("role"), Rule::Missing)),
        };
        let mut turn = Turn {
            role,
            text: String::new(),
            images: Vec::new(),
            calls: Vec::new(),
            answers: message.get("tool_call_id").and_then(Value::as_str).map(str::to_owned),
            tokens: tokens::PER_MESSAGE,
        };
        for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
            let function = call.get("function").or_else(|| call.get("custom"));
            let name = text(function.and_then(|function| function.get("name")));
            let (Some(id), Some(name)) = (text(call.get("id")), name) else {
                return Err(Complaint::invalid(param("tool_calls"), Rule::Type("calls with id")));
            };
            let arguments = function.and_then(|function| function.get("arguments"));
            turn.tokens +=
                tokens::count(&name) + arguments.and_then(Value::as_str).map_or(0, tokens::count);
            turn.calls.push((id, name));
        }
        match message.get("content") {
            Some(Value::String(text)) => turn.text.clone_from(text),
            Some(Value::Array(parts)) => turn.parts(parts, &param("content"))?,
            Some(Value::Null) | None if role == Role::Assistant && !turn.calls.is_empty() => {}
            Some(Value::Null) | None => {
                return Err(Complaint::invalid(param("content"), Rule::Missing));
            }
            Some(_) => return Err(Complaint::invalid(param("content"), Rule::Type("string"))),
        }
        turn.tokens += tokens::count(&turn.text);
        turn.tokens += turn.images.len() as u64 * tokens::PER_IMAGE;
        Ok(turn)
    }

    fn parts(&mut self, parts: &[Value], param: &str) -> Result<(), Complaint> {
        for part in parts {
            match part.get("type").and_then(Value::as_str) {
                Some("text" | "refusal") => {
                    let text = part.get("text").or_else(|| part.get("refusal"));
                    let Some(text) = text.and_then(Value::as_str) else {
                        return Err(Complaint::invalid(param, Rule::Type("text parts")));
                    };
                    if !self.text.is_empty() {
                        self.text.push('\n');
                    }
                    self.text.push_str(text);
                }
                Some("image_url") => {
                    let image = part.get("image_url");
                    let url = image.and_then(|image| image.get("url").unwrap_or(image).as_str());
                    let Some(url) = url else {
                        return Err(Complaint::invalid(param, Rule::Type("image_url.url")));
                    };
                    self.images.push(url.to_owned());
                }
                other => {
                    let other = other.unwrap_or("a part without type").to_owned();
                    return Err(Complaint::invalid(param, Rule::Unsupported(Some(other))));
                }
            }
        }
        Ok(())
    }
}

impl Tool {
    pub(super) fn tokens(&self) -> u64 {
        tokens::count(&self.name)
            + tokens::count(&self.description)
            + tokens::count(&self.parameters.to_string())
    }
}

/// A field that is there and not null.
pub(super) fn given<'a>(body: &'a Body, key: &str) -> Option<&'a Value> {
    body.get(key).filter(|value| !value.is_null())
}

fn flag(body: &Body, key: &str) -> Option<bool> {
    body.get(key).and_then(Value::as_bool)
}

fn stream_option(body: &Body, key: &str) -> Option<bool> {
    body.get("stream_options")?.get(key)?.as_bool()
}

/// Tool messages answer calls, and calls are answered.
fn answered(turns: &[Turn]) -> Result<(), Complaint> {
    let mut open: Vec<&str> = Vec::new();
    let mut asked = 0;
    for (at, turn) in turns.iter().enumerate() {
        if turn.role == Role::Tool {
            let id = turn.answers.as_deref().unwrap_or_default();
            let Some(found) = open.iter().position(|call| *call == id) else {
                return Err(Complaint::invalid(format!("messages[{at}].role"), Rule::Orphan));
            };
            open.swap_remove(found);
            continue;
        }
        if !open.is_empty() {
            break;
        }
        open = turn.calls.iter().map(|(id, _)| id.as_str()).collect();
        asked = at;
    }
    if open.is_empty() {
        return Ok(());
    }
    let ids = open.into_iter().map(str::to_owned).collect();
    Err(Complaint::invalid(format!("messages[{asked}].tool_calls"), Rule::Unanswered(ids)))
}

fn tools(body: &Body) -> Result<Vec<Tool>, Complaint> {
    let mut tools = Vec::new();
    let listed = match given(body, "tools") {
        None => return Ok(tools),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(Complaint::invalid("tools", Rule::Type("array"))),
    };
    for (at, tool) in listed.iter().enumerate() {
        match tool.get("type").and_then(Value::as_str) {
            Some("function") => {}
            Some(_) => continue, // web search and the like: nothing to call
            None => return Err(Complaint::invalid(format!("tools[{at}].type"), Rule::Missing)),
        }
        let Some(function) = tool.get("function").and_then(Value::as_object) else {
            return Err(Complaint::invalid(format!("tools[{at}].function"), Rule::Missing));
        };
        let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
        let well_named = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !well_named {
            return Err(Complaint::words(
                format!("tools[{at}].function.name"),
                format!(
                    "Invalid 'tools[{at}].function.name': string does not match pattern. Expected \
                     a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
                ),
            ));
        }
        let parameters = given(function, "parameters").cloned().unwrap_or(Value::Bool(true));
        tools.push(Tool {
            name: name.to_owned(),
            description: given(function, "description")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            parameters,
        });
    }
    Ok(tools)
}

fn choice(body: &Body, any_tools: bool) -> Result<Choice, Complaint> {
    let refused = |rule| Err(Complaint::invalid("tool_choice", rule));
    Ok(match given(body, "tool_choice") {
        None if any_tools => Choice::Auto,
        None => Choice::None,
        Some(Value::String(word)) => match word.as_str() {
            "none" => Choice::None,
            "auto" => Choice::Auto,
            "required" => Choice::Required,
            other => return refused(Rule::Unsupported(Some(other.to_owned()))),
        },
        Some(Value::Object(named)) => {
            let function = named.get("function").unwrap_or(&Value::Null);
            match function.get("name").and_then(Value::as_str) {
                Some(name) => Choice::Named(name.to_owned()),
                None => return refused(Rule::Type("a function's name")),
            }
        }
        Some(_) => return refused(Rule::Type("string or object")),
    })
}

fn format(body: &Body) -> Result<Format, Complaint> {
    let Some(format) = given(body, "response_format") else { return Ok(Format::Text) };
    match format.get("type").and_then(Value::as_str) {
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Object),
        Some("json_schema") => {
            let schema = format.get("json_schema").and_then(|named| named.get("schema"));
            let param = "response_format.json_schema.schema";
            schema
                .cloned()
                .map(Format::Schema)
                .ok_or_else(|| Complaint::invalid(param, Rule::Missing))
        }
        other => Err(Complaint::invalid(
            "response_format.type",
            Rule::Unsupported(other.map(str::to_owned)),
        )),
    }
}

fn stops(body: &Body) -> Vec<String> {
    match body.get("stop") {
        Some(Value::String(stop)) => vec![stop.clone()],
        Some(Value::Array(stops)) => {
            stops.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
