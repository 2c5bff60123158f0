//! The sections that rooms define, by name: what keys each knows, and whether a value
//! fits a key.
//!
//! A room's `Settings` is the only description of its section. Known keys come from its
//! JSON schema; a value is tried by reading a section that has nothing else.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{identity, oidc, relay, server, store, telemetry, upstream};

/// One section.
pub(super) struct Section {
    /// Its name in the file.
    pub(super) name: &'static str,
    known: fn() -> Vec<String>,
    default: fn() -> Table,
    read: fn(Table) -> Result<(), toml::de::Error>,
}

/// Every section that has a fixed set of keys.
pub(super) const SECTIONS: [Section; 10] = [
    section::<server::Settings>("server"),
    section::<server::OperatorSettings>("operator"),
    section::<store::Settings>("store"),
    section::<upstream::Settings>("upstream"),
    section::<relay::Settings>("relay"),
    section::<relay::PointsSettings>("points"),
    section::<identity::Settings>("passwords"),
    section::<oidc::Settings>("oidc"),
    section::<relay::NoticeSettings>("notices"),
    section::<telemetry::log::Settings>("log"),
];

/// The sections that the catalogue reads.
pub(super) const OPEN_SECTIONS: [&str; 2] = ["platforms", "aliases"];

const fn section<T>(name: &'static str) -> Section
where
    T: Default + Serialize + DeserializeOwned + JsonSchema,
{
    Section {
        name,
        known: || {
            let schema = schemars::schema_for!(T);
            let properties = schema.get("properties").and_then(|known| known.as_object());
            properties.map(|known| known.keys().cloned().collect()).unwrap_or_default()
        },
        default: || Table::try_from(T::default()).expect("settings are a table"),
        read: |table| T::deserialize(table).map(drop),
    }
}

impl Section {
    /// A section by name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        SECTIONS.iter().find(|section| section.name == name)
    }

    /// The keys that it knows.
    pub(super) fn known(&self) -> Vec<String> {
        (self.known)()
    }

    /// A key's default; `None` where that is nothing.
    pub(super) fn default(&self, key: &str) -> Option<Value> {
        (self.default)().remove(key)
    }

    /// Whether a value fits a key, and if not, why.
    pub(super) fn try_key(&self, key: &str, value: Value) -> Result<(), String> {
        let alone = Table::from_iter([(key.to_owned(), value)]);
        (self.read)(alone).map_err(|error| error.message().to_owned())
    }
}
