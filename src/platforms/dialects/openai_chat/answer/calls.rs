//! Tool calls of a stream, put in order.
//!
//! The front's rules: indexes are 0, 1, 2 … in order of appearance; a call's first
//! delta has its id, type and name, later ones have arguments alone. Platforms
//! repeat ids and names, send them empty, count from elsewhere, or don't count.

use std::borrow::Cow;

use super::chunk::CallDelta;
use crate::platforms::dialects::pivot::{CallStep, beginning, inside};

/// More calls than any model makes in one turn.
const MOST_CALLS: usize = 1024;

/// More arguments than ever come before their names.
const MOST_EARLY: usize = 64 << 10;

/// Longer than any id.
const LONGEST_ID: usize = 1024;

/// As much of an answer's id as stands in an id of ours.
const LONGEST_PART: usize = 128;

/// The calls of one choice so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Known>,
    /// Bytes of arguments that came before their names.
    early: usize,
}

#[derive(Debug)]
struct Known {
    /// The platform's own count.
    index: Option<u64>,
    id: Option<String>,
    /// Arguments that came before the name, without quotes.
    early: String,
    opened: bool,
}

impl Calls {
    /// Whether any call was opened.
    pub(super) fn any(&self) -> bool {
        self.calls.iter().any(|call| call.opened)
    }

    /// Puts one delta in its place; nothing where it adds nothing. `answer_id` makes ids
    /// for calls that come without.
    pub(super) fn take<'a>(
        &mut self,
        mut delta: CallDelta<'a>,
        answer_id: &str,
    ) -> Option<CallStep<'a>> {
        delta.id = delta.id.filter(|id| id.len() <= LONGEST_ID);
        let at = match self.find(&delta) {
            Some(at) => at,
            None if self.calls.len() < MOST_CALLS
                && (delta.id.is_some() || delta.name.is_some()) =>
            {
                self.calls.push(Known {
                    index: delta.index,
                    id: None,
                    early: String::new(),
                    opened: false,
                });
                self.calls.len() - 1
            }
            None => return None,
        };
        let opened = self.calls.iter().filter(|call| call.opened).count();
        let call = self.calls.get_mut(at)?;
        if call.id.is_none() {
            call.id = delta.id.map(Cow::into_owned);
        }
        if call.opened {
            // Opened ones stand before the others, so that their place is their index.
            let arguments = delta.arguments?;
            return Some(CallStep { index: at, opens: None, arguments });
        }
        let Some(name) = delta.name else {
            let arguments = inside(delta.arguments.as_deref().unwrap_or_default());
            self.early += arguments.len();
            if self.early <= MOST_EARLY {
                call.early.push_str(arguments);
            }
            return None;
        };
        call.opened = true;
        let id = match &call.id {
            Some(id) => id.clone(),
            None => format!("call_{}_{opened}", beginning(answer_id, LONGEST_PART)),
        };
        let arguments = delta.arguments.unwrap_or(Cow::Borrowed("\"\""));
        let arguments = if call.early.is_empty() {
            arguments
        } else {
            Cow::Owned(format!("\"{}{}\"", call.early, inside(&arguments)))
        };
        self.calls.swap(at, opened);
        Some(CallStep { index: opened, opens: Some((id, name)), arguments })
    }

    /// The call that a delta continues.
    fn find(&self, delta: &CallDelta<'_>) -> Option<usize> {
        let by_id = |id: &str| self.calls.iter().position(|call| call.id.as_deref() == Some(id));
        match (&delta.id, delta.index) {
            (Some(id), index) => by_id(id).or_else(|| {
                // The same count with another id is another call: some count every call 0.
                let open =
                    |call: &Known| call.id.is_none() && call.index.is_some() && call.index == index;
                self.calls.iter().position(open)
            }),
            (None, Some(index)) => {
                let counted = |call: &Known| call.index == Some(index);
                self.calls.iter().rposition(counted)
            }
            // Whole calls without id or count: each name is a call of its own.
            (None, None) if delta.name.is_some() => None,
            (None, None) => self.calls.len().checked_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(deltas: &[(Option<u64>, &'static str, &'static str, &'static str)]) -> Vec<String> {
        let mut calls = Calls::default();
        let word = |text: &'static str| (!text.is_empty()).then_some(text);
        let step = |(index, id, name, arguments): &(
            Option<u64>,
            &'static str,
            &'static str,
            &'static str,
        )| {
            let delta = CallDelta {
                index: *index,
                id: word(id).map(Cow::Borrowed),
                name: word(name),
                arguments: word(arguments).map(Cow::Borrowed),
            };
            let step = calls.take(delta, "A")?;
            let opens = step.opens.map(|(id, name)| format!("{id} {name} ")).unwrap_or_default();
            Some(format!("{} {opens}{}", step.index, step.arguments))
        };
        deltas.iter().filter_map(step).collect()
    }

    #[test]
    fn repeated_and_empty_ids_and_names_go() {
        assert_eq!(
            run(&[
                (Some(0), "a", "\"f\"", "\"1\""),
                (Some(0), "a", "\"f\"", "\"2\""),
                (Some(1), "b", "\"g\"", ""),
                (Some(1), "", "", "\"3\""),
                (Some(1), "", "", ""),
            ]),
            ["0 a \"f\" \"1\"", "0 \"2\"", "1 b \"g\" \"\"", "1 \"3\""]
        );
    }

    #[test]
    fn without_a_count_ids_tell_calls_apart_and_with_a_strange_one_too() {
        let by_id = [
            (None, "a", "\"f\"", "\"1\""),
            (None, "a", "", "\"2\""),
            (None, "b", "\"g\"", "\"3\""),
            (None, "", "", "\"4\""),
        ];
        let wanted = ["0 a \"f\" \"1\"", "0 \"2\"", "1 b \"g\" \"3\"", "1 \"4\""];
        assert_eq!(run(&by_id), wanted);
        assert_eq!(run(&by_id.map(|(_, id, name, text)| (Some(0), id, name, text))), wanted);
        assert_eq!(run(&[(Some(7), "a", "\"f\"", "\"1\"")]), ["0 a \"f\" \"1\""]);
    }

    #[test]
    fn calls_without_ids_get_some_and_orphans_go() {
        assert_eq!(
            run(&[
                (None, "", "", "\"lost\""),
                (None, "", "\"f\"", "\"1\""),
                (None, "", "\"g\"", "\"2\""),
            ]),
            ["0 call_A_0 \"f\" \"1\"", "1 call_A_1 \"g\" \"2\""]
        );
    }

    #[test]
    fn arguments_that_come_before_the_name_wait_for_it() {
        assert_eq!(
            run(&[
                (Some(0), "a", "", "\"1\""),
                (Some(1), "b", "\"g\"", "\"x\""),
                (Some(0), "", "\"f\"", "\"2\""),
                (Some(1), "", "", "\"y\""),
                (Some(0), "", "", "\"3\""),
            ]),
            ["0 b \"g\" \"x\"", "1 a \"f\" \"12\"", "0 \"y\"", "1 \"3\""]
        );
    }
}
