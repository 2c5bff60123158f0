//! Credentials: what proves an account to its platform.
//!
//! A credential is parsed from a key file, sealed as the JSON of
//! [`Credential::to_sealed`], and proves a request by [`Credential::sign`]. Secrets are wiped from memory when dropped and can't
//! be printed.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::spark_hmac::Keys;
use super::{Face, UpstreamRequest};

/// What proves an account.
pub enum Credential {
    /// A key, with the fields that some platforms want beside it.
    Key {
        /// The key itself.
        key: Zeroizing<String>,
        /// Other fields, by the names of the face's [`CredentialSpec`].
        extra: BTreeMap<String, Zeroizing<String>>,
    },
    /// Fields that prove it together, by the names of the face's [`CredentialSpec`].
    Parts(BTreeMap<String, Zeroizing<String>>),
}

/// What a face takes as proof, and where a person gets it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CredentialSpec {
    /// How the proof is written into a request.
    pub scheme: Scheme,
    /// What it is, for a person who binds an account.
    pub help: String,
    /// Where a person gets it.
    pub get: String,
    /// Fields that must all be there, in the place of a key.
    pub fields: Vec<String>,
    /// Fields that may stand beside the key, each with the header that carries it.
    pub optional: BTreeMap<String, String>,
}

/// How a proof is written into a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// `Authorization: Bearer KEY`.
    #[default]
    Bearer,
    /// The bare key in a header of this name.
    Header(#[serde(deserialize_with = "header_name")] HeaderName),
    /// Spark's signed address: of `app_id`, `api_key` and `api_secret`.
    SparkHmac,
}

/// Why a credential can't be used. Never holds a part of the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Nothing usable stands in the file.
    #[error("the credential is empty")]
    Empty,
    /// A needed field is missing.
    #[error("the credential lacks the field `{0}`")]
    Missing(String),
    /// A field that the platform doesn't know.
    #[error("the credential has a field `{0}`, which this platform does not know")]
    Unknown(String),
    /// A field holds what no HTTP header may hold.
    #[error("the credential's field `{0}` is no text that a header can carry")]
    Unfit(String),
    /// The request is none that this scheme can sign.
    #[error("the credential can't sign the request")]
    Unsigned,
    /// Not JSON, or not what was sealed.
    #[error("the credential can't be read")]
    Unreadable,
}

/// The sealed plaintext, and a key file's object; moved, never copied, into wiped memory.
#[derive(Deserialize)]
struct Fields {
    key: Option<String>,
    #[serde(flatten)]
    extra: BTreeMap<String, String>,
}

impl Credential {
    /// Reads a key file: the raw key, or a JSON object `{"key": …}` with other fields, or one
    /// of the fields that the face wants together.
    ///
    /// # Errors
    /// What is missing, too much, or unfit.
    pub fn parse(face: &Face, file: &str) -> Result<Credential, CredentialError> {
        let file = file.trim();
        if !face.credential.fields.is_empty() {
            return Credential::parts(face, file);
        }
        let (key, extra) = if file.starts_with('{') {
            let fields: Fields =
                serde_json::from_str(file).map_err(|_| CredentialError::Unreadable)?;
            let key = fields.key.ok_or(CredentialError::Missing("key".to_owned()))?;
            (Zeroizing::new(key), wiped(fields.extra))
        } else {
            (Zeroizing::new(file.to_owned()), BTreeMap::new())
        };
        if key.is_empty() {
            return Err(CredentialError::Empty);
        }
        if let Some(name) = extra.keys().find(|name| !face.credential.optional.contains_key(*name))
        {
            return Err(CredentialError::Unknown(name.clone()));
        }
        let credential = Credential::Key { key, extra };
        // Better refused when it is bound than when it is used.
        credential.authorize(face, &mut HeaderMap::new())?;
        Ok(credential)
    }

    fn parts(face: &Face, file: &str) -> Result<Credential, CredentialError> {
        if file.is_empty() {
            return Err(CredentialError::Empty);
        }
        let wanted = &face.credential.fields;
        let missing = |name: &str| CredentialError::Missing(name.to_owned());
        if !file.starts_with('{') {
            return Err(missing(wanted.first().map_or("", String::as_str)));
        }
        let fields: BTreeMap<String, String> =
            serde_json::from_str(file).map_err(|_| CredentialError::Unreadable)?;
        let fields = wiped(fields);
        if let Some(name) = fields.keys().find(|name| !wanted.contains(name)) {
            return Err(CredentialError::Unknown(name.clone()));
        }
        for name in wanted {
            let value = fields.get(name).filter(|value| !value.is_empty());
            sensitive(name, value.ok_or_else(|| missing(name))?)?;
        }
        Ok(Credential::Parts(fields))
    }

    /// The plaintext that is sealed.
    pub fn to_sealed(&self) -> Zeroizing<Vec<u8>> {
        let (key, rest) = match self {
            Credential::Key { key, extra } => (Some(key), extra),
            Credential::Parts(fields) => (None, fields),
        };
        let mut fields: BTreeMap<&str, &str> =
            rest.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if let Some(key) = key {
            fields.insert("key", key);
        }
        Zeroizing::new(serde_json::to_vec(&fields).expect("texts always serialise"))
    }

    /// Reads back what [`to_sealed`](Self::to_sealed) wrote.
    ///
    /// # Errors
    /// [`CredentialError::Unreadable`].
    pub fn from_sealed(plain: &[u8]) -> Result<Credential, CredentialError> {
        match serde_json::from_slice(plain) {
            Ok(Fields { key: Some(key), extra }) => {
                Ok(Credential::Key { key: Zeroizing::new(key), extra: wiped(extra) })
            }
            Ok(Fields { key: None, extra }) if !extra.is_empty() => {
                Ok(Credential::Parts(wiped(extra)))
            }
            _ => Err(CredentialError::Unreadable),
        }
    }

    /// Every secret in it, to be taken out of what a platform says.
    pub fn secrets(&self) -> Vec<&str> {
        let (key, rest) = match self {
            Credential::Key { key, extra } => (Some(key), extra),
            Credential::Parts(fields) => (None, fields),
        };
        key.into_iter().chain(rest.values()).map(|value| value.as_str()).collect()
    }

    /// Proves a request, as its face wants it, at this time.
    ///
    /// # Errors
    /// When the credential is not of the face's kind, or a field can't stand in a header.
    pub fn sign(
        &self,
        face: &Face,
        request: &mut UpstreamRequest,
        at: Timestamp,
    ) -> Result<(), CredentialError> {
        if face.credential.scheme != Scheme::SparkHmac {
            return self.authorize(face, &mut request.headers);
        }
        let keys = Keys {
            app_id: self.part("app_id")?,
            api_key: self.part("api_key")?,
            api_secret: self.part("api_secret")?,
        };
        let unsigned = || CredentialError::Unsigned;
        request.url = keys.sign(&request.url, at).ok_or_else(unsigned)?;
        request.body = keys.name_app(&request.body).ok_or_else(unsigned)?;
        Ok(())
    }

    fn part(&self, name: &str) -> Result<&str, CredentialError> {
        let field = match self {
            Credential::Key { .. } => None,
            Credential::Parts(fields) => fields.get(name),
        };
        field.map(|value| value.as_str()).ok_or_else(|| CredentialError::Missing(name.to_owned()))
    }

    /// Adds what proves the account to a request's headers, marked as sensitive.
    ///
    /// # Errors
    /// When a field can't stand in a header.
    pub fn authorize(&self, face: &Face, headers: &mut HeaderMap) -> Result<(), CredentialError> {
        let Credential::Key { key, extra } = self else {
            return Err(CredentialError::Missing("key".to_owned()));
        };
        match &face.credential.scheme {
            Scheme::Bearer => {
                let mut text = Zeroizing::new(String::with_capacity(7 + key.len()));
                text.push_str("Bearer ");
                text.push_str(key);
                headers.insert(AUTHORIZATION, sensitive("key", &text)?);
            }
            Scheme::Header(name) => {
                headers.insert(name.clone(), sensitive("key", key)?);
            }
            // Proves itself in the address.
            Scheme::SparkHmac => return Err(CredentialError::Unsigned),
        }
        for (name, value) in extra {
            let header = face.credential.optional.get(name);
            let header = header.ok_or_else(|| CredentialError::Unknown(name.clone()))?;
            let header: HeaderName =
                header.parse().map_err(|_| CredentialError::Unfit(name.clone()))?;
            headers.insert(header, sensitive(name, value)?);
        }
        Ok(())
    }
}

impl Scheme {
    /// Whether a proof holds the time that it was made at, which a platform compares with
    /// its own clock.
    pub fn tells_time(&self) -> bool {
        matches!(self, Scheme::SparkHmac)
    }
}

fn header_name<'de, D: Deserializer<'de>>(from: D) -> Result<HeaderName, D::Error> {
    let name = String::deserialize(from)?;
    name.parse().map_err(|_| D::Error::custom(format!("`{name}` is no header's name")))
}

fn wiped(fields: BTreeMap<String, String>) -> BTreeMap<String, Zeroizing<String>> {
    fields.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect()
}

fn sensitive(name: &str, text: &str) -> Result<HeaderValue, CredentialError> {
    let fits = text.bytes().all(|byte| (0x20..0x7F).contains(&byte));
    let value = HeaderValue::from_str(text).ok().filter(|_| fits);
    let mut value = value.ok_or_else(|| CredentialError::Unfit(name.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platforms::{Catalogue, DialectName};

    fn headers(platform: &str, file: &str) -> Result<HeaderMap, CredentialError> {
        let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
        let platform = catalogue.platform(platform).unwrap();
        let face = platform.face(None).unwrap();
        let sealed = Credential::parse(face, file)?.to_sealed();
        let mut headers = HeaderMap::new();
        Credential::from_sealed(&sealed)?.authorize(face, &mut headers)?;
        Ok(headers)
    }

    #[test]
    fn a_raw_key_and_an_object_become_headers_that_are_not_logged() {
        let headers_raw = headers("openai", " sk-1\n").unwrap();
        assert_eq!(headers_raw["authorization"], "Bearer sk-1");
        assert!(headers_raw["authorization"].is_sensitive());
        let file = r#"{"key":"sk-1","organization":"org-2"}"#;
        let both = headers("openai", file).unwrap();
        assert_eq!(both["openai-organization"], "org-2");
    }

    #[test]
    fn a_key_stands_bare_in_the_header_that_the_catalogue_names() {
        let headers = headers("claude", "sk-ant-1").unwrap();
        assert_eq!(headers["x-api-key"], "sk-ant-1");
        assert!(headers["x-api-key"].is_sensitive() && headers.len() == 1);
        let spec = toml::from_str::<CredentialSpec>("scheme = { header = 'a b' }");
        assert!(spec.unwrap_err().to_string().contains("`a b` is no header's name"));
    }

    const TRIPLE: &str = r#"{"app_id":"5f0a1b2c","api_key":"k","api_secret":"s"}"#;

    fn spark_ws(file: &str) -> Result<UpstreamRequest, CredentialError> {
        let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
        let face = catalogue.platform("spark").unwrap().face(Some(DialectName::SparkWs)).unwrap();
        let sealed = Credential::parse(face, file)?.to_sealed();
        let mut request = UpstreamRequest {
            url: "wss://h/v1.1/chat".parse().unwrap(),
            body: "{}".into(),
            streams: true,
            headers: HeaderMap::new(),
        };
        Credential::from_sealed(&sealed)?.sign(face, &mut request, Timestamp::UNIX_EPOCH)?;
        Ok(request)
    }

    #[test]
    fn three_fields_sign_an_address_and_name_the_app_in_the_frame() {
        let request = spark_ws(TRIPLE).unwrap();
        assert!(request.url.to_string().contains("&date=Thu%2C+01+Jan+1970+00%3A00%3A00+GMT"));
        assert!(request.headers.is_empty());
        assert_eq!(request.body, r#"{"header":{"app_id":"5f0a1b2c"}}"#);
    }

    #[test]
    fn a_key_file_fits_the_face_that_it_is_for_alone() {
        let error = |file: &str| spark_ws(file).err().unwrap();
        assert_eq!(error(""), CredentialError::Empty);
        assert_eq!(error("an-api-password"), CredentialError::Missing("app_id".to_owned()));
        assert_eq!(
            error(r#"{"app_id":"a","api_key":"k"}"#),
            CredentialError::Missing("api_secret".to_owned())
        );
        let more = TRIPLE.replace("}", r#","key":"x"}"#);
        assert_eq!(error(&more), CredentialError::Unknown("key".to_owned()));
        assert_eq!(
            headers("spark", TRIPLE).unwrap_err(),
            CredentialError::Missing("key".to_owned())
        );
    }

    #[test]
    fn what_cannot_work_is_refused_when_it_is_bound() {
        let error = |file| headers("openai", file).unwrap_err();
        assert_eq!(error(" "), CredentialError::Empty);
        assert_eq!(error("{}"), CredentialError::Missing("key".to_owned()));
        assert_eq!(error("{\"key\":1}"), CredentialError::Unreadable);
        assert_eq!(error(r#"{"key":"k","x":"y"}"#), CredentialError::Unknown("x".to_owned()));
        assert_eq!(error("a\nb"), CredentialError::Unfit("key".to_owned()));
    }
}
