//! A streamed answer: named events in, the front's chunks out.
//!
//! Nothing goes out before the answer holds anything: `message_start` alone is no
//! beginning, and an account that then has no room may still be left for another.
//! Events and blocks that are yet to come are passed over (Anthropic's versioning policy).

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::counts::Counts;
use super::stop::finish;
use super::thoughts::{Thoughts, quoted};
use crate::front::object::{Object, compact, read_text};
use crate::front::sse::{Splitter, events};
use crate::front::{ByteCensus, Produced, Usage};
use crate::platforms::dialects::anthropic_messages::Context;
use crate::platforms::dialects::pivot::{
    CallStep, Chunks, Delta, Sink, answer_id, in_callers_words, text,
};
use crate::platforms::failure::Said;
use crate::platforms::{ErrorClass, Fed, PlatformError, StreamEnd};

/// More calls than any model makes in one turn.
const MOST_CALLS: usize = 1024;

/// More arguments than ever come with the beginnings of calls.
const MOST_EARLY: usize = 1 << 20;

/// A stream on its way.
pub(in super::super) struct Stream {
    splitter: Splitter,
    chunks: Chunks,
    /// The message's id and model, once it started.
    started: Option<(String, String)>,
    began: bool,
    ended: bool,
    counts: Counts,
    /// The final counts came.
    counted: bool,
    produced: Produced,
    calls: Vec<Call>,
    /// Bytes of arguments that came with the beginnings of calls.
    early: usize,
    thoughts: Thoughts,
    stop_reason: Option<String>,
}

/// A call, by the block that writes it.
struct Call {
    block: u64,
    /// Arguments that its beginning already held, as a JSON object.
    early: Option<String>,
    wrote: bool,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    index: Option<&'a RawValue>,
    #[serde(borrow)]
    content_block: Option<Object<'a>>,
    #[serde(borrow)]
    delta: Option<Object<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// What one event led to.
enum Step {
    On,
    Done,
}

impl Stream {
    pub(in super::super) fn new(context: &Context) -> Stream {
        Stream {
            splitter: Splitter::default(),
            chunks: Chunks::new(context.usage_asked, context.shape.legacy),
            started: None,
            began: false,
            ended: false,
            counts: Counts::default(),
            counted: false,
            produced: Produced::default(),
            calls: Vec::new(),
            early: 0,
            thoughts: Thoughts::default(),
            stop_reason: None,
        }
    }

    pub(in super::super) fn feed(&mut self, bytes: Bytes, context: &Context) -> Fed {
        if self.ended {
            return Fed::default();
        }
        match self.splitter.push(bytes) {
            Ok(run) => self.run(&run, context),
            Err(error) => self.fail(context.fault(&format!("sent too much at once: {error}"))),
        }
    }

    pub(in super::super) fn end(&mut self, context: &Context) -> Fed {
        if self.ended {
            return Fed::default();
        }
        // What came without its empty line counts if it is whole.
        let rest = self.splitter.rest();
        let is_whole = |event: crate::front::sse::Event<'_>| {
            serde_json::from_slice::<serde::de::IgnoredAny>(&event.data).is_ok()
        };
        if events(&rest).all(is_whole) {
            let fed = self.run(&rest, context);
            if fed.end.is_some() {
                return fed;
            }
            let mut out = BytesMut::from(&fed.out[..]);
            let fed = self.broke_off(context);
            out.extend_from_slice(&fed.out);
            return Fed { out: out.freeze(), end: fed.end };
        }
        self.broke_off(context)
    }

    /// The platform's count. What `message_start` tells is no count of the answer yet.
    pub(in super::super) fn usage(&self) -> Option<Usage> {
        self.counts.report().filter(|_| self.counted).map(|report| report.usage())
    }

    pub(in super::super) fn began(&self) -> bool {
        self.began
    }

    pub(in super::super) fn produced(&self) -> ByteCensus {
        self.produced.census()
    }

    pub(in super::super) fn words(&mut self) -> &mut Produced {
        &mut self.produced
    }

    fn run(&mut self, run: &Bytes, context: &Context) -> Fed {
        for event in events(run) {
            if event.data.is_empty() {
                continue;
            }
            match self.event(&event.data, context) {
                Ok(Step::On) => {}
                Ok(Step::Done) => return self.done(),
                Err(error) if error.class == ErrorClass::ContentFiltered && self.began => {
                    // The platform withheld the rest: a complete answer.
                    self.stop_reason = Some("refusal".to_owned());
                    self.close(context);
                    return self.done();
                }
                Err(error) => return self.fail(error),
            }
        }
        Fed { out: self.chunks.take().freeze(), end: None }
    }

    fn event(&mut self, data: &[u8], context: &Context) -> Result<Step, PlatformError> {
        let unreadable = || context.fault("sent what is no JSON");
        let event: Event<'_> = serde_json::from_slice(data).map_err(|_| unreadable())?;
        let kind = event.kind.map_or("", RawValue::get);
        match kind {
            "\"message_start\"" => self.message_start(event.message, context),
            "\"content_block_start\"" => {
                if let Some(block) = &event.content_block {
                    self.block_start(number(event.index), block, context);
                }
            }
            "\"content_block_delta\"" => {
                if let Some(delta) = &event.delta {
                    self.block_delta(number(event.index), delta, context);
                }
            }
            "\"content_block_stop\"" => self.block_stop(number(event.index), context),
            "\"message_delta\"" => {
                if let Some(usage) = event.usage {
                    self.counts.take(usage.get());
                    self.counted = true;
                }
                if let Some(delta) = &event.delta {
                    self.message_delta(delta, context);
                }
            }
            "\"message_stop\"" => {
                self.close(context);
                return Ok(Step::Done);
            }
            "\"error\"" => return Err(context.said(Said::read(data).unwrap_or_default())),
            _ => {
                if let Some(said) = Said::find(data) {
                    return Err(context.said(said));
                }
            }
        }
        Ok(Step::On)
    }

    fn message_start(&mut self, message: Option<&RawValue>, context: &Context) {
        let message = message.and_then(|json| Object::parse(json.get()).ok()).unwrap_or_default();
        let read = |name: &str| message.get(name).and_then(read_text).filter(|it| !it.is_empty());
        let id = read("id");
        let id = id.map_or_else(|| format!("chatcmpl-{:x}", context.created), |id| answer_id(&id));
        let model =
            read("model").map_or_else(|| context.model.upstream.to_string(), |it| it.into_owned());
        if let Some(usage) = message.get("usage") {
            self.counts.take(usage);
        }
        self.started = Some((id, model));
    }

    fn block_start(&mut self, index: u64, block: &Object<'_>, context: &Context) {
        match block.get("type") {
            Some("\"text\"") => {
                let content = text(block.get("text")).map(Into::into);
                self.add(Delta { content, ..Delta::default() }, context);
            }
            Some("\"thinking\"") => {
                let thinking = text(block.get("thinking"));
                if context.shape.calls {
                    self.thoughts.begin(thinking, text(block.get("signature")));
                }
                let reasoning = thinking.map(Into::into);
                self.add(Delta { reasoning, ..Delta::default() }, context);
            }
            Some("\"redacted_thinking\"") if context.shape.calls => {
                self.thoughts.whole(&block.to_json());
            }
            Some("\"tool_use\"") if self.calls.len() < MOST_CALLS => {
                let id = block.get("id").and_then(read_text);
                let name = block.get("name").filter(|name| name.starts_with('"'));
                let (Some(id), Some(name)) = (id, name) else { return };
                let early = block.given("input").map(compact);
                self.early += early.as_ref().map_or(0, String::len);
                let early = early.filter(|_| self.early <= MOST_EARLY);
                let call = CallStep {
                    index: self.calls.len(),
                    opens: Some((id.into_owned(), name)),
                    arguments: "\"\"".into(),
                };
                self.calls.push(Call { block: index, early, wrote: false });
                self.add(Delta { calls: vec![call], ..Delta::default() }, context);
            }
            _ => {}
        }
    }

    fn block_delta(&mut self, index: u64, delta: &Object<'_>, context: &Context) {
        match delta.get("type") {
            Some("\"text_delta\"") => {
                let content = text(delta.get("text")).map(Into::into);
                self.add(Delta { content, ..Delta::default() }, context);
            }
            Some("\"thinking_delta\"") => {
                let thinking = text(delta.get("thinking"));
                self.thoughts.think(thinking.unwrap_or_default());
                let reasoning = thinking.map(Into::into);
                self.add(Delta { reasoning, ..Delta::default() }, context);
            }
            Some("\"signature_delta\"") => {
                self.thoughts.sign(text(delta.get("signature")).unwrap_or_default());
            }
            Some("\"input_json_delta\"") => {
                let at = self.calls.iter().rposition(|call| call.block == index);
                let (Some(at), Some(json)) = (at, text(delta.get("partial_json"))) else { return };
                self.calls[at].wrote = true;
                self.arguments(at, json, context);
            }
            _ => {}
        }
    }

    /// A call whose arguments never came has those of its beginning: none are `{}`.
    fn block_stop(&mut self, index: u64, context: &Context) {
        self.thoughts.finish();
        let at = self.calls.iter().rposition(|call| call.block == index && !call.wrote);
        let Some(at) = at else { return };
        let call = &mut self.calls[at];
        call.wrote = true;
        let early = call.early.take();
        let input = quoted(early.as_deref().unwrap_or("{}"));
        self.arguments(at, &input, context);
    }

    fn arguments(&mut self, index: usize, json: &str, context: &Context) {
        let call = CallStep { index, opens: None, arguments: json.into() };
        self.add(Delta { calls: vec![call], ..Delta::default() }, context);
    }

    fn message_delta(&mut self, delta: &Object<'_>, context: &Context) {
        let reason = delta.get("stop_reason").and_then(read_text);
        if let Some(reason) = reason {
            self.stop_reason = Some(reason.into_owned());
        }
        let details = delta.given("stop_details").and_then(|json| Object::parse(json).ok());
        let told = details.as_ref().and_then(|details| text(details.get("explanation")));
        let is_refusal = self.stop_reason.as_deref() == Some("refusal");
        let refusal = told.filter(|_| is_refusal).map(Into::into);
        self.add(Delta { refusal, ..Delta::default() }, context);
    }

    /// Gives a delta out, if it holds anything.
    fn add(&mut self, delta: Delta<'_>, context: &Context) {
        if delta.is_empty() {
            return;
        }
        delta.add_to(&mut self.produced);
        self.open(context);
        self.chunks.add(0, delta);
    }

    fn open(&mut self, context: &Context) {
        if self.began {
            return;
        }
        self.began = true;
        let (id, model) = self.started.take().unwrap_or_else(|| {
            (format!("chatcmpl-{:x}", context.created), context.model.upstream.to_string())
        });
        self.chunks.begin(&id, context.created, &model);
        self.chunks.open(0);
    }

    /// Everything was said.
    fn close(&mut self, context: &Context) {
        self.open(context);
        let calls = !self.calls.is_empty();
        if let Some(blocks) = self.thoughts.take().filter(|_| calls) {
            // Once, and after all calls: what an SDK gathers of a list it takes as it comes first.
            let thinking_blocks = Some(blocks.into());
            self.chunks.add(0, Delta { thinking_blocks, ..Delta::default() });
        }
        let reason = finish(self.stop_reason.as_deref().unwrap_or_default(), calls);
        self.chunks.finish(0, in_callers_words(reason, context.shape.legacy));
        self.chunks.end(self.counts.report().as_ref());
    }

    fn broke_off(&mut self, context: &Context) -> Fed {
        let what =
            if self.began { "ended the answer before its end" } else { "ended without an answer" };
        self.fail(context.fault(what))
    }

    fn done(&mut self) -> Fed {
        self.ended = true;
        Fed { out: self.chunks.take().freeze(), end: Some(StreamEnd::Done) }
    }

    fn fail(&mut self, error: PlatformError) -> Fed {
        self.ended = true;
        Fed { out: self.chunks.take().freeze(), end: Some(StreamEnd::Failed(error)) }
    }
}

fn number(json: Option<&RawValue>) -> u64 {
    json.and_then(|json| json.get().parse().ok()).unwrap_or(0)
}
