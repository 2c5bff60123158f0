//! The request frame, from the front's form.
//!
//! `parameter.chat` has what the front calls otherwise or Spark alone knows, messages and
//! functions stand in `payload`. Which fields are left out, refused or brought into range is
//! the catalogue's to say.

mod functions;
mod messages;

use bytes::Bytes;

use self::functions::Tools;
use self::messages::Conversation;
use super::Attempt;
use crate::front::BadRequest;
use crate::front::object::{Object, text_to_json};
use crate::platforms::dialects::pivot;

/// A frame as it goes upstream, and what its answer must then look like.
pub(super) struct Built {
    pub(super) body: Bytes,
    pub(super) legacy: bool,
}

/// Writes the frame, all but its `app_id`.
///
/// # Errors
/// What the frame can't say, with its field.
pub(super) fn build(attempt: &Attempt<'_>) -> Result<Built, BadRequest> {
    let Attempt { face, model, reach, ask, .. } = *attempt;
    let (rules, traits) = (&face.request, &reach.traits);
    let mut fields: Object<'_> = ask.fields().map(|field| (field.name, field.json)).collect();
    let legacy = pivot::to_tools(&mut fields)?;
    let json = fields.remove("messages").unwrap_or_default();
    for name in &rules.drop {
        fields.remove(name);
    }
    let mut conversation = Conversation::read(&json, rules, model.sees == Some(true))?;
    if let Some(text) = format_in_words(&mut fields)? {
        conversation.ask(&text);
    }
    if let Some(effort) = &traits.effort {
        pivot::say_effort(&mut fields, effort);
    }
    let tools = Tools::take(&mut fields, &rules.tools)?;
    let search = pivot::search(&mut fields, &rules.search, traits.searches);
    pivot::put_right(&mut fields, rules, traits, model.max_output);

    let mut header = Object::default();
    if let Some(user) = fields.remove("user") {
        header.set("uid", user);
    }
    let mut chat = Object::default();
    chat.set("domain", text_to_json(&model.upstream));
    for (name, json) in fields.iter().filter(|(name, _)| OF_CHAT.contains(name)) {
        chat.set(name.to_owned(), json.to_owned());
    }
    // The caller's own word for a search wins.
    let kind = |json: &str| Object::parse(json).ok()?.get("type").map(str::to_owned);
    let search = search.map(|tool| tool.to_string());
    let search = search.filter(|tool| !tools.others.iter().any(|own| kind(own) == kind(tool)));
    let others: Vec<String> = tools.others.into_iter().chain(search).collect();
    if !others.is_empty() {
        chat.set("tools", format!("[{}]", others.join(",")));
    }
    let functions = match &tools.functions[..] {
        [] => String::new(),
        functions => format!(r#","functions":{{"text":[{}]}}"#, functions.join(",")),
    };
    let body = format!(
        r#"{{"header":{},"parameter":{{"chat":{}}},"payload":{{"message":{{"text":[{}]}}{functions}}}}}"#,
        header.to_json(),
        chat.to_json(),
        conversation.write()?.join(","),
    );
    Ok(Built { body: body.into(), legacy })
}

/// What `parameter.chat` may hold beside the model and tools (the vendor's references of its
/// WebSocket faces).
const OF_CHAT: [&str; 11] = [
    "auditing",
    "chat_id",
    "frequency_penalty",
    "max_tokens",
    "presence_penalty",
    "search_disable",
    "show_ref_label",
    "temperature",
    "thinking",
    "top_k",
    "top_p",
];

/// The caller's response format, which goes into the instructions.
fn format_in_words(fields: &mut Object<'_>) -> Result<Option<String>, BadRequest> {
    let Some(json) = fields.remove("response_format").filter(|json| json != "null") else {
        return Ok(None);
    };
    let wrong = || {
        let message = "Invalid 'response_format': expected text, json_object or json_schema.";
        BadRequest::field("response_format", message)
    };
    let format = Object::parse(&json).map_err(|_| wrong())?;
    match format.get("type") {
        Some("\"text\"") => Ok(None),
        Some("\"json_object\"") => Ok(Some(pivot::JSON_OBJECT_TEXT.to_owned())),
        Some("\"json_schema\"") => pivot::schema_text(&format).map(Some),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests;
