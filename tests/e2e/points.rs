//! When no quota is left: the operator's own keys, paid with the caller's points.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tributary::accounts::{
    AccountId, Billing, Charge, EntryKind, Points, PointsEntry, Purse, Record, Spending,
};
use tributary::simulator::Simulator;
use tributary::telemetry::clock;

use crate::both;
use crate::rig::{Answer, Grants, Rig, Server, Wish, ask, configured, tail};
use crate::shell;

const EXHAUSTED: &str =
    "429 insufficient_quota insufficient_quota Retry-After x-should-retry=false";
const KEY: &str = "sk-of-the-operator-0000000077";
const OTHER_KEY: &str = "sk-of-the-operator-0000000088";
const MODEL: &str = "gpt-4.1";

/// Nothing may be used of any account, and two models have a price.
fn wish() -> Wish {
    Wish {
        limits: [0, 0],
        operator_keys: &[("openai", KEY)],
        toml: r#"
            [[platforms.openai.models]]
            name = "gpt-4.1"
            max_output = 200
            price = { in = "2.5", cache_read = 1, out = 10 }
            [[platforms.openai.models]]
            name = "gpt-5.4-mini"
            price = { in = 1, out = 4 }
            [aliases]
            smart = ["qwen/qwen-plus", "openai/gpt-4.1"]
        "#,
        ..Wish::default()
    }
}

/// The same with quota on the first account of each platform.
fn first_has_quota() -> Wish {
    Wish { limits: [1_000_000, 0], ..wish() }
}

impl Rig {
    async fn give(&self, points: &str) {
        let points = points.parse().unwrap();
        self.store.grant_points(self.user.id, points, "for the test").await.unwrap().unwrap();
    }

    async fn balance(&self) -> Points {
        Points(self.store.purse(&Purse::Points(self.user.id)).await.unwrap().left)
    }

    /// Waits until no request holds points.
    async fn all_paid(&self) {
        let purse = Purse::Points(self.user.id);
        self.until(async || self.store.purse(&purse).await.unwrap().held == 0).await;
    }

    async fn entries(&self) -> Vec<PointsEntry> {
        self.store.points_ledger(self.user.id, None, 10_000).await.unwrap()
    }

    async fn asked_for_points(&self) -> bool {
        let url = format!("http://{}/metrics", self.running.addresses.operator);
        let answer = self.fetch(&url).await;
        std::str::from_utf8(&answer.body).unwrap().contains("tributary_points_asked_total{")
    }
}

/// What a record's tokens cost at [`MODEL`]'s price.
fn price_of(record: &Record) -> Points {
    let fresh = record.input.0 - record.cache_read.0;
    Points(
        (fresh * 5).div_ceil(2).cast_signed()
            + (record.cache_read.0 + record.output.0 * 10).cast_signed(),
    )
}

fn is_bought(answer: &Answer) -> bool {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("x-tributary-account").is_empty(),
        answer.header("x-tributary-billing") == "points"
    );
    answer.header("x-tributary-billing") == "points"
}

both! {
    #[wish(wish())]
    async fn a_caller_without_quota_is_answered_for_points(rig: Rig) {
        rig.give("5").await;
        for streamed in [false, true] {
            let before = rig.balance().await;
            let body = ask(MODEL, "say 7 words");
            let answer = if streamed { rig.chat_streamed(body).await } else { rig.chat(body).await };
            assert!(is_bought(&answer), "{answer:?}");
            assert_eq!(answer.header("x-tributary-platform"), "openai");
            assert_eq!(answer.attempts(), "1");
            let record = rig.record(&answer).await;
            rig.all_paid().await;
            let cost = price_of(&record);
            assert!(cost > Points::ZERO);
            assert_eq!((record.billing, record.points, record.estimated), (Billing::Points, cost, false));
            assert_eq!(record.attempts[0].points, cost);
            assert_eq!(record.attempts[0].account, AccountId::OPERATOR);
            assert_eq!(rig.balance().await, Points(before.0 - cost.0));
            let entry = rig.entries().await.swap_remove(0);
            assert_eq!((entry.kind, entry.points.0), (EntryKind::Exact, -cost.0));
            assert_eq!((entry.hold, entry.note.as_str()), (Some(record.attempts[0].lease), "openai/gpt-4.1"));
        }
        // The platform counted it for the operator's key, and nobody else's quota was touched.
        let counted = rig.counted("openai", &tail(KEY)).await;
        let records = rig.records().await;
        assert_eq!(counted, records.iter().map(|record| record.input.0 + record.output.0).sum::<u64>());
        assert!(rig.charges("openai").await.is_empty());
    }
}

both! {
    #[wish(first_has_quota())]
    async fn quota_comes_before_points_and_asks_nothing_of_them(rig: Rig) {
        rig.give("5").await;
        for _ in 0..3 {
            assert!(!is_bought(&rig.chat(ask(MODEL, "say 7 words")).await));
        }
        assert!(!rig.asked_for_points().await);
        // Used up by the platform's word, in this very request.
        rig.fault("openai", json!({"kind": "class", "class": "quota_exhausted", "times": 1})).await;
        let answer = rig.chat(ask(MODEL, "say 7 words")).await;
        assert!(is_bought(&answer));
        assert_eq!(answer.attempts(), "2");
        assert!(rig.asked_for_points().await);
        let record = rig.record(&answer).await;
        assert_eq!(record.attempts[0].outcome, "quota_exhausted");
        assert_eq!((record.attempts[0].points, record.attempts[1].points), (Points::ZERO, record.points));
        assert_eq!(record.points, price_of(&record));
    }
}

both! {
    #[wish(wish())]
    async fn the_chains_next_platform_comes_before_points(rig: Rig) {
        rig.give("5").await;
        // Bought of the chain's second platform: the first has no key.
        let answer = rig.chat(ask("smart", "say 7 words")).await;
        assert!(is_bought(&answer));
        assert_eq!(answer.header("x-tributary-platform"), "openai");
        // Now an account of the second platform has quota.
        rig.bind(&rig.user, "openai", "third", "sk-third-account-000000000055", 100_000).await;
        let answer = rig.chat(ask("smart", "say 7 words")).await;
        assert!(!is_bought(&answer));
        assert_eq!(answer.header("x-tributary-platform"), "openai");
    }
}

both! {
    #[wish(wish())]
    async fn with_everything_gone_the_caller_learns_what_ran_out_and_when_it_returns(rig: Rig) {
        let fresh = rig.chat(ask(MODEL, "hello")).await;
        assert_eq!(fresh.row(), EXHAUSTED_FOR_GOOD);
        assert!(fresh.message().ends_with("Also, your points are used up too."), "{fresh:?}");
        // Used up by the platform's word, which says when it returns.
        let more = rig.bind(&rig.user, "openai", "third", "sk-third-account-000000000055", 100_000).await;
        rig.fault("openai", json!({"kind": "class", "class": "quota_exhausted", "times": 1})).await;
        let first = rig.chat(ask(MODEL, "hello")).await;
        let second = rig.chat(ask(MODEL, "hello")).await;
        for answer in [&first, &second] {
            assert_eq!(answer.row(), EXHAUSTED, "{answer:?}");
            assert!(answer.message().contains("points are used up"), "{answer:?}");
        }
        assert!(first.retry_after().abs_diff(second.retry_after()) <= 5);
        let until = match rig.account("openai", 2).await.health {
            tributary::accounts::Health::Cooling { until, .. } => until,
            other => panic!("{more}: {other:?}"),
        };
        assert!(second.message().contains(&until.to_string()), "{second:?}");
    }
}

/// A limit of nothing never resets.
const EXHAUSTED_FOR_GOOD: &str = "429 insufficient_quota insufficient_quota x-should-retry=false";

both! {
    #[wish(wish())]
    async fn points_that_may_not_pay_are_left_alone(rig: Rig) {
        rig.give("5").await;
        let never = Grants { points: Spending::Never, ..Grants::default() };
        let (_, token) = rig.token(&rig.user, never).await;
        let answer = rig.chat_as(&token, ask(MODEL, "hello")).await;
        assert_eq!(answer.row(), EXHAUSTED_FOR_GOOD);
        assert!(answer.message().ends_with("Also, this token never spends points."), "{answer:?}");
        // A pin is this account or none.
        let mut pinned = ask(MODEL, "hello");
        pinned["account_id"] = json!(rig.account("openai", 0).await.account.id.0);
        assert_eq!(rig.chat(pinned).await.row(), EXHAUSTED_FOR_GOOD);
        // What has no price, or no key, can't be bought; nor can what nobody bound.
        for model in ["openai/gpt-unheard-of", "qwen-plus", "glm-4.7"] {
            let answer = rig.chat(ask(model, "hello")).await;
            assert_eq!(answer.row(), EXHAUSTED_FOR_GOOD, "{model}");
            assert!(!answer.message().contains("points"), "{answer:?}");
        }
        let (stranger, token) = rig.stranger().await;
        rig.store.grant_points(stranger.id, Points(5_000_000), "").await.unwrap().unwrap();
        assert_eq!(rig.chat_as(&token, ask(MODEL, "hello")).await.status, 404);
        assert!(!rig.asked_for_points().await);
        assert_eq!(rig.balance().await, Points(5_000_000));
    }
}

both! {
    #[wish(first_has_quota())]
    async fn an_account_that_returns_soon_is_worth_the_wait(rig: Rig) {
        rig.give("5").await;
        rig.fault("openai", json!({"kind": "class", "class": "rate_limited", "times": 1})).await;
        for _ in 0..2 {
            let answer = rig.chat(ask(MODEL, "hello")).await;
            assert_eq!(answer.row(), "429 rate_limit_error rate_limit_exceeded Retry-After");
        }
        assert!(!rig.asked_for_points().await);
    }
}

both! {
    #[wish(Wish { operator_keys: &[("openai", KEY), ("openai", OTHER_KEY)], ..wish() })]
    async fn an_operators_key_that_is_refused_rests_and_the_next_pays(rig: Rig) {
        rig.give("5").await;
        let refused = json!({"kind": "class", "class": "auth_expired", "credential": tail(KEY)});
        rig.fault("openai", refused).await;
        let answer = rig.chat(ask(MODEL, "say 7 words")).await;
        assert!(is_bought(&answer));
        assert_eq!(answer.attempts(), "2");
        assert_eq!(rig.chat(ask(MODEL, "say 7 words")).await.attempts(), "1");
        let both = json!({"kind": "class", "class": "auth_expired", "credential": tail(OTHER_KEY)});
        rig.fault("openai", both).await;
        for _ in 0..2 {
            let answer = rig.chat(ask(MODEL, "say 7 words")).await;
            assert_eq!(answer.row(), EXHAUSTED_FOR_GOOD);
            let told = "the operator's key for points could not be used.";
            assert!(answer.message().ends_with(told), "{answer:?}");
            let body = std::str::from_utf8(&answer.body).unwrap();
            assert!(!body.contains("0000077") && !body.contains("0000088"), "{answer:?}");
        }
        rig.all_paid().await;
        assert_eq!(rig.entries().await.len(), 3);
    }
}

both! {
    #[wish(Wish {
        operator_keys: &[("qwen", KEY)],
        toml: r#"
            [[platforms.qwen.models]]
            name = "qwen-plus"
            price = { in = 1, out = 4 }
            [[platforms.qwen.models]]
            name = "qwen-max"
            price = { in = 2, out = 8 }
            [aliases]
            smart = ["qwen/qwen-plus", "qwen/qwen-max"]
        "#,
        ..wish()
    })]
    async fn a_key_that_is_spent_for_one_model_buys_the_chains_next(rig: Rig) {
        rig.give("5").await;
        let spent = json!({"kind": "class", "class": "quota_exhausted", "credential": tail(KEY), "model": "qwen-plus"});
        rig.fault("qwen", spent).await;
        let answer = rig.chat(ask("smart", "say 7 words")).await;
        assert!(is_bought(&answer), "{answer:?}");
        assert_eq!((answer.header("x-tributary-model"), answer.attempts()), ("qwen-max", "2"));
        // The block is remembered, and the key is good for the other.
        assert_eq!(rig.chat(ask("smart", "say 7 words")).await.attempts(), "1");
    }
}

both! {
    #[wish(wish())]
    async fn what_fails_upstream_is_told_as_such_and_costs_nothing(rig: Rig) {
        rig.give("5").await;
        rig.fault("openai", json!({"kind": "status", "status": 503, "times": 1})).await;
        assert_eq!(rig.chat(ask(MODEL, "hello")).await.status, 502);
        rig.fault("openai", json!({"kind": "class", "class": "content_filtered", "times": 1})).await;
        let filtered = rig.chat(ask(MODEL, "hello")).await;
        assert_eq!(filtered.status, 400, "{filtered:?}");
        rig.all_paid().await;
        assert_eq!(rig.balance().await, Points(5_000_000));
    }
}

both! {
    #[wish(wish())]
    async fn a_hold_covers_every_answer_that_is_asked_for(rig: Rig) {
        rig.give("5").await;
        let mut body = ask(MODEL, "pace 20 ms say 20 words");
        body["max_tokens"] = json!(100);
        body["n"] = json!(4);
        let mut stream = rig.stream(body).await;
        stream.until("data:").await;
        let held = rig.store.purse(&Purse::Points(rig.user.id)).await.unwrap().held;
        assert!(held >= 4 * 100 * 10, "{held} millionths for four answers of 100 tokens");
        stream.rest().await;
        rig.all_paid().await;
    }
}

both! {
    #[wish(wish())]
    async fn a_caller_that_hangs_up_pays_for_what_was_sent(rig: Rig) {
        rig.give("5").await;
        let mut stream = rig.stream(ask(MODEL, "pace 50 ms say 100 words")).await;
        assert_eq!(stream.headers["x-tributary-billing"], "points");
        stream.until("data: ").await;
        let id = stream.headers["x-request-id"].to_str().unwrap().to_owned();
        drop(stream);
        let record = rig.record_named(&id).await;
        rig.all_paid().await;
        assert!(matches!(record.attempts[0].charge, Charge::Estimated(_)), "{record:?}");
        assert_eq!((record.billing, record.points), (Billing::Points, price_of(&record)));
        assert!(record.points > Points::ZERO);
        assert_eq!(rig.balance().await, Points(5_000_000 - record.points.0));
        assert_eq!(rig.entries().await[0].kind, EntryKind::Estimated);
    }
}

both! {
    #[wish(wish())]
    async fn a_crowd_on_a_small_balance_overdraws_it_by_one_request_at_most(rig: Rig) {
        // Ten requests' worth or so.
        rig.give("0.02").await;
        let rig = Arc::new(rig);
        let one = |turn: usize| {
            let rig = rig.clone();
            async move { rig.chat(ask(MODEL, &format!("say {} words", 100 + turn % 9))).await }
        };
        let answers = join_all((0..64).map(one)).await;
        let served = answers.iter().filter(|answer| answer.status == 200).count();
        for answer in &answers {
            match answer.status.as_u16() {
                200 => assert!(is_bought(answer)),
                429 => {
                    let held = answer.row() == "429 rate_limit_error rate_limit_exceeded Retry-After";
                    assert!(held || answer.row() == EXHAUSTED_FOR_GOOD, "{answer:?}");
                }
                _ => panic!("{answer:?}"),
            }
        }
        rig.all_paid().await;
        let records: Vec<Record> = rig.records().await;
        let costs = records.iter().filter(|record| record.outcome == "ok").map(|record| record.points);
        let dearest = costs.clone().max().unwrap();
        let balance = rig.balance().await;
        assert!(served > 5 && served < 64, "{served}");
        assert!(balance.0 > -dearest.0, "{balance} left, and one request costs {dearest}");
        assert_eq!(balance.0, 20_000 - costs.sum::<Points>().0);
        let sum: Points = rig.entries().await.iter().map(|entry| entry.points).sum();
        assert_eq!(sum, balance);
        // Whatever is left goes to one more request at a time, until nothing is.
        while rig.balance().await > Points::ZERO {
            assert!(is_bought(&rig.chat(ask(MODEL, "say 100 words")).await));
            rig.all_paid().await;
        }
        assert!(rig.balance().await.0 > -dearest.0);
        assert_eq!(rig.chat(ask(MODEL, "say 100 words")).await.row(), EXHAUSTED_FOR_GOOD);
    }
}

both! {
    #[wish(Wish { lease_deadline: SignedDuration::from_millis(1200), ..wish() })]
    async fn a_living_gateway_keeps_points_past_their_deadline(rig: Rig) {
        rig.give("5").await;
        let answer = rig.chat_streamed(ask(MODEL, "pace 100 ms say 40 words")).await;
        let record = rig.record(&answer).await;
        assert!(record.took_ms > 3600, "{record:?}");
        rig.all_paid().await;
        let kinds: Vec<_> = rig.entries().await.iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds, [EntryKind::Exact, EntryKind::Grant], "never by its estimate");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_points_that_were_held_are_charged_by_estimate_on_sqlite() {
    survive("sqlite:test.db").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_points_that_were_held_are_charged_by_estimate_on_redis() {
    let server = Server::shared();
    survive(&server.fresh_url()).await;
}

async fn survive(url: &str) {
    const CALLERS: usize = 8;
    let simulator = Simulator::start().await.unwrap();
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[operator]\nlisten = \"127.0.0.1:0\"\n\
         [store]\nurl = \"{url}\"\nlease_deadline = \"2s\"\n[log]\nfilter = \"error\"\n\
         [points]\nkeys = [{{ platform = \"openai\", variable = \"OWN_KEY\" }}]\n{}\
         [[platforms.openai.models]]\nname = \"gpt-4.1\"\nmax_output = 500\n\
         price = {{ in = 1, out = 4 }}\n",
        configured(&simulator)
    );
    let mut shell = shell::Rig::new(&config);
    shell.set("OWN_KEY", KEY);
    shell.run(&["user", "add", "tester"]).ok();
    shell.run(&["points", "grant", "--user", "tester", "5"]).ok();
    let token = shell.run(&["--json", "token", "create", "--user", "tester"]).json();
    let token = format!("Bearer {}", token["token"].as_str().unwrap());
    let file = shell.write("key", "sk-mine-0123456789");
    let words = ["account", "add", "--user", "tester", "--platform", "openai", "--name", "mine"];
    let file = ["--key-file", file.to_str().unwrap(), "--limit", "0"];
    shell.run(&[&words[..], &file].concat()).ok();

    let mut gateway = shell.start(&["--json", "serve"]);
    let line: Value = serde_json::from_str(&gateway.first_line()).unwrap();
    let url = format!("{}/chat/completions", line["base_url"].as_str().unwrap());
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let begin = |_| {
        let mut body = ask("gpt-4.1", "pace 100 ms say 100 words");
        body["stream"] = json!(true);
        let request = Request::post(&url).header("authorization", &token);
        client.request(request.body(Full::from(body.to_string())).unwrap())
    };
    for answer in join_all((0..CALLERS).map(begin)).await {
        let answer = answer.unwrap();
        assert_eq!(answer.headers()["x-tributary-billing"], "points");
    }
    drop(gateway); // kill -9

    let mut gateway = shell.start(&["--json", "serve"]);
    gateway.first_line();
    let patience = clock::now() + SignedDuration::from_secs(30);
    let balance = loop {
        let all = shell.run(&["--json", "points", "balance"]).json();
        if all[0]["held"] == "0" {
            break all[0]["balance"].clone();
        }
        assert!(clock::now() < patience, "{all}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    let ledger = shell.run(&["--json", "points", "ledger", "--user", "tester"]).json();
    let ledger: Vec<PointsEntry> = serde_json::from_value(ledger).unwrap();
    let estimated = ledger.iter().filter(|entry| entry.kind == EntryKind::Estimated);
    assert_eq!(estimated.clone().count(), CALLERS);
    // An estimate, not all that was held.
    assert!(estimated.clone().all(|entry| (-2000..0).contains(&entry.points.0)), "{ledger:?}");
    let sum: Points = ledger.iter().map(|entry| entry.points).sum();
    assert_eq!(json!(sum), balance);
    gateway.terminate();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_with_quota_and_a_token_without_limits_touch_no_purse() {
    let server = Arc::new(Server::start());
    let purses = async || {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port())).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut keys: Vec<String> = Vec::new();
        for database in 0..4 {
            redis::cmd("SELECT").arg(database).exec_async(&mut connection).await.unwrap();
            keys.extend(
                redis::cmd("KEYS")
                    .arg("*")
                    .query_async::<Vec<String>>(&mut connection)
                    .await
                    .unwrap(),
            );
        }
        assert!(keys.iter().any(|key| key == "families"), "{keys:?}");
        let is_purse =
            |key: &String| [":points", ":budget", ":rate"].iter().any(|name| key.contains(name));
        keys.into_iter().filter(is_purse).count()
    };
    let rig = Rig::on_server(first_has_quota(), server.clone()).await;
    for _ in 0..5 {
        assert!(!is_bought(&rig.chat(ask(MODEL, "say 7 words")).await));
    }
    rig.all_settled("openai").await;
    assert_eq!(purses().await, 0);
    let limits = Grants {
        requests_per_minute: std::num::NonZeroU32::new(9),
        tokens_per_day: Some(tributary::accounts::Tokens(1_000_000)),
        ..Grants::default()
    };
    let (_, limited) = rig.token(&rig.user, limits).await;
    assert!(!is_bought(&rig.chat_as(&limited, ask(MODEL, "say 7 words")).await));
    assert!(purses().await >= 2);
}
