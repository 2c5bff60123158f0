//! What a call said is kept with its record where its token asks for that, sealed.

use http::Request;
use serde_json::json;
use tributary::accounts::Record;
use tributary::vault::Said;

use crate::both;
use crate::rig::{Grants, Rig, Wish, ask};

const MODEL: &str = "gpt-4.1";

async fn keeping(rig: &Rig) -> String {
    rig.token(&rig.user, Grants { keep_bodies: true, ..Grants::default() }).await.1
}

fn opened(rig: &Rig, record: &Record) -> [String; 2] {
    let bodies = record.bodies.as_ref().expect("kept");
    let open = |said, sealed| {
        let plain = rig.vault.open_words(rig.user.id.0, &record.id, said, sealed).unwrap();
        String::from_utf8(plain.expose_secret().to_vec()).unwrap()
    };
    [open(Said::Request, &bodies.request), open(Said::Response, &bodies.response)]
}

both! {
    async fn a_whole_call_is_kept_to_the_byte(rig: Rig) {
        let token = keeping(&rig).await;
        let body = ask(MODEL, "say 用词 7 words");
        let answer = rig.chat_as(&token, body.clone()).await;
        let record = rig.record(&answer).await;
        let [request, response] = opened(&rig, &record);
        assert_eq!(request, body.to_string());
        assert_eq!(response.as_bytes(), answer.body);
        assert!(!record.bodies.unwrap().cut);
        assert!(!serde_json::to_string(&rig.records().await).unwrap().contains("用词"));
    }
}

both! {
    async fn a_stream_is_kept_as_it_was_sent(rig: Rig) {
        let token = keeping(&rig).await;
        let mut body = ask(MODEL, "say 7 words");
        body["stream"] = json!(true);
        let answer = rig.chat_as(&token, body).await;
        let [_, response] = opened(&rig, &rig.record(&answer).await);
        assert!(response.ends_with("data: [DONE]\n\n"));
        assert_eq!(response.as_bytes(), answer.body);
    }
}

both! {
    async fn other_tokens_keep_nothing(rig: Rig) {
        let answer = rig.chat(ask(MODEL, "say 7 words")).await;
        assert_eq!(rig.record(&answer).await.bodies, None);
    }
}

both! {
    #[wish(Wish {
        relay: tributary::relay::Settings { kept_body_bytes: 50, ..Default::default() },
        ..Wish::default()
    })]
    async fn only_the_beginning_of_what_is_long_is_kept(rig: Rig) {
        let token = keeping(&rig).await;
        let body = ask(MODEL, "say 70 words");
        let answer = rig.chat_as(&token, body.clone()).await;
        let record = rig.record(&answer).await;
        let [request, response] = opened(&rig, &record);
        assert_eq!(request, body.to_string()[..50]);
        assert_eq!(response, std::str::from_utf8(&answer.body[..50]).unwrap());
        assert!(record.bodies.unwrap().cut);
    }
}

both! {
    async fn what_was_said_goes_with_its_account(rig: Rig) {
        let token = keeping(&rig).await;
        let answer = rig.chat_as(&token, ask(MODEL, "say 7 words")).await;
        assert!(rig.record(&answer).await.bodies.is_some());
        rig.all_settled("openai").await;
        let account = tributary::accounts::AccountId(answer.account());
        assert!(rig.store.remove_account(account).await.unwrap());
        assert!(rig.records().await.iter().all(|record| record.bodies.is_none()));
    }
}

both! {
    async fn what_was_said_is_shown_to_the_token_that_said_it_alone(rig: Rig) {
        let token = keeping(&rig).await;
        let answer = rig.chat_as(&token, ask(MODEL, "say 7 words")).await;
        rig.record(&answer).await;
        let seen_by = async |token: &str| {
            let path = format!("/api/v1/oauth/accounts/{}/usage", answer.account());
            let request = Request::get(path).header("authorization", format!("Bearer {token}"));
            rig.send(request, "").await.json()["data"][0].clone()
        };
        let (own, others) = (seen_by(&token).await, seen_by(&rig.token).await);
        assert_eq!(own["response"], std::str::from_utf8(&answer.body).unwrap());
        assert_eq!(others["id"], own["id"]);
        assert_eq!([&others["request"], &others["response"]], [&json!(null), &json!(null)]);
    }
}
