//! What is done for each request, whether or not the client stays, and however often it asks.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use c8y_pki_tests::tool;

use super::{OTP, Site};

/// As many times the same request is sent at once.
const AT_ONCE: usize = 6;

#[test]
fn who_hangs_up_after_a_wrong_password_is_in_the_log_and_has_waited() {
    let Some(mut site) = Site::new() else { return };
    let Some(openssl) = tool("openssl") else { return };
    // `gw-1:wrong-password`. OpenSSL closes the connection at the end of its standard input, without an answer.
    let request = "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\n\
                   Authorization: Basic Z3ctMTp3cm9uZy1wYXNzd29yZA==\r\n\
                   Content-Type: application/pkcs10\r\nContent-Length: 0\r\n\r\n";
    site.cli.write("request", request);
    let sent = Command::new(openssl.path())
        .args(["s_client", "-connect", &site.address, "-servername", "localhost"])
        .stdin(std::fs::File::open(site.cli.path("request")).expect("a file"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(sent.expect("openssl starts").success());
    // The next client comes later than the pause after a wrong password.
    thread::sleep(Duration::from_secs(1));
    site.curl("/healthz", &[]).expect(200);
    let entry = site.entry();
    assert_eq!((&entry["status"], &entry["event"]), (&401.into(), &"request".into()), "{entry}");
    assert!(entry["milliseconds"].as_u64().is_some_and(|waited| waited >= 500), "{entry}");
    assert_eq!(site.entry()["path"], "/healthz");

    // Each request of a connection that is kept is in the log.
    let ready = format!("{}/readyz", site.url());
    let out = ["--output", "answers", "--output", "answers", "--write-out", "%{num_connects}"];
    let both = Command::new(site.curl.path())
        .current_dir(site.cli.path(""))
        .args(["--silent", "--http1.1", "--cacert", "pki/ca/root/cert.pem"])
        .args(out)
        .args([ready.as_str(), &format!("{}/nowhere", site.url())])
        .output()
        .expect("curl starts");
    assert_eq!(String::from_utf8_lossy(&both.stdout), "10", "one connection for both");
    for (path, status) in [("/readyz", 200), ("/nowhere", 404)] {
        let entry = site.entry();
        assert_eq!((&entry["path"], &entry["status"]), (&path.into(), &status.into()), "{entry}");
    }
    assert_eq!(site.stop().0, 0);
}

#[test]
fn the_same_requests_at_once_get_the_same_certificate() {
    let Some(mut site) = Site::new() else { return };
    let login = format!("gw-1:{OTP}1");
    for (operation, name, shown) in [
        ("simpleenroll", "a", ["--user", &login, "--http1.1", "--no-buffer"]),
        ("simplereenroll", "b", ["--cert", "a.pem", "--key", "a.key"]),
        // In place of the certificate with which they ask, as for a first one.
        ("simpleenroll", "c", ["--cert", "b.pem", "--key", "b.key"]),
    ] {
        site.request(name, "gw-1");
        let file = format!("{name}.b64");
        // Nothing is recorded until all of them are there: each finds the registry as it was before the first.
        let registry = rusqlite::Connection::open(site.cli.path("pki/registry.sqlite"));
        let registry = registry.expect("a registry");
        registry.execute_batch("BEGIN IMMEDIATE").expect("a lock");
        let all: Vec<_> = (0..AT_ONCE).map(|_| site.posting(operation, &file, &shown)).collect();
        thread::sleep(Duration::from_secs(2));
        registry.execute_batch("ROLLBACK").expect("no lock");
        let all: Vec<_> = all.into_iter().map(|one| one.join().expect(200)).collect();
        assert!(all.iter().all(|one| one.body == all[0].body), "{name}: one certificate for all");
        site.certificate(&all[0], name);
    }
    assert_eq!(site.stop().0, 0);
    assert_eq!(site.certificates("gw-1"), 3);
}
