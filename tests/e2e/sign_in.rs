//! Signing in to the console: links, passwords, sessions, and what may not pass for one.

use http::{Method, Request};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tributary::accounts::{SessionRow, UserRole};
use tributary::identity;
use tributary::server::{ROUTES, Role};
use tributary::store::Directory;
use tributary::telemetry::clock;

use crate::both;
use crate::rig::{Answer, Console, PASSWORD, Rig, Wish, ask};

const SESSION: &str = "/api/v1/session";
const SESSIONS: &str = "/api/v1/sessions";
const USERS: &str = "/api/v1/admin/users";

/// What an answer tells, but for what differs with every request.
fn told(answer: &Answer) -> (u16, String, Vec<u8>) {
    let mut headers = answer.headers.clone();
    headers.remove("date");
    headers.remove("x-request-id");
    (answer.status.as_u16(), format!("{headers:?}"), answer.body.to_vec())
}

both! {
    async fn a_session_is_the_users_until_it_signs_out(rig: Rig) {
        let first = rig.console(&rig.user).await;
        let answer = rig.sign_in("tester", PASSWORD).await;
        let set = answer.header("set-cookie");
        let (cookie, rest) = set.split_once("; ").unwrap();
        let (name, value) = cookie.split_once('=').unwrap();
        assert_eq!((name, value.len()), ("__Host-tb_sid", 43));
        for part in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=604800"] {
            assert!(rest.split("; ").any(|known| known == part), "{set}");
        }
        assert!(!rest.contains("Domain"), "{set}");
        let second = Console::of(&answer);
        assert_ne!(first.cookie, second.cookie);

        let who = second.get(&rig, SESSION).await;
        assert_eq!(who.json()["name"], "tester");
        assert_eq!(who.json()["csrf_token"], json!(second.csrf));
        let listed = second.get(&rig, SESSIONS).await.json();
        let listed: Vec<_> = listed["data"].as_array().unwrap().iter()
            .map(|row| (row["id"].as_str().unwrap().to_owned(), row["current"] == true)).collect();
        assert_eq!(listed, [(second.id.clone(), true), (first.id.clone(), false)]);

        // It has all that is the user's.
        let me = second.get(&rig, "/api/v1/me").await;
        assert_eq!((me.status.as_u16(), &me.json()["user"]), (200, &json!(rig.user.id)));
        assert_eq!(second.get(&rig, "/api/v1/oauth/accounts").await.status, 200);
        let id = rig.account("qwen", 0).await.account.id;
        let body = json!({"account_id": id, "messages": [{"role": "user", "content": "hello"}]});
        assert_eq!(second.post(&rig, "/api/v1/oauth/chat/completions", body).await.status, 200);

        let end = async |id: &str| {
            second.call(&rig, Method::DELETE, &format!("{SESSIONS}/{id}"), Value::Null).await
        };
        let (stranger, _) = rig.stranger().await;
        let foreign = rig.console(&stranger).await;
        assert_eq!(told(&end(&foreign.id).await), told(&end("nothing").await));
        assert_eq!(foreign.get(&rig, SESSION).await.status, 200);
        assert_eq!(end(&first.id).await.status, 204);
        assert_eq!(first.get(&rig, SESSION).await.row(), "401 authentication_error not_signed_in");

        // Signing in again in the same browser ends the session that it had.
        let again = Request::post(SESSION);
        let body = json!({"name": "tester", "password": PASSWORD}).to_string();
        let third = Console::of(&rig.send(second.with(&rig, again), body).await);
        assert_eq!(second.get(&rig, SESSION).await.status, 401);
        let out = third.call(&rig, Method::DELETE, SESSION, Value::Null).await;
        assert_eq!(out.status, 204);
        assert!(out.header("set-cookie").starts_with("__Host-tb_sid=; "), "{out:?}");
        assert!(out.header("set-cookie").contains("Max-Age=0"), "{out:?}");
        assert_eq!(third.get(&rig, SESSION).await.status, 401);
    }
}

both! {
    async fn another_password_ends_all_other_sessions(rig: Rig) {
        let (one, two) = (rig.console(&rig.user).await, Console::of(&rig.sign_in("tester", PASSWORD).await));
        let new = "another password entirely";
        let change = async |old: &str, new: &str| {
            two.post(&rig, "/api/v1/password", json!({"old_password": old, "new_password": new})).await
        };
        assert_eq!(change("wrong", new).await.row(), "400 invalid_request_error wrong_password param=old_password");
        assert_eq!(change(PASSWORD, "short").await.row(), "400 invalid_request_error invalid_password param=new_password");
        assert_eq!(one.get(&rig, SESSION).await.status, 200);
        let three = Console::of(&change(PASSWORD, new).await);
        for ended in [&one, &two] {
            assert_eq!(ended.get(&rig, SESSION).await.status, 401);
        }
        assert_eq!(three.get(&rig, SESSION).await.status, 200);
        assert_eq!(rig.sign_in("tester", PASSWORD).await.status, 401);
        assert_eq!(rig.sign_in("tester", new).await.status, 200);
    }
}

both! {
    async fn a_session_ends_unused_and_by_its_users_role(rig: Rig) {
        let boss = rig.operator().await;
        let idle = rig.console(&rig.user).await;
        let index = async |console: &Console| {
            let rows = rig.store.sessions_of(console.user).await.unwrap();
            rows.into_iter().find(|row| row.grant.id == console.id).unwrap().index
        };
        let used = clock::now() - SignedDuration::from_hours(12);
        rig.store.touch_session(&index(&idle).await, used + SignedDuration::from_mins(1)).await.unwrap();
        assert_eq!(idle.get(&rig, SESSION).await.status, 200);
        rig.store.touch_session(&index(&idle).await, used).await.unwrap();
        assert_eq!(idle.get(&rig, SESSION).await.status, 401);

        let member = Console::of(&rig.sign_in("tester", PASSWORD).await);
        let path = format!("{USERS}/{}", rig.user.id);
        let promote = boss.call(&rig, Method::PATCH, &path, json!({"role": "operator"})).await;
        assert_eq!((promote.status.as_u16(), &promote.json()["role"]), (200, &json!("operator")));
        assert_eq!(member.get(&rig, SESSION).await.status, 401);
        let operator = Console::of(&rig.sign_in("tester", PASSWORD).await);
        assert_eq!(operator.get(&rig, USERS).await.status, 200);
    }
}

both! {
    #[wish(Wish { relay: tributary::relay::Settings { token_cache: SignedDuration::ZERO, ..Default::default() }, ..Wish::default() })]
    async fn a_disabled_user_neither_signs_in_nor_calls(rig: Rig) {
        let boss = rig.operator().await;
        let member = rig.console(&rig.user).await;
        let path = format!("{USERS}/{}", rig.user.id);
        let set = async |body: Value| boss.call(&rig, Method::PATCH, &path, body).await;
        let off = set(json!({"enabled": false})).await;
        assert_eq!((off.status.as_u16(), &off.json()["enabled"]), (200, &json!(false)));
        assert_eq!(member.get(&rig, SESSION).await.status, 401);
        assert_eq!(rig.chat(ask("qwen-plus", "hello")).await.row(), "401 authentication_error invalid_api_key");
        let right = rig.sign_in("tester", PASSWORD).await;
        assert_eq!(told(&right), told(&rig.sign_in("tester", "wrong").await));
        let link = rig.running.people.password_link(rig.user.id).await.unwrap();
        let body = json!({"token": link, "password": PASSWORD});
        assert_eq!(rig.post_json("/api/v1/password/reset", body).await.status, 404);

        assert_eq!(set(json!({"enabled": true})).await.status, 200);
        assert_eq!(rig.chat(ask("qwen-plus", "hello")).await.status, 200);
        assert_eq!(member.get(&rig, SESSION).await.status, 401, "it is gone for good");
        assert_eq!(rig.sign_in("tester", PASSWORD).await.status, 200);
        // The last operator stays.
        let own = format!("{USERS}/{}", boss.user);
        for body in [json!({"enabled": false}), json!({"role": "member"})] {
            let refused = boss.call(&rig, Method::PATCH, &own, body).await;
            assert_eq!(refused.row(), "409 invalid_request_error last_operator param=user");
        }
    }
}

// T-LOGIN: guessing is slow, for names that there are and names that there are not alike.
both! {
    async fn t_login(rig: Rig) {
        rig.console(&rig.user).await;
        let (stranger, _) = rig.stranger().await;
        rig.console(&stranger).await;
        // Names that are not there, without a password, and there: one answer.
        rig.store.add_user("blank").await.unwrap();
        let mut answers = Vec::new();
        for name in ["nobody", "blank", "tester"] {
            for _ in 0..5 {
                answers.push(told(&rig.sign_in(name, "a wrong password").await));
            }
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(answers[0].0, 401);
        for name in ["nobody", "blank", "tester"] {
            let slow = rig.sign_in(name, PASSWORD).await;
            assert_eq!(slow.row(), "429 rate_limit_error rate_limit_exceeded Retry-After x-should-retry=false", "{name}");
            let wait: u64 = slow.header("retry-after").parse().unwrap();
            assert!((50..=60).contains(&wait), "{wait}");
        }
        // Nobody else is locked out, and who knows the password does not count.
        for _ in 0..10 {
            assert_eq!(rig.sign_in("stranger", PASSWORD).await.status, 200);
        }
        // Thirty from one address, whatever names: fifteen were tried, and three refused.
        let mut last = 401;
        for number in 0..20 {
            last = rig.sign_in(&format!("guess {number}"), "a wrong password").await.status.as_u16();
            if last != 401 {
                break;
            }
        }
        assert_eq!(last, 429);
        assert_eq!(rig.sign_in("stranger", PASSWORD).await.status, 429);
    }
}

/// A call of a route with a session's cookie; the rest is the test's.
pub fn on(route: &tributary::server::Route, cookie: &str) -> http::request::Builder {
    let path = route.path.replace("{id}", "1").replace("{sid}", "x").replace("{user}", "1");
    let path = path.replace("{session}", "x");
    let path = match (path.find('{'), path.find('}')) {
        (Some(begin), Some(end)) => path.replace(&path[begin..=end], "1"),
        _ => path,
    };
    Request::builder().method(&route.method).uri(path).header("cookie", cookie)
}

// T-CSRF: what another site's page sends with our cookie does nothing, on every route.
both! {
    async fn t_csrf(rig: Rig) {
        let boss = rig.operator().await;
        let own = format!("http://{}", rig.running.addresses.public);
        let json = "application/json";
        let bad: [(&str, &[(&str, &str)]); 9] = [
            ("nothing told", &[("content-type", json), ("x-csrf-token", &boss.csrf)]),
            ("another origin", &[("origin", "https://elsewhere.example"), ("content-type", json), ("x-csrf-token", &boss.csrf)]),
            ("another port", &[("origin", "http://127.0.0.1:1"), ("content-type", json), ("x-csrf-token", &boss.csrf)]),
            ("no origin", &[("origin", "null"), ("content-type", json), ("x-csrf-token", &boss.csrf)]),
            ("cross-site", &[("sec-fetch-site", "cross-site"), ("origin", &own), ("content-type", json), ("x-csrf-token", &boss.csrf)]),
            ("same-site", &[("sec-fetch-site", "same-site"), ("content-type", json), ("x-csrf-token", &boss.csrf)]),
            ("a form", &[("origin", &own), ("content-type", "text/plain"), ("x-csrf-token", &boss.csrf)]),
            ("no token", &[("origin", &own), ("content-type", json)]),
            ("another token", &[("origin", &own), ("content-type", json), ("x-csrf-token", "k.AAAA")]),
        ];
        let other = Console::of(&rig.sign_in("boss", PASSWORD).await);
        let (mut checked, mut wrong) = (0, Vec::new());
        for route in ROUTES.iter().filter(|route| route.method != Method::GET) {
            let by_session = match route.role() {
                Role::Session | Role::Admin => true,
                Role::Token | Role::Scoped(_) => route.takes_sessions(),
                Role::Anyone | Role::Operator => false,
            };
            if !by_session {
                continue;
            }
            let send = async |headers: &[(&str, &str)]| {
                let mut request = on(route, &boss.cookie);
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                rig.send(request, "").await.status.as_u16()
            };
            for (why, headers) in bad {
                let status = send(headers).await;
                let refused = if why == "a form" { 415 } else { 403 };
                if status != refused {
                    wrong.push(format!("{} {} with {why}: {status}", route.method, route.path));
                }
            }
            let stolen = [("origin", own.as_str()), ("content-type", json), ("x-csrf-token", &other.csrf)];
            if send(&stolen).await != 403 {
                wrong.push(format!("{} {} with another session's token", route.method, route.path));
            }
            checked += 1;
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(checked >= 12, "{checked}");
        // Both ways of telling our own pages do, and the session is still there.
        let good = [("sec-fetch-site", "same-origin"), ("content-type", json), ("x-csrf-token", &boss.csrf)];
        for headers in [&good[..], &[("origin", own.as_str()), good[1], good[2]]] {
            let mut request = Request::post(USERS).header("cookie", &boss.cookie);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let name = format!("user {}", headers.len() + headers[0].0.len());
            let made = rig.send(request, json!({"name": name}).to_string()).await;
            assert_eq!(made.status, 201, "{made:?}");
        }
        // Nor does another site sign anybody in.
        let body = json!({"name": "boss", "password": PASSWORD}).to_string();
        for (name, value) in [("origin", "https://elsewhere.example"), ("sec-fetch-site", "cross-site")] {
            let request = Request::post(SESSION).header("content-type", json).header(name, value);
            assert_eq!(rig.send(request, body.clone()).await.status, 403);
        }
        assert_eq!(rig.send(Request::post(SESSION), body).await.status, 415);
    }
}

both! {
    async fn who_sends_a_token_is_the_tokens_alone(rig: Rig) {
        let boss = rig.operator().await;
        let (stranger, token) = rig.stranger().await;
        let get = async |path: &str, header: (&str, &str)| {
            rig.send(boss.with(&rig, Request::get(path)).header(header.0, header.1), "").await
        };
        let bearer = format!("Bearer {token}");
        for header in [("authorization", bearer.as_str()), ("x-api-key", &token)] {
            let me = get("/api/v1/me", header).await;
            assert_eq!(me.json()["user"], json!(stranger.id));
            for path in [SESSION, USERS] {
                assert_eq!(get(path, header).await.row(), "401 authentication_error not_signed_in");
            }
        }
        for header in [("authorization", "Bearer tb_unknown"), ("authorization", "Basic Ym9zczo="), ("x-api-key", "")] {
            assert_eq!(get("/api/v1/me", header).await.status, 401, "{header:?}");
        }
        // No call that clients of other APIs make is answered a cookie.
        let chat = boss.post(&rig, "/v1/chat/completions", ask("qwen-plus", "hello")).await;
        assert_eq!(chat.row(), "401 authentication_error invalid_api_key");
        assert_eq!(boss.get(&rig, "/v1/models").await.status, 401);
    }
}

// T-MINT: who can only write the store makes no session, and no operator.
both! {
    async fn t_mint_of_sessions(rig: Rig) {
        let boss = rig.operator().await;
        let member = rig.console(&rig.user).await;
        let row = rig.store.sessions_of(rig.user.id).await.unwrap().swap_remove(0);
        let bosses = rig.store.sessions_of(boss.user).await.unwrap().swap_remove(0);
        let forged: [fn(&mut SessionRow, &SessionRow); 4] = [
            |row, other| row.grant.user = other.grant.user,
            |row, _| row.grant.ends_at += SignedDuration::from_hours(1000),
            |row, _| row.grant.epoch += 1,
            // Another's whole row, where this cookie finds it.
            |row, other| *row = SessionRow { index: row.index.clone(), ..other.clone() },
        ];
        for forge in forged {
            let mut forged = row.clone();
            forge(&mut forged, &bosses);
            rig.store.add_session(forged).await.unwrap();
            assert_eq!(member.get(&rig, SESSION).await.status, 401);
        }
        rig.store.add_session(row).await.unwrap();
        assert_eq!(member.get(&rig, SESSION).await.status, 200, "an honest row does");
        // Nor an operator of a member.
        let user = rig.store.user(rig.user.id).await.unwrap().unwrap();
        let mut forged = user.identity.clone();
        forged.role = UserRole::Operator;
        assert!(rig.store.set_identity(user.id, &user.identity, forged).await.unwrap());
        assert_eq!(member.get(&rig, USERS).await.status, 401);
        assert_eq!(rig.sign_in("tester", PASSWORD).await.status, 401);
        // A row that is not ours is a disabled member's, until it is given anew.
        let store: &dyn Directory = &*rig.store;
        let given = identity::change(store, &rig.vault, user.id, |it| it.disabled_at = None).await;
        let given = given.unwrap().unwrap().identity;
        assert_eq!((given.role, given.password), (UserRole::Member, None));
    }
}

fn public() -> Wish {
    let mut wish = Wish::default();
    let url = url::Url::parse("https://gateway.example").unwrap();
    wish.server.public_url = Some(url.try_into().unwrap());
    wish
}

both! {
    #[wish(public())]
    async fn with_a_public_url_no_other_host_is_answered_and_no_other_origin_taken(rig: Rig) {
        let at = |host: &str| rig.with_token(Request::get("/v1/models")).header("host", host);
        for host in ["gateway.example", "GATEWAY.example", "gateway.example:443"] {
            assert_eq!(rig.send(at(host), "").await.status, 200, "{host}");
        }
        for host in ["127.0.0.1", "gateway.example:8080", "gateway.example.elsewhere.example", ""] {
            assert_eq!(rig.send(at(host), "").await.status, 421, "{host}");
        }
        let link = rig.running.people.password_link(rig.user.id).await.unwrap();
        let json = |request: http::request::Builder| {
            request.header("host", "gateway.example").header("content-type", "application/json")
        };
        let body = json!({"token": link, "password": PASSWORD}).to_string();
        let own = Console::of(&rig.send(json(Request::post("/api/v1/password/reset")), body).await);
        for (origin, status) in [("http://gateway.example", 403), ("https://gateway.example", 204)] {
            let out = json(Request::delete(SESSION))
                .header("cookie", &own.cookie).header("x-csrf-token", &own.csrf)
                .header("origin", origin);
            assert_eq!(rig.send(out, "").await.status, status, "{origin}");
        }
    }
}
