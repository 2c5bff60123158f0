//! Anthropic Messages upstream.
//!
//! Requests and answers are written anew, since nothing in them has the front's form.
//! Models' peculiarities are traits of the catalogue ([`crate::platforms::rules::Thinking`]);
//! this code names none. Facts are Anthropic's reference of the Messages API and the types
//! of its SDK for Python, 2.13.

mod answer;
mod errors;
mod request;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use self::answer::Stream;
use super::{Attempt, Begun, Translation};
use crate::front::{ByteCensus, Produced, Usage};
use crate::platforms::failure::Said;
use crate::platforms::{Answer, Face, Fed, Model, Platform, PlatformError, UpstreamRequest};

/// One attempt in this dialect.
struct AnthropicMessages {
    context: Context,
    stream: Stream,
    whole: Option<(Option<Usage>, ByteCensus)>,
}

/// What holds for one attempt.
struct Context {
    platform: Arc<Platform>,
    face: Arc<Face>,
    model: Arc<Model>,
    /// Our clock, in Unix seconds.
    created: i64,
    /// The caller wants usage at the stream's end.
    usage_asked: bool,
    shape: Shape,
}

/// What the request asks of the answer's form.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// The caller speaks of `functions`.
    legacy: bool,
    /// There are tools, so thinking may have to come back.
    calls: bool,
}

impl Context {
    fn said(&self, said: Said) -> PlatformError {
        crate::platforms::failure::inside(&self.platform, &self.face, said)
    }

    fn fault(&self, what: &str) -> PlatformError {
        PlatformError::fault(format!("{} {what}", self.platform.id))
    }
}

/// Begins an attempt in this dialect.
pub(super) fn begin(attempt: &Attempt<'_>) -> Begun {
    let Attempt { platform, face, model, reach, ask, created } = *attempt;
    let built = request::build(attempt)?;
    let context = Context {
        platform: Arc::clone(platform),
        face: Arc::clone(face),
        model: Arc::clone(model),
        created,
        usage_asked: ask.wants_usage(),
        shape: built.shape,
    };
    let request = UpstreamRequest {
        url: reach.url.clone(),
        body: built.body,
        streams: ask.wants_stream(),
        headers: face.headers.clone(),
    };
    let stream = Stream::new(&context);
    Ok((Box::new(AnthropicMessages { context, stream, whole: None }), request))
}

impl Translation for AnthropicMessages {
    fn classify(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> PlatformError {
        errors::of_answer(&self.context, status, headers, body)
    }

    fn whole(&mut self, _headers: &HeaderMap, body: Bytes) -> Result<Answer, PlatformError> {
        let answer = answer::whole(&body, &self.context)?;
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
        self.whole.map_or_else(|| self.stream.usage(), |(usage, _)| usage)
    }

    fn began(&self) -> bool {
        self.stream.began()
    }

    fn produced(&self) -> ByteCensus {
        self.whole.map_or_else(|| self.stream.produced(), |(_, produced)| produced)
    }

    fn words(&mut self) -> &mut Produced {
        self.stream.words()
    }

    /// Nothing is gathered: what the caller wants whole is asked for whole.
    fn gathered(&mut self) -> Option<Answer> {
        None
    }
}

#[cfg(test)]
mod tests;
