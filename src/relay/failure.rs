//! A failed attempt: who failed, and what may be tried next.

use std::time::Duration;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::error::CallError;
use crate::accounts::{AccountId, EARLY_TRY, Harm, Health, PlatformId, Resets, Rest, Scale, later};
use crate::front::{BadRequest, Produced, Usage};
use crate::platforms::{ErrorClass, Hop, PlatformError, Proof, Reader, Reset};
use crate::store::StoreError;
use crate::upstream::SendFailure;
use crate::vault::mask;

/// Why an attempt failed, by its source.
#[derive(Debug)]
pub(super) enum Failure {
    /// The caller: this platform can't do what is asked.
    Request(BadRequest),
    /// The account: its credential can't be opened or used.
    Credential(Health),
    /// The platform or the account, as the platform tells.
    Platform(PlatformError),
    /// The network.
    Send(SendFailure),
    /// The platform broke after it had begun to answer: no verdict, and it may bill.
    Broken {
        /// What went wrong.
        error: PlatformError,
        /// Its own figure so far, if it gave one.
        usage: Option<Usage>,
        /// What it had produced.
        produced: Produced,
    },
    /// Us: this configuration or build can't use the account. Another gateway may.
    Unusable(String),
    /// The short-lived key that is sent for the account is still being made.
    KeyAwaited,
    /// The store.
    Store(StoreError),
}

/// What may be tried after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: it would fail everywhere.
    Never,
    /// Another account of the platform, then the next platform.
    Account,
    /// The next platform of the chain.
    Platform,
}

impl Failure {
    /// With the platform's words made fit to be repeated.
    pub(super) fn without(mut self, proof: &Proof) -> Self {
        if let Self::Platform(error) | Self::Broken { error, .. } = &mut self {
            cleanse(&mut error.message, &proof.secrets());
        }
        self
    }

    pub(super) fn next(&self, hop: &Hop) -> Next {
        match self {
            // Another account may be reached by another face, which can.
            Self::Request(_) if hop.model.reach.len() > 1 => Next::Account,
            Self::Request(_) => Next::Platform,
            Self::Credential(_) | Self::Send(_) | Self::Unusable(_) | Self::KeyAwaited => {
                Next::Account
            }
            Self::Store(_) => Next::Never,
            // Its other accounts would be refused as this one is.
            Self::Platform(error) if error.of_our_clock => Next::Platform,
            Self::Platform(error) | Self::Broken { error, .. } => match error.class {
                ErrorClass::InvalidRequest | ErrorClass::ContentFiltered => Next::Never,
                ErrorClass::NotFound => Next::Platform,
                _ => Next::Account,
            },
        }
    }

    /// What the platform counted all the same, by its last word.
    pub(super) fn billed(&self) -> Option<Usage> {
        match self {
            Self::Platform(error) | Self::Broken { error, .. } => error.billed.as_deref().copied(),
            _ => None,
        }
    }

    /// What the lease comes to where the platform's last word is missing: a verdict costs
    /// nothing (`None`); a request that was sent whole and got none is charged its prompt and
    /// what was produced.
    pub(super) fn unpaid(&mut self) -> Option<(Option<Usage>, Produced)> {
        match self {
            Self::Send(failure) if failure.was_sent() => Some((None, Produced::NOTHING)),
            Self::Broken { usage, produced, .. } => Some((*usage, std::mem::take(produced))),
            _ => None,
        }
    }

    /// The word in records and metrics.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Request(_) => "invalid_request",
            Self::Credential(_) => "credential",
            Self::Send(SendFailure::TimedOut { .. }) => "timed_out",
            Self::Send(_) => "network",
            Self::Unusable(_) => "unusable",
            Self::KeyAwaited => "key_awaited",
            Self::Store(_) => "store",
            Self::Platform(error) | Self::Broken { error, .. } => match error.class {
                ErrorClass::InvalidRequest => "invalid_request",
                ErrorClass::ContentFiltered => "content_filtered",
                ErrorClass::NotFound => "not_found",
                ErrorClass::AuthExpired => "auth_expired",
                ErrorClass::Banned => "banned",
                ErrorClass::QuotaExhausted => "quota_exhausted",
                ErrorClass::RateLimited => "rate_limited",
                ErrorClass::Overloaded => "overloaded",
                ErrorClass::UpstreamFault => "upstream_fault",
            },
        }
    }

    /// The platform's status, if it answered.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Platform(error) => error.status,
            _ => None,
        }
    }

    /// What happened on the way, for the log. None of it comes from a platform.
    pub(super) fn network_words(&self) -> Option<String> {
        match self {
            Self::Send(failure) => Some(failure.to_string()),
            Self::Unusable(why) => Some(why.clone()),
            _ => None,
        }
    }

    /// What it does to the account.
    pub(super) fn consequence(&self, now: Timestamp) -> Consequence {
        let error = match self {
            Self::Request(_) | Self::Unusable(_) => return Consequence::None,
            Self::Credential(health) => return Consequence::Harm(Harm::Stuck(health.clone())),
            // Our own name server or cable, or a platform that is down: not the account's.
            Self::Send(SendFailure::NotConnected(_)) | Self::KeyAwaited | Self::Store(_) => {
                return Consequence::None;
            }
            Self::Send(failure) => return Consequence::Harm(fault(&failure.to_string())),
            Self::Platform(error) | Self::Broken { error, .. } if error.of_our_clock => {
                return Consequence::None;
            }
            Self::Platform(error) | Self::Broken { error, .. } => error,
        };
        let reason = error.message.clone();
        let spent = error.class == ErrorClass::QuotaExhausted;
        let harm = match error.class {
            ErrorClass::InvalidRequest | ErrorClass::ContentFiltered | ErrorClass::NotFound => {
                return Consequence::None;
            }
            ErrorClass::AuthExpired => Harm::Stuck(Health::Expired { reason }),
            ErrorClass::Banned => Harm::Stuck(Health::Banned { reason }),
            ErrorClass::QuotaExhausted if error.this_model_only => {
                let rest = rest(error, now).unwrap_or_else(|| Rest::after(TRY_AGAIN.first));
                return Consequence::BlockModel(rest);
            }
            ErrorClass::QuotaExhausted | ErrorClass::RateLimited => match rest(error, now) {
                Some(rest) => Harm::Rest { rest, reason, out_of_quota: spent },
                None if spent => Harm::Strike { scale: TRY_AGAIN, reason, out_of_quota: true },
                None => Harm::Strike { scale: SLOW_DOWN, reason, out_of_quota: false },
            },
            ErrorClass::Overloaded | ErrorClass::UpstreamFault => fault(&reason),
        };
        Consequence::Harm(harm)
    }

    /// What the caller hears if nobody else can answer.
    pub(super) fn into_call_error(
        self,
        platform: PlatformId,
        account: AccountId,
        reader: Reader,
        now: Timestamp,
    ) -> CallError {
        match self {
            Self::Request(bad) => CallError::Bad(bad),
            Self::Credential(health) => {
                CallError::Unauthorized { platform, account, status: health.status() }
            }
            Self::Platform(mut error) | Self::Broken { mut error, .. } => {
                if matches!(error.class, ErrorClass::QuotaExhausted | ErrorClass::RateLimited) {
                    let wait = until(&error, now).duration_since(now);
                    error.retry_after = wait.try_into().ok();
                }
                CallError::Platform { platform, account, error, reader }
            }
            Self::Unusable(_) => {
                CallError::Unauthorized { platform, account, status: "not usable by this gateway" }
            }
            Self::KeyAwaited => CallError::Limited {
                platform,
                why: "waits for a short-lived key",
                retry_after: KEY_RETRY,
            },
            Self::Store(error) => CallError::Store(error),
            Self::Send(SendFailure::TimedOut { seconds }) => {
                CallError::TimedOut { platform, seconds }
            }
            Self::Send(_) => CallError::Unreachable { platform },
        }
    }
}

/// What a failure does to the account.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// Nothing.
    None,
    /// It may rest, or need a person.
    Harm(Harm),
    /// One model is shut on it for so long.
    BlockModel(Rest),
}

/// A platform's longer words are cut: they go into answers, an account's reason and records.
const MOST_WORDS: usize = 1000;

/// Makes a platform's words fit to be repeated: some repeat the key that they refuse, and
/// some send a page.
pub(super) fn cleanse(words: &mut String, secrets: &[&str]) {
    // Cut last: half a key would not be known as one.
    *words = mask(words, secrets).into_owned();
    if words.len() > MOST_WORDS {
        words.truncate(words.floor_char_boundary(MOST_WORDS));
        words.push('…');
    }
}

/// An account that breaks off or is overloaded is forgiven twice.
const FAULTS: Scale =
    Scale { forgiven: 2, first: Duration::from_secs(5), longest: Duration::from_secs(600) };
/// Too many requests, and no word on when to come back.
const SLOW_DOWN: Scale =
    Scale { forgiven: 0, first: Duration::from_secs(10), longest: Duration::from_secs(600) };
/// A used-up quota whose reset nobody told is tried after this.
const TRY_AGAIN: Scale = Scale { forgiven: 0, first: EARLY_TRY, longest: EARLY_TRY };
/// Whoever makes a short-lived key has it, or gives up, within seconds.
const KEY_RETRY: Duration = Duration::from_secs(5);
/// No hint to come back later than this is believed, nor a reset after the other.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
const LATEST_RESET: Duration = Duration::from_secs(40 * 24 * 3600);

fn fault(words: &str) -> Harm {
    let reason = format!("failed repeatedly: {words}");
    Harm::Strike { scale: FAULTS, reason, out_of_quota: false }
}

/// When the account, or its model, is worth another try, if that was told.
fn rest(error: &PlatformError, now: Timestamp) -> Option<Rest> {
    if error.class != ErrorClass::QuotaExhausted {
        return error.retry_after.map(|wait| Rest::after(wait.min(LONGEST_PAUSE)));
    }
    let first_of = |at| Rest { at, after: EARLY_TRY };
    match &error.reset {
        Some(Reset::At(instant)) => Some(first_of(vec![(*instant).min(later(now, LATEST_RESET))])),
        Some(Reset::Midnight { zone }) => {
            let resets = Resets::after(now, [zone.as_str()]);
            resets.0.first().map(|zone| first_of(zone.around.to_vec()))
        }
        Some(Reset::Monday { zone }) => mondays(zone, now).map(first_of),
        Some(Reset::Within(wait)) => Some(Rest::after((*wait).min(LATEST_RESET))),
        Some(Reset::Person) | None => {
            error.retry_after.map(|wait| Rest::after(wait.min(LATEST_RESET)))
        }
    }
}

/// When the account returns by our clock, for the caller's `Retry-After`.
fn until(error: &PlatformError, now: Timestamp) -> Timestamp {
    let pause = || {
        let spent = error.class == ErrorClass::QuotaExhausted;
        if spent { TRY_AGAIN.first } else { SLOW_DOWN.first }
    };
    rest(error, now).unwrap_or_else(|| Rest::after(pause())).until(now)
}

/// The zone's Mondays at 00:00: this week's, and the next two.
fn mondays(zone: &str, now: Timestamp) -> Option<Vec<Timestamp>> {
    let zone = TimeZone::get(zone).ok()?;
    let today = now.to_zoned_datetime(zone.clone()).date();
    let passed = i64::from(today.weekday().since(Weekday::Monday));
    let monday = |weeks: i64| {
        let day = today.checked_add((7 * weeks - passed).days()).ok()?;
        Some(day.to_zoned_datetime(zone.clone()).ok()?.timestamp())
    };
    (0..3).map(monday).collect()
}
