//! The listeners, and how an answer leaves: whole, late, cut short or not at all.
//!
//! HTTP/1.1 only. Every answer says `Server: c8y-pki-sandbox`, so that nobody takes it for the
//! platform.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::HOST;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::answer::Answer;
use super::call::Call;
use super::faults::Fault;
use super::news::{Had, news};
use super::shared::Shared;
use super::state::Port;
use super::{management, mqtt};
use crate::cert::Certificate;

/// How long a client may take for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the second half of a cut answer is held back, so that the first one leaves.
const BEFORE_CUT: Duration = Duration::from_millis(20);

/// What a listener serves.
#[derive(Clone)]
pub(super) enum Door {
    /// REST.
    Rest(Arc<ServerConfig>),
    /// REST with client certificates.
    Mutual(Arc<ServerConfig>),
    /// MQTT.
    Mqtt(Port),
    /// The page, without TLS.
    Page,
}

impl Door {
    fn name(&self) -> &'static str {
        match self {
            Self::Rest(_) => "https",
            Self::Mutual(_) => "mtls",
            Self::Mqtt(port) => port.name(),
            Self::Page => "page",
        }
    }
}

/// Accepts connections until the runtime ends.
pub(super) async fn serve(listener: TcpListener, door: Door, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, door.clone(), Arc::clone(&shared)));
            }
            // Too many open files, for example: it may pass.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(stream: TcpStream, door: Door, shared: Arc<Shared>) {
    // Without it answers are the same, only slower.
    let _ = stream.set_nodelay(true);
    let port = door.name();
    let config = match door {
        Door::Page => return page(stream, shared).await,
        Door::Mqtt(port) => return mqtt::connection(stream, port, shared).await,
        Door::Rest(config) | Door::Mutual(config) => config,
    };
    let handshake = TlsAcceptor::from(config).accept(stream);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, handshake).await else { return };
    let presented = stream.get_ref().1.peer_certificates();
    let leaf = presented.and_then(|chain| Certificate::from_der(chain.first()?).ok());
    let service = service_fn(move |request: Request<Incoming>| {
        let (shared, leaf) = (Arc::clone(&shared), leaf.clone());
        async move {
            let (parts, body) = request.into_parts();
            let call = Call::read(parts, Body::new(body), leaf).await;
            let (answer, fault) = shared.answer(&call, port);
            deliver(answer, fault).await
        }
    });
    http(stream, service).await;
}

async fn page(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(response(managed(request, &shared).await)) }
    });
    http(stream, service).await;
}

async fn managed(request: Request<Incoming>, shared: &Shared) -> Answer {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if !management::is_of_this_machine(host) {
        return Answer::empty(421);
    }
    let path = request.uri().path();
    let Some(device) = management::device(path) else {
        let had = || Had::of(request.uri().query());
        let view = |page: management::View| match page {
            management::View::State => shared.state(),
            management::View::News => news(shared, &had()),
        };
        return management::answer(request.method(), path, view);
    };
    if request.method() != Method::POST {
        return Answer::empty(405).with("Allow", "POST");
    }
    if management::is_of_a_page(request.headers()) {
        return Answer::empty(403);
    }
    let body = axum::body::to_bytes(Body::new(request.into_body()), management::MOST).await;
    let send = |rows: &str| shared.world().send_operation(&device, rows);
    management::operation(&device, body.ok().as_deref(), send)
}

async fn http<S, I>(stream: I, service: S)
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: hyper::service::Service<Request<Incoming>, Response = Response<Body>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new());
    // A client that hangs up, and our own faults, end here: there is nobody to tell.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// Lets an answer go, or does with it what the fault demands.
async fn deliver(answer: Answer, fault: Option<Fault>) -> Result<Response<Body>, Dropped> {
    match fault {
        Some(Fault::Drop) => return Err(Dropped),
        Some(Fault::Cut) if answer.body.is_empty() => return Err(Dropped),
        Some(Fault::Slow(time)) => tokio::time::sleep(time).await,
        _ => {}
    }
    let body = answer.body.clone();
    let mut response = response(answer);
    if fault == Some(Fault::Cut) {
        *response.body_mut() = Body::new(Cut::new(&body));
    }
    Ok(response)
}

fn response(answer: Answer) -> Response<Body> {
    let mut builder = Response::builder().status(answer.status).header("Server", "c8y-pki-sandbox");
    for (name, value) in answer.headers {
        builder = builder.header(name, value);
    }
    // Only a value that cannot stand in a header fails here.
    builder.body(Body::from(answer.body)).unwrap_or_else(|_| {
        let mut broken = Response::new(Body::empty());
        *broken.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}

/// The connection ends instead of an answer.
#[derive(Debug)]
struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is closed on purpose")
    }
}

impl std::error::Error for Dropped {}

/// The first half of a body that was announced whole.
struct Cut {
    half: Option<Bytes>,
    announced: u64,
    pause: Pin<Box<tokio::time::Sleep>>,
}

impl Cut {
    fn new(whole: &Bytes) -> Self {
        let half = whole.slice(..whole.len() / 2);
        let announced = u64::try_from(whole.len()).unwrap_or_default();
        Self { half: Some(half), announced, pause: Box::pin(tokio::time::sleep(BEFORE_CUT)) }
    }
}

impl hyper::body::Body for Cut {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        self.pause.as_mut().poll(context).map(|()| Some(Err(Dropped)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}
