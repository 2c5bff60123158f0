//! The error envelope: the one shape in which every failure reaches a caller.
//!
//! `{"error":{"message","type","param","code"}}`, all four keys always there.
//! Before output it is a JSON body; after output began, the last event of the
//! stream, which then ends without `[DONE]`.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

/// A request that the caller must change before anybody can answer it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRequest {
    /// What is wrong, for the caller's eyes.
    pub message: String,
    /// The field that is wrong, where one is.
    pub param: Option<String>,
    /// A finer code than `invalid_request_error`, where one is known.
    pub code: Option<Cow<'static, str>>,
}

impl BadRequest {
    /// The whole body is wrong.
    pub fn body(message: impl Into<String>) -> BadRequest {
        BadRequest { message: message.into(), param: None, code: None }
    }

    /// One field is wrong.
    pub fn field(param: impl Into<String>, message: impl Into<String>) -> BadRequest {
        BadRequest { message: message.into(), param: Some(param.into()), code: None }
    }

    /// The error as callers see it, to go with status 400.
    pub fn into_body(self) -> ErrorBody {
        ErrorBody {
            message: self.message,
            kind: Cow::Borrowed("invalid_request_error"),
            param: self.param,
            code: Some(self.code.unwrap_or(Cow::Borrowed("invalid_request_error"))),
        }
    }
}

/// What stands inside the envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorBody {
    /// What happened, for a person.
    pub message: String,
    /// OpenAI's error type, as `invalid_request_error`.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The request field it is about.
    pub param: Option<String>,
    /// The machine-readable reason.
    pub code: Option<Cow<'static, str>>,
}

impl ErrorBody {
    /// The JSON body of a plain error answer.
    pub fn envelope(&self) -> Bytes {
        let mut out = Vec::with_capacity(128 + self.message.len());
        self.write(&mut out);
        out.into()
    }

    /// The last event of a stream that broke after output began.
    pub fn event(&self) -> Bytes {
        let mut out = Vec::with_capacity(136 + self.message.len());
        out.extend_from_slice(b"data: ");
        self.write(&mut out);
        out.extend_from_slice(b"\n\n");
        out.into()
    }

    fn write(&self, out: &mut Vec<u8>) {
        #[derive(Serialize)]
        struct Envelope<'a> {
            error: &'a ErrorBody,
        }
        serde_json::to_writer(out, &Envelope { error: self })
            .expect("strings and nulls always serialise into memory");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_four_keys_are_always_there() {
        let body = BadRequest::body("no").into_body();
        let text = r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#;
        assert_eq!(body.envelope(), text);
        assert_eq!(body.event(), format!("data: {text}\n\n"));
    }
}
