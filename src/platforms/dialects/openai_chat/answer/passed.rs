//! A stream that is passed on as it comes, event by event.
//!
//! An event that keeps the front's rules goes on as a slice of what came. Held back
//! are an opening chunk until something follows it, and usage nobody asked for. In
//! the tidied form, chunks that break a rule are written anew from their own text.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use super::facts::{Facts, add_text};
use super::outbox::Outbox;
use super::rebuilt::Ending;
use super::tidy::{Tidied, Tidy, is_hollow};
use super::{Context, Tally};
use crate::front::UsageReport;
use crate::front::object::{Object, elements, text_to_json};
use crate::front::sse::{DONE, DONE_EVENT, Event};
use crate::platforms::failure::Said;
use crate::platforms::{ErrorClass, PlatformError};

/// More than any opening chunk: past this the platform has begun.
const MOST_HELD: usize = 64 << 10;

/// The state of a stream that is passed on.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// Opening chunks that nothing has followed yet.
    held: BytesMut,
    began: bool,
    finished: bool,
    /// The first chunk, as a form for chunks of our own.
    form: Option<String>,
    /// Usage that rode on a chunk with choices, to be written at the end.
    riding_usage: Option<String>,
    usage_written: bool,
    /// In the tidied form alone.
    tidy: Option<Tidy>,
}

impl Passed {
    pub(super) fn new(tidied: bool) -> Passed {
        Passed { tidy: tidied.then(Tidy::default), ..Passed::default() }
    }

    pub(super) fn began(&self) -> bool {
        self.began
    }

    /// Takes one event that is no `[DONE]` and no comment.
    pub(super) fn event(
        &mut self,
        event: &Event<'_>,
        context: &Context,
        tally: &mut Tally,
        out: &mut Outbox<'_>,
    ) -> Result<(), PlatformError> {
        let data = event.data.trim_ascii();
        if !(data.starts_with(b"{") && data.ends_with(b"}")) {
            return Err(context.unreadable());
        }
        let facts = Facts::of(data);
        if (facts.error || !facts.choices)
            && let Some(said) = Said::find(data)
        {
            return Err(context.said(said));
        }
        if !facts.choices {
            // No chunk: nothing that a caller would understand.
            return Ok(());
        }
        self.finished |= facts.finish;
        add_text(data, &mut tally.produced);
        let needs_look = facts.usage || !self.began || self.form.is_none();
        let untidy = self.tidy.is_some() && (facts.finish || facts.tool_calls || facts.role);
        if !needs_look && !untidy {
            keep(event, out);
            return Ok(());
        }
        let text = std::str::from_utf8(data).map_err(|_| context.unreadable())?;
        self.look(text, event, context, tally, out)
    }

    /// The stream ended, in the way that `said` tells: the last words.
    pub(super) fn end(
        &mut self,
        said: Ending,
        context: &Context,
        out: &mut Outbox<'_>,
    ) -> Result<(), PlatformError> {
        if !self.began {
            return Err(context.silent());
        }
        if !self.finished {
            let reason = match &self.tidy {
                Some(tidy) if tidy.called() => "tool_calls",
                _ => "stop",
            };
            let finish = self.form.as_deref().and_then(|form| finish_chunk(form, reason));
            match finish {
                Some(chunk) if said == Ending::Done && context.face.answer.finish_at_done => {
                    out.put_event(chunk.as_bytes());
                }
                _ => return Err(context.cut()),
            }
        }
        self.close(context, out);
        Ok(())
    }

    fn close(&mut self, context: &Context, out: &mut Outbox<'_>) {
        self.release(out);
        if let Some(usage) = self.riding_usage.take()
            && context.usage_asked
            && !self.usage_written
            && let Some(mut chunk) = self.form.as_deref().and_then(|form| Object::parse(form).ok())
        {
            chunk.set("choices", "[]");
            chunk.set("usage", usage);
            out.put_event(chunk.to_json().as_bytes());
        }
        out.put(DONE_EVENT);
    }

    /// The platform withheld the rest: a complete answer that ends in `content_filter`.
    pub(super) fn filtered(
        &mut self,
        error: PlatformError,
        context: &Context,
        out: &mut Outbox<'_>,
    ) -> Result<(), PlatformError> {
        let finish = |form| finish_chunk(form, "content_filter");
        let chunk = self.form.as_deref().and_then(finish);
        match chunk {
            Some(chunk) if self.began && error.class == ErrorClass::ContentFiltered => {
                out.put_event(chunk.as_bytes());
                self.close(context, out);
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// The slow way: the chunk is read.
    fn look(
        &mut self,
        text: &str,
        event: &Event<'_>,
        context: &Context,
        tally: &mut Tally,
        out: &mut Outbox<'_>,
    ) -> Result<(), PlatformError> {
        let mut chunk = Object::parse(text).map_err(|_| context.unreadable())?;
        let choices = chunk.given("choices").unwrap_or("[]").to_owned();
        if self.form.is_none() {
            self.form = Some(form(&chunk));
        }
        let mut changed = false;
        let is_usage_chunk = elements(&choices).map_err(|_| context.unreadable())?.is_empty();
        if let Some(usage) = chunk.given("usage").filter(|json| json.starts_with('{')) {
            if let Some(report) = UsageReport::read(usage) {
                tally.usage = Some(Box::new(report));
            }
            if !is_usage_chunk {
                self.riding_usage = Some(usage.to_owned());
                chunk.set("usage", "null");
                changed = true;
            }
        }
        if is_usage_chunk {
            let has_usage = chunk.given("usage").is_some();
            if has_usage && context.usage_asked && self.began {
                self.usage_written = true;
                keep(event, out);
            }
            return Ok(());
        }
        let mut choices = Cow::Borrowed(choices.as_str());
        if let Some(tidy) = &mut self.tidy {
            match tidy.choices(&choices, &chunk, context)? {
                Tidied::Same => {}
                Tidied::Nothing => return Ok(()),
                Tidied::Changed(now) => {
                    choices = Cow::Owned(now);
                    changed = true;
                }
            }
        }
        if changed {
            chunk.set("choices", choices.clone().into_owned());
        }
        if !self.began && self.held.len() < MOST_HELD && is_opening(&choices) {
            self.hold(&chunk.to_json());
            return Ok(());
        }
        self.release(out);
        if changed {
            out.put_event(chunk.to_json().as_bytes());
        } else {
            keep(event, out);
        }
        Ok(())
    }

    fn hold(&mut self, chunk: &str) {
        self.held.extend_from_slice(b"data: ");
        self.held.extend(chunk.bytes().map(|byte| if byte == b'\n' { b' ' } else { byte }));
        self.held.extend_from_slice(b"\n\n");
    }

    fn release(&mut self, out: &mut Outbox<'_>) {
        self.began = true;
        if !self.held.is_empty() {
            let held: Bytes = std::mem::take(&mut self.held).freeze();
            out.put(&held);
        }
    }
}

/// Whether the platform said `[DONE]`.
pub(super) fn is_done(event: &Event<'_>) -> bool {
    event.data.trim_ascii() == DONE
}

fn keep(event: &Event<'_>, out: &mut Outbox<'_>) {
    if event.is_plain {
        out.keep(event.place.clone());
    } else {
        out.put_event(&event.data);
    }
}

/// Whether no choice adds anything or ends: the platform has not begun.
fn is_opening(choices: &str) -> bool {
    let hollow = |json: &str| {
        let choice = Object::parse(json).ok()?;
        let delta = Object::parse(choice.get("delta")?).ok()?;
        Some(is_hollow(&delta) && choice.given("finish_reason").is_none())
    };
    let choices = elements(choices).unwrap_or_default();
    choices.into_iter().all(|choice| hollow(choice).unwrap_or(false))
}

/// A chunk of the same answer with nothing in it.
fn form(chunk: &Object<'_>) -> String {
    let mut form = chunk.clone();
    if form.get("usage").is_some() {
        form.set("usage", "null");
    }
    form.remove("obfuscation");
    form.to_json()
}

/// The form with its first choice ended.
fn finish_chunk(form: &str, reason: &str) -> Option<String> {
    let mut chunk = Object::parse(form).ok()?;
    let choices = chunk.get("choices")?.to_owned();
    let mut choice =
        Object::parse(elements(&choices).ok()?.first().copied().unwrap_or("{}")).ok()?;
    choice.set("delta", "{}");
    choice.set("finish_reason", text_to_json(reason));
    chunk.set("choices", format!("[{}]", choice.to_json()));
    Some(chunk.to_json())
}
