//! The bench's upstream: OpenAI chat completions with as little CPU as it takes.
//!
//! Answers are rendered once and written as they are. The model's name picks the
//! answer, so that a request reaches the same one through any proxy:
//!
//! - any name without `"stream":true`: one JSON answer of about 1 KB;
//! - `saturated-2000`: 2,000 events, written as fast as the reader takes them;
//! - `paced-150ms-40`: 40 events, 150 ms apart, each stream in its own phase.
//!
//! It prints `{"listen":"127.0.0.1:PORT"}` once it accepts, and runs until it is
//! ended.
#![allow(clippy::disallowed_methods, reason = "a bench tool outside the gateway and its drain")]

mod script;
#[path = "../bench_wire/mod.rs"]
mod wire;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use script::{Pace, Script};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use wire::Framing;

/// A request that is longer than this is refused: the bench sends 1 KB.
const MAX_REQUEST_BYTES: usize = 1 << 20;

#[derive(Parser)]
#[command(about = "A lean upstream that speaks OpenAI chat completions")]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    let listener = TcpListener::bind(args.listen).await?;
    println!("{{\"listen\":\"{}\"}}", listener.local_addr()?);
    let shelf = Arc::new(Shelf::default());
    loop {
        let (stream, _) = listener.accept().await?;
        let shelf = Arc::clone(&shelf);
        tokio::spawn(async move {
            // A proxy that hangs up is no news here: the loader counts what arrived.
            let _ = serve(stream, &shelf).await;
        });
    }
}

/// Answers that were rendered already, by model, and the phase of the next paced stream.
#[derive(Default)]
struct Shelf {
    scripts: Mutex<HashMap<Vec<u8>, Arc<Script>>>,
    streams: AtomicU64,
}

impl Shelf {
    fn script(&self, model: &[u8]) -> Arc<Script> {
        let mut scripts = self.scripts.lock().expect("nothing panics while it holds the shelf");
        if let Some(script) = scripts.get(model) {
            return Arc::clone(script);
        }
        let script = Arc::new(Script::render(&String::from_utf8_lossy(model)));
        scripts.insert(model.to_vec(), Arc::clone(&script));
        script
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
        let (model, streamed) = asked(&request[..length]);
        let script = shelf.script(model);
        request.drain(..length);
        match script.pace {
            _ if !streamed => stream.write_all(&script.whole).await?,
            Pace::Saturated => stream.write_all(&script.stream).await?,
            Pace::Every(gap) => write_paced(&mut stream, &script, gap, shelf.phase(gap)).await?,
        }
    }
    Ok(())
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

/// The model that a request names, and whether it asks for a stream.
fn asked(request: &[u8]) -> (&[u8], bool) {
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
