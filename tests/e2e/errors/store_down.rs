//! A store that is down, and comes back.

use std::sync::Arc;

use http::Request;
use tributary::accounts::Tokens;

use crate::rig::{Memory, Rig, Server, Wish, ask};

const DOWN: &str = "503 server_error store_unavailable Retry-After";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_fail_while_the_store_is_down_and_work_again_by_themselves() {
    let server = Arc::new(Server::with(Memory::Kept));
    let rig = Rig::on_server(Wish::default(), server.clone()).await;
    let hello = || rig.chat(ask("qwen-plus", "say 5 words"));
    assert_eq!(hello().await.status, 200);
    rig.all_settled("qwen").await;
    let sent = rig.rows("qwen").await.len();

    server.stop();
    for _ in 0..3 {
        let answer = hello().await;
        assert_eq!(answer.row(), DOWN);
        assert!(answer.retry_after() <= 5, "{answer:?}");
    }
    // The token is no longer remembered either.
    rig.until(async || {
        let models = rig.call(Request::get("/v1/models"), "").await;
        assert_eq!(models.row(), DOWN);
        hello().await.row() == DOWN
    })
    .await;
    let ready = format!("http://{}/readyz", rig.running.addresses.operator);
    assert_eq!(rig.fetch(&ready).await.status, 503);
    assert_eq!(rig.rows("qwen").await.len(), sent, "nothing was sent");

    server.restart();
    rig.until(async || hello().await.status == 200).await;
    assert_eq!(rig.fetch(&ready).await.status, 200);
    books_agree(&rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_outlives_the_store_is_charged_when_it_is_back() {
    let server = Arc::new(Server::with(Memory::Kept));
    let rig = Rig::on_server(Wish::default(), server.clone()).await;
    let mut stream = rig.stream(ask("qwen-plus", "pace 20 ms say 40 words")).await;
    stream.until("data: ").await;
    server.stop();
    let answer = stream.rest().await;
    assert_eq!(answer.events().last().map(String::as_str), Some("[DONE]"));
    server.restart();
    rig.until(async || rig.store.ping().await.is_ok()).await;
    assert_eq!(rig.record(&answer).await.outcome, "ok");
    books_agree(&rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_full_or_stands_still_is_a_clear_error_and_never_a_wrong_count() {
    let server = Arc::new(Server::with(Memory::Kept));
    let rig = Rig::on_server(Wish::default(), server.clone()).await;
    let hello = || rig.chat(ask("qwen-plus", "say 5 words"));
    let memory = async |bytes: &str| {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port())).unwrap();
        let mut server = client.get_multiplexed_async_connection().await.unwrap();
        let limit = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).take();
        limit.query_async::<()>(&mut server).await.unwrap();
    };
    assert_eq!(hello().await.status, 200);
    rig.all_settled("qwen").await;
    let sent = rig.rows("qwen").await.len();
    memory("1").await;
    assert_eq!(hello().await.row(), DOWN);
    memory("0").await;
    server.freeze(true);
    assert_eq!(hello().await.row(), DOWN);
    assert_eq!(hello().await.row(), DOWN);
    server.freeze(false);
    assert_eq!(rig.rows("qwen").await.len(), sent, "nothing was sent");
    rig.until(async || hello().await.status == 200).await;
    books_agree(&rig).await;
}

/// The books' sums are the platform's own counts.
async fn books_agree(rig: &Rig) {
    rig.all_settled("qwen").await;
    for (number, state) in rig.accounts("qwen").await.into_iter().enumerate() {
        let counted = rig.counted("qwen", &crate::rig::credential("qwen", number)).await;
        assert_eq!(state.windows[0].used, Tokens(counted));
    }
}
