//! A conversation as the front has it: what a dialect with another form reads of it.

use super::legacy::messages_to_tools;
use super::messages::read_messages;
use crate::front::BadRequest;
use crate::front::object::{Object, elements};

/// Reads the front's messages; calls and results in the old form (`legacy`, or wherever one
/// stands) are read as tool calls and their results.
pub(crate) fn read_history(json: &str, legacy: bool) -> Result<Vec<Object<'_>>, BadRequest> {
    let mut messages = read_messages(json)?;
    if legacy || messages.iter().any(|message| message.given("function_call").is_some()) {
        messages_to_tools(&mut messages);
    }
    Ok(messages)
}

/// A message's content, which must be a text or a list of parts.
pub(crate) fn content<'a>(at: usize, message: &'a Object<'_>) -> Result<&'a str, BadRequest> {
    let json = message.given("content").filter(|json| json.starts_with(['"', '[']));
    json.ok_or_else(|| wrong_content(at))
}

/// A content that is neither.
pub(crate) fn wrong_content(at: usize) -> BadRequest {
    let param = format!("messages[{at}].content");
    let message = format!("Invalid '{param}': expected a string or a list of parts.");
    BadRequest::field(param, message)
}

/// The extension of the front in which thinking goes to the caller and comes back.
pub(crate) const THINKING_BLOCKS: &str = "thinking_blocks";

/// Whether messages (JSON) may have thinking that a platform wanted back.
pub(crate) fn has_thinking_blocks(messages: &[u8]) -> bool {
    memchr::memmem::find(messages, THINKING_BLOCKS.as_bytes()).is_some()
}

/// Thinking that a platform wants back with the results of its calls, as it came: those blocks
/// whose type is one of `kinds` (JSON strings). What another platform thought is left out.
pub(crate) fn thinking_blocks<'a>(
    at: usize,
    message: &'a Object<'_>,
    kinds: &[&str],
) -> Result<Vec<&'a str>, BadRequest> {
    let Some(json) = message.given(THINKING_BLOCKS) else { return Ok(Vec::new()) };
    let wrong = || {
        let param = format!("messages[{at}].thinking_blocks");
        let message = format!("Invalid '{param}': expected the blocks as they came.");
        BadRequest::field(param, message)
    };
    let mut kept = Vec::new();
    for json in elements(json).map_err(|_| wrong())? {
        let block = Object::parse(json).map_err(|_| wrong())?;
        let kind = block.get("type").filter(|kind| kind.starts_with('"')).ok_or_else(wrong)?;
        if kinds.contains(&kind) {
            kept.push(json);
        }
    }
    Ok(kept)
}
