//! The one place where errors become answers.
//!
//! Every failure is `{"error":{"message","type","param","code"}}`. A platform's 401
//! or 403 never reaches the caller as such: the caller's own token was good.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use http::header::{ALLOW, HeaderValue, RETRY_AFTER};
use jiff::Timestamp;

use super::Response;
use super::answer::{JSON, whole};
use crate::accounts::Scope;
use crate::front::ErrorBody;
use crate::platforms::{ErrorClass, PlatformError, Reader, Refusal};
use crate::relay::CallError;
use crate::store::StoreError;
use crate::telemetry::clock;
use crate::vault::SealError;

const INVALID: &str = "invalid_request_error";
const SERVER: &str = "server_error";
const NO_RETRY: HeaderValue = HeaderValue::from_static("false");
/// What other requests of the caller hold is back soon.
const HELD_RETRY: Duration = Duration::from_secs(1);
/// A store that is down is tried again after this.
const STORE_RETRY: Duration = Duration::from_secs(2);

/// Why a request got no answer.
#[derive(Debug)]
pub enum ApiError {
    /// No token was sent.
    NoToken,
    /// The token is unknown, ended or revoked.
    UnknownToken,
    /// The token may not do this.
    OutOfScope(Scope),
    /// The path has nothing.
    NoRoute,
    /// The path does not take this method.
    WrongMethod {
        /// What it takes.
        allowed: String,
    },
    /// The body is longer than allowed.
    BodyTooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body stopped coming.
    BodyTooSlow,
    /// The body broke off.
    BodyCut,
    /// `X-Account-Id` is not an account's id, or not the body's.
    BadAccountId,
    /// A header's name has an underscore.
    UnderscoredHeader,
    /// No such account among the caller's; the id may not even be one.
    NoAccount,
    /// No such authorization among the caller's.
    NoSession,
    /// No such notice among the caller's.
    NoNotice,
    /// Another account of the pool has the name.
    NameTaken,
    /// A platform's accounts are bound by a key alone.
    MethodNotOffered {
        /// The platform.
        platform: String,
        /// Its name for people.
        name: String,
        /// What its key is, and where a person gets it.
        help: String,
    },
    /// The key ring seals no more.
    Unsealed(SealError),
    /// An errand without a good proof.
    UnprovedErrand,
    /// An errand that can't be read.
    BadErrand,
    /// The call failed.
    Call(CallError),
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl ApiError {
    /// The store failed.
    pub fn store(error: StoreError) -> Self {
        Self::Call(CallError::Store(error))
    }

    /// A call about an account failed: what is not there is told alike, whatever its id.
    pub fn unfound(error: CallError) -> Self {
        match error {
            CallError::AccountNotFound(_) => Self::NoAccount,
            error => Self::Call(error),
        }
    }

    /// Whether the caller may still be sending.
    pub fn leaves_a_body(&self) -> bool {
        !matches!(self, Self::BodyTooSlow | Self::BodyCut)
    }

    /// The answer.
    pub fn into_response(self) -> Response {
        let allow = match &self {
            Self::WrongMethod { allowed } => HeaderValue::try_from(allowed).ok(),
            _ => None,
        };
        let refusal = self.refusal();
        let mut response = whole(refusal.status, JSON, refusal.body.envelope());
        let headers = response.headers_mut();
        if let Some(wait) = refusal.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        if refusal.never_retry {
            headers.insert("x-should-retry", NO_RETRY);
        }
        if let Some(allow) = allow {
            headers.insert(ALLOW, allow);
        }
        response
    }

    fn refusal(self) -> Refusal {
        let bad = |status, message: String| refuse(status, INVALID, None, INVALID, message);
        match self {
            Self::NoToken => unauthenticated(
                "No gateway token was sent. Send it as `Authorization: Bearer TOKEN`.",
            ),
            Self::UnknownToken => {
                unauthenticated("The gateway token is not known, has ended or was revoked.")
            }
            Self::OutOfScope(scope) => {
                let scope = serde_json::to_string(&scope).unwrap_or_default();
                bad(StatusCode::FORBIDDEN, format!("This token lacks the scope {scope}."))
            }
            Self::NoRoute => bad(
                StatusCode::NOT_FOUND,
                "There is nothing at this path. Calls to models go to /v1/chat/completions.".into(),
            ),
            Self::WrongMethod { allowed } => {
                bad(StatusCode::METHOD_NOT_ALLOWED, format!("This path takes {allowed}."))
            }
            Self::BodyTooLong { limit } => bad(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("The request body is longer than {limit} bytes."),
            ),
            Self::BodyTooSlow => {
                bad(StatusCode::REQUEST_TIMEOUT, "The request body stopped coming.".into())
            }
            Self::BodyCut => bad(StatusCode::BAD_REQUEST, "The request body broke off.".into()),
            Self::BadAccountId => refuse(
                StatusCode::BAD_REQUEST,
                INVALID,
                Some("account_id"),
                INVALID,
                "X-Account-Id must be an account's number, the same as the body's account_id."
                    .into(),
            ),
            Self::UnderscoredHeader => {
                bad(StatusCode::BAD_REQUEST, "A header's name must not have an underscore.".into())
            }
            Self::NoAccount => refuse(
                StatusCode::NOT_FOUND,
                INVALID,
                Some("account_id"),
                "account_not_found",
                "There is no such account among yours.".into(),
            ),
            Self::NoSession => refuse(
                StatusCode::NOT_FOUND,
                INVALID,
                Some("session_id"),
                "session_not_found",
                "There is no such authorization among yours.".into(),
            ),
            Self::NoNotice => refuse(
                StatusCode::NOT_FOUND,
                INVALID,
                Some("notice_id"),
                "notice_not_found",
                "There is no such notice among yours.".into(),
            ),
            Self::NameTaken => Refusal {
                // An SDK tries again where there is a conflict: this one stays.
                never_retry: true,
                ..refuse(
                    StatusCode::CONFLICT,
                    INVALID,
                    Some("account_name"),
                    "name_taken",
                    "You have another account of that name on the platform.".into(),
                )
            },
            Self::MethodNotOffered { platform, name, help } => refuse(
                StatusCode::BAD_REQUEST,
                INVALID,
                Some("method"),
                "method_not_offered",
                format!(
                    "Accounts on {name} are bound by a key, not by a login. {help} Bind it: \
                     POST /api/v1/oauth/accounts {{\"platform\": \"{platform}\", \
                     \"account_name\": NAME, \"key\": KEY}}"
                ),
            ),
            Self::Unsealed(error) => {
                tracing::error!(%error, "an account can't be bound");
                refuse(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    SERVER,
                    None,
                    "sealing_failed",
                    "The gateway can't seal the credential; its operator's log says why.".into(),
                )
            }
            Self::UnprovedErrand => bad(
                StatusCode::FORBIDDEN,
                "The errand is not proved under this gateway's key ring, or came late or twice. \
                 Run the command with the gateway's TRIBUTARY_MASTER_KEYS."
                    .into(),
            ),
            Self::BadErrand => bad(
                StatusCode::BAD_REQUEST,
                "The errand can't be read: the command is of another version.".into(),
            ),
            Self::Call(error) => call(error),
        }
    }
}

fn call(error: CallError) -> Refusal {
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
        CallError::Store(_) | CallError::ShuttingDown => Refusal {
            retry_after: Some(STORE_RETRY),
            ..refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                SERVER,
                None,
                "store_unavailable",
                // The store's own words are the operator's: they stand in the log.
                "The gateway can't reach its store just now; nothing was sent or charged.".into(),
            )
        },
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

fn too_fast(message: String, retry_after: Duration) -> Refusal {
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

fn unauthenticated(message: &str) -> Refusal {
    refuse(
        StatusCode::UNAUTHORIZED,
        "authentication_error",
        None,
        "invalid_api_key",
        message.to_owned(),
    )
}

fn refuse(
    status: StatusCode,
    kind: &'static str,
    param: Option<&str>,
    code: &'static str,
    message: String,
) -> Refusal {
    let body = ErrorBody {
        message,
        kind: Cow::Borrowed(kind),
        param: param.map(str::to_owned),
        code: Some(Cow::Borrowed(code)),
    };
    Refusal { status, body, retry_after: None, never_retry: false }
}

/// Seconds, rounded up, and one at least: who comes back too early is refused again.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_when_to_come_back_even_if_that_is_now() {
        let ago = clock::now() - jiff::SignedDuration::from_secs(5);
        let ahead = clock::now() + jiff::SignedDuration::from_secs(100);
        for (resets_at, expected) in [(ago, 1..=1), (ahead, 99..=100)] {
            let error =
                CallError::Exhausted { platform: "qwen".into(), resets_at: Some(resets_at) };
            let response = ApiError::from(error).into_response();
            let wait: u64 = response.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
            assert!(expected.contains(&wait), "{wait}");
        }
        assert_eq!(whole_seconds(Duration::from_millis(1001)), 2);
    }

    #[test]
    fn the_reference_has_every_error() {
        use std::fmt::Write;

        use crate::platforms::ErrorClass::{
            AuthExpired, Banned, ContentFiltered, InvalidRequest, NotFound, Overloaded,
            QuotaExhausted, RateLimited, UpstreamFault,
        };
        let platform = || crate::accounts::PlatformId::from("qwen");
        let account = crate::accounts::AccountId(1);
        let calls = [
            CallError::Bad(crate::front::BadRequest::field("model", "")),
            CallError::AccountNotFound(account),
            CallError::ModelNotFound { hint: String::new() },
            CallError::Exhausted { platform: platform(), resets_at: None },
            CallError::NothingLeft {
                quota: Box::new(CallError::Exhausted { platform: platform(), resets_at: None }),
                points: crate::relay::PointsSaid::Gone,
            },
            CallError::OverBudget {
                limit: crate::accounts::Tokens(1),
                resets_at: Some(clock::now()),
            },
            CallError::PointsHeld,
            CallError::Limited {
                platform: platform(),
                why: "",
                retry_after: Duration::from_secs(1),
            },
            CallError::Unauthorized { platform: platform(), account, status: "" },
            CallError::TimedOut { platform: platform(), seconds: 1 },
            CallError::ShuttingDown,
        ];
        let classes = [
            InvalidRequest,
            ContentFiltered,
            NotFound,
            AuthExpired,
            Banned,
            QuotaExhausted,
            RateLimited,
            Overloaded,
            UpstreamFault,
        ];
        let by_class = classes.map(|class| {
            let error = PlatformError::new(class, "no");
            CallError::Platform { platform: platform(), account, error, reader: Reader::Owner }
        });
        let errors = [
            ApiError::NoToken,
            ApiError::UnknownToken,
            ApiError::OutOfScope(Scope::Chat),
            ApiError::NoRoute,
            ApiError::WrongMethod { allowed: "GET".into() },
            ApiError::BodyTooLong { limit: 1 },
            ApiError::BodyTooSlow,
            ApiError::BodyCut,
            ApiError::BadAccountId,
            ApiError::NoAccount,
            ApiError::UnderscoredHeader,
            ApiError::NoSession,
            ApiError::NoNotice,
            ApiError::NameTaken,
            ApiError::MethodNotOffered {
                platform: String::new(),
                name: String::new(),
                help: String::new(),
            },
            ApiError::Unsealed(SealError::TooLong { bytes: 0 }),
            ApiError::UnprovedErrand,
            ApiError::BadErrand,
        ];
        let calls = calls.into_iter().chain(by_class).map(ApiError::Call);
        let file = include_str!("../../docs/errors.md");
        let mut missing = String::new();
        for error in errors.into_iter().chain(calls) {
            let Refusal { status, body, .. } = error.refusal();
            let (status, code) = (status.as_u16(), body.code.unwrap_or_default());
            let row = format!("| {status} | `{}` | `{code}` |", body.kind);
            if !file.contains(&row) {
                writeln!(missing, "{row}").unwrap();
            }
        }
        assert_eq!(missing, "", "docs/errors.md lacks these");
    }
}
