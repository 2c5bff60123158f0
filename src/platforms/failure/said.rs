//! What a platform said, whatever envelope it used.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A failure's code, type, words and field, as far as they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) param: Option<String>,
}

/// The top of a body that may hold a failure.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Top<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    msg: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow)]
    error_description: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
}

/// The inside of `error` or `detail`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Inner<'a> {
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    error_code: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    param: Option<&'a RawValue>,
    #[serde(borrow)]
    details: Option<&'a RawValue>,
}

/// Anthropic's place for codes.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Details<'a> {
    #[serde(borrow)]
    error_code: Option<&'a RawValue>,
}

impl Said {
    /// Reads the body of an answer that is known to be a failure.
    pub(crate) fn read(body: &[u8]) -> Option<Said> {
        if body.trim_ascii_start().starts_with(b"[") {
            // Google's compatible face puts its envelope into a list.
            let list: Vec<Top<'_>> = serde_json::from_slice(body).ok()?;
            return list.first().map(Top::said);
        }
        let top: Top<'_> = serde_json::from_slice(body).ok()?;
        Some(top.said())
    }

    /// Finds a failure in a body that should be an answer or a chunk.
    pub(crate) fn find(body: &[u8]) -> Option<Said> {
        let top: Top<'_> = serde_json::from_slice(body).ok()?;
        let code = top.code.and_then(word);
        let is_code = code.is_some_and(|code| !matches!(code.as_str(), "0" | "200" | ""));
        (top.error.is_some() || (is_code && top.choices.is_none())).then(|| top.said())
    }
}

impl Top<'_> {
    fn said(&self) -> Said {
        let at_top = Said {
            code: self.code.and_then(word),
            kind: None,
            message: self.message.or(self.msg).or(self.error_description).and_then(word),
            param: None,
        };
        let Some(inner) = self.error.or(self.detail) else { return at_top };
        if let Some(text) = word(inner) {
            // `{"error":"invalid_client","error_description":"…"}`: the text is the code.
            return match at_top.message {
                Some(_) => Said { code: at_top.code.or(Some(text)), ..at_top },
                None => Said { message: Some(text), ..at_top },
            };
        }
        let inner: Inner<'_> = serde_json::from_str(inner.get()).unwrap_or_default();
        let details: Details<'_> = inner
            .details
            .and_then(|details| serde_json::from_str(details.get()).ok())
            .unwrap_or_default();
        let code = inner.code.or(inner.error_code).or(details.error_code);
        Said {
            code: code.and_then(word).or(at_top.code),
            kind: inner.kind.and_then(word),
            message: inner.message.and_then(word).or(at_top.message),
            param: inner.param.and_then(word),
        }
    }
}

/// A text, or a number as text (some platforms send their codes so); nothing else.
fn word(json: &RawValue) -> Option<String> {
    let json = json.get();
    let text = match json.as_bytes().first()? {
        b'"' => serde_json::from_str::<String>(json).ok()?,
        b'-' | b'0'..=b'9' => json.to_owned(),
        _ => return None,
    };
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_envelope_is_read() {
        for (body, code, message) in [
            (r#"{"error":{"code":"c","message":"m"}}"#, Some("c"), Some("m")),
            (r#"{"error":{"code":7,"message":"m"},"code":3}"#, Some("7"), Some("m")),
            (r#"{"code":10013,"message":"m","sid":"s"}"#, Some("10013"), Some("m")),
            (r#"{"error":"m"}"#, None, Some("m")),
            (r#"{"error":"c","error_description":"m"}"#, Some("c"), Some("m")),
            (r#"{"detail":"m"}"#, None, Some("m")),
            (r#"{"detail":{"error_code":"c"}}"#, Some("c"), None),
            (r#"{"error":{"details":{"error_code":"c"},"message":"m"}}"#, Some("c"), Some("m")),
            (r#"{"error":{"details":[],"message":"m"}}"#, None, Some("m")),
            (r#"{"error":[]}"#, None, None),
            (r#"[{"error":{"code":400,"message":"m"}}]"#, Some("400"), Some("m")),
        ] {
            let said = Said::read(body.as_bytes()).unwrap();
            assert_eq!((said.code.as_deref(), said.message.as_deref()), (code, message), "{body}");
        }
        assert_eq!(Said::read(b"<html>"), None);
    }

    #[test]
    fn an_answer_is_no_failure() {
        for body in [
            r#"{"code":0,"message":"Success"}"#,
            r#"{"error":null,"choices":[]}"#,
            r#"{"code":"x","choices":[]}"#,
            "{}",
        ] {
            assert_eq!(Said::find(body.as_bytes()), None, "{body}");
        }
        assert!(Said::find(br#"{"code":11200,"message":"m"}"#).is_some());
        assert!(Said::find(br#"{"error":{},"choices":[]}"#).is_some());
    }
}
