//! What a call of the account surface asks: a small JSON body, or a query.
//!
//! A field that nobody knows is refused by its name: one that was misspelt must not seem to
//! have been heard. Values are not repeated in what is answered: one may be a credential.

use std::borrow::Cow;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use url::form_urlencoded;

use super::{ApiError, App, Request, body};
use crate::front::BadRequest;
use crate::relay::CallError;

/// The longest body, in bytes.
pub(super) const LONGEST: usize = 64 << 10;

/// Reads a body to its end.
pub(super) async fn read(app: &App, request: &mut Request) -> Result<Bytes, ApiError> {
    body::read_up_to(LONGEST.min(app.max_body_bytes), app, request.body_mut()).await
}

/// A body as what it should be.
pub(super) fn parse<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, ApiError> {
    // A list of the fields' values would be read, too.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(no_json());
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| refusal(&error))?;
    json.end().map_err(|_| no_json())?;
    Ok(parsed)
}

/// A field that is there, null or not.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}

/// One field, or one parameter, is wrong.
pub(super) fn bad(param: &str, message: impl Into<String>) -> ApiError {
    CallError::Bad(BadRequest::field(param, message)).into()
}

/// The same with a finer code.
pub(super) fn refused(code: &'static str, param: &str, message: impl Into<String>) -> ApiError {
    let code = Some(Cow::Borrowed(code));
    CallError::Bad(BadRequest { code, ..BadRequest::field(param, message) }).into()
}

fn no_json() -> ApiError {
    CallError::Bad(BadRequest::body("The body must be a JSON object.")).into()
}

fn refusal(error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    if !error.inner().is_data() {
        return no_json();
    }
    let said = error.inner().to_string();
    let named = |begin: &str| said.strip_prefix(begin)?.split_once('`').map(|(name, _)| name);
    if let Some(name) = named("unknown field `") {
        return bad(name, "There is no such field.");
    }
    if let Some(name) = named("missing field `") {
        return bad(name, format!("The field `{name}` is missing."));
    }
    match error.path().to_string().as_str() {
        "." => no_json(),
        path => bad(path, format!("`{path}` has not the type or the value that it must have.")),
    }
}

/// A request's query, each parameter taken once.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads it. Only these parameters may stand in it.
    pub(super) fn read(request: &Request, known: &[&str]) -> Result<Self, ApiError> {
        let text = request.uri().query().unwrap_or_default();
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if !known.contains(&&*name) {
                return Err(bad(&name, format!("There is no such parameter; {}.", may_be(known))));
            }
            if pairs.iter().any(|(before, _)| *before == name) {
                return Err(bad(&name, format!("`{name}` may stand once.")));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(pairs))
    }

    /// A parameter's text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that must be of a form.
    pub(super) fn value<T: FromStr>(&self, name: &str, form: &str) -> Result<Option<T>, ApiError> {
        let read = |text: &str| text.parse().map_err(|_| bad(name, format!("It must be {form}.")));
        self.text(name).map(read).transpose()
    }
}

fn may_be(known: &[&str]) -> String {
    if known.is_empty() { "none is known here".into() } else { known.join(", ") + " are known" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read")]
    struct Ask<'a> {
        name: String,
        #[serde(default)]
        limit: Option<u64>,
        #[serde(borrow, default)]
        raw: Option<&'a serde_json::value::RawValue>,
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        let good = parse::<Ask>(br#"{"name": "n", "raw": {"key": "sk-1"}}"#).unwrap();
        assert_eq!(good.raw.unwrap().get(), r#"{"key": "sk-1"}"#);
        for (body, param) in [
            (r#"{"name": "n", "nmae": "sk-secret"}"#, Some("nmae")),
            (r#"{"limit": 5}"#, Some("name")),
            (r#"{"name": "n", "limit": "sk-secret"}"#, Some("limit")),
            (r#"{"name": ["sk-secret"]}"#, Some("name")),
            (r#"{"name": "n"} sk-secret"#, None),
            (r#"["sk-secret"]"#, None),
            (r#""sk-secret""#, None),
            ("sk-secret", None),
            ("", None),
        ] {
            let ApiError::Call(CallError::Bad(bad)) = parse::<Ask>(body.as_bytes()).unwrap_err()
            else {
                panic!("{body}");
            };
            assert_eq!(bad.param.as_deref(), param, "{body}");
            assert!(!bad.message.contains("sk-secret"), "{}", bad.message);
        }
    }
}
