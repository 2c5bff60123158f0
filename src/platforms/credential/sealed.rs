//! The form in which a credential is sealed: one JSON object.
//!
//! A key's fields stand in it as they are, beside `kind` (absent: a key), `scheme`, and a
//! session's `cookies` and `headers`. Every request reads one.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use zeroize::Zeroizing;

use super::{Credential, CredentialError, Kind, Secret, wiped};

/// What is sealed; [`Opened`] reads it.
#[derive(Serialize)]
struct ToSeal<'a> {
    #[serde(skip_serializing_if = "Kind::is_key")]
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    cookies: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'a str, &'a str>,
    #[serde(flatten)]
    fields: BTreeMap<&'a str, &'a str>,
}

impl Kind {
    fn is_key(&self) -> bool {
        *self == Self::Key
    }
}

/// What was sealed; its texts are moved into wiped memory.
#[derive(Default)]
struct Opened {
    kind: Kind,
    scheme: Option<String>,
    cookies: BTreeMap<String, Secret>,
    headers: BTreeMap<String, Secret>,
    fields: BTreeMap<String, Secret>,
}

impl Credential {
    /// The plaintext that is sealed.
    pub fn to_sealed(&self) -> Zeroizing<Vec<u8>> {
        let mut sealed = ToSeal {
            kind: self.kind(),
            scheme: None,
            cookies: BTreeMap::new(),
            headers: BTreeMap::new(),
            fields: BTreeMap::new(),
        };
        match self {
            Self::Key { scheme, fields } => {
                sealed.scheme = scheme.as_deref();
                sealed.fields = shown(fields);
            }
            Self::Oauth { access_token } => {
                sealed.fields = [("access_token", access_token.as_str())].into();
            }
            Self::Session { cookies, headers } => {
                (sealed.cookies, sealed.headers) = (shown(cookies), shown(headers));
            }
        }
        // Room for all of it at once, escaped: a growing buffer would leave copies behind.
        let secrets: usize = self.secrets().iter().map(|secret| 6 * secret.len()).sum();
        let mut plain = Zeroizing::new(Vec::with_capacity(4096 + secrets));
        serde_json::to_writer(&mut *plain, &sealed).expect("texts always serialise");
        plain
    }

    /// Reads back what [`to_sealed`](Self::to_sealed) wrote.
    ///
    /// # Errors
    /// [`CredentialError::Unreadable`].
    pub fn from_sealed(plain: &[u8]) -> Result<Credential, CredentialError> {
        let opened: Opened =
            serde_json::from_slice(plain).map_err(|_| CredentialError::Unreadable)?;
        let Opened { kind, scheme, cookies, headers, mut fields } = opened;
        match kind {
            Kind::Key if !fields.is_empty() => Ok(Self::Key { scheme, fields }),
            Kind::Key => Err(CredentialError::Unreadable),
            Kind::Oauth => {
                let token = fields.remove("access_token").ok_or(CredentialError::Unreadable)?;
                Ok(Self::Oauth { access_token: token })
            }
            Kind::Session => Ok(Self::Session { cookies, headers }),
        }
    }
}

fn shown(fields: &BTreeMap<String, Secret>) -> BTreeMap<&str, &str> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// By hand: a derived `flatten` reads every text into a tree of its own first.
impl<'de> Deserialize<'de> for Opened {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Opened;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a credential")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Opened, A::Error> {
        let mut opened = Opened::default();
        while let Some(name) = object.next_key::<String>()? {
            match &*name {
                "kind" => opened.kind = object.next_value()?,
                "scheme" => opened.scheme = object.next_value()?,
                "cookies" => opened.cookies = wiped(object.next_value()?),
                "headers" => opened.headers = wiped(object.next_value()?),
                _ => _ = opened.fields.insert(name, Zeroizing::new(object.next_value()?)),
            }
        }
        Ok(opened)
    }
}
