//! Alibaba's native DashScope upstream.
//!
//! It is chat completions in another envelope: requests are put right by the catalogue's
//! rules for chat completions and then nested ([`request`]); events are read out of theirs
//! ([`answer`]) and written anew as every chunk that is not the front's own. Facts are Model
//! Studio's reference of the API and of its error codes, and the `dashscope` SDK for Python,
//! 2.0.

mod answer;
mod request;
mod usage;

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::openai_chat::answer::Context;
use super::openai_chat::request::put_right;
use super::openai_chat::translate;
use super::{Attempt, Begun};
use crate::platforms::UpstreamRequest;
use crate::platforms::rules::Form;

/// What asks for a stream; nothing in the body does.
const SSE: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-dashscope-sse"), HeaderValue::from_static("enable"));

/// Begins an attempt in this dialect.
pub(super) fn begin(attempt: &Attempt<'_>) -> Begun {
    let Attempt { platform, face, model, reach, ask, created } = *attempt;
    let right = put_right(face, model, reach, ask)?;
    let (streams, legacy, one_call) = (right.streams, right.legacy, right.one_call);
    let body = request::nest(right.fields, request::Endpoint::of(&reach.url), streams)?;
    let mut headers = face.headers.clone();
    if streams {
        headers.extend([SSE]);
    }
    let context = Context {
        platform: Arc::clone(platform),
        face: Arc::clone(face),
        model: Arc::clone(model),
        created,
        streamed: ask.wants_stream(),
        usage_asked: ask.wants_usage(),
        legacy,
        one_call,
        form: Form::Rebuilt,
        read: answer::read,
        counts_along: true,
    };
    let request = UpstreamRequest { url: reach.url.clone(), body, streams, headers };
    Ok((translate(context), request))
}

#[cfg(test)]
mod tests;
