//! Spark's frames upstream, as its WebSocket carries them.
//!
//! A request is one frame; its answer comes in frames and always streams, so what a caller
//! wants whole is gathered. The frame's `app_id` is the credential's to write. Facts are
//! iFlytek's pages 星火认知大模型websocket接口文档, 星火深度推理websocket协议文档 and 图片理解,
//! and `sparkai/llm/llm.py` of `spark_ai_python` 0.4.5.

mod answer;
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
struct SparkWs {
    context: Context,
    stream: Stream,
}

/// What holds for one attempt.
struct Context {
    platform: Arc<Platform>,
    face: Arc<Face>,
    model: Arc<Model>,
    /// Our clock, in Unix seconds.
    created: i64,
    /// The caller speaks of `functions`.
    legacy: bool,
}

impl Context {
    fn said(&self, said: Said) -> PlatformError {
        failure::inside(&self.platform, &self.face, said)
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
        legacy: built.legacy,
    };
    let request = UpstreamRequest {
        url: reach.url.clone(),
        body: built.body,
        streams: true,
        headers: face.headers.clone(),
    };
    let stream = if ask.wants_stream() {
        Stream::of_chunks(ask.wants_usage(), built.legacy)
    } else {
        Stream::gathered()
    };
    Ok((Box::new(SparkWs { context, stream }), request))
}

impl Translation for SparkWs {
    fn classify(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> PlatformError {
        failure::of_answer(&self.context.platform, &self.context.face, status, headers, body)
    }

    /// Frames that came all at once.
    fn whole(&mut self, _headers: &HeaderMap, body: Bytes) -> Result<Answer, PlatformError> {
        let mut end = self.feed(body).end;
        if end.is_none() {
            end = self.end().end;
        }
        match end {
            Some(crate::platforms::StreamEnd::Failed(error)) => Err(error),
            _ => self.gathered().ok_or_else(|| self.context.fault("ended without an answer")),
        }
    }

    fn feed(&mut self, bytes: Bytes) -> Fed {
        self.stream.feed(bytes, &self.context)
    }

    fn end(&mut self) -> Fed {
        self.stream.end(&self.context)
    }

    fn usage(&self) -> Option<Usage> {
        self.stream.usage()
    }

    fn began(&self) -> bool {
        self.stream.began()
    }

    fn produced(&self) -> ByteCensus {
        self.stream.produced()
    }

    fn words(&mut self) -> &mut Produced {
        self.stream.words()
    }

    fn gathered(&mut self) -> Option<Answer> {
        let body = self.stream.take_gathered(&self.context)?;
        Some(Answer { body, usage: self.usage(), produced: std::mem::take(self.words()) })
    }
}

#[cfg(test)]
mod tests;
