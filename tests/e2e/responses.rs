//! OpenAI by its Responses: a model that lies there alone.

use serde_json::{Value, json};
use tributary::platforms::Credential;

use crate::both;
use crate::rig::{Rig, Wish, ask, tail};

const MODEL: &str = "gpt-5.1-codex-max";

fn with_tool(question: &str) -> Value {
    let mut body = ask(MODEL, question);
    body["tools"] = json!([{"type": "function", "function": {"name": "get_weather",
        "description": "The weather in a city now.", "parameters": {"type": "object",
        "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]);
    body["reasoning_effort"] = json!("low");
    body
}

both! {
    async fn the_model_picks_the_face_and_nothing_is_stored(rig: Rig) {
        assert_eq!(rig.chat(ask(MODEL, "repeat: 你好")).await.content(), "你好");
        let sent = rig.sent("openai").await.pop().unwrap();
        assert_eq!((&sent["path"], &sent["body"]["store"]), (&json!("/v1/responses"), &json!(false)));
        assert_eq!(rig.chat(ask("gpt-5.4-mini", "repeat: x")).await.content(), "x");
        assert_eq!(rig.sent("openai").await.pop().unwrap()["path"], "/v1/chat/completions");
    }
}

both! {
    async fn an_account_that_names_the_face_is_reached_by_it_for_every_model(rig: Rig) {
        let (user, token) = rig.stranger().await;
        let key = "sk-of-somebody-else-00000077";
        rig.bind_to_face("openai_responses", &user, "openai", "theirs", key).await;
        let question = "repeat: 长城 🙂";
        for mut body in [ask("gpt-5.4-mini", question), ask(MODEL, question)] {
            for streamed in [false, true] {
                body["stream"] = json!(streamed);
                let answer = rig.chat_as(&token, body.clone()).await;
                assert_eq!(answer.content(), "长城 🙂", "{answer:?}");
                assert_eq!(rig.sent("openai").await.pop().unwrap()["path"], "/v1/responses");
            }
        }
        let counted = rig.counted("openai", &tail(key)).await;
        rig.until(async || {
            let accounts = rig.accounts_of(&user, "openai").await;
            accounts[0].windows[0].used.0 == counted
        })
        .await;
    }
}

both! {
    async fn a_persons_plan_is_asked_for_what_it_takes_and_its_answer_gathered(rig: Rig) {
        let access_token = "eyJ-of-a-person-0000000000077".to_owned().into();
        let login = Credential::Oauth { access_token };
        let account = rig.bind_login("openai", "plan", &login, None).await;
        let mut body = with_tool("What is the weather in Paris?");
        body["model"] = json!("gpt-5.4-mini");
        body["account_id"] = json!(account.0);
        // The simulated plan refuses each of these.
        body["temperature"] = json!(1);
        body["max_tokens"] = json!(500);
        body["user"] = json!("u");
        body["messages"].as_array_mut().unwrap().insert(0, json!({"role": "system", "content": "Be brief."}));
        for streamed in [false, true] {
            body["stream"] = json!(streamed);
            let answer = rig.chat(body.clone()).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let text = std::str::from_utf8(&answer.body).unwrap();
            assert!(text.contains("get_weather") && text.contains("tool_calls"), "{text}");
            let sent = rig.sent("openai").await.pop().unwrap()["body"].clone();
            assert_eq!((&sent["stream"], &sent["instructions"]), (&json!(true), &json!("Be brief.")));
            assert_eq!(sent["input"][0]["type"], "additional_tools", "{sent}");
        }
        rig.until(async || {
            let accounts = rig.accounts("openai").await;
            let plan = accounts.iter().find(|state| state.account.id == account).unwrap();
            plan.windows[0].used.0 == rig.counted("openai", "…000077").await
        })
        .await;
    }
}

both! {
    async fn a_failure_before_output_goes_to_the_next_account(rig: Rig) {
        // An error event at once, and a response that fails after it was begun.
        for events in [0, 1] {
            for streamed in [false, true] {
                let fault = json!({"kind": "error_mid_stream", "after_events": events});
                rig.fault("openai", fault).await;
                let body = ask(MODEL, "repeat: 长城 🙂");
                let answer = if streamed { rig.chat_streamed(body).await } else { rig.chat(body).await };
                assert_eq!(answer.content(), "长城 🙂", "{answer:?}");
                // A whole answer is no stream that could break.
                let attempts = if streamed { "2" } else { "1" };
                assert_eq!(answer.attempts(), attempts, "{events} {streamed}");
                rig.behave("openai").await;
            }
        }
    }
}

both! {
    async fn a_failure_after_output_ends_the_stream_and_is_charged(rig: Rig) {
        rig.fault("openai", json!({"kind": "error_mid_stream", "after_events": 9})).await;
        let answer = rig.chat_streamed(ask(MODEL, "say 50 words")).await;
        let events = answer.events();
        let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
        assert_eq!(last["error"]["code"], "upstream_error", "{events:?}");
        assert!(!events.iter().any(|event| event == "[DONE]"));
        let record = rig.record(&answer).await;
        assert_eq!(record.attempts.len(), 1);
        let charge = record.attempts[0].charge;
        assert!(record.estimated && charge.tokens().0 > 0, "{record:?}");
    }
}

both! {
    async fn reasoning_comes_back_with_the_results_of_its_calls(rig: Rig) {
        for streamed in [false, true] {
            let first = with_tool("What is the weather in Paris?");
            let message = if streamed {
                let answer = rig.chat_streamed(first.clone()).await;
                let deltas = answer.events().into_iter().filter_map(|event| {
                    let chunk: Value = serde_json::from_str(&event).ok()?;
                    Some(chunk["choices"][0]["delta"].clone())
                });
                let deltas: Vec<Value> = deltas.collect();
                let id = deltas.iter().find_map(|delta| delta["tool_calls"][0]["id"].as_str()).unwrap();
                let blocks = deltas.iter().find_map(|delta| delta.get("thinking_blocks")).unwrap();
                json!({"role": "assistant", "content": null, "thinking_blocks": blocks, "tool_calls": [
                    {"id": id, "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}]})
            } else {
                rig.chat(first.clone()).await.json()["choices"][0]["message"].clone()
            };
            assert_eq!(message["thinking_blocks"][0]["type"], "reasoning", "{message}");
            let id = &message["tool_calls"][0]["id"];
            let mut second = first;
            let result = json!({"role": "tool", "tool_call_id": id, "content": "18 °C, 晴"});
            second["messages"].as_array_mut().unwrap().extend([message.clone(), result]);
            let told = rig.chat(second).await;
            assert!(told.content().contains("18 °C, 晴"), "{told:?}");
            let sent = rig.sent("openai").await.pop().unwrap()["body"]["input"].clone();
            assert!(sent.as_array().unwrap().contains(&message["thinking_blocks"][0]), "{sent}");
        }
    }
}

both! {
    async fn what_this_face_cannot_say_is_said_by_an_account_of_another_face(rig: Rig) {
        let (user, token) = rig.stranger().await;
        for (number, face) in ["openai_responses", "openai_responses", "openai_chat"].into_iter().enumerate() {
            let key = format!("sk-of-somebody-else-000000{number}0");
            rig.bind_to_face(face, &user, "openai", &format!("theirs-{number}"), &key).await;
        }
        let mut body = ask("gpt-5.4-mini", "repeat: x");
        body["tools"] = json!([{"type": "custom", "custom": {"name": "shell"}}]);
        for _ in 0..4 {
            let answer = rig.chat_as(&token, body.clone()).await;
            assert_eq!((answer.status.as_u16(), answer.content().as_str()), (200, "x"), "{answer:?}");
        }
        let sent = rig.sent("openai").await;
        assert!(sent.len() == 4 && sent.iter().all(|it| it["path"] == "/v1/chat/completions"), "{sent:?}");
    }
}

fn chains() -> Wish {
    let toml = "[aliases]\nhands = ['openai/gpt-5.1-codex-max', 'openai/gpt-5.4-mini']\n\
        no-hands = ['openai/gpt-5.1-codex-max', 'claude/claude-haiku-4-5']\n";
    Wish { toml, ..Wish::default() }
}

both! {
    #[wish(chains())]
    async fn what_this_face_cannot_say_is_said_by_the_next_hop(rig: Rig) {
        let mut body = ask("hands", "repeat: x");
        body["tools"] = json!([{"type": "custom", "custom": {"name": "shell"}}]);
        let answer = rig.chat(body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.content().as_str()), (200, "x"), "{answer:?}");
        assert_eq!(answer.header("x-tributary-model"), "gpt-5.4-mini");
        assert_eq!(rig.sent("openai").await.len(), 1);
        body["model"] = json!("no-hands");
        let refused = rig.chat(body).await;
        assert_eq!(refused.row(), "400 invalid_request_error invalid_request_error param=tools[0].type");
    }
}
