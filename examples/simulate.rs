//! Runs the simulated platforms and prints where they are, until it is interrupted.
//!
//!     cargo run --example simulate
//!     {"openai":{"url":"http://127.0.0.1:40001","model":"gpt-5.4-mini"},…}

use serde_json::{Map, Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tributary::simulator::Simulator;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let simulator = Simulator::start().await?;
    let platforms: Map<String, Value> = simulator
        .platforms()
        .map(|(name, url)| (name.to_owned(), json!({"url": url, "model": simulator.model(name)})))
        .collect();
    println!("{}", Value::Object(platforms));
    tokio::select! {
        _ = terminated.recv() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    simulator.stop().await;
    Ok(())
}
