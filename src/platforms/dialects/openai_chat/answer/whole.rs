//! A whole answer: passed on, tidied, or written anew.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::draft::Draft;
use super::facts::add_text;
use super::rebuilt::{Ending, Rebuilt};
use super::{Context, Tally, tidy};
use crate::front::UsageReport;
use crate::front::object::{Object, text_to_json};
use crate::platforms::failure::Said;
use crate::platforms::rules::Form;
use crate::platforms::{Answer, PlatformError};

/// Just enough of an answer to settle by.
#[derive(Deserialize)]
struct Peek<'a> {
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// Brings a whole answer into the front's form.
pub(in super::super) fn whole(body: Bytes, context: &Context) -> Result<Answer, PlatformError> {
    let peek: Peek<'_> = serde_json::from_slice(&body).map_err(|_| context.unreadable())?;
    if (peek.error.is_some() || peek.choices.is_none())
        && let Some(said) = Said::find(&body)
    {
        return Err(context.said(said));
    }
    if peek.choices.is_none_or(|choices| matches!(choices.get(), "[]" | "{}")) {
        return Err(context.silent());
    }
    let rebuilds = context.face.answer.form == Form::Rebuilt || context.legacy;
    if rebuilds {
        return rebuilt(&body, context);
    }
    let usage = peek.usage.and_then(|json| UsageReport::read(json.get()));
    let mut tally = Tally { usage, ..Tally::default() };
    if usage.is_none_or(|usage| usage.usage().output == 0) {
        add_text(&body, &mut tally.produced);
    }
    let body = match context.face.answer.form {
        Form::Tidied => tidied(&body, context)?,
        Form::Passed | Form::Rebuilt => body,
    };
    Ok(Answer { body, usage: tally.usage(&context.face), produced: tally.produced })
}

fn tidied(body: &Bytes, context: &Context) -> Result<Bytes, PlatformError> {
    let text = std::str::from_utf8(body).map_err(|_| context.unreadable())?;
    let mut top = Object::parse(text).map_err(|_| context.unreadable())?;
    tidy::answer(&mut top, context)?;
    if top.given("id").is_none() {
        top.set("id", format!("\"chatcmpl-{:x}\"", context.created));
    }
    if top.given("object").is_none() {
        top.set("object", "\"chat.completion\"");
    }
    if top.given("created").is_none() {
        top.set("created", context.created.to_string());
    }
    if top.given("model").is_none() {
        top.set("model", text_to_json(&context.model.upstream));
    }
    Ok(top.to_json().into())
}

fn rebuilt(body: &Bytes, context: &Context) -> Result<Answer, PlatformError> {
    let text = std::str::from_utf8(body).map_err(|_| context.unreadable())?;
    let (mut rebuilt, mut draft, mut tally) =
        (Rebuilt::default(), Draft::default(), Tally::default());
    rebuilt.whole(text, context, &mut tally, &mut draft)?;
    rebuilt.end(Ending::Whole, context, &tally, &mut draft)?;
    Ok(Answer {
        body: draft.write(context.legacy),
        usage: tally.usage(&context.face),
        produced: tally.produced,
    })
}
