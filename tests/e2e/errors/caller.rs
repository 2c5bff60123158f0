//! What the caller did wrong.

use http::Request;
use serde_json::json;
use tributary::accounts::Scope;
use tributary::telemetry::clock::{self, Stopwatch};
use tributary::vault::GatewayToken;

use crate::both;
use crate::rig::{Answer, CHAT, Grants, Rig, ask};

const NO_TOKEN: &str = "401 authentication_error invalid_api_key";
const NOT_FOUND: &str = "404 invalid_request_error account_not_found param=account_id";

both! {
    async fn a_call_without_a_token_is_told_how_to_send_one(rig: Rig) {
        let body = ask("qwen-plus", "hello").to_string();
        for request in [
            Request::post(CHAT),
            Request::post(CHAT).header("authorization", "Basic dGVzdA=="),
            Request::get("/v1/models"),
        ] {
            let answer = rig.send(request, body.clone()).await;
            assert_eq!(answer.row(), NO_TOKEN);
            assert!(answer.message().contains("Authorization: Bearer"), "{answer:?}");
        }
    }
}

both! {
    async fn a_token_that_nobody_made_is_not_known(rig: Rig) {
        let forged = GatewayToken::generate().unwrap();
        for token in [forged.expose_secret(), "sk-something-else", "", &rig.token[1..]] {
            let answer = rig.chat_as(token, ask("qwen-plus", "hello")).await;
            assert_eq!(answer.row(), NO_TOKEN, "{token}");
        }
    }
}

both! {
    async fn a_token_may_come_as_x_api_key(rig: Rig) {
        let request = Request::post(CHAT).header("x-api-key", &rig.token);
        let answer = rig.send(request, ask("qwen-plus", "hello").to_string()).await;
        assert_eq!(answer.status, 200);
    }
}

both! {
    async fn a_revoked_token_stops_within_five_seconds(rig: Rig) {
        let (id, token) = rig.token(&rig.user, Grants::default()).await;
        let hello = || rig.chat_as(&token, ask("qwen-plus", "hello"));
        assert_eq!(hello().await.status, 200);
        assert!(rig.store.revoke_token(id).await.unwrap());
        let since = Stopwatch::start();
        rig.until(async || hello().await.status == 401).await;
        assert!(since.elapsed().as_secs_f64() < 5.0, "{:?}", since.elapsed());
        assert_eq!(hello().await.row(), NO_TOKEN);
    }
}

both! {
    async fn a_token_ends_when_it_says_though_it_was_used_just_before(rig: Rig) {
        let expires_at = Some(clock::now() + jiff::SignedDuration::from_secs(2));
        let (_, token) = rig.token(&rig.user, Grants { expires_at, ..Grants::default() }).await;
        let hello = || rig.chat_as(&token, ask("qwen-plus", "hello"));
        assert_eq!(hello().await.status, 200);
        let mut answer = hello().await;
        rig.until(async || {
            answer = hello().await;
            answer.status != 200
        })
        .await;
        assert_eq!(answer.row(), NO_TOKEN);
        assert!(Some(clock::now()) >= expires_at);
    }
}

both! {
    async fn a_token_without_the_scope_may_not_chat(rig: Rig) {
        let grants = Grants { scopes: vec![Scope::AccountsRead], ..Grants::default() };
        let (_, token) = rig.token(&rig.user, grants).await;
        let answer = rig.chat_as(&token, ask("qwen-plus", "hello")).await;
        assert_eq!(answer.row(), "403 invalid_request_error invalid_request_error");
        assert!(answer.message().contains("\"chat\""), "{answer:?}");
    }
}

both! {
    async fn foreign_and_missing_accounts_answer_byte_for_byte_alike(rig: Rig) {
        let (stranger, _) = rig.stranger().await;
        let foreign =
            rig.bind(&stranger, "qwen", "theirs", "sk-of-somebody-else-00000099", 1_000_000).await.0;
        let missing = 987_654_321;
        for way in [Way::Field, Way::Header, Way::Name, Way::Oauth] {
            let answer = pinned(&rig, way, foreign).await;
            assert_eq!(answer.row(), NOT_FOUND);
            let other = pinned(&rig, way, missing).await;
            assert_eq!(blind(answer, foreign), blind(other, missing));
        }
        assert!(rig.sent("qwen").await.is_empty());
    }
}

both! {
    async fn an_accounts_number_that_is_none_is_a_bad_request(rig: Rig) {
        let body = ask("qwen-plus", "hello");
        for id in ["first", "1.5", "", "99999999999999999999"] {
            let request = rig.with_token(Request::post(CHAT)).header("x-account-id", id);
            let answer = rig.send(request, body.to_string()).await;
            let row = "400 invalid_request_error invalid_request_error param=account_id";
            assert_eq!(answer.row(), row, "{id}");
        }
        let mut two = body;
        two["account_id"] = json!(1);
        let request = rig.with_token(Request::post(CHAT)).header("x-account-id", "2");
        assert_eq!(rig.send(request, two.to_string()).await.status, 400);
    }
}

both! {
    async fn an_unknown_model_is_not_found(rig: Rig) {
        for model in ["gpt-0", "nowhere/gpt-5.4", "account:x/qwen-plus"] {
            let answer = rig.chat(ask(model, "hello")).await;
            let row = "404 invalid_request_error model_not_found param=model";
            assert_eq!(answer.row(), row, "{model}");
            assert!(answer.message().contains(model), "{answer:?}");
        }
    }
}

both! {
    async fn a_model_that_nothing_is_bound_for_says_what_to_bind(rig: Rig) {
        let (_, token) = rig.stranger().await;
        let answer = rig.chat_as(&token, ask("qwen-plus", "hello")).await;
        assert_eq!(answer.row(), "404 invalid_request_error model_not_found param=model");
        let message = answer.message();
        assert!(message.contains("tributary account add"), "{message}");
        assert!(message.contains("--platform qwen"), "{message}");
    }
}

both! {
    async fn a_bad_body_names_what_is_wrong_and_reaches_no_platform(rig: Rig) {
        let messages = json!([{"role": "user", "content": "hello"}]);
        for (body, param) in [
            ("".to_owned(), None),
            ("hello".to_owned(), None),
            ("[1, 2]".to_owned(), None),
            (r#"{"model": "qwen-plus", "messages": [{"#.to_owned(), None),
            (json!({"model": "qwen-plus"}).to_string(), Some("messages")),
            (json!({"model": "qwen-plus", "messages": []}).to_string(), Some("messages")),
            (json!({"model": "qwen-plus", "messages": "hello"}).to_string(), Some("messages")),
            (json!({"messages": messages}).to_string(), Some("model")),
            (json!({"model": 7, "messages": messages}).to_string(), Some("model")),
            (json!({"model": "qwen-plus", "messages": messages, "stream": "yes"}).to_string(), Some("stream")),
            (json!({"model": "qwen-plus", "messages": messages, "account_id": "1"}).to_string(), Some("account_id")),
        ] {
            let answer = rig.call(Request::post(CHAT), body.clone()).await;
            let mut row = "400 invalid_request_error invalid_request_error".to_owned();
            row += &param.map(|param| format!(" param={param}")).unwrap_or_default();
            assert_eq!(answer.row(), row, "{body}");
        }
        assert!(rig.sent("qwen").await.is_empty());
    }
}

both! {
    async fn what_a_platform_finds_wrong_is_the_callers_with_the_platforms_code(rig: Rig) {
        let mut hot = ask("gpt-4.1", "hello");
        hot["temperature"] = json!(9);
        let answer = rig.chat(hot).await;
        assert_eq!(answer.row(), "400 invalid_request_error decimal_above_max_value param=temperature");
        for (class, row) in [
            ("context_length", "400 invalid_request_error context_length_exceeded param=messages"),
            ("content_filtered", "400 invalid_request_error invalid_prompt"),
        ] {
            rig.fault("openai", json!({"kind": "class", "class": class})).await;
            assert_eq!(rig.chat(ask("gpt-4.1", "hello")).await.row(), row);
        }
        for (class, row) in [
            ("context_length", "400 invalid_request_error context_length_exceeded param=messages"),
            ("content_filtered", "400 invalid_request_error content_filter param=messages"),
        ] {
            rig.fault("qwen", json!({"kind": "class", "class": class})).await;
            assert_eq!(rig.chat(ask("qwen-plus", "hello")).await.row(), row);
        }
        assert_eq!(rig.rows("openai").await.len() + rig.rows("qwen").await.len(), 5);
    }
}

/// How a caller names an account.
#[derive(Clone, Copy)]
enum Way {
    Field,
    Header,
    Name,
    Oauth,
}

async fn pinned(rig: &Rig, way: Way, id: i64) -> Answer {
    let mut body = ask("qwen-plus", "hello");
    let mut request = Request::post(CHAT);
    match way {
        Way::Field => body["account_id"] = json!(id),
        Way::Header => request = request.header("x-account-id", id),
        Way::Name => body["model"] = json!(format!("account:{id}/qwen-plus")),
        Way::Oauth => {
            body["account_id"] = json!(id);
            request = Request::post("/api/v1/oauth/chat/completions");
        }
    }
    rig.call(request, body.to_string()).await
}

/// An answer without what differs by right: the id that was asked for, the request's own
/// id, the time.
fn blind(answer: Answer, id: i64) -> (u16, Vec<(String, String)>, String) {
    let changing = ["x-request-id", "date", "content-length"];
    let headers = answer.headers.iter().filter(|(name, _)| !changing.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect();
    let body = std::str::from_utf8(&answer.body).unwrap().replace(&id.to_string(), "ID");
    (answer.status.as_u16(), headers, body)
}
