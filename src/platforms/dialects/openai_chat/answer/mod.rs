//! Answers: whole or streamed, passed on or written anew.

mod calls;
mod chunk;
mod completion;
mod facts;
mod finish;
mod outbox;
mod passed;
mod rebuilt;
mod stream;
mod tidy;
mod whole;

use std::sync::Arc;

pub(crate) use chunk::{Choice, ChoiceDelta, Chunk, read_choices, read_content};
pub(super) use stream::Stream;
pub(super) use whole::whole;

use self::facts::tells_error;
use crate::front::{ByteCensus, Produced, Usage, UsageReport};
use crate::platforms::dialects::pivot::in_callers_words;
use crate::platforms::failure::{Said, inside};
use crate::platforms::rules::Form;
use crate::platforms::{Face, Model, Platform, PlatformError};

/// What holds for one attempt.
pub(crate) struct Context {
    pub(crate) platform: Arc<Platform>,
    pub(crate) face: Arc<Face>,
    pub(crate) model: Arc<Model>,
    /// Our clock, in Unix seconds.
    pub(crate) created: i64,
    /// The caller wants a stream.
    pub(crate) streamed: bool,
    /// The caller wants usage at the stream's end.
    pub(crate) usage_asked: bool,
    /// The caller speaks of `functions`.
    pub(crate) legacy: bool,
    /// Of several calls the caller gets the first.
    pub(crate) one_call: bool,
    /// How much goes on as it came.
    pub(crate) form: Form,
    /// Reads what is written anew.
    pub(crate) read: Read,
    /// Usage runs along with the answer: it is the platform's last word at its end alone.
    pub(crate) counts_along: bool,
}

/// Reads an event or a whole answer as what it adds. Another envelope around the same
/// answer is another reader.
pub(crate) type Read = for<'a> fn(Came<'a>, &Context) -> Result<Chunk<'a>, PlatformError>;

/// What a platform sent at once.
#[derive(Clone, Copy)]
pub(crate) struct Came<'a> {
    /// The event's data, or the body.
    pub(crate) data: &'a [u8],
    /// The whole event, its comments too, or the body.
    pub(crate) block: &'a [u8],
}

/// Reads a chunk in the front's form, or a whole answer.
pub(super) fn read<'a>(came: Came<'a>, context: &Context) -> Result<Chunk<'a>, PlatformError> {
    let text = std::str::from_utf8(came.data).map_err(|_| context.unreadable())?;
    let chunk = Chunk::read(text, &context.face.answer);
    let says_nothing = chunk.as_ref().map_or(true, |chunk| chunk.choices.is_empty());
    if (says_nothing || tells_error(came.data))
        && let Some(said) = Said::find(came.data)
    {
        return Err(context.said(said));
    }
    chunk.map_err(|_| context.unreadable())
}

/// What was counted on the way.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Boxed: it comes at the end, and is a third of what a stream keeps here.
    pub(crate) usage: Option<Box<UsageReport>>,
    pub(crate) produced: Produced,
}

impl Tally {
    /// The platform's count, if it can be believed.
    pub(crate) fn usage(&self, face: &Face) -> Option<Usage> {
        let usage = self.usage.as_deref()?.usage();
        let wrote = self.produced.census() != ByteCensus::NOTHING;
        let doubtful = face.answer.zero_output_is_unknown && usage.output == 0 && wrote;
        (!doubtful).then_some(usage)
    }
}

impl Context {
    pub(crate) fn said(&self, said: Said) -> PlatformError {
        inside(&self.platform, &self.face, said)
    }

    pub(crate) fn unreadable(&self) -> PlatformError {
        PlatformError::fault(format!("{} sent what is no JSON", self.platform.id))
    }

    fn silent(&self) -> PlatformError {
        PlatformError::fault(format!("{} ended without an answer", self.platform.id))
    }

    fn cut(&self) -> PlatformError {
        PlatformError::fault(format!("{} ended the answer before its end", self.platform.id))
    }

    fn broken(&self, reason: &str) -> PlatformError {
        PlatformError::fault(format!("{} ended the answer with {reason}", self.platform.id))
    }

    /// A finish reason for this caller.
    fn in_callers_words<'a>(&self, reason: &'a str) -> &'a str {
        in_callers_words(reason, self.legacy)
    }
}
