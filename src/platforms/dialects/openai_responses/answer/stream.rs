//! A streamed answer: typed events in, the front's chunks out.
//!
//! Nothing goes out before the answer holds anything: `response.created` alone is no
//! beginning, and an account that then has no room may still be left for another. What comes
//! in pieces comes whole too, and the last event repeats the whole answer or (for people's
//! plans) leaves it out: of that only what never came before is taken. Events that are yet to
//! come are passed over.

use bytes::{Bytes, BytesMut};

use super::calls::Calls;
use super::event::Event;
use super::head::{Head, Response};
use super::items;
use super::out::Out;
use super::place::Place;
use super::reasoning::{Kept, Parts};
use super::told::{Kind, Part, Told};
use crate::front::object::Object;
use crate::front::sse::{DONE, Splitter, events};
use crate::front::{ByteCensus, Produced, Usage, UsageReport};
use crate::platforms::dialects::openai_responses::Context;
use crate::platforms::dialects::pivot::{CallStep, Delta, Sink, in_callers_words, text};
use crate::platforms::failure::Said;
use crate::platforms::{Answer, ErrorClass, Fed, PlatformError, StreamEnd};

/// The first events repeat instructions and tools, the last ones the whole answer.
const LONGEST_EVENT: usize = 16 << 20;

/// What a reasoning item is made of.
const THOUGHTS: [Kind; 2] = [Kind::Summary, Kind::Thought];

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
    told: Told,
    calls: Calls,
    parts: Parts,
    kept: Kept,
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
            told: Told::default(),
            calls: Calls::default(),
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
        match event.kind() {
            "response.output_text.delta" => {
                self.piece(event.part(Kind::Message), items::content(event.delta()), context);
            }
            "response.output_text.done" => {
                self.whole(event.part(Kind::Message), items::content(event.text()), context);
            }
            "response.refusal.delta" => {
                self.piece(event.part(Kind::Message), items::refusal(event.delta()), context);
            }
            "response.refusal.done" => {
                self.whole(event.part(Kind::Message), items::refusal(event.refusal()), context);
            }
            "response.content_part.done" => {
                let part = event.whole_part();
                self.whole(event.part(Kind::Message), items::said(&part), context);
            }
            "response.reasoning_summary_text.delta" => {
                self.thought(event.part(Kind::Summary), event.delta(), context);
            }
            "response.reasoning_summary_text.done" => {
                self.whole_thought(event.part(Kind::Summary), event.text(), context);
            }
            "response.reasoning_text.delta" => {
                self.thought(event.part(Kind::Thought), event.delta(), context);
            }
            "response.reasoning_text.done" => {
                self.whole_thought(event.part(Kind::Thought), event.text(), context);
            }
            "response.function_call_arguments.delta" => {
                if let Some(json) = event.delta()
                    && let Some(index) = self.calls.piece(event.place())
                {
                    self.arguments(index, json, context);
                }
            }
            "response.function_call_arguments.done" => {
                if let Some(index) = self.calls.whole(event.place()) {
                    self.arguments(index, event.arguments().unwrap_or("\"{}\""), context);
                }
            }
            "response.output_item.added" => {
                let item = event.item();
                if item.get("type") == Some("\"function_call\"") {
                    self.call(event.place_of(&item), &item, context);
                }
            }
            "response.output_item.done" => {
                let item = event.item();
                self.item_done(event.place_of(&item), &item, context);
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
                self.untold(&response, context);
                self.close(response.finish(self.calls.any()), context);
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

    /// A piece of a part's text.
    fn piece(&mut self, part: Part, delta: Delta<'_>, context: &Context) {
        if !delta.is_empty() {
            self.told.note(part);
            self.add(delta, context);
        }
    }

    /// A part's whole text.
    fn whole(&mut self, part: Part, delta: Delta<'_>, context: &Context) {
        if !self.told.has_part(part) {
            self.piece(part, delta, context);
        }
    }

    /// A piece of a thought.
    fn thought(&mut self, part: Part, json: Option<&str>, context: &Context) {
        let Some(json) = json else { return };
        let reasoning = Some(self.parts.add(part, json));
        self.piece(part, Delta { reasoning, ..Delta::default() }, context);
    }

    /// A whole thought.
    fn whole_thought(&mut self, part: Part, json: Option<&str>, context: &Context) {
        if !self.told.has_part(part) {
            self.thought(part, json, context);
        }
    }

    /// A call begins.
    fn call(&mut self, place: Place, item: &Object<'_>, context: &Context) -> Option<usize> {
        let (id, name) = items::call(item)?;
        let index = self.calls.open(place, &id)?;
        let call = CallStep { index, opens: Some((id, name)), arguments: "\"\"".into() };
        self.add(Delta { calls: vec![call], ..Delta::default() }, context);
        Some(index)
    }

    fn arguments(&mut self, index: usize, json: &str, context: &Context) {
        let call = CallStep { index, opens: None, arguments: json.into() };
        self.add(Delta { calls: vec![call], ..Delta::default() }, context);
    }

    /// An item is complete: what of it came in no piece comes here.
    fn item_done(&mut self, place: Place, item: &Object<'_>, context: &Context) {
        match item.get("type") {
            Some("\"message\"") if !self.told.has_item(Kind::Message, place) => {
                for (number, part) in (0..).zip(items::listed(item, "content")) {
                    let at = Part { kind: Kind::Message, place, number: Some(number) };
                    self.piece(at, items::said(&part), context);
                }
            }
            Some("\"function_call\"") => {
                let known = items::call(item).and_then(|(id, _)| self.calls.known(place, &id));
                let index = known.or_else(|| self.call(place, item, context));
                if let Some(index) = index.filter(|index| self.calls.takes_whole(*index)) {
                    let json = text(item.get("arguments")).unwrap_or("\"{}\"");
                    self.arguments(index, json, context);
                }
            }
            Some("\"reasoning\"") => {
                if !THOUGHTS.iter().any(|kind| self.told.has_item(*kind, place)) {
                    for (number, part) in (0..).zip(items::thoughts(item)) {
                        let at = Part { kind: Kind::Summary, place, number: Some(number) };
                        self.thought(at, text(part.get("text")), context);
                    }
                }
                if context.shape.calls {
                    self.kept.add(item);
                }
            }
            _ => {}
        }
    }

    /// Items of the whole answer, of kinds of which nothing came before.
    fn untold(&mut self, response: &Response<'_>, context: &Context) {
        let messages = !self.told.has_any(Kind::Message);
        let calls = !self.calls.any();
        let thoughts =
            self.kept.is_empty() && !THOUGHTS.iter().any(|kind| self.told.has_any(*kind));
        for (number, item) in (0..).zip(response.items().unwrap_or_default()) {
            let is_news = match item.get("type") {
                Some("\"message\"") => messages,
                Some("\"function_call\"") => calls,
                Some("\"reasoning\"") => thoughts,
                _ => false,
            };
            if is_news {
                self.item_done(Place::numbered(number), &item, context);
            }
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
        if let Some(items) = self.kept.take().filter(|_| self.calls.any()) {
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
