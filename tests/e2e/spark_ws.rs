//! Spark over its WebSocket: two accounts whose credential is a triple.

use jiff::SignedDuration;
use serde_json::{Value, json};
use tributary::accounts::{AccountId, Charge, Health};
use tributary::upstream;

use crate::both;
use crate::hangup::{cancelled_row, charged_by_estimate};
use crate::rig::{Answer, Rig, Wish, ask, spark_app, tail};

const APPS: [&str; 2] = ["0123456789abcdef0123456789abc001", "fedcba9876543210fedcba9876543002"];
const MODEL: &str = "4.0Ultra";
const ODD: &str = "Grüße, 世界！🙂👩‍👩‍👧 \"quoted\" \\ data: [DONE]";
const SKEWED: &str = "HMAC signature does not match, a valid date or x-date header is required for \
                      HMAC Authentication";

/// Binds two apps; the accounts of the HTTP face are switched off.
async fn bind_apps(rig: &Rig) -> [AccountId; 2] {
    for state in rig.accounts("spark").await {
        rig.store.set_health(state.account.id, Health::disabled_by_hand()).await.unwrap();
    }
    let bind = async |name: &str, key: &str| {
        rig.bind_to_face("spark_ws", &rig.user, "spark", name, &spark_app(key)).await
    };
    [bind("app-1", APPS[0]).await, bind("app-2", APPS[1]).await]
}

/// The health of both apps' accounts, as words.
async fn statuses(rig: &Rig) -> [&'static str; 2] {
    let accounts = rig.accounts("spark").await;
    [2, 3].map(|number: usize| accounts[number].health.status())
}

fn impatient() -> upstream::Settings {
    let short = SignedDuration::from_millis(400);
    upstream::Settings {
        first_byte_timeout: short,
        gap_timeout: short,
        ..upstream::Settings::default()
    }
}

fn weather() -> Value {
    json!({"type": "function", "function": {
        "name": "get_weather", "description": "查询一个城市现在的天气 (weather)",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
            "required": ["city"]}}})
}

/// The account that answered is one of these, and was charged exactly what its platform
/// counted.
async fn charged_exactly(rig: &Rig, answer: &Answer) {
    let record = rig.record(answer).await;
    let Charge::Exact(tokens) = record.attempts.last().unwrap().charge else {
        panic!("{record:?}")
    };
    let row = rig.last_row("spark").await;
    let counted = |field: &str| row[field].as_u64().unwrap();
    assert_eq!(tokens.0, counted("prompt_tokens") + counted("completion_tokens"));
}

both! {
    async fn answers_come_whole_and_streamed_and_are_charged_to_the_token(rig: Rig) {
        let apps = bind_apps(&rig).await;
        // In fragments of three bytes, so inside of letters too.
        rig.fault("spark", json!({"kind": "split", "bytes": 3, "times": 0})).await;
        for streamed in [false, true] {
            let mut body = ask(MODEL, &format!("repeat: {ODD} and on and on and on"));
            body["stream"] = json!(streamed);
            let answer = rig.chat(body).await;
            assert_eq!(answer.content(), format!("{ODD} and on and on and on"));
            assert_eq!(answer.header("x-tributary-platform"), "spark");
            let account: i64 = answer.header("x-tributary-account").parse().unwrap();
            assert!(apps.contains(&AccountId(account)));
            charged_exactly(&rig, &answer).await;
        }
        let sent = rig.sent("spark").await;
        let frame = &sent.last().unwrap()["body"];
        assert!(APPS.iter().any(|key| frame["header"]["app_id"] == key[..8]), "{frame}");
        assert_eq!(frame["parameter"]["chat"]["domain"], MODEL);
    }
}

both! {
    async fn a_function_is_called_and_its_result_is_understood(rig: Rig) {
        bind_apps(&rig).await;
        let mut body = ask(MODEL, "合肥的天气怎么样?");
        body["tools"] = json!([weather()]);
        let called = rig.chat(body.clone()).await.json();
        let choice = &called["choices"][0];
        assert_eq!(choice["finish_reason"], "tool_calls");
        let call = &choice["message"]["tool_calls"][0];
        assert_eq!(call["function"], json!({"name": "get_weather", "arguments": "{\"city\":\"合肥\"}"}));
        let messages = body["messages"].as_array_mut().unwrap();
        messages.push(choice["message"].clone());
        messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "26°C, 多云"}));
        let answer = rig.chat_streamed(body).await;
        assert!(answer.content().contains("26"), "{answer:?}");
    }
}

both! {
    async fn models_at_hosts_of_their_own_move_with_the_face_and_are_none_of_http(rig: Rig) {
        let http = rig.account("spark", 0).await.account.id;
        bind_apps(&rig).await;
        let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
        let url = format!("data:image/png;base64,{png}");
        let mut body = ask("imagev3", "?");
        body["messages"] = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": [
            {"type": "text", "text": "这是什么?"}, {"type": "image_url", "image_url": {"url": url}}]}]);
        for streamed in [false, true] {
            body["stream"] = json!(streamed);
            let seen = rig.chat(body.clone()).await;
            assert!(seen.content().contains("image/png 1x1"), "{seen:?}");
        }
        let sent = rig.sent("spark").await.pop().unwrap();
        assert_eq!(sent["path"], "/v2.1/image");
        assert_eq!(sent["body"]["payload"]["message"]["text"][0]["content_type"], "image");
        assert_eq!(rig.chat(ask("kjwx", "repeat: 引力波")).await.content(), "引力波");
        assert_eq!(rig.sent("spark").await.pop().unwrap()["path"], "/v1.1/chat_kjwx");

        rig.store.set_health(http, Health::Active).await.unwrap();
        let mut by_http = ask("kjwx", "hello");
        by_http["account_id"] = json!(http.0);
        let refused = rig.chat(by_http).await;
        assert_eq!(refused.row(), "400 invalid_request_error invalid_request_error param=model");
        assert!(refused.message().contains("not reached by openai_chat"), "{refused:?}");
    }
}

both! {
    async fn thinking_is_told_apart_from_the_answer(rig: Rig) {
        bind_apps(&rig).await;
        let message = async |effort: &str| {
            let mut body = ask("spark-x", "17×3+9 等于多少?");
            body["reasoning_effort"] = json!(effort);
            rig.chat(body).await.json()["choices"][0]["message"].clone()
        };
        let thought = message("high").await;
        assert!(!thought["reasoning_content"].as_str().unwrap().is_empty(), "{thought}");
        assert!(!thought["content"].as_str().unwrap().is_empty(), "{thought}");
        assert!(message("none").await.get("reasoning_content").is_none());
    }
}

both! {
    async fn a_caller_that_hangs_up_closes_the_websocket_and_pays_for_what_came(rig: Rig) {
        bind_apps(&rig).await;
        let mut stream = rig.stream(ask(MODEL, "pace 20 ms say 500 words")).await;
        let id = stream.id();
        stream.read(usize::MAX, |text| text.split_whitespace().count() >= 30).await;
        drop(stream);
        let row = cancelled_row(&rig, "spark").await;
        let produced = row["completion_tokens"].as_u64().unwrap();
        assert!((30..250).contains(&produced), "{row}");
        let record = charged_by_estimate(&rig, "spark", &id).await;
        assert_eq!(record.outcome, "hangup");
    }
}

both! {
    async fn one_app_that_cannot_answer_leaves_it_to_the_other(rig: Rig) {
        bind_apps(&rig).await;
        for fault in [
            json!({"kind": "class", "class": "overloaded"}),
            json!({"kind": "class", "class": "rate_limited"}),
            json!({"kind": "close"}),
            json!({"kind": "status", "status": 502, "body": "<html>"}),
            json!({"kind": "error_mid_stream", "after_events": 0}),
        ] {
            rig.fault("spark", fault.clone()).await;
            let answer = rig.chat_streamed(ask(MODEL, "repeat: here")).await;
            assert_eq!(answer.content(), "here", "{fault}");
            assert_eq!(answer.attempts(), "2", "{fault}");
            for state in rig.accounts("spark").await.into_iter().skip(2) {
                rig.store.set_health(state.account.id, Health::Active).await.unwrap();
            }
        }
    }
}

both! {
    async fn a_version_without_tokens_is_shut_and_the_others_still_answer(rig: Rig) {
        bind_apps(&rig).await;
        let fault = json!({"kind": "class", "class": "quota_exhausted", "model": MODEL, "times": 2});
        rig.fault("spark", fault).await;
        let answer = rig.chat(ask(MODEL, "hello")).await;
        assert_eq!(answer.row(), "429 insufficient_quota insufficient_quota Retry-After x-should-retry=false");
        rig.behave("spark").await;
        let rows = rig.rows("spark").await.len();
        assert_eq!(rig.chat(ask(MODEL, "hello")).await.status, 429);
        assert_eq!(rig.rows("spark").await.len(), rows, "nobody is asked again");
        assert_eq!(rig.chat(ask("generalv3.5", "repeat: here")).await.content(), "here");
        assert_eq!(statuses(&rig).await, ["active", "active"]);
    }
}

both! {
    async fn a_key_that_is_not_taken_is_the_accounts_trouble(rig: Rig) {
        bind_apps(&rig).await;
        rig.fault("spark", json!({"kind": "class", "class": "auth_expired", "times": 2})).await;
        let answer = rig.chat(ask(MODEL, "hello")).await;
        // The second one answers the question that the first one couldn't.
        assert_eq!(answer.row(), "502 server_error account_unauthorized x-should-retry=false");
        assert_eq!(statuses(&rig).await, ["expired", "expired"]);
    }
}

both! {
    async fn a_clock_that_is_off_is_an_alarm_and_no_accounts_fault(rig: Rig) {
        bind_apps(&rig).await;
        let metric = async || {
            let url = format!("http://{}/metrics", rig.running.addresses.operator);
            let text = String::from_utf8(rig.fetch(&url).await.body.to_vec()).unwrap();
            let line = text.lines().find(|it| it.starts_with("tributary_clock_skew_seconds{"));
            line.map(|line| line.rsplit(' ').next().unwrap().parse::<i64>().unwrap())
        };
        assert_eq!(rig.chat(ask(MODEL, "repeat: on time")).await.content(), "on time");
        assert!(metric().await.unwrap().abs() <= 2);
        for ahead in [900, -900] {
            rig.fault("spark", json!({"kind": "clock", "ahead_s": ahead, "times": 0})).await;
            let answer = rig.chat(ask(MODEL, "repeat: all the same")).await;
            assert_eq!(answer.content(), "all the same");
            assert_eq!(answer.attempts(), "1", "signed once more, on the same account");
            assert!((metric().await.unwrap() - ahead).abs() <= 2);
            rig.behave("spark").await;
        }
        // A platform whose own date does not help: nothing to be done but say so.
        let refusal = json!({"kind": "status", "status": 403, "body": {"message": SKEWED}, "times": 0});
        rig.fault("spark", refusal).await;
        let answer = rig.chat(ask(MODEL, "hello")).await;
        assert_eq!(answer.row(), "502 server_error upstream_error x-should-retry=false");
        assert!(answer.message().contains("valid date"), "{}", answer.message());
        let record = rig.record(&answer).await;
        assert_eq!(record.attempts.len(), 1, "the other account would be refused too: {record:?}");
        rig.behave("spark").await;
        assert_eq!(statuses(&rig).await, ["active", "active"]);
        assert_eq!(rig.chat(ask(MODEL, "repeat: again")).await.content(), "again");
    }
}

both! {
    #[wish(Wish { upstream: impatient(), ..Wish::default() })]
    async fn a_platform_that_says_nothing_is_a_timeout_and_one_that_stops_an_error(rig: Rig) {
        bind_apps(&rig).await;
        rig.fault("spark", json!({"kind": "hang", "times": 0})).await;
        let slow = "504 server_error upstream_timeout";
        assert_eq!(rig.chat(ask(MODEL, "hello")).await.row(), slow);
        assert_eq!(rig.chat_streamed(ask(MODEL, "hello")).await.row(), slow);
        rig.behave("spark").await;
        for state in rig.accounts("spark").await.into_iter().skip(2) {
            rig.store.set_health(state.account.id, Health::Active).await.unwrap();
        }
        rig.fault("spark", json!({"kind": "stall", "after_bytes": 700})).await;
        let answer = rig.chat_streamed(ask(MODEL, "say 60 words")).await;
        assert_eq!(error_at_the_end(&answer), "upstream_error");
    }
}

both! {
    async fn a_failure_after_output_began_is_an_event_and_no_done_follows(rig: Rig) {
        bind_apps(&rig).await;
        for fault in [
            json!({"kind": "error_mid_stream", "after_events": 3}),
            json!({"kind": "cut", "after_bytes": 900}),
        ] {
            rig.fault("spark", fault.clone()).await;
            let answer = rig.chat_streamed(ask(MODEL, "say 60 words")).await;
            assert_eq!(error_at_the_end(&answer), "upstream_error", "{fault}");
            let id = answer.header("x-request-id");
            assert_eq!(charged_by_estimate(&rig, "spark", id).await.outcome, "upstream_error");
        }
    }
}

both! {
    async fn what_is_wrong_with_a_request_is_the_callers_to_mend(rig: Rig) {
        bind_apps(&rig).await;
        for (class, row) in [
            ("content_filtered", "400 invalid_request_error content_filter param=messages"),
            ("context_length", "400 invalid_request_error context_length_exceeded param=messages"),
        ] {
            rig.fault("spark", json!({"kind": "class", "class": class})).await;
            assert_eq!(rig.chat(ask(MODEL, "hello")).await.row(), row);
        }
        let mut body = ask(MODEL, "hello");
        body["top_k"] = json!(99);
        let answer = rig.chat(body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(statuses(&rig).await, ["active", "active"]);
    }
}

both! {
    async fn nothing_of_a_triple_is_told(rig: Rig) {
        bind_apps(&rig).await;
        let app: Value = serde_json::from_str(&spark_app(APPS[0])).unwrap();
        let (key, secret) = (app["api_key"].as_str().unwrap(), app["api_secret"].as_str().unwrap());
        let words = format!("refused, key {key} and secret {secret}");
        let refusal = json!({"kind": "status", "status": 401, "body": {"message": words}, "times": 2});
        rig.fault("spark", refusal).await;
        let answer = rig.chat(ask(MODEL, "hello")).await;
        let record = rig.record(&answer).await;
        let accounts = rig.accounts("spark").await;
        let told = format!("{answer:?} {record:?} {:?}", accounts.iter().map(|it| &it.health).collect::<Vec<_>>());
        assert!(told.contains("refused, key"), "{told}");
        // What is masked is the one credential that asked: one account's words each.
        let first = accounts.iter().find(|state| state.account.name == "app-1").unwrap();
        let words = format!("{:?}", first.health);
        assert!(!words.contains(key) && !words.contains(secret), "{words}");
        assert!(rig.rows("spark").await.iter().any(|row| row["credential"] == tail(key)));
    }
}

fn error_at_the_end(answer: &Answer) -> String {
    let events = answer.events();
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    last["error"]["code"].as_str().unwrap_or_else(|| panic!("{last}")).to_owned()
}
