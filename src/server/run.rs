//! From bound sockets to a finished drain.
//!
//! Each core has a thread with a runtime, a listener and connections to platforms and to
//! Redis of its own: a request never leaves its core (docs/decisions/0002). The calling
//! thread's runtime is the office: the operator's listener, bookkeeping, sweeps.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::accept;
use super::dispatch::{Listener, answer};
use super::{OperatorSettings, Settings, listen};
use crate::api::{self, App, Health, Request, Response};
use crate::identity::People;
use crate::oidc::Provider;
use crate::relay::{self, Bookkeeper, Drains, Gateway, Parts};
use crate::upstream::Client;

/// Where a gateway listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// For callers.
    pub public: SocketAddr,
    /// For the operator.
    pub operator: SocketAddr,
}

/// A gateway that serves. [`Running::drain`] ends it well.
pub struct Running {
    /// Where it listens.
    pub addresses: Addresses,
    /// Who signs in.
    pub people: Arc<People>,
    settings: Settings,
    health: Arc<Health>,
    drain: CancellationToken,
    workers: Vec<JoinHandle<()>>,
    office: TaskTracker,
    shut_office: CancellationToken,
}

/// Begins to serve. Call it in a runtime: the office's tasks run there.
///
/// # Errors
/// An address that can't be bound; an upstream setting that can't be used.
pub fn start(
    settings: &Settings,
    operator: &OperatorSettings,
    upstream: &crate::upstream::Settings,
    parts: Parts,
    keeper: Bookkeeper,
) -> io::Result<Running> {
    let threads = match settings.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let health = Arc::new(Health::default());
    let app = |parts: Parts, drains: Drains| -> io::Result<App> {
        let client = Client::new(upstream).map_err(io::Error::other)?;
        let provider = |registration| Provider::new(registration, upstream);
        let oidc = parts.oidc.clone().map(provider).transpose().map_err(io::Error::other)?;
        Ok(App {
            oidc,
            gateway: Gateway::new(parts, client, drains),
            health: health.clone(),
            errands: api::Errands::default(),
            public_url: settings.public_url.clone().map(Into::into),
            max_body_bytes: settings.max_body_bytes,
            body_timeout: settings.body_timeout.unsigned_abs(),
        })
    };
    let in_use = |what: &str, address, error: io::Error| {
        io::Error::new(error.kind(), format!("[{what}] listen {address}: {error}"))
    };
    let sockets = listen::bind(settings.listen, threads)
        .map_err(|error| in_use("server", settings.listen, error))?;
    let operator_socket = listen::bind(operator.listen, 1)
        .map_err(|error| in_use("operator", operator.listen, error))?
        .remove(0);
    let addresses = Addresses {
        public: sockets.first().map_or(Ok(settings.listen), std::net::TcpListener::local_addr)?,
        operator: operator_socket.local_addr()?,
    };

    let drain = CancellationToken::new();
    let mut workers = Vec::with_capacity(threads);
    for (number, socket) in sockets.into_iter().enumerate() {
        let (tasks, late) = (TaskTracker::new(), CancellationToken::new());
        let drains = Drains { tasks: tasks.clone(), late: late.clone() };
        let worker = Worker {
            socket,
            app: app(parts.clone(), drains)?,
            settings: settings.clone(),
            drain: drain.clone(),
            tasks,
            late,
        };
        let name = format!("worker-{number}");
        workers.push(std::thread::Builder::new().name(name).spawn(move || worker.run())?);
    }

    let office = TaskTracker::new();
    let shut_office = CancellationToken::new();
    let until_shut = |task| {
        let shut = shut_office.clone();
        office.spawn(async move { shut.run_until_cancelled_owned(task).await });
    };
    let Parts { store, zones, metrics, books, callers, people, senders, .. } = parts.clone();
    office.spawn(keeper.keep(store.clone(), zones.clone(), metrics.clone()));
    let sweep = relay::sweep(store.clone(), zones.clone(), metrics.clone());
    until_shut(Box::pin(sweep) as Task);
    until_shut(Box::pin(relay::note_uses(callers, store.clone(), metrics.clone())));
    let channels = senders.iter().map(|sender| sender.channel()).collect();
    let watch = relay::watch(books.clone(), store.clone(), zones, metrics.clone(), channels);
    until_shut(Box::pin(watch));
    for sender in senders {
        let client = Client::new(upstream).map_err(io::Error::other)?;
        let deliver = relay::deliver(sender, client, store.clone(), metrics.clone());
        until_shut(Box::pin(deliver));
    }
    until_shut(Box::pin(relay::renew(books, store, metrics)));
    let drains = Drains { tasks: office.clone(), late: shut_office.clone() };
    let app = Arc::new(app(parts, drains)?);
    let listener = listen::register(operator_socket)?;
    let serve = move |mut request, from| {
        let app = app.clone();
        async move { answer(&app, Listener::Operator, &mut request, from).await }
    };
    let tasks = TaskTracker::new();
    let operators = accept(listener, settings.clone(), tasks, shut_office.clone(), serve);
    office.spawn(operators);
    office.close();
    Ok(Running {
        addresses,
        people,
        settings: settings.clone(),
        health,
        drain,
        workers,
        office,
        shut_office,
    })
}

type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Running {
    /// Ends the gateway: `/readyz` says 503, then the listener shuts, requests finish or
    /// are cut at the drain's end, and the books are carried to the store.
    pub async fn drain(self) {
        self.health.begin_drain();
        tracing::info!("draining");
        tokio::time::sleep(self.settings.drain_notice.unsigned_abs()).await;
        self.drain.cancel();
        let workers = self.workers;
        let joined = tokio::task::spawn_blocking(move || {
            for worker in workers {
                let _ = worker.join(); // A worker that panicked has ended too.
            }
        });
        let _ = joined.await;
        self.shut_office.cancel();
        let patience = self.settings.drain_timeout.unsigned_abs();
        if tokio::time::timeout(patience, self.office.wait()).await.is_err() {
            // Their leases are charged by estimate when their deadline passes.
            return tracing::error!("the store did not take the last settlements and records");
        }
        tracing::info!("drained");
    }
}

/// What is left at the drain's end must end within so much: a short-lived key may be on its way
/// from a platform that does not answer.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// One core's thread.
struct Worker {
    socket: std::net::TcpListener,
    app: App,
    settings: Settings,
    drain: CancellationToken,
    tasks: TaskTracker,
    /// Requests may go on no longer.
    late: CancellationToken,
}

impl Worker {
    fn run(self) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("the system has a thread's worth of resources");
        runtime.block_on(self.serve());
        // What connections that were cut left behind is dropped here: their calls settle.
    }

    async fn serve(self) {
        let listener = match listen::register(self.socket) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "a listener can't be used"),
        };
        let mut app = self.app;
        let store = &mut app.gateway.parts.store;
        *store = store.clone().in_this_runtime();
        let app = Arc::new(app);
        // Boxed, so that its seven kilobytes go once a stream has begun: the connection keeps
        // room for the future as long as it lives. Made where it will lie: moving it there
        // would copy them all.
        let serve = move |request, from| {
            Box::into_pin(Box::write(Box::new_uninit(), public(app.clone(), request, from)))
        };
        let Self { settings, tasks, late, .. } = self;
        let patience = settings.drain_timeout.unsigned_abs();
        accept(listener, settings, tasks.clone(), self.drain, serve).await;
        tasks.close();
        see_out(&tasks, &late, patience).await;
    }
}

/// Answers a caller.
#[allow(clippy::manual_async_fn, reason = "an async fn keeps its arguments twice")]
fn public(
    app: Arc<App>,
    mut request: Request,
    from: IpAddr,
) -> impl Future<Output = Response> + Send + 'static {
    async move { answer(&app, Listener::Public, &mut request, from).await }
}

/// Waits for tasks, but not for ever.
async fn see_out(tasks: &TaskTracker, late: &CancellationToken, patience: Duration) {
    if tokio::time::timeout(patience, tasks.wait()).await.is_ok() {
        return;
    }
    // Connections cut themselves; streams that are drained end now.
    late.cancel();
    if tokio::time::timeout(LAST_WAIT, tasks.wait()).await.is_err() {
        tracing::warn!("something did not end in time, and is dropped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A larger one shares the allocator's blocks of 8 KB with hyper's buffers, and leaves both
    /// of their pages in memory, of which a buffer uses one.
    const MOST_ANSWER_BYTES: usize = 7 << 10;

    #[test]
    fn the_future_of_an_answer_is_small_enough_for_a_block_of_its_own() {
        fn bytes_of<F>(_: impl FnOnce(Arc<App>, Request, IpAddr) -> F) -> usize {
            size_of::<F>()
        }
        let bytes = bytes_of(public);
        assert!(bytes <= MOST_ANSWER_BYTES, "{bytes}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_though_a_task_does_not() {
        let (tasks, late) = (TaskTracker::new(), CancellationToken::new());
        let since = tokio::time::Instant::now();
        let patience = Duration::from_secs(30);
        tasks.spawn(std::future::pending::<()>());
        tasks.close();
        let seen_out = see_out(&tasks, &late, patience);
        tokio::time::timeout(patience * 10, seen_out).await.expect("it ends");
        assert!(late.is_cancelled());
        assert_eq!(since.elapsed(), patience + LAST_WAIT);
    }
}
