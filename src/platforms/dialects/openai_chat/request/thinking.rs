//! `reasoning_effort`, and what thinking does not go together with.

use serde_json::{Map, Value};

use super::{Draft, tools};
use crate::front::object::Object;
use crate::platforms::dialects::pivot::{effort_level, is_effort_off, say_effort, set_all};
use crate::platforms::rules::{Effort, Thinks};

/// What became of it.
pub(super) struct Thinking {
    /// The model will think.
    pub(super) is_on: bool,
}

/// What the caller wants.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Silent,
    On,
    Off,
}

/// Says the caller's effort in the platform's words.
pub(super) fn put_right(draft: &mut Draft<'_>) -> Thinking {
    let thinks = draft.traits.thinks;
    let wish = wish(&draft.fields, draft.traits.effort.as_ref());
    let mut is_on = match (thinks, wish) {
        (Some(Thinks::Always), _) | (_, Wish::On) => thinks != Some(Thinks::Never),
        (Some(Thinks::UnlessToldNot), Wish::Silent) => true,
        _ => false,
    };
    let forced = draft.fields.given("tool_choice").is_some_and(tools::is_forced);
    let json = draft.fields.given("response_format").is_some_and(|json| json.contains("\"json_"));
    if draft.rules.tools.excludes_thinking && is_on && (forced || json) {
        if let (Wish::Silent, Some(effort)) = (wish, &draft.traits.effort)
            && thinks == Some(Thinks::UnlessToldNot)
        {
            set_all(&mut draft.fields, &effort.silence);
            is_on = false;
        } else if forced {
            draft.fields.set("tool_choice", "\"auto\"");
        }
    }
    if let Some(effort) = &draft.traits.effort {
        say_effort(&mut draft.fields, effort);
    }
    Thinking { is_on }
}

fn wish(fields: &Object<'_>, effort: Option<&Effort>) -> Wish {
    // The platform's own field, set by the caller, is as good as the front's.
    let own = |set: &Map<String, Value>| {
        let is_set = |(name, value): (&String, &Value)| {
            let theirs = fields.get(name).and_then(|json| serde_json::from_str::<Value>(json).ok());
            theirs.as_ref() == Some(value)
        };
        set.iter().any(is_set)
    };
    match (effort_level(fields), effort) {
        (Some(level), _) if is_effort_off(&level) => Wish::Off,
        (Some(_), _) => Wish::On,
        (None, Some(effort)) if own(&effort.on) => Wish::On,
        (None, Some(effort)) if own(&effort.off) => Wish::Off,
        (None, _) => Wish::Silent,
    }
}
