//! The request, from the front's form to Messages.
//!
//! What the front knows and Messages doesn't is mapped, left out (where it only tunes) or
//! refused; which of the two, and single fields' ranges, are the catalogue's to say. Of fields
//! that the front doesn't know those go on that Messages has.

mod blocks;
mod calls;
mod fields;
mod format;
mod messages;
mod thinking;
mod tools;

use bytes::Bytes;

use self::format::Format;
use self::messages::Conversation;
use self::tools::Tools;
use super::{Attempt, Shape};
use crate::front::BadRequest;
use crate::front::object::{Object, text_to_json};
use crate::platforms::dialects::pivot;

/// Fields of the front that are mapped further on.
const MAPPED: [&str; 5] =
    ["max_completion_tokens", "safety_identifier", "temperature", "top_p", "user"];

/// Fields of Messages alone, as the vendor's SDK (1.x, beta ones too) names them.
const OF_MESSAGES: [&str; 14] = [
    "cache_control",
    "compaction",
    "container",
    "context_management",
    "diagnostics",
    "fallbacks",
    "inference_geo",
    "mcp_servers",
    "metadata",
    "output_config",
    "service_tier",
    "speed",
    "thinking",
    "top_k",
];

/// A request as it goes upstream, and what its answer must then look like.
pub(super) struct Built {
    pub(super) body: Bytes,
    pub(super) shape: Shape,
}

/// Writes the request.
///
/// # Errors
/// What Messages can't say, with its field.
pub(super) fn build(attempt: &Attempt<'_>) -> Result<Built, BadRequest> {
    let Attempt { face, model, reach, ask, .. } = *attempt;
    let (rules, traits) = (&face.request, &reach.traits);
    let mut fields: Object<'_> = ask.fields().map(|field| (field.name, field.json)).collect();
    let legacy = pivot::to_tools(&mut fields)?;
    let stops = fields::stops(&mut fields)?;
    let streams = ask.wants_stream();
    let max_tokens = fields::max_tokens(&fields, model.max_output, streams)?;
    let tools = Tools::take(&mut fields)?;
    let format = Format::take(&mut fields)?;
    let effort = fields.remove("reasoning_effort");
    let json = fields.remove("messages").unwrap_or_default();
    let mut conversation = Conversation::read(&json, legacy)?;
    if let Format::Object = format {
        conversation.ask(pivot::JSON_OBJECT_TEXT);
    }
    for name in &rules.drop {
        fields.remove(name);
    }
    fields.retain(|name| MAPPED.contains(&name) || OF_MESSAGES.contains(&name));
    pivot::put_right(&mut fields, rules, traits, model.max_output);
    let thinking = thinking::plan(
        traits.thinking.as_ref(),
        effort.as_deref(),
        max_tokens,
        conversation.resumes_unthought(),
    )?;
    fields::sampling(&mut fields, thinking.is_on);
    fields::people(&mut fields);
    fields::tier(&mut fields);
    fields.set("model", text_to_json(&model.upstream));
    fields.set("max_tokens", max_tokens.to_string());
    if !stops.is_empty() {
        fields.set("stop_sequences", format!("[{}]", stops.join(",")));
    }
    fields.remove("stream");
    if streams {
        fields.set("stream", "true");
    }
    let calls = !tools.is_empty();
    tools.write(&mut fields, thinking.is_on, thinking.forced_tools);
    thinking.write(&mut fields, &format);
    conversation.write(&mut fields)?;
    Ok(Built { body: fields.to_json().into(), shape: Shape { legacy, calls } })
}

#[cfg(test)]
mod tests;
