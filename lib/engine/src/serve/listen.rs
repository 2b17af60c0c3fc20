//! Connections, and how an answer leaves.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};

use super::answer::{Answer, Form, Result, bad, busy, too_large, too_slow};
use super::call::Call;
use super::log::Entry;
use super::state::Shared;
use super::tls::Tls;
use super::{limits, route};
use crate::clock::rfc3339;
use crate::crypto::tls_words;
use crate::shown::Foreign;

/// What all connections need.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) shared: Arc<Shared>,
    pub(super) tls: Arc<Tls>,
    pub(super) turns: Arc<Semaphore>,
    /// One for each connection.
    pub(super) places: Arc<Semaphore>,
    pub(super) log: mpsc::Sender<Entry>,
    /// Whether the service is to stop.
    pub(super) stop: watch::Receiver<bool>,
}

impl Door {
    /// Accepts connections until the service is to stop.
    pub(super) async fn accept(mut self, listener: TcpListener) {
        loop {
            // Nobody closes the semaphore.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = self.stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let door = self.clone();
                    let client = peer.ip().to_canonical();
                    tokio::spawn(door.connection(stream, client, Arc::new(place)));
                }
                // Too many open files, for example: it may pass.
                Err(_) => sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    }

    /// Serves a connection. Its place is free when it has ended and each of its requests is done with.
    async fn connection(
        mut self,
        stream: TcpStream,
        client: IpAddr,
        place: Arc<OwnedSemaphorePermit>,
    ) {
        // Without it answers are the same, only slower.
        let _ = stream.set_nodelay(true);
        let handshake = timeout(limits::HANDSHAKE, self.tls.acceptor().accept(stream));
        let done = tokio::select! {
            done = handshake => done,
            _ = self.stop.wait_for(|stop| *stop) => return,
        };
        let stream = match done {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) => return self.tell(client, &handshake_words(&e)).await,
            Err(_) => return self.tell(client, "the TLS handshake was not done in time").await,
        };
        let presented = stream.get_ref().1.peer_certificates();
        let leaf = presented.and_then(|chain| chain.first()).map(|leaf| leaf.as_ref().to_vec());
        let door = self.clone();
        let own = Arc::clone(&place);
        let service = service_fn(move |request| {
            let (door, leaf, place) = (door.clone(), leaf.clone(), Arc::clone(&own));
            // A client that hangs up ends its connection, and not what is done about its request: else it would be
            // in no log, and a wrong password would cost no time.
            let answer = tokio::spawn(async move {
                let answer = door.request(request, client, leaf).await;
                drop(place);
                answer
            });
            async move {
                Ok::<_, Infallible>(answer.await.unwrap_or_else(|_| response(broken(), Form::Text)))
            }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits::HEAD_TIME)
            .max_buf_size(limits::HEAD)
            .max_headers(limits::FIELDS)
            // Some small clients know header fields only as RFC 7030 writes them.
            .title_case_headers(true);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            _ = self.stop.wait_for(|stop| *stop) => None,
            () = sleep(limits::CONNECTION) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                timeout(limits::FINISH, connection).await.unwrap_or(Ok(()))
            }
        };
        // A client that hangs up is no event.
        if let Err(e) = ended
            && (e.is_parse() || e.is_timeout())
        {
            self.tell(client, &format!("no request could be read: {e}")).await;
        }
    }

    async fn tell(&self, client: IpAddr, reason: &str) {
        let at = rfc3339(self.shared.now());
        // Nobody reads it any more when the service stops.
        let _ = self
            .log
            .send(Entry::Connection { at, client, reason: Foreign::beginning(reason) })
            .await;
    }

    /// Answers a request, once the log has it.
    async fn request(
        &self,
        request: Request<Incoming>,
        client: IpAddr,
        certificate: Option<Vec<u8>>,
    ) -> Response<Full<Bytes>> {
        let start = Instant::now();
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let answer = match self.read(request, client, certificate).await {
            Ok(call) => self.work(call).await,
            Err(refusal) => *refusal,
        };
        if answer.is_wrong {
            sleep(limits::WRONG).await;
        }
        let (took, made) = (start.elapsed(), answer.note.is_new == Some(true));
        let path_counted = route::counted_as(&path);
        self.shared.counts.add(path_counted, &method, answer.status, (took, made));
        let entry = Entry::Request {
            at: rfc3339(self.shared.now()),
            client,
            method: Foreign::beginning(&method),
            path: Foreign::beginning(&path),
            status: answer.status,
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            note: answer.note.clone(),
        };
        let _ = self.log.send(entry).await;
        response(answer, route::form(&path))
    }

    async fn read(
        &self,
        request: Request<Incoming>,
        client: IpAddr,
        certificate: Option<Vec<u8>>,
    ) -> Result<Call> {
        let (parts, mut body) = request.into_parts();
        let body = match timeout(limits::BODY_TIME, whole(&mut body)).await {
            Ok(body) => body?,
            Err(_) => return Err(too_slow()),
        };
        let path = parts.uri.path().to_owned();
        let query = parts.uri.query().map(str::to_owned);
        let (method, headers, now) = (parts.method, parts.headers, self.shared.now());
        Ok(Call { method, path, query, headers, body, certificate, now, client })
    }

    /// Works on a request, on a thread that may wait.
    async fn work(&self, call: Call) -> Answer {
        let turn = timeout(limits::TURN, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return *busy("the service has no time now; try again later");
        };
        let shared = Arc::clone(&self.shared);
        let work = tokio::task::spawn_blocking(move || {
            let answer = route::answer(&shared, &call);
            drop(turn);
            answer
        });
        // A panic in one request is no reason to refuse the next.
        work.await.unwrap_or_else(|_| broken())
    }
}

fn broken() -> Answer {
    *busy("the service failed at this request")
}

/// Reads a body to its end.
async fn whole(body: &mut Incoming) -> Result<Bytes> {
    let most = u64::try_from(limits::BODY).unwrap_or(u64::MAX);
    if body.size_hint().lower() <= most {
        match Limited::new(&mut *body, limits::BODY).collect().await {
            Ok(body) => return Ok(body.to_bytes()),
            Err(e) if e.is::<http_body_util::LengthLimitError>() => {}
            Err(_) => return Err(bad("the body of the request did not come whole")),
        }
    }
    let mut left = limits::THROWN_AWAY;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            break;
        }
    }
    Err(too_large())
}

fn handshake_words(error: &std::io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(error) => format!("the TLS handshake failed: {}", tls_words(error)),
        None => format!("the TLS handshake failed: {}", crate::files::reason(error)),
    }
}

fn response(answer: Answer, form: Form) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(answer.status);
    let (headers, body) = answer.into_parts(form);
    if !headers.iter().any(|(name, _)| *name == "Cache-Control") {
        builder = builder.header("Cache-Control", "no-store");
    }
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    // Only a value that cannot stand in a header fails here.
    builder.body(Full::from(body)).unwrap_or_else(|_| {
        let mut broken = Response::new(Full::default());
        *broken.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}
