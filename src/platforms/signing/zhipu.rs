//! Zhipu's token: a JWT that a key `id.secret` signs, HS256, with `sign_type` in its header
//! and its times in milliseconds (`zai-sdk`, `core/_jwt_token.py`).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;
use zeroize::Zeroizing;

use super::hmac_sha256;
use crate::platforms::credential::{CredentialError, Secret};

/// As long as the vendor's SDK makes it: five minutes are the most.
const LIFE_MS: i64 = 210_000;

const HEADER: &str = r#"{"alg":"HS256","sign_type":"SIGN","typ":"JWT"}"#;

#[derive(Serialize)]
struct Claims<'a> {
    api_key: &'a str,
    exp: i64,
    timestamp: i64,
}

/// A token for one call, signed at this time.
///
/// # Errors
/// When the key is not of the form `id.secret`.
pub(in crate::platforms) fn token(key: &str, at: Timestamp) -> Result<Secret, CredentialError> {
    let parts = key
        .split_once('.')
        .filter(|(id, secret)| !id.is_empty() && !secret.is_empty() && !secret.contains('.'));
    let (id, secret) = parts
        .ok_or_else(|| CredentialError::Misshapen { field: "key".to_owned(), form: "id.secret" })?;
    let now = at.as_millisecond();
    let claims = Claims { api_key: id, exp: now.saturating_add(LIFE_MS), timestamp: now };
    let claims = serde_json::to_vec(&claims).expect("texts and numbers serialise");
    let mut token = Zeroizing::new(String::with_capacity(320 + 2 * id.len()));
    URL_SAFE_NO_PAD.encode_string(HEADER, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = hmac_sha256(secret.as_bytes(), token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by PyJWT 2.15 with the header, claims and key below.
    const BY_PYJWT: &str = "eyJhbGciOiJIUzI1NiIsInNpZ25fdHlwZSI6IlNJR04iLCJ0eXAiOiJKV1QifQ.eyJhcGlfa2V5IjoiMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYiLCJleHAiOjE3OTAwMDAyMTAxMjMsInRpbWVzdGFtcCI6MTc5MDAwMDAwMDEyM30.bt7wReNpungQd4Y4XdRYQffZLt2P1qKnLTai_Oh-qzE";

    #[test]
    fn a_token_is_the_one_that_the_vendors_library_makes() {
        let at = Timestamp::from_millisecond(1_790_000_000_123).unwrap();
        let key = "0123456789abcdef0123456789abcdef.0123456789abcdEF";
        assert_eq!(token(key, at).unwrap().as_str(), BY_PYJWT);
    }

    #[test]
    fn a_key_of_another_form_is_refused_without_it() {
        for key in ["", "id", "id.", ".secret", "a.b.c"] {
            let error = token(key, Timestamp::UNIX_EPOCH).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the credential's field `key` is not of the form `id.secret`"
            );
        }
    }
}
