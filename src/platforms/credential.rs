//! Credentials: what proves an account to its platform.
//!
//! A key is read from a key file ([`Credential::parse`]); a login comes from an
//! authorization. Either is sealed as the JSON of [`Credential::to_sealed`], and proves a
//! request by [`Credential::prove`]. Secrets are wiped from memory when dropped
//! and can't be printed.

mod key_file;
mod prove;
mod sealed;
mod spec;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Face, Issuer};

pub use prove::{Proof, Secrets};
pub(super) use prove::{bearer, sensitive};
pub use spec::{CredentialSpec, Scheme};

/// A text that is wiped when it is dropped.
pub type Secret = Zeroizing<String>;

/// The field of a key that its platform made for a short time.
const ISSUED: &str = "issued";

/// What proves an account.
pub enum Credential {
    /// A key, or the fields that stand in its place.
    Key {
        /// The row of the face's [`CredentialSpec`] that it is used by; `None`: the usual one.
        scheme: Option<String>,
        /// Its fields: `key` and what may stand beside it, or those of its scheme.
        fields: BTreeMap<String, Secret>,
    },
    /// A login by OAuth. When it ends is the account's `expires_at`.
    Oauth {
        /// What is sent.
        access_token: Secret,
    },
    /// A login that a browser made: sent as it was captured.
    Session {
        /// Cookies by name.
        cookies: BTreeMap<String, Secret>,
        /// Headers by name.
        headers: BTreeMap<String, Secret>,
    },
}

/// What a credential is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// [`Credential::Key`].
    #[default]
    Key,
    /// [`Credential::Oauth`].
    Oauth,
    /// [`Credential::Session`].
    Session,
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
    /// A field is not written as its scheme wants it.
    #[error("the credential's field `{field}` is not of the form `{form}`")]
    Misshapen {
        /// Which field.
        field: String,
        /// How it is written.
        form: &'static str,
    },
    /// Its `scheme` is none of the face's. Not repeated: it may be anything.
    #[error("the credential's `scheme` is none that this platform has; it may be: {0}")]
    NoScheme(String),
    /// The face takes no credential of its kind.
    #[error("this dialect is not used with such a credential")]
    WrongKind,
    /// The request is none that this scheme can sign.
    #[error("the credential can't sign the request")]
    Unsigned,
    /// Not JSON, or not what was sealed.
    #[error("the credential can't be read")]
    Unreadable,
}

/// Shorter ends of a key are no secrets, and would be found in anybody's words.
const SHORTEST_END: usize = 12;

/// A value and, of a key in several parts (`id.secret`, `bce-v3/id/secret`), the last of them.
fn told(value: &str) -> impl Iterator<Item = &str> {
    let end = value.rsplit(['.', '/']).next();
    let end = end.filter(|end| end.len() < value.len() && end.len() >= SHORTEST_END);
    std::iter::once(value).chain(end)
}

impl Credential {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Key { .. } => Kind::Key,
            Self::Oauth { .. } => Kind::Oauth,
            Self::Session { .. } => Kind::Session,
        }
    }

    /// Every secret in it, to be taken out of what a platform says.
    pub fn secrets(&self) -> Vec<&str> {
        let values: Vec<&Secret> = match self {
            Self::Key { fields, .. } => fields.values().collect(),
            Self::Oauth { access_token } => vec![access_token],
            Self::Session { cookies, headers } => {
                cookies.values().chain(headers.values()).collect()
            }
        };
        values.into_iter().flat_map(|value| told(value)).collect()
    }

    /// A field of a key.
    pub(super) fn field(&self, name: &str) -> Result<&Secret, CredentialError> {
        match self {
            Self::Key { fields, .. } => fields.get(name),
            _ => None,
        }
        .ok_or_else(|| CredentialError::Missing(name.to_owned()))
    }

    /// The row of a face that it is used by.
    pub(super) fn row<'f>(&self, face: &'f Face) -> Result<&'f CredentialSpec, CredentialError> {
        let spec = &face.credential;
        if !spec.takes.contains(&self.kind()) {
            return Err(CredentialError::WrongKind);
        }
        match self {
            Self::Key { scheme: Some(name), .. } => {
                spec.row(name).ok_or_else(|| CredentialError::NoScheme(spec.names()))
            }
            _ => Ok(spec),
        }
    }

    /// Whether a face takes it: the credential's kind and fields pick the face.
    pub fn fits(&self, face: &Face) -> bool {
        let Ok(row) = self.row(face) else { return false };
        let Self::Key { fields, .. } = self else { return true };
        row.fields().iter().all(|name| fields.contains_key(*name))
    }

    /// Who makes the short-lived key that stands in its place in calls, if it is not sent
    /// itself.
    pub fn issuer<'f>(&self, face: &'f Face) -> Option<&'f Issuer> {
        self.issuer_of(face).filter(|issuer| !issuer.only_checks)
    }

    /// As [`issuer`](Self::issuer), for a check.
    pub fn issuer_for_checks<'f>(&self, face: &'f Face) -> Option<&'f Issuer> {
        self.issuer_of(face)
    }

    fn issuer_of<'f>(&self, face: &'f Face) -> Option<&'f Issuer> {
        let Self::Key { fields, .. } = self else { return None };
        if fields.contains_key(ISSUED) { None } else { self.row(face).ok()?.issuer.as_ref() }
    }

    /// With the short-lived key that its issuer made.
    #[must_use]
    pub fn with_issued(mut self, key: Secret) -> Self {
        if let Self::Key { fields, .. } = &mut self {
            fields.insert(ISSUED.to_owned(), key);
        }
        self
    }
}

fn wiped(fields: BTreeMap<String, String>) -> BTreeMap<String, Secret> {
    fields.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect()
}

#[cfg(test)]
mod tests;
