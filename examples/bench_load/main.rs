//! The bench's loader: a closed loop over keep-alive connections.
//!
//! Each connection sends the same request again as soon as its answer is whole, until
//! the count or the time is used up. Streams are read event by event and must end with
//! `[DONE]`. A line on stdin is answered with the counts so far, so that a harness can
//! lay the edges of its own measurement into a run; the last line is the report.
#![allow(clippy::disallowed_methods, reason = "a bench tool outside the gateway and its drain")]

mod answer;
mod connection;
mod tally;
#[path = "../bench_wire/mod.rs"]
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use connection::Target;
use tally::Tally;
use tokio::task::JoinSet;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(about = "A lean closed-loop load generator for HTTP/1.1")]
struct Args {
    /// Where to send: `http://HOST:PORT/PATH`.
    #[arg(long)]
    url: http::Uri,
    /// A header to add, `name: value`; may be repeated.
    #[arg(long = "header")]
    headers: Vec<String>,
    /// A file that holds the body.
    #[arg(long)]
    body: PathBuf,
    /// How many connections to keep open.
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Stop after so many requests in all.
    #[arg(long, default_value_t = u64::MAX)]
    requests: u64,
    /// Begin no request after so many seconds.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Open the connections spread over so many milliseconds.
    #[arg(long, default_value_t = 0)]
    ramp_ms: u64,
    /// What an answer must have as its status.
    #[arg(long, default_value_t = 200)]
    expect_status: u16,
    /// The answers are SSE streams and must end with `[DONE]`.
    #[arg(long)]
    stream: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let body = std::fs::read(&args.body)
        .map_err(|error| format!("the body {} cannot be read: {error}", args.body.display()))?;
    let begin = Instant::now();
    let target = Arc::new(Target {
        address: authority(&args.url)?.to_owned(),
        request: render(&args.url, &args.headers, &body)?,
        expect_status: args.expect_status,
        stream: args.stream,
        until: begin + Duration::from_secs_f64(args.seconds),
    });
    let tally = Arc::new(Tally::new(args.requests));
    tally::answer_stdin(Arc::clone(&tally));

    let mut connections = JoinSet::new();
    let ramp = Duration::from_millis(args.ramp_ms);
    for index in 0..args.connections {
        let (target, tally) = (Arc::clone(&target), Arc::clone(&tally));
        connections.spawn(async move {
            tokio::time::sleep(ramp * index / args.connections.max(1)).await;
            connection::run(&target, &tally).await
        });
    }
    let latencies = connections.join_all().await.concat();
    println!("{}", tally.report(begin.elapsed(), latencies));
    Ok(())
}

fn authority(url: &http::Uri) -> Result<&str, Failure> {
    if url.scheme_str() != Some("http") {
        return Err(format!("{url} is not a plain http URL").into());
    }
    let authority = url.authority().ok_or_else(|| format!("{url} names no host"))?;
    Ok(authority.as_str())
}

/// The request as it goes out, the same bytes each time.
fn render(url: &http::Uri, headers: &[String], body: &[u8]) -> Result<Vec<u8>, Failure> {
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: {}\r\n", authority(url)?);
    for header in headers {
        if header.contains(['\r', '\n']) || !header.contains(':') {
            return Err(format!("{header:?} is not a header").into());
        }
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("content-type: application/json\r\naccept: */*\r\nuser-agent: bench-load\r\n");
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    Ok([head.as_bytes(), body].concat())
}
