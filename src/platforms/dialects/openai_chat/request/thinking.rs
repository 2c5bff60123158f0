//! `reasoning_effort`, and what thinking does not go together with.

use serde_json::{Map, Value};

use super::{Draft, tools};
use crate::front::object::{Object, read_text, text_to_json};
use crate::platforms::dialects::pivot::set_all;
use crate::platforms::rules::{Effort, EffortSent, Thinks};

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
        say(&mut draft.fields, effort);
    }
    Thinking { is_on }
}

fn level(fields: &Object<'_>) -> Option<String> {
    Some(read_text(fields.given("reasoning_effort")?)?.into_owned())
}

fn is_off(level: &str) -> bool {
    matches!(level, "none" | "minimal")
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
    match (level(fields), effort) {
        (Some(level), _) if is_off(&level) => Wish::Off,
        (Some(_), _) => Wish::On,
        (None, Some(effort)) if own(&effort.on) => Wish::On,
        (None, Some(effort)) if own(&effort.off) => Wish::Off,
        (None, _) => Wish::Silent,
    }
}

fn say(fields: &mut Object<'_>, effort: &Effort) {
    let Some(level) = level(fields) else { return };
    let off = is_off(&level);
    set_all(fields, if off { &effort.off } else { &effort.on });
    let goes = match effort.sent {
        EffortSent::Never => false,
        EffortSent::WhenOn => !off,
        EffortSent::Always => true,
    };
    if !goes {
        fields.remove("reasoning_effort");
    } else if let Some(name) = effort.names.get(&level) {
        fields.set("reasoning_effort", text_to_json(name));
    }
}
