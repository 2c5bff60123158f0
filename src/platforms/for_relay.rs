//! x
use super::*;
impl DialectName {
    /// x
    pub fn named(_name: &str) -> Option<Self> {
        None
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
        Vec::new()
    }
}
