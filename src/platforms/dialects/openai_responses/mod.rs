//! OpenAI Responses upstream, without a store: each request brings its whole history.
//!
//! Requests and answers are written anew. Accounts that are people's plans ("sign in with
//! ChatGPT") take less; what they don't take is the face's `login` in the catalogue. Facts
//! are the types of OpenAI's SDK for Python, 3.57, and "Sign in with ChatGPT: Preview
//! limitations".

mod answer;
mod errors;
mod request;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use self::answer::Stream;
use super::{Attempt, Begun, Translation};
use crate::front::{ByteCensus, Produced, Usage};
use crate::platforms::failure::{self, Said};
use crate::platforms::{Answer, Face, Fed, Model, Platform, PlatformError, UpstreamRequest};

/// One attempt in this dialect.
struct OpenaiResponses {
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
    /// The caller wants a stream.
    streamed: bool,
    /// The caller wants usage at the stream's end.
    usage_asked: bool,
    shape: Shape,
}

/// What the request says of the answer, and of how the caller named things.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// The caller speaks of `functions`.
    legacy: bool,
    /// There are tools, so reasoning may have to come back.
    calls: bool,
    /// The caller's name of the answer's limit.
    limit: &'static str,
}

impl Context {
    fn said(&self, said: Said) -> PlatformError {
        let error = failure::inside(&self.platform, &self.face, said);
        errors::in_callers_words(error, self.shape)
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
        streamed: ask.wants_stream(),
        usage_asked: ask.wants_usage(),
        shape: built.shape,
    };
    let request = UpstreamRequest {
        url: reach.url.clone(),
        body: built.body,
        streams: built.streams,
        headers: face.headers.clone(),
    };
    let stream = Stream::new(&context);
    Ok((Box::new(OpenaiResponses { context, stream, whole: None }), request))
}

impl Translation for OpenaiResponses {
    fn classify(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> PlatformError {
        let Context { platform, face, shape, .. } = &self.context;
        let error = failure::of_answer(platform, face, status, headers, body);
        errors::in_callers_words(error, *shape)
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

    fn gathered(&mut self) -> Option<Answer> {
        self.stream.gathered(&self.context)
    }
}

#[cfg(test)]
mod tests;
