//! One connection of the loader: send, read the answer to its end, again.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::answer::Answer;
use crate::tally::Tally;

/// Large enough that a saturated stream is read in few system calls.
const READ_BYTES: usize = 32 * 1024;
/// An answer that stands still for so long is an error, so that a run always ends.
const SILENCE: Duration = Duration::from_secs(20);
/// A proxy that refuses every connection must not be hammered.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(20);

/// What all connections send, where to, and what they expect.
pub struct Target {
    /// `HOST:PORT`.
    pub address: String,
    /// The request's bytes.
    pub request: Vec<u8>,
    /// The status that an answer must have.
    pub expect_status: u16,
    /// Whether an answer must be a stream that ends with `[DONE]`.
    pub stream: bool,
    /// No request begins later.
    pub until: Instant,
}

/// Runs until the tally gives no more requests or the time is up; the latencies in us.
pub async fn run(target: &Target, tally: &Tally) -> Vec<u32> {
    let mut latencies = Vec::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut kept: Option<TcpStream> = None;
    while Instant::now() < target.until && tally.take_request() {
        let begin = Instant::now();
        match exchange(target, tally, kept.take(), &mut buffer).await {
            Ok(stream) => {
                kept = stream;
                latencies.push(u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX));
                tally.finished();
            }
            Err(error) => {
                tally.failed(&error);
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
    latencies
}

/// One request and its answer; gives the connection back if it may be used again.
async fn exchange(
    target: &Target,
    tally: &Tally,
    kept: Option<TcpStream>,
    buffer: &mut [u8],
) -> io::Result<Option<TcpStream>> {
    let mut stream = match kept {
        Some(stream) => stream,
        None => {
            let stream = TcpStream::connect(&target.address).await?;
            stream.set_nodelay(true)?;
            stream
        }
    };
    stream.write_all(&target.request).await?;
    let mut open = None;
    let mut answer = Answer::default();
    let mut counted = 0;
    while !answer.is_whole() {
        let length = tokio::time::timeout(SILENCE, stream.read(buffer))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        if length == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the answer was cut off"));
        }
        answer.feed(&buffer[..length])?;
        let events = answer.events();
        if events > counted {
            open.get_or_insert_with(|| tally.stream_opened());
            tally.saw_events(events - counted);
            counted = events;
        }
    }
    answer.check(target.expect_status, target.stream)?;
    Ok(answer.keep_alive().then_some(stream))
}
