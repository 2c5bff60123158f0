//! The platform `stub`, which a test answers itself.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Rig, Stream, ask};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

impl Rig {
    /// Binds an account of the user's on the stub.
    pub async fn bind_stub(&self) {
        self.bind(&self.user, "stub", "stub-1", "sk-of-the-stub-0000000001", 1_000_000).await;
    }

    /// The next request's connection to the stub, its request read.
    pub async fn stub_hears(&self) -> TcpStream {
        let (mut connection, _) = self.stub.accept().await.unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"}") {
            assert!(connection.read_buf(&mut heard).await.unwrap() > 0, "{heard:?}");
        }
        connection
    }

    /// The next request's connection to the stub, which has sent the first words.
    pub async fn stub_begins(&self) -> TcpStream {
        let mut platform = self.stub_hears().await;
        let begin = HEAD.to_owned() + &chunk(json!({"content": "so it is"}), "");
        platform.write_all(begin.as_bytes()).await.unwrap();
        platform
    }

    /// A stream of which the stub has sent the first words.
    pub async fn begun_on_the_stub(&self) -> (Stream, TcpStream) {
        self.bind_stub().await;
        tokio::join!(self.stream(ask("stub-1", "hello")), self.stub_begins())
    }
}

/// One event of a stream.
pub fn chunk(delta: Value, finish: &str) -> String {
    let finish = if finish.is_empty() { Value::Null } else { finish.into() };
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1,
        "model": "stub-1", "choices": [choice]});
    format!("data: {chunk}\n\n")
}

/// Whether the gateway closes its connection to a platform soon.
pub async fn is_cut(platform: &mut TcpStream) -> bool {
    let mut more = [0; 64];
    let read = tokio::time::timeout(Duration::from_secs(5), platform.read(&mut more)).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}
