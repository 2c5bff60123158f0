//! One request to an issuer of short-lived keys.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, HeaderValue};
use http_body_util::Full;

use crate::platforms::{
    Credential, ErrorClass, Face, Issued, Issuer, Platform, PlatformError, understand,
};
use crate::store::StoreError;
use crate::telemetry::clock;
use crate::upstream::{Client, SendFailure, USER_AGENT};
use crate::vault::mask;

/// How long an issuer may take.
const WITHIN: Duration = Duration::from_secs(20);

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Why there is no short-lived key. None of the texts holds a part of a credential.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KeyError {
    /// The platform makes none, and says why.
    #[error("{}", .0.message)]
    Refused(Box<PlatformError>),
    /// It can't be reached: no account is to blame.
    #[error("{0}")]
    Unreachable(String),
    /// It does not answer, or sends no key.
    #[error("{0}")]
    Failed(String),
    /// Another gateway has not made it yet.
    #[error("another gateway has not made the short-lived key yet")]
    Awaited,
    /// The store does not keep it just now, or can't be asked for it.
    #[error("{0}")]
    Store(StoreError),
    /// We can't keep it.
    #[error("{0}")]
    Unkept(String),
}

/// Asks an issuer for a key of a credential.
///
/// # Errors
/// [`KeyError::Refused`], [`KeyError::Unreachable`], [`KeyError::Failed`].
pub async fn fetch(
    client: &Client,
    platform: &Platform,
    face: &Face,
    issuer: &Issuer,
    credential: &Credential,
) -> Result<Issued, KeyError> {
    let failed = |why: &dyn std::fmt::Display| {
        KeyError::Failed(format!("{}'s issuer of short-lived keys: {why}", platform.id))
    };
    if !platform.may_be_sent_to(issuer.address()) {
        return Err(failed(&"its address is not among the platform's api_origins"));
    }
    let asked_at = clock::now();
    let mut request: Request<Full<Bytes>> =
        issuer.ask(credential, asked_at).map_err(|error| failed(&error))?.map(|()| Full::default());
    request.headers_mut().insert(ACCEPT, JSON);
    request.headers_mut().insert(http::header::USER_AGENT, USER_AGENT);
    let answer = tokio::time::timeout(WITHIN, async {
        let reply = client.open_stream(request).await?;
        let body = client.glance(reply.body).await;
        Ok::<_, SendFailure>((reply.status, reply.headers, body))
    });
    let (status, headers, body) = match answer.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(SendFailure::NotConnected(why))) => {
            let issuer = &platform.id;
            return Err(KeyError::Unreachable(format!(
                "{issuer}'s issuer of short-lived keys: {why}"
            )));
        }
        Ok(Err(error)) => return Err(failed(&error)),
        Err(_) => return Err(failed(&format!("no answer within {} s", WITHIN.as_secs()))),
    };
    if status.is_success()
        && let Some(issued) = issuer.read(&body, asked_at)
    {
        return Ok(issued);
    }
    let said = std::str::from_utf8(&body).unwrap_or_default();
    let said = mask(said, &credential.secrets());
    Err(refused(understand(platform, face, status, &headers, said.as_bytes())))
}

/// What a refusal means: nothing that the caller asked for was at fault.
fn refused(mut error: PlatformError) -> KeyError {
    if let ErrorClass::InvalidRequest | ErrorClass::ContentFiltered | ErrorClass::NotFound =
        error.class
    {
        error.class = ErrorClass::UpstreamFault;
    }
    error.words = crate::platforms::Words::OfAccount;
    error.this_model_only = false;
    KeyError::Refused(Box::new(error))
}
