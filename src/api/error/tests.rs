use super::*;
use crate::accounts::Scope;
use crate::platforms::{PlatformError, Reader};
use crate::telemetry::clock;

#[test]
fn a_refusal_tells_when_to_come_back_even_if_that_is_now() {
    let ago = clock::now() - jiff::SignedDuration::from_secs(5);
    let ahead = clock::now() + jiff::SignedDuration::from_secs(100);
    for (resets_at, expected) in [(ago, 1..=1), (ahead, 99..=100)] {
        let error = CallError::Exhausted { platform: "qwen".into(), resets_at: Some(resets_at) };
        let response = ApiError::from(error).into_response();
        let wait: u64 = response.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!(expected.contains(&wait), "{wait}");
    }
    assert_eq!(whole_seconds(Duration::from_millis(1001)), 2);
}

#[test]
fn a_full_disk_is_told_with_what_to_do_and_without_its_path() {
    let full = StoreError::Full("free some where /srv/state.db lies".into());
    let told = serde_json::to_string(&call::call(CallError::Store(full)).body).unwrap();
    assert!(told.contains("disk is full") && told.contains("free some room"), "{told}");
    assert!(!told.contains("/srv"), "{told}");
}

#[test]
fn the_reference_has_every_error() {
    use std::fmt::Write;

    use crate::platforms::ErrorClass::{
        AuthExpired, Banned, ContentFiltered, InvalidRequest, NotFound, Overloaded, QuotaExhausted,
        RateLimited, UpstreamFault,
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
        CallError::OverBudget { limit: crate::accounts::Tokens(1), resets_at: Some(clock::now()) },
        CallError::PointsHeld,
        CallError::Limited { platform: platform(), why: "", retry_after: Duration::from_secs(1) },
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
        ApiError::OtherHost,
        ApiError::BodyTooLong { limit: 1 },
        ApiError::BodyTooSlow,
        ApiError::BodyCut,
        ApiError::BadAccountId,
        ApiError::NoAccount,
        ApiError::UnderscoredHeader,
        ApiError::NoSession,
        ApiError::NoNotice,
        ApiError::NameTaken,
        ApiError::NoSuchToken,
        ApiError::StrongerToken { field: "scopes", than: Stronger::ThanItsMaker },
        ApiError::TooManyTokens { most: 1 },
        ApiError::TokenChanged,
        ApiError::NoRandom(getrandom::Error::UNEXPECTED),
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
    let calls = calls.chain(SignInError::each().into_iter().map(ApiError::SignIn));
    let file = include_str!("../../../docs/errors.md");
    let mut missing = String::new();
    let pools = PoolError::all().into_iter().map(ApiError::Pool);
    for error in errors.into_iter().chain(pools).chain(calls) {
        let Refusal { status, body, .. } = error.refusal();
        let (status, code) = (status.as_u16(), body.code.unwrap_or_default());
        let row = format!("| {status} | `{}` | `{code}` |", body.kind);
        if !file.contains(&row) {
            writeln!(missing, "{row}").unwrap();
        }
    }
    assert_eq!(missing, "", "docs/errors.md lacks these");
}
