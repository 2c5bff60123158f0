//! Why somebody is not signed in, or may not do what it asks, as answers.

use std::time::Duration;

use http::StatusCode;

use super::ApiError;
use super::error::{refuse, too_fast};
use super::oidc_error::OidcError;
use crate::identity::{NoEntry, NoHash};
use crate::platforms::Refusal;

const INVALID: &str = "invalid_request_error";
const UNAUTHENTICATED: &str = "authentication_error";
/// A turn to hash comes soon.
const HASH_RETRY: Duration = Duration::from_secs(5);

/// Why a call of the console is refused.
#[derive(Debug)]
pub enum SignInError {
    /// There is no good session, or a token was sent where a session is needed.
    NotSignedIn,
    /// The name or the password is wrong, or the user is disabled.
    Wrong,
    /// The old password is wrong.
    WrongPassword,
    /// It was tried too often.
    TooOften {
        /// How long to wait.
        wait: Duration,
    },
    /// The password can't be hashed just now.
    NoHash(NoHash),
    /// The user is no operator.
    NoOperator,
    /// Another site's page sent it.
    CrossSite,
    /// The page did not send the session's token.
    NoCsrfToken,
    /// The body is not said to be JSON.
    NotJson,
    /// The link is not known, has ended or was used.
    NoLink,
    /// There is a user of that name.
    NameTaken,
    /// There is no such user.
    NoUser,
    /// The user has no such session.
    NoSession,
    /// Nobody would be left to add users.
    LastOperator,
    /// A sign-in at the OpenID provider came to nothing.
    Oidc(OidcError),
}

impl From<SignInError> for ApiError {
    fn from(error: SignInError) -> Self {
        Self::SignIn(error)
    }
}

impl From<NoEntry> for ApiError {
    fn from(error: NoEntry) -> Self {
        let error = match error {
            NoEntry::Wrong => SignInError::Wrong,
            NoEntry::TooOften { wait } => SignInError::TooOften { wait },
            NoEntry::NoLink => SignInError::NoLink,
            NoEntry::Taken => SignInError::NameTaken,
            NoEntry::Unknown => SignInError::Oidc(OidcError::UnknownUser),
            NoEntry::Connected => SignInError::Oidc(OidcError::Connected),
            NoEntry::Hash(error) => SignInError::NoHash(error),
            NoEntry::Store(error) => return Self::store(error),
            NoEntry::NoRandom(error) => {
                tracing::error!(%error, "nobody can sign in");
                SignInError::NoHash(NoHash::Failed)
            }
        };
        error.into()
    }
}

impl SignInError {
    pub(super) fn refusal(self) -> Refusal {
        let bad = |status, param, code, message: &str| {
            refuse(status, INVALID, param, code, message.to_owned())
        };
        let unauthenticated = |code, message: &str| {
            refuse(StatusCode::UNAUTHORIZED, UNAUTHENTICATED, None, code, message.to_owned())
        };
        match self {
            Self::NotSignedIn => unauthenticated(
                "not_signed_in",
                "This call takes a console session: sign in with POST /api/v1/session. Gateway \
                 tokens are no way to it.",
            ),
            Self::Wrong => unauthenticated("wrong_sign_in", "The name or the password is wrong."),
            Self::WrongPassword => bad(
                StatusCode::BAD_REQUEST,
                Some("old_password"),
                "wrong_password",
                "The old password is wrong.",
            ),
            Self::TooOften { wait } => {
                let mut refusal =
                    too_fast("This was tried too often: wait before the next try.".into(), wait);
                refusal.never_retry = true;
                refusal
            }
            Self::NoHash(error) => Refusal {
                retry_after: Some(HASH_RETRY),
                ..refuse(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "server_error",
                    None,
                    "busy",
                    format!("Nobody can sign in just now: {error}."),
                )
            },
            Self::NoOperator => bad(
                StatusCode::FORBIDDEN,
                None,
                "operator_required",
                "This call is for the gateway's operators.",
            ),
            Self::CrossSite => bad(
                StatusCode::FORBIDDEN,
                None,
                "cross_site",
                "This call must come from the gateway's own pages: `Origin` is another one.",
            ),
            Self::NoCsrfToken => bad(
                StatusCode::FORBIDDEN,
                None,
                "csrf_token_invalid",
                "Send the session's token as X-CSRF-Token: GET /api/v1/session has it.",
            ),
            Self::NotJson => bad(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                None,
                "unsupported_media_type",
                "Send JSON, with `Content-Type: application/json`.",
            ),
            Self::NoLink => bad(
                StatusCode::NOT_FOUND,
                Some("token"),
                "link_not_found",
                "The link is not known, has ended or was used: ask for a new one.",
            ),
            Self::NameTaken => bad(
                StatusCode::CONFLICT,
                Some("name"),
                "name_taken",
                "There is already a user of that name.",
            ),
            Self::NoUser => {
                bad(StatusCode::NOT_FOUND, Some("user"), "user_not_found", "There is no such user.")
            }
            Self::NoSession => bad(
                StatusCode::NOT_FOUND,
                Some("session"),
                "session_not_found",
                "You have no such session.",
            ),
            Self::LastOperator => bad(
                StatusCode::CONFLICT,
                Some("user"),
                "last_operator",
                "It is the last operator that can act: make another one first.",
            ),
            Self::Oidc(error) => error.refusal(),
        }
    }

    /// One of each, for the reference.
    #[cfg(test)]
    pub(super) fn each() -> Vec<Self> {
        let mut each = vec![
            Self::NotSignedIn,
            Self::Wrong,
            Self::WrongPassword,
            Self::TooOften { wait: Duration::from_secs(1) },
            Self::NoHash(NoHash::Busy),
            Self::NoOperator,
            Self::CrossSite,
            Self::NoCsrfToken,
            Self::NotJson,
            Self::NoLink,
            Self::NameTaken,
            Self::NoUser,
            Self::NoSession,
            Self::LastOperator,
        ];
        each.extend(OidcError::each().map(Self::Oidc));
        each
    }
}
