//! The ids of calls, and which of them still want a result.
//!
//! Messages takes ids of letters, digits, `_` and `-`, each once in a conversation; the
//! front takes any text, and clients that count their calls anew in every turn repeat them.

use std::collections::HashSet;

use crate::front::BadRequest;

/// The calls of a conversation so far.
#[derive(Default)]
pub(super) struct Calls {
    used: HashSet<String>,
    /// Calls without a result: the caller's id, ours.
    open: Vec<(String, String)>,
}

impl Calls {
    /// A call was made: its id there.
    pub(super) fn made(&mut self, id: &str) -> String {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        let mut base: String =
            id.chars().map(|letter| if fits(letter) { letter } else { '_' }).collect();
        if base.is_empty() {
            base.push_str("call");
        }
        let mut there = base.clone();
        let mut count = 1;
        while !self.used.insert(there.clone()) {
            count += 1;
            there = format!("{base}_{count}");
        }
        self.open.push((id.to_owned(), there.clone()));
        there
    }

    /// A result came: the id of its call there.
    pub(super) fn answered(&mut self, id: &str) -> Result<String, BadRequest> {
        let Some(at) = self.open.iter().position(|(theirs, _)| theirs == id) else {
            let message = format!(
                "A message with role 'tool' must follow the message with the call that it \
                 answers; '{id}' is none of that message's open calls."
            );
            return Err(BadRequest::field("messages", message));
        };
        Ok(self.open.remove(at).1)
    }

    /// Another message comes, or none: every call must have its result.
    pub(super) fn settled(&self) -> Result<(), BadRequest> {
        if self.open.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = self.open.iter().map(|(id, _)| id.as_str()).collect();
        let message = format!(
            "An assistant message with 'tool_calls' must be followed by tool messages \
             responding to each 'tool_call_id'. The following tool_call_ids did not have \
             response messages: {}",
            ids.join(", ")
        );
        Err(BadRequest::field("messages", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fit_and_no_two_are_alike() {
        let mut calls = Calls::default();
        let made =
            ["call:7/时间", "call:7/时钟", "a-b", "a-b", "a-b_2", ""].map(|id| calls.made(id));
        assert_eq!(made, ["call_7___", "call_7____2", "a-b", "a-b_2", "a-b_2_2", "call"]);
        assert_eq!(calls.answered("call:7/时钟").unwrap(), "call_7____2");
        assert_eq!(calls.answered("a-b").unwrap(), "a-b");
        assert_eq!(calls.answered("a-b").unwrap(), "a-b_2");
        assert!(calls.answered("a-b").is_err());
    }

    #[test]
    fn an_open_call_is_named() {
        let mut calls = Calls::default();
        calls.made("one");
        calls.made("two");
        calls.answered("one").unwrap();
        let error = calls.settled().unwrap_err();
        assert!(error.message.ends_with(": two") && error.param.as_deref() == Some("messages"));
        calls.answered("two").unwrap();
        calls.settled().unwrap();
    }
}
