//! Many callers at once, who go on until they are told to end or their gateway is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::task::JoinSet;

use super::ask;

const PATIENCE: Duration = Duration::from_secs(60);

/// How soon a caller tries again that was told that the store is down.
const AGAIN: Duration = Duration::from_millis(20);

/// How long a caller thinks between two calls: a platform's books keep so many rows, and a
/// long fault must not fill them.
const THINKS: Duration = Duration::from_millis(50);

pub struct Crowd {
    counts: Arc<Counts>,
    callers: JoinSet<()>,
}

#[derive(Default)]
struct Counts {
    answered: AtomicUsize,
    refused: AtomicUsize,
    ends: AtomicBool,
}

impl Crowd {
    /// So many callers at each gateway. Half of them stream.
    pub fn at<'a>(
        gateways: impl IntoIterator<Item = &'a str>,
        token: &str,
        callers_each: usize,
    ) -> Self {
        let counts = Arc::new(Counts::default());
        let mut callers = JoinSet::new();
        for base_url in gateways {
            let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
            for caller in 0..callers_each {
                let (client, counts) = (client.clone(), counts.clone());
                let url = format!("{base_url}/chat/completions");
                let token = format!("Bearer {token}");
                callers.spawn(async move {
                    for turn in 0.. {
                        if counts.ends.load(Ordering::Relaxed) {
                            return;
                        }
                        let words = 3 + (caller + turn) % 40;
                        let mut body = ask("gpt-4.1", &format!("pace 2 ms say {words} words"));
                        body["stream"] = json!(turn % 2 == 0);
                        let request = Request::post(&url).header("authorization", &token);
                        let request = request.body(Full::from(body.to_string())).unwrap();
                        let Ok(response) = client.request(request).await else { return };
                        let status = response.status();
                        let Ok(_) = response.into_body().collect().await else { return };
                        if status == StatusCode::OK {
                            counts.answered.fetch_add(1, Ordering::Relaxed);
                            tokio::time::sleep(THINKS).await;
                            continue;
                        }
                        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
                        counts.refused.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(AGAIN).await;
                    }
                });
            }
        }
        Self { counts, callers }
    }

    /// Waits until so many more are answered.
    pub async fn goes_on(&self, more: usize) {
        let enough = self.counts.answered.load(Ordering::Relaxed) + more;
        let refused = || self.counts.refused.load(Ordering::Relaxed);
        let refused_before = refused();
        let wait = async {
            while self.counts.answered.load(Ordering::Relaxed) < enough {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let (left, refused) = (self.callers.len(), refused() - refused_before);
            let answered = self.counts.answered.load(Ordering::Relaxed);
            panic!("{left} callers, {answered} answers, not {enough}; {refused} refused since");
        }
    }

    /// Lets every caller read its answer to the end; says how many were refused because the
    /// store was down.
    pub async fn end(self) -> usize {
        let (unanswered, refused) = self.ended().await;
        assert_eq!(unanswered, 0, "callers without an answer");
        refused
    }

    /// As [`Crowd::end`], where the gateway was killed. A call may be handed to its connection's
    /// task just as that ends on another thread: hyper then tells it nothing, and it is given up.
    pub async fn end_without_gateway(self) -> usize {
        self.ended().await.1
    }

    /// How many callers had no answer in time, and how many were refused.
    async fn ended(mut self) -> (usize, usize) {
        self.counts.ends.store(true, Ordering::Relaxed);
        let all = async {
            while let Some(caller) = self.callers.join_next().await {
                caller.unwrap();
            }
        };
        // Those who are left then are counted.
        let _ = tokio::time::timeout(PATIENCE, all).await;
        (self.callers.len(), self.counts.refused.load(Ordering::Relaxed))
    }
}
