//! A WebSocket that is asked once and answers once, as Spark's does.

use std::io;

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::{Shelf, asked, wire, write_stream};

/// Takes the handshake that `head` asks for, reads one message and answers it.
pub async fn answer(mut stream: TcpStream, head: &[u8], shelf: &Shelf) -> io::Result<()> {
    let key = wire::header(head, "sec-websocket-key").unwrap_or_default();
    let switching = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {}\r\n\r\n",
        derive_accept_key(key)
    );
    stream.write_all(switching.as_bytes()).await?;
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let Some(Ok(Message::Text(question))) = socket.next().await else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let script = shelf.script(asked(question.as_bytes()).0).ok_or(io::ErrorKind::NotFound)?;
    // Rendered as frames already, so they pass tungstenite by.
    let stream = socket.get_mut();
    write_stream(stream, &script, shelf).await?;
    // Hanging up before the last frame was read could take it away.
    while stream.read(&mut [0; 256]).await? > 0 {}
    Ok(())
}
