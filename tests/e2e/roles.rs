//! Who may call what: each route with each kind of caller, generated from the route table.

mod rows;

use std::collections::BTreeSet;
use std::time::Duration;

use http::{HeaderMap, Method, Request};
use serde_json::{Value, json};
use tributary::accounts::{PoolId, Scope, TeamRole, TokenGrant};
use tributary::server::{ROUTES, Role};

use rows::{Kind, kinds, row_of, rows};

use crate::accounts::all_scopes;
use crate::both;
use crate::rig::{Answer, Grants, KEYS, Rig, ask};

const ACCOUNTS: &str = "/api/v1/oauth/accounts";
const POOL: &str = "/api/v1/pools/{id}";

#[test]
fn every_route_has_its_row_and_every_row_its_route() {
    let name = |method: &Method, path: &str| format!("{method} {path}");
    let routes: BTreeSet<_> = ROUTES.iter().map(|route| name(&route.method, route.path)).collect();
    let rows: BTreeSet<_> = rows().iter().map(|row| name(&row.method, row.path)).collect();
    assert_eq!(routes, rows);
    assert_eq!(routes.len(), ROUTES.len());
}

both! {
    #[wish(crate::teams::fresh())]
    async fn each_route_answers_each_caller_as_its_role_says(rig: Rig) {
        let (stranger, _) = rig.stranger().await;
        let mut tokens = Vec::new();
        for scopes in kinds() {
            let grants = Grants { scopes: scopes.clone(), ..Grants::default() };
            tokens.push((scopes, rig.token(&rig.user, grants).await.1));
        }
        let (_, strangers) = rig.token(&stranger, all_scopes()).await;
        let operator = rig.operator().await.user;
        let operator = rig.store.user(operator).await.unwrap().unwrap();
        let mut wrong = Vec::new();
        let mut number = 0;
        for route in ROUTES {
            let row = row_of(&route.method, route.path);
            let mut see = |who: String, answer: &Answer, status: u16| {
                if answer.status != status {
                    wrong.push(format!("{} {} for {who}: {answer:?}", row.method, row.path));
                }
            };
            // Each call has an account of its own: some calls take it away.
            let mut made = Vec::new();
            let mut subject = async || {
                number += 1;
                let id = row.kind().add(&rig, &rig.user, &format!("n{number}")).await;
                made.push(id);
                id
            };
            if route.role() == Role::Operator {
                for token in tokens.iter().map(|(_, token)| Some(token.as_str())).chain([None]) {
                    let answer = row.call(&rig, 1, token).await;
                    see("the callers' listener".into(), &answer, 404);
                }
                continue;
            }
            if route.role() == Role::Anyone {
                for token in [None, Some("tb_unknown"), Some(&tokens[0].1)] {
                    see("anyone".into(), &row.call(&rig, 1, token).await, row.own);
                }
                continue;
            }
            // Sessions: the user's own, a stranger's, and an operator's.
            let (of_session, of_admin) = (route.role() == Role::Session, route.role() == Role::Admin);
            let fresh = async |user| rig.console(user).await;
            let id = subject().await;
            let own = if of_admin { 403 } else if of_session || route.takes_sessions() { row.own } else { 401 };
            see("the user's session".into(), &row.call_in(&rig, id, &fresh(&rig.user).await).await, own);
            let id = subject().await;
            let foreign = if own == row.own { row.foreign } else { own };
            see("a stranger's session".into(), &row.call_in(&rig, id, &fresh(&stranger).await).await, foreign);
            let id = subject().await;
            let operators = if of_admin { row.own } else { foreign };
            see("an operator's session".into(), &row.call_in(&rig, id, &fresh(&operator).await).await, operators);
            if of_session || of_admin {
                for token in tokens.iter().map(|(_, token)| Some(token.as_str())).chain([None, Some("tb_unknown")]) {
                    see("a token where a session is needed".into(), &row.call(&rig, id, token).await, 401);
                }
                continue;
            }
            let id = subject().await;
            see("nobody".into(), &row.call(&rig, id, None).await, 401);
            for unknown in ["tb_unknown", "", "tb_0000000000000000000000000000000000000000000000"] {
                see("an unknown token".into(), &row.call(&rig, id, Some(unknown)).await, 401);
            }
            for (scopes, token) in &tokens {
                let may = match route.role() {
                    Role::Scoped(scope) => scopes.contains(&scope),
                    _ => true,
                };
                let id = subject().await;
                let status = if may { row.own } else { 403 };
                see(format!("{scopes:?}"), &row.call(&rig, id, Some(token)).await, status);
            }
            let id = subject().await;
            see("a stranger".into(), &row.call(&rig, id, Some(&strangers)).await, row.foreign);
            if let Kind::Pool = row.kind() {
                // A user has so many teams and no more.
                for pool in made {
                    rig.store.close_team(PoolId(pool)).await.unwrap();
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

both! {
    async fn the_operators_listener_has_the_operators_routes_alone(rig: Rig) {
        let at = rig.running.addresses.operator;
        for route in ROUTES {
            let row = row_of(&route.method, route.path);
            let url = format!("http://{at}{}", row.filled(1));
            let request = Request::builder().method(&row.method).uri(url);
            let request = request.header("authorization", format!("Bearer {}", rig.token));
            let answer = rig.send_to(request, row.text(1)).await;
            let status = if route.role() == Role::Operator { row.own } else { 404 };
            assert_eq!(answer.status, status, "{} {}: {answer:?}", row.method, row.path);
        }
    }
}

/// All that an answer tells, but for what differs with every request.
fn told(answer: &Answer) -> (u16, String, Vec<u8>) {
    let mut headers: HeaderMap = answer.headers.clone();
    headers.remove("date");
    headers.remove("x-request-id");
    (answer.status.as_u16(), format!("{headers:?}"), answer.body.to_vec())
}

// T-IDOR: a foreign account is as one that is not there, byte for byte, on every route.
both! {
    async fn t_idor(rig: Rig) {
        let (stranger, _) = rig.stranger().await;
        let (_, token) = rig.token(&rig.user, all_scopes()).await;
        let mut checked = 0;
        for route in ROUTES.iter().filter(|route| route.path.contains("{id}")) {
            let row = row_of(&route.method, route.path);
            let name = format!("{} {}", row.method, row.path);
            let theirs = row.kind().add(&rig, &stranger, &name).await;
            let state = async || {
                let tokens = rig.store.tokens_of(stranger.id).await.unwrap();
                let teams = rig.store.memberships_of(stranger.id).await.unwrap();
                let teams = (teams, rig.store.teams().await.unwrap());
                format!("{:?} {tokens:?} {teams:?}", rig.accounts_of(&stranger, "qwen").await)
            };
            let before = state().await;
            let foreign = row.call(&rig, theirs, Some(&token)).await;
            assert_eq!(before, state().await, "{name}");
            assert_eq!(foreign.row(), row.kind().missing());
            row.kind().remove(&rig, theirs).await;
            let missing = row.call(&rig, theirs, Some(&token)).await;
            assert_eq!(told(&foreign), told(&missing), "{name}");
            for id in ["0", "-1", "007", "+7", "seven", "9223372036854775808", "1%2F2", "%00"] {
                let path = row.path.replace("{id}", id).replace("{user}", "tester");
                let request = Request::builder().method(&row.method).uri(path);
                let request = request.header("authorization", format!("Bearer {token}"));
                let odd = rig.send(request, row.text(1)).await;
                assert_eq!(told(&odd), told(&missing), "{name} with {id}");
            }
            checked += 1;
        }
        assert!(checked >= 15);
        // A pin is no way around, in the body or the header.
        let theirs = Kind::Account.add(&rig, &stranger, "last").await;
        let pin = row_of(&Method::POST, "/api/v1/oauth/chat/completions");
        let foreign = pin.call(&rig, theirs, Some(&token)).await;
        Kind::Account.remove(&rig, theirs).await;
        assert_eq!(told(&foreign), told(&pin.call(&rig, theirs, Some(&token)).await));
        assert_eq!(foreign.status, 404);
    }
}

both! {
    #[wish(crate::teams::fresh())]
    async fn a_member_uses_what_its_team_has_and_an_owner_changes_it(rig: Rig) {
        let (stranger, _) = rig.stranger().await;
        let keepers = rig.store.add_user("keeper").await.unwrap();
        let mut wrong = Vec::new();
        let public = |route: &&tributary::server::Route| {
            matches!(route.role(), Role::Token | Role::Scoped(_))
        };
        for route in ROUTES.iter().filter(public) {
            let row = row_of(&route.method, route.path);
            // An account of the user's, in a team that somebody else owns.
            let pool = rig.team(&keepers).await;
            rig.join(pool, &rig.user, TeamRole::Owner).await;
            rig.join(pool, &stranger, TeamRole::Member).await;
            let calls = [(&stranger, row.member), (&keepers, row.own), (&rig.user, row.own)];
            for (who, status) in calls {
                let grants = || Grants { pools: vec![who.pool, pool], ..all_scopes() };
                let id = match row.kind() {
                    Kind::Pool => pool.0,
                    Kind::Token => rig.token(who, grants()).await.0.0,
                    Kind::Account => {
                        for state in rig.in_pool(pool).await {
                            rig.store.remove_account(state.account.id).await.unwrap();
                        }
                        rig.bring(pool, &rig.user, "qwen", KEYS[1].1[0]).await.0
                    }
                };
                let (_, token) = rig.token(who, grants()).await;
                let answer = row.call(&rig, id, Some(&token)).await;
                // What an owner did away with is gone for the next one, and a limited token
                // makes no pools.
                let limited = row.path == "/api/v1/pools" && row.method == Method::POST;
                let is_gone = answer.status == 404 && row.path.starts_with(POOL);
                // Two owners: one may leave.
                let left = row.path.ends_with("{user}") && row.method == Method::DELETE;
                let fits = answer.status == status
                    || (limited && answer.status == 403)
                    || (is_gone && row.own == 204 && who.id == rig.user.id)
                    || (left && [204, 404].contains(&answer.status.as_u16()) && status == row.own);
                if !fits {
                    let name = &who.name;
                    wrong.push(format!("{} {} for {name}: {answer:?}", row.method, row.path));
                }
            }
            for state in rig.in_pool(pool).await {
                rig.store.remove_account(state.account.id).await.unwrap();
            }
            rig.store.close_team(pool).await.unwrap();
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

// T-MINT: who can only write the store can't widen a token, nor make one.
both! {
    async fn t_mint(rig: Rig) {
        let (stranger, _) = rig.stranger().await;
        let account = rig.account("qwen", 0).await.account.id.0;
        let chat_only = || Grants { scopes: vec![Scope::Chat], ..Grants::default() };
        let widen: [fn(&mut TokenGrant, &Rig); 5] = [
            |grant, _| grant.scopes.push(Scope::AccountsWrite),
            |grant, _| grant.scopes = vec![Scope::AccountsRead],
            |grant, rig| grant.personal = rig.user.pool,
            |grant, rig| grant.only_pools = Some(vec![rig.user.pool]),
            |grant, rig| grant.user = rig.user.id,
        ];
        for (number, change) in widen.into_iter().enumerate() {
            let (mut row, token) = rig.token_row(&stranger, chat_only()).await;
            change(&mut row.grant, &rig);
            rig.store.add_token(row).await.unwrap();
            for route in ROUTES.iter().filter(|route| ![Role::Operator, Role::Anyone].contains(&route.role())) {
                let row = row_of(&route.method, route.path);
                let answer = row.call(&rig, account, Some(&token)).await;
                assert_eq!(answer.status, 401, "{number}: {} {}", row.method, row.path);
            }
        }
        let (row, token) = rig.token_row(&stranger, all_scopes()).await;
        rig.store.add_token(row).await.unwrap();
        let me = row_of(&Method::GET, "/api/v1/me").call(&rig, account, Some(&token)).await;
        assert_eq!(me.status, 200, "an honest row does: {me:?}");
    }
}

// T-HEADERS: no header but the token says who calls, where to, or what for.
both! {
    async fn t_headers(rig: Rig) {
        let (stranger, strangers) = rig.stranger().await;
        let account = rig.account("qwen", 0).await.account.id;
        let path = format!("{ACCOUNTS}/{account}");
        let forged = [
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-host", "operator.internal"),
            ("x-forwarded-uri", "/healthz"),
            ("x-forwarded-prefix", "/operator"),
            ("forwarded", "for=127.0.0.1;host=operator.internal"),
            ("x-real-ip", "127.0.0.1"),
            ("x-original-url", "/api/v1/me"),
            ("x-rewrite-url", "/api/v1/me"),
            ("x-http-method-override", "DELETE"),
            ("x-auth-user", "tester"),
            ("x-auth-request-email", "tester"),
            ("x-remote-user", "tester"),
            ("x-user-id", "1"),
            ("x-tributary-proof", "AAAA"),
            ("cookie", "__Host-tb_sid=1"),
        ];
        let with_forged = |method, path: &str, token: Option<&str>| {
            let mut request = Request::builder().method(method).uri(path);
            for (name, value) in forged {
                request = request.header(name, value);
            }
            match token {
                Some(token) => request.header("authorization", format!("Bearer {token}")),
                None => request,
            }
        };
        for token in [None, Some("tb_unknown")] {
            assert_eq!(rig.send(with_forged(Method::GET, &path, token), "").await.status, 401);
        }
        let foreign = rig.send(with_forged(Method::GET, &path, Some(&strangers)), "").await;
        assert_eq!(foreign.row(), "404 invalid_request_error account_not_found param=account_id");
        let me = rig.send(with_forged(Method::GET, "/api/v1/me", Some(&strangers)), "").await;
        assert_eq!(me.json()["user"], json!(stranger.id));
        let own = rig.send(with_forged(Method::GET, &path, Some(&rig.token)), "").await;
        assert_eq!(own.status, 200, "{own:?}");
        assert_eq!(rig.account("qwen", 0).await.account.id, account, "it was not deleted");

        // Two tokens: the one in `Authorization` counts.
        let both = with_forged(Method::GET, &path, Some(&strangers)).header("x-api-key", &rig.token);
        assert_eq!(rig.send(both, "").await.status, 404);
        for name in ["x_auth_user", "authorization_", "x_api_key", "x_forwarded_for"] {
            let request = rig.with_token(Request::get("/api/v1/me")).header(name, "tester");
            assert_eq!(rig.send(request, "").await.row(), "400 invalid_request_error invalid_request_error");
        }

        let preflight = Request::builder().method(Method::OPTIONS).uri(&path)
            .header("origin", "https://elsewhere.example")
            .header("access-control-request-method", "DELETE");
        let preflight = rig.send(preflight, "").await;
        assert_eq!(preflight.status, 405);
        let unknown = rig.send(Request::get("/api/v1/nothing"), "").await;
        for answer in [&own, &foreign, &me, &preflight, &unknown] {
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(answer.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
            assert_eq!(answer.header("referrer-policy"), "no-referrer");
            assert_eq!(answer.header("cache-control"), "no-store");
            for absent in ["set-cookie", "server", "access-control-allow-origin", "x-powered-by"] {
                assert!(!answer.headers.contains_key(absent), "{answer:?}");
            }
        }
    }
}

// T-SSRF: nothing that a caller sends is an address that the gateway goes to.
both! {
    async fn t_ssrf(rig: Rig) {
        let (_, token) = rig.token(&rig.user, all_scopes()).await;
        let url = format!("http://{}/v1", rig.stub.local_addr().unwrap());
        let call = async |method: Method, path: &str, body: Value| {
            let request = Request::builder().method(method).uri(path)
                .header("authorization", format!("Bearer {token}"));
            rig.send(request, body.to_string()).await
        };
        let id = rig.account("qwen", 0).await.account.id;
        let fields = ["base_url", "url", "api_base", "endpoint", "origin", "proxy", "issuer", "webhook"];
        let nested = [json!(url), json!({"url": url}), json!([url])];
        for field in fields {
            for value in &nested {
                let key = KEYS[1].1[0];
                let mut wish = json!({"platform": "qwen", "account_name": "n", "key": key});
                wish[field] = value.clone();
                let mut within = json!({"platform": "qwen", "account_name": "n",
                    "credentials": {"key": key}});
                within["credentials"][field] = value.clone();
                for wish in [wish, within] {
                    let refused = call(Method::POST, ACCOUNTS, wish.clone()).await;
                    assert_eq!(refused.status, 400, "{wish}");
                    assert!(!refused.message().contains(&url), "{refused:?}");
                }
                let mut change = json!({"enabled": true});
                change[field] = value.clone();
                let refused = call(Method::PATCH, &format!("{ACCOUNTS}/{id}"), change).await;
                assert_eq!((refused.status.as_u16(), &refused.json()["error"]["param"]), (400, &json!(field)));
                let mut body = ask("qwen-plus", "hello");
                body["account_id"] = json!(id);
                body[field] = value.clone();
                call(Method::POST, "/api/v1/oauth/chat/completions", body).await;
            }
        }
        // A platform or a dialect that is an address is none.
        for wish in [
            json!({"platform": url, "account_name": "n", "key": "sk-000000000000000001"}),
            json!({"platform": "qwen", "account_name": "n", "key": "sk-000000000000000001", "dialect": url}),
        ] {
            assert_eq!(call(Method::POST, ACCOUNTS, wish).await.status, 400);
        }
        let names = json!({"platform": "qwen", "account_name": url, "key": KEYS[1].1[1]});
        let bound = call(Method::POST, ACCOUNTS, names).await;
        assert_eq!(bound.status, 201, "{bound:?}");
        let check = format!("{ACCOUNTS}/{}/check", bound.json()["id"]);
        assert_eq!(call(Method::POST, &check, Value::Null).await.json()["verdict"], "valid");
        let visit = tokio::time::timeout(Duration::from_millis(100), rig.stub.accept()).await;
        assert!(visit.is_err(), "somebody came to the address");
        // It would have been seen: a platform that the operator configured is heard there.
        let (_, platform) = rig.begun_on_the_stub().await;
        drop(platform);
    }
}
