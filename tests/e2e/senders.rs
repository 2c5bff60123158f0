//! Notices that are sent: signed calls and mails, each by one gateway, again when it failed,
//! and never in a request's way.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tributary::accounts::{AccountId, Channel, Matter, NewNotice};

use crate::rig::{Rig, WEBHOOK_SECRET, Wish, ask};

/// A call as a receiver got it.
#[derive(Clone, Debug)]
struct Call {
    headers: Vec<(String, String)>,
    body: String,
}

impl Call {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// As a receiver checks it that knows Standard Webhooks alone.
    fn is_signed(&self) -> bool {
        let secret = STANDARD.decode(WEBHOOK_SECRET.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&secret).unwrap();
        let (id, at) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        mac.update(format!("{id}.{at}.{}", self.body).as_bytes());
        let now = tributary::telemetry::clock::now().as_second();
        let is_fresh = at.parse::<i64>().is_ok_and(|at| (now - at).abs() < 300);
        let signature = self.header("webhook-signature").strip_prefix("v1,").unwrap_or_default();
        is_fresh && mac.verify_slice(&STANDARD.decode(signature).unwrap_or_default()).is_ok()
    }
}

/// A receiver that answers as told, and then with 204.
struct Receiver {
    url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Receiver {
    async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?with=a-query", listener.local_addr().unwrap());
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let heard = calls.clone();
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answers.next().unwrap_or_else(|| "HTTP/1.1 204 Done\r\n".into());
                let heard = heard.clone();
                let mut stream = BufReader::new(stream);
                tokio::spawn(async move {
                    let Some(call) = read(&mut stream).await else { return };
                    heard.lock().unwrap().push(call);
                    if answer.is_empty() {
                        // It never answers.
                        return std::future::pending().await;
                    }
                    let answer = format!("{answer}content-length: 0\r\nconnection: close\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await.ok();
                });
            }
        });
        Self { url, calls }
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

async fn read(stream: &mut BufReader<tokio::net::TcpStream>) -> Option<Call> {
    let mut headers = Vec::new();
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    assert!(line.starts_with("POST /hook?with=a-query "), "{line}");
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        match line.trim().split_once(": ") {
            Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let mut call = Call { headers, body: String::new() };
    let mut body = vec![0; call.header("content-length").parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    call.body = String::from_utf8(body).ok()?;
    Some(call)
}

fn stopped(rig: &Rig, number: i64) -> NewNotice {
    NewNotice {
        key: format!("s:{number}"),
        instead_of: Vec::new(),
        owner: rig.user.id,
        pool: rig.user.pool,
        account: AccountId(number),
        platform: "qwen".into(),
        name: "main 通义".into(),
        matter: Matter::Stopped { status: "expired".into() },
    }
}

async fn post(rig: &Rig, number: i64, channel: Channel) -> i64 {
    let posted = rig.store.post_notice(stopped(rig, number), &[channel]).await;
    posted.unwrap().unwrap().id
}

/// Lets what failed be tried at once, until so many tries were seen.
async fn until_tried(rig: &Rig, channel: Channel, id: i64, seen: impl Fn() -> bool) {
    rig.until(async || {
        rig.store.end_delivery(channel, id, Some(Duration::ZERO)).await.unwrap();
        seen()
    })
    .await;
}

/// Nothing waits on a channel any more.
async fn until_empty(rig: &Rig, channel: Channel, id: i64) {
    rig.until(async || {
        rig.store.end_delivery(channel, id, Some(Duration::ZERO)).await.unwrap();
        rig.store.claim_notices(channel, 9, Duration::ZERO).await.unwrap().is_empty()
    })
    .await;
}

macro_rules! on_both {
    ($(async fn $name:ident($start:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn check($start: impl AsyncFn(Wish) -> Rig) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                check(Rig::on_sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis() {
                check(Rig::on_redis).await;
            }
        }
    )*};
}

on_both! {
    async fn a_webhook_is_signed_and_tried_again_with_the_same_id(start) {
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = format!("location: http://{}/\r\n", elsewhere.local_addr().unwrap());
        let receiver = Receiver::start(vec![
            "HTTP/1.1 500 No\r\n".into(),
            format!("HTTP/1.1 307 There\r\n{to}"),
        ])
        .await;
        let rig = start(Wish { webhook: Some(receiver.url.clone()), ..Wish::default() }).await;
        let id = post(&rig, 5, Channel::Webhook).await;
        until_tried(&rig, Channel::Webhook, id, || receiver.calls().len() >= 3).await;
        until_empty(&rig, Channel::Webhook, id).await;
        let calls = receiver.calls();
        assert_eq!(calls.len(), 3, "500, a redirect, 204: {calls:?}");
        for call in &calls {
            assert!(call.is_signed(), "{call:?}");
            assert_eq!(call.header("webhook-id"), calls[0].header("webhook-id"));
            assert_eq!(call.header("content-type"), "application/json");
            let body: Value = serde_json::from_str(&call.body).unwrap();
            assert_eq!(body["type"], "notice.stopped");
            let data = &body["data"];
            assert_eq!((&data["id"], &data["account_id"]), (&json!(id), &json!(5)));
            assert_eq!((&data["status"], &data["user_id"]), (&json!("expired"), &json!(rig.user.id)));
        }
        let visit = tokio::time::timeout(Duration::from_millis(100), elsewhere.accept()).await;
        assert!(visit.is_err(), "a redirect was followed");
    }

    async fn each_notice_is_sent_by_one_of_many_gateways(start) {
        let receiver = Receiver::start(Vec::new()).await;
        let wish = || Wish { webhook: Some(receiver.url.clone()), ..Wish::default() };
        let rig = start(wish()).await;
        let _beside = rig.start_as(&wish()).await.unwrap();
        for number in 0..30 {
            post(&rig, number, Channel::Webhook).await;
        }
        rig.until(async || receiver.calls().len() >= 30).await;
        let calls = receiver.calls();
        let ids: BTreeSet<&str> = calls.iter().map(|call| call.header("webhook-id")).collect();
        assert_eq!((ids.len(), calls.len()), (30, 30));
    }

    async fn a_receiver_that_never_answers_holds_up_no_request(start) {
        let receiver = Receiver::start(vec![String::new()]).await;
        let wish = Wish { webhook: Some(receiver.url.clone()), limits: [100, 1_000_000],
            ..Wish::default() };
        let rig = start(wish).await;
        post(&rig, 5, Channel::Webhook).await;
        rig.until(async || !receiver.calls().is_empty()).await;
        let answer = rig.chat(ask("qwen-plus", "hello")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(receiver.calls().len(), 1, "it is still waited for");
    }

    async fn a_notice_comes_by_mail(start) {
        let (port, mails) = mail_server().await;
        let rig = start(Wish { mail: Some(port), ..Wish::default() }).await;
        let id = post(&rig, 5, Channel::Mail).await;
        until_tried(&rig, Channel::Mail, id, || mails.lock().unwrap().len() >= 2).await;
        until_empty(&rig, Channel::Mail, id).await;
        let mails = mails.lock().unwrap().clone();
        // The first was put off.
        assert_eq!(mails.len(), 2, "{mails:?}");
        let message_id = |mail: &str| {
            mail.lines().find(|line| line.starts_with("Message-ID:")).unwrap().to_owned()
        };
        assert_eq!(message_id(&mails[0]), message_id(&mails[1]));
        assert!(mails[1].contains("From: gateway@example.org"), "{mails:?}");
        assert!(mails[1].contains("To: ops@example.org, boss@example.org"), "{mails:?}");
        assert!(mails[1].contains("\nSubject: "), "{mails:?}");
        assert!(!mails[1].contains("the-password"), "{mails:?}");
    }
}

/// A mail server that wants a login and puts the first mail off; answers its port and what it
/// was given.
async fn mail_server() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mails: Arc<Mutex<Vec<String>>> = Arc::default();
    let taken = mails.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            stream.write_all(b"220 mail.example.org ESMTP\r\n").await.unwrap();
            let (mut is_known, mut line) = (false, String::new());
            while stream.read_line(&mut line).await.is_ok_and(|bytes| bytes > 0) {
                let login = STANDARD.encode("\0gateway\0the-password");
                let answer = match line.trim_end() {
                    text if text.starts_with("EHLO") => {
                        "250-mail.example.org\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n"
                    }
                    text if text.starts_with("AUTH PLAIN") => {
                        is_known = text.ends_with(&login);
                        if is_known { "235 ok\r\n" } else { "535 no\r\n" }
                    }
                    "DATA" if is_known => "354 go on\r\n",
                    "DATA" => "530 who\r\n",
                    "QUIT" => "221 bye\r\n",
                    _ => "250 ok\r\n",
                };
                stream.write_all(answer.as_bytes()).await.unwrap();
                if answer.starts_with("354") {
                    let mut mail = String::new();
                    while !mail.ends_with("\r\n.\r\n") {
                        stream.read_line(&mut mail).await.unwrap();
                    }
                    let is_first = {
                        let mut taken = taken.lock().unwrap();
                        taken.push(mail);
                        taken.len() == 1
                    };
                    let answer = if is_first { "451 later\r\n" } else { "250 ok\r\n" };
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
                line.clear();
            }
        }
    });
    (port, mails)
}
