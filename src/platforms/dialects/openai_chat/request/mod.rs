//! The request: spliced where nothing else is to change, else put right rule by rule.
//!
//! Fields that no rule names go on byte for byte, in the caller's order.

mod messages;
mod response_format;
mod splice;
mod thinking;
mod tools;

use bytes::Bytes;

use crate::front::object::{Object, text_to_json};
use crate::front::{BadRequest, ChatRequest};
use crate::platforms::dialects::pivot;
use crate::platforms::rules::{Calls, Legacy, RequestRules, StreamsOnly, Traits, UsageAsked};
use crate::platforms::{Face, Model, Reach};

/// A request as it goes upstream, and what its answer must then look like.
pub(super) struct Built {
    pub(super) body: Bytes,
    /// Upstream was asked for a stream.
    pub(super) streams: bool,
    /// The caller speaks of `functions`: so must the answer.
    pub(super) legacy: bool,
    /// The caller wants one call at most, and the platform can't be told.
    pub(super) one_call: bool,
}

/// The request on its way through the rules.
struct Draft<'a> {
    fields: Object<'a>,
    /// Over the field `messages`, once they were read.
    messages: messages::Messages<'a>,
    rules: &'a RequestRules,
    traits: &'a Traits,
}

/// Writes the request for one model of one face.
///
/// # Errors
/// What can't be read, with its field.
pub(super) fn build(
    face: &Face,
    model: &Model,
    reach: &Reach,
    ask: &ChatRequest,
) -> Result<Built, BadRequest> {
    let may_be_foreign = ask.field("messages").is_some_and(pivot::may_be_foreign);
    if reach.is_plain && !may_be_foreign {
        let body = splice::splice(ask, &model.upstream);
        return Ok(Built { body, streams: ask.wants_stream(), legacy: false, one_call: false });
    }
    let right = put_right(face, model, reach, ask)?;
    let Right { mut fields, streams, legacy, one_call } = right;
    ask_for_usage(&mut fields, &face.request, streams);
    Ok(Built { body: fields.to_json().into(), streams, legacy, one_call })
}

/// A request that every rule was applied to.
pub(crate) struct Right<'a> {
    pub(crate) fields: Object<'a>,
    pub(crate) streams: bool,
    pub(crate) legacy: bool,
    pub(crate) one_call: bool,
}

/// Applies every rule of the face to the caller's request.
///
/// # Errors
/// What can't be read, with its field.
pub(crate) fn put_right<'a>(
    face: &'a Face,
    model: &Model,
    reach: &'a Reach,
    ask: &'a ChatRequest,
) -> Result<Right<'a>, BadRequest> {
    let (rules, traits) = (&face.request, &reach.traits);
    let mut json = "[]";
    let noted = ask.fields().inspect(|field| {
        if field.name == "messages" {
            json = field.json;
        }
    });
    let mut fields: Object<'_> = noted.map(|field| (field.name, field.json)).collect();
    fields.retain(|name| !splice::is_ours(name));
    fields.set("model", text_to_json(&model.upstream));
    let mut draft = Draft { fields, messages: messages::Messages::Untouched, rules, traits };
    let legacy = rules.legacy == Legacy::AsTools && pivot::to_tools(&mut draft.fields)?;
    let mut one_call = false;
    for name in &rules.drop {
        let dropped = draft.fields.remove(name);
        one_call |= name == "parallel_tool_calls" && dropped.as_deref() == Some("false");
    }
    // A model that makes one call a turn does so anyway.
    one_call &= traits.calls.is_none_or(|calls| calls == Calls::Several);
    messages::put_right(&mut draft, json)?;
    let thinking = thinking::put_right(&mut draft);
    response_format::put_right(&mut draft, json)?;
    tools::put_right(&mut draft, ask.wants_stream())?;
    pivot::put_right(&mut draft.fields, rules, traits, model.max_output);
    let streams = ask.wants_stream()
        || match traits.streams_only {
            Some(StreamsOnly::Always) => true,
            Some(StreamsOnly::WhenThinking) => thinking.is_on,
            None => false,
        };
    if let Some(json) = draft.messages.to_json() {
        draft.fields.set("messages", json);
    }
    Ok(Right { fields: draft.fields, streams, legacy, one_call })
}

fn ask_for_usage(fields: &mut Object<'_>, rules: &RequestRules, streams: bool) {
    if streams && fields.get("stream") != Some("true") {
        fields.set("stream", "true");
    }
    match rules.usage {
        UsageAsked::Comes => {
            fields.remove("stream_options");
        }
        UsageAsked::Asked if streams => {
            let options = splice::stream_options(fields.get("stream_options"));
            fields.set("stream_options", options);
        }
        UsageAsked::Asked => {}
    }
}

#[cfg(test)]
mod tests;
