//! The request, from the front's form to Responses.
//!
//! What the front knows and Responses doesn't is left out (where it only tunes) or refused;
//! which of the two is the catalogue's to say. A field that the front doesn't know goes
//! nowhere: another platform of the caller's chain may be the one that it is for.

mod fields;
mod format;
mod input;
mod parts;
mod tools;

use bytes::Bytes;

use self::input::Input;
use self::tools::Tools;
use super::{Attempt, Shape};
use crate::front::BadRequest;
use crate::front::object::{Object, text_to_json};
use crate::platforms::dialects::pivot;
use crate::platforms::rules::StreamsOnly;

/// A request as it goes upstream, and what its answer must then look like.
pub(super) struct Built {
    pub(super) body: Bytes,
    pub(super) streams: bool,
    pub(super) shape: Shape,
}

/// Writes the request.
///
/// # Errors
/// What Responses can't say, with its field.
pub(super) fn build(attempt: &Attempt<'_>) -> Result<Built, BadRequest> {
    let Attempt { face, model, reach, ask, .. } = *attempt;
    let rules = &face.request;
    let mut fields: Object<'_> = ask.fields().map(|field| (field.name, field.json)).collect();
    let legacy = pivot::to_tools(&mut fields)?;
    pivot::put_right(&mut fields, rules, &reach.traits, model.max_output);
    let tools = Tools::take(&mut fields, rules.tools.as_input)?;
    let json = fields.remove("messages").unwrap_or_default();
    let mut input = Input::read(&json, legacy)?;
    let mut out = Object::default();
    out.set("model", text_to_json(&model.upstream));
    let limit = fields::limit(&fields, &mut out);
    fields::reasoning(&fields, &mut out);
    let wants_object = format::text(&fields, &mut out)?;
    fields::alike(&fields, &mut out);
    if wants_object {
        input.say_json();
    }
    let calls = !tools.is_empty();
    tools.write(&mut out, &mut input);
    for name in &rules.drop {
        out.remove(name);
    }
    input.write(&mut out);
    out.set("store", "false");
    let only = reach.traits.streams_only.or(rules.traits.streams_only);
    let streams = ask.wants_stream() || only == Some(StreamsOnly::Always);
    if streams {
        out.set("stream", "true");
    }
    let shape = Shape { legacy, calls, limit };
    Ok(Built { body: out.to_json().into(), streams, shape })
}

#[cfg(test)]
mod tests;
