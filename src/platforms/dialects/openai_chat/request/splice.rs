//! The request to a platform that speaks the front's format itself: the caller's
//! bytes, with the model's name, our own keys and `stream_options` exchanged.

use std::borrow::Cow;

use bytes::Bytes;

use crate::front::ChatRequest;
use crate::front::object::{Object, text_to_json};

const USAGE_ASKED: &str = r#"{"include_usage":true}"#;

/// Writes the request anew from the caller's own fields.
pub(super) fn splice(ask: &ChatRequest, model: &str) -> Bytes {
    let body = ask.body();
    let model = text_to_json(model);
    let mut out = Vec::with_capacity(body.len() + model.len() + 64);
    let mut options = None;
    let mut named = false;
    for (name, value) in ask.places() {
        let value = body.get(value).unwrap_or_default();
        match name {
            b"model" => {
                named = true;
                field(&mut out, name, model.as_bytes());
            }
            b"stream_options" if ask.wants_stream() => options = std::str::from_utf8(value).ok(),
            _ if is_ours(std::str::from_utf8(name).unwrap_or_default()) => {}
            _ => field(&mut out, name, value),
        }
    }
    if !named {
        field(&mut out, b"model", model.as_bytes());
    }
    if ask.wants_stream() {
        field(&mut out, b"stream_options", stream_options(options).as_bytes());
    }
    out.push(b'}');
    out.into()
}

/// Fields that are the gateway's own. Some servers read names in any case: a `Model`
/// beside our `model` could else choose another one than was allowed and counted.
pub(super) fn is_ours(name: &str) -> bool {
    name == "account_id"
        || ["model", "stream", "stream_options", "account_id", "messages"]
            .iter()
            .any(|ours| name != *ours && name.eq_ignore_ascii_case(ours))
}

/// The caller's options, with usage asked for.
pub(super) fn stream_options(theirs: Option<&str>) -> Cow<'static, str> {
    match theirs.map(Object::parse) {
        Some(Ok(mut options)) if options.iter().any(|(name, _)| name != "include_usage") => {
            options.set("include_usage", "true");
            Cow::Owned(options.to_json())
        }
        _ => Cow::Borrowed(USAGE_ASKED),
    }
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.push(if out.is_empty() { b'{' } else { b',' });
    if name.iter().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        let name = text_to_json(std::str::from_utf8(name).unwrap_or_default());
        out.extend_from_slice(name.as_bytes());
    } else {
        out.push(b'"');
        out.extend_from_slice(name);
        out.push(b'"');
    }
    out.push(b':');
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spliced(body: &str) -> String {
        let ask = ChatRequest::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        String::from_utf8(splice(&ask, "m-2").to_vec()).unwrap()
    }

    #[test]
    fn all_but_our_own_goes_as_it_came() {
        assert_eq!(
            spliced(
                r#"{ "seed": 1.0, "model":"m", "account_id":3, "x\"y": [ 1 ],"messages":[ {} ]}"#
            ),
            r#"{"seed":1.0,"model":"m-2","x\"y":[ 1 ],"messages":[ {} ]}"#
        );
    }

    #[test]
    fn usage_is_always_asked_of_a_stream() {
        assert_eq!(
            spliced(
                r#"{"messages":[1],"stream_options":{"include_obfuscation":false},"stream":true}"#
            ),
            r#"{"messages":[1],"stream":true,"model":"m-2","stream_options":{"include_obfuscation":false,"include_usage":true}}"#
        );
        assert_eq!(
            spliced(r#"{"stream":true,"stream_options":null,"messages":[1]}"#),
            r#"{"stream":true,"messages":[1],"model":"m-2","stream_options":{"include_usage":true}}"#
        );
    }

    #[test]
    fn another_case_does_not_smuggle_a_model_in() {
        assert_eq!(
            spliced(r#"{"Model":"dear","MODEL":"dearer","messages":[1],"model":"m"}"#),
            r#"{"messages":[1],"model":"m-2"}"#
        );
    }
}
