//! No text of a library that is meant for debuggers reaches a user: neither by the sources, nor by what commands
//! say when things go wrong. (That no command of any test says such a text is looked at in `Outcome::of`.)

use std::fs;
use std::path::{Path, PathBuf};

use c8y_pki_tests::broker::{listen, paper_tenant, server_certificate};
use c8y_pki_tests::cli::{CA_PW, Cli, debug_text, walk};
use c8y_pki_tests::openssl::OpenSsl;
use std::io::{Read, Write};

/// What may be put into a sentence by `{:?}`: it is a text or a character, and `Debug` puts it between quotes and shows
/// what is hidden in it. An argument with another name needs `Display`, or a line in [`OTHERS`].
const TEXTS: [&str; 66] = [
    "ordered",
    "mode",
    "port",
    "alias",
    "argument",
    "dotted",
    "from",
    "order",
    "program",
    "to",
    "batch",
    "c",
    "ca",
    "category",
    "cell",
    "cn",
    "column",
    "common_name",
    "device",
    "file",
    "fingerprint",
    "first",
    "first_text",
    "found",
    "head",
    "header",
    "host",
    "id",
    "key",
    "kind",
    "below",
    "domain",
    "local",
    "odd",
    "prefix",
    "scheme",
    "label",
    "name",
    "other",
    "owner",
    "part",
    "prefixed",
    "profile",
    "proxy",
    "rest",
    "second",
    "serial",
    "server",
    "shell",
    "shown",
    "strange",
    "taken",
    "tenant",
    "text",
    "token",
    "topic",
    "unknown",
    "uri",
    "usage",
    "user",
    "v",
    "value",
    "wanted",
    "word",
    "0",
    "1",
];

/// The rest: a piece of the line, and why it is right.
const OTHERS: [(&str, &str); 8] = [
    ("write!(f, \"Row({:?}", "an implementation of Debug"),
    ("write!(f, \"Pem({name", "an implementation of Debug"),
    ("write!(f, \"Csv({name", "an implementation of Debug"),
    ("message {id:?}: {}", "the number of a SmartREST message, which is text"),
    ("format!(\"{fault:?}\").contains(\"CaUsedAsEndEntity\")", "is compared, not shown"),
    ("format!(\"{named:?}\").chars()", "the name becomes that of the standard, letter by letter"),
    ("\"{ERRORS} says {:?}\"", "what a server said"),
    ("panic!(", "an example in the documentation of the library"),
];

/// Arguments without a name in the string: what stands for them, to be told from other values.
const ARGUMENTS: [&str; 22] = [
    "order.name",
    ".0.ca",
    ".as_str()",
    ".get_ref()",
    "admitted.tenant",
    "args.name",
    "ca.name",
    "caller.user",
    "claim.client_id",
    "entry.alias",
    "entry.value",
    "external_id",
    "found.name",
    "id.replace(",
    "id.trim()",
    "made.name()",
    "one.name",
    "other.name",
    "profile.name",
    "r.id,",
    "row.id",
    "self.id",
];

fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for part in ["lib/src", "lib/core/src", "lib/engine/src", "lib/sandbox/src", "cli/src"] {
        let folder = root.join(part);
        walk(&folder, &mut |path| {
            let path = path.to_owned();
            let below = path.strip_prefix(&folder).expect("below it");
            let name = path.file_stem().and_then(|n| n.to_str()).unwrap_or_default();
            let is_test = name == "testing" || name.ends_with("tests");
            let in_tests = below.components().any(|part| part.as_os_str() == "tests");
            if path.extension().is_some_and(|e| e == "rs") && !is_test && !in_tests {
                found.push(path);
            }
        });
    }
    assert!(found.len() > 200, "{}", found.len());
    found
}

/// The names in `{name:?}` of a line; an empty one for `{:?}`.
fn arguments(line: &str) -> Vec<&str> {
    let ends = line.match_indices(":?}").chain(line.match_indices(":#?}"));
    let names = ends.filter_map(|(at, _)| line[..at].rsplit_once('{').map(|(_, name)| name));
    names.collect()
}

#[test]
fn only_texts_are_shown_by_debug() {
    let mut wrong = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).expect("a source");
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let lines: Vec<&str> = code.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            let near = lines[number..lines.len().min(number + 10)].join("\n");
            for name in arguments(line) {
                let is_text = match name {
                    "" => ARGUMENTS.iter().any(|argument| near.contains(argument)),
                    name => TEXTS.contains(&name),
                };
                if !is_text && !OTHERS.iter().any(|(piece, _)| line.contains(piece)) {
                    wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "these show a value by Debug:\n{}", wrong.join("\n"));
}

#[test]
fn what_looks_like_debug_is_known() {
    for text in [
        "Some(5)",
        "x: Other(OtherError(CaUsedAsEndEntity))",
        "Custom { kind: Other, error: 3 }",
        "Error(\"expected\", line: 1)",
        "{\"detail\":\"Some(\\\"a\\\")\"}",
        "Parsing Error: Der(UnexpectedTag { expected: 1 })",
    ] {
        assert!(debug_text(text).is_some(), "{text}");
    }
    for text in [
        "the CA (CN=Root) has 3 certificates",
        "{ \"a\": 1 }",
        "file(s) and Name(s), ASN.1(x)",
        "s/e says \"41,100,\\u{1b}[31m\"",
    ] {
        assert_eq!(debug_text(text), None);
    }
}

/// Commands that fail in ways of TLS, HTTP, JSON, the file system, DER, the registry and PKCS#11. Each outcome is held
/// to [`debug_text`] where it is made; here each has to have failed, and to have said why.
#[test]
fn what_is_said_when_things_go_wrong_is_for_people() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    let mut said = Vec::new();
    let mut fails = |line: &str, variables: &[(&str, &str)]| {
        let outcome = cli.run_with(line, variables, b"");
        assert!(outcome.code != 0, "{line}: {outcome:?}");
        let told = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(told.split_whitespace().count() > 5, "{line}: {told}");
        said.push(told);
    };
    damaged_files(&cli, &mut fails);
    odd_files(&cli, &mut fails);
    odd_servers(&cli, &mut fails);
    assert!(said.len() >= 40, "{} commands", said.len());
}

type Fails<'a> = &'a mut dyn FnMut(&str, &[(&str, &str)]);

/// DER that is damaged at one place after the other.
fn damaged_files(cli: &Cli, fails: Fails<'_>) {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let chain = cli.text("out/gw-1/chain.pem");
    let first = chain.split_inclusive("-----END CERTIFICATE-----").next().expect("a certificate");
    let body: String = first.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64.decode(body).expect("base64");
    for at in [1, 4, 8, 10, 13, 34, 36, 38, 50] {
        let mut broken = der.clone();
        broken[at] ^= 0x1f;
        let text = base64.encode(&broken);
        for (label, line) in [
            ("CERTIFICATE", "cert verify broken.pem --trust pki/ca/root/cert.pem --as-device gw-1"),
            (
                "CERTIFICATE REQUEST",
                "device sign broken.pem --ca line --out signed --ca-password-file pw",
            ),
            (
                "X509 CRL",
                "cert verify out/gw-1/chain.pem --trust pki/ca/root/cert.pem --crl broken.pem",
            ),
        ] {
            let pem = format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n");
            cli.write("broken.pem", pem);
            fails(line, &[]);
        }
    }
    cli.write("cut.der", &der[..der.len() / 2]);
    fails("cert verify cut.der --trust pki/ca/root/cert.pem", &[]);
}

fn odd_files(cli: &Cli, fails: Fails<'_>) {
    cli.write("odd.p12", [0x30, 0x82, 1, 0, 2, 1, 3]);
    cli.write("odd.jks", b"\xfe\xed\xfe\xed\0\0\0\x09garbage");
    cli.write("bad.toml", "kind = 3\nkey = \"ec\"");
    cli.write("bad.csv", b"id,name\n\"gw-1,x\n\xff\xfe");
    cli.write("key.pem", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n");
    cli.write("pki2/registry.db", b"SQLite format 3\0 and no more");
    cli.write("pki2/pki.toml", "");
    cli.write("pki3/registry.db/file", "");
    let issue = format!("--ca line --out o {CA_PW}");
    for line in [
        "store show odd.p12 --store-password-file pw".to_owned(),
        "store show odd.jks --store-password-file pw".to_owned(),
        "store show missing.p12 --store-password-file pw".to_owned(),
        "store show . --store-password-file pw".to_owned(),
        "key show key.pem".to_owned(),
        format!("device issue gw-7 --profile bad.toml {issue}"),
        format!("device issue --from bad.csv {issue}"),
        format!("device issue gw-7 --ca line --out /proc/none {CA_PW}"),
        "rollout bad.toml".to_owned(),
        "--pki pki2 registry check".to_owned(),
        "--pki pki3 registry check".to_owned(),
        "--pki pki2 device list".to_owned(),
        "key list --module /lib/none.so".to_owned(),
        "key list --module pw".to_owned(),
        "registration check bad.csv".to_owned(),
        "sandbox --fault 2".to_owned(),
        "sandbox --host 'a b' --port 0".to_owned(),
    ] {
        fails(&line, &[]);
    }
}

fn odd_servers(cli: &Cli, fails: Fails<'_>) {
    let Some(()) = server_certificate(cli) else { return };
    let openssl = OpenSsl::at(&cli.path(".")).expect("it was there before");
    openssl.self_signed("edge", "/CN=localhost", "-addext subjectAltName=DNS:localhost");
    let raw = |answer: &'static [u8]| {
        listen(move |mut stream| {
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(answer);
        })
    };
    let ports = [
        raw(b""),
        raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        // Alerts, a record that is too long, a ServerHello of nothing.
        raw(&[21, 3, 3, 0, 2, 2, 40]),
        raw(&[21, 3, 3, 0, 2, 2, 201]),
        raw(&[22, 3, 3, 0xff, 0xff, 0]),
        raw(&[22, 3, 3, 0, 4, 2, 0, 0, 0]),
        paper_tenant(cli, |_| (200, "{\"name\": [}".to_owned())),
        paper_tenant(cli, |_| (200, "[\"\\ud800\", 1e999]".to_owned())),
        paper_tenant(cli, |_| (500, "<html>oh { x: Some(".replace("Some(", "some(").to_owned())),
    ];
    for port in ports {
        let host = format!("https://localhost:{port}");
        let variables = [
            ("C8Y_HOST", host.as_str()),
            ("C8Y_USER", "t1/admin"),
            ("C8Y_PASSWORD", "a-password-of-nobody"),
            ("C8Y_PKI_CACERT", "server-ca.pem"),
        ];
        let more = "--retries 0 --timeout 5";
        fails(&format!("tenant trust list {more}"), &variables);
        let device = "gw-1 --truststore server-ca.pem --host localhost --timeout 5";
        fails(&format!("device check {device} --port {port} --attempts 1 --json"), &[]);
        fails(&format!("device token {device} --https --https-port {port}"), &[]);
        fails(&format!("device connect {device} --port {port} --no-reconnect"), &[]);
    }
    // Certificates that are refused.
    let port = paper_tenant(cli, |_| (200, "{}".to_owned()));
    for (host, trusted) in [
        ("localhost", "pki/ca/root/cert.pem"),
        ("127.0.0.1", "server-ca.pem"),
        ("localhost", "edge.pem"),
    ] {
        let url = format!("https://{host}:{port}");
        let variables = [
            ("C8Y_HOST", url.as_str()),
            ("C8Y_USER", "t1/a"),
            ("C8Y_PASSWORD", "nobodys-password"),
        ];
        fails(&format!("tenant trust list --retries 0 --cacert {trusted}"), &variables);
        let device = format!("gw-1 --truststore {trusted} --host {host} --timeout 5");
        fails(&format!("device check {device} --port {port} --json"), &[]);
        fails(&format!("device token {device} --https --https-port {port}"), &[]);
    }
    fails("store fetch localhost:1 --timeout 5", &[]);
}
