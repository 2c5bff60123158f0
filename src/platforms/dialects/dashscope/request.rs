//! The request: messages go into `input`, everything else into `parameters`.
//!
//! Text models take a text as content and nothing else; where models see, every content is
//! a list of parts, each told by its key (错误码, "url error").

use std::borrow::Cow;

use bytes::Bytes;
use http::Uri;

use crate::front::BadRequest;
use crate::front::object::{Object, elements};

/// Which of the two endpoints a model is served at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `…/text-generation/generation`.
    Text,
    /// `…/multimodal-generation/generation`.
    Multimodal,
}

impl Endpoint {
    pub(super) fn of(url: &Uri) -> Endpoint {
        let is_multimodal = url.path().contains("/multimodal-generation/");
        if is_multimodal { Endpoint::Multimodal } else { Endpoint::Text }
    }
}

/// What `parameters` may hold (the vendor's reference and SDK 2.x) beside the form of answers.
const PARAMETERS: [&str; 27] = [
    "asr_options",
    "enable_code_interpreter",
    "enable_search",
    "enable_thinking",
    "logprobs",
    "max_completion_tokens",
    "max_input_tokens",
    "max_tokens",
    "n",
    "ocr_options",
    "parallel_tool_calls",
    "presence_penalty",
    "preserve_thinking",
    "reasoning_effort",
    "repetition_penalty",
    "response_format",
    "search_options",
    "seed",
    "stop",
    "temperature",
    "thinking_budget",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "vl_high_resolution_images",
];

/// Nests a chat request that was put right.
///
/// # Errors
/// Content that the endpoint doesn't take.
pub(super) fn nest(
    mut fields: Object<'_>,
    endpoint: Endpoint,
    streams: bool,
) -> Result<Bytes, BadRequest> {
    let model = fields.remove("model").unwrap_or_default();
    let messages = fields.remove("messages").unwrap_or_default();
    let mut input = Object::default();
    input.set("messages", in_form(&messages, endpoint)?);
    let mut parameters = Object::default();
    parameters.set("result_format", "\"message\"");
    if streams {
        parameters.set("incremental_output", "true");
    }
    // A header asks for a stream, and usage always comes.
    for (name, json) in fields.iter().filter(|(name, _)| PARAMETERS.contains(name)) {
        parameters.set(name, json);
    }
    let mut body = Object::default();
    body.set("model", model);
    body.set("input", input.to_json());
    body.set("parameters", parameters.to_json());
    Ok(body.to_json().into())
}

fn in_form(messages: &str, endpoint: Endpoint) -> Result<String, BadRequest> {
    let wrong = |_| BadRequest::field("messages", "Invalid type for 'messages'.");
    let mut out = Vec::new();
    for (at, json) in elements(messages).map_err(wrong)?.into_iter().enumerate() {
        let mut message = Object::parse(json).map_err(wrong)?;
        let content = message.given("content").map(str::to_owned);
        match (endpoint, content) {
            (Endpoint::Text, Some(content)) if content.starts_with('[') => {
                let param = format!("messages[{at}].content");
                let said = format!("Invalid '{param}': the model takes text and nothing else.");
                return Err(BadRequest::field(param, said));
            }
            (Endpoint::Multimodal, Some(content)) => {
                message.set("content", parts(at, &content)?);
            }
            _ => {}
        }
        out.push(message.to_json());
    }
    Ok(format!("[{}]", out.join(",")))
}

/// Content as a list of parts in the platform's form.
fn parts(at: usize, content: &str) -> Result<String, BadRequest> {
    if !content.starts_with('[') {
        return Ok(format!("[{{\"text\":{content}}}]"));
    }
    let mut out = Vec::new();
    let wrong = |_| {
        let param = format!("messages[{at}].content");
        BadRequest::field(param, "A message has content parts that are no objects.")
    };
    for (number, json) in elements(content).map_err(wrong)?.into_iter().enumerate() {
        let part = Object::parse(json).map_err(wrong)?;
        let (key, value) = match part.get("type") {
            Some("\"text\"") => ("text", part.get("text").map(Cow::Borrowed)),
            Some("\"refusal\"") => ("text", part.get("refusal").map(Cow::Borrowed)),
            Some("\"image_url\"") => ("image", url(&part, "image_url")),
            Some("\"video_url\"") => ("video", url(&part, "video_url")),
            _ => ("", None),
        };
        let Some(value) = value.filter(|json| json.starts_with('"')) else {
            let param = format!("messages[{at}].content[{number}]");
            let said = format!("Invalid '{param}': expected a text, or the URL of an image.");
            return Err(BadRequest::field(param, said));
        };
        out.push(format!("{{\"{key}\":{value}}}"));
    }
    Ok(format!("[{}]", out.join(",")))
}

/// The URL in a part, as JSON; what stands beside it has no name here.
fn url<'a>(part: &'a Object<'_>, key: &str) -> Option<Cow<'a, str>> {
    let json = part.get(key)?;
    match Object::parse(json) {
        Ok(object) => object.get("url").map(|url| Cow::Owned(url.to_owned())),
        Err(_) => Some(Cow::Borrowed(json)),
    }
}
