//! What somebody reads who draws from a pool but does not own the account.

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tributary::accounts::Health;

use crate::both;
use crate::rig::{Grants, Rig, ask};

const SAID: &str = "org-42 of Jane Doe";
const OURS: &str = "own words are for";

/// A token of somebody else's for the user's pool.
async fn member(rig: &Rig) -> String {
    let (stranger, _) = rig.stranger().await;
    let pools = vec![rig.let_in(&stranger).await];
    rig.token(&stranger, Grants { pools, ..Grants::default() }).await.1
}

both! {
    async fn a_platforms_words_about_an_account_are_its_owners_alone(rig: Rig) {
        let member = member(&rig).await;
        for (status, code, param, row, is_told) in [
            // About what the caller sent: it must know.
            (400, "decimal_above_max_value", Some("temperature"), "400 invalid_request_error decimal_above_max_value param=temperature", true),
            (400, "context_length_exceeded", None, "400 invalid_request_error context_length_exceeded param=messages", true),
            (400, "invalid_prompt", None, "400 invalid_request_error invalid_prompt", true),
            // A 400 that nobody knows may be about the account.
            (400, "odd", None, "400 invalid_request_error odd", false),
            (404, "model_not_found", None, "404 invalid_request_error model_not_found param=model", false),
            (401, "invalid_api_key", None, "502 server_error account_unauthorized x-should-retry=false", false),
            (401, "account_deactivated", None, "502 server_error account_unauthorized x-should-retry=false", false),
            (429, "insufficient_quota", None, "429 insufficient_quota insufficient_quota Retry-After x-should-retry=false", false),
            (429, "rate_limit_exceeded", None, "429 rate_limit_error rate_limit_exceeded Retry-After", false),
            (503, "server_is_overloaded", None, "502 server_error upstream_error", false),
            (500, "server_error", None, "502 server_error upstream_error", false),
        ] {
            let body = json!({"error": {"message": SAID, "code": code, "param": param}});
            let fault = json!({"kind": "status", "status": status, "body": body, "times": 0});
            rig.fault("openai", fault).await;
            for (token, tells) in [(&rig.token, true), (&member, is_told)] {
                let answer = rig.chat_as(token, ask("gpt-4.1", "hello")).await;
                assert_eq!(answer.row(), row, "{code}");
                let message = answer.message();
                assert_eq!(message.contains(SAID), tells, "{code}: {message}");
                assert_eq!(message.contains(OURS), !tells, "{code}: {message}");
                for state in rig.accounts("openai").await {
                    rig.store.set_health(state.account.id, Health::Active).await.unwrap();
                }
            }
            rig.behave("openai").await;
        }
    }
}

both! {
    async fn a_stream_that_breaks_tells_its_owner_why_and_others_that_it_did(rig: Rig) {
        rig.bind_stub().await;
        let member = member(&rig).await;
        for (code, is_told) in [
            ("insufficient_quota", false),
            ("server_error", false),
            ("context_length_exceeded", true),
        ] {
            let error = json!({"error": {"message": SAID, "code": code}});
            for (token, tells) in [(&rig.token, true), (&member, is_told)] {
                let break_off = async {
                    let mut platform = rig.stub_begins().await;
                    platform.write_all(format!("data: {error}\n\n").as_bytes()).await.unwrap();
                };
                let mut body = ask("stub-1", "hello");
                body["stream"] = json!(true);
                let (answer, ()) = tokio::join!(rig.chat_as(token, body), break_off);
                let events = answer.events();
                assert!(events[0].contains("so it is"), "{events:?}");
                let last = events.last().unwrap();
                assert!(last.starts_with("{\"error\""), "{events:?}");
                assert_eq!(last.contains(SAID), tells, "{code}: {last}");
                assert_eq!(last.contains(OURS), !tells, "{code}: {last}");
            }
        }
        // What we say ourselves is for everybody.
        let hang_up = async { drop(rig.stub_begins().await) };
        let mut body = ask("stub-1", "hello");
        body["stream"] = json!(true);
        let (answer, ()) = tokio::join!(rig.chat_as(&member, body), hang_up);
        let last = answer.events().pop().unwrap();
        assert!(last.contains("\"error\"") && !last.contains(OURS), "{last}");
    }
}
