//! OpenAI chat completions upstream, and what is nearly that.
//!
//! What a platform sends in the front's format passes through as bytes, with usage
//! picked out on the way. Everything that a platform does otherwise is an entry of
//! its catalogue, applied by small rules; this code names no platform.

mod answer;
mod request;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use self::answer::{Context, Stream};
use crate::front::{BadRequest, ByteCensus, ChatRequest, Produced, Usage};
use crate::platforms::failure;
use crate::platforms::{Answer, Face, Fed, Model, Platform, PlatformError, Reach, UpstreamRequest};

/// One attempt in this dialect.
pub(crate) struct OpenaiChat {
    context: Context,
    stream: Stream,
    whole: Option<(Option<Usage>, ByteCensus)>,
}

impl OpenaiChat {
    pub(crate) fn begin(
        platform: &Arc<Platform>,
        face: &Arc<Face>,
        model: &Arc<Model>,
        reach: &Reach,
        ask: &ChatRequest,
        created: i64,
    ) -> Result<(OpenaiChat, UpstreamRequest), BadRequest> {
        let built = request::build(platform, face, model, reach, ask)?;
        let context = Context {
            platform: Arc::clone(platform),
            face: Arc::clone(face),
            model: Arc::clone(model),
            created,
            streamed: ask.wants_stream(),
            usage_asked: ask.wants_usage(),
            legacy: built.legacy,
        };
        let stream = Stream::new(&context);
        let request = UpstreamRequest {
            url: reach.url.clone(),
            body: built.body,
            streams: built.streams,
            headers: face.headers.clone(),
        };
        Ok((OpenaiChat { context, stream, whole: None }, request))
    }

    /// Refuses a request for what the model can't do.
    pub(crate) fn check(
        platform: &Platform,
        face: &Face,
        model: &Model,
        reach: &Reach,
        ask: &ChatRequest,
    ) -> Result<(), BadRequest> {
        request::check(&platform.id, face, model, reach, ask)
    }

    pub(crate) fn classify(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> PlatformError {
        failure::of_answer(&self.context.platform, &self.context.face, status, headers, body)
    }

    pub(crate) fn whole(&mut self, body: Bytes) -> Result<Answer, PlatformError> {
        let answer = answer::whole(body, &self.context)?;
        self.whole = Some((answer.usage, answer.produced.census()));
        Ok(answer)
    }

    pub(crate) fn feed(&mut self, bytes: Bytes) -> Fed {
        self.stream.feed(bytes, &self.context)
    }

    pub(crate) fn end(&mut self) -> Fed {
        self.stream.end(&self.context)
    }

    pub(crate) fn usage(&self) -> Option<Usage> {
        match self.whole {
            Some((usage, _)) => usage,
            None => self.stream.tally().usage(&self.context.face),
        }
    }

    pub(crate) fn began(&self) -> bool {
        self.stream.began()
    }

    pub(crate) fn produced(&self) -> ByteCensus {
        match self.whole {
            Some((_, produced)) => produced,
            None => self.stream.tally().produced.census(),
        }
    }

    pub(crate) fn words(&mut self) -> &mut Produced {
        &mut self.stream.tally_mut().produced
    }

    pub(crate) fn gathered(&mut self) -> Option<Answer> {
        let body = self.stream.gathered(&self.context)?;
        Some(Answer { body, usage: self.usage(), produced: std::mem::take(self.words()) })
    }
}
