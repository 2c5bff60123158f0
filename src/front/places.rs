//! Where the top-level fields of a JSON object stand: one validating pass.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::BadRequest;

/// OpenAI knows 40 fields; a body of a million would make twins dear to find.
const MOST_FIELDS: usize = 200;

/// Where one field stands in the body.
#[derive(Clone)]
pub(super) struct Place {
    /// Its name, between the quotes.
    pub(super) name: Range<usize>,
    /// Its name unescaped, only where it is written with escapes.
    pub(super) unescaped: Option<Box<str>>,
    /// Its value.
    pub(super) value: Range<usize>,
}

impl Place {
    pub(super) fn name<'a>(&'a self, body: &'a [u8]) -> &'a [u8] {
        match &self.unescaped {
            Some(name) => name.as_bytes(),
            None => body.get(self.name.clone()).unwrap_or_default(),
        }
    }
}

/// Proves that the body is one JSON object and finds its fields.
pub(super) fn places(body: &[u8]) -> Result<Vec<Place>, BadRequest> {
    let wrong = |error: serde_json::Error| {
        BadRequest::body(format!("The request body is not the JSON object it should be: {error}."))
    };
    let mut reader = serde_json::Deserializer::from_slice(body);
    let fields = reader.deserialize_map(Places { body }).map_err(wrong)?;
    reader.end().map_err(wrong)?;
    Ok(fields)
}

struct Places<'a> {
    body: &'a [u8],
}

impl<'a> Places<'a> {
    /// The place of a borrowed part of the body.
    fn place(&self, part: &str) -> Range<usize> {
        let start = part.as_ptr().addr().saturating_sub(self.body.as_ptr().addr());
        start..start + part.len()
    }

    fn keep(&self, fields: &mut Vec<Place>, name: &'a RawValue, value: &'a RawValue) {
        let name = self.place(name.get());
        let name = name.start + 1..name.end - 1;
        let written = self.body.get(name.clone()).unwrap_or_default();
        let unescaped = written
            .contains(&b'\\')
            .then(|| serde_json::from_slice(&self.body[name.start - 1..name.end + 1]).ok())
            .flatten();
        let place = Place { name, unescaped, value: self.place(value.get()) };
        match fields.iter_mut().find(|twin| twin.name(self.body) == place.name(self.body)) {
            Some(twin) => *twin = place,
            None => fields.push(place),
        }
    }
}

impl<'a> Visitor<'a> for Places<'a> {
    type Value = Vec<Place>;

    fn expecting(&self, form: &mut fmt::Formatter<'_>) -> fmt::Result {
        form.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Vec<Place>, A::Error> {
        let mut fields = Vec::with_capacity(12);
        while let Some((name, value)) = map.next_entry::<&'a RawValue, &'a RawValue>()? {
            if fields.len() == MOST_FIELDS {
                return Err(A::Error::custom(format_args!("more than {MOST_FIELDS} fields")));
            }
            self.keep(&mut fields, name, value);
        }
        Ok(fields)
    }
}
