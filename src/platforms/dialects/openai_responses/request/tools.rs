//! Tools and their choice.

use super::input::Input;
use crate::front::BadRequest;
use crate::front::object::{Object, text_to_json};
use crate::platforms::dialects::pivot::{Choice, name_of, read_tools};

/// What a function takes that says nothing of it.
const NOTHING: &str = r#"{"type":"object","properties":{},"additionalProperties":false}"#;

/// The tools of a request, each with its name, and which of them to choose.
pub(super) struct Tools {
    tools: Vec<(String, String)>,
    choice: Option<String>,
    as_input: bool,
}

impl Tools {
    /// Takes tools and their choice out of the request. Those that go `as_input` can be chosen
    /// by mode alone: a choice among them leaves out the others.
    pub(super) fn take(fields: &mut Object<'_>, as_input: bool) -> Result<Tools, BadRequest> {
        let json = fields.remove("tools").filter(|json| json != "null").unwrap_or_default();
        let listed = if json.is_empty() { Vec::new() } else { read_tools(&json)? };
        let flat = listed.iter().enumerate().map(|(at, tool)| flat(at, tool));
        let mut tools = flat.collect::<Result<Vec<_>, _>>()?;
        let Some(json) = fields.remove("tool_choice").filter(|json| json != "null") else {
            return Ok(Tools { tools, choice: None, as_input });
        };
        let choice = Choice::read(&json);
        if as_input && let Some(names) = choice.names() {
            tools.retain(|(name, _)| names.contains(name));
        }
        let choice = match &choice {
            Choice::Other if !json.starts_with('"') => {
                let message = "Invalid 'tool_choice': expected none, auto, required, a function \
                               or allowed_tools of functions.";
                return Err(BadRequest::field("tool_choice", message));
            }
            Choice::Required | Choice::None | Choice::Other => json.into_owned(),
            Choice::Named(_) if as_input => text_to_json("required"),
            Choice::Named(name) => function(name),
            Choice::Allowed { names, required } => {
                let mode = text_to_json(if *required { "required" } else { "auto" });
                let tools: Vec<String> = names.iter().map(|name| function(name)).collect();
                let tools = tools.join(",");
                match as_input {
                    true => mode,
                    false => {
                        format!(r#"{{"type":"allowed_tools","mode":{mode},"tools":[{tools}]}}"#)
                    }
                }
            }
        };
        Ok(Tools { tools, choice: Some(choice), as_input })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// Writes them, among the fields or as the first item of the input.
    pub(super) fn write(self, out: &mut Object<'_>, input: &mut Input) {
        if let Some(choice) = self.choice {
            out.set("tool_choice", choice);
        }
        if self.tools.is_empty() {
            return;
        }
        let tools: Vec<&str> = self.tools.iter().map(|(_, json)| json.as_str()).collect();
        let tools = tools.join(",");
        if self.as_input {
            input.begin_with(format!(
                r#"{{"type":"additional_tools","role":"developer","tools":[{tools}]}}"#
            ));
        } else {
            out.set("tools", format!("[{tools}]"));
        }
    }
}

fn function(name: &str) -> String {
    format!(r#"{{"type":"function","name":{}}}"#, text_to_json(name))
}

/// A function's name, and the function without its inner object.
fn flat(at: usize, tool: &Object<'_>) -> Result<(String, String), BadRequest> {
    if tool.get("type") != Some("\"function\"") {
        let param = format!("tools[{at}].type");
        let message = format!("Invalid '{param}': functions alone can be sent here.");
        return Err(BadRequest::field(param, message));
    }
    let missing = || {
        let param = format!("tools[{at}].function.name");
        let message = format!("Missing required parameter: '{param}'.");
        BadRequest::field(param, message)
    };
    let name = name_of(tool).ok_or_else(missing)?;
    let function = Object::parse(tool.get("function").unwrap_or("{}")).unwrap_or_default();
    let mut out = Object::default();
    out.set("type", "\"function\"");
    out.set("name", text_to_json(&name));
    if let Some(description) = function.given("description") {
        out.set("description", description);
    }
    out.set("parameters", function.given("parameters").unwrap_or(NOTHING));
    // Required there, and true unless it is said.
    out.set("strict", function.given("strict").unwrap_or("false"));
    Ok((name, out.to_json()))
}
