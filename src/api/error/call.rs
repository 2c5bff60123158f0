//! Failures of calls to models, as answers. A platform's 401 or 403 never reaches the caller as
//! such: the caller's own token was good.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

use super::{INVALID, SERVER, refuse};
use crate::platforms::{ErrorClass, PlatformError, Reader, Refusal};
use crate::relay::CallError;
use crate::store::StoreError;
use crate::telemetry::clock;

/// What other requests of the caller hold is back soon.
const HELD_RETRY: Duration = Duration::from_secs(1);
/// A store that is down is tried again after this.
const STORE_RETRY: Duration = Duration::from_secs(2);

/// A call's failure as it is answered.
pub(super) fn call(error: CallError) -> Refusal {
    let message = error.to_string();
    match error {
        CallError::Bad(bad) => Refusal {
            status: StatusCode::BAD_REQUEST,
            body: bad.into_body(),
            retry_after: None,
            never_retry: false,
        },
        CallError::AccountNotFound(_) => {
            refuse(StatusCode::NOT_FOUND, INVALID, Some("account_id"), "account_not_found", message)
        }
        CallError::ModelNotFound { .. } => {
            refuse(StatusCode::NOT_FOUND, INVALID, Some("model"), "model_not_found", message)
        }
        CallError::Exhausted { platform, resets_at } => exhausted(platform.as_str(), resets_at),
        CallError::NothingLeft { quota, points } => {
            let mut refusal = call(*quota);
            refusal.body.message = format!("{} Also, {points}.", refusal.body.message);
            refusal
        }
        CallError::Limited { retry_after, .. } | CallError::OverRate { retry_after, .. } => {
            too_fast(message, retry_after)
        }
        CallError::PointsHeld => too_fast(message, HELD_RETRY),
        CallError::OverBudget { resets_at: None, .. } => {
            let held = format!("{message}: its other requests hold what is left");
            too_fast(held, HELD_RETRY)
        }
        CallError::OverBudget { resets_at: Some(at), .. } => Refusal {
            never_retry: true,
            ..too_fast(format!("{message}: they are used up until {at}"), wait_for(at))
        },
        CallError::Unauthorized { .. } => Refusal {
            never_retry: true,
            ..refuse(StatusCode::BAD_GATEWAY, SERVER, None, "account_unauthorized", message)
        },
        CallError::Platform { platform, account, error, reader } => {
            by_platform(&format!("account {account} on {platform}"), &error, reader)
        }
        CallError::Unreachable { .. } => {
            refuse(StatusCode::BAD_GATEWAY, SERVER, None, "upstream_error", message)
        }
        CallError::TimedOut { .. } => {
            refuse(StatusCode::GATEWAY_TIMEOUT, SERVER, None, "upstream_timeout", message)
        }
        CallError::Store(_) | CallError::ShuttingDown => {
            // The store's own words are the operator's: they stand in the log.
            let message = match error {
                CallError::Store(StoreError::Full(_)) => {
                    "The gateway's disk is full; nothing was sent or charged. Whoever runs it must \
                     free some room: then ask again."
                }
                _ => "The gateway can't reach its store just now; nothing was sent or charged.",
            };
            Refusal {
                retry_after: Some(STORE_RETRY),
                ..refuse(
                    StatusCode::SERVICE_UNAVAILABLE,
                    SERVER,
                    None,
                    "store_unavailable",
                    message.into(),
                )
            }
        }
    }
}

/// A platform's refusal, with the account and the remedy before it where it is about those.
fn by_platform(account: &str, error: &PlatformError, reader: Reader) -> Refusal {
    let mut refusal = error.refusal(reader);
    let (what, link) = match error.class {
        ErrorClass::AuthExpired => ("needs authorization: bind it anew", ". The platform said: "),
        ErrorClass::Banned => ("needs authorization: its platform has shut it", ". It said: "),
        ErrorClass::QuotaExhausted => ("is out of quota", ": "),
        _ => return refusal,
    };
    refusal.body.message = match error.words_for(reader) {
        Some(said) => format!("{account} {what}{link}{said}"),
        None => format!("{account} {what}. The platform's own words are for its owner."),
    };
    refusal
}

fn exhausted(platform: &str, resets_at: Option<Timestamp>) -> Refusal {
    let when = resets_at.map(|at| format!(" The first resets at {at}.")).unwrap_or_default();
    Refusal {
        // A reset that has just come still tells a client to come back.
        retry_after: resets_at.map(wait_for),
        never_retry: true,
        ..refuse(
            StatusCode::TOO_MANY_REQUESTS,
            "insufficient_quota",
            None,
            "insufficient_quota",
            format!("The quota of every {platform} account is used up.{when}"),
        )
    }
}

pub(in super::super) fn too_fast(message: String, retry_after: Duration) -> Refusal {
    Refusal {
        retry_after: Some(retry_after),
        ..refuse(
            StatusCode::TOO_MANY_REQUESTS,
            "rate_limit_error",
            None,
            "rate_limit_exceeded",
            message,
        )
    }
}

fn wait_for(at: Timestamp) -> Duration {
    at.duration_since(clock::now()).try_into().unwrap_or_default()
}
