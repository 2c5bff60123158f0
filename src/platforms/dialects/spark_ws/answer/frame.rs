//! One answer frame, and frames one after the other.

use serde::Deserialize;
use serde_json::StreamDeserializer;
use serde_json::de::SliceRead;
use serde_json::value::RawValue;

use crate::front::UsageReport;
use crate::front::object::{Object, read_text};
use crate::platforms::failure::Said;

/// The `status` of the last frame.
const LAST: &str = "2";

/// Frames one after the other, the last one perhaps cut.
pub(super) struct Frames<'a> {
    frames: StreamDeserializer<'a, SliceRead<'a>, Frame<'a>>,
    /// The bytes end within a number, which the reader takes for a mistake and not for a cut.
    ends_in_number: bool,
}

impl<'a> Frames<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Frames<'a> {
        Frames {
            frames: serde_json::Deserializer::from_slice(bytes).into_iter(),
            ends_in_number: matches!(bytes.last(), Some(b'-' | b'+' | b'.' | b'e' | b'E')),
        }
    }

    /// The next frame; nothing where what is left is none yet.
    pub(super) fn next(&mut self) -> Option<Result<Frame<'a>, serde_json::Error>> {
        let ends_in_number = self.ends_in_number;
        let cut = |error: &serde_json::Error| error.is_eof() || ends_in_number;
        self.frames.next().filter(|frame| !frame.as_ref().is_err_and(cut))
    }

    /// How many bytes were frames.
    pub(super) fn read(&self) -> usize {
        self.frames.byte_offset()
    }
}

/// One frame; what it has beside is passed over.
#[derive(Deserialize)]
pub(super) struct Frame<'a> {
    #[serde(borrow)]
    header: Header<'a>,
    #[serde(borrow, default)]
    payload: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    sid: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    /// Not in every frame: hits of a search come without.
    #[serde(borrow, default)]
    choices: Option<Choices<'a>>,
    #[serde(borrow, default)]
    usage: Option<Counted<'a>>,
}

#[derive(Deserialize)]
struct Choices<'a> {
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
struct Counted<'a> {
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
}

/// What a frame adds.
#[derive(Deserialize)]
pub(super) struct Text<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    function_call: Option<Object<'a>>,
}

impl Frame<'_> {
    /// What it says of a failure, if it tells one.
    pub(super) fn said(&self) -> Option<Said> {
        let code = self.header.code.map(RawValue::get).filter(|code| *code != "null")?;
        let code = read_text(code).map_or_else(|| code.to_owned(), |text| text.into_owned());
        let message = self.header.message.and_then(|json| read_text(json.get()));
        (code != "0").then(|| Said {
            code: Some(code),
            message: message.filter(|text| !text.is_empty()).map(|text| text.into_owned()),
            ..Said::default()
        })
    }

    pub(super) fn sid(&self) -> Option<String> {
        let sid = self.header.sid.and_then(|json| read_text(json.get()))?;
        (!sid.is_empty()).then(|| sid.into_owned())
    }

    /// Nothing follows it.
    pub(super) fn is_last(&self) -> bool {
        let inner = self.payload.as_ref().and_then(|payload| payload.choices.as_ref()?.status);
        [self.header.status, inner].iter().flatten().any(|status| status.get() == LAST)
    }

    pub(super) fn texts(&self) -> &[Text<'_>] {
        let choices = self.payload.as_ref().and_then(|payload| payload.choices.as_ref());
        choices.and_then(|choices| choices.text.as_deref()).unwrap_or_default()
    }

    pub(super) fn counts(&self) -> Option<UsageReport> {
        UsageReport::read(self.payload.as_ref()?.usage.as_ref()?.text?.get())
    }
}

impl Text<'_> {
    /// A JSON string that is not empty.
    pub(super) fn content(&self) -> Option<&str> {
        filled(self.content)
    }

    /// A JSON string that is not empty.
    pub(super) fn reasoning(&self) -> Option<&str> {
        filled(self.reasoning_content)
    }

    /// The function that is called, a JSON string, and its arguments as they came.
    pub(super) fn call(&self) -> Option<(&str, Option<&str>)> {
        let call = self.function_call.as_ref()?;
        let name = call.get("name").filter(|name| name.starts_with('"'))?;
        Some((name, call.given("arguments")))
    }
}

fn filled(json: Option<&RawValue>) -> Option<&str> {
    json.map(RawValue::get).filter(|json| json.starts_with('"') && *json != "\"\"")
}
