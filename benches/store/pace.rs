//! CPU and pace of what happens between two instants.

use std::fmt;

use tributary::telemetry::clock::Stopwatch;

use super::REQUESTS;

/// What one of [`REQUESTS`] cost.
pub struct Cost {
    own_us: f64,
    server_us: Option<f64>,
    a_second: f64,
}

/// The beginning.
pub struct Pace {
    own_ns: u64,
    server_us: Option<f64>,
    since: Stopwatch,
}

impl Pace {
    pub async fn begin(url: &str) -> Self {
        let server_us = server_us(url).await;
        Self { own_ns: cpu_ns(), server_us, since: Stopwatch::start() }
    }

    pub async fn end(self, url: &str) -> Cost {
        let took = self.since.elapsed().as_secs_f64();
        let own_ns = cpu_ns() - self.own_ns;
        let count = REQUESTS as f64;
        let server = self.server_us.zip(server_us(url).await);
        Cost {
            own_us: own_ns as f64 / count / 1000.0,
            server_us: server.map(|(before, after)| (after - before) / count),
            a_second: count / took,
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} us", self.own_us)?;
        if let Some(server) = self.server_us {
            write!(f, " + {server:.1} us")?;
        }
        write!(f, " of CPU, {:.0}/s", self.a_second)
    }
}

/// CPU of all threads of this process, from Linux' scheduler.
pub fn cpu_ns() -> u64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// CPU of a Redis server, by its own word; none of a file, or a Cluster.
async fn server_us(url: &str) -> Option<f64> {
    if !url.starts_with("redis://") {
        return None;
    }
    let client = redis::Client::open(url).unwrap();
    let mut link = client.get_multiplexed_async_connection().await.unwrap();
    let told: String = redis::cmd("INFO").arg("cpu").query_async(&mut link).await.unwrap();
    let of = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').parse::<f64>().unwrap()
    };
    Some((of("used_cpu_user:") + of("used_cpu_sys:")) * 1e6)
}
