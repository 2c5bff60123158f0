//! The audit log over REST: who did what to the caller's things, and to all for operators.

use http::Method;
use serde_json::{Value, json};
use tributary::accounts::Subject;
use tributary::store::check_chain;

use crate::accounts::{Surface, all_scopes};
use crate::both;
use crate::rig::{KEYS, PASSWORD, Rig, Server, Wish, cli};

const ACCOUNTS: &str = "/api/v1/oauth/accounts";
const AUDIT: &str = "/api/v1/audit";
const WHOLE: &str = "/api/v1/admin/audit";

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_fails_half_way_is_written_down_already() {
    let server = Server::shared();
    let url = server.fresh_url();
    let mut redis = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    let rig = Rig::on_database(Wish::default(), server, url).await;
    let surface = Surface::of(&rig).await;
    let account = surface.get(ACCOUNTS).await["data"][0]["id"].clone();
    // Where the user's records would be taken out of the account's list is something else.
    let records = format!("{{u:{}}}:ra", rig.user.id);
    redis::cmd("SET").arg(records).arg("x").exec(&mut redis).unwrap();

    let path = format!("{ACCOUNTS}/{account}");
    let failed = surface.call(Method::DELETE, &path, Value::Null).await;
    assert!(failed.status.is_server_error(), "{failed:?}");
    assert_eq!(surface.call(Method::DELETE, &path, Value::Null).await.status, 404);
    let log = surface.get(AUDIT).await;
    assert_eq!(actions(&log)[0], "account.delete", "{log}");
    assert_eq!(log["data"][0]["target"]["id"], account.to_string());
}

// What an operator sees over REST is what `tributary audit` shows: facts, and whose they are.
both! {
    async fn an_operator_reads_the_whole_log_or_one_users_part(rig: Rig) {
        let boss = rig.operator().await;
        let (stranger, _) = rig.stranger().await;
        let mut theirs = Surface::of(&rig).await;
        theirs.token = rig.token(&stranger, all_scopes()).await.1;
        let own = Surface::of(&rig).await;
        let key = KEYS[1].1[0];
        let wish = |name: &str| json!({"platform": "qwen", "account_name": name, "key": key});
        assert_eq!(own.post(ACCOUNTS, wish("mine")).await.status, 201);
        assert_eq!(theirs.post(ACCOUNTS, wish("theirs")).await.status, 201);
        let grant = format!("/api/v1/admin/users/{}/points", stranger.id);
        assert_eq!(boss.post(&rig, &grant, json!({"points": "1"})).await.status, 200);

        let read = async |query: &str| boss.get(&rig, &format!("{WHOLE}{query}")).await;
        let log = read("").await.json();
        assert_eq!(actions(&log)[..3], ["points.grant", "account.bind", "account.bind"], "{log}");
        let rows = log["data"].as_array().unwrap();
        let facts = |row: &Value| (row["who"].clone(), row["user_id"].clone());
        let user = |id| json!(format!("user:{id}"));
        assert_eq!(facts(&rows[0]), (user(boss.user), json!(stranger.id)));
        assert_eq!(facts(&rows[1]), (user(stranger.id), json!(stranger.id)));
        assert_eq!(facts(&rows[2]), (user(rig.user.id), json!(rig.user.id)));
        assert_eq!(rows[1]["details"], json!({"name": "theirs", "platform": "qwen"}));
        for hidden in [key, &own.token, &theirs.token, &boss.cookie, &boss.csrf] {
            assert!(!log.to_string().contains(hidden), "{hidden} in {log}");
        }

        // Those of one user: what it did, and what was done to its things.
        let part = read(&format!("?user_id={}", stranger.id)).await.json();
        assert_eq!(actions(&part), ["points.grant", "account.bind"], "{part}");
        let part = read(&format!("?user_id={}", boss.user)).await.json();
        assert_eq!(actions(&part)[0], "points.grant", "{part}");
        assert!(!actions(&part).contains(&"account.bind"), "{part}");
        let nobody = read("?user_id=99").await;
        assert_eq!(nobody.row(), "404 invalid_request_error user_not_found param=user");
        assert_eq!(read("?doer=1").await.row(), "400 invalid_request_error invalid_request_error param=doer");

        // Page by page.
        let first = read("?limit=2").await.json();
        assert_eq!(first["has_more"], true);
        let next = first["next"].as_str().unwrap();
        let rest = read(&format!("?limit=1&before={next}")).await.json();
        assert_eq!(rest["data"][0], rows[2]);
        assert_eq!(actions(&read("?before=x").await.json()), [""; 0]);
    }
}

// A grant that can't be written down is none, and what it was asked with is good for another try.
#[tokio::test(flavor = "multi_thread")]
async fn what_grants_something_is_not_done_where_it_cant_be_written_down() {
    let server = Server::shared();
    let url = server.fresh_url();
    let database = url.rsplit('/').next().unwrap().to_owned();
    let rig = Rig::on_database(Wish::default(), server.clone(), url).await;
    let surface = Surface::of(&rig).await;
    let (stranger, _) = rig.stranger().await;
    let team = rig.team(&rig.user).await;
    let people = &rig.running.people;
    let setup = people.setup_link().await.unwrap().unwrap();
    let reset = people.password_link(rig.user.id).await.unwrap();
    let subject = Subject { issuer: "https://id.example".into(), subject: "ann".into() };

    let seat = format!("/api/v1/pools/{team}/members/stranger");
    let boss = json!({"token": setup, "name": "boss", "password": PASSWORD});
    let set_up = || rig.post_json("/api/v1/setup", boss.clone());
    let found = || surface.post("/api/v1/pools", json!({"name": "lab"}));
    let join = || surface.call(Method::PUT, &seat, json!({}));
    let password = json!({"token": reset, "password": PASSWORD});
    let set_password = || rig.post_json("/api/v1/password/reset", password.clone());
    let sign_up = || people.sign_up_as(&subject, "ann", "");

    let run = |words: &[&str]| cli(server.port(), &[&["-n", &database], words].concat());
    run(&["SET", "{au}:log", "no log"]);
    for refused in [set_up().await, found().await, join().await, set_password().await] {
        assert!(refused.status.is_server_error(), "{refused:?}");
    }
    assert!(sign_up().await.is_err());
    let users = rig.store.users().await.unwrap();
    let names: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["tester", "stranger"]);
    assert_eq!(rig.store.teams().await.unwrap().len(), 1);
    assert_eq!(rig.store.memberships_of(stranger.id).await.unwrap(), []);
    assert_eq!(rig.sign_in("tester", PASSWORD).await.status, 401);

    run(&["DEL", "{au}:log"]);
    for (status, done) in [
        (201, set_up().await),
        (201, found().await),
        (200, join().await),
        (200, set_password().await),
    ] {
        assert_eq!(done.status, status, "{done:?}");
    }
    let ann = sign_up().await.unwrap().signed_in.user;
    assert_eq!(people.sign_in_as(&subject, "").await.unwrap().signed_in.user.id, ann.id);
    let log = rig.store.audit_after(0, 10).await.unwrap();
    let written: Vec<_> = log.iter().map(|row| row.deed.action.as_str()).collect();
    assert_eq!(written, ["user.setup", "pool.create", "pool.member", "user.password", "user.add"]);
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
