//! Putting right what breaks the front's rules in a chunk or an answer that else is
//! passed on: a role that comes again, tool deltas, a finish reason, missing keys.

use std::borrow::Cow;

use super::Context;
use super::calls::Calls;
use super::chunk::read_calls;
use super::finish::{Finish, finish};
use crate::front::object::{Object, elements, read_text, text_to_json};
use crate::platforms::PlatformError;
use crate::platforms::dialects::pivot::{CallStep, put_calls};

/// OpenAI's most choices.
const MOST_CHOICES: usize = 128;

/// What a stream's choices have said so far.
#[derive(Debug, Default)]
pub(super) struct Tidy {
    choices: Vec<Choice>,
}

#[derive(Debug, Default)]
struct Choice {
    index: u64,
    has_role: bool,
    calls: Calls,
}

/// What became of a chunk's choices.
pub(super) enum Tidied {
    /// They break no rule.
    Same,
    /// They add nothing.
    Nothing,
    /// This, as a JSON array.
    Changed(String),
}

impl Tidy {
    /// Whether a tool was called.
    pub(super) fn called(&self) -> bool {
        self.choices.iter().any(|choice| choice.calls.any())
    }

    /// Puts the choices of one chunk right.
    pub(super) fn choices(
        &mut self,
        json: &str,
        answer: &Object<'_>,
        context: &Context,
    ) -> Result<Tidied, PlatformError> {
        let id = answer.get("id").and_then(read_text).unwrap_or_default();
        let unreadable = |_| context.unreadable();
        let parts = elements(json).map_err(unreadable)?;
        let (mut out, mut changed) = (Vec::with_capacity(parts.len()), false);
        for part in &parts {
            let mut choice = Object::parse(part).map_err(unreadable)?;
            match self.choice(&mut choice, &id, context)? {
                Verdict::Same => out.push(Cow::Borrowed(*part)),
                Verdict::Changed => {
                    changed = true;
                    out.push(Cow::Owned(choice.to_json()));
                }
                Verdict::Nothing => changed = true,
            }
        }
        Ok(match (changed, out.is_empty()) {
            (false, _) => Tidied::Same,
            (true, true) => Tidied::Nothing,
            (true, false) => Tidied::Changed(format!("[{}]", out.join(","))),
        })
    }

    fn choice(
        &mut self,
        choice: &mut Object<'_>,
        id: &str,
        context: &Context,
    ) -> Result<Verdict, PlatformError> {
        let index = choice.get("index").and_then(|json| json.parse().ok()).unwrap_or(0);
        let at = match self.choices.iter().position(|known| known.index == index) {
            Some(at) => at,
            None if self.choices.len() < MOST_CHOICES => {
                self.choices.reserve_exact(1); // Most answers have one.
                self.choices.push(Choice { index, ..Choice::default() });
                self.choices.len() - 1
            }
            None => return Ok(Verdict::Nothing),
        };
        let Some(known) = self.choices.get_mut(at) else { return Ok(Verdict::Nothing) };
        let mut verdict = Verdict::Same;
        let json = choice.get("delta").unwrap_or("{}").to_owned();
        let mut delta = Object::parse(&json).map_err(|_| context.unreadable())?;
        match (delta.given("role").is_some(), known.has_role) {
            (true, true) => {
                delta.remove("role");
                verdict = Verdict::Changed;
            }
            (false, false) => {
                delta.set("role", "\"assistant\"");
                verdict = Verdict::Changed;
            }
            _ => {}
        }
        known.has_role = true;
        if let Some(calls) = delta.get("tool_calls").map(str::to_owned) {
            let steps: Vec<CallStep<'_>> = read_calls(&calls)
                .into_iter()
                .filter_map(|call| known.calls.take(call, id.trim_start_matches("chatcmpl-")))
                .collect();
            verdict = Verdict::Changed;
            if steps.is_empty() {
                delta.remove("tool_calls");
            } else {
                let mut out = Vec::with_capacity(calls.len());
                put_calls(&mut out, &steps);
                let text = String::from_utf8(out).map_err(|_| context.unreadable())?;
                let list = text.strip_prefix("\"tool_calls\":").unwrap_or("[]");
                delta.set("tool_calls", list.to_owned());
            }
        }
        if let Some(now) = finished(choice, known.calls.any(), context)? {
            choice.set("finish_reason", text_to_json(&now));
            verdict = Verdict::Changed;
        }
        if verdict == Verdict::Changed {
            if choice.given("finish_reason").is_none() && is_hollow(&delta) {
                return Ok(Verdict::Nothing);
            }
            choice.set("delta", delta.to_json());
        }
        Ok(verdict)
    }
}

#[derive(PartialEq, Eq)]
enum Verdict {
    Same,
    Changed,
    Nothing,
}

/// Whether a delta adds nothing that a caller could see.
pub(super) fn is_hollow(delta: &Object<'_>) -> bool {
    delta.iter().all(|(name, json)| name == "role" || matches!(json, "null" | "\"\"" | "[]"))
}

/// The finish reason of a choice, where it must be another.
pub(super) fn finished(
    choice: &Object<'_>,
    calls: bool,
    context: &Context,
) -> Result<Option<String>, PlatformError> {
    let Some(reason) = choice.given("finish_reason").and_then(read_text) else { return Ok(None) };
    match finish(&context.face.answer, &reason, calls, false) {
        Finish::Reason(ours) if ours == reason => Ok(None),
        Finish::Reason(ours) => Ok(Some(ours.to_owned())),
        Finish::Broken => Err(context.broken(&reason)),
    }
}
