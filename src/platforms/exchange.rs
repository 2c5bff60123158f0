//! One attempt's translation: the request out, and whatever comes back in.
//!
//! An `Exchange` is made for each attempt and thrown away with it. It never does
//! I/O: the relay hands it bytes as they come and writes what it gives back.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};

use super::dialects::{Attempt, Translation, pivot};
use super::{Face, Model, Platform, PlatformError};
use crate::front::{BadRequest, ByteCensus, ChatRequest, Produced, Usage};

/// The translation of one attempt.
pub struct Exchange {
    translation: Box<dyn Translation>,
}

/// What to send upstream.
#[derive(Clone)]
pub struct UpstreamRequest {
    /// Where to.
    pub url: Uri,
    /// The JSON body, or the message for a WebSocket.
    pub body: Bytes,
    /// Whether the platform was asked for a stream (it may be, though the caller was not).
    pub streams: bool,
    /// Headers of the platform's own, beside content type and authorization.
    pub headers: HeaderMap,
}

/// A whole answer in the front's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The JSON body for the caller.
    pub body: Bytes,
    /// The platform's own count, if it gave one that can be believed.
    pub usage: Option<Usage>,
    /// The text produced, where no count was given.
    pub produced: Produced,
}

/// What comes of streamed bytes.
#[derive(Debug, Default)]
pub struct Fed {
    /// Whole events for the caller; empty when none is ready.
    pub out: Bytes,
    /// Set once: nothing comes after it.
    pub end: Option<StreamEnd>,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEnd {
    /// Completely; `[DONE]` is in `out`.
    Done,
    /// Broken. Before output ([`Exchange::began`] is false) another account may be
    /// tried; after it, the relay writes [`crate::front::ErrorBody::event`] and ends
    /// the stream without `[DONE]`.
    Failed(PlatformError),
}

impl Exchange {
    /// Refuses a request for what this model can't do there by any face, so that nothing is leased or
    /// sent for it.
    ///
    /// # Errors
    /// The field that asks for it.
    pub fn check(platform: &Platform, model: &Model, ask: &ChatRequest) -> Result<(), BadRequest> {
        let faces = platform.faces.iter();
        let reached = faces.filter_map(|face| Some((face, model.reach(face.dialect)?)));
        let mut lack = Ok(());
        for (face, reach) in reached {
            let able = pivot::check(&platform.id, face, model, reach, ask);
            if able.is_ok() {
                return able;
            }
            // What the usual face lacks is told.
            lack = lack.and(able);
        }
        lack
    }

    /// Whether a face's rules refuse a request: a cheap look, which sees less than translating it.
    pub fn lacks(platform: &Platform, face: &Face, model: &Model, ask: &ChatRequest) -> bool {
        let reach = model.reach(face.dialect);
        reach.is_some_and(|it| pivot::check(&platform.id, face, model, it, ask).is_err())
    }

    /// Whether this model can do what is asked there by any face, as a key or a person's login.
    ///
    /// It translates the whole request for each, until one is able.
    pub fn can(platform: &Arc<Platform>, model: &Arc<Model>, ask: &ChatRequest) -> bool {
        let able = |face: &Arc<Face>| Exchange::begin(platform, face, model, ask, 0).is_ok();
        platform.faces.iter().any(|face| able(face) || face.login.as_ref().is_some_and(able))
    }

    /// Translates the request.
    ///
    /// `created` is our clock in Unix seconds, for platforms that send none.
    ///
    /// # Errors
    /// When this platform cannot do what is asked: the caller must change it.
    pub fn begin(
        platform: &Arc<Platform>,
        face: &Arc<Face>,
        model: &Arc<Model>,
        ask: &ChatRequest,
        created: i64,
    ) -> Result<(Exchange, UpstreamRequest), BadRequest> {
        let dialect = face.dialect;
        let reach = model.reach(dialect).ok_or_else(|| {
            let message = format!(
                "{}: '{}' is not reached by {}.",
                platform.id,
                model.name,
                dialect.as_str()
            );
            BadRequest::field("model", message)
        })?;
        pivot::check(&platform.id, face, model, reach, ask)?;
        let attempt = Attempt { platform, face, model, reach, ask, created };
        let (translation, request) = (dialect.begin())(&attempt)?;
        Ok((Exchange { translation }, request))
    }

    /// Understands an answer whose status is not 2xx.
    pub fn classify(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> PlatformError {
        self.translation.classify(status, headers, body)
    }

    /// Translates a whole 2xx answer.
    ///
    /// # Errors
    /// When the answer is none: an error inside a 200, HTML, an empty body.
    pub fn whole(&mut self, headers: &HeaderMap, body: Bytes) -> Result<Answer, PlatformError> {
        self.translation.whole(headers, body)
    }

    /// Takes streamed bytes, cut anywhere.
    pub fn feed(&mut self, bytes: Bytes) -> Fed {
        self.translation.feed(bytes)
    }

    /// Upstream closed the stream.
    pub fn end(&mut self) -> Fed {
        self.translation.end()
    }

    /// The platform's count, once it came, if it can be believed.
    pub fn usage(&self) -> Option<Usage> {
        self.translation.usage()
    }

    /// Whether anything was given out for the caller.
    pub fn began(&self) -> bool {
        self.translation.began()
    }

    /// How much text a stream has produced so far.
    pub fn produced(&self) -> ByteCensus {
        self.translation.produced()
    }

    /// The text of a stream, for an estimate when it breaks: to take words from as they
    /// come, or all that is there at its end.
    pub fn words(&mut self) -> &mut Produced {
        self.translation.words()
    }

    /// The whole answer, after `Done`, of a stream whose caller did not ask for one:
    /// [`feed`](Self::feed) gives no output then.
    pub fn gathered(&mut self) -> Option<Answer> {
        self.translation.gathered()
    }
}
