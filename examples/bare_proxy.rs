//! A bare hyper proxy: what forwarding costs before a gateway does anything.
//!
//! It reads the whole request, sends it through a pooled client and streams the answer
//! back, on one thread. No routing, no accounts, no books: the floor under the gateway's
//! figures. It prints `{"listen":"127.0.0.1:PORT"}` once it accepts.
#![allow(clippy::disallowed_methods, reason = "a bench tool outside the gateway and its drain")]

use std::net::SocketAddr;

use bytes::Bytes;
use clap::Parser;
use http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Pool = Client<HttpConnector, Full<Bytes>>;

#[derive(Parser)]
#[command(about = "A bare hyper proxy, for comparison")]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to forward to: `HOST:PORT`.
    #[arg(long)]
    upstream: Authority,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let pool = Client::builder(TokioExecutor::new()).build(connector);
    let listener = TcpListener::bind(args.listen).await?;
    println!("{{\"listen\":\"{}\"}}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (pool, upstream) = (pool.clone(), args.upstream.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| forward(&pool, &upstream, request));
            // A caller that hangs up is no news here: the loader counts what arrived.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn forward(
    pool: &Pool,
    upstream: &Authority,
    request: Request<Incoming>,
) -> Result<Response<Incoming>, Failure> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path_and_query().cloned();
    head.uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(upstream.clone())
        .path_and_query(path.unwrap_or(PathAndQuery::from_static("/")))
        .build()?;
    for name in [HOST, CONNECTION, TRANSFER_ENCODING] {
        head.headers.remove(name);
    }
    let mut answer = pool.request(Request::from_parts(head, Full::new(body))).await?;
    for name in [CONNECTION, TRANSFER_ENCODING] {
        answer.headers_mut().remove(name);
    }
    Ok(answer)
}
