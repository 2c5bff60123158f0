//! The one place where errors become answers.
//!
//! Every failure is `{"error":{"message","type","param","code"}}`.

mod call;

mod pools;

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use http::header::{ALLOW, HeaderValue, RETRY_AFTER};

use super::Response;
use super::SignInError;
use super::answer::{JSON, whole};
use crate::accounts::Scope;
use crate::front::ErrorBody;
use crate::platforms::Refusal;
use crate::relay::CallError;
use crate::store::StoreError;
use crate::vault::SealError;

pub(super) use call::too_fast;
pub use pools::PoolError;

const INVALID: &str = "invalid_request_error";
const SERVER: &str = "server_error";
const NO_RETRY: HeaderValue = HeaderValue::from_static("false");

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
    /// The request is for another host than the public URL's.
    OtherHost,
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
    /// No such gateway token among the caller's; the id may not even be one.
    NoSuchToken,
    /// A token that would be allowed more than another one.
    StrongerToken {
        /// In which field.
        field: &'static str,
        /// Than which.
        than: Stronger,
    },
    /// The caller has as many tokens as one may have.
    TooManyTokens {
        /// So many.
        most: usize,
    },
    /// The system gives no random bytes.
    NoRandom(getrandom::Error),
    /// The token was changed by somebody else meanwhile.
    TokenChanged,
    /// A platform's accounts are bound by a key alone.
    MethodNotOffered {
        /// The platform.
        platform: String,
        /// Its name for people.
        name: String,
        /// What its key is, and where a person gets it.
        help: String,
    },
    /// A call about a pool or its members got nothing.
    Pool(PoolError),
    /// The key ring seals no more.
    Unsealed(SealError),
    /// An errand without a good proof.
    UnprovedErrand,
    /// An errand that can't be read.
    BadErrand,
    /// Nobody is signed in, or may do what it asks.
    SignIn(SignInError),
    /// The call failed.
    Call(CallError),
}

/// Than which token another one would be stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stronger {
    /// The one that asks for it.
    ThanItsMaker,
    /// The one that it was.
    ThanItWas,
    /// The one that would change or revoke it.
    ThanWhoChangesIt,
    /// The one that asks for it, beside that one.
    BesideItsMaker,
}

impl From<CallError> for ApiError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<PoolError> for ApiError {
    fn from(error: PoolError) -> Self {
        Self::Pool(error)
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
            Self::OtherHost => bad(
                StatusCode::MISDIRECTED_REQUEST,
                "This gateway answers for the host of its public URL alone.".into(),
            ),
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
            Self::NoSuchToken => refuse(
                StatusCode::NOT_FOUND,
                INVALID,
                Some("token_id"),
                "token_not_found",
                "There is no such token among yours.".into(),
            ),
            Self::StrongerToken { field, than } => {
                let said = match than {
                    Stronger::ThanItsMaker => format!(
                        "A token makes none that may do more than itself: `{field}` would allow more."
                    ),
                    Stronger::ThanItWas => format!(
                        "A token's limits can be tightened only: `{field}` would allow more."
                    ),
                    Stronger::ThanWhoChangesIt => format!(
                        "A token changes and revokes none that reaches further than itself: \
                         `{field}` does."
                    ),
                    Stronger::BesideItsMaker => format!(
                        "A token with `{field}` makes none with the scope chat: that one's calls \
                         would be counted for themselves, and come on top."
                    ),
                };
                refuse(StatusCode::FORBIDDEN, INVALID, Some(field), "stronger_token", said)
            }
            Self::TooManyTokens { most } => Refusal {
                never_retry: true,
                ..refuse(
                    StatusCode::CONFLICT,
                    INVALID,
                    None,
                    "too_many_tokens",
                    format!("You have {most} tokens. Revoke those that you no longer need."),
                )
            },
            Self::NoRandom(error) => {
                tracing::error!(%error, "a token can't be made");
                refuse(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    SERVER,
                    None,
                    "no_random_bytes",
                    "The gateway's system gives no random bytes.".into(),
                )
            }
            Self::TokenChanged => refuse(
                StatusCode::CONFLICT,
                INVALID,
                Some("token_id"),
                "token_changed",
                "The token was changed or revoked meanwhile. Look at it, and try again.".into(),
            ),
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
            Self::Pool(error) => error.refusal(),
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
            Self::SignIn(error) => error.refusal(),
            Self::Call(error) => call::call(error),
        }
    }
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

pub(super) fn refuse(
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
mod tests;
