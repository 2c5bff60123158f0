//! A whole answer.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::counts::Counts;
use super::stop::finish;
use super::thoughts::{Thoughts, quoted};
use crate::front::Produced;
use crate::front::object::{Object, compact};
use crate::platforms::dialects::anthropic_messages::Context;
use crate::platforms::dialects::pivot::{
    CallStep, Delta, Draft, Sink, answer_id, in_callers_words, text, word,
};
use crate::platforms::failure::Said;
use crate::platforms::{Answer, PlatformError};

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<Vec<Object<'a>>>,
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    stop_details: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// Brings a whole answer into the front's form.
pub(in super::super) fn whole(body: &[u8], context: &Context) -> Result<Answer, PlatformError> {
    let unreadable = || context.fault("sent what is no JSON");
    if let Some(said) = Said::find(body) {
        return Err(context.said(said));
    }
    // Text as it came, so that what is passed on stays what it is.
    let message: Message<'_> = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let Some(content) = &message.content else {
        return Err(context.fault("ended without an answer"));
    };
    let mut draft = Draft::default();
    let id = word(message.id);
    let id = id.map_or_else(|| format!("chatcmpl-{:x}", context.created), |id| answer_id(&id));
    let model = word(message.model).unwrap_or_else(|| context.model.upstream.to_string());
    draft.begin(&id, context.created, &model);
    draft.open(0);
    let mut counts = Counts::default();
    if let Some(usage) = message.usage {
        counts.take(usage.get());
    }
    let report = counts.report();
    let mut produced = Produced::default();
    let (mut calls, mut thoughts) = (0, Thoughts::default());
    for block in content {
        let mut delta = Delta::default();
        match block.get("type") {
            Some("\"text\"") => delta.content = text(block.get("text")).map(Into::into),
            Some("\"thinking\"") => {
                delta.reasoning = text(block.get("thinking")).map(Into::into);
                thoughts.whole(&block.to_json());
            }
            Some("\"redacted_thinking\"") => thoughts.whole(&block.to_json()),
            Some("\"tool_use\"") => {
                let id = block.get("id").and_then(crate::front::object::read_text);
                let name = block.get("name").filter(|name| name.starts_with('"'));
                let (Some(id), Some(name)) = (id, name) else { continue };
                let input = quoted(&compact(block.given("input").unwrap_or("{}")));
                let opens = Some((id.into_owned(), name));
                delta.calls.push(CallStep { index: calls, opens, arguments: input.into() });
                calls += 1;
            }
            _ => continue,
        }
        if report.is_none() {
            delta.add_to(&mut produced);
        }
        draft.add(0, delta);
    }
    let reason = word(message.stop_reason).unwrap_or_default();
    let details = message.stop_details.and_then(|json| Object::parse(json.get()).ok());
    let told = details.as_ref().and_then(|details| text(details.get("explanation")));
    let refusal = told.filter(|_| reason == "refusal").map(Into::into);
    let thinking_blocks = thoughts.take().filter(|_| calls > 0).map(Into::into);
    draft.add(0, Delta { refusal, thinking_blocks, ..Delta::default() });
    let legacy = context.shape.legacy;
    draft.finish(0, in_callers_words(finish(&reason, calls > 0), legacy));
    draft.end(report.as_ref());
    Ok(Answer { body: draft.write(legacy), usage: report.map(|it| it.usage()), produced })
}
