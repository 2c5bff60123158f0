//! The thread that runs tokenizers: a kilobyte takes them some 20 us, which no caller shall
//! wait for. It is one thread, because each that counts keeps a cache of a megabyte.

use tokio::sync::{mpsc, oneshot};

type Task = Box<dyn FnOnce() + Send>;

/// Tasks that may wait: words of streams that flow, and the bookkeeper's.
const QUEUE: usize = 1024;

/// A handle on the thread, which ends when the last one is dropped.
#[derive(Clone)]
pub(super) struct Counter {
    queue: mpsc::Sender<Task>,
}

impl Counter {
    pub(super) fn start() -> Self {
        let (queue, mut tasks) = mpsc::channel::<Task>(QUEUE);
        std::thread::Builder::new()
            .name("token-counter".into())
            .spawn(move || {
                while let Some(task) = tasks.blocking_recv() {
                    task();
                }
            })
            .expect("the system has a thread's worth of resources");
        Self { queue }
    }

    /// Leaves a task to be done; answers whether there was room for it. Tasks are done in
    /// the order in which they came.
    pub(super) fn leave(&self, task: impl FnOnce() + Send + 'static) -> bool {
        self.queue.try_send(Box::new(task)).is_ok()
    }

    /// Waits for a task's answer; `None` when the thread is gone.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let task = move || {
            let _ = reply.send(task()); // Whoever asked may have gone.
        };
        self.queue.send(Box::new(task)).await.ok()?;
        answer.await.ok()
    }
}
