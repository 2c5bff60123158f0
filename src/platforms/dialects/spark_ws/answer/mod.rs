//! Answer frames, written anew as the front's chunks or gathered to one answer.
//!
//! A frame is a JSON object and ends itself, so what comes may be cut anywhere. Nothing goes
//! out before the answer holds something: an account that is refused in the first frame may
//! still be left for another.

mod frame;

use std::borrow::Cow;

use bytes::{Buf, Bytes, BytesMut};

use self::frame::{Frame, Frames, Text};
use super::Context;
use crate::front::object::text_to_json;
use crate::front::{ByteCensus, Produced, Usage, UsageReport};
use crate::platforms::dialects::pivot::{
    CallStep, Chunks, Delta, Draft, Sink, answer_id, in_callers_words, inside,
};
use crate::platforms::{ErrorClass, Fed, PlatformError, StreamEnd};

/// No frame is near this long, nor what is left of one.
const LONGEST_FRAME: usize = 1 << 20;

/// A gathered answer that is longer is none.
const MOST_GATHERED: usize = 64 << 20;

/// An answer on its way.
pub(super) struct Stream {
    carry: BytesMut,
    out: Out,
    /// The platform's id of the answer, once a frame told it.
    sid: String,
    began: bool,
    ended: bool,
    calls: usize,
    counts: Option<UsageReport>,
    produced: Produced,
}

/// Where the answer goes.
enum Out {
    Chunks(Chunks),
    Gathered(Draft),
}

impl Out {
    fn sink(&mut self) -> &mut dyn Sink {
        match self {
            Out::Chunks(chunks) => chunks,
            Out::Gathered(draft) => draft,
        }
    }
}

/// What one frame led to.
enum Step {
    On,
    Done,
}

impl Stream {
    /// For a caller who wants a stream.
    pub(super) fn of_chunks(usage_asked: bool, legacy: bool) -> Stream {
        Stream::new(Out::Chunks(Chunks::new(usage_asked, legacy)))
    }

    /// For a caller who wants a whole answer.
    pub(super) fn gathered() -> Stream {
        Stream::new(Out::Gathered(Draft::default()))
    }

    fn new(out: Out) -> Stream {
        Stream {
            carry: BytesMut::new(),
            out,
            sid: String::new(),
            began: false,
            ended: false,
            calls: 0,
            counts: None,
            produced: Produced::default(),
        }
    }

    pub(super) fn feed(&mut self, bytes: Bytes, context: &Context) -> Fed {
        if self.ended {
            return Fed::default();
        }
        if self.carry.is_empty() {
            return self.run(bytes, context);
        }
        self.carry.extend_from_slice(&bytes);
        let all = self.carry.split().freeze();
        self.run(all, context)
    }

    /// Takes the frames that are there, and keeps what is left.
    fn run(&mut self, mut bytes: Bytes, context: &Context) -> Fed {
        let mut frames = Frames::of(&bytes);
        while let Some(frame) = frames.next() {
            let step = match frame {
                Ok(frame) => self.frame(&frame, context),
                Err(_) => Err(context.fault("sent what is no frame")),
            };
            match step {
                Ok(Step::On) => {}
                Ok(Step::Done) => return self.done(),
                Err(error) if error.class == ErrorClass::ContentFiltered && self.began => {
                    // The platform withheld the rest: a complete answer.
                    self.close("content_filter");
                    return self.done();
                }
                Err(error) => return self.fail(error),
            }
        }
        let read = frames.read();
        bytes.advance(read);
        if bytes.len() > LONGEST_FRAME {
            return self.fail(context.fault("sent too much at once"));
        }
        self.carry.extend_from_slice(bytes.trim_ascii_start());
        Fed { out: self.take_out(), end: None }
    }

    /// The platform closed the connection; after the last frame nothing more is expected.
    pub(super) fn end(&mut self, context: &Context) -> Fed {
        if self.ended {
            return Fed::default();
        }
        let what =
            if self.began { "ended the answer before its end" } else { "ended without an answer" };
        self.fail(context.fault(what))
    }

    /// The platform's count, which the last frame brings.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.counts.map(|counts| counts.usage())
    }

    pub(super) fn began(&self) -> bool {
        self.began
    }

    pub(super) fn produced(&self) -> ByteCensus {
        self.produced.census()
    }

    pub(super) fn words(&mut self) -> &mut Produced {
        &mut self.produced
    }

    /// The gathered answer, once it is complete.
    pub(super) fn take_gathered(&mut self, context: &Context) -> Option<Bytes> {
        match &self.out {
            Out::Gathered(draft) if self.ended => Some(draft.write(context.legacy)),
            _ => None,
        }
    }

    fn frame(&mut self, frame: &Frame<'_>, context: &Context) -> Result<Step, PlatformError> {
        if let Some(said) = frame.said() {
            return Err(context.said(said));
        }
        if let Some(sid) = frame.sid() {
            self.sid = sid;
        }
        for text in frame.texts() {
            self.text(text, context);
        }
        if let Some(counts) = frame.counts() {
            self.counts = Some(counts.tidy());
        }
        if let Out::Gathered(draft) = &self.out
            && draft.size() > MOST_GATHERED
        {
            return Err(PlatformError::fault("the answer is longer than 64 MiB"));
        }
        if !frame.is_last() {
            return Ok(Step::On);
        }
        self.open(context);
        let finish = if self.calls > 0 { "tool_calls" } else { "stop" };
        self.close(in_callers_words(finish, context.legacy));
        Ok(Step::Done)
    }

    fn text(&mut self, text: &Text<'_>, context: &Context) {
        let reasoning = text.reasoning().map(Cow::Borrowed);
        let content = text.content().map(Cow::Borrowed);
        let mut calls = Vec::new();
        if let Some((name, arguments)) = text.call() {
            let id = answer_id(&self.sid);
            let bare = id.strip_prefix("chatcmpl-").unwrap_or_default();
            let id = format!("call_{bare}_{}", self.calls);
            let arguments = match arguments {
                Some(json) if json.starts_with('"') => Cow::Borrowed(json),
                // The arguments themselves, where their text should stand.
                Some(json) => Cow::Owned(text_to_json(json)),
                None => Cow::Borrowed("\"{}\""),
            };
            calls.push(CallStep { index: self.calls, opens: Some((id, name)), arguments });
            self.calls += 1;
        }
        if reasoning.is_none() && content.is_none() && calls.is_empty() {
            return;
        }
        let texts = [&reasoning, &content].into_iter().filter_map(|text| text.as_deref());
        for text in texts.chain(calls.iter().map(|call| &*call.arguments)) {
            self.produced.add(inside(text).as_bytes());
        }
        self.open(context);
        self.out.sink().add(0, Delta { reasoning, content, calls, ..Delta::default() });
    }

    fn open(&mut self, context: &Context) {
        if self.began {
            return;
        }
        self.began = true;
        let id = if self.sid.is_empty() {
            format!("chatcmpl-{:x}", context.created)
        } else {
            answer_id(&self.sid)
        };
        let sink = self.out.sink();
        sink.begin(&id, context.created, &context.model.upstream);
        sink.open(0);
    }

    fn close(&mut self, finish: &str) {
        let counts = self.counts;
        let sink = self.out.sink();
        sink.finish(0, finish);
        sink.end(counts.as_ref());
    }

    fn take_out(&mut self) -> Bytes {
        match &mut self.out {
            Out::Chunks(chunks) => chunks.take().freeze(),
            Out::Gathered(_) => Bytes::new(),
        }
    }

    fn done(&mut self) -> Fed {
        self.ended = true;
        Fed { out: self.take_out(), end: Some(StreamEnd::Done) }
    }

    fn fail(&mut self, error: PlatformError) -> Fed {
        self.ended = true;
        Fed { out: self.take_out(), end: Some(StreamEnd::Failed(error)) }
    }
}
