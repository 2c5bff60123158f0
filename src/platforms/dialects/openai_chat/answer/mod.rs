//! Answers: whole or streamed, passed on or written anew.

mod calls;
mod chunk;
mod facts;
mod finish;
mod outbox;
mod passed;
mod rebuilt;
mod stream;
mod tidy;
mod whole;

use std::sync::Arc;

pub(super) use stream::Stream;
pub(super) use whole::whole;

use crate::front::{ByteCensus, Produced, Usage, UsageReport};
use crate::platforms::dialects::pivot::in_callers_words;
use crate::platforms::failure::{Said, inside};
use crate::platforms::{Face, Model, Platform, PlatformError};

/// What holds for one attempt.
pub(super) struct Context {
    pub(super) platform: Arc<Platform>,
    pub(super) face: Arc<Face>,
    pub(super) model: Arc<Model>,
    /// Our clock, in Unix seconds.
    pub(super) created: i64,
    /// The caller wants a stream.
    pub(super) streamed: bool,
    /// The caller wants usage at the stream's end.
    pub(super) usage_asked: bool,
    /// The caller speaks of `functions`.
    pub(super) legacy: bool,
}

/// What was counted on the way.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) usage: Option<UsageReport>,
    pub(super) produced: Produced,
}

impl Tally {
    /// The platform's count, if it can be believed.
    pub(super) fn usage(&self, face: &Face) -> Option<Usage> {
        let usage = self.usage?.usage();
        let wrote = self.produced.census() != ByteCensus::NOTHING;
        let doubtful = face.answer.zero_output_is_unknown && usage.output == 0 && wrote;
        (!doubtful).then_some(usage)
    }
}

impl Context {
    fn said(&self, said: Said) -> PlatformError {
        inside(&self.platform, &self.face, said)
    }

    fn unreadable(&self) -> PlatformError {
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
