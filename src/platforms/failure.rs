//! Understanding failures: from what a platform said to what it means.
//!
//! The envelopes differ (`error` as an object or a text, `code` and `message` at
//! the top, `detail`, HTML, nothing); what is found in them goes through the face's
//! error table, and what no row takes is judged by its status.

mod said;
mod words;

use std::borrow::Cow;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::accounts::End;

pub(crate) use said::Said;
pub(super) use words::length;

use super::rules::{ErrorRule, Until, fits};
use super::{ErrorClass, Face, LimitsTold, Platform, PlatformError, Reset, Words};

/// What a failure with an HTTP status means.
pub(crate) fn of_answer(
    platform: &Platform,
    face: &Face,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> PlatformError {
    let said = Said::read(body).unwrap_or_default();
    let mut error = understand(platform, face, Some(status), said);
    let told = LimitsTold::read(face, headers);
    let refill = match told.refill {
        Some(End::In(wait)) => Some(wait),
        _ => None,
    };
    error.retry_after = words::retry_after(headers).or(refill).or(error.retry_after);
    if let Some(end) = told.spent
        && matches!(error.class, ErrorClass::RateLimited | ErrorClass::QuotaExhausted)
    {
        error.class = ErrorClass::QuotaExhausted;
        error.reset = end.map(Reset::from).or(error.reset);
    }
    error
}

/// What a failure means that came inside an answer or a stream.
pub(crate) fn inside(platform: &Platform, face: &Face, said: Said) -> PlatformError {
    understand(platform, face, None, said)
}

fn understand(
    platform: &Platform,
    face: &Face,
    status: Option<StatusCode>,
    said: Said,
) -> PlatformError {
    let status = status.map(|status| status.as_u16());
    let rule = face.errors.iter().find(|rule| takes(rule, status, &said));
    let class = rule.map_or_else(|| by_status(status), |rule| rule.class);
    let message = match (&said.message, status) {
        (Some(message), _) => words::redacted(message),
        (None, Some(status)) => format!("{} answered HTTP {status}", platform.id),
        (None, None) => format!("{} sent an error without a word", platform.id),
    };
    let said_param = said.param.clone();
    let param = rule.and_then(|rule| rule.param.clone()).or(said_param).or_else(|| {
        let refused = class == ErrorClass::InvalidRequest;
        refused.then(|| words::named_param(&message, &face.param_names)).flatten()
    });
    let refuses = matches!(class, ErrorClass::InvalidRequest | ErrorClass::ContentFiltered);
    let front_code = rule
        .and_then(|rule| rule.front_code.clone())
        .or_else(|| said.code.clone().filter(|_| face.own_codes && refuses));
    let words = if said.message.is_none() || rule.is_some_and(|rule| rule.message.is_some()) {
        Words::Ours
    } else if refuses
        && (param.is_some()
            || rule.is_some_and(|rule| !rule.code.is_empty() || !rule.says.is_empty()))
    {
        // Known by its code or its words, or it names a field. Another 400 may be about the
        // account: some say so that its credit is used up.
        Words::OfRequest
    } else {
        Words::OfAccount
    };
    PlatformError {
        class,
        status,
        words,
        reset: rule.and_then(|rule| reset(rule.until?, platform, &message)),
        retry_after: rule.and_then(|rule| Duration::try_from_secs_f64(rule.wait?).ok()),
        this_model_only: rule.is_some_and(|rule| rule.this_model),
        of_our_clock: rule.is_some_and(|rule| rule.clock),
        message: rule.and_then(|rule| rule.message.clone()).unwrap_or(message),
        code: said.code,
        param,
        front_code: front_code.map(Cow::Owned),
        billed: None,
    }
}

fn takes(rule: &ErrorRule, status: Option<u16>, said: &Said) -> bool {
    let named = |patterns: &[String], name: &Option<String>| {
        patterns.is_empty()
            || name.as_ref().is_some_and(|name| patterns.iter().any(|pattern| fits(pattern, name)))
    };
    let worded = || {
        rule.says.is_empty()
            || said.message.as_ref().is_some_and(|message| {
                let message = message.to_lowercase();
                rule.says.iter().any(|words| message.contains(&words.to_lowercase()))
            })
    };
    // Inside a 200 there is no status to go by: a row that asks for one and for nothing
    // else doesn't take it.
    let by_status = rule.status.is_empty()
        || match status {
            Some(status) => rule.status.contains(&status),
            None => !(rule.code.is_empty() && rule.kind.is_empty() && rule.says.is_empty()),
        };
    by_status && named(&rule.code, &said.code) && named(&rule.kind, &said.kind) && worded()
}

/// What a failure means that no row of the table takes.
fn by_status(status: Option<u16>) -> ErrorClass {
    match status {
        Some(400 | 405..=407 | 409..=428 | 431 | 451) => ErrorClass::InvalidRequest,
        Some(401) => ErrorClass::AuthExpired,
        Some(402) => ErrorClass::QuotaExhausted,
        Some(404) => ErrorClass::NotFound,
        Some(429) => ErrorClass::RateLimited,
        Some(503 | 529) => ErrorClass::Overloaded,
        // A 403 that nobody knows may be a firewall's: no reason to give up the account.
        _ => ErrorClass::UpstreamFault,
    }
}

fn reset(until: Until, platform: &Platform, message: &str) -> Option<Reset> {
    let zone = || platform.zone().to_owned();
    Some(match until {
        Until::Midnight => Reset::Midnight { zone: zone() },
        Until::Monday => Reset::Monday { zone: zone() },
        Until::FiveHours => Reset::Within(Duration::from_secs(5 * 3600)),
        Until::Person => Reset::Person,
        Until::Said => Reset::At(words::reset_time(message, platform.zone())?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platforms::Catalogue;

    fn classify(platform: &str, status: u16, body: &str) -> PlatformError {
        let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
        let platform = catalogue.platform(platform).unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        of_answer(
            platform,
            platform.face(None).unwrap(),
            status,
            &HeaderMap::new(),
            body.as_bytes(),
        )
    }

    #[test]
    fn the_code_decides_before_the_status() {
        let error = classify("glm", 429, r#"{"error":{"code":1121,"message":"locked"}}"#);
        assert_eq!((error.class, error.message.as_str()), (ErrorClass::Banned, "locked"));
    }

    #[test]
    fn a_reset_time_in_the_words_is_read() {
        let text = r#"{"error":{"code":"1308","message":"将在 2026-09-22 03:00:00 重置。"}}"#;
        let at: jiff::Timestamp = "2026-09-21T19:00:00Z".parse().unwrap();
        assert_eq!(classify("glm", 429, text).reset, Some(Reset::At(at)));
    }

    #[test]
    fn whose_words_are_told_apart() {
        let by_field = r#"{"error":{"message":"must be at most 2","param":"temperature"}}"#;
        let of_nothing = r#"{"error":{"message":"Your credit balance is too low"}}"#;
        for (platform, status, body, words) in [
            ("openai", 400, by_field, Words::OfRequest),
            ("openai", 400, of_nothing, Words::OfAccount),
            ("openai", 500, by_field, Words::OfAccount),
            ("glm", 400, r#"{"error":{"code":"1214","message":"m"}}"#, Words::OfRequest),
            ("glm", 400, r#"{"error":{"code":"1301","message":"m"}}"#, Words::OfRequest),
            ("glm", 400, r#"{"error":{"code":"1211","message":"m"}}"#, Words::OfAccount),
            ("glm", 429, r#"{"error":{"code":"1113","message":"m"}}"#, Words::OfAccount),
            (
                "ernie",
                400,
                r#"{"error":{"code":"invalid_argument","message":"m"}}"#,
                Words::OfRequest,
            ),
            ("glm", 502, "<html>", Words::Ours),
        ] {
            assert_eq!(classify(platform, status, body).words, words, "{platform} {body}");
        }
    }

    #[test]
    fn a_field_that_spark_names_beside_its_words_is_kept() {
        let body = r#"{"error":{"message":"m","type":"api_error","param":"top_k","code":"10163"}}"#;
        let error = classify("spark", 400, body);
        assert_eq!(
            (error.class, error.param.as_deref()),
            (ErrorClass::InvalidRequest, Some("top_k"))
        );
    }

    #[test]
    fn what_no_row_takes_goes_by_status() {
        for (status, class) in [
            (400, ErrorClass::InvalidRequest),
            (401, ErrorClass::AuthExpired),
            (403, ErrorClass::UpstreamFault),
            (413, ErrorClass::InvalidRequest),
            (429, ErrorClass::RateLimited),
            (302, ErrorClass::UpstreamFault),
            (500, ErrorClass::UpstreamFault),
            (503, ErrorClass::Overloaded),
        ] {
            let error = classify("glm", status, "<html>");
            assert_eq!(error.class, class, "{status}");
            assert_eq!(error.message, format!("glm answered HTTP {status}"));
        }
    }
}
