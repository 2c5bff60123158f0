//! A limit on a wait, for what is mostly there already: the timer is set only once there is
//! something to wait for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// What a future gives, or `None` if that takes longer than `limit`.
pub fn within<F: Future + Unpin>(limit: Duration, future: F) -> Within<F> {
    Within { future, limit, alarm: None }
}

/// See [`within`].
pub struct Within<F> {
    future: F,
    limit: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<F: Future + Unpin> Future for Within<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(done) = Pin::new(&mut self.future).poll(cx) {
            return Poll::Ready(Some(done));
        }
        let limit = self.limit;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep(limit)));
        alarm.as_mut().poll(cx).map(|()| None)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_there_is_given_and_what_takes_too_long_is_not_waited_for() {
        let limit = Duration::from_secs(5);
        assert_eq!(within(Duration::ZERO, ready(7)).await, Some(7));
        let (told, hears) = tokio::sync::oneshot::channel();
        let telling = async {
            sleep(Duration::from_secs(4)).await;
            told.send(8).unwrap();
        };
        assert_eq!(tokio::join!(within(limit, hears), telling).0, Some(Ok(8)));
        let too_long = Duration::from_secs(6);
        let waited = within(limit, pending::<()>());
        assert_eq!(tokio::time::timeout(too_long, waited).await, Ok(None));
    }
}
