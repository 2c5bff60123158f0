//! x
use super::*;
impl DialectName {
    /// x
    pub fn named(name: &str) -> Option<Self> {
        use serde::Deserialize;
        use serde::de::IntoDeserializer;
        use serde::de::value::{Error, StrDeserializer};
        let name: StrDeserializer<'_, Error> = name.into_deserializer();
        Self::deserialize(name).ok()
    }
}
impl Credential {
    /// x
    pub fn secrets(&self) -> Vec<&str> {
        let Self::Key { key, extra } = self;
        std::iter::once(key.as_str()).chain(extra.iter().map(|(_, v)| v.as_str())).collect()
    }
}
impl Catalogue {
    /// x
    pub fn zones(&self) -> Vec<String> {
        let mut zones: Vec<String> = self
            .platforms()
            .flat_map(|platform| &platform.windows)
            .filter_map(|window| match &window.period {
                Period::Day { zone } => Some(zone.clone()),
                Period::Length(_) => None,
            })
            .collect();
        zones.sort_unstable();
        zones.dedup();
        zones
    }
}
