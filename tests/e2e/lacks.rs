//! What a platform can't do, refused by its field before anything is leased or sent.

use jiff::SignedDuration;
use serde_json::{Value, json};
use tributary::accounts::{Health, User};
use tributary::telemetry::clock;

use crate::both;
use crate::rig::{Rig, Wish, ask};

const BAD: &str = "400 invalid_request_error invalid_request_error param=";

fn chains() -> Wish {
    let toml = "[aliases]\nblind = ['spark/4.0Ultra', 'qwen/qwen-plus']\n\
        eyes = ['spark/4.0Ultra', 'qwen/qwen-plus', 'glm/glm-4.6v']\n\
        hands = ['spark/4.0Ultra', 'glm/glm-4.7']\n\
        nobody = ['spark/4.0Ultra', 'unbound/seer']\n\
        [platforms.unbound]\nbase_url = 'http://127.0.0.1:1/v1'\nmodels = [{ name = 'seer' }]\n";
    Wish { toml, ..Wish::default() }
}

fn picture(model: &str) -> Value {
    let url = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk\
        +M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    json!({"model": model, "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]}]})
}

fn parallel(model: &str) -> Value {
    let function = json!({"type": "function", "function": {"name": "look", "description": "Looks.",
        "parameters": {"type": "object", "properties": {}}}});
    let mut body = ask(model, "look");
    body["tools"] = json!([function]);
    body["parallel_tool_calls"] = json!(true);
    body
}

/// Leases that were asked for, whatever came of it.
async fn leases_asked(rig: &Rig) -> Vec<String> {
    let url = format!("http://{}/metrics", rig.running.addresses.operator);
    let answer = rig.fetch(&url).await;
    let text = std::str::from_utf8(&answer.body).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("tributary_leases_total{"));
    lines.filter(|line| !line.ends_with(" 0")).map(str::to_owned).collect()
}

async fn leases_granted(rig: &Rig, platform: &str) -> u64 {
    leases_answered(rig, platform, "granted").await
}

async fn leases_answered(rig: &Rig, platform: &str, answer: &str) -> u64 {
    let (platform, answer) = (format!("platform=\"{platform}\""), format!("answer=\"{answer}\""));
    let lines = leases_asked(rig).await;
    let those = lines.iter().filter(|line| line.contains(&platform) && line.contains(&answer));
    those.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

both! {
    #[wish(chains())]
    async fn what_no_hop_can_do_is_refused_by_its_field_and_nothing_is_leased_or_sent(rig: Rig) {
        let pinned = format!("account:{}/4.0Ultra", rig.account("spark", 0).await.account.id);
        for (body, param) in [
            (picture("qwen-plus"), "messages[1].content[1]"),
            (picture("glm-4.7"), "messages[1].content[1]"),
            (picture("ernie-5.1"), "messages[1].content[1]"),
            (picture("4.0Ultra"), "messages[1].content[1]"),
            (picture("blind"), "messages[1].content[1]"),
            (picture(&pinned), "messages[1].content[1]"),
            (parallel("4.0Ultra"), "parallel_tool_calls"),
            (parallel("spark/one-that-nobody-listed"), "parallel_tool_calls"),
            (parallel(&pinned), "parallel_tool_calls"),
            (parallel("lite"), "tools"),
        ] {
            assert_eq!(rig.chat(body.clone()).await.row(), format!("{BAD}{param}"), "{body}");
            let streamed = rig.chat_streamed(body.clone()).await;
            assert_eq!(streamed.row(), format!("{BAD}{param}"), "{body}");
        }
        assert_eq!(leases_asked(&rig).await, Vec::<String>::new());
        for platform in ["qwen", "glm", "ernie", "spark"] {
            assert!(rig.sent(platform).await.is_empty(), "{platform}");
            assert!(rig.charges(platform).await.is_empty(), "{platform}");
        }
        // The gauge moves when something is leased: the check above can fail.
        assert_eq!(rig.chat(ask("qwen-plus", "hello")).await.status, 200);
        assert_eq!(leases_asked(&rig).await.len(), 1);
    }
}

both! {
    #[wish(chains())]
    async fn a_chain_goes_on_to_the_hop_that_can(rig: Rig) {
        let seen = rig.chat(picture("eyes")).await;
        assert_eq!((seen.status.as_u16(), seen.attempts()), (200, "1"), "{seen:?}");
        assert_eq!(seen.header("x-tributary-model"), "glm-4.6v");
        let called = rig.chat(parallel("hands")).await;
        assert_eq!((called.status.as_u16(), called.attempts()), (200, "1"), "{called:?}");
        assert_eq!(called.header("x-tributary-platform"), "glm");
        assert!(rig.sent("spark").await.is_empty() && rig.sent("qwen").await.is_empty());
        // What needs neither goes to the first.
        let plain = rig.chat(ask("hands", "hello")).await;
        assert_eq!(plain.header("x-tributary-platform"), "spark");
        // The one that could is not bound: that is what the caller can mend.
        let unbound = rig.chat(picture("nobody")).await;
        assert_eq!(unbound.row(), "404 invalid_request_error model_not_found param=model");
        assert!(unbound.message().contains("--platform unbound"), "{unbound:?}");
    }
}

/// Ten accounts by OpenAI's Responses, which give one answer each: more than are attempted.
async fn bind_responses(rig: &Rig, user: &User) {
    for number in 0..10 {
        let (name, key) =
            (format!("single-{number}"), format!("sk-of-responses-000000000{number}"));
        rig.bind_to_face("openai_responses", user, "openai", &name, &key).await;
    }
}

fn resting() -> Health {
    let until = clock::now() + SignedDuration::from_secs(60);
    Health::Cooling { until, reason: "tired".into(), out_of_quota: false, tries_at: None }
}

fn two_answers() -> Value {
    let mut body = ask("gpt-5.4-mini", "hello");
    body["n"] = json!(2);
    body
}

both! {
    async fn an_account_whose_face_cannot_is_passed_over_and_is_no_attempt(rig: Rig) {
        let (user, token) = rig.stranger().await;
        bind_responses(&rig, &user).await;
        let refused = rig.chat_as(&token, two_answers()).await;
        assert_eq!(refused.row(), format!("{BAD}n"), "{refused:?}");
        assert!(rig.sent("openai").await.is_empty());

        let able = rig.bind_to_face("openai_chat", &user, "openai", "able", "sk-of-chat-0000000001").await;
        let before = leases_granted(&rig, "openai").await;
        for _ in 0..3 {
            let answer = rig.chat_as(&token, two_answers()).await;
            assert_eq!((answer.status.as_u16(), answer.attempts()), (200, "1"), "{answer:?}");
            assert_eq!(answer.header("x-tributary-account"), able.0.to_string());
        }
        // Those that were passed over are known, and leased no more where another is there.
        assert_eq!((before, leases_granted(&rig, "openai").await), (10, 13));
        // Another account's face could, and the caller will have none but this one.
        let mut pinned = two_answers();
        pinned["account_id"] = json!(rig.accounts_of(&user, "openai").await[0].account.id);
        let refused = rig.chat_as(&token, pinned).await;
        assert_eq!(refused.row(), format!("{BAD}n"), "{refused:?}");
        // What was passed over was given back, and nothing was charged for it.
        rig.until(async || {
            let accounts = rig.accounts_of(&user, "openai").await;
            accounts.iter().all(|state| {
                state.leased.0 == 0 && (state.account.id == able || state.windows[0].used.0 == 0)
            })
        })
        .await;

        // One that could is what the caller waits for.
        rig.store.set_health(able, resting()).await.unwrap();
        let later = rig.chat_as(&token, two_answers()).await;
        assert_eq!(later.row(), "429 rate_limit_error rate_limit_exceeded Retry-After", "{later:?}");
        assert_eq!(rig.chat_as(&token, ask("gpt-5.4-mini", "hello")).await.status, 200);

    }
}

both! {
    async fn a_refusal_counts_once_though_accounts_that_cannot_are_asked_after_the_others(rig: Rig) {
        let (user, token) = rig.stranger().await;
        let mut bound = Vec::new();
        for (face, name, key) in [
            ("openai_responses", "single", "sk-of-responses-0000000000"),
            ("openai_chat", "able", "sk-of-chat-0000000001"),
        ] {
            bound.push(rig.bind_to_face(face, &user, "openai", name, key).await);
        }
        rig.store.set_health(bound[1], resting()).await.unwrap();
        let mut counted = Vec::new();
        // Passed over once, then known; at last it rests too.
        for round in 0..3 {
            if round == 2 {
                rig.store.set_health(bound[0], resting()).await.unwrap();
            }
            let answer = rig.chat_as(&token, two_answers()).await;
            assert_eq!(answer.status, 429, "{answer:?}");
            let granted = leases_answered(&rig, "openai", "granted").await;
            counted.push((granted, leases_answered(&rig, "openai", "cooling").await));
        }
        assert_eq!(counted, [(1, 1), (2, 2), (2, 3)]);
    }
}

both! {
    #[wish(chains())]
    async fn what_nobody_can_is_refused_though_an_account_rests(rig: Rig) {
        for state in rig.accounts("spark").await {
            rig.store.set_health(state.account.id, resting()).await.unwrap();
        }
        let mut body = ask("hands", "hello");
        body["functions"] = json!(7);
        assert_eq!(rig.chat(body).await.row(), format!("{BAD}functions"));
    }
}

/// Two questions, a function for each, and the wish for one call at a time.
fn one_of_two(model: &str) -> Value {
    let function = |name: &str, what: &str| {
        json!({"type": "function", "function": {"name": name, "description": what,
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                "required": ["city"]}}})
    };
    let mut body = ask(model, "What is the weather in Paris, and what time is it there?");
    body["tools"] = json!([
        function("get_weather", "The weather in a city now."),
        function("get_time", "The local time in a city now.")
    ]);
    body["parallel_tool_calls"] = json!(false);
    body
}

both! {
    async fn a_wish_for_one_call_is_granted_where_the_platform_cannot_be_told(rig: Rig) {
        for model in ["gpt-4.1", "qwen-plus", "glm-4.7", "ernie-5.1", "claude-haiku-4-5"] {
            let whole = rig.chat(one_of_two(model)).await.json();
            let choice = &whole["choices"][0];
            assert_eq!(choice["message"]["tool_calls"].as_array().map(Vec::len), Some(1), "{whole}");
            assert_eq!(choice["finish_reason"], "tool_calls");
            let streamed = rig.chat_streamed(one_of_two(model)).await;
            let mut indexes = Vec::new();
            for event in streamed.events() {
                let Ok(chunk) = serde_json::from_str::<Value>(&event) else { continue };
                let calls = chunk["choices"][0]["delta"]["tool_calls"].as_array().cloned();
                indexes.extend(calls.into_iter().flatten().map(|call| call["index"].clone()));
            }
            assert!(!indexes.is_empty() && indexes.iter().all(|index| *index == 0), "{streamed:?}");
        }
        // It can fail: without the wish there are two.
        let mut both = one_of_two("glm-4.7");
        both.as_object_mut().unwrap().remove("parallel_tool_calls");
        let both = rig.chat(both).await.json();
        assert_eq!(both["choices"][0]["message"]["tool_calls"].as_array().map(Vec::len), Some(2));
    }
}

both! {
    async fn a_wish_for_one_call_or_none_at_all_is_no_reason_to_refuse(rig: Rig) {
        for model in ["gpt-4.1", "qwen-plus", "glm-4.7", "ernie-5.1", "4.0Ultra", "claude-haiku-4-5"] {
            for wish in [json!(false), Value::Null] {
                let mut body = parallel(model);
                body["parallel_tool_calls"] = wish.clone();
                let answer = rig.chat(body).await;
                assert_eq!(answer.status, 200, "{model} {wish}: {answer:?}");
            }
            let mut absent = parallel(model);
            absent.as_object_mut().unwrap().remove("parallel_tool_calls");
            assert_eq!(rig.chat(absent).await.status, 200, "{model}");
        }
    }
}
