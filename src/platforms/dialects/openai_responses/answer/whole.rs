//! A whole answer.

use super::head::Response;
use super::items;
use super::place::Place;
use super::reasoning::{Kept, Parts};
use super::told::{Kind, Part};
use crate::front::Produced;
use crate::front::object::Object;
use crate::platforms::dialects::openai_responses::Context;
use crate::platforms::dialects::pivot::{CallStep, Delta, Draft, Sink, in_callers_words, text};
use crate::platforms::failure::Said;
use crate::platforms::{Answer, PlatformError};

/// Brings a whole answer into the front's form.
pub(in super::super) fn whole(body: &[u8], context: &Context) -> Result<Answer, PlatformError> {
    let response = Response::read(body);
    let refused = |said: Said| {
        let report = response.as_ref().and_then(Response::report);
        let billed = report.map(|report| Box::new(report.usage()));
        PlatformError { billed, ..context.said(said) }
    };
    if let Some(said) = Said::find(body) {
        return Err(refused(said));
    }
    let response = response.as_ref().ok_or_else(|| context.fault("sent what is no JSON"))?;
    let Some(items) = response.items() else {
        return Err(context.fault("ended without an answer"));
    };
    match response.status().as_str() {
        "failed" => return Err(refused(Said::default())),
        "cancelled" | "queued" | "in_progress" => {
            return Err(context.fault("ended the answer before its end"));
        }
        _ => {}
    }
    let mut telling = Telling { counts: response.report().is_none(), ..Telling::default() };
    response.head(context).begin(&mut telling.draft);
    for item in &items {
        telling.item(item, context);
    }
    let Telling { mut draft, produced, calls, mut kept, .. } = telling;
    let thinking_blocks = kept.take().filter(|_| calls > 0).map(Into::into);
    draft.add(0, Delta { thinking_blocks, ..Delta::default() });
    let (report, legacy) = (response.report(), context.shape.legacy);
    draft.finish(0, in_callers_words(response.finish(calls > 0), legacy));
    draft.end(report.as_ref());
    Ok(Answer { body: draft.write(legacy), usage: report.map(|it| it.usage()), produced })
}

/// An answer that is told item by item.
#[derive(Default)]
struct Telling {
    draft: Draft,
    /// The platform counted nothing, so we do.
    counts: bool,
    produced: Produced,
    calls: usize,
    /// Reasoning items so far.
    reasoned: u64,
    parts: Parts,
    kept: Kept,
}

impl Telling {
    fn item(&mut self, item: &Object<'_>, context: &Context) {
        match item.get("type") {
            Some("\"message\"") => {
                for part in items::listed(item, "content") {
                    self.add(items::said(&part));
                }
            }
            Some("\"reasoning\"") => {
                for (number, thought) in (0..).zip(items::thoughts(item)) {
                    let Some(json) = text(thought.get("text")) else { continue };
                    let place = Place::numbered(self.reasoned);
                    let part = Part { kind: Kind::Summary, place, number: Some(number) };
                    let reasoning = Some(self.parts.add(part, json));
                    self.add(Delta { reasoning, ..Delta::default() });
                }
                self.reasoned += 1;
                if context.shape.calls {
                    self.kept.add(item);
                }
            }
            Some("\"function_call\"") => {
                let Some(opens) = items::call(item) else { return };
                let arguments = text(item.get("arguments")).unwrap_or("\"{}\"").into();
                let call = CallStep { index: self.calls, opens: Some(opens), arguments };
                self.calls += 1;
                self.add(Delta { calls: vec![call], ..Delta::default() });
            }
            _ => {}
        }
    }

    fn add(&mut self, delta: Delta<'_>) {
        if self.counts {
            delta.add_to(&mut self.produced);
        }
        self.draft.add(0, delta);
    }
}
