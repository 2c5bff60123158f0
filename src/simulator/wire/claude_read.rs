//! Reading a Messages request: turns, tools, and what is wanted of the answer.

use serde_json::Value;

use super::claude::signature;
use super::claude_check::{check, peculiar};
use crate::simulator::ask::{Ask, Body, Choice, Format, Native, Role, Thinking, Tool, Turn, given};
use crate::simulator::check::thinking_type;
use crate::simulator::complaint::{Complaint, Rule};
use crate::simulator::models::{Model, Thinks};
use crate::simulator::think::schema_in_instructions;
use crate::simulator::tokens;

pub(super) fn read(body: &Body, model: &'static Model) -> Result<Ask, Complaint> {
    check(body, model)?;
    let mut turns = Vec::new();
    if let Some(system) = given(body, "system") {
        turns.push(instructions(system)?);
    }
    conversation(body, model, &mut turns)?;
    let tools = tools(body)?;
    let (choice, parallel) = choice(body, &tools)?;
    let images: usize = turns.iter().map(|turn| turn.images.len()).sum();
    let spent: u64 = turns.iter().map(|turn| turn.tokens).sum();
    let whole_limit = body.get("max_tokens").and_then(Value::as_u64).unwrap_or(0);
    let list = given(body, "stop_sequences").and_then(Value::as_array);
    let stops = list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let mut ask = Ask {
        model,
        choice,
        parallel,
        format: format(body)?,
        answer_limit: model.max_output,
        whole_limit,
        stops: stops.collect(),
        n: 1,
        thinking: thinking(body, model),
        stream: given(body, "stream").and_then(Value::as_bool).unwrap_or(false),
        include_usage: true,
        logprobs: None,
        tool_stream: false,
        announces: false,
        obfuscate: false,
        calls_as_list: false,
        bare_end: false,
        native: Native::default(),
        prompt_tokens: spent + tools.iter().map(Tool::tokens).sum::<u64>() + tokens::PER_MESSAGE,
        image_tokens: images as u64 * tokens::PER_IMAGE,
        turns,
        tools,
    };
    let asks_for_json =
        |turn: &Turn| turn.role == Role::System && turn.text.contains("JSON object");
    if ask.format == Format::Text && ask.turns.iter().any(asks_for_json) {
        ask.format = schema_in_instructions(&ask).map_or(Format::Object, Format::Schema);
    }
    Ok(ask)
}

fn thinking(body: &Body, model: &Model) -> Thinking {
    let display = given(body, "thinking").and_then(|asked| asked.get("display")?.as_str());
    let shown = display.map_or(peculiar(model.name).shows, |display| display == "summarized");
    let on = match thinking_type(body) {
        Some("enabled" | "adaptive") => true,
        Some(_) => model.thinks == Thinks::Always,
        None => matches!(model.thinks, Thinks::Always | Thinks::UnlessAsked),
    };
    match (on, shown) {
        (false, _) => Thinking::Off,
        (true, true) => Thinking::Shown,
        (true, false) => Thinking::Hidden,
    }
}

fn blank(role: Role) -> Turn {
    Turn {
        role,
        text: String::new(),
        images: Vec::new(),
        calls: Vec::new(),
        answers: None,
        tokens: tokens::PER_MESSAGE,
    }
}

fn instructions(system: &Value) -> Result<Turn, Complaint> {
    let mut turn = blank(Role::System);
    match system {
        Value::String(text) => turn.say(text),
        Value::Array(blocks) => {
            for (at, block) in blocks.iter().enumerate() {
                turn.say(text(block, &format!("system.{at}"))?);
            }
        }
        _ => return Err(Complaint::invalid("system", Rule::Type("string or list"))),
    }
    Ok(turn)
}

/// The calls that the last turn made and that want their results.
type Open = Vec<String>;

fn conversation(body: &Body, model: &Model, turns: &mut Vec<Turn>) -> Result<(), Complaint> {
    let messages = match given(body, "messages") {
        None => return Err(Complaint::invalid("messages", Rule::Missing)),
        Some(Value::Array(list)) if !list.is_empty() => list,
        Some(Value::Array(_)) => {
            return Err(Complaint::words("messages", "at least one message is required"));
        }
        Some(_) => return Err(Complaint::invalid("messages", Rule::Type("list"))),
    };
    let (mut open, mut known) = (Open::new(), Vec::new());
    for (at, message) in messages.iter().enumerate() {
        let place = format!("messages.{at}");
        let whole = [message.get("content").cloned().unwrap_or_default()];
        let blocks = match message.get("content") {
            Some(Value::String(text)) if text.is_empty() => {
                return Err(Complaint::words(place, "user messages must have non-empty content"));
            }
            Some(Value::String(_)) => &whole[..],
            Some(Value::Array(list)) if !list.is_empty() => list,
            _ => return Err(Complaint::invalid(format!("{place}.content"), Rule::Missing)),
        };
        match message.get("role").and_then(Value::as_str) {
            Some("user") => user(&place, blocks, &mut open, turns)?,
            Some("assistant") if !open.is_empty() => {
                return Err(Complaint::invalid(place, Rule::Unanswered(open)));
            }
            Some("assistant") => {
                let last = messages[at + 1..].iter().all(|later| later["role"] != "assistant");
                let must_think = last && at + 1 < messages.len() && resumes_thinking(body, model);
                assistant(&place, blocks, must_think, &mut known, &mut open, turns)?;
            }
            Some(other) => {
                return Err(Complaint::invalid("messages", Rule::Role(other.to_owned())));
            }
            None => return Err(Complaint::invalid(format!("{place}.role"), Rule::Missing)),
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    Err(Complaint::invalid(format!("messages.{}", messages.len() - 1), Rule::Unanswered(open)))
}

/// A model that thinks by a budget wants its last turn's thinking before its calls.
fn resumes_thinking(body: &Body, model: &Model) -> bool {
    peculiar(model.name).budget && thinking_type(body) == Some("enabled")
}

fn user(
    place: &str,
    blocks: &[Value],
    open: &mut Open,
    turns: &mut Vec<Turn>,
) -> Result<(), Complaint> {
    let mut said = blank(Role::User);
    let mut spoke = false;
    for (number, block) in blocks.iter().enumerate() {
        let place = format!("{place}.content.{number}");
        if kind(block) != Some("tool_result") {
            spoke = true;
            part(&mut said, block, &place)?;
            continue;
        }
        let id = block.get("tool_use_id").and_then(Value::as_str).unwrap_or_default();
        let Some(found) = open.iter().position(|call| call == id) else {
            return Err(Complaint::invalid(place, Rule::Orphan));
        };
        if spoke {
            let words = "`tool_result` blocks must come before other content";
            return Err(Complaint::words(place, words));
        }
        open.remove(found);
        let mut result = blank(Role::Tool);
        result.answers = Some(id.to_owned());
        match block.get("content") {
            Some(Value::Array(parts)) => {
                for (number, block) in parts.iter().enumerate() {
                    part(&mut result, block, &format!("{place}.content.{number}"))?;
                }
            }
            Some(Value::String(text)) => result.say(text),
            None => {}
            Some(_) => return Err(Complaint::invalid(place, Rule::Type("string or list"))),
        }
        turns.push(result);
    }
    if !open.is_empty() {
        let ids = std::mem::take(open);
        return Err(Complaint::invalid(place, Rule::Unanswered(ids)));
    }
    if spoke {
        turns.push(said);
    }
    Ok(())
}

fn assistant(
    place: &str,
    blocks: &[Value],
    must_think: bool,
    known: &mut Vec<String>,
    open: &mut Open,
    turns: &mut Vec<Turn>,
) -> Result<(), Complaint> {
    let mut turn = blank(Role::Assistant);
    let mut is_thought = false;
    for (number, block) in blocks.iter().enumerate() {
        let place = format!("{place}.content.{number}");
        match kind(block) {
            Some("thinking") => {
                let field = |name: &str| block.get(name).and_then(Value::as_str);
                let thinking = field("thinking").unwrap_or_default();
                if field("signature") != Some(signature(thinking).as_str()) {
                    let words = "Invalid `signature` in `thinking` block";
                    return Err(Complaint::words(place, words));
                }
                is_thought |= number == 0;
            }
            Some("redacted_thinking") => is_thought |= number == 0,
            Some("tool_use") => {
                let id = block.get("id").and_then(Value::as_str).unwrap_or_default();
                let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
                if id.is_empty() || !id.bytes().all(fits) {
                    let words = "String should match pattern '^[a-zA-Z0-9_-]+$'";
                    return Err(Complaint::words(format!("{place}.tool_use.id"), words));
                }
                if known.iter().any(|there| there == id) {
                    return Err(Complaint::words("messages", "`tool_use` ids must be unique"));
                }
                let Some(input) = block.get("input").filter(|input| input.is_object()) else {
                    let rule = Rule::Type("dictionary");
                    return Err(Complaint::invalid(format!("{place}.tool_use.input"), rule));
                };
                let name = block.get("name").and_then(Value::as_str).unwrap_or_default();
                turn.tokens += tokens::count(name) + tokens::count(&input.to_string());
                known.push(id.to_owned());
                open.push(id.to_owned());
                turn.calls.push((id.to_owned(), name.to_owned()));
            }
            _ => turn.say(text(block, &place)?),
        }
    }
    if must_think && !is_thought && !turn.calls.is_empty() {
        let words = "Expected `thinking` or `redacted_thinking`, but found `tool_use`. When \
                     `thinking` is enabled, a final `assistant` message must start with a thinking \
                     block.";
        return Err(Complaint::words(format!("{place}.content.0.type"), words));
    }
    turns.push(turn);
    Ok(())
}

fn kind(block: &Value) -> Option<&str> {
    block.get("type").and_then(Value::as_str)
}

/// The text of a text block, or of a content that is one text.
fn text<'a>(block: &'a Value, place: &str) -> Result<&'a str, Complaint> {
    let text = match block {
        Value::String(text) => Some(text.as_str()),
        block if kind(block) == Some("text") => block.get("text").and_then(Value::as_str),
        block => {
            let words = format!("Input tag {:?} found is none of the expected tags", kind(block));
            return Err(Complaint::words(place, words));
        }
    };
    match text {
        Some("") => Err(Complaint::words(place, "text content blocks must be non-empty")),
        Some(text) => Ok(text),
        None => Err(Complaint::invalid(format!("{place}.text"), Rule::Missing)),
    }
}

/// Text, an image or a document.
fn part(turn: &mut Turn, block: &Value, place: &str) -> Result<(), Complaint> {
    let source = block.get("source");
    let field = |name: &str| source.and_then(|source| source.get(name)).and_then(Value::as_str);
    match (kind(block), field("type")) {
        (Some("image"), Some("url")) => {
            let url = field("url").unwrap_or_default();
            if !url.starts_with("https://") && !url.starts_with("http://") {
                return Err(Complaint::words(format!("{place}.image.source.url"), "Invalid URL"));
            }
            turn.see(url.to_owned());
        }
        (Some("image"), Some("base64")) => {
            let media_type = field("media_type").unwrap_or_default();
            if !["image/jpeg", "image/png", "image/gif", "image/webp"].contains(&media_type) {
                let words =
                    "Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'";
                return Err(Complaint::words(format!("{place}.image.source.media_type"), words));
            }
            turn.see(format!("data:{media_type};base64,{}", field("data").unwrap_or_default()));
        }
        (Some("document"), Some("base64")) if field("media_type") == Some("application/pdf") => {
            turn.see(format!("data:application/pdf;base64,{}", field("data").unwrap_or_default()));
        }
        (Some("image" | "document"), _) => {
            return Err(Complaint::invalid(format!("{place}.source"), Rule::Missing));
        }
        _ => turn.say(text(block, place)?),
    }
    Ok(())
}

fn tools(body: &Body) -> Result<Vec<Tool>, Complaint> {
    let mut tools: Vec<Tool> = Vec::new();
    let listed = match given(body, "tools") {
        None => return Ok(tools),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(Complaint::invalid("tools", Rule::Type("list"))),
    };
    for (at, tool) in listed.iter().enumerate() {
        let place = |field: &str| format!("tools.{at}.custom.{field}");
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        let well_named = (1..=128).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if !well_named {
            let words = "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'";
            return Err(Complaint::words(place("name"), words));
        }
        if tools.iter().any(|there| there.name == name) {
            return Err(Complaint::words("tools", "Tool names must be unique."));
        }
        let Some(schema) = tool.get("input_schema") else {
            return Err(Complaint::invalid(place("input_schema"), Rule::Missing));
        };
        if schema.get("type") != Some(&"object".into()) {
            return Err(Complaint::words(place("input_schema.type"), "Input should be 'object'"));
        }
        let description = tool.get("description").and_then(Value::as_str).unwrap_or_default();
        tools.push(Tool {
            name: name.to_owned(),
            description: description.to_owned(),
            parameters: schema.clone(),
        });
    }
    Ok(tools)
}

/// The choice, and whether several calls may be made.
fn choice(body: &Body, tools: &[Tool]) -> Result<(Choice, bool), Complaint> {
    let Some(choice) = given(body, "tool_choice") else {
        return Ok((if tools.is_empty() { Choice::None } else { Choice::Auto }, true));
    };
    if tools.is_empty() {
        let words = "tool_choice may only be specified while providing tools";
        return Err(Complaint::words("tool_choice", words));
    }
    let single = choice.get("disable_parallel_tool_use").and_then(Value::as_bool);
    let read = match kind(choice) {
        Some("auto") => Choice::Auto,
        Some("any") => Choice::Required,
        Some("none") if single.is_some() => {
            let place = "tool_choice.none.disable_parallel_tool_use";
            return Err(Complaint::invalid(place, Rule::Unknown));
        }
        Some("none") => Choice::None,
        Some("tool") => {
            let name = choice.get("name").and_then(Value::as_str).unwrap_or_default();
            if !tools.iter().any(|tool| tool.name == name) {
                let words = format!("Tool '{name}' not found in provided tools");
                return Err(Complaint::words("tool_choice", words));
            }
            Choice::Named(name.to_owned())
        }
        _ => return Err(Complaint::invalid("tool_choice.type", Rule::Missing)),
    };
    Ok((read, single != Some(true)))
}

fn format(body: &Body) -> Result<Format, Complaint> {
    let format = given(body, "output_config").and_then(|output| output.get("format"));
    let Some(format) = format.filter(|format| !format.is_null()) else { return Ok(Format::Text) };
    match (kind(format), format.get("schema")) {
        (Some("json_schema"), Some(schema)) => Ok(Format::Schema(schema.clone())),
        _ => Err(Complaint::invalid("output_config.format.schema", Rule::Missing)),
    }
}

impl Turn {
    fn say(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
        self.tokens += tokens::count(text);
    }

    fn see(&mut self, url: String) {
        self.images.push(url);
        self.tokens += tokens::PER_IMAGE;
    }
}
