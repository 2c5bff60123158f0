//! Rules for tools and their choice.

use super::Draft;
use crate::front::BadRequest;
use crate::front::object::{Object, text_to_json};
use crate::platforms::dialects::pivot::{Choice, name_of, read_tools, search, set_all};
use crate::platforms::rules::{ForcedChoice, NamedChoice, NoChoice, ToolRules};

const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

/// Brings tools and their choice into the platform's form.
pub(super) fn put_right(draft: &mut Draft<'_>, streams: bool) -> Result<(), BadRequest> {
    let rules = &draft.rules.tools;
    let json = draft.fields.given("tools").unwrap_or("[]").to_owned();
    let mut tools = read_tools(&json)?;
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
    let (rules, can) = (&draft.rules.search, draft.traits.searches);
    let search = search(&mut draft.fields, rules, can).map(|tool| tool.to_string());
    // The caller's own word for a search wins.
    let search = search.filter(|search| !tools.iter().any(|own| is_of_kind(own, search)));
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

/// Whether a tool is of the kind of another, which is JSON.
fn is_of_kind(tool: &Object<'_>, other: &str) -> bool {
    Object::parse(other).is_ok_and(|other| other.get("type") == tool.get("type"))
}

fn is_function(tool: &Object<'_>) -> bool {
    tool.get("type") == Some("\"function\"")
}

fn choose(draft: &mut Draft<'_>, tools: &mut Vec<Object<'_>>) {
    let rules = &draft.rules.tools;
    let Some(json) = draft.fields.given("tool_choice") else { return };
    let choice = Choice::read(json);
    match &choice {
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
        Choice::Named(_) | Choice::Allowed { .. } if rules.named == NamedChoice::NarrowTools => {
            let names = choice.names().unwrap_or_default();
            tools.retain(|tool| name_of(tool).is_some_and(|name| names.contains(&name)));
            draft.fields.set("tool_choice", "\"auto\"");
        }
        Choice::None | Choice::Named(_) | Choice::Allowed { .. } | Choice::Other => {}
    }
}

/// Whether the caller forces a tool.
pub(super) fn is_forced(tool_choice: &str) -> bool {
    matches!(
        Choice::read(tool_choice),
        Choice::Required | Choice::Named(_) | Choice::Allowed { .. }
    )
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
