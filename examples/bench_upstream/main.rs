//! The bench's upstream: platforms' answers with as little CPU as it takes.
//!
//! Answers are rendered once and written as they are. The model's name picks the
//! answer, so that a request reaches the same one through any proxy:
//!
//! - any name without `"stream":true`: one JSON answer of about 1 KB;
//! - `saturated-2000`: 2,000 events, written as fast as the reader takes them;
//! - `paced-150ms-40`: 40 events, 150 ms apart, each stream in its own phase.
//!
//! Those are OpenAI's chat completions. A prompt with `recorded:NAME:saturated-2000` in it
//! is answered in the words of a recording, whatever dialect asks for it.
//!
//! It prints `{"listen":"127.0.0.1:PORT"}` once it accepts, and runs until it is
//! ended.
#![allow(clippy::disallowed_methods, reason = "a bench tool outside the gateway and its drain")]

mod recording;
mod script;
mod socket;
#[path = "../bench_wire/mod.rs"]
mod wire;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use recording::Recordings;
use script::{Pace, Script};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use wire::Framing;

/// A request that is longer than this is refused: the bench sends 1 KB.
const MAX_REQUEST_BYTES: usize = 1 << 20;
/// Stands in a prompt, before the recording's name.
const RECORDED: &str = "recorded:";
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

#[derive(Parser)]
#[command(about = "A lean upstream that speaks as platforms do")]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A JSON file of recorded streams by name.
    #[arg(long)]
    recordings: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let recordings = args.recordings.as_deref().map(recording::read).transpose();
    let recordings = recordings.map_err(io::Error::other)?.unwrap_or_default();
    let listener = TcpListener::bind(args.listen).await?;
    println!("{{\"listen\":\"{}\"}}", listener.local_addr()?);
    let shelf = Arc::new(Shelf { recordings, ..Shelf::default() });
    loop {
        let (stream, _) = listener.accept().await?;
        let shelf = Arc::clone(&shelf);
        tokio::spawn(async move {
            // A proxy that hangs up is no news here: the loader counts what arrived.
            let _ = serve(stream, &shelf).await;
        });
    }
}

/// Answers that were rendered already, by name, and the phase of the next paced stream.
#[derive(Default)]
struct Shelf {
    recordings: Recordings,
    scripts: Mutex<HashMap<Vec<u8>, Arc<Script>>>,
    streams: AtomicU64,
}

impl Shelf {
    /// The answers that go by a name; none if it is of a recording that there is not.
    fn script(&self, name: &[u8]) -> Option<Arc<Script>> {
        let mut scripts = self.scripts.lock().expect("nothing panics while it holds the shelf");
        if let Some(script) = scripts.get(name) {
            return Some(Arc::clone(script));
        }
        let text = String::from_utf8_lossy(name);
        let script = match text.strip_prefix(RECORDED) {
            Some(rest) => {
                let (recording, plan) = rest.split_once(':')?;
                Script::recorded(self.recordings.get(recording)?, plan)
            }
            None => Script::chat(&text),
        };
        let script = Arc::new(script);
        scripts.insert(name.to_vec(), Arc::clone(&script));
        Some(script)
    }

    /// A part of `gap`, another one for each stream, spread evenly (golden ratio).
    fn phase(&self, gap: Duration) -> Duration {
        let stream = self.streams.fetch_add(1, Ordering::Relaxed);
        let turn = (stream as f64 * 0.618_033_988_75).fract();
        gap.mul_f64(turn)
    }
}

async fn serve(mut stream: TcpStream, shelf: &Shelf) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::with_capacity(4096);
    while let Some(length) = read_request(&mut stream, &mut request).await? {
        if wire::header(&request[..length], "sec-websocket-key").is_some() {
            return socket::answer(stream, &request[..length], shelf).await;
        }
        let (name, streamed) = asked(&request[..length]);
        let script = shelf.script(name);
        request.drain(..length);
        match script {
            Some(script) if streamed => write_stream(&mut stream, &script, shelf).await?,
            Some(script) => stream.write_all(&script.whole).await?,
            None => stream.write_all(NOT_FOUND).await?,
        }
    }
    Ok(())
}

async fn write_stream(stream: &mut TcpStream, script: &Script, shelf: &Shelf) -> io::Result<()> {
    match script.pace {
        Pace::Saturated => stream.write_all(&script.stream).await,
        Pace::Every(gap) => write_paced(stream, script, gap, shelf.phase(gap)).await,
    }
}

/// Reads until `request` begins with a whole request, and says how long that is.
async fn read_request(stream: &mut TcpStream, request: &mut Vec<u8>) -> io::Result<Option<usize>> {
    loop {
        if let Some(length) = whole_request(request) {
            return Ok(Some(length));
        }
        if request.len() > MAX_REQUEST_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the request is too long"));
        }
        if stream.read_buf(request).await? == 0 {
            return Ok(None);
        }
    }
}

/// The length of the whole request that `bytes` begin with, if all of it is there.
fn whole_request(bytes: &[u8]) -> Option<usize> {
    let head = wire::head_end(bytes)?;
    match wire::framing(&bytes[..head]) {
        Framing::Sized(body) => {
            let end = head + usize::try_from(body).ok()?;
            (bytes.len() >= end).then_some(end)
        }
        // JSON has no bare CRLF inside, so the last chunk cannot be mistaken.
        Framing::Chunked => {
            memchr::memmem::find(&bytes[head..], b"\r\n0\r\n\r\n").map(|at| head + at + 7)
        }
        Framing::Unknown => Some(head),
    }
}

/// What a request names, its model or a recording, and whether it asks for a stream.
fn asked(request: &[u8]) -> (&[u8], bool) {
    if let Some(at) = memchr::memmem::find(request, RECORDED.as_bytes()) {
        let name = request[at..].split(|byte| matches!(byte, b' ' | b'"')).next();
        return (name.unwrap_or_default(), true);
    }
    let after = |key: &[u8]| {
        let at = memchr::memmem::find(request, key)? + key.len();
        request[at..].trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start)
    };
    let model = after(b"\"model\"")
        .and_then(|value| value.strip_prefix(b"\""))
        .and_then(|value| value.split(|byte| *byte == b'"').next())
        .unwrap_or(b"unnamed");
    (model, after(b"\"stream\"").is_some_and(|value| value.starts_with(b"true")))
}

/// The first event at once, the second after the stream's phase, then one every `gap`.
async fn write_paced(
    stream: &mut TcpStream,
    script: &Script,
    gap: Duration,
    phase: Duration,
) -> io::Result<()> {
    let mut ticks = interval_at(Instant::now() + phase, gap);
    // A late tick must not turn two events into one write.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for (index, event) in script.events().enumerate() {
        if index > 0 {
            ticks.tick().await;
        }
        stream.write_all(event).await?;
    }
    Ok(())
}
