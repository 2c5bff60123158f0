//! Answers: what a choice adds is what it is in chat completions; what stands around it isn't.
//!
//! A stream has no word for its end: it is over when every choice has its finish reason,
//! which is the text `null` until then. Usage comes with it (the reference), and counts too where
//! it comes alone, after it. A refused request that asked for a stream is answered by HTTP 200
//! and an event `error`, whose status stands in an SSE comment.

use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::usage;
use crate::front::object::read_text;
use crate::platforms::PlatformError;
use crate::platforms::dialects::openai_chat::answer::{
    Came, Choice, ChoiceDelta, Chunk, Context, read_choices, read_content,
};
use crate::platforms::failure::{Said, of_answer};

type Raw<'a> = Option<&'a RawValue>;

#[derive(Deserialize)]
struct Top<'a> {
    #[serde(borrow)]
    output: Option<Output<'a>>,
    #[serde(borrow)]
    usage: Raw<'a>,
    #[serde(borrow)]
    request_id: Raw<'a>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    /// In the place of choices, where a model knows no other form.
    #[serde(borrow)]
    text: Raw<'a>,
    #[serde(borrow)]
    finish_reason: Raw<'a>,
}

/// Reads an event, or a whole answer.
pub(super) fn read<'a>(came: Came<'a>, context: &Context) -> Result<Chunk<'a>, PlatformError> {
    let text = std::str::from_utf8(came.data).map_err(|_| context.unreadable())?;
    let top: Top<'a> = serde_json::from_str(text).map_err(|_| context.unreadable())?;
    let mut choices = match top.output {
        Some(Output { choices: Some(choices), .. }) => read_choices(choices),
        Some(output) => only_text(output.text, output.finish_reason).into_iter().collect(),
        None => match refusal(came, context) {
            Some(error) => return Err(error),
            // Usage alone, or an event that is yet to come.
            None => Vec::new(),
        },
    };
    for choice in &mut choices {
        choice.finish = choice.finish.take().filter(|reason| reason != "null");
    }
    // Counted in every event, and read where it may be the last word: with a finish reason, or
    // where the answer doesn't grow.
    let may_be_last = choices.iter().any(|choice| choice.finish.is_some())
        || choices.iter().all(ChoiceDelta::adds_nothing);
    Ok(Chunk {
        id: top.request_id.and_then(|json| read_text(json.get())),
        choices,
        usage: top.usage.filter(|_| may_be_last).and_then(|json| usage::read(json.get())),
        ..Chunk::default()
    })
}

fn only_text<'a>(text: Raw<'a>, finish: Raw<'a>) -> Option<ChoiceDelta<'a>> {
    let finish = finish.and_then(|json| read_text(json.get())).filter(|it| !it.is_empty());
    let content = text.and_then(read_content);
    let says = content.is_some() || finish.is_some();
    says.then(|| ChoiceDelta::plain(content, finish))
}

/// What a body or an event without an answer says, if it is a failure.
fn refusal(came: Came<'_>, context: &Context) -> Option<PlatformError> {
    let mut status = None;
    let mut is_error = false;
    for line in came.block.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if let Some(code) = line.strip_prefix(b":HTTP_STATUS/") {
            status = StatusCode::from_bytes(code).ok().filter(|status| !status.is_success());
        }
        is_error |= matches!(line, b"event:error" | b"event: error");
    }
    let said = Said::find(came.data).or_else(|| is_error.then(|| Said::read(came.data))?)?;
    Some(match status {
        Some(status) => {
            of_answer(&context.platform, &context.face, status, &HeaderMap::new(), came.data)
        }
        None => context.said(said),
    })
}
