//! OpenAI chat completions upstream, and what is nearly that.
//!
//! What a platform sends in the front's format passes through as bytes, with usage
//! picked out on the way. Everything that a platform does otherwise is an entry of
//! its catalogue, applied by small rules; this code names no platform.

pub(super) mod answer;
pub(super) mod request;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use self::answer::{Context, Stream};
use super::{Attempt, Begun, Translation};
use crate::front::{ByteCensus, Produced, Usage};
use crate::platforms::failure;
use crate::platforms::rules::Form;
use crate::platforms::{Answer, Fed, PlatformError, UpstreamRequest};

/// One attempt in this dialect.
struct OpenaiChat {
    context: Context,
    stream: Stream,
    whole: Option<(Option<Usage>, ByteCensus)>,
}

/// Begins an attempt in this dialect.
pub(super) fn begin(attempt: &Attempt<'_>) -> Begun {
    let Attempt { platform, face, model, reach, ask, created } = *attempt;
    let built = request::build(face, model, reach, ask)?;
    let context = Context {
        platform: Arc::clone(platform),
        face: Arc::clone(face),
        model: Arc::clone(model),
        created,
        streamed: ask.wants_stream(),
        usage_asked: ask.wants_usage(),
        legacy: built.legacy,
        one_call: built.one_call,
        form: if built.one_call { Form::Rebuilt } else { face.answer.form },
        read: answer::read,
        counts_along: false,
    };
    let request = UpstreamRequest {
        url: reach.url.clone(),
        body: built.body,
        streams: built.streams,
        headers: face.headers.clone(),
    };
    Ok((translate(context), request))
}

/// The translation of an answer that is read so.
pub(super) fn translate(context: Context) -> Box<dyn Translation> {
    let stream = Stream::new(&context);
    Box::new(OpenaiChat { context, stream, whole: None })
}

impl Translation for OpenaiChat {
    fn classify(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> PlatformError {
        failure::of_answer(&self.context.platform, &self.context.face, status, headers, body)
    }

    fn whole(&mut self, _headers: &HeaderMap, body: Bytes) -> Result<Answer, PlatformError> {
        let answer = answer::whole(body, &self.context)?;
        self.whole = Some((answer.usage, answer.produced.census()));
        Ok(answer)
    }

    fn feed(&mut self, bytes: Bytes) -> Fed {
        self.stream.feed(bytes, &self.context)
    }

    fn end(&mut self) -> Fed {
        self.stream.end(&self.context)
    }

    fn usage(&self) -> Option<Usage> {
        match self.whole {
            Some((usage, _)) => usage,
            None => self.stream.tally().usage(&self.context.face),
        }
    }

    fn began(&self) -> bool {
        self.stream.began()
    }

    fn produced(&self) -> ByteCensus {
        match self.whole {
            Some((_, produced)) => produced,
            None => self.stream.tally().produced.census(),
        }
    }

    fn words(&mut self) -> &mut Produced {
        &mut self.stream.tally_mut().produced
    }

    fn gathered(&mut self) -> Option<Answer> {
        let body = self.stream.gathered(&self.context)?;
        Some(Answer { body, usage: self.usage(), produced: std::mem::take(self.words()) })
    }
}
