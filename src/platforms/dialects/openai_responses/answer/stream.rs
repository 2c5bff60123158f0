//! A streamed answer: typed events in, the front's chunks out.
//!
//! Nothing goes out before the answer holds anything: `response.created` alone is no
//! beginning, and an account that then has no room may still be left for another. The last
//! event repeats the whole answer, or (for people's plans) leaves it out: only how it ended
//! and what it used are taken from there. Events that are yet to come are passed over.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::head::{Head, Response};
use super::out::Out;
use super::reasoning::{Kept, Parts};
use crate::front::object::{Object, read_text};
use crate::front::sse::{DONE, Splitter, events};
use crate::front::{ByteCensus, Produced, Usage, UsageReport};
use crate::platforms::dialects::openai_responses::Context;
use crate::platforms::dialects::pivot::{CallStep, Delta, Sink, in_callers_words, text};
use crate::platforms::failure::Said;
use crate::platforms::{Answer, ErrorClass, Fed, PlatformError, StreamEnd};

/// More calls than any model makes in one turn.
const MOST_CALLS: usize = 1024;

/// The first events repeat instructions and tools, the last ones the whole answer.
const LONGEST_EVENT: usize = 16 << 20;

/// A stream on its way.
pub(in super::super) struct Stream {
    splitter: Splitter,
    out: Out,
    /// Who answers, once that is said.
    head: Option<Head>,
    opened: bool,
    ended: bool,
    usage: Option<UsageReport>,
    produced: Produced,
    calls: Vec<Call>,
    parts: Parts,
    kept: Kept,
}

/// A call, by the place of its item.
struct Call {
    item: u64,
    wrote: bool,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    output_index: Option<&'a RawValue>,
    #[serde(borrow)]
    summary_index: Option<&'a RawValue>,
    #[serde(borrow)]
    content_index: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

impl Event<'_> {
    fn item(&self) -> Object<'_> {
        self.item.and_then(|json| Object::parse(json.get()).ok()).unwrap_or_default()
    }

    fn response(&self) -> Response<'_> {
        self.response.and_then(|json| Response::read(json.get().as_bytes())).unwrap_or_default()
    }

    fn delta(&self) -> Option<&str> {
        text(self.delta.map(RawValue::get))
    }
}

/// What one event led to.
enum Step {
    On,
    Done,
}

impl Stream {
    pub(in super::super) fn new(context: &Context) -> Stream {
        Stream {
            splitter: Splitter::taking(LONGEST_EVENT),
            out: Out::new(context),
            head: None,
            opened: false,
            ended: false,
            usage: None,
            produced: Produced::default(),
            calls: Vec::new(),
            parts: Parts::default(),
            kept: Kept::default(),
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
        let fed =
            if events(&rest).all(is_whole) { self.run(&rest, context) } else { Fed::default() };
        if fed.end.is_some() {
            return fed;
        }
        let what =
            if self.opened { "ended the answer before its end" } else { "ended without an answer" };
        let last = self.fail(context.fault(what));
        let mut out = BytesMut::from(&fed.out[..]);
        out.extend_from_slice(&last.out);
        Fed { out: out.freeze(), end: last.end }
    }

    /// The platform's count.
    pub(in super::super) fn usage(&self) -> Option<Usage> {
        self.usage.map(|report| report.usage())
    }

    /// Whether the caller has any of it.
    pub(in super::super) fn began(&self) -> bool {
        self.opened && self.out.flows()
    }

    pub(in super::super) fn produced(&self) -> ByteCensus {
        self.produced.census()
    }

    pub(in super::super) fn words(&mut self) -> &mut Produced {
        &mut self.produced
    }

    /// The whole answer, of a stream whose caller did not ask for one.
    pub(in super::super) fn gathered(&mut self, context: &Context) -> Option<Answer> {
        if !self.ended {
            return None;
        }
        let body = self.out.whole(context.shape.legacy)?;
        Some(Answer { body, usage: self.usage(), produced: std::mem::take(&mut self.produced) })
    }

    fn run(&mut self, run: &Bytes, context: &Context) -> Fed {
        for event in events(run) {
            if event.data.is_empty() || *event.data == *DONE {
                continue;
            }
            let step = self.event(&event.data, context);
            match step.and_then(|step| self.out.holds().map(|()| step)) {
                Ok(Step::On) => {}
                Ok(Step::Done) => return self.done(),
                Err(error) if error.class == ErrorClass::ContentFiltered && self.opened => {
                    // The platform withheld the rest: a complete answer.
                    self.close("content_filter", context);
                    return self.done();
                }
                Err(error) => return self.fail(error),
            }
        }
        Fed { out: self.out.take(), end: None }
    }

    fn event(&mut self, data: &[u8], context: &Context) -> Result<Step, PlatformError> {
        let unreadable = || context.fault("sent what is no JSON");
        let event: Event<'_> = serde_json::from_slice(data).map_err(|_| unreadable())?;
        let kind = event.kind.map_or("", RawValue::get).trim_matches('"');
        match kind {
            "response.output_text.delta" => {
                let content = event.delta().map(Into::into);
                self.add(Delta { content, ..Delta::default() }, context);
            }
            "response.function_call_arguments.delta" => {
                if let Some(json) = event.delta() {
                    self.arguments(number(event.output_index), json, context);
                }
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                if let Some(json) = event.delta() {
                    let part = event.summary_index.or(event.content_index);
                    let place = (number(event.output_index), number(part));
                    let reasoning = Some(self.parts.add(place, json));
                    self.add(Delta { reasoning, ..Delta::default() }, context);
                }
            }
            "response.refusal.delta" => {
                let refusal = event.delta().map(Into::into);
                self.add(Delta { refusal, ..Delta::default() }, context);
            }
            "response.output_item.added" => {
                self.call(number(event.output_index), &event.item(), context);
            }
            "response.function_call_arguments.done" => {
                let json = event.arguments.map(RawValue::get);
                self.last_arguments(number(event.output_index), json, context);
            }
            "response.output_item.done" => {
                self.item_done(number(event.output_index), &event.item(), context);
            }
            "response.created" | "response.queued" | "response.in_progress" => {
                if self.head.is_none() {
                    self.head = Some(event.response().head(context));
                }
            }
            "response.completed" | "response.incomplete" => {
                let response = event.response();
                self.usage = response.report();
                self.head.get_or_insert_with(|| response.head(context));
                self.close(response.finish(!self.calls.is_empty()), context);
                return Ok(Step::Done);
            }
            "response.failed" => {
                self.usage = event.response().report();
                let said = event.response.and_then(|json| Said::read(json.get().as_bytes()));
                let billed = self.usage().map(Box::new);
                return Err(PlatformError { billed, ..context.said(said.unwrap_or_default()) });
            }
            "error" => return Err(context.said(Said::read(data).unwrap_or_default())),
            _ => {
                if let Some(said) = Said::find(data) {
                    return Err(context.said(said));
                }
            }
        }
        Ok(Step::On)
    }

    /// An item begins; only calls show themselves by it.
    fn call(&mut self, item: u64, object: &Object<'_>, context: &Context) {
        if object.get("type") != Some("\"function_call\"") || self.calls.len() >= MOST_CALLS {
            return;
        }
        let id = object.given("call_id").or(object.given("id")).and_then(read_text);
        let name = object.get("name").filter(|name| name.starts_with('"'));
        let (Some(id), Some(name)) = (id, name) else { return };
        let call = CallStep {
            index: self.calls.len(),
            opens: Some((id.into_owned(), name)),
            arguments: "\"\"".into(),
        };
        self.calls.push(Call { item, wrote: false });
        self.add(Delta { calls: vec![call], ..Delta::default() }, context);
    }

    fn arguments(&mut self, item: u64, json: &str, context: &Context) {
        let Some(index) = self.calls.iter().rposition(|call| call.item == item) else { return };
        self.calls[index].wrote = true;
        let call = CallStep { index, opens: None, arguments: json.into() };
        self.add(Delta { calls: vec![call], ..Delta::default() }, context);
    }

    /// A call's arguments are complete: they come here where they came in no delta.
    fn last_arguments(&mut self, item: u64, json: Option<&str>, context: &Context) {
        if self.calls.iter().any(|call| call.item == item && !call.wrote) {
            self.arguments(item, text(json).unwrap_or("\"{}\""), context);
        }
    }

    fn item_done(&mut self, item: u64, object: &Object<'_>, context: &Context) {
        match object.get("type") {
            Some("\"function_call\"") => {
                if !self.calls.iter().any(|call| call.item == item) {
                    self.call(item, object, context);
                }
                self.last_arguments(item, object.get("arguments"), context);
            }
            Some("\"reasoning\"") if context.shape.calls => self.kept.add(object),
            _ => {}
        }
    }

    /// Gives a delta out, if it holds anything.
    fn add(&mut self, delta: Delta<'_>, context: &Context) {
        if delta.is_empty() {
            return;
        }
        delta.add_to(&mut self.produced);
        self.open(context);
        self.out.add(0, delta);
    }

    fn open(&mut self, context: &Context) {
        if !self.opened {
            self.opened = true;
            let head = self.head.take().unwrap_or_else(|| Head::unnamed(context));
            head.begin(&mut self.out);
        }
    }

    /// Everything was said.
    fn close(&mut self, reason: &str, context: &Context) {
        self.open(context);
        if let Some(items) = self.kept.take().filter(|_| !self.calls.is_empty()) {
            // Once, and after all calls: what an SDK gathers of a list it takes as it comes first.
            let thinking_blocks = Some(items.into());
            self.out.add(0, Delta { thinking_blocks, ..Delta::default() });
        }
        self.out.finish(0, in_callers_words(reason, context.shape.legacy));
        self.out.end(self.usage.as_ref());
    }

    fn done(&mut self) -> Fed {
        self.ended = true;
        Fed { out: self.out.take(), end: Some(StreamEnd::Done) }
    }

    fn fail(&mut self, error: PlatformError) -> Fed {
        self.ended = true;
        Fed { out: self.out.take(), end: Some(StreamEnd::Failed(error)) }
    }
}

fn number(json: Option<&RawValue>) -> u64 {
    json.and_then(|json| json.get().parse().ok()).unwrap_or(0)
}
