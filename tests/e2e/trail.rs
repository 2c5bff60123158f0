//! The audit log over REST: who did what to the caller's things.

use http::Method;
use serde_json::{Value, json};
use tributary::store::check_chain;

use crate::accounts::{Surface, all_scopes};
use crate::both;
use crate::rig::{KEYS, Rig, Server, Wish, cli};

const ACCOUNTS: &str = "/api/v1/oauth/accounts";
const AUDIT: &str = "/api/v1/audit";

fn actions(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect()
}

both! {
    async fn what_a_token_does_to_accounts_is_written_down(rig: Rig) {
        let surface = Surface::of(&rig).await;
        let key = KEYS[1].1[0];
        let wish = json!({"platform": "qwen", "account_name": "mine", "key": key});
        let bound = surface.post(ACCOUNTS, wish.clone()).await;
        assert_eq!(bound.status, 201, "{bound:?}");
        let id = bound.json()["id"].clone();
        let path = format!("{ACCOUNTS}/{id}");
        assert_eq!(surface.post(ACCOUNTS, wish).await.status, 409);
        let change = json!({"account_name": "other", "limit": 5000, "enabled": false});
        assert_eq!(surface.call(Method::PATCH, &path, change).await.status, 200);
        assert_eq!(surface.post(&format!("{path}/check"), Value::Null).await.status, 200);
        assert_eq!(surface.call(Method::DELETE, &path, Value::Null).await.status, 204);

        let log = surface.get(AUDIT).await;
        let expected = ["account.delete", "account.check", "account.change",
            "account.bind_failed", "account.bind", "account.bind"];
        assert_eq!(actions(&log)[..6], expected, "{log}");
        let rows = log["data"].as_array().unwrap();
        let me = surface.get("/api/v1/me").await;
        for row in &rows[..6] {
            assert_eq!(row["who"], format!("user:{}", me["user"]), "{row}");
            assert_eq!(row["by"], format!("token:{}", me["token"]["id"]), "{row}");
            assert_eq!(row["target"]["kind"], "account");
        }
        assert_eq!(rows[5]["target"]["id"], id.to_string());
        assert_eq!(rows[5]["details"], json!({"name": "mine", "platform": "qwen"}));
        let changed = &rows[2]["details"];
        assert_eq!((&changed["to_name"], &changed["limit"], &changed["enabled"]),
            (&json!("other"), &json!("5000"), &json!("false")));
        assert!(!log.to_string().contains(key), "a credential is in the log");

        // Page by page.
        let first = surface.get(&format!("{AUDIT}?limit=4")).await;
        let next = first["next"].as_str().unwrap();
        let rest = surface.get(&format!("{AUDIT}?limit=2&before={next}")).await;
        assert_eq!(actions(&rest), expected[4..]);

        // A stranger sees nothing of it; a cursor that is none finds nothing.
        let (stranger, _) = rig.stranger().await;
        let mut theirs = Surface::of(&rig).await;
        theirs.token = rig.token(&stranger, all_scopes()).await.1;
        assert_eq!(actions(&theirs.get(AUDIT).await), [""; 0]);
        let own = Surface::of(&rig).await;
        assert_eq!(actions(&own.get(&format!("{AUDIT}?before=x")).await), [""; 0]);

        let chain = check_chain(&*rig.store, &rig.vault, None, None).await.unwrap();
        assert_eq!(chain.faults, []);
        assert!(chain.rows >= 6);
    }
}

// The log before the secret.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_binding_cant_be_written_down_is_not_bound() {
    let server = Server::shared();
    let url = server.fresh_url();
    let database = url.rsplit('/').next().unwrap().to_owned();
    let rig = Rig::on_database(Wish::default(), server.clone(), url).await;
    let surface = Surface::of(&rig).await;
    let before = rig.accounts_of(&rig.user, "qwen").await.len();
    let run = |words: &[&str]| cli(server.port(), &[&["-n", &database], words].concat());
    run(&["SET", "{au}:log", "no log"]);
    let wish = json!({"platform": "qwen", "account_name": "mine", "key": KEYS[1].1[0]});
    let refused = surface.post(ACCOUNTS, wish.clone()).await;
    assert!(refused.status.is_server_error(), "{refused:?}");
    assert_eq!(rig.accounts_of(&rig.user, "qwen").await.len(), before);
    // A model call does not ask.
    let answer = rig.chat(crate::rig::ask("qwen-plus", "hello")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    run(&["DEL", "{au}:log"]);
    assert_eq!(surface.post(ACCOUNTS, wish).await.status, 201);
}
