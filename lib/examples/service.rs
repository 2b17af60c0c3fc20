//! A web service that signs: a request for a certificate comes in over HTTP, the chain goes back.
//!
//! `cargo run -p c8y-pki --example service -- pki line-7 ca.pw 127.0.0.1:8080`, then
//! `curl --data-binary @gw-0001.csr http://127.0.0.1:8080/devices/gw-0001`
//!
//! It answers 201 with a new chain, 200 with the one that the device has for this key, 409 when the id or the key
//! is another's, 422 when the request is refused otherwise, 503 when the fault is here.
//!
//! It has no login, so it listens to this machine only. Who may ask for which id is for you to say, in front of
//! [`Service::sign`]; the connection from outside needs TLS.

#![allow(clippy::disallowed_macros, reason = "an example prints")]
#![allow(clippy::disallowed_methods, reason = "an example looks at the clock and its arguments")]

use std::net::SocketAddr;
use std::path::Path as FilePath;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use c8y_pki::{CaKey, DeviceId, DeviceRequest, Issued, NotIssued, Password, Pki};
use time::OffsetDateTime;
use tokio::sync::Semaphore;

/// Requests that are signed at the same time. Each has a thread, and each thread a connection to the registry.
const TURNS: usize = 8;

/// Bytes of a request; one for RSA 4096 has some 1,700.
const LARGEST: usize = 16 * 1024;

/// What all requests share.
struct Service {
    pki: Pki,
    ca_key: CaKey,
    turns: Semaphore,
}

impl Service {
    fn sign(&self, id: DeviceId, request: &[u8]) -> Result<Issued, NotIssued> {
        let now = OffsetDateTime::now_utc();
        self.pki.issue(&DeviceRequest::from_csr(&self.ca_key, request, now)?.id(id))
    }
}

async fn sign(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    request: Bytes,
) -> Response {
    let id = match DeviceId::parse_new(&id) {
        Ok(id) => id,
        Err(e) => return refusal(StatusCode::UNPROCESSABLE_ENTITY, &e),
    };
    // It is never closed.
    let Ok(_turn) = service.turns.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    // Signing waits for the disk, and for the token if the key is in one: on a thread of the runtime it would
    // hold up all other connections.
    let worker = Arc::clone(&service);
    let done = tokio::task::spawn_blocking(move || worker.sign(id, &request)).await;
    match done {
        Ok(Ok(issued)) => {
            let status = if issued.is_new { StatusCode::CREATED } else { StatusCode::OK };
            let kind = [(header::CONTENT_TYPE, "application/pem-certificate-chain")];
            (status, kind, issued.chain_pem()).into_response()
        }
        Ok(Err(NotIssued::Taken(e))) => refusal(StatusCode::CONFLICT, &e),
        Ok(Err(NotIssued::Refused(e))) => refusal(StatusCode::UNPROCESSABLE_ENTITY, &e),
        Ok(Err(NotIssued::Failed(e))) => {
            // What is wrong here is for the operator, not for the device.
            eprintln!(
                "error: {e}\nhint: {}",
                e.hint().map(|hint| hint.to_string()).unwrap_or_default()
            );
            refusal(StatusCode::SERVICE_UNAVAILABLE, &"try again later")
        }
        Err(e) => {
            eprintln!("error: {e}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn refusal(status: StatusCode, why: &dyn std::fmt::Display) -> Response {
    (status, format!("{why}\n")).into_response()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [pki, ca, password_file, address] = &args[..] else {
        return Err("usage: service PKI CA PASSWORD_FILE ADDRESS".into());
    };
    let address: SocketAddr = address.parse()?;
    if !address.ip().is_loopback() {
        return Err("it has no login: let it listen to 127.0.0.1 or [::1]".into());
    }
    let password = Password::from_file(&std::fs::read(password_file)?)?;
    let pki = Pki::open(FilePath::new(pki), OffsetDateTime::now_utc())?;
    let ca_key = pki.ca(ca)?.unlock(&password)?;
    let service = Arc::new(Service { pki, ca_key, turns: Semaphore::new(TURNS) });
    let router = Router::new()
        .route("/devices/{id}", post(sign))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(service);
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}
