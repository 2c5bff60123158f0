//! Where the top-level fields of a JSON object stand: one validating pass.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::Range;

use super::BadRequest;
use super::object::{MOST_FIELDS, Object};
use super::skim::Skim;

/// Where one field stands in the body.
#[derive(Clone)]
pub(super) struct Place {
    name: Name,
    /// Its value.
    pub(super) value: Range<usize>,
}

/// A field's name.
#[derive(Clone)]
enum Name {
    /// Where it stands, between the quotes.
    At(Range<usize>),
    /// What it is, where it is written with escapes.
    Unescaped(Box<str>),
}

impl Place {
    pub(super) fn name<'a>(&'a self, body: &'a [u8]) -> &'a [u8] {
        match &self.name {
            Name::At(at) => body.get(at.clone()).unwrap_or_default(),
            Name::Unescaped(name) => name.as_bytes(),
        }
    }

    /// The same in the body's text.
    pub(super) fn name_in<'a>(&'a self, text: &'a str) -> Option<&'a str> {
        match &self.name {
            Name::At(at) => text.get(at.clone()),
            Name::Unescaped(name) => Some(name),
        }
    }
}

/// Proves that the body is one JSON object and finds its fields.
pub(super) fn places(body: &[u8]) -> Result<Vec<Place>, BadRequest> {
    let body = std::str::from_utf8(body).map_err(wrong)?;
    let mut fields: Vec<Place> = Vec::with_capacity(12);
    let mut skim = Skim::new(body);
    let object = skim.object(|skim, name| {
        let name = match name {
            Cow::Borrowed(name) => Name::At(place(body, name)),
            Cow::Owned(name) => Name::Unescaped(name.into()),
        };
        let field = Place { name, value: place(body, skim.value()?) };
        let name = field.name(body.as_bytes());
        match fields.iter_mut().find(|twin| twin.name(body.as_bytes()) == name) {
            Some(twin) => *twin = field,
            None => fields.push(field),
        }
        (fields.len() <= MOST_FIELDS).then_some(())
    });
    match object.and_then(|()| skim.end()) {
        Some(()) => Ok(fields),
        None => {
            let told = serde_json::from_str::<Object<'_>>(body);
            Err(told.map_or_else(wrong, |_| wrong("it can't be read")))
        }
    }
}

/// The place of a borrowed part of the body.
fn place(body: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(body.as_ptr().addr());
    start..start + part.len()
}

fn wrong(error: impl Display) -> BadRequest {
    BadRequest::body(format!("The request body is not the JSON object it should be: {error}."))
}
