//! What was looked at, how it is, and what to do about it.

use std::fmt;

use serde::Serialize;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mark {
    /// As it should be.
    Good,
    /// It works, and wants to be seen to.
    Warning,
    /// It does not work.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Item {
    mark: Mark,
    what: String,
    saw: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    fix: String,
}

/// All of them, in order.
#[derive(Debug, Default, Serialize)]
pub(super) struct Checklist {
    checks: Vec<Item>,
}

impl Checklist {
    pub(super) fn add(&mut self, mark: Mark, what: &str, saw: &str, fix: &str) {
        let [what, saw, fix] = [what, saw, fix].map(one_line);
        self.checks.push(Item { mark, what, saw, fix });
    }

    /// Whether anything is wrong.
    pub(super) fn has_failed(&self) -> bool {
        self.checks.iter().any(|item| item.mark == Mark::Wrong)
    }
}

/// What a platform or a person wrote moves no terminal's cursor.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl fmt::Display for Checklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, item) in self.checks.iter().enumerate() {
            let sign = match item.mark {
                Mark::Good => '✔',
                Mark::Warning => '!',
                Mark::Wrong => '✖',
            };
            let begin = if number > 0 { "\n" } else { "" };
            write!(f, "{begin}{sign} {}: {}", item.what, item.saw)?;
            if !item.fix.is_empty() {
                write!(f, "\n    {}", item.fix)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_fails_by_what_is_wrong_alone_and_moves_no_cursor() {
        let mut list = Checklist::default();
        list.add(Mark::Good, "store", "answers", "");
        list.add(Mark::Warning, "account 1 `a\u{1b}[2J`", "rests\nfor 5 s", "wait");
        assert!(!list.has_failed());
        list.add(Mark::Wrong, "clock", "off", "set it");
        assert!(list.has_failed());
        let shown = "✔ store: answers\n! account 1 `a [2J`: rests for 5 s\n    wait\n\
                     ✖ clock: off\n    set it";
        assert_eq!(list.to_string(), shown);
    }
}
