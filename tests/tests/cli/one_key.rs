//! A key has one form and one holder, also when two stations ask at once; and what is said of odd keys.

use std::process::Stdio;

use c8y_pki_tests::cli::{CA_PW, Cli, Outcome};
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::{Tool, tool};

use crate::keys::{new_key, refusal, request, sign, typed};

/// Takes the place of bytes in a file, counted from where `find` ends.
fn patch(cli: &Cli, file: &str, find: &[u8], put: &[u8]) {
    let mut der = cli.read(file);
    let at = der.windows(find.len()).position(|w| w == find).expect("it is there") + find.len();
    der[at..at + put.len()].copy_from_slice(put);
    cli.write(file, der);
}

/// The neutral element of Ed25519.
const NEUTRAL: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

/// The last 64 bytes become the signature that fits any text under [`NEUTRAL`]: R is that point too, S is 0.
fn sign_anything(cli: &Cli, file: &str) {
    let mut der = cli.read(file);
    let at = der.len() - 64;
    der[at..].fill(0);
    der[at] = 1;
    cli.write(file, der);
}

/// The SubjectPublicKeyInfo of an Ed25519 key up to its bytes.
const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

#[test]
fn ed25519_keys_of_small_order_are_refused() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    let key = cli.arg("ed.key");
    openssl.run(&["genpkey", "-algorithm", "ED25519", "-out", &key]);
    let minus_one = [&[0xec][..], &[0xff; 30], &[0x7f]].concat();
    let one_more = [&[0xee][..], &[0xff; 31]].concat();
    for point in [&NEUTRAL[..], &minus_one, &one_more, &[0; 32]] {
        request(&openssl, &cli, "ed.key", "x", &["-outform", "DER"]);
        patch(&cli, "csr/x.csr", &ED25519, point);
        sign_anything(&cli, "csr/x.csr");
        if point == NEUTRAL {
            // Its signature is right, whatever was signed.
            let shown = cli.run("cert show csr/x.csr --json").expect(0).json();
            assert_eq!(shown["possession"], true, "{shown}");
        }
        let said = refusal(&cli, &sign("csr/x.csr"));
        assert!(said.contains("the key's Ed25519 point has a small order"), "{said}");
    }
}

#[test]
fn a_ca_below_one_that_signs_anything_is_not_taken_in() {
    let cli = Cli::new();
    let Some(openssl) = OpenSsl::at(&cli.path(".")) else { return };
    let ca = "-config @openssl.cnf -extensions ca -nodes -days 900";
    openssl.run(&format!(
        "req -x509 -newkey ed25519 -subj /CN=Top -keyout @top.key -out @top.pem {ca}"
    ));
    openssl.run(&format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=Mid -CA @top.pem -CAkey @top.key \
         -keyout @mid.key -out @mid.pem {ca}"
    ));
    for name in ["top", "mid"] {
        openssl.run(&format!("x509 -in @{name}.pem -outform DER -out @{name}.der"));
        if name == "top" {
            patch(&cli, "top.der", &ED25519, &NEUTRAL);
        }
        sign_anything(&cli, &format!("{name}.der"));
    }
    let said = cli.fails(2, &format!("ca add mid --import mid.der top.der --key mid.key {CA_PW}"));
    assert!(said.contains("CN=Top: the key's Ed25519 point has a small order"), "{said}");
    assert!(cli.names("pki/ca").is_empty());
    // As they were before.
    cli.ok(&format!("ca add mid --import mid.pem top.pem --key mid.key {CA_PW}"));
}

#[test]
fn the_same_key_in_another_form_is_refused() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    new_key(&openssl, &cli, "a.key");
    request(&openssl, &cli, "a.key", "a", &[]);
    cli.ok(&sign("csr/a.csr"));
    let [whole, short, again] = ["a.key", "short.key", "again.key"].map(|name| cli.arg(name));
    openssl.run(&["ec", "-in", &whole, "-conv_form", "compressed", "-out", &short]);
    request(&openssl, &cli, "short.key", "b", &[]);
    let said = cli.run(&sign("csr/b.csr")).expect(1).stdout;
    assert!(said.contains("the key's EC P-256 point is compressed"), "{said}");
    assert!(said.contains("`openssl ec -in KEY -conv_form uncompressed -out NEW-KEY`"), "{said}");
    // The hint works: then it is seen whose key it is.
    openssl.run(&["ec", "-in", &short, "-conv_form", "uncompressed", "-out", &again]);
    request(&openssl, &cli, "again.key", "b", &[]);
    let said = refusal(&cli, &sign("csr/b.csr"));
    assert_eq!(said, "the key of device id \"b\" is that of the device \"a\" too");
}

#[test]
fn rsa_keys_in_other_forms_are_refused() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    let [pss, plain] = ["pss.key", "plain.key"].map(|name| cli.arg(name));
    openssl.run(&[
        "genpkey",
        "-algorithm",
        "RSA-PSS",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        "-out",
        &pss,
    ]);
    request(&openssl, &cli, "pss.key", "a", &[]);
    let said = cli.run(&sign("csr/a.csr")).expect(1).stdout;
    let form = "key is written in an unusual form: its algorithm is not rsaEncryption with NULL";
    assert!(said.contains(form), "{said}");
    assert!(
        said.contains(
            "`openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out NEW-KEY`"
        ),
        "{said}"
    );
    let bits = ["-pkeyopt", "rsa_keygen_bits:3072", "-out", &plain];
    openssl.run(&[&["genpkey", "-algorithm", "RSA"][..], &bits].concat());
    request(&openssl, &cli, "plain.key", "a", &["-outform", "DER"]);
    // An empty SEQUENCE where the NULL was.
    let good = cli.read("csr/a.csr");
    patch(&cli, "csr/a.csr", b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", &[0x30, 0]);
    let said = refusal(&cli, &sign("csr/a.csr"));
    assert!(said.contains(form), "{said}");
    cli.write("csr/a.csr", good);
    cli.ok(&sign("csr/a.csr"));
}

#[test]
fn explicit_curve_parameters_are_named_not_shown() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    let [key, named] = ["explicit.key", "named.key"].map(|name| cli.arg(name));
    let args = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    openssl.run(&[&args[..], &["-pkeyopt", "ec_param_enc:explicit", "-out", &key]].concat());
    request(&openssl, &cli, "explicit.key", "a", &[]);
    let said = cli.run(&sign("csr/a.csr")).expect(1).stdout;
    assert!(
        said.contains("the algorithm EC with explicit curve parameters is not supported"),
        "{said}"
    );
    assert!(said.contains("`openssl ec -in KEY -param_enc named_curve -out NEW-KEY`"), "{said}");
    assert!(
        said.contains("`openssl ecparam -name prime256v1 -genkey -noout -out NEW-KEY`"),
        "{said}"
    );
    openssl.run(&["ec", "-in", &key, "-param_enc", "named_curve", "-out", &named]);
    request(&openssl, &cli, "named.key", "a", &[]);
    cli.ok(&sign("csr/a.csr"));
}

// ---- at the same time

/// Runs command lines at once.
fn at_once(cli: &Cli, lines: &[String]) -> Vec<Outcome> {
    let start = |line: &String| {
        let mut command = cli.command(line);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        (line.clone(), command.spawn().expect("it starts"))
    };
    let children: Vec<_> = lines.iter().map(start).collect();
    let end = |(line, child): (String, std::process::Child)| {
        Outcome::of(&line, &child.wait_with_output().expect("its end"))
    };
    children.into_iter().map(end).collect()
}

#[test]
fn of_two_who_ask_at_once_one_gets_the_key() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    for turn in 0..6 {
        let key = format!("{turn}.key");
        new_key(&openssl, &cli, &key);
        let ids = ["a", "b"].map(|which| format!("{which}-{turn}"));
        ids.iter().for_each(|id| request(&openssl, &cli, &key, id, &[]));
        let ended = at_once(&cli, &ids.clone().map(|id| sign(&format!("csr/{id}.csr"))));
        let mut codes: Vec<i32> = ended.iter().map(|outcome| outcome.code).collect();
        codes.sort_unstable();
        assert!(matches!(codes[..], [0, 1 | 3]), "{ended:?}");
        for late in ended.iter().filter(|outcome| outcome.code == 3) {
            assert!(late.error().contains("too, which another process has recorded"), "{late:?}");
        }
        // A client that comes again is told whose it is.
        let said: Vec<i32> =
            ids.iter().map(|id| cli.run(&sign(&format!("csr/{id}.csr"))).code).collect();
        assert!(said.contains(&0) && said.contains(&1), "{said:?}");
    }
    cli.ok("registry check");
}

#[test]
fn a_device_and_a_ca_that_come_at_once_do_not_get_one_key() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    let Some(ca) = OpenSsl::at(&cli.path(".")) else { return };
    for turn in 0..4 {
        let (key, id) = (format!("{turn}.key"), format!("gw-{turn}"));
        new_key(&openssl, &cli, &key);
        request(&openssl, &cli, &key, &id, &[]);
        ca.run(&format!(
            "req -x509 -key @{key} -subj /CN=CA-{turn} -days 900 -out @{turn}.pem -config @openssl.cnf \
             -extensions ca"
        ));
        let import = format!("ca add ca-{turn} --import {turn}.pem --key {key} {CA_PW}");
        let ended = at_once(&cli, &[sign(&format!("csr/{id}.csr")), import.clone()]);
        let done = ended.iter().filter(|outcome| outcome.code == 0).count();
        assert_eq!(done, 1, "{ended:?}");
        let is_ca = cli.names("pki/ca").contains(&format!("ca-{turn}"));
        assert_eq!(is_ca, ended[1].code == 0, "{ended:?}");
    }
    cli.ok("registry check");
}

// ---- what people see

/// A device that has the key of a CA with an odd name, as a version before the check could sign it.
fn with_an_odd_ca(openssl: &Tool, sqlite: &Tool) -> Cli {
    let cli = Cli::with_cas();
    cli.write(
        "odd.cnf",
        "[req]\ndistinguished_name=n\nprompt=no\nutf8=yes\nx509_extensions=e\n\
         [n]\nCN=\u{202e}a\u{200b}\\nerror: fake\nO=\u{9b}31m\n\
         [e]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n",
    );
    new_key(openssl, &cli, "odd.key");
    let [config, key, cert] = ["odd.cnf", "odd.key", "odd.pem"].map(|name| cli.arg(name));
    openssl.run(&[
        "req", "-x509", "-key", &key, "-utf8", "-days", "900", "-config", &config, "-out", &cert,
    ]);
    cli.ok(&format!("ca add odd --import odd.pem --key odd.key {CA_PW}"));
    request(openssl, &cli, "odd.key", "sly", &[]);
    let hide = |key: &str| {
        let sql = format!("UPDATE certificate SET key = {key} WHERE batch = 'ca odd'");
        sqlite.run(&[&cli.arg("pki/registry.sqlite"), &sql]);
    };
    std::fs::rename(cli.path("pki/ca/odd"), cli.path("odd")).expect("a directory");
    hide("x''");
    cli.ok(&sign("csr/sly.csr"));
    hide("(SELECT key FROM certificate WHERE client_id = 'sly')");
    std::fs::rename(cli.path("odd"), cli.path("pki/ca/odd")).expect("a directory");
    cli
}

#[test]
fn a_question_about_a_compromised_key_shows_nothing_hidden() {
    let (Some(openssl), Some(sqlite)) = (tool("openssl"), tool("sqlite3")) else { return };
    let cli = with_an_odd_ca(&openssl, &sqlite);
    let said = cli.run("registry check").expect(1);
    assert!(
        said.stdout.contains("a CA, the device \"sly\" have live certificates for the same key"),
        "{said:?}"
    );
    let revoke = "device revoke sly --reason keyCompromise --ca-certificate";
    let Some((seen, code)) = typed(&cli, revoke, "n\n") else { return };
    assert_eq!(code, 1, "{seen}");
    assert!(seen.contains(r"CN=\u{202e}a\u{200b}"), "{seen}");
    assert_eq!(c8y_pki_tests::cli::hidden(&seen.replace('\r', "")), None, "{seen:?}");
    // Its name is in the result, too.
    let said = cli.run(&format!("{revoke} --yes")).expect(0);
    assert!(said.stdout.contains("\nthe CA O="), "{said:?}");
}

#[test]
fn a_key_does_not_keep_a_weak_password_unasked() {
    let cli = Cli::new();
    let Some(openssl) = OpenSsl::at(&cli.path(".")) else { return };
    cli.write("weak.pw", "secret\n");
    openssl.run(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=Old -days 900 -keyout @old.key \
         -out @old.pem -passout pass:secret -config @openssl.cnf -extensions ca",
    );
    let import = "--import old.pem --key old.key --key-password-file weak.pw";
    let said = cli.fails(2, &format!("ca add old {import}"));
    assert!(said.contains("the key would keep the password that it came with"), "{said}");
    assert!(said.contains("hint: give it a new one: --ca-password-file FILE"), "{said}");
    assert!(cli.names("pki/ca").is_empty());
    let said = cli.run(&format!("ca add lab {import} --weak-password")).expect(0);
    assert!(said.stderr.contains("it is used because of --weak-password"), "{said:?}");
    let other = Cli::new();
    ["old.pem", "old.key", "weak.pw"].iter().for_each(|name| other.write(name, cli.read(name)));
    other.ok(&format!("ca add old {import} {CA_PW}"));
}
