//! A conversation as the front has it: what a dialect with another form reads of it.

use std::sync::LazyLock;

use memchr::memmem::Finder;

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
const THINKING_BLOCKS: &str = "thinking_blocks";

/// Whether messages (JSON) may have what a platform of the front's own format isn't sent: what
/// another platform thought, or a field that is null ([`drop_foreign`]).
pub(crate) fn may_be_foreign(messages: &[u8]) -> bool {
    static THINKING: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(THINKING_BLOCKS));
    THINKING.find(messages).is_some() || has_null(messages)
}

/// Takes that out of a message.
///
/// An answer that a caller's SDK wrote out whole comes back with `tool_calls: null`, which
/// OpenAI itself refuses (openai-python, issue 1351); only a content may be null.
pub(crate) fn drop_foreign(message: &mut Object<'_>) {
    message.remove(THINKING_BLOCKS);
    message.drop_nulls_but("content");
}

/// Whether a field other than a content may be null. Words that look like one cost a closer
/// look, and no more.
fn has_null(messages: &[u8]) -> bool {
    static NULL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("null"));
    NULL.find_iter(messages).any(|at| {
        let before = messages.get(..at).unwrap_or_default().trim_ascii_end();
        let name = before.strip_suffix(b":").map(<[u8]>::trim_ascii_end);
        name.is_some_and(|name| !name.ends_with(br#""content""#) && !name.ends_with(br#"\""#))
    })
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::front::ChatRequest;
    use crate::platforms::{Catalogue, Exchange};

    #[test]
    fn an_answer_that_an_sdk_wrote_out_whole_comes_back_as_its_words_on_every_face() {
        let call =
            json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let history = |nulls: Value| {
            let with = |mut message: Value| {
                message.as_object_mut().unwrap().extend(nulls.as_object().unwrap().clone());
                message
            };
            let mut called = with(json!({"role": "assistant", "content": null}));
            called["tool_calls"] = json!([call]);
            let messages = json!([
                {"role": "user", "content": "?"},
                with(json!({"role": "assistant", "content": "a \"null\""})),
                {"role": "user", "content": "?"},
                called,
                {"role": "tool", "tool_call_id": "c", "content": "null"},
            ]);
            let tool = json!({"type": "function", "function": {"name": "f"}});
            let ask = json!({"seed": 1, "messages": messages, "tools": [tool]});
            ChatRequest::parse(ask.to_string().into()).unwrap()
        };
        let dumped = history(json!({"refusal": null, "annotations": null, "audio": null,
            "function_call": null, "tool_calls": null}));
        let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
        let mut faces = 0;
        for platform in catalogue.platforms() {
            let model = platform.default_model.as_deref().unwrap();
            let model = catalogue.resolve_on(platform, model).model;
            for face in &platform.faces {
                let sent = |ask: &ChatRequest| {
                    let (_, sent) = Exchange::begin(platform, face, &model, ask, 0).unwrap();
                    serde_json::from_slice::<Value>(&sent.body).unwrap()
                };
                let name = format!("{} by {}", platform.id, face.dialect.as_str());
                assert_eq!(sent(&dumped), sent(&history(json!({}))), "{name}");
                faces += 1;
            }
        }
        assert!(faces >= 9, "{faces}");
    }

    #[test]
    fn a_null_beside_the_content_is_seen_and_words_are_not_taken_for_one() {
        for messages in [
            r#"[{"role":"assistant","content":"x","tool_calls":null}]"#,
            "[{\"role\": \"assistant\", \"refusal\" :\n null}]",
        ] {
            assert!(may_be_foreign(messages.as_bytes()), "{messages}");
        }
        for messages in [
            r#"[{"role":"assistant","content":null}]"#,
            r#"[{"role":"assistant","content" : null,"tool_calls":[]}]"#,
            r#"[{"role":"user","content":"null, and \"a\": null"}]"#,
            r#"[{"role":"user","content":[null]}]"#,
        ] {
            assert!(!may_be_foreign(messages.as_bytes()), "{messages}");
        }
    }
}
