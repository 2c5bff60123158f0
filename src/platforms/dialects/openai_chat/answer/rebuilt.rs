//! A stream written anew: what each chunk adds, in the front's order.
//!
//! Nothing goes out before the platform has said something: a role alone is no
//! beginning. Then, for each choice, one opening chunk, one chunk for each event that
//! adds anything, one with the finish reason; usage and `[DONE]` last.

use super::calls::Calls;
use super::chunk::{ChoiceDelta, Chunk, Mark};
use super::finish::{Finish, finish};
use super::{Context, Tally};
use crate::front::Produced;
use crate::platforms::dialects::pivot::{CallStep, Delta, Sink, answer_id, inside};
use crate::platforms::{ErrorClass, PlatformError};

/// OpenAI's most choices.
const MOST_CHOICES: u32 = 128;

/// The state of a stream that is written anew.
#[derive(Debug, Default)]
pub(super) struct Rebuilt {
    id: Option<String>,
    choices: Vec<Choice>,
}

#[derive(Debug, Default)]
struct Choice {
    index: u32,
    filtered: bool,
    finished: bool,
    calls: Calls,
}

impl Rebuilt {
    /// Whether anything went to the sink.
    pub(super) fn began(&self) -> bool {
        !self.choices.is_empty()
    }

    /// Whether every choice has its finish reason.
    fn is_finished(&self) -> bool {
        self.began() && self.choices.iter().all(|choice| choice.finished)
    }

    /// Takes one chunk.
    pub(super) fn chunk(
        &mut self,
        chunk: Chunk<'_>,
        context: &Context,
        tally: &mut Tally,
        sink: &mut impl Sink,
    ) -> Result<(), PlatformError> {
        let rules = &context.face.answer;
        for delta in &chunk.choices {
            if delta
                .finish
                .as_deref()
                .is_some_and(|reason| rules.broken.iter().any(|b| b == reason))
            {
                return Err(context.broken(delta.finish.as_deref().unwrap_or_default()));
            }
        }
        if chunk.choices.iter().any(says_anything) {
            self.begin(&chunk, context, sink);
        }
        for delta in chunk.choices {
            self.choice(delta, context, tally, sink);
        }
        let is_last = !context.counts_along || self.is_finished();
        if let Some(usage) = chunk.usage.filter(|_| is_last) {
            tally.usage = Some(Box::new(usage));
        }
        Ok(())
    }

    /// Takes a whole answer, in which every choice counts, an empty one too.
    pub(super) fn whole(
        &mut self,
        chunk: Chunk<'_>,
        context: &Context,
        tally: &mut Tally,
        sink: &mut impl Sink,
    ) -> Result<(), PlatformError> {
        self.begin(&chunk, context, sink);
        for delta in &chunk.choices {
            if delta.index < MOST_CHOICES {
                self.open(delta.index, sink);
            }
        }
        self.chunk(chunk, context, tally, sink)
    }

    /// The answer ended, in the way that `said` tells.
    pub(super) fn end(
        &mut self,
        said: Ending,
        context: &Context,
        tally: &Tally,
        sink: &mut impl Sink,
    ) -> Result<(), PlatformError> {
        if !self.began() {
            return Err(context.silent());
        }
        let complete = match said {
            Ending::Closed => self.is_finished(),
            Ending::Done => {
                context.face.answer.finish_at_done
                    || self.choices.iter().any(|choice| choice.finished)
            }
            Ending::Whole => true,
        };
        if !complete {
            return Err(context.cut());
        }
        self.finish_all(None, context, sink);
        sink.end(tally.usage.as_deref().map(|usage| usage.tidy()).as_ref());
        Ok(())
    }

    /// The platform withheld the rest: a complete answer that ends in `content_filter`.
    pub(super) fn filtered(
        &mut self,
        error: PlatformError,
        context: &Context,
        tally: &Tally,
        sink: &mut impl Sink,
    ) -> Result<(), PlatformError> {
        if error.class != ErrorClass::ContentFiltered || !self.began() {
            return Err(error);
        }
        self.finish_all(Some("content_filter"), context, sink);
        sink.end(tally.usage.as_deref().map(|usage| usage.tidy()).as_ref());
        Ok(())
    }

    fn begin(&mut self, chunk: &Chunk<'_>, context: &Context, sink: &mut impl Sink) {
        if self.id.is_none() {
            let id = match &chunk.id {
                Some(id) => answer_id(id),
                None => format!("chatcmpl-{:x}", context.created),
            };
            let model = chunk.model.as_deref().unwrap_or(&context.model.upstream);
            sink.begin(&id, chunk.created.unwrap_or(context.created), model);
            self.id = Some(id);
        }
    }

    fn open(&mut self, index: u32, sink: &mut impl Sink) -> usize {
        sink.open(index);
        self.choices.push(Choice { index, ..Choice::default() });
        self.choices.len() - 1
    }

    fn choice(
        &mut self,
        delta: ChoiceDelta<'_>,
        context: &Context,
        tally: &mut Tally,
        sink: &mut impl Sink,
    ) {
        if delta.mark == Mark::Skipped || delta.index >= MOST_CHOICES {
            return;
        }
        let at = match self.choices.iter().position(|choice| choice.index == delta.index) {
            Some(at) => at,
            None if says_anything(&delta) => self.open(delta.index, sink),
            None => return,
        };
        let Some(choice) = self.choices.get_mut(at).filter(|choice| !choice.finished) else {
            return;
        };
        choice.filtered |= matches!(delta.mark, Mark::Filtered | Mark::Hidden);
        if delta.mark != Mark::Hidden {
            let id = self.id.as_deref().unwrap_or_default();
            let id = id.strip_prefix("chatcmpl-").unwrap_or(id);
            let take = |call| choice.calls.take(call, id);
            let calls: Vec<CallStep<'_>> = delta.calls.into_iter().filter_map(take).collect();
            let mut added = Delta {
                reasoning: delta.reasoning,
                content: delta.content,
                calls,
                logprobs: delta.logprobs,
                ..Delta::default()
            };
            add_text(&added, &mut tally.produced);
            if context.one_call {
                added.calls.retain(|call| call.index == 0);
            }
            let says = added.reasoning.is_some() || added.content.is_some();
            if says || !added.calls.is_empty() || added.logprobs.is_some() {
                sink.add(choice.index, added);
            }
        }
        if let Some(reason) = &delta.finish {
            let rules = &context.face.answer;
            if let Finish::Reason(reason) =
                finish(rules, reason, choice.calls.any(), choice.filtered)
            {
                choice.finished = true;
                sink.finish(choice.index, context.in_callers_words(reason));
            }
        }
    }

    fn finish_all(
        &mut self,
        reason: Option<&'static str>,
        context: &Context,
        sink: &mut impl Sink,
    ) {
        for choice in self.choices.iter_mut().filter(|choice| !choice.finished) {
            choice.finished = true;
            let plain = if choice.calls.any() { "tool_calls" } else { "stop" };
            let filtered = choice.filtered.then_some("content_filter");
            let reason = reason.or(filtered).unwrap_or(plain);
            sink.finish(choice.index, context.in_callers_words(reason));
        }
    }
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// By `[DONE]`.
    Done,
    /// By closing it.
    Closed,
    /// It was never a stream.
    Whole,
}

fn says_anything(delta: &ChoiceDelta<'_>) -> bool {
    if delta.mark == Mark::Skipped {
        return false;
    }
    let shown = delta.mark != Mark::Hidden
        && (delta.reasoning.is_some() || delta.content.is_some() || !delta.calls.is_empty());
    shown || delta.finish.is_some()
}

fn add_text(delta: &Delta<'_>, produced: &mut Produced) {
    let arguments = delta.calls.iter().map(|call| &*call.arguments);
    let texts = [delta.reasoning.as_deref(), delta.content.as_deref()].into_iter().flatten();
    for text in texts.chain(arguments) {
        produced.add(inside(text).as_bytes());
    }
}
