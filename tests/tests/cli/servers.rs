//! `server`: certificates for what devices talk to, from the first one to its revocation.

use std::fs;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::csr;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::name::Name;
use c8y_pki_engine::registry::{Filter, Role};
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::tool;
use time::OffsetDateTime;

const STORE_PW: &str = "--store-password-file pw";

/// A directory with the root `edge`, for servers.
fn edge() -> Cli {
    let cli = Cli::new();
    cli.ok(&format!("ca init edge --subject 'CN=Edge,O=Example' --key-type ec-p256 {CA_PW}"));
    cli
}

fn issue(cli: &Cli, rest: &str) -> serde_json::Value {
    cli.run(&format!("server issue {rest} --ca edge --out servers --json {CA_PW}")).expect(0).json()
}

fn certificate(cli: &Cli, file: &str) -> Certificate {
    Certificate::all_from_pem_or_der(&cli.read(file)).expect("a certificate").remove(0)
}

/// The names of a certificate, as OpenSSL writes them.
fn names(cli: &Cli, file: &str) -> Option<String> {
    let said = tool("openssl")?.run(&[
        "x509",
        "-in",
        &cli.arg(file),
        "-noout",
        "-ext",
        "subjectAltName,extendedKeyUsage",
    ]);
    let lines: Vec<&str> =
        said.lines().map(str::trim).filter(|l| !l.starts_with("X509v3")).collect();
    Some(lines.join("; "))
}

fn list(cli: &Cli, more: &str) -> Vec<(String, String)> {
    let rows = cli.run(&format!("server list --json {more}")).expect(0).json_lines();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    rows.iter().map(|row| (text(&row["name"]), text(&row["status"]))).collect()
}

#[test]
fn a_server_from_its_first_certificate_to_its_revocation() {
    let cli = edge();
    let san =
        "--san DNS:broker.example.com,IP:192.0.2.7 --san URI:opc.tcp://broker.example.com:4840";
    let made = issue(&cli, &format!("broker {san} --bundle pem,p12,truststore-p12 {STORE_PW}"));
    let wanted =
        ["DNS:broker.example.com", "IP:192.0.2.7", "URI:opc.tcp://broker.example.com:4840"];
    assert_eq!(made["alt_names"], serde_json::json!(wanted));
    let mut files =
        ["cert.pem", "chain.pem", "key.pem", "keystore.p12", "truststore.p12"].map(str::to_owned);
    files.sort();
    assert_eq!(cli.names("servers/broker"), files);
    let first = certificate(&cli, "servers/broker/cert.pem");
    assert_eq!(first.subject.to_string(), "CN=broker");
    let valid = first.not_after - first.not_before;
    assert!(valid > time::Duration::days(395) && valid <= time::Duration::days(397), "{valid}");
    if let Some(names) = names(&cli, "servers/broker/cert.pem") {
        assert_eq!(
            names,
            "TLS Web Server Authentication; DNS:broker.example.com, IP Address:192.0.2.7, \
             URI:opc.tcp://broker.example.com:4840"
        );
    }
    // It is no device, for nobody.
    assert_eq!(cli.ok("device list --status any"), "");
    let said = cli.run("ca list --json").expect(0).json_lines();
    assert_eq!(said[0]["devices"], 0, "{said:?}");
    assert!(cli.run("device manifest --out m --ca-password-file pw").code != 0);
    // A new key, the same names and kinds of files.
    let renewed =
        cli.run(&format!("server renew BROKER --json {CA_PW} {STORE_PW}")).expect(0).json();
    assert_eq!(renewed["name"], "broker");
    assert_eq!(renewed["alt_names"], made["alt_names"]);
    assert_eq!(cli.names("servers/broker"), files);
    assert_eq!(cli.names("servers/.replaced/broker-1"), files);
    let second = certificate(&cli, "servers/broker/cert.pem");
    assert_ne!(second.spki, first.spki);
    // The same key, other names.
    let line = "server renew broker --reuse-key --san DNS:b.example.com --revoke --bundle pem";
    cli.ok(&format!("{line} {CA_PW}"));
    let third = certificate(&cli, "servers/broker/cert.pem");
    assert_eq!(third.spki, second.spki);
    let all = [("broker", "superseded"), ("broker", "revoked"), ("broker", "live")];
    assert_eq!(list(&cli, "--status any"), all.map(|(n, s)| (n.to_owned(), s.to_owned())));
    // Revoked, and in the next list.
    let said = cli.fails(2, "server revoke broker");
    assert!(said.contains("give --yes"), "{said}");
    cli.ok("server revoke broker --reason keyCompromise --yes");
    assert!(list(&cli, "").is_empty());
    cli.ok(&format!("ca crl edge {CA_PW}"));
    let crl = cli.ok("cert show pki/ca/edge/crl.pem");
    assert!(crl.contains("keyCompromise") && crl.contains("superseded"), "{crl}");
    let said = cli.ok("registry check");
    assert!(said.contains("all is as it was written"), "{said}");
    // After that it can have a new one.
    issue(&cli, "broker --san DNS:broker.example.com");
    let exported = cli.ok("registry export");
    assert_eq!(exported.matches(",server,broker,").count(), 4, "{exported}");
    let shown = cli.ok("device show server:broker");
    assert_eq!(shown.matches("Server broker\n").count(), 4, "{shown}");
}

#[test]
fn what_cannot_be_is_refused_with_the_rule_and_nothing_is_made() {
    let cli = edge();
    cli.ok(&format!("device issue gw-1 --ca edge --out out {CA_PW}"));
    issue(&cli, "there --san DNS:there.example.com");
    let san = "--san DNS:a.example.com";
    for (rest, rule) in [
        ("s".to_owned(), "no name that clients could compare"),
        ("s --san URI:urn:x:1".to_owned(), "only URIs"),
        ("s --san email:a@b.com".to_owned(), "servers have DNS names, addresses and URIs"),
        ("s --san DNS:a_b.com".to_owned(), "letters, digits and hyphens"),
        ("s --san 192.0.2.7".to_owned(), "write IP:192.0.2.7"),
        (format!("s/t {san}"), "is no name for a server"),
        (format!("*.example.com {san}"), "is no name for a server"),
        (format!("GW-1 {san}"), "is the id of a device"),
        (format!("THERE {san}"), "has a live certificate already"),
        (format!("s {san} --profile device"), "is not for servers"),
        (format!("s {san} --subject CN=x"), "a server's common name is its name"),
        (format!("s {san} --bundle thin-edge"), "thin-edge is a bundle for devices"),
        (format!("s {san} --days 9000"), "ends on"),
    ] {
        let line = format!("server issue {rest} --ca edge --out servers {CA_PW}");
        let said = cli.fails(2, &line);
        assert!(said.contains(rule), "{rest}: {said}");
    }
    let line = format!("server issue s {san} --ca edge --out pki {CA_PW}");
    assert!(cli.fails(2, &line).contains("it is a PKI directory"));
    assert_eq!(cli.names("servers"), ["there"]);
    assert_eq!(list(&cli, "--status any").len(), 1);
    let said = cli.fails(2, "server renew nobody");
    assert!(said.contains("has no live certificate"), "{said}");
}

/// A request for `web` with these names, made by OpenSSL.
fn request(cli: &Cli, names: &str) -> Option<()> {
    let openssl = tool("openssl")?;
    let (key, out, san) =
        (cli.arg("web.key"), cli.arg("web.csr"), format!("subjectAltName={names}"));
    openssl.run(&[
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=web",
        "-keyout",
        &key,
        "-out",
        &out,
        "-addext",
        &san,
    ]);
    Some(())
}

#[test]
fn names_of_a_request_are_never_taken_unasked_and_the_policy_decides() {
    let cli = edge();
    let Some(()) = request(&cli, "DNS:web.plant.example.com,IP:10.7.0.5") else { return };
    let shown = cli.ok("cert show web.csr");
    assert!(shown.contains("Asks for      DNS:web.plant.example.com, IP:10.7.0.5"), "{shown}");
    let sign = format!("server sign web.csr --ca edge --out servers {CA_PW}");
    let said = cli.fails(2, &sign);
    assert!(said.contains("asks for the names DNS:web.plant.example.com, IP:10.7.0.5"), "{said}");
    assert!(said.contains("--san-from-request"), "{said}");
    // Others are asked for: what it asks for is told, and left out.
    let said = cli.run(&format!("{sign} --san DNS:other.example.com")).expect(0);
    assert!(
        said.stderr.contains("asks for DNS:web.plant.example.com, IP:10.7.0.5 too"),
        "{said:?}"
    );
    assert!(said.stdout.contains("DNS:other.example.com"), "{said:?}");
    if let Some(names) = names(&cli, "servers/web/cert.pem") {
        assert_eq!(names, "TLS Web Server Authentication; DNS:other.example.com");
    }
    assert_eq!(cli.names("servers/web"), ["cert.pem", "chain.pem"]);
    // The policy.
    let pki = cli.text("pki/pki.toml");
    let policy =
        |rules: &str| cli.write("pki/pki.toml", format!("{pki}\n[policy.edge]\n{rules}\n"));
    let again = format!("{sign} --san-from-request --replace");
    policy("server_names = [\".plant.example.com\"]");
    let said = cli.fails(2, &again);
    assert!(said.contains("does not let a server have the name IP:10.7.0.5"), "{said}");
    policy("server_names = [\"plant.example.com\"]\nserver_networks = [\"10.7.0.0/16\"]");
    let said = cli.fails(2, &again);
    assert!(said.contains("name DNS:web.plant.example.com"), "{said}");
    policy("server_names = [\"a_b\"]");
    assert!(cli.fails(2, &again).contains("server_names: \"a_b\""));
    policy("server_names = [\".plant.example.com\"]\nserver_networks = [\"10.7.0.0/16\"]");
    cli.ok(&again);
    if let Some(names) = names(&cli, "servers/web/cert.pem") {
        let wanted = "DNS:web.plant.example.com, IP Address:10.7.0.5";
        assert_eq!(names, format!("TLS Web Server Authentication; {wanted}"));
    }
    assert!(cli.ok("ca show edge").contains("servers .plant.example.com, 10.7.0.0/16"));
    let json = cli.run("ca show edge --json").expect(0).json();
    assert_eq!(json["policy"]["server_networks"], serde_json::json!(["10.7.0.0/16"]));
    // It keeps its key when it is renewed; issue is held to the policy too.
    cli.ok(&format!("server renew web {CA_PW}"));
    assert_eq!(cli.names("servers/web"), ["cert.pem", "chain.pem"]);
    let line =
        format!("server issue other --san DNS:other.example.com --ca edge --out servers {CA_PW}");
    assert!(cli.fails(2, &line).contains("does not let a server have the name"));
}

#[test]
fn a_policy_holds_for_the_cas_below() {
    let cli = edge();
    cli.ok(&format!("ca add line --parent edge --subject CN=Line {CA_PW}"));
    let pki = cli.text("pki/pki.toml");
    cli.write("pki/pki.toml", format!("{pki}\n[policy.edge]\nserver_names = []\n"));
    let line = format!("server issue s --san DNS:a.example.com --ca line --out servers {CA_PW}");
    let said = cli.fails(2, &line);
    assert!(said.contains("the policy of the CA edge") && said.contains("in none"), "{said}");
}

#[test]
fn requests_that_cannot_be_signed_are_refused() {
    let cli = edge();
    let sign = format!("server sign web.csr --ca edge --out servers {CA_PW}");
    cli.ok(&format!("device issue gw-1 --ca edge --out out {CA_PW}"));
    let key = |file: &str| PrivateKey::read(&cli.read(file), None).expect("a key");
    let write = |subject: &str, key: &PrivateKey| {
        let made = csr::make(&Name::parse(subject).expect("a name"), key).expect("a request");
        cli.write("web.csr", csr::pem(&made));
    };
    write("CN=web", &key("out/gw-1/key.pem"));
    let said = cli.fails(2, &format!("{sign} --san DNS:a.example.com"));
    assert!(said.contains("the device \"gw-1\""), "{said}");
    let own = PrivateKey::generate(KeyType::EcP256).expect("a key");
    write("O=Example", &own);
    let said = cli.fails(2, &format!("{sign} --san DNS:a.example.com"));
    assert!(said.contains("0 common names"), "{said}");
    write("CN=web", &own);
    assert!(cli.fails(2, &format!("{sign} --san-from-request")).contains("asks for no names"));
    assert!(cli.fails(2, &sign).contains("no name that clients could compare"));
    assert!(!cli.path("servers").exists() || cli.names("servers").is_empty());
}

#[test]
fn what_a_killed_process_has_left_is_finished_or_removed() {
    let cli = edge();
    issue(&cli, "broker --san DNS:broker.example.com");
    let (place, waiting) = (cli.path("servers/broker"), cli.path("servers/.broker.c8y-pki-new"));
    // Recorded, and not in its place: the next call puts it there.
    fs::rename(&place, &waiting).expect("it is there");
    let key = fs::read(waiting.join("key.pem")).expect("a key");
    let line =
        format!("server issue broker --san DNS:b.example.com --ca edge --out servers {CA_PW}");
    assert!(cli.fails(2, &line).contains("live certificate already"));
    assert_eq!(cli.read("servers/broker/key.pem"), key);
    cli.ok(&format!("server renew broker --reuse-key {CA_PW}"));
    assert_eq!(cli.read("servers/broker/key.pem"), key);
    assert_eq!(cli.names("servers/.replaced"), ["broker-1"]);
    // The former one, exchanged and not yet put aside.
    fs::rename(cli.path("servers/.replaced/broker-1"), &waiting).expect("it is there");
    cli.ok(&format!("server renew broker {CA_PW}"));
    assert_eq!(cli.names("servers/.replaced"), ["broker-1", "broker-2"]);
    // Never recorded, and not whole.
    for file in ["cert.pem", "key.pem"] {
        fs::create_dir(&waiting).expect("it is free");
        fs::write(waiting.join(file), "half").expect("it is written");
        cli.ok(&format!("server renew broker {CA_PW}"));
        assert!(!waiting.exists(), "{file}");
    }
    let pki =
        c8y_pki_engine::pki::Pki::open(&cli.path("pki"), OffsetDateTime::now_utc()).expect("a PKI");
    let of_servers = Filter { role: Some(Role::Server), ..Filter::default() };
    assert_eq!(pki.registry().find(&of_servers).expect("rows").len(), 5);
}

/// How long a certificate is valid, by the dates that OpenSSL reads in it.
fn validity(cli: &Cli, file: &str) -> Option<time::Duration> {
    use time::format_description::well_known::Rfc3339;
    let said = tool("openssl")?.run(&[
        "x509",
        "-in",
        &cli.arg(file),
        "-noout",
        "-dates",
        "-dateopt",
        "iso_8601",
    ]);
    let at = |name: &str| {
        let text = said.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        OffsetDateTime::parse(&text.replace(' ', "T"), &Rfc3339).expect(text)
    };
    Some(at("notAfter=") - at("notBefore="))
}

#[test]
fn days_of_a_server_are_the_whole_of_its_validity() {
    let cli = edge();
    let san = "--san DNS:broker.example.com";
    for (name, days, wanted) in [("a", "--days 397", 397), ("b", "", 396), ("c", "--days 1", 1)] {
        let made = issue(&cli, &format!("{name} {san} {days}"));
        let found = validity(&cli, &format!("servers/{name}/cert.pem"));
        assert!(
            found.is_none_or(|found| found == time::Duration::days(wanted)),
            "{name}: {found:?}"
        );
        assert!(made["not_after"].is_string());
    }
    cli.ok(&format!("server renew a --days 397 {CA_PW}"));
    assert!(validity(&cli, "servers/a/cert.pem").is_none_or(|v| v == time::Duration::days(397)));
}

#[test]
fn a_server_that_keeps_its_key_gets_certificates_only() {
    let cli = edge();
    let Some(()) = request(&cli, "DNS:web.example.com") else { return };
    cli.ok(&format!("server sign web.csr --san-from-request --ca edge --out servers {CA_PW}"));
    for more in ["--plan", CA_PW] {
        for kinds in ["pem,p12", "jks", "truststore-p12"] {
            let line = format!("server renew web --bundle {kinds} {more}");
            let said = cli.fails(2, &line);
            assert!(said.contains("the server \"web\" keeps its key"), "{line}: {said}");
            assert!(said.contains(kinds.trim_start_matches("pem,")), "{line}: {said}");
        }
    }
    assert_eq!(cli.names("servers"), ["web"]);
    cli.ok(&format!("server renew web --bundle pem {CA_PW}"));
    assert_eq!(cli.names("servers/web"), ["cert.pem", "chain.pem"]);
}

#[test]
fn a_request_with_another_key_is_signed_in_the_place_of_the_former_certificate() {
    let cli = edge();
    let Some(()) = request(&cli, "DNS:web.example.com") else { return };
    let line = format!("server sign web.csr --san-from-request --ca edge --out servers {CA_PW}");
    cli.ok(&line);
    let first = certificate(&cli, "servers/web/cert.pem");
    // With the same key it is renewed.
    assert!(cli.fails(2, &line).contains("server renew web"));
    request(&cli, "DNS:web.example.com");
    for more in ["", " --plan"] {
        let said = cli.fails(2, &format!("{line}{more}"));
        assert!(said.contains("for another key") && said.contains("--replace"), "{said}");
        assert!(!said.contains("server renew"), "{said}");
    }
    let said = cli.run(&format!("{line} --replace")).expect(0).stderr;
    assert!(!said.contains("revoked"), "{said}");
    let second = certificate(&cli, "servers/web/cert.pem");
    assert_ne!(first.spki, second.spki);
    // What is revoked is told, by each verb that does so, and is in the list.
    for again in [format!("{line} --replace"), format!("server renew web {CA_PW}")] {
        let live = certificate(&cli, "servers/web/cert.pem");
        let said = cli.run(&format!("{again} --revoke")).expect(0).stderr;
        assert!(said.contains("former certificate revoked, with the reason superseded"), "{said}");
        assert!(said.contains("`c8y-pki ca crl edge`"), "{said}");
        cli.ok(&format!("ca crl edge {CA_PW} --out edge.crl"));
        let text = tool("openssl").expect("openssl").run(&[
            "crl",
            "-in",
            &cli.arg("edge.crl"),
            "-noout",
            "-text",
        ]);
        let listed = |serial: String| text.to_lowercase().contains(&serial.to_lowercase());
        assert!(listed(live.serial.to_string()), "{text}");
        assert!(!listed(first.serial.to_string()), "{text}");
    }
}
