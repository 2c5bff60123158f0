//! Rules for tools and their choice.

use std::borrow::Cow;

use super::{Draft, search, set_all};
use crate::front::BadRequest;
use crate::front::object::{Object, elements, read_text, text_to_json};
use crate::platforms::rules::{ForcedChoice, NamedChoice, NoChoice, ToolRules};

const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

/// Brings tools and their choice into the platform's form.
pub(super) fn put_right(draft: &mut Draft<'_>, streams: bool) -> Result<(), BadRequest> {
    let rules = &draft.rules.tools;
    let json = draft.fields.given("tools").unwrap_or("[]").to_owned();
    let mut tools = read(&json)?;
    let had_tools = !tools.is_empty();
    choose(draft, &mut tools);
    for tool in &mut tools {
        if is_function(tool) {
            function(tool, rules);
        }
    }
    if tools.iter().any(is_function) {
        set_all(&mut draft.fields, &rules.with_functions);
        if let (true, Some(set)) = (streams, &draft.traits.with_streamed_functions) {
            set_all(&mut draft.fields, set);
        }
    }
    let search = search::put_right(draft).map(|tool| tool.to_string());
    if tools.is_empty() && search.is_none() {
        if had_tools || draft.fields.get("tools") == Some("null") {
            draft.fields.remove("tools");
            draft.fields.remove("tool_choice");
        }
        return Ok(());
    }
    let written: Vec<String> = tools.iter().map(Object::to_json).chain(search).collect();
    draft.fields.set("tools", format!("[{}]", written.join(",")));
    Ok(())
}

fn read(json: &str) -> Result<Vec<Object<'_>>, BadRequest> {
    let wrong = |_| BadRequest::field("tools", "Invalid type for 'tools': expected objects.");
    elements(json)
        .map_err(wrong)?
        .into_iter()
        .map(|tool| Object::parse(tool).map_err(wrong))
        .collect()
}

fn is_function(tool: &Object<'_>) -> bool {
    tool.get("type") == Some("\"function\"")
}

/// What the caller's `tool_choice` says.
enum Choice {
    Required,
    None,
    /// These functions, and no other.
    Named(Vec<String>),
    Other,
}

fn choose(draft: &mut Draft<'_>, tools: &mut Vec<Object<'_>>) {
    let rules = &draft.rules.tools;
    let Some(json) = draft.fields.given("tool_choice") else { return };
    match read_choice(json) {
        Choice::Required => match rules.required {
            ForcedChoice::Passed => {}
            ForcedChoice::Auto => draft.fields.set("tool_choice", "\"auto\""),
            ForcedChoice::NameTheOnlyOne => {
                if let [tool] = &tools[..]
                    && let Some(name) = name_of(tool)
                {
                    let name = text_to_json(&name);
                    let choice = format!(r#"{{"type":"function","function":{{"name":{name}}}}}"#);
                    draft.fields.set("tool_choice", choice);
                }
            }
        },
        Choice::None if rules.none == NoChoice::LeaveOutTools => {
            tools.clear();
            draft.fields.remove("tool_choice");
        }
        Choice::Named(names) if rules.named == NamedChoice::NarrowTools => {
            tools.retain(|tool| name_of(tool).is_some_and(|name| names.contains(&name)));
            draft.fields.set("tool_choice", "\"auto\"");
        }
        Choice::None | Choice::Named(_) | Choice::Other => {}
    }
}

/// Whether the caller forces a tool.
pub(super) fn is_forced(tool_choice: &str) -> bool {
    matches!(read_choice(tool_choice), Choice::Required | Choice::Named(_))
}

fn read_choice(json: &str) -> Choice {
    match json {
        "\"required\"" => return Choice::Required,
        "\"none\"" => return Choice::None,
        _ => {}
    }
    let Ok(choice) = Object::parse(json) else { return Choice::Other };
    match choice.get("type") {
        Some("\"function\"") => match name_of(&choice) {
            Some(name) => Choice::Named(vec![name]),
            None => Choice::Other,
        },
        Some("\"allowed_tools\"") => {
            let allowed = choice.get("allowed_tools").and_then(|json| Object::parse(json).ok());
            let tools = allowed.as_ref().and_then(|allowed| read(allowed.get("tools")?).ok());
            let names = tools.unwrap_or_default().iter().filter_map(name_of).collect();
            Choice::Named(names)
        }
        _ => Choice::Other,
    }
}

fn name_of(tool: &Object<'_>) -> Option<String> {
    let function = Object::parse(tool.get("function")?).ok()?;
    read_text(function.get("name")?).map(Cow::into_owned)
}

fn function(tool: &mut Object<'_>, rules: &ToolRules) {
    if rules.function_keys.is_empty() && !rules.fill_function {
        return;
    }
    let Some(json) = tool.get("function").map(str::to_owned) else { return };
    let Ok(mut function) = Object::parse(&json) else { return };
    if !rules.function_keys.is_empty() {
        function.retain(|key| rules.function_keys.iter().any(|known| known == key));
    }
    if rules.fill_function {
        if function.given("description").is_none()
            && let Some(name) = function.get("name").map(str::to_owned)
        {
            function.set("description", name);
        }
        if function.given("parameters").is_none() {
            function.set("parameters", NO_PARAMETERS);
        }
    }
    let json = function.to_json();
    tool.set("function", json);
}
