//! One attempt's translation: the request out, and whatever comes back in.
//!
//! An `Exchange` is made for each attempt and thrown away with it. It never does
//! I/O: the relay hands it bytes as they come and writes what it gives back.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};

use super::{Face, Model, Platform, PlatformError};
use crate::front::{BadRequest, ByteCensus, ChatRequest, Usage};

/// The translation of one attempt.
pub struct Exchange {}

/// What to send upstream.
#[derive(Debug)]
pub struct UpstreamRequest {
    /// Where to.
    pub url: Uri,
    /// The JSON body.
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
    /// The text produced, for an estimate where no count was given.
    pub produced: ByteCensus,
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
    /// Translates the request.
    ///
    /// `created` is our clock in Unix seconds, for platforms that send none.
    ///
    /// # Errors
    /// When this platform cannot do what is asked: the caller must change it.
    pub fn begin(
        _platform: &Arc<Platform>,
        _face: &Arc<Face>,
        _model: &Arc<Model>,
        _ask: &ChatRequest,
        _created: i64,
    ) -> Result<(Exchange, UpstreamRequest), BadRequest> {
        Err(BadRequest::body("not built yet"))
    }

    /// Understands an answer whose status is not 2xx.
    pub fn classify(
        &self,
        _status: StatusCode,
        _headers: &HeaderMap,
        _body: &[u8],
    ) -> PlatformError {
        PlatformError::fault("not built yet")
    }

    /// Translates a whole 2xx answer.
    ///
    /// # Errors
    /// When the answer is none: an error inside a 200, HTML, an empty body.
    pub fn whole(&mut self, _headers: &HeaderMap, _body: Bytes) -> Result<Answer, PlatformError> {
        Err(PlatformError::fault("not built yet"))
    }

    /// Takes streamed bytes, cut anywhere.
    pub fn feed(&mut self, _bytes: Bytes) -> Fed {
        Fed::default()
    }

    /// Upstream closed the stream.
    pub fn end(&mut self) -> Fed {
        Fed::default()
    }

    /// The platform's count, once it came, if it can be believed.
    pub fn usage(&self) -> Option<Usage> {
        None
    }

    /// Whether anything was given out for the caller.
    pub fn began(&self) -> bool {
        false
    }

    /// The text produced so far, for an estimate when a stream breaks.
    pub fn produced(&self) -> ByteCensus {
        ByteCensus::default()
    }

    /// The whole answer, after `Done`, of a stream whose caller did not ask for one:
    /// [`feed`](Self::feed) gives no output then.
    pub fn gathered(&mut self) -> Option<Answer> {
        None
    }
}
