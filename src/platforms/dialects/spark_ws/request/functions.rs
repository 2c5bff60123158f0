//! Functions, and what Spark calls tools.

use crate::front::BadRequest;
use crate::front::object::Object;
use crate::platforms::dialects::pivot::{Choice, name_of, read_tools};
use crate::platforms::rules::ToolRules;

/// The tools of a request, as JSON.
#[derive(Default)]
pub(super) struct Tools {
    /// For `payload.functions`.
    pub(super) functions: Vec<String>,
    /// Spark's own, which the caller wrote in its words.
    pub(super) others: Vec<String>,
}

impl Tools {
    /// Takes tools and their choice out of the request. A choice can't be forced there: a
    /// named one leaves nothing else to call.
    pub(super) fn take(fields: &mut Object<'_>, rules: &ToolRules) -> Result<Tools, BadRequest> {
        let given = |json: &std::borrow::Cow<'_, str>| json != "null";
        let json = fields.remove("tools").filter(given).unwrap_or_default();
        let choice = fields.remove("tool_choice").filter(given);
        let choice = choice.map_or(Choice::Other, |json| Choice::read(&json));
        let mut tools = Tools::default();
        if json.is_empty() {
            return Ok(tools);
        }
        for (at, tool) in read_tools(&json)?.iter().enumerate() {
            if tool.get("type") != Some("\"function\"") {
                tools.others.push(tool.to_json());
                continue;
            }
            let param = format!("tools[{at}].function.name");
            let missing = || {
                let message = format!("Missing required parameter: '{param}'.");
                BadRequest::field(param.clone(), message)
            };
            let name = name_of(tool).ok_or_else(missing)?;
            let may = choice.names().is_none_or(|names| names.contains(&name));
            if may && choice != Choice::None {
                let json = tool.get("function").unwrap_or_default();
                let mut function = Object::parse(json).map_err(|_| missing())?;
                let known = &rules.function_keys;
                function.retain(|key| known.is_empty() || known.iter().any(|it| it == key));
                tools.functions.push(function.to_json());
            }
        }
        Ok(tools)
    }
}
