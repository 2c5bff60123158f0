//! An answer on its way out, in pieces: what a stream's events are made from.
//!
//! The pieces are the same for every platform; how each is written, and which
//! are left out, is for its `wire` file.

use std::cell::Cell;

use super::ask::Ask;
use super::think::{Answer, Call as ToolCall};
use super::tokens;

/// One request that is being answered.
#[derive(Debug)]
pub(super) struct Reply {
    pub ask: Ask,
    /// Unique for each request; all ids of an answer derive from it.
    pub unique: u128,
    /// The answer's id in its platform's form.
    pub id: String,
    /// Seconds since 1970.
    pub created: u64,
    pub answers: Vec<Answer>,
    pub usage: Usage,
    /// How many events were written, where a platform numbers them.
    pub events: Cell<u64>,
}

/// What an answer is billed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// Cached ones and images included.
    pub prompt: u64,
    pub cached: u64,
    pub image: u64,
    /// Thinking included.
    pub completion: u64,
    pub reasoning: u64,
}

impl Usage {
    pub(super) fn total(&self) -> u64 {
        self.prompt + self.completion
    }
}

/// How a platform cuts an answer into events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    /// Tokens in one event.
    pub stride: u64,
    /// A function call comes whole, in one event.
    pub whole_calls: bool,
    /// The event that opens a call has none of its arguments yet: for the first
    /// call, for all of them, for none.
    pub opens_empty: Opens,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opens {
    Never,
    First,
    Always,
}

/// A part of one choice, or of the whole answer's end.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    pub choice: usize,
    pub part: Part<'a>,
    /// Tokens that this piece adds to the bill.
    pub tokens: u64,
    /// Tokens of all pieces until now, this one's too.
    pub so_far: u64,
    /// How many pieces until now, this one too, hold something or end a choice.
    pub nth: u64,
    /// The choice's first piece that holds something.
    pub first: bool,
    /// The choice's last piece that holds something; on `Finish`: there was none.
    pub last: bool,
    /// How many pieces of the choice held something before it.
    pub number: u64,
}

#[derive(Debug)]
pub(super) enum Part<'a> {
    /// A choice begins.
    Open,
    Reasoning(&'a str),
    Content(&'a str),
    /// A fragment of a call's arguments; the first names the call.
    Call {
        index: usize,
        call: &'a ToolCall,
        opens: bool,
        arguments: &'a str,
    },
    /// A choice ends.
    Finish,
    /// All choices have ended.
    Usage,
    /// Nothing follows.
    Done,
}

/// Where each choice stands.
#[derive(Debug)]
pub(super) struct Pieces {
    habits: Habits,
    cursors: Vec<Cursor>,
    next_choice: usize,
    so_far: u64,
    nth: u64,
    ended: Ended,
}

#[derive(Debug, Clone, Copy)]
enum Ended {
    No,
    Usage,
    Done,
}

#[derive(Debug, Clone, Copy)]
struct Cursor {
    stage: Stage,
    /// Pieces so far that held something.
    held: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Reasoning(usize),
    Content(usize),
    /// The call, how far its arguments were sent, whether it was opened.
    Call(usize, usize, bool),
    Finish,
    Over,
}

impl Pieces {
    pub(super) fn of(reply: &Reply, habits: Habits) -> Pieces {
        let cursor = Cursor { stage: Stage::Open, held: 0 };
        Pieces {
            habits,
            cursors: vec![cursor; reply.answers.len()],
            next_choice: 0,
            so_far: 0,
            nth: 0,
            ended: Ended::No,
        }
    }

    /// The next piece; choices take turns.
    pub(super) fn next<'a>(&mut self, reply: &'a Reply) -> Option<Piece<'a>> {
        for _ in 0..self.cursors.len() {
            let choice = self.next_choice;
            self.next_choice = (choice + 1) % self.cursors.len();
            let (Some(cursor), Some(answer)) =
                (self.cursors.get_mut(choice), reply.answers.get(choice))
            else {
                continue;
            };
            if let Some((part, tokens)) = cursor.step(answer, self.habits) {
                let holds = !matches!(part, Part::Open | Part::Finish);
                let number = cursor.held;
                let first = holds && number == 0;
                let last = match part {
                    Part::Finish => number == 0,
                    _ => holds && cursor.stage == Stage::Finish,
                };
                cursor.held += u64::from(holds);
                self.so_far += tokens;
                self.nth += u64::from(!matches!(part, Part::Open));
                let (so_far, nth) = (self.so_far, self.nth);
                return Some(Piece { choice, part, tokens, so_far, nth, first, last, number });
            }
        }
        let (part, ended) = match self.ended {
            Ended::No => (Part::Usage, Ended::Usage),
            Ended::Usage => (Part::Done, Ended::Done),
            Ended::Done => return None,
        };
        self.ended = ended;
        let (so_far, nth) = (self.so_far, self.nth);
        Some(Piece {
            choice: 0,
            part,
            tokens: 0,
            so_far,
            nth,
            first: false,
            last: false,
            number: 0,
        })
    }
}

impl Cursor {
    /// Moves past one piece and gives it with its tokens.
    fn step<'a>(&mut self, answer: &'a Answer, habits: Habits) -> Option<(Part<'a>, u64)> {
        match self.stage {
            Stage::Open => {
                self.stage = Stage::Reasoning(0).settled(answer);
                Some((Part::Open, answer.hidden_tokens))
            }
            Stage::Reasoning(at) => {
                let (text, tokens) = fragment(&answer.reasoning, at, habits.stride);
                self.stage = Stage::Reasoning(at + text.len()).settled(answer);
                Some((Part::Reasoning(text), tokens))
            }
            Stage::Content(at) => {
                let (text, tokens) = fragment(&answer.content, at, habits.stride);
                self.stage = Stage::Content(at + text.len()).settled(answer);
                Some((Part::Content(text), tokens))
            }
            Stage::Call(index, at, opened) => {
                let call = answer.calls.get(index)?;
                let named = if opened { 0 } else { tokens::count(&call.name) };
                let empty = !opened
                    && match habits.opens_empty {
                        Opens::Never => false,
                        Opens::First => index == 0,
                        Opens::Always => true,
                    };
                let stride = match (habits.whole_calls, empty) {
                    (true, _) => u64::MAX,
                    (false, true) => 0,
                    (false, false) => habits.stride,
                };
                let (arguments, tokens) = fragment(&call.arguments, at, stride);
                self.stage = Stage::Call(index, at + arguments.len(), true).settled(answer);
                Some((Part::Call { index, call, opens: !opened, arguments }, named + tokens))
            }
            Stage::Finish => {
                self.stage = Stage::Over;
                Some((Part::Finish, 0))
            }
            Stage::Over => None,
        }
    }
}

impl Stage {
    /// The next stage that has something to say.
    fn settled(self, answer: &Answer) -> Stage {
        match self {
            Stage::Reasoning(at) if at >= answer.reasoning.len() => {
                Stage::Content(0).settled(answer)
            }
            Stage::Content(at) if at >= answer.content.len() => {
                Stage::Call(0, 0, false).settled(answer)
            }
            Stage::Call(index, at, opened) => match answer.calls.get(index) {
                None => Stage::Finish,
                Some(call) if opened && at >= call.arguments.len() => {
                    Stage::Call(index + 1, 0, false).settled(answer)
                }
                Some(_) => self,
            },
            stage => stage,
        }
    }
}

fn fragment(text: &str, at: usize, stride: u64) -> (&str, u64) {
    let rest = &text[at..];
    let (end, tokens) = tokens::take(rest, stride);
    (&rest[..end], tokens)
}
