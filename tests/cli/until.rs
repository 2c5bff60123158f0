//! Waiting for what happens behind an answer, or in another process.

use std::fmt::Debug;
use std::time::Duration;

/// So long a busy machine may take.
const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(20);

/// What a look shows once it is as wanted.
pub async fn until<T: Debug>(look: impl AsyncFn() -> T, is_wanted: impl Fn(&T) -> bool) -> T {
    let mut seen = look().await;
    let waiting = async {
        while !is_wanted(&seen) {
            tokio::time::sleep(AGAIN).await;
            seen = look().await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(in_time.is_ok(), "after {PATIENCE:?} still {seen:?}");
    seen
}
