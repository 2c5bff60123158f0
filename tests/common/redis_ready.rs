//! Whether a Redis server takes calls: one that reads its file listens before it does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Whether something listens on a port, and isn't a server that is yet reading its file.
pub fn is_ready(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut told = Vec::new();
    // One that wants TLS or a password says so at once, and is ready too.
    _ = stream.write_all(b"PING\r\nQUIT\r\n");
    _ = stream.read_to_end(&mut told);
    !told.starts_with(b"-LOADING")
}
