//! Who is not let in, and what is no request.

use std::io::{Read, Write};
use std::net::TcpStream;

use c8y_pki_tests::openssl::EC;

use super::{OTP, Site};

#[test]
fn who_is_not_known_gets_nothing() {
    let Some(site) = Site::new() else { return };
    site.request("a", "gw-1");
    let none = site.post("simpleenroll", "a.b64", &[]).expect(401);
    assert!(none.header("www-authenticate").is_some_and(|asks| asks.starts_with("Basic ")));
    for login in ["gw-1:wrong-password", "gw-9:Once-4711-9", "gw-1:Once-4711-2", ":", "a/b:c"] {
        let refused = site.post("simpleenroll", "a.b64", &["--user", login]).expect(401);
        assert_eq!(refused.text(), "the id or its one-time password is wrong\n", "{login}");
    }
    // A password renews nothing.
    let login = format!("gw-1:{OTP}1");
    site.post("simplereenroll", "a.b64", &["--user", &login]).expect(403);
    // Of another device.
    let other = site.enrol(2, "a.b64").expect(403).text();
    assert_eq!(other, "the request has the common name \"gw-1\", and the device is \"gw-2\"\n");

    // Used up, by the certificate and not by an attempt.
    site.enrolled(1, "b");
    let used = site.enrol(1, "a.b64").expect(401).text();
    assert!(used.starts_with("gw-1 has had another certificate since it was ordered"), "{used}");

    // A certificate of somebody else's CA with the same names.
    site.openssl.root("foreign", EC);
    site.openssl.device("gw-1", "foreign");
    let foreign = ["--cert", "gw-1.pem", "--key", "gw-1.key"];
    for operation in ["simpleenroll", "simplereenroll"] {
        let refused = site.post(operation, "a.b64", &foreign).expect(403).text();
        assert_eq!(refused, "the client certificate is none of this service's CA\n");
    }
    // Besides a password it does not matter: it may be the maker's.
    let login = format!("gw-3:{OTP}3");
    site.request("c", "gw-3");
    site.post("simpleenroll", "c.b64", &[&foreign[..], &["--user", &login]].concat()).expect(200);

    // Another subject than that of the certificate.
    site.openssl.run(
        "req -new -config @openssl.cnf -key @b.key -subj /O=Example/CN=gw-1 -outform DER -out @o.der",
    );
    let changed = site.renew("b", "o.der").expect(403).text();
    assert!(changed.ends_with("they must be the same\n"), "{changed}");

    // Revoked by another process while the service runs.
    site.renew("b", "a.b64").expect(200);
    site.enrolled(4, "d");
    site.cli.ok("device revoke gw-4 --yes");
    site.request("e", "gw-4");
    let revoked = site.renew("d", "e.b64").expect(403).text();
    assert_eq!(revoked, "the client certificate was revoked\n");
    site.enrol(4, "e.b64").expect(401);

    // A signing policy that was written while the service runs.
    let config = site.cli.text("pki/pki.toml");
    site.cli.write("pki/pki.toml", format!("{config}\n[policy.line]\nids = [\"SN-*\"]\n"));
    site.request("p", "gw-6");
    let refused = site.enrol(6, "p.b64").expect(403).text();
    assert!(refused.contains("the policy of the CA line"), "{refused}");
    site.cli.write("pki/pki.toml", config);
    site.enrol(6, "p.b64").expect(200);

    // A registry that is away: not the device's fault, and it is not told what is wrong.
    let (registry, away) = (site.cli.path("pki/registry.sqlite"), site.cli.path("pki/away"));
    std::fs::rename(&registry, &away).expect("moved");
    site.curl("/readyz", &[]).expect(503);
    site.request("h", "gw-7");
    let failed = site.enrol(7, "h.b64").expect(503);
    assert!(failed.header("retry-after").is_some() && !failed.text().contains("sqlite"));
    std::fs::rename(&away, &registry).expect("moved");
    site.enrol(7, "h.b64").expect(200);

    // An order that was taken back lets nobody in.
    site.cli.ok("order revoke acme --yes");
    site.request("g", "gw-5");
    site.enrol(5, "g.b64").expect(401);
    site.cli.ok("registry check");
}

#[test]
fn what_is_no_request_is_refused_in_one_sentence() {
    let Some(mut site) = Site::new() else { return };
    site.request("a", "gw-1");
    let login = format!("gw-1:{OTP}1");
    let user = ["--user", login.as_str()];
    let est = "/.well-known/est";
    let wrong_method = site.curl(&format!("{est}/simpleenroll"), &user).expect(405);
    assert_eq!(wrong_method.header("allow"), Some("POST"));
    let posted = site.post("cacerts", "a.b64", &[]).expect(405);
    assert_eq!(posted.header("allow"), Some("GET"));
    for path in [
        "/",
        "/.well-known/est",
        &format!("{est}/"),
        &format!("{est}/serverkeygen"),
        &format!("{est}/root/cacerts"),
        &format!("{est}/line/x/cacerts"),
        "/cacerts",
    ] {
        site.curl(path, &[]).expect(404);
    }
    let words = [&user[..], &["--data-binary", "@a.b64"]].concat();
    site.curl(&format!("{est}/simpleenroll"), &words).expect(415);

    site.cli.write("large", "M".repeat(70_000));
    site.post("simpleenroll", "large", &user).expect(413);
    // Without a length that is said before.
    let chunked = [&user[..], &["--header", "Transfer-Encoding: chunked"]].concat();
    site.post("simpleenroll", "large", &chunked).expect(413);

    let der = site.cli.read("a.der");
    let mut forged = der.clone();
    let last = forged.len() - 3;
    forged[last] ^= 1;
    site.cli.write("forged", &forged);
    site.cli.write("half", &der[..der.len() / 2]);
    site.cli.write("garbage", [0xff, 0x00, 0x80, 0x1b].repeat(100));
    site.cli.write("empty", "");
    site.openssl.run("req -new -config @openssl.cnf -newkey rsa:1024 -nodes -subj /CN=gw-1 -keyout @w.key -out @weak");
    site.cli.write("challenge.cnf", "[req]\ndistinguished_name=dn\nattributes=at\nprompt=no\n[dn]\nCN=gw-1\n[at]\nchallengePassword=bound-to-it\n");
    site.openssl.run("req -new -config @challenge.cnf -key @a.key -out @challenge");
    for file in ["forged", "half", "garbage", "empty", "weak", "challenge"] {
        let refused = site.post("simpleenroll", file, &user).expect(400);
        assert_eq!(refused.text().lines().count(), 1, "{file}: {}", refused.text());
    }
    // None of them has used the password up.
    site.enrol(1, "a.b64").expect(200);

    // What is no TLS, and what says nothing, holds nobody up.
    let silent = TcpStream::connect(&site.address).expect("it listens");
    let mut noise = TcpStream::connect(&site.address).expect("it listens");
    noise.write_all(b"GET / HTTP/1.1\r\nHost: x\x1b]0;owned\x07\r\n\r\n").expect("sent");
    // An alert, or nothing.
    let _ = noise.read(&mut [0; 64]);
    site.curl("/healthz", &[]).expect(200);
    assert_eq!(site.curl("/readyz", &[]).expect(200).text(), "ready\n");
    drop(silent);
    let (code, log) = site.stop();
    assert_eq!(code, 0);
    assert!(log.contains("\"event\":\"connection\"") && !log.contains('\u{1b}'), "{log}");
}
