//! One event, as far as it is used.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::head::Response;
use super::place::{Place, read_number};
use super::told::{Kind, Part};
use crate::front::object::Object;
use crate::platforms::dialects::pivot::text;

type Raw<'a> = Option<&'a RawValue>;

#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Raw<'a>,
    #[serde(borrow)]
    pub(super) response: Raw<'a>,
    #[serde(borrow)]
    output_index: Raw<'a>,
    #[serde(borrow)]
    item_id: Raw<'a>,
    #[serde(borrow)]
    summary_index: Raw<'a>,
    #[serde(borrow)]
    content_index: Raw<'a>,
    #[serde(borrow)]
    delta: Raw<'a>,
    #[serde(borrow)]
    text: Raw<'a>,
    #[serde(borrow)]
    refusal: Raw<'a>,
    #[serde(borrow)]
    arguments: Raw<'a>,
    #[serde(borrow)]
    part: Raw<'a>,
    #[serde(borrow)]
    item: Raw<'a>,
}

impl<'a> Event<'a> {
    pub(super) fn kind(&self) -> &'a str {
        self.kind.map_or("", RawValue::get).trim_matches('"')
    }

    /// The item that it is about.
    pub(super) fn place(&self) -> Place {
        Place::named(self.output_index, self.item_id.map(RawValue::get))
    }

    /// The place of the item that it brings.
    pub(super) fn place_of(&self, item: &Object<'_>) -> Place {
        let id = item.given("id").or(item.given("call_id"));
        Place::named(self.output_index, id.or(self.item_id.map(RawValue::get)))
    }

    /// The part that it is about.
    pub(super) fn part(&self, kind: Kind) -> Part {
        let number = self.summary_index.or(self.content_index).and_then(read_number);
        Part { kind, place: self.place(), number }
    }

    /// The item that it brings.
    pub(super) fn item(&self) -> Object<'a> {
        object(self.item)
    }

    /// The part that it brings.
    pub(super) fn whole_part(&self) -> Object<'a> {
        object(self.part)
    }

    pub(super) fn response(&self) -> Response<'a> {
        self.response.and_then(|json| Response::read(json.get().as_bytes())).unwrap_or_default()
    }

    /// A piece of a text.
    pub(super) fn delta(&self) -> Option<&'a str> {
        text(self.delta.map(RawValue::get))
    }

    /// A whole text.
    pub(super) fn text(&self) -> Option<&'a str> {
        text(self.text.map(RawValue::get))
    }

    /// A whole refusal.
    pub(super) fn refusal(&self) -> Option<&'a str> {
        text(self.refusal.map(RawValue::get))
    }

    /// The whole arguments of a call.
    pub(super) fn arguments(&self) -> Option<&'a str> {
        text(self.arguments.map(RawValue::get))
    }
}

fn object(json: Raw<'_>) -> Object<'_> {
    json.and_then(|json| Object::parse(json.get()).ok()).unwrap_or_default()
}
