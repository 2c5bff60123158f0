//! Tools and their choice.

use crate::front::BadRequest;
use crate::front::object::{Object, text_to_json};
use crate::platforms::dialects::pivot::{Choice, name_of, read_tools};
use crate::platforms::rules::ForcedTools;

/// The tools of a request, each in Messages' form, with its name.
pub(super) struct Tools {
    tools: Vec<(String, String)>,
    choice: Choice,
    one_at_a_time: bool,
}

impl Tools {
    /// Takes tools and their choice out of the request.
    pub(super) fn take(fields: &mut Object<'_>) -> Result<Tools, BadRequest> {
        let given = |json: &std::borrow::Cow<'_, str>| json != "null";
        let json = fields.remove("tools").filter(given).unwrap_or_default();
        let listed = if json.is_empty() { Vec::new() } else { read_tools(&json)? };
        let mut tools = Vec::with_capacity(listed.len());
        for (at, tool) in listed.iter().enumerate() {
            tools.push(translated(at, tool)?);
        }
        let choice = fields.remove("tool_choice").filter(given);
        let choice = choice.map_or(Choice::Other, |json| Choice::read(&json));
        let is_forced = matches!(choice, Choice::Required | Choice::Named(_));
        if is_forced && tools.is_empty() {
            let message = "'tool_choice' is only allowed when 'tools' are specified.";
            return Err(BadRequest::field("tool_choice", message));
        }
        if let Some(names) = choice.names() {
            if let Some(lost) = names.iter().find(|name| !tools.iter().any(|(it, _)| it == *name)) {
                let message = format!("Tool choice '{lost}' not found in 'tools' parameter.");
                return Err(BadRequest::field("tool_choice", message));
            }
            if let Choice::Allowed { names, .. } = &choice {
                tools.retain(|(name, _)| names.contains(name));
            }
        }
        let one_at_a_time = fields.remove("parallel_tool_calls").as_deref() == Some("false");
        Ok(Tools { tools, choice, one_at_a_time })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// Writes them, as far as the model lets a tool be forced.
    pub(super) fn write(mut self, fields: &mut Object<'_>, thinks: bool, forced: ForcedTools) {
        if self.tools.is_empty() {
            return;
        }
        let may_force = match forced {
            ForcedTools::Taken => true,
            ForcedTools::UnlessThinking => !thinks,
            ForcedTools::Refused => false,
        };
        let (mut kind, mut name) = match &self.choice {
            Choice::Required | Choice::Allowed { required: true, .. } => ("any", None),
            Choice::None => ("none", None),
            Choice::Named(name) => ("tool", Some(name.clone())),
            Choice::Allowed { .. } | Choice::Other => ("auto", None),
        };
        if !may_force && matches!(kind, "any" | "tool") {
            // Nearest to a named tool: it alone, and no other to call.
            if let Some(name) = name.take() {
                self.tools.retain(|(it, _)| *it == name);
            }
            kind = "auto";
        }
        let is_silent = kind == "auto" && matches!(self.choice, Choice::Other);
        let written: Vec<&str> = self.tools.iter().map(|(_, json)| json.as_str()).collect();
        fields.set("tools", format!("[{}]", written.join(",")));
        let one = self.one_at_a_time && kind != "none";
        if is_silent && !one {
            return;
        }
        let mut choice = Object::default();
        choice.set("type", text_to_json(kind));
        if let Some(name) = name {
            choice.set("name", text_to_json(&name));
        }
        if one {
            choice.set("disable_parallel_tool_use", "true");
        }
        fields.set("tool_choice", choice.to_json());
    }
}

fn translated(at: usize, tool: &Object<'_>) -> Result<(String, String), BadRequest> {
    if tool.get("type") != Some("\"function\"") {
        let param = format!("tools[{at}].type");
        let message = format!("Invalid '{param}': Claude is given functions alone.");
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
    out.set("name", text_to_json(&name));
    if let Some(description) = function.given("description") {
        out.set("description", description);
    }
    out.set("input_schema", input_schema(function.given("parameters")));
    if function.get("strict") == Some("true") {
        out.set("strict", "true");
    }
    Ok((name, out.to_json()))
}

/// The schema of a tool's input, which is an object's, and must say so.
fn input_schema(parameters: Option<&str>) -> String {
    let parameters = parameters.unwrap_or("{}");
    match Object::parse(parameters) {
        Ok(schema) if schema.get("type").is_none() => {
            let typed = [("type", "\"object\"")].into_iter().chain(schema.iter());
            typed.collect::<Object<'_>>().to_json()
        }
        _ => parameters.to_owned(),
    }
}
