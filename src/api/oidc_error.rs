//! Why nobody came back from the OpenID provider, as answers: people read them in a browser.

use http::StatusCode;

use super::ApiError;
use super::error::refuse;
use super::sign_in_error::SignInError;
use crate::oidc::Failure;
use crate::platforms::Refusal;

/// Why a sign-in at the provider came to nothing.
#[derive(Debug)]
pub enum OidcError {
    /// No provider is configured.
    NotOffered,
    /// It was begun in another browser, too long ago or not at all.
    NotBegun,
    /// The provider, or the person, said no.
    Denied {
        /// OpenID's code.
        code: &'static str,
    },
    /// The provider does not take the code.
    CodeRefused,
    /// What the provider answers proves nobody.
    BadToken,
    /// The provider can't be used.
    Unavailable,
    /// The e-mail address may not sign in.
    OtherDomain,
    /// The person is not known here.
    UnknownUser,
    /// The person is known, and disabled; or the session that connects it has ended.
    UserRefused,
    /// The person would be made a member, and there is one of the name.
    NameTaken,
    /// The provider gives no name that a user could have.
    NoName,
    /// Another user is connected to the person.
    Connected,
}

impl From<OidcError> for ApiError {
    fn from(error: OidcError) -> Self {
        Self::SignIn(SignInError::Oidc(error))
    }
}

impl From<Failure> for OidcError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(_) | Failure::BadToken(_) => {
                tracing::error!(error = %failure, "nobody can sign in at the OpenID provider");
            }
            _ => tracing::info!(error = %failure, "a sign-in at the OpenID provider is refused"),
        }
        match failure {
            Failure::NotOurs(_) => Self::NotBegun,
            Failure::Denied { code } => Self::Denied { code },
            Failure::CodeRefused => Self::CodeRefused,
            Failure::OtherDomain => Self::OtherDomain,
            Failure::Unavailable(_) => Self::Unavailable,
            Failure::BadToken(_) => Self::BadToken,
        }
    }
}

impl OidcError {
    pub(super) fn refusal(self) -> Refusal {
        let invalid = |status, code, message: &str| {
            refuse(status, "invalid_request_error", None, code, message.to_owned())
        };
        let fault = |status, code, message: &str| {
            refuse(status, "server_error", None, code, message.to_owned())
        };
        match self {
            Self::NotOffered => invalid(
                StatusCode::NOT_FOUND,
                "oidc_not_offered",
                "This gateway has no OpenID provider to sign in at: sign in with a password.",
            ),
            Self::NotBegun => invalid(
                StatusCode::BAD_REQUEST,
                "oidc_not_begun",
                "This sign-in was not begun in this browser, or more than ten minutes ago: begin \
                 again.",
            ),
            Self::Denied { code } => refuse(
                StatusCode::FORBIDDEN,
                "invalid_request_error",
                None,
                "oidc_denied",
                format!("The OpenID provider let nobody in: {code}."),
            ),
            Self::CodeRefused => invalid(
                StatusCode::BAD_REQUEST,
                "oidc_code_refused",
                "The OpenID provider does not take its code back: it was used, or waited too \
                 long. Begin again.",
            ),
            Self::BadToken => fault(
                StatusCode::BAD_GATEWAY,
                "oidc_token_refused",
                "What the OpenID provider answers does not prove who you are; the gateway's log \
                 says why.",
            ),
            Self::Unavailable => fault(
                StatusCode::SERVICE_UNAVAILABLE,
                "oidc_unavailable",
                "The OpenID provider can't be used just now; the gateway's log says why. Try \
                 again later, or sign in with a password.",
            ),
            Self::OtherDomain => invalid(
                StatusCode::FORBIDDEN,
                "oidc_domain_refused",
                "Your e-mail address is of no domain that may sign in here, or the OpenID \
                 provider has not verified it.",
            ),
            Self::UnknownUser => invalid(
                StatusCode::FORBIDDEN,
                "oidc_user_unknown",
                "Nobody here is connected to you at the OpenID provider. Sign in with a password \
                 and connect it, or ask an operator.",
            ),
            Self::UserRefused => invalid(
                StatusCode::FORBIDDEN,
                "oidc_user_refused",
                "Your user is disabled, or its session has ended: ask an operator.",
            ),
            Self::NameTaken => invalid(
                StatusCode::CONFLICT,
                "oidc_name_taken",
                "There is already a user of your name. If that is you, sign in with its password \
                 and connect the OpenID provider; else ask an operator.",
            ),
            Self::NoName => invalid(
                StatusCode::FORBIDDEN,
                "oidc_no_name",
                "The OpenID provider gives no name that a user can have: ask an operator.",
            ),
            Self::Connected => invalid(
                StatusCode::CONFLICT,
                "oidc_connected",
                "Another user is connected to you at the OpenID provider.",
            ),
        }
    }

    /// One of each, for the reference.
    #[cfg(test)]
    pub(super) fn each() -> [Self; 12] {
        [
            Self::NotOffered,
            Self::NotBegun,
            Self::Denied { code: "access_denied" },
            Self::CodeRefused,
            Self::BadToken,
            Self::Unavailable,
            Self::OtherDomain,
            Self::UnknownUser,
            Self::UserRefused,
            Self::NameTaken,
            Self::NoName,
            Self::Connected,
        ]
    }
}
