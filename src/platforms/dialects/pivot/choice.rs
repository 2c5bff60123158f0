//! Reading tools and their choice as the front has them.

use std::borrow::Cow;

use crate::front::BadRequest;
use crate::front::object::{Object, elements, read_text};

/// What the caller's `tool_choice` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Some tool.
    Required,
    /// No tool.
    None,
    /// This function.
    Named(String),
    /// These functions and no other.
    Allowed {
        /// Their names.
        names: Vec<String>,
        /// One of them must be called.
        required: bool,
    },
    /// Whatever the model likes.
    Other,
}

impl Choice {
    /// Reads a `tool_choice`.
    pub(crate) fn read(json: &str) -> Choice {
        match json {
            "\"required\"" => return Choice::Required,
            "\"none\"" => return Choice::None,
            _ => {}
        }
        let Ok(choice) = Object::parse(json) else { return Choice::Other };
        match choice.get("type") {
            Some("\"function\"") => name_of(&choice).map_or(Choice::Other, Choice::Named),
            Some("\"allowed_tools\"") => {
                let allowed = choice.get("allowed_tools").and_then(|json| Object::parse(json).ok());
                let allowed = allowed.unwrap_or_default();
                let tools = allowed.get("tools").and_then(|json| read_tools(json).ok());
                let names = tools.unwrap_or_default().iter().filter_map(name_of).collect();
                Choice::Allowed { names, required: allowed.get("mode") == Some("\"required\"") }
            }
            _ => Choice::Other,
        }
    }

    /// The only functions that may be called, where the caller names them.
    pub(crate) fn names(&self) -> Option<&[String]> {
        match self {
            Choice::Named(name) => Some(std::slice::from_ref(name)),
            Choice::Allowed { names, .. } => Some(names),
            Choice::Required | Choice::None | Choice::Other => None,
        }
    }
}

/// The tools of a request, each as an object.
pub(crate) fn read_tools(json: &str) -> Result<Vec<Object<'_>>, BadRequest> {
    let wrong = |_| BadRequest::field("tools", "Invalid type for 'tools': expected objects.");
    elements(json)
        .map_err(wrong)?
        .into_iter()
        .map(|tool| Object::parse(tool).map_err(wrong))
        .collect()
}

/// The name of a function tool.
pub(crate) fn name_of(tool: &Object<'_>) -> Option<String> {
    let function = Object::parse(tool.get("function")?).ok()?;
    read_text(function.get("name")?).map(Cow::into_owned)
}
