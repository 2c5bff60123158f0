//! A whole answer: passed on, tidied, or written anew.

use bytes::Bytes;

use super::completion::Completion;
use super::facts::add_text;
use super::rebuilt::{Ending, Rebuilt};
use super::{Came, Context, Tally};
use crate::front::UsageReport;
use crate::front::object::Object;
use crate::platforms::dialects::pivot::Draft;
use crate::platforms::failure::Said;
use crate::platforms::rules::Form;
use crate::platforms::{Answer, PlatformError};

/// So many bytes tidying adds, or little more.
const ADDED: usize = 256;

/// Brings a whole answer into the front's form.
pub(in super::super) fn whole(body: Bytes, context: &Context) -> Result<Answer, PlatformError> {
    if context.form == Form::Rebuilt || context.legacy {
        return rebuilt(&body, context);
    }
    let text = std::str::from_utf8(&body).map_err(|_| context.unreadable())?;
    if context.form == Form::Tidied
        && let Some(answer) = Completion::read(text)
    {
        complain(&answer.top, &body, context)?;
        return tidied(answer, &body, context);
    }
    let top = Object::parse(text).map_err(|_| context.unreadable())?;
    complain(&top, &body, context)?;
    match (top.get("choices"), context.form) {
        (None | Some("null" | "[]" | "{}"), _) => Err(context.silent()),
        (Some(_), Form::Tidied) => Err(context.unreadable()),
        (Some(_), Form::Passed | Form::Rebuilt) => {
            let tally = tally(&top, &body);
            let usage = tally.usage(&context.face);
            Ok(Answer { body: body.clone(), usage, produced: tally.produced })
        }
    }
}

/// An error that was sent for an answer, or beside one.
fn complain(top: &Object<'_>, body: &[u8], context: &Context) -> Result<(), PlatformError> {
    let may_be_one = top.given("error").is_some() || top.given("choices").is_none();
    match may_be_one.then(|| Said::find(body)).flatten() {
        Some(said) => Err(context.said(said)),
        None => Ok(()),
    }
}

fn tidied(
    mut answer: Completion<'_>,
    body: &Bytes,
    context: &Context,
) -> Result<Answer, PlatformError> {
    let tally = tally(&answer.top, body);
    answer.tidy(context)?;
    let written = answer.is_changed().then(|| answer.to_json(body.len() + ADDED).into());
    Ok(Answer {
        body: written.unwrap_or_else(|| body.clone()),
        usage: tally.usage(&context.face),
        produced: tally.produced,
    })
}

/// What the platform counted; our own look at the text only where that may not serve.
fn tally(top: &Object<'_>, body: &[u8]) -> Tally {
    let usage = top.given("usage").and_then(UsageReport::read);
    let is_counted = usage.is_some_and(|report| report.usage().output > 0);
    let mut tally = Tally { usage: usage.map(Box::new), ..Tally::default() };
    if !is_counted {
        add_text(body, &mut tally.produced);
    }
    tally
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
