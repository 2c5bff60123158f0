//! A platform's other faces: the account names one, and everything else is as ever.

use serde_json::{Value, json};
use tributary::accounts::{Record, User};

use crate::both;
use crate::rig::{Answer, Grants, KEYS, OTHER_FACES, Rig, ask};

/// A face, with what is asked of it.
struct Face {
    platform: &'static str,
    dialect: &'static str,
    model: &'static str,
    /// What it asks for a stream by, if not in the body.
    header: Option<(&'static str, &'static str)>,
    /// A model that sees.
    sees: Option<&'static str>,
    /// Where the two models' requests go.
    paths: [&'static str; 2],
    /// Code and field of a refused content.
    filtered: &'static str,
}

const FACES: [Face; 2] = [
    Face {
        platform: "openai",
        dialect: "openai_responses",
        model: "gpt-5.4-mini",
        header: None,
        sees: Some("gpt-5.4-mini"),
        paths: ["/v1/responses"; 2],
        filtered: "invalid_prompt",
    },
    Face {
        platform: "qwen",
        dialect: "dashscope",
        model: "qwen-plus",
        header: Some(("x-dashscope-sse", "enable")),
        sees: Some("qwen3-vl-plus"),
        paths: [
            "/api/v1/services/aigc/text-generation/generation",
            "/api/v1/services/aigc/multimodal-generation/generation",
        ],
        filtered: "content_filter param=messages",
    },
];

/// A red pixel.
const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// Somebody whose accounts are all on one face.
struct Caller<'r> {
    rig: &'r Rig,
    face: &'static Face,
    user: User,
    token: String,
}

impl<'r> Caller<'r> {
    async fn of(rig: &'r Rig, face: &'static Face) -> Self {
        let user = rig.store.add_user(face.dialect).await.unwrap();
        let (_, token) = rig.token(&user, Grants::default()).await;
        let (_, keys) = KEYS.iter().find(|(name, _)| *name == face.platform).unwrap();
        for (number, key) in keys.iter().enumerate() {
            let name = format!("native-{number}");
            rig.bind_to_face(face.dialect, &user, face.platform, &name, key).await;
        }
        Self { rig, face, user, token }
    }

    async fn chat(&self, body: Value) -> Answer {
        self.rig.chat_as(&self.token, body).await
    }

    async fn chat_streamed(&self, mut body: Value) -> Answer {
        body["stream"] = json!(true);
        self.chat(body).await
    }

    async fn fault(&self, fault: Value) {
        self.rig.fault(self.face.platform, fault).await;
    }

    /// Where the last request went, and its headers.
    async fn last_sent(&self) -> (String, Value) {
        let sent = self.rig.sent(self.face.platform).await.pop().unwrap();
        (sent["path"].as_str().unwrap().to_owned(), sent["headers"].clone())
    }

    /// What the caller's accounts were charged, once nothing is leased.
    async fn charged(&self) -> u64 {
        let accounts = async || self.rig.accounts_of(&self.user, self.face.platform).await;
        let is_settled = async || accounts().await.iter().all(|state| state.leased.0 == 0);
        self.rig.until(is_settled).await;
        accounts().await.iter().map(|state| state.windows[0].used.0).sum()
    }

    async fn record(&self, answer: &Answer) -> Record {
        let id = answer.header("x-request-id");
        let mut found = None;
        let find = async || {
            let records = self.rig.store.records_of(self.user.id, None, 100).await.unwrap();
            found = records.into_iter().find(|record| record.id == id);
            found.is_some()
        };
        self.rig.until(find).await;
        found.unwrap()
    }

    async fn counted(&self) -> u64 {
        let books = self.rig.ledger(self.face.platform).await;
        let tokens = |row: &Value, field: &str| row[field].as_u64().unwrap();
        let rows = books["credentials"].as_object().unwrap().values();
        rows.map(|row| tokens(row, "prompt_tokens") + tokens(row, "completion_tokens")).sum()
    }
}

#[test]
fn every_other_face_is_tried() {
    let tried = FACES.map(|face| (face.platform, face.dialect));
    assert_eq!(tried, OTHER_FACES.map(|(platform, dialect, _)| (platform, dialect)));
}

both! {
    async fn an_account_is_reached_in_the_face_that_it_names(rig: Rig) {
        for face in &FACES {
            let caller = Caller::of(&rig, face).await;
            let question = ask(face.model, "repeat: 你好, wide world 🙂");
            for streamed in [false, true] {
                let mut body = question.clone();
                body["stream"] = json!(streamed);
                let answer = caller.chat(body).await;
                assert_eq!(answer.status, 200, "{}: {answer:?}", face.dialect);
                assert_eq!(answer.content(), "你好, wide world 🙂");
                assert_eq!(answer.header("x-tributary-platform"), face.platform);
                let (path, headers) = caller.last_sent().await;
                assert_eq!(path, face.paths[0]);
                if let Some((name, value)) = face.header {
                    let wanted = if streamed { json!(value) } else { Value::Null };
                    assert_eq!(headers[name], wanted, "{headers}");
                }
            }
            assert_eq!(caller.charged().await, caller.counted().await, "{}", face.dialect);

            // The others on the platform stay where they were.
            assert_eq!(rig.chat(question).await.status, 200);
            assert_ne!(caller.last_sent().await.0, face.paths[0]);
        }
    }
}

both! {
    async fn a_model_that_sees_is_asked_where_it_is_served(rig: Rig) {
        for face in &FACES {
            let Some(model) = face.sees else { continue };
            let caller = Caller::of(&rig, face).await;
            let parts = json!([{"type": "text", "text": "Which colour is this?"},
                {"type": "image_url", "image_url": {"url": PIXEL}}]);
            let body = json!({"model": model, "messages": [{"role": "user", "content": parts}]});
            for answer in [caller.chat(body.clone()).await, caller.chat_streamed(body).await] {
                assert_eq!(answer.status, 200, "{answer:?}");
                assert!(answer.content().contains("image/png 1x1"), "{answer:?}");
                assert_eq!(caller.last_sent().await.0, face.paths[1]);
            }
            assert_eq!(caller.charged().await, caller.counted().await);
        }
    }
}

both! {
    async fn thinking_that_only_streams_is_gathered_for_a_caller_who_wants_it_whole(rig: Rig) {
        for face in &FACES {
            let caller = Caller::of(&rig, face).await;
            let mut body = ask(face.model, "repeat: sixty");
            body["reasoning_effort"] = json!("high");
            let answer = caller.chat(body.clone()).await;
            assert_eq!(answer.content(), "sixty", "{answer:?}");
            let answer = answer.json();
            assert_ne!(answer["choices"][0]["message"]["reasoning_content"], "");
            let details = &answer["usage"]["completion_tokens_details"];
            assert!(details["reasoning_tokens"].as_u64() > Some(0), "{answer}");
            assert_eq!(caller.chat_streamed(body).await.content(), "sixty");
            assert_eq!(caller.charged().await, caller.counted().await);
        }
    }
}

both! {
    async fn a_failure_moves_on_before_the_first_word_and_is_told_after_it(rig: Rig) {
        for face in &FACES {
            let caller = Caller::of(&rig, face).await;
            for class in ["overloaded", "upstream_fault", "rate_limited"] {
                for streamed in [false, true] {
                    caller.fault(json!({"kind": "class", "class": class})).await;
                    let mut body = ask(face.model, "repeat: here");
                    body["stream"] = json!(streamed);
                    let answer = caller.chat(body).await;
                    assert_eq!(answer.status, 200, "{class}: {answer:?}");
                    assert_eq!((answer.content().as_str(), answer.attempts()), ("here", "2"), "{class}");
                    let paused = rig.accounts_of(&caller.user, face.platform).await;
                    for state in paused {
                        let active = tributary::accounts::Health::Active;
                        rig.store.set_health(state.account.id, active).await.unwrap();
                    }
                }
            }
            // What is the request's fault is not tried elsewhere, in a stream neither.
            for streamed in [false, true] {
                caller.fault(json!({"kind": "class", "class": "content_filtered"})).await;
                let mut body = ask(face.model, "repeat: here");
                body["stream"] = json!(streamed);
                let answer = caller.chat(body).await;
                assert_eq!(answer.row(), format!("400 invalid_request_error {}", face.filtered));
            }
            caller.fault(json!({"kind": "error_mid_stream", "after_events": 2})).await;
            let answer = caller.chat_streamed(ask(face.model, "say 50 words")).await;
            let events = answer.events();
            let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
            assert_eq!((answer.status.as_u16(), &last["error"]["code"]), (200, &json!("upstream_error")));
            assert!(events.len() > 2, "{events:?}");
        }
    }
}

both! {
    async fn bytes_come_one_by_one_and_a_cut_is_told(rig: Rig) {
        for face in &FACES {
            let caller = Caller::of(&rig, face).await;
            caller.fault(json!({"kind": "split", "bytes": 1})).await;
            let answer = caller.chat_streamed(ask(face.model, "repeat: 你好🙂")).await;
            assert_eq!(answer.content(), "你好🙂");
            caller.fault(json!({"kind": "cut", "after_bytes": 4000})).await;
            let answer = caller.chat_streamed(ask(face.model, "say 500 words")).await;
            let events = answer.events();
            assert!(events.last().unwrap().contains("upstream_error"), "{events:?}");
            let record = caller.record(&answer).await;
            assert!(record.estimated, "a running count is no last word: {record:?}");
        }
    }
}
