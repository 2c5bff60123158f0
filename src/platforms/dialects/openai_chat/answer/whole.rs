//! A whole answer: passed on, tidied, or written anew.

use bytes::Bytes;

use super::facts::add_text;
use super::rebuilt::{Ending, Rebuilt};
use super::{Came, Context, Tally, tidy};
use crate::front::UsageReport;
use crate::front::object::{Object, text_to_json};
use crate::platforms::dialects::pivot::Draft;
use crate::platforms::failure::Said;
use crate::platforms::rules::Form;
use crate::platforms::{Answer, PlatformError};

/// Brings a whole answer into the front's form.
pub(in super::super) fn whole(body: Bytes, context: &Context) -> Result<Answer, PlatformError> {
    if context.form == Form::Rebuilt || context.legacy {
        return rebuilt(&body, context);
    }
    let unreadable = || context.unreadable();
    let text = std::str::from_utf8(&body).map_err(|_| unreadable())?;
    let top = Object::parse(text).map_err(|_| unreadable())?;
    let choices = top.given("choices");
    if (top.given("error").is_some() || choices.is_none())
        && let Some(said) = Said::find(&body)
    {
        return Err(context.said(said));
    }
    if choices.is_none_or(|choices| matches!(choices, "[]" | "{}")) {
        return Err(context.silent());
    }
    let tally = tally(&top, &body);
    let body = match context.form {
        Form::Tidied => tidied(top, context)?,
        Form::Passed | Form::Rebuilt => body.clone(),
    };
    Ok(Answer { body, usage: tally.usage(&context.face), produced: tally.produced })
}

/// What the platform counted; our own look at the text only where that may not serve.
fn tally(top: &Object<'_>, body: &[u8]) -> Tally {
    let usage = top.given("usage").and_then(UsageReport::read);
    let is_counted = usage.is_some_and(|report| report.usage().output > 0);
    let mut tally = Tally { usage, ..Tally::default() };
    if !is_counted {
        add_text(body, &mut tally.produced);
    }
    tally
}

fn tidied(mut top: Object<'_>, context: &Context) -> Result<Bytes, PlatformError> {
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

fn rebuilt(body: &[u8], context: &Context) -> Result<Answer, PlatformError> {
    let (mut rebuilt, mut draft, mut tally) =
        (Rebuilt::default(), Draft::default(), Tally::default());
    let chunk = (context.read)(Came { data: body, block: body }, context)?;
    rebuilt.whole(chunk, context, &mut tally, &mut draft)?;
    rebuilt.end(Ending::Whole, context, &tally, &mut draft)?;
    Ok(Answer {
        body: draft.write(context.legacy),
        usage: tally.usage(&context.face),
        produced: tally.produced,
    })
}
