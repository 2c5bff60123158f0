//! Listeners: one for each platform, HTTP/1.1 and HTTP/2 in the clear.

use std::sync::{Arc, Mutex, PoisonError};

use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::body::AnswerBody;
use super::chat::{self, Closed};
use super::operator;
use super::site::Faces;
use super::socket::{self, Session};

/// The longest request.
const MOST_BODY_BYTES: usize = 64 << 20;

/// The WebSocket that a connection has become, if it has.
type Opened = Arc<Mutex<Option<Session>>>;

/// Serves one platform until it is aborted; its connections end with it.
pub(super) async fn serve(listener: TcpListener, faces: Arc<Faces>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of file descriptors, or gone before we came: the next may do.
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                let faces = Arc::clone(&faces);
                connections.spawn(async move {
                    let opened = Opened::default();
                    let place = Arc::clone(&opened);
                    let service = service_fn(move |request| {
                        answer(Arc::clone(&faces), request, Arc::clone(&place))
                    });
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let serving =
                        builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
                    // A connection that breaks is the caller's affair, or a fault's.
                    let _ = serving.await;
                    let session = opened.lock().unwrap_or_else(PoisonError::into_inner).take();
                    if let Some(session) = session {
                        session.run().await;
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(
    faces: Arc<Faces>,
    request: Request<Incoming>,
    opened: Opened,
) -> Result<Response<AnswerBody>, Closed> {
    if let Some(wire) = faces.socket().filter(|_| socket::is_handshake(request.headers())) {
        let (answer, session) = socket::greet(faces, wire, request);
        *opened.lock().unwrap_or_else(PoisonError::into_inner) = session;
        return Ok(answer);
    }
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MOST_BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Err(Closed),
    };
    if head.uri.path().starts_with(operator::PREFIX) {
        return Ok(operator::answer(faces.usual(), &head, &body));
    }
    chat::answer(faces.at(head.uri.path()), head, body).await
}
