//! `web_search_options`, where a platform calls it something else.

use serde_json::Value;

use super::set_all;
use crate::front::object::Object;
use crate::platforms::rules::SearchRules;

/// Takes the caller's wish out and gives back the tool that says it, if one does.
///
/// `can` is whether the model searches unless told not to, where that is known.
pub(crate) fn search(
    fields: &mut Object<'_>,
    rules: &SearchRules,
    can: Option<bool>,
) -> Option<Value> {
    if rules.is_plain() {
        return None;
    }
    let wish = fields.remove("web_search_options").filter(|json| json != "null");
    match wish {
        Some(wish) if can != Some(false) => {
            set_all(fields, &rules.fields);
            let mut tool = rules.tool.clone()?;
            if wants_large(&wish)
                && let Some(Value::Object(search)) = tool.get_mut("web_search")
            {
                search.extend(rules.large.clone());
            }
            Some(tool)
        }
        // Its hits would be billed as prompt.
        None if can == Some(true) => rules.silent_tool.clone(),
        _ => None,
    }
}

fn wants_large(wish: &str) -> bool {
    let wish = Object::parse(wish).unwrap_or_default();
    wish.get("search_context_size") == Some("\"high\"")
}
