//! What a gateway token may use: requests a minute, tokens a day.

use std::num::NonZeroU32;
use std::sync::Arc;

use futures_util::future::join_all;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use tributary::accounts::{PurseState, Spending, TokenGrant, Tokens};
use tributary::telemetry::clock;

use crate::both;
use crate::rig::{Grants, Rig, Wish, ask};

const LIMITED: &str = "429 rate_limit_error rate_limit_exceeded Retry-After";
const MODEL: &str = "gpt-4.1";

fn a_minute(rate: u32) -> Grants {
    Grants { requests_per_minute: NonZeroU32::new(rate), ..Grants::default() }
}

fn a_day(tokens: u64) -> Grants {
    Grants { tokens_per_day: Some(Tokens(tokens)), ..Grants::default() }
}

both! {
    async fn a_token_makes_so_many_requests_a_minute(rig: Rig) {
        let (_, token) = rig.token(&rig.user, a_minute(3)).await;
        for _ in 0..3 {
            assert_eq!(rig.chat_as(&token, ask(MODEL, "hello")).await.status, 200);
        }
        for _ in 0..2 {
            let answer = rig.chat_as(&token, ask(MODEL, "hello")).await;
            assert_eq!(answer.row(), LIMITED);
            assert!((15..=20).contains(&answer.retry_after()), "{answer:?}");
            assert!(answer.message().contains("3 requests a minute"), "{answer:?}");
        }
        // Nothing was sent for them, and the user's other token is free.
        assert_eq!(rig.rows("openai").await.len(), 3);
        assert_eq!(rig.chat(ask(MODEL, "hello")).await.status, 200);
    }
}

both! {
    async fn who_writes_the_store_cannot_widen_a_tokens_limits(rig: Rig) {
        let limited = || Grants {
            points: Spending::Never,
            requests_per_minute: NonZeroU32::new(60),
            tokens_per_day: Some(Tokens(1000)),
            ..Grants::default()
        };
        let widen: [fn(&mut TokenGrant); 4] = [
            |_| {},
            |grant| grant.points = Spending::Fallback,
            |grant| grant.requests_per_minute = None,
            |grant| grant.tokens_per_day = Some(Tokens(1001)),
        ];
        for (number, widen) in widen.into_iter().enumerate() {
            let (mut row, token) = rig.token_row(&rig.user, limited()).await;
            widen(&mut row.grant);
            rig.store.add_token(row).await.unwrap();
            let expected = if number == 0 { 200 } else { 401 };
            let answer = rig.chat_as(&token, ask(MODEL, "hello")).await;
            assert_eq!(answer.status, expected, "{number}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_on_one_redis_share_a_tokens_rate() {
    let rig = Rig::on_redis(Wish::default()).await;
    let other = rig.start_another(([127, 0, 0, 1], 0).into()).await.unwrap();
    let (_, token) = rig.token(&rig.user, a_minute(10)).await;
    let gateways = [rig.running.addresses.public, other.addresses.public];
    let calls = (0..30).map(|turn| rig.chat_at(gateways[turn % 2], &token, ask(MODEL, "hello")));
    let answers = join_all(calls).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    let limited = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((served, limited), (10, 20));
    other.drain().await;
}

both! {
    async fn a_tokens_day_is_used_up_by_what_its_calls_used(rig: Rig) {
        let (_, token) = rig.token(&rig.user, a_day(400)).await;
        let mut used = 0;
        while used < 400 {
            let answer = rig.chat_as(&token, ask(MODEL, "say 60 words")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let record = rig.record(&answer).await;
            used += record.input.0 + record.output.0;
            let left = 400 - used.cast_signed();
            rig.until(async || rig.day_of(&token, 400).await.left == left).await;
        }
        let answer = rig.chat_as(&token, ask(MODEL, "hello")).await;
        assert_eq!(answer.row(), format!("{LIMITED} x-should-retry=false"));
        let midnight = clock::now().to_zoned_datetime(TimeZone::UTC).tomorrow().unwrap();
        let midnight = midnight.start_of_day().unwrap().timestamp();
        assert!(answer.message().contains(&midnight.to_string()), "{answer:?}");
        let wait = midnight.duration_since(clock::now()).as_secs();
        assert!(answer.retry_after().cast_signed().abs_diff(wait) <= 5, "{answer:?}");
        let refused = rig.record(&answer).await;
        assert_eq!((&*refused.outcome, refused.attempts.len()), ("rate_limit_exceeded", 0));
        assert_eq!(rig.chat(ask(MODEL, "hello")).await.status, 200);
    }
}

both! {
    async fn a_call_that_fails_takes_nothing_of_the_day(rig: Rig) {
        let (_, token) = rig.token(&rig.user, a_day(1000)).await;
        rig.fault("openai", serde_json::json!({"kind": "class", "class": "content_filtered"})).await;
        assert_eq!(rig.chat_as(&token, ask(MODEL, "hello")).await.status, 400);
        let untouched = |state: &PurseState| (state.left, state.held) == (1000, 0);
        rig.until(async || untouched(&rig.day_of(&token, 1000).await)).await;
        // Nor does one that finds no account.
        assert_eq!(rig.chat_as(&token, ask("stub-1", "hello")).await.status, 404);
        rig.until(async || untouched(&rig.day_of(&token, 1000).await)).await;
    }
}

both! {
    #[wish(Wish { relay: tributary::relay::Settings { lease_wait: SignedDuration::from_secs(10), ..Default::default() }, ..Wish::default() })]
    async fn a_crowd_passes_a_tokens_day_by_one_request_at_most(rig: Rig) {
        const LIMIT: u64 = 3_000;
        const DEAREST: i64 = 130;
        let (_, token) = rig.token(&rig.user, a_day(LIMIT)).await;
        let rig = Arc::new(rig);
        // Of one length, so that estimates are good.
        for _ in 0..8 {
            assert_eq!(rig.chat(ask(MODEL, "say 60 words")).await.status, 200);
        }
        let calls = (0..64).map(|_| rig.chat_as(&token, ask(MODEL, "say 60 words")));
        let answers = join_all(calls).await;
        let served = answers.iter().filter(|answer| answer.status == 200).count();
        assert!(served > 10 && served < 64, "{served}");
        assert!(answers.iter().all(|answer| [200, 429].contains(&answer.status.as_u16())));
        rig.until(async || rig.day_of(&token, LIMIT).await.held == 0).await;
        let left = rig.day_of(&token, LIMIT).await.left;
        assert!(left > -DEAREST && left < DEAREST, "{left}");
    }
}

both! {
    #[wish(Wish { relay: tributary::relay::Settings { queue: 1, ..Default::default() }, ..Wish::default() })]
    async fn a_tokens_day_takes_no_place_that_its_lease_waits_for(rig: Rig) {
        let (_, token) = rig.token(&rig.user, a_day(100_000)).await;
        let calls = (0..16).map(|_| rig.chat_as(&token, ask(MODEL, "say 3 words")));
        for answer in join_all(calls).await {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
}
