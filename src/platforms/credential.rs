//! Credentials: what proves an account to its platform.
//!
//! A credential is parsed from a key file, sealed as the JSON of [`Credential::to_sealed`],
//! and written into a request's headers by [`Credential::authorize`]. Secrets are
//! wiped from memory when dropped and can't be printed.

use http::HeaderMap;
use zeroize::Zeroizing;

use super::Face;

/// What proves an account.
pub enum Credential {
    /// A key, with the fields that some platforms want beside it.
    Key {
        /// The key itself.
        key: Zeroizing<String>,
        /// Other fields, by the names of the face's credential scheme.
        extra: Vec<(String, Zeroizing<String>)>,
    },
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
    #[error("the credential's field `{0}` has characters that a header can't carry")]
    Unfit(String),
    /// Not the JSON that was sealed.
    #[error("the sealed credential can't be read")]
    Unreadable,
}

impl Credential {
    /// Reads a key file: the raw key, or a JSON object where several fields are needed.
    ///
    /// # Errors
    /// What is missing or too much.
    pub fn parse(_face: &Face, _file: &str) -> Result<Credential, CredentialError> {
        Err(CredentialError::Empty)
    }

    /// The plaintext that is sealed.
    pub fn to_sealed(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Vec::new())
    }

    /// Reads back what [`to_sealed`](Self::to_sealed) wrote.
    ///
    /// # Errors
    /// [`CredentialError::Unreadable`].
    pub fn from_sealed(_plain: &[u8]) -> Result<Credential, CredentialError> {
        Err(CredentialError::Unreadable)
    }

    /// Adds what proves the account to a request's headers.
    ///
    /// # Errors
    /// When a field can't stand in a header.
    pub fn authorize(&self, _face: &Face, _headers: &mut HeaderMap) -> Result<(), CredentialError> {
        Ok(())
    }
}
