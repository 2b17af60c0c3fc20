//! Faults on purpose, and the page that shows what happened.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::*;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::failure::{Failure, Fault};
use c8y_pki_sandbox::{Faults, Sandbox, SandboxError, Settings};
use serde_json::Value;

fn faults(spec: &str) -> Sandbox {
    start_with(Settings { faults: spec.parse().unwrap(), ..Settings::default() })
}

fn try_get(sandbox: &Sandbox) -> Result<u16, ErrorKind> {
    let reply = call(sandbox, "GET", "/tenant/currentTenant").admin().try_send();
    reply.map(|reply| reply.status).map_err(|e| e.kind())
}

#[test]
fn the_same_seed_gives_the_same_run() {
    const SPEC: &str = "503=0.2,429=0.2,cut=0.1,drop=0.1,seed=7";
    let sandbox = faults(SPEC);
    let run = || -> Vec<_> { (0..40).map(|_| try_get(&sandbox)).collect() };
    let first = run();
    sandbox.set_faults(SPEC.parse().unwrap());
    assert_eq!(run(), first);
    assert!(first.contains(&Ok(200)) && first.contains(&Ok(503)) && first.contains(&Ok(429)));
    assert!(first.iter().any(Result::is_err));
    let state = sandbox.state();
    assert_eq!(state["requests"], 80);
    let wrong = first.iter().filter(|answer| **answer != Ok(200)).count();
    assert_eq!(state["faulted"], 2 * wrong);
    sandbox.set_faults(Faults::none());
    assert!((0..10).all(|_| try_get(&sandbox) == Ok(200)));
}

#[test]
fn each_kind_does_what_it_says() {
    let sandbox = faults("429=1");
    let (ca, _) = root(KeyType::EcP256, "Root");
    let post = || call(&sandbox, "POST", TRUSTED).admin().json(&upload(&ca));
    let held = || {
        let state = sandbox.state();
        state["tenants"]["t1001"]["trusted_certificates"].as_array().unwrap().len()
    };
    let late = post().send();
    assert!(matches!(late.header("Retry-After"), Some("0" | "1")));
    late.error(429);
    sandbox.set_faults("503=1".parse().unwrap());
    post().send().error(503);
    assert_eq!(held(), 0, "nothing was done");
    sandbox.set_faults("drop=1".parse().unwrap());
    post().try_send().unwrap_err();
    assert_eq!(held(), 1, "it was done, and not told");
    let last = sandbox.connections_after(2).pop().unwrap();
    assert_eq!((last.number, last.status, last.fault), (3, 201, Some("drop")));
    sandbox.set_faults("cut=1".parse().unwrap());
    assert_eq!(try_get(&sandbox), Err(ErrorKind::UnexpectedEof));
    let path = format!("{TRUSTED}/{}", ca.fingerprint_sha1());
    call(&sandbox, "DELETE", &path).admin().try_send().unwrap_err();
    assert_eq!(held(), 0);
    sandbox.set_faults("slow=1".parse().unwrap());
    let started = Instant::now();
    assert_eq!(try_get(&sandbox), Ok(200));
    assert!(started.elapsed() >= Duration::from_millis(300));
}

/// GET of the page's port, without TLS.
pub(crate) fn page(sandbox: &Sandbox, path: &str) -> String {
    let address = sandbox.management_url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_page_is_never_faulted_and_holds_no_secret() {
    let sandbox = faults("drop=1");
    try_get(&sandbox).unwrap_err();
    let html = page(&sandbox, "/");
    assert!(html.starts_with("HTTP/1.1 200") && html.contains("Sandbox: not a Cumulocity tenant"));
    for outside in ["http:", "https:", "//cdn", "innerHTML", "src="] {
        assert!(!html.contains(outside), "{outside}");
    }
    let json = page(&sandbox, "/state.json");
    let (_, body) = json.split_once("\r\n\r\n").unwrap();
    let state: Value = serde_json::from_str(body).unwrap();
    assert_eq!(state["connections"][0]["fault"], "drop");
    assert_eq!(state["connections"][0]["user"], "t1001/admin");
    assert!(!json.contains(PASSWORD) && !html.contains(PASSWORD));
    assert!(page(&sandbox, "/etc").starts_with("HTTP/1.1 404"));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let first = start();
    let port: u16 = first.url().rsplit(':').next().unwrap().parse().unwrap();
    let error = Sandbox::start(Settings { https_port: port, ..Settings::default() }).unwrap_err();
    assert!(matches!(&error, SandboxError::Listen { address, .. } if address.port() == port));
    assert!(error.fault() == Fault::Environment && error.hint().is_some());
    drop(first);
    let host = Settings { host: "not a host".to_owned(), ..Settings::default() };
    assert!(matches!(Sandbox::start(host), Err(SandboxError::Host(_))));
}

#[test]
fn what_it_tells_about_itself() {
    let sandbox = start();
    let environment = sandbox.environment();
    let value = |name: &str| &environment.iter().find(|(n, _)| n == name).unwrap().1;
    assert_eq!(value("C8Y_HOST"), &sandbox.url());
    assert_eq!(value("C8Y_TENANT"), "t1001");
    assert_eq!(value("C8Y_USER"), "admin");
    assert_eq!(value("C8Y_PASSWORD"), PASSWORD);
    let other = Sandbox::start(Settings::default()).unwrap();
    assert_ne!(other.password().expose(), PASSWORD);
    assert_ne!(other.ca_pem(), sandbox.ca_pem());
    assert!(!format!("{sandbox:?}{:?}", Settings::default()).contains(PASSWORD));
}
