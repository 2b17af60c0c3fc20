//! A CA whose issuer is elsewhere: it waits, it is signed by our own root or by OpenSSL, and it takes the answer.

use std::fs;
use std::process::Command;

use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::{Tool, tool};
use serde_json::Value;

/// Two machines: `pki` with a root and a CA below it, and `plant` with one that waits.
fn two_machines() -> Cli {
    let cli = Cli::with_cas();
    request(&cli, "");
    cli
}

fn request(cli: &Cli, more: &str) {
    cli.ok(&format!(
        "--pki plant ca request line-7 --subject 'CN=Line 7,O=Example' --out line-7.csr {CA_PW} {more}"
    ));
}

fn openssl(openssl: &Tool, cli: &Cli, line: &str) -> String {
    let output = Command::new(openssl.path())
        .args(line.split_whitespace())
        .current_dir(cli.path(""))
        .output()
        .expect("openssl starts");
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_ca_that_waits_is_shown_and_every_command_says_what_to_do() {
    let cli = two_machines();
    let listed = cli.run("--pki plant ca list --json").expect(0).json();
    assert_eq!((&listed["name"], &listed["waiting"]), (&"line-7".into(), &true.into()));
    let shown = cli.run("--pki plant ca list").expect(0);
    assert!(shown.stdout.contains("waits for its certificate"), "{shown:?}");
    assert!(shown.stderr.contains("ca add line-7 --certificate FILE"), "{shown:?}");
    let status = cli.run("--pki plant status --json").expect(0).json();
    assert_eq!(status["items"][0]["subject"], "ca", "{status}");
    assert_eq!(status["waiting"][0]["name"], "line-7", "{status}");
    for line in [
        "device issue gw-1 --ca line-7 --out o --ca-password-file pw",
        "ca show line-7",
        "ca crl line-7 --ca-password-file pw",
        "ca renew line-7 --ca-password-file pw",
        "ca rename line-7 line-8",
        "ca init line-7 --subject CN=X --ca-password-file pw",
        "ca add below --parent line-7 --subject CN=X --ca-password-file pw",
        "server issue s --ca line-7 --san DNS:a --out o --ca-password-file pw",
    ] {
        let said = cli.fails(2, &format!("--pki plant {line}"));
        assert!(said.contains("\"line-7\" waits for its certificate"), "{line}: {said}");
        assert!(
            said.contains("`c8y-pki --pki plant ca add line-7 --certificate FILE`"),
            "{line}: {said}"
        );
    }
    cli.ok("--pki plant registry check");
}

#[test]
fn the_same_request_comes_again_and_never_a_second_key() {
    let cli = two_machines();
    let before = cli.snapshot("plant/ca/line-7");
    cli.ok("--pki plant ca request line-7 --out again.csr");
    request(&cli, "");
    assert_eq!(cli.read("line-7.csr"), cli.read("again.csr"));
    assert_eq!(cli.snapshot("plant/ca/line-7"), before);
    let other = cli.fails(2, "--pki plant ca request line-7 --subject CN=Other");
    assert!(other.contains("waits with a request for CN=Line 7,O=Example"), "{other}");
    // A name that was mistyped makes nothing.
    cli.fails(2, "--pki plant ca request line-8");
    assert_eq!(cli.names("plant/ca"), ["line-7"]);
}

#[test]
fn the_root_shows_what_it_signs_records_it_and_gives_the_same_answer_again() {
    let cli = two_machines();
    let plan = cli.run("ca sign-request line-7.csr --ca line --plan --json").expect(0).json();
    assert_eq!(plan["change"], "planned");
    assert_eq!(plan["chain_length"], 4, "{plan}");
    assert_eq!(cli.run("registry export --format jsonl").expect(0).json_lines().len(), 2);
    let asked = cli.fails(2, &format!("ca sign-request line-7.csr --ca root --out a.pem {CA_PW}"));
    assert!(asked.contains("give --yes"), "{asked}");
    let sign = |more: &str| {
        let line = format!("ca sign-request line-7.csr --ca root --yes --json {more}");
        cli.run(&line).expect(0).json()
    };
    let first = sign(&format!("--out a.pem {CA_PW}"));
    assert_eq!(first["change"], "signed");
    // Nobody is asked for a password that is not needed.
    let again = sign("--out b.pem");
    assert_eq!((&again["change"], &again["serial"]), (&"kept".into(), &first["serial"]));
    assert_eq!(cli.read("a.pem"), cli.read("b.pem"));
    cli.ok("registry check");
    let renewed = sign(&format!("--renew --out c.pem {CA_PW}"));
    assert_ne!(renewed["serial"], first["serial"]);
    // What was signed here can be revoked here.
    let serial = renewed["serial"].as_str().expect("a number");
    cli.ok(&format!("device revoke {serial} --ca-certificate --reason cACompromise"));
    let refused = cli.fails(2, &format!("ca sign-request line-7.csr --ca root --yes {CA_PW}"));
    assert!(refused.contains("is that of a revoked certificate"), "{refused}");
    cli.ok("registry check");
}

#[test]
fn requests_that_cannot_be_signed_are_refused_and_say_why() {
    let Some(tool) = tool("openssl") else { return };
    let cli = two_machines();
    let conf = "[req]\ndistinguished_name=dn\nprompt=no\n[dn]\nCN=Plant\n[good]\n\
                basicConstraints=critical,CA:TRUE,pathlen:7\nkeyUsage=keyCertSign,cRLSign,digitalSignature\n\
                [device]\nbasicConstraints=CA:FALSE\n[more]\nbasicConstraints=CA:TRUE\n\
                nameConstraints=permitted;DNS:example.com\nsubjectAltName=DNS:a.example.com\n";
    cli.write("req.cnf", conf);
    let make = |name: &str, subject: &str| {
        let line = format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr \
             -config req.cnf -subj {subject} -reqexts {name}"
        );
        openssl(&tool, &cli, &line);
    };
    make("good", "/CN=Plant");
    make("device", "/CN=Plant");
    make("more", "/CN=Plant");
    let sign =
        |file: &str, more: &str| format!("ca sign-request {file} --ca root --yes {CA_PW} {more}");
    let device = cli.fails(1, &sign("device.csr", ""));
    assert!(device.contains("CA:FALSE"), "{device}");
    let more = cli.fails(1, &sign("more.csr", ""));
    assert!(more.contains("asks for nameConstraints, subjectAltName"), "{more}");
    let left_out = cli.run(&sign("more.csr", "--leave-out --json --out more.pem")).expect(0).json();
    assert!(left_out["limited"][0].as_str().is_some_and(|l| l.contains("left out")), "{left_out}");
    let limited =
        cli.run(&sign("good.csr", "--json --out good.pem --path-length 3")).expect(0).json();
    let said: Vec<&str> =
        limited["limited"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert!(said.iter().any(|l| l.contains("digitalSignature")), "{said:?}");
    let text = openssl(&tool, &cli, "x509 -in good.pem -noout -text");
    assert!(text.contains("CA:TRUE, pathlen:3") && !text.contains("Digital Signature"), "{text}");
    // The root's own subject would make a chain that never ends.
    let line = "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout r.key -out r.csr -config req.cnf \
                -subj /O=Example/CN=Root";
    openssl(&tool, &cli, line);
    assert!(cli.fails(2, &sign("r.csr", "")).contains("subject of the CA that signs it"));
    // A request whose signature is not that of its key.
    let mut bytes = cli.read("line-7.csr");
    let at = bytes.len() - 60;
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    cli.write("bad.csr", bytes);
    cli.fails(2, &sign("bad.csr", ""));
    cli.ok("registry check");
}

#[test]
fn the_answer_has_to_be_for_the_key_that_waits() {
    let cli = two_machines();
    let answer = "--pki plant ca add line-7 --certificate";
    let wrong = cli.fails(2, &format!("{answer} pki/ca/line/chain.pem"));
    assert!(wrong.contains("none of the certificates is for the key of line-7"), "{wrong}");
    assert!(cli.run("--pki plant ca list --json").json()["waiting"] == true);
    cli.ok(&format!("ca sign-request line-7.csr --ca line --out a.pem --yes {CA_PW}"));
    cli.ok(&format!("{answer} a.pem"));
    cli.ok(&format!("--pki plant device issue gw-1 --ca line-7 --out out {CA_PW}"));
    cli.ok("cert verify out/gw-1/chain.pem --trust pki/ca/root/cert.pem --as-device gw-1");
    cli.ok("--pki plant registry check");
    assert!(!cli.path("plant/ca/line-7/request.pem").exists());
    // The same once more changes nothing, and another answer for the same key renews it.
    let same = cli.run(&format!("{answer} a.pem --json")).expect(0).json();
    assert_eq!(same["change"], "same");
    let unknown = cli.fails(2, "--pki plant ca add nobody --certificate a.pem");
    assert!(unknown.contains("there is no CA named \"nobody\""), "{unknown}");
}

#[test]
fn a_root_of_openssl_answers_in_pem_der_and_pkcs7() {
    let Some(tool) = tool("openssl") else { return };
    let cli = Cli::new();
    let root = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout r.key -out r.pem -days 30 \
                -subj /CN=Company -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign,cRLSign";
    openssl(&tool, &cli, root);
    request(&cli, "--path-length 0");
    let signed = "x509 -req -in line-7.csr -CA r.pem -CAkey r.key -days 20";
    openssl(&tool, &cli, &format!("{signed} -out plain.pem"));
    openssl(&tool, &cli, &format!("{signed} -copy_extensions copy -out a.pem"));
    openssl(&tool, &cli, "x509 -in a.pem -outform DER -out a.der");
    openssl(
        &tool,
        &cli,
        "crl2pkcs7 -nocrl -certfile a.pem -certfile r.pem -outform DER -out a.p7b",
    );
    let text = openssl(&tool, &cli, "x509 -in a.pem -noout -text");
    assert!(
        text.contains("CA:TRUE, pathlen:0") && text.contains("Certificate Sign, CRL Sign"),
        "{text}"
    );
    let no_ca = cli.fails(2, "--pki plant ca add line-7 --certificate plain.pem r.pem");
    assert!(no_ca.contains("cannot issue certificates"), "{no_ca}");
    for files in ["a.pem r.pem", "a.der r.pem", "a.p7b"] {
        let _ = fs::remove_dir_all(cli.path("copy"));
        assert!(
            Command::new("cp")
                .args(["-a", "plant", "copy"])
                .current_dir(cli.path(""))
                .status()
                .is_ok()
        );
        cli.ok(&format!("--pki copy ca add line-7 --certificate {files}"));
        let shown = cli.run("--pki copy ca list --json").expect(0).json();
        assert_eq!(shown["chain_length"], 2, "{files}: {shown}");
        cli.ok("--pki copy registry check");
    }
}

/// A root with a new key has the subject of the former one.
#[test]
fn a_root_with_a_new_key_signs_what_the_former_one_has_signed() {
    let Some(tool) = tool("openssl") else { return };
    let cli = two_machines();
    cli.ok(&format!("ca renew root --new-key root-2 {CA_PW}"));
    for (root, change) in [("root", "signed"), ("root-2", "signed"), ("root-2", "kept")] {
        let line = format!("ca sign-request line-7.csr --ca {root} --yes --json --out {root}.pem");
        let signed = cli.run(&format!("{line} {CA_PW}")).expect(0).json();
        assert_eq!(signed["change"], change, "{root}");
        openssl(&tool, &cli, &format!("verify -CAfile pki/ca/{root}/cert.pem {root}.pem"));
    }
    cli.ok("registry check");
}

#[test]
fn a_plan_for_what_was_signed_before_shows_that() {
    let cli = two_machines();
    let line = "ca sign-request line-7.csr --ca root --json";
    let signed = cli.run(&format!("{line} --yes --out a.pem {CA_PW}")).expect(0).json();
    let plan = cli.run(&format!("{line} --plan --days 100")).expect(0).json();
    for key in ["serial", "not_after", "path_length"] {
        assert_eq!(plan[key], signed[key], "{key}: {plan}");
    }
    assert_eq!(plan["change"], "kept");
    let renewed = cli.run(&format!("{line} --plan --days 100 --renew")).expect(0).json();
    assert_eq!((&renewed["change"], &renewed["serial"]), (&"planned".into(), &Value::Null));
}

#[test]
fn a_ca_that_waits_is_not_asked_for_something_else() {
    let cli = two_machines();
    let profile = cli.ok("profile show intermediate");
    assert!(profile.contains("\"cRLSign\"]"), "{profile}");
    cli.write("more.toml", profile.replace("\"cRLSign\"]", "\"cRLSign\", \"digitalSignature\"]"));
    cli.ok("--pki plant ca request line-7 --profile intermediate --out again.csr");
    for more in [
        "--key-type rsa-4096",
        "--path-length 3",
        "--profile more.toml",
        "--token pkcs11:token=x;object=y",
    ] {
        let said = cli.fails(2, &format!("--pki plant ca request line-7 {more}"));
        let option = more.split(' ').next().unwrap_or_default();
        assert!(said.contains("waits with a request") && said.contains(option), "{more}: {said}");
    }
}

/// The place of a protocol is looked at before anything is made.
#[test]
fn a_protocol_without_a_place_is_refused_before_anything_is_made() {
    let cli = two_machines();
    let before = cli.snapshot("");
    for line in [
        "ca init other --subject CN=Other",
        "ca add below --parent root --subject CN=Below",
        "--pki plant ca request line-8 --subject CN=Line-8",
        "ca sign-request line-7.csr --ca root --yes --out a.pem",
        "ca add other --import pki/ca/root/cert.pem --key pki/ca/root/key.pem",
    ]
    .map(|line| format!("{line} {CA_PW}"))
    .into_iter()
    .chain(["--pki plant ca add line-7 --certificate pki/ca/root/cert.pem".to_owned()])
    {
        let said = cli.fails(2, &format!("{line} --protocol no/such/protocol.txt"));
        assert!(said.contains("no/such/protocol.txt"), "{line}: {said}");
    }
    assert_eq!(cli.snapshot(""), before);
}

#[test]
fn each_way_to_take_a_certificate_writes_its_protocol() {
    let cli = two_machines();
    let sign = format!("ca sign-request line-7.csr --ca root --yes --renew {CA_PW} --out");
    cli.ok(&format!("{sign} a.pem"));
    cli.ok("--pki plant ca add line-7 --certificate a.pem --protocol first.txt");
    cli.ok(&format!("{sign} b.pem"));
    cli.ok("--pki plant ca add line-7 --certificate b.pem --protocol next.txt");
    cli.ok(&format!(
        "--pki third ca add line-7 --import b.pem --key plant/ca/line-7/key.pem --key-password-file pw \
         --protocol taken.txt {CA_PW}"
    ));
    for file in ["first.txt", "next.txt", "taken.txt"] {
        let text = cli.text(file);
        assert!(text.starts_with("PROTOCOL: ") && text.contains("CN=Line 7,O=Example"), "{text}");
    }
}
