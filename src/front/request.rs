//! A chat request: its body as it came, and where each top-level field stands.
//!
//! One pass proves that the body is JSON and notes the fields' places. Only what
//! the gateway itself uses is validated; everything else is the platform's to
//! judge, and reaches it byte for byte.

use std::ops::Range;

use bytes::Bytes;

use super::places::{Place, places};
use super::{BadRequest, ByteCensus};

/// The longest model name, in bytes.
const LONGEST_NAME: usize = 256;

/// A parsed request for a chat completion.
#[derive(Clone)]
pub struct ChatRequest {
    body: Bytes,
    fields: Vec<Place>,
    model: Option<String>,
    stream: bool,
    include_usage: bool,
    account_id: Option<i64>,
    max_tokens: Option<u64>,
}

/// A top-level field, borrowed from the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name, unescaped.
    pub name: &'a str,
    /// Its value as JSON text.
    pub json: &'a str,
}

impl ChatRequest {
    /// Reads a request's body.
    ///
    /// Of a field that comes twice the last one counts, as for most JSON readers.
    ///
    /// # Errors
    /// What the caller must change, with the field it is about.
    pub fn parse(body: Bytes) -> Result<ChatRequest, BadRequest> {
        let fields = places(&body)?;
        let mut request = ChatRequest {
            body,
            fields,
            model: None,
            stream: false,
            include_usage: false,
            account_id: None,
            max_tokens: None,
        };
        request.check_messages()?;
        request.model = request.read_model()?;
        request.stream = request.read_stream()?;
        request.include_usage = request.read_include_usage()?;
        request.account_id = request.read_account_id()?;
        request.max_tokens =
            request.count("max_completion_tokens").or_else(|| request.count("max_tokens"));
        Ok(request)
    }

    /// The model that the caller named.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Whether the caller wants a stream.
    pub fn wants_stream(&self) -> bool {
        self.stream
    }

    /// Whether the caller's stream shall end with a usage chunk.
    pub fn wants_usage(&self) -> bool {
        self.include_usage
    }

    /// The account that the caller pinned in the body.
    pub fn account_id(&self) -> Option<i64> {
        self.account_id
    }

    /// The caller's limit on the answer: `max_completion_tokens`, else `max_tokens`.
    pub fn max_tokens(&self) -> Option<u64> {
        self.max_tokens
    }

    /// How many answers the caller wants: `n`, or one.
    pub fn answers(&self) -> u64 {
        self.count("n").unwrap_or(1).max(1)
    }

    /// A top-level field's value as JSON text.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        let place = self.fields.iter().find(|place| place.name(&self.body) == name.as_bytes())?;
        self.body.get(place.value.clone())
    }

    /// Every top-level field, in the caller's order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        // Proven UTF-8 when it was parsed; safe code must look once more.
        let text = std::str::from_utf8(&self.body).unwrap_or_default();
        self.fields.iter().filter_map(move |place| {
            Some(Field { name: place.name_in(text)?, json: text.get(place.value.clone())? })
        })
    }

    /// Every top-level field's name and the place of its value in the [`body`](Self::body).
    pub fn places(&self) -> impl Iterator<Item = (&[u8], Range<usize>)> {
        self.fields.iter().map(|place| (place.name(&self.body), place.value.clone()))
    }

    /// The body as it came.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What the prompt is made of, for the estimate.
    pub fn census(&self) -> ByteCensus {
        let mut census = ByteCensus::default();
        for name in ["messages", "tools", "functions", "response_format"] {
            if let Some(json) = self.field(name) {
                census += ByteCensus::of_json(json);
            }
        }
        census
    }

    fn check_messages(&self) -> Result<(), BadRequest> {
        let wrong = |message| Err(BadRequest::field("messages", message));
        match self.field("messages") {
            None => wrong("Missing required parameter: 'messages'."),
            Some(json) if json.first() != Some(&b'[') => {
                wrong("Invalid type for 'messages': expected an array of objects.")
            }
            Some(json) if json[1..].trim_ascii_start().first() == Some(&b']') => {
                wrong("Invalid 'messages': empty array. Expected at least one message.")
            }
            Some(_) => Ok(()),
        }
    }

    fn read_model(&self) -> Result<Option<String>, BadRequest> {
        match self.given("model") {
            None => Ok(None),
            Some(json) => match serde_json::from_slice::<String>(json) {
                Ok(name) if is_a_name(&name) => Ok(Some(name)),
                _ => Err(BadRequest::field("model", "Invalid 'model': expected a model's name.")),
            },
        }
    }

    fn read_stream(&self) -> Result<bool, BadRequest> {
        match self.given("stream") {
            None | Some(b"false") => Ok(false),
            Some(b"true") => Ok(true),
            Some(_) => Err(BadRequest::field("stream", "Invalid 'stream': expected a boolean.")),
        }
    }

    fn read_include_usage(&self) -> Result<bool, BadRequest> {
        #[derive(serde::Deserialize)]
        struct StreamOptions {
            include_usage: Option<bool>,
        }
        match self.given("stream_options") {
            None => Ok(false),
            Some(json) => serde_json::from_slice::<StreamOptions>(json)
                .map(|options| options.include_usage.unwrap_or(false))
                .map_err(|_| {
                    let message = "Invalid 'stream_options': expected an object.";
                    BadRequest::field("stream_options", message)
                }),
        }
    }

    fn read_account_id(&self) -> Result<Option<i64>, BadRequest> {
        match self.given("account_id") {
            None => Ok(None),
            Some(json) => serde_json::from_slice(json).map(Some).map_err(|_| {
                BadRequest::field("account_id", "Invalid 'account_id': expected an integer.")
            }),
        }
    }

    /// A count that we can use; a strange one is the platform's to refuse.
    fn count(&self, name: &str) -> Option<u64> {
        serde_json::from_slice(self.given(name)?).ok()
    }

    /// A field that is there and not null.
    fn given(&self, name: &str) -> Option<&[u8]> {
        self.field(name).filter(|json| *json != b"null")
    }
}

/// A name is kept in records and shown in tables: nobody fills a store with it, nor moves
/// a terminal's cursor.
fn is_a_name(model: &str) -> bool {
    (1..=LONGEST_NAME).contains(&model.len()) && !model.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::pieces::PIECES;
    use super::*;

    fn parse(body: &str) -> Result<ChatRequest, BadRequest> {
        ChatRequest::parse(Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn what_the_gateway_uses_is_read() {
        let ask = parse(
            r#"{"model":"qwen\/x","messages":[{}],"stream":true,"account_id":7,"top_k":[1],
                "stream_options":{"include_usage":true},"max_tokens":5,"max_completion_tokens":9,"n":3}"#,
        )
        .unwrap();
        assert_eq!(ask.model(), Some("qwen/x"));
        assert!(ask.wants_stream() && ask.wants_usage());
        assert_eq!(ask.account_id(), Some(7));
        assert_eq!(ask.max_tokens(), Some(9));
        assert_eq!(ask.answers(), 3);
        assert_eq!(ask.field("top_k"), Some(&b"[1]"[..]));
        assert_eq!(ask.fields().count(), 9);
    }

    #[test]
    fn nulls_are_absent() {
        let ask = parse(
            r#"{"messages":[0],"model":null,"stream":null,"stream_options":null,"account_id":null}"#,
        )
        .unwrap();
        assert_eq!((ask.model(), ask.wants_stream(), ask.account_id()), (None, false, None));
        assert_eq!(ask.answers(), 1);
    }

    #[test]
    fn every_mistake_names_its_field() {
        for (body, param) in [
            ("", None),
            ("[]", None),
            ("{", None),
            (r#"{"messages":[1]} x"#, None),
            (r#"{"model":"m"}"#, Some("messages")),
            (r#"{"messages":{}}"#, Some("messages")),
            (r#"{"messages":[ ]}"#, Some("messages")),
            (r#"{"messages":[1],"model":3}"#, Some("model")),
            (r#"{"messages":[1],"model":""}"#, Some("model")),
            (r#"{"messages":[1],"model":"a\nb"}"#, Some("model")),
            (r#"{"messages":[1],"model":"\u001b[2J"}"#, Some("model")),
            (r#"{"messages":[1],"stream":"yes"}"#, Some("stream")),
            (r#"{"messages":[1],"stream_options":1}"#, Some("stream_options")),
            (r#"{"messages":[1],"account_id":"7"}"#, Some("account_id")),
        ] {
            let error = parse(body).err().unwrap_or_else(|| panic!("{body} was taken"));
            assert_eq!(error.param.as_deref(), param, "{body}");
        }
        assert!(ChatRequest::parse(Bytes::from_static(b"{\"messages\":[\"\xff\"]}")).is_err());
    }

    #[test]
    fn a_broken_body_is_told_what_is_wrong_and_where() {
        let fields: String = (0..201).map(|number| format!(",\"f{number}\":1")).collect();
        let many = format!("{{\"messages\":[1]{fields}}}");
        for (body, words) in [
            (&b"[]"[..], "expected an object at line 1 column 0"),
            (b"{\"messages\":[1],\n}", "trailing comma at line 2 column 1"),
            (b"{\"messages\":[\"a\nb\"]}", "control character"),
            (b"{\"messages\":[1],\"\\ud83d\":1}", "hex escape at line 1 column"),
            (b"{\"messages\":[\"\xff\"]}", "invalid utf-8 sequence of 1 bytes from index 14"),
            (many.as_bytes(), "more than 200 fields"),
        ] {
            let error = ChatRequest::parse(Bytes::copy_from_slice(body)).err().unwrap();
            assert!(error.message.contains(words), "{}", error.message);
        }
    }

    #[test]
    fn a_name_cannot_hide_behind_escapes_or_a_twin() {
        let ask = parse(r#"{"messages":[1],"model":"a","mod\u0065l":"b"}"#).unwrap();
        assert_eq!(ask.model(), Some("b"));
        assert_eq!(ask.fields().filter(|field| field.name == "model").count(), 1);
    }
    #[test]
    fn a_models_name_is_no_film() {
        let ask =
            |length| parse(&format!(r#"{{"messages":[1],"model":"{}"}}"#, "m".repeat(length)));
        assert!(ask(LONGEST_NAME).is_ok());
        assert_eq!(ask(LONGEST_NAME + 1).err().unwrap().param.as_deref(), Some("model"));
    }

    /// Pieces of JSON, and the fields that we read.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        const FIELDS: &[&str] = &[
            "\"messages\":",
            "\"model\":",
            "\"stream\":",
            "\"stream_options\":",
            "\"account_id\":",
            "\"max_tokens\":",
            "\"tools\":",
        ];
        let known = [PIECES, FIELDS].concat();
        prop_oneof![
            8 => proptest::sample::select(known).prop_map(|text| text.as_bytes().to_vec()),
            1 => proptest::collection::vec(any::<u8>(), 1..4),
        ]
    }

    proptest! {
        #[test]
        fn no_body_is_a_panic(pieces in proptest::collection::vec(piece(), 0..40), in_object: bool) {
            let mut body = pieces.concat();
            if in_object {
                body = [b"{\"messages\":[1],", body.as_slice(), b"}"].concat();
            }
            if let Ok(ask) = ChatRequest::parse(Bytes::from(body)) {
                ask.census();
                prop_assert_eq!(ask.fields().count(), ask.places().count());
                prop_assert!(ask.model().is_none_or(|name| name.len() <= LONGEST_NAME));
            }
        }
    }
}
