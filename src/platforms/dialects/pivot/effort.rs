//! `reasoning_effort`, in a platform's words.

use super::set_all;
use crate::front::object::{Object, read_text, text_to_json};
use crate::platforms::rules::{Effort, EffortSent};

/// The effort that the caller asks for.
pub(crate) fn effort_level(fields: &Object<'_>) -> Option<String> {
    Some(read_text(fields.given("reasoning_effort")?)?.into_owned())
}

/// Whether an effort is none.
pub(crate) fn is_effort_off(level: &str) -> bool {
    matches!(level, "none" | "minimal")
}

/// Says the caller's effort as the platform wants to hear it.
pub(crate) fn say_effort(fields: &mut Object<'_>, effort: &Effort) {
    let Some(level) = effort_level(fields) else { return };
    let off = is_effort_off(&level);
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
