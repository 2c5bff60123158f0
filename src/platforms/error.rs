//! A platform's failure, understood: what it means for the account, and what the
//! caller sees if nobody else can answer.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::accounts::End;
use crate::front::{ErrorBody, Usage};

/// What a failure means for the account and for fail-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The caller's request is wrong: account untouched, no fail-over.
    InvalidRequest,
    /// Refused for its content: account untouched, no fail-over.
    ContentFiltered,
    /// The account has no such model: account untouched, next platform of the chain.
    NotFound,
    /// The credential is no longer good: refresh once, then the account is expired.
    AuthExpired,
    /// The platform closed the account.
    Banned,
    /// No tokens left until a reset, which may not be known.
    QuotaExhausted,
    /// Too many requests or tokens at once: the account cools.
    RateLimited,
    /// The platform has no room: elsewhere; the account cools if it repeats.
    Overloaded,
    /// The platform broke: elsewhere; the account cools if it repeats.
    UpstreamFault,
}

/// When a used-up quota comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reset {
    /// At this instant.
    At(jiff::Timestamp),
    /// At the next midnight in this time zone.
    Midnight {
        /// An IANA name.
        zone: String,
    },
    /// At the next Monday's midnight in this time zone.
    Monday {
        /// An IANA name.
        zone: String,
    },
    /// After this long, counted from now, at the latest.
    Within(Duration),
    /// Not by waiting: a person must pay, order or unlock.
    Person,
}

impl From<End> for Reset {
    fn from(end: End) -> Self {
        match end {
            End::At(at) => Self::At(at),
            End::In(wait) => Self::Within(wait),
        }
    }
}

/// Whose words a failure's message is, and what they speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// Ours.
    Ours,
    /// The platform's, about what the caller sent.
    OfRequest,
    /// The platform's, about the account, the platform, or nobody knows what.
    OfAccount,
}

/// Who reads of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The account's owner.
    Owner,
    /// Somebody else who draws from its pool.
    Member,
}

/// A failure as a platform told it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PlatformError {
    /// What it means.
    pub class: ErrorClass,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// The platform's own code.
    pub code: Option<String>,
    /// The platform's own words, secrets redacted; never empty.
    pub message: String,
    /// Whose words those are.
    pub words: Words,
    /// The request field it is about.
    pub param: Option<String>,
    /// When to come back: the platform's word, else the catalogue's hint.
    pub retry_after: Option<Duration>,
    /// When a used-up quota comes back.
    pub reset: Option<Reset>,
    /// The failure concerns this model of the account alone.
    pub this_model_only: bool,
    /// Our clock is wrong: no account is to blame, and nobody helps by trying again.
    pub of_our_clock: bool,
    /// The code that the caller sees instead of the class's own.
    pub front_code: Option<Cow<'static, str>>,
    /// What it counted all the same, where its refusal tells: its last word on that.
    pub billed: Option<Box<Usage>>,
}

impl PlatformError {
    /// A failure that has nothing but a class and words of ours.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> PlatformError {
        PlatformError {
            class,
            status: None,
            code: None,
            message: message.into(),
            words: Words::Ours,
            param: None,
            retry_after: None,
            reset: None,
            this_model_only: false,
            of_our_clock: false,
            front_code: None,
            billed: None,
        }
    }

    /// A platform that broke.
    pub fn fault(message: impl Into<String>) -> PlatformError {
        PlatformError::new(ErrorClass::UpstreamFault, message)
    }

    /// The words that this reader may read: the platform's own are for the account's owner,
    /// but for those about the reader's own request.
    pub fn words_for(&self, reader: Reader) -> Option<&str> {
        match (self.words, reader) {
            (Words::OfAccount, Reader::Member) => None,
            (Words::Ours | Words::OfRequest, _) | (_, Reader::Owner) => Some(&self.message),
        }
    }

    /// What the caller sees when no other account can answer.
    pub fn refusal(&self, reader: Reader) -> Refusal {
        let (status, kind, code, param) = self.class.in_front();
        let own = self.front_code.clone();
        let in_front = Refusal {
            status,
            body: ErrorBody {
                message: self.words_for(reader).map_or_else(|| self.class.plainly(), str::to_owned),
                kind: Cow::Borrowed(kind),
                param: self.param.clone().or_else(|| param.map(str::to_owned)),
                code: Some(own.unwrap_or(Cow::Borrowed(code))),
            },
            retry_after: self.retry_after.filter(|_| self.class.heals()),
            never_retry: self.class.is_beyond_retry() || self.of_our_clock,
        };
        match self.class {
            // Their codes mean one thing each; a finer one would only mislead an SDK.
            ErrorClass::InvalidRequest | ErrorClass::ContentFiltered => in_front,
            _ => Refusal {
                body: ErrorBody {
                    code: Some(Cow::Borrowed(code)),
                    param: param.map(str::to_owned),
                    ..in_front.body
                },
                ..in_front
            },
        }
    }
}

impl ErrorClass {
    /// Status, `type`, `code` and `param` of the answer to the caller.
    ///
    /// A platform's 401 or 403 is never the caller's: the caller's token was good.
    pub fn in_front(self) -> (StatusCode, &'static str, &'static str, Option<&'static str>) {
        use ErrorClass as Class;
        const BAD: &str = "invalid_request_error";
        match self {
            Class::InvalidRequest => (StatusCode::BAD_REQUEST, BAD, BAD, None),
            Class::ContentFiltered => (StatusCode::BAD_REQUEST, BAD, "content_filter", None),
            Class::NotFound => (StatusCode::NOT_FOUND, BAD, "model_not_found", Some("model")),
            Class::AuthExpired | Class::Banned => {
                (StatusCode::BAD_GATEWAY, "server_error", "account_unauthorized", None)
            }
            Class::QuotaExhausted => {
                let word = "insufficient_quota";
                (StatusCode::TOO_MANY_REQUESTS, word, word, None)
            }
            Class::RateLimited => {
                (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "rate_limit_exceeded", None)
            }
            Class::Overloaded | Class::UpstreamFault => {
                (StatusCode::BAD_GATEWAY, "server_error", "upstream_error", None)
            }
        }
    }

    /// The failure in our words, for those whom the platform's are not for.
    fn plainly(self) -> String {
        use ErrorClass as Class;
        let what = match self {
            Class::InvalidRequest => "The platform refuses the request.",
            Class::ContentFiltered => "The platform refuses the content.",
            Class::NotFound => "The account has no such model.",
            Class::AuthExpired | Class::Banned => "The account needs authorization.",
            Class::QuotaExhausted => "The account is out of quota.",
            Class::RateLimited => "The account has to rest.",
            Class::Overloaded => "The platform has no room now.",
            Class::UpstreamFault => "The platform failed.",
        };
        format!("{what} Its own words are for the account's owner.")
    }

    /// Whether waiting helps.
    fn heals(self) -> bool {
        use ErrorClass as Class;
        match self {
            Class::QuotaExhausted
            | Class::RateLimited
            | Class::Overloaded
            | Class::UpstreamFault => true,
            Class::InvalidRequest
            | Class::ContentFiltered
            | Class::NotFound
            | Class::AuthExpired
            | Class::Banned => false,
        }
    }

    /// Whether an SDK that tried again could only fail again (`x-should-retry: false`).
    pub fn is_beyond_retry(self) -> bool {
        matches!(self, ErrorClass::AuthExpired | ErrorClass::Banned | ErrorClass::QuotaExhausted)
    }
}

/// An error answer to the caller, before anything is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// The envelope.
    pub body: ErrorBody,
    /// For `Retry-After`, to be rounded up to seconds.
    pub retry_after: Option<Duration>,
    /// `x-should-retry: false` goes with it.
    pub never_retry: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: [ErrorClass; 9] = [
        ErrorClass::InvalidRequest,
        ErrorClass::ContentFiltered,
        ErrorClass::NotFound,
        ErrorClass::AuthExpired,
        ErrorClass::Banned,
        ErrorClass::QuotaExhausted,
        ErrorClass::RateLimited,
        ErrorClass::Overloaded,
        ErrorClass::UpstreamFault,
    ];

    #[test]
    fn words_about_an_account_are_its_owners_alone_and_the_code_is_everybodys() {
        for class in CLASSES {
            for words in [Words::Ours, Words::OfRequest, Words::OfAccount] {
                let error = PlatformError { words, ..PlatformError::new(class, "org-42 owes") };
                let owner = error.refusal(Reader::Owner);
                let member = error.refusal(Reader::Member);
                assert_eq!(owner.body.message, "org-42 owes", "{class:?}");
                let is_told = member.body.message.contains("org-42");
                assert_eq!(is_told, words != Words::OfAccount, "{class:?} {words:?}");
                if !is_told {
                    let end = "Its own words are for the account's owner.";
                    assert!(member.body.message.ends_with(end), "{member:?}");
                }
                let code = |refusal: &Refusal| (refusal.status, refusal.body.code.clone());
                assert_eq!(code(&owner), code(&member));
            }
        }
    }
}
