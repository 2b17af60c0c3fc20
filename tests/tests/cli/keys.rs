//! Keys that are not certified: weak ones, and those that somebody else has. And keys that others have
//! learnt: all their certificates are revoked.

use std::io::Write;
use std::process::{Command, Stdio};

use c8y_pki_core::cert::Certificate;
use c8y_pki_tests::cli::{CA_PW, Cli, binary};
use c8y_pki_tests::{Tool, arg, python_dir, python_with, tool};
use serde_json::Value;

/// The sentences about the keys of `weak_keys.py`.
const WEAK: [(&str, &str); 4] = [
    ("exponent-3", "the key's RSA exponent 3 is too small: the minimum is 65537"),
    ("close", "are so close to each other that anybody can compute them (Fermat's method)"),
    ("small-factor", "the key's RSA modulus can be divided by 5"),
    ("roca", "(ROCA, CVE-2017-15361): anybody can compute its private key"),
];

/// A directory with CAs and with the weak keys that Python makes, their requests and CAs.
fn with_weak_keys() -> Option<Cli> {
    let python = python_with("cryptography")?;
    let cli = Cli::with_cas();
    let script = python_dir().join("weak_keys.py");
    python.run(&[arg(&script), arg(&cli.path(""))]);
    Some(cli)
}

pub(crate) fn sign(what: &str) -> String {
    format!("device sign {what} --ca line --out out {CA_PW}")
}

/// Makes a request with OpenSSL for a key in a file.
pub(crate) fn request(openssl: &Tool, cli: &Cli, key: &str, id: &str, more: &[&str]) {
    let [key, csr] = [key, &format!("csr/{id}.csr")].map(|name| cli.arg(name));
    cli.write("csr/.keep", "");
    std::fs::remove_file(cli.path("csr/.keep")).expect("it was there");
    let subject = format!("/CN={id}");
    let args = ["req", "-new", "-key", &key, "-subj", &subject, "-out", &csr];
    openssl.run(&[&args[..], more].concat());
}

/// A new EC key with OpenSSL.
pub(crate) fn new_key(openssl: &Tool, cli: &Cli, name: &str) {
    let file = cli.arg(name);
    let p256 = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    openssl.run(&[&p256[..], &["-out", &file]].concat());
}

pub(crate) fn refusal(cli: &Cli, line: &str) -> String {
    let all = cli.run(&format!("{line} --json")).expect(1).json_lines();
    assert_eq!((all.len(), &all[0]["action"]), (1, &"refused".into()), "{all:?}");
    all[0]["message"].as_str().expect("a sentence").to_owned()
}

fn serial(cli: &Cli, file: &str) -> String {
    let all = Certificate::all_from_pem_or_der(&cli.read(file)).expect("a certificate");
    all[0].serial.to_string()
}

// ---- weak keys

#[test]
fn weak_keys_are_not_signed_and_not_taken_in() {
    let Some(cli) = with_weak_keys() else { return };
    for (name, words) in WEAK {
        let said = refusal(&cli, &sign(&format!("csr/{name}.csr")));
        assert!(said.starts_with(&format!("the request for CN={name} has a key that")), "{said}");
        assert!(said.contains(words), "{name}: {said}");
        let said =
            cli.fails(2, &format!("ca add {name} --import {name}.pem --key {name}.key {CA_PW}"));
        assert!(said.contains(words), "{name}: {said}");
    }
    assert_eq!(cli.names("pki/ca"), ["line", "root"]);
    assert!(cli.names("out").is_empty());
    // They are shown all the same, and were signed with their keys.
    let shown = cli.run("cert show csr/roca.csr --json").expect(0).json();
    assert_eq!(shown["possession"], true, "{shown}");
}

#[test]
fn an_exponent_of_3_is_let_through_when_that_is_asked_for() {
    let Some(cli) = with_weak_keys() else { return };
    cli.ok(&sign("csr/exponent-3.csr --allow-exponent-3"));
    for (name, words) in &WEAK[1..] {
        let said = refusal(&cli, &sign(&format!("csr/{name}.csr --allow-exponent-3")));
        assert!(said.contains(words), "{name}: {said}");
    }
    let import = format!("ca add e3 --import exponent-3.pem --key exponent-3.key {CA_PW}");
    // The device has it: one key, one holder.
    let said = cli.fails(2, &format!("{import} --allow-exponent-3"));
    assert!(said.contains("the key of the new CA is that of the device \"exponent-3\""), "{said}");

    let renew = format!("device renew exponent-3 --key exponent-3.key --out out {CA_PW}");
    let said = cli.run(&renew).expect(2).stderr;
    assert!(said.contains("exponent-3.key: the key's RSA exponent 3 is too small"), "{said}");
    assert!(said.contains("to let this one through: --allow-exponent-3"), "{said}");
    cli.ok(&format!("{renew} --allow-exponent-3"));
    let renew = format!("device renew exponent-3 --csr csr/exponent-3.csr --out out {CA_PW}");
    let said = cli.run(&renew).expect(2).stderr;
    assert!(said.contains("the key's RSA exponent 3 is too small"), "{said}");
    cli.ok(&format!("{renew} --allow-exponent-3"));

    let other = Cli::with_cas();
    for name in ["exponent-3.pem", "exponent-3.key"] {
        other.write(name, cli.read(name));
    }
    other.ok(&format!("{import} --allow-exponent-3"));
    let said = other
        .fails(2, &format!("ca add x --parent root --subject CN=x --allow-exponent-3 {CA_PW}"));
    assert!(said.contains("--allow-exponent-3 is for a CA that is imported"), "{said}");
}

/// The DER of a request, changed where `find` was. Its signature does not fit any more, but the key is
/// looked at first.
fn changed(cli: &Cli, id: &str, find: &[u8], put: &[u8]) {
    let mut der = cli.read(&format!("csr/{id}.csr"));
    let at = der.windows(find.len()).position(|w| w == find).expect("it is there");
    der.splice(at..at + find.len(), put.iter().copied());
    cli.write(&format!("csr/{id}.csr"), der);
}

#[test]
fn even_exponents_and_points_beside_their_curve_are_refused() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    let key = cli.arg("rsa.key");
    openssl.run(&[
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
        "-out",
        &key,
    ]);
    request(&openssl, &cli, "rsa.key", "even", &["-outform", "DER"]);
    changed(&cli, "even", &[2, 3, 1, 0, 1], &[2, 3, 1, 0, 2]);
    let said = refusal(&cli, &sign("csr/even.csr"));
    assert!(said.contains("the key's RSA exponent 65538 is even"), "{said}");

    new_key(&openssl, &cli, "ec.key");
    request(&openssl, &cli, "ec.key", "beside", &["-outform", "DER"]);
    let der = cli.read("csr/beside.csr");
    // The BIT STRING of an uncompressed point of P-256.
    let at = der.windows(4).position(|w| w == [3, 66, 0, 4]).expect("a point");
    let last = at + 3 + 64;
    let point = der[at..=last].to_vec();
    for (change, words) in [
        (Some(1), "the key's EC P-256 point is not on the curve"),
        (None, "the key's EC P-256 point has a coordinate that is not below the curve's prime"),
    ] {
        let mut bad = point.clone();
        match change {
            Some(bit) => *bad.last_mut().expect("bytes") ^= bit,
            None => bad[4..36].fill(0xff),
        }
        cli.write("csr/beside.csr", &der);
        changed(&cli, "beside", &point, &bad);
        let said = refusal(&cli, &sign("csr/beside.csr"));
        assert!(said.contains(words), "{said}");
    }
    // As good as it was before.
    cli.write("csr/beside.csr", &der);
    cli.ok(&sign("csr/beside.csr"));
}

// ---- one key, one holder

#[test]
fn a_key_of_another_live_device_is_refused_in_a_later_run_too() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    new_key(&openssl, &cli, "a.key");
    request(&openssl, &cli, "a.key", "a", &[]);
    request(&openssl, &cli, "a.key", "b", &[]);
    cli.ok(&sign("csr/a.csr"));
    for more in ["", "--existing replace"] {
        let said = refusal(&cli, &sign(&format!("csr/b.csr {more}")));
        assert_eq!(said, "the key of device id \"b\" is that of the device \"a\" too");
    }
    // Its own key stays its own, renewed and signed again.
    cli.ok(&sign("csr/a.csr --existing replace"));
    cli.ok(&format!("device renew a --csr csr/a.csr --out out {CA_PW}"));
    cli.ok(&sign("csr/a.csr"));
    // Another key takes its place: then it is free, unless it is revoked.
    new_key(&openssl, &cli, "new.key");
    request(&openssl, &cli, "new.key", "a", &[]);
    cli.ok(&sign("csr/a.csr --existing replace --revoke"));
    let said = refusal(&cli, &sign("csr/b.csr"));
    assert!(
        said.contains("the key of device id \"b\" belongs to a revoked certificate, "),
        "{said}"
    );
    assert!(said.ends_with(" of the device \"a\""), "{said}");
    cli.ok("registry check");
}

#[test]
fn a_heap_is_held_against_all_keys_of_the_registry() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    for n in 0..70 {
        new_key(&openssl, &cli, &format!("{n}.key"));
        request(&openssl, &cli, &format!("{n}.key"), &format!("gw-{n}"), &["-outform", "DER"]);
    }
    cli.ok(&sign("csr/gw-7.csr csr/gw-9.csr"));
    cli.ok("device revoke gw-9 --reason cessationOfOperation");
    // The same keys, for other devices.
    request(&openssl, &cli, "7.key", "gw-7b", &[]);
    request(&openssl, &cli, "9.key", "gw-9b", &[]);
    let all = cli.run(&format!("{} --json", sign("csr"))).expect(1).json_lines();
    let of =
        |action: &str| -> Vec<&Value> { all.iter().filter(|v| v["action"] == action).collect() };
    assert_eq!((of("signed").len(), of("kept").len(), of("refused").len()), (68, 1, 3));
    let said: Vec<&str> = of("refused").iter().filter_map(|v| v["message"].as_str()).collect();
    assert_eq!(said[0], "the key of device id \"gw-7b\" is that of the device \"gw-7\" too");
    assert!(said[1].starts_with("the key of device id \"gw-9\" belongs to a revoked"), "{said:?}");
    assert!(said[2].starts_with("the key of device id \"gw-9b\" belongs to a revoked"), "{said:?}");
}

#[test]
fn a_ca_gets_no_key_of_a_device_or_of_a_revoked_certificate() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    new_key(&openssl, &cli, "a.key");
    request(&openssl, &cli, "a.key", "a", &[]);
    let [key, cert] = ["a.key", "a.pem"].map(|name| cli.arg(name));
    openssl.run(&[
        "req",
        "-x509",
        "-key",
        &key,
        "-subj",
        "/CN=New CA",
        "-days",
        "900",
        "-out",
        &cert,
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
    ]);
    cli.ok(&sign("csr/a.csr"));
    let import = format!("ca add new --import a.pem --key a.key {CA_PW}");
    let said = cli.fails(2, &import);
    assert!(said.contains("the key of the new CA is that of the device \"a\""), "{said}");
    cli.ok("device revoke a --reason keyCompromise");
    let said = cli.fails(2, &import);
    assert!(said.contains("the key of the new CA is that of a revoked certificate, "), "{said}");
    assert_eq!(cli.names("pki/ca"), ["line", "root"]);
}

// ---- compromised keys

/// Two devices with one key, as versions before the check could issue them: behind its back, the first
/// one's certificate counts for nothing while the second is signed.
fn with_a_shared_key(openssl: &Tool, sqlite: &Tool) -> Cli {
    let cli = Cli::with_cas();
    new_key(openssl, &cli, "a.key");
    for id in ["a", "b"] {
        request(openssl, &cli, "a.key", id, &[]);
    }
    let hide = |key: &str| {
        let sql = format!("UPDATE certificate SET key = {key} WHERE client_id = 'a'");
        sqlite.run(&[&cli.arg("pki/registry.sqlite"), &sql]);
    };
    cli.ok(&sign("csr/a.csr"));
    hide("x''");
    cli.ok(&sign("csr/b.csr"));
    hide("(SELECT key FROM certificate WHERE client_id = 'b')");
    let found = cli.run("registry check").expect(1).stdout;
    let shared = "the device \"a\", the device \"b\" have live certificates for the same key";
    assert!(found.contains(shared), "{found}");
    cli
}

/// Runs a command line at a terminal and types one line; what is seen, and the exit code.
pub(crate) fn typed(cli: &Cli, line: &str, keys: &str) -> Option<(String, i32)> {
    let python = python_with("pty")?;
    let spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
    let mut child = Command::new(python.path())
        .args(["-c", spawn])
        .arg(binary())
        .args(line.split(' '))
        .current_dir(cli.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("a pipe").write_all(keys.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("its end");
    let seen = String::from_utf8_lossy(&output.stdout).into_owned();
    Some((seen, output.status.code().expect("a code")))
}

#[test]
fn a_compromised_key_is_revoked_for_all_who_have_it() {
    let (Some(openssl), Some(sqlite)) = (tool("openssl"), tool("sqlite3")) else { return };
    let cli = with_a_shared_key(&openssl, &sqlite);
    let revoke = "device revoke a --reason keyCompromise";
    // Nobody can be asked.
    let said = cli.fails(2, revoke);
    assert!(said.contains("others have the key of the device \"a\" too"), "{said}");
    let named =
        format!("the device \"b\"  {}  live, issued by line", serial(&cli, "out/b/cert.pem"));
    assert!(said.contains(&named), "{said}");
    assert!(said.contains("hint: give --yes"), "{said}");
    // Somebody is asked.
    let Some((seen, code)) = typed(&cli, revoke, "n\n") else { return };
    assert!(seen.contains(&named) && seen.contains("Revoke all of them?"), "{seen}");
    assert_eq!(code, 1, "{seen}");
    assert_eq!(cli.run("device list --status revoked --json").expect(0).stdout, "");
    let (seen, code) = typed(&cli, revoke, "y\n").expect("Python");
    assert_eq!(code, 0, "{seen}");
    let revoked = cli.run("device list --status revoked --json").expect(0).json_lines();
    assert_eq!(revoked.iter().map(|r| &r["id"]).collect::<Vec<_>>(), ["a", "b"]);
    // Another reason is one device's affair.
    let cli = with_a_shared_key(&openssl, &sqlite);
    cli.ok("device revoke a --reason cessationOfOperation");
    assert_eq!(cli.run("device list --status revoked --json").expect(0).json_lines().len(), 1);
    // The key has become known later: the other one goes, too.
    cli.ok(&format!("{revoke} --yes"));
    assert_eq!(cli.run("device list --status revoked --json").expect(0).json_lines().len(), 2);
}

#[test]
fn scripts_say_yes_and_get_each_certificate_as_json() {
    let (Some(openssl), Some(sqlite)) = (tool("openssl"), tool("sqlite3")) else { return };
    let cli = with_a_shared_key(&openssl, &sqlite);
    let line = "device revoke a --reason keyCompromise --yes";
    let rows = cli.run(&format!("{line} --json")).expect(0).json_lines();
    let shown: Vec<(&Value, &Value)> = rows.iter().map(|r| (&r["id"], &r["same_key"])).collect();
    assert_eq!(shown, [(&"a".into(), &false.into()), (&"b".into(), &true.into())]);
    // All are revoked: there is nothing left to ask, nor to do.
    let again = cli.run("device revoke a --reason keyCompromise").expect(0);
    assert!(again.stderr.starts_with("a is revoked already"), "{again:?}");
    // By its serial number, and in a list.
    for which in ["--from ids.csv", "SERIAL"] {
        let cli = with_a_shared_key(&openssl, &sqlite);
        cli.write("ids.csv", "id\na\n");
        let which = which.replace("SERIAL", &serial(&cli, "out/a/cert.pem"));
        let said = cli.run(&format!("device revoke {which} --reason keyCompromise --yes"));
        let said = said.expect(0);
        assert!(said.stdout.contains("b  ") && said.stdout.contains(", the same key"), "{said:?}");
        assert!(
            said.stderr.starts_with("The key of the device \"a\" is also that of:"),
            "{said:?}"
        );
    }
}

#[test]
fn a_cas_compromised_key_needs_to_be_asked_for() {
    let (Some(openssl), Some(sqlite)) = (tool("openssl"), tool("sqlite3")) else { return };
    let cli = Cli::with_cas();
    let password = format!("file:{}", cli.arg("pw"));
    request(&openssl, &cli, "pki/ca/line/key.pem", "sly", &["-passin", &password]);
    // As a version before the check would have signed it, by the root.
    let hide = |key: &str, whose: &str| {
        let sql = format!("UPDATE certificate SET key = {key} WHERE {whose}");
        sqlite.run(&[&cli.arg("pki/registry.sqlite"), &sql]);
    };
    std::fs::rename(cli.path("pki/ca/line"), cli.path("line")).expect("a directory");
    hide("x''", "role = 'ca' AND batch = 'ca line'");
    cli.ok(&format!("device sign csr/sly.csr --ca root --out out {CA_PW}"));
    hide("(SELECT key FROM certificate WHERE client_id = 'sly')", "batch = 'ca line'");
    std::fs::rename(cli.path("line"), cli.path("pki/ca/line")).expect("a directory");

    let said = cli.run("device revoke sly --reason keyCompromise --yes").expect(2).stderr;
    assert!(
        said.contains("the key of the device \"sly\" is that of the CA CN=Line,O=Example"),
        "{said}"
    );
    assert!(said.contains("no certificate below it is valid any more"), "{said}");
    assert!(said.contains("hint: if you want that, add --ca-certificate"), "{said}");
    let line = "device revoke sly --reason keyCompromise --yes --ca-certificate";
    let said = cli.run(line).expect(0);
    assert!(said.stderr.contains("the CA CN=Line,O=Example issues nothing any more"), "{said:?}");
    let said = cli.fails(2, &format!("device issue x --ca line --out out {CA_PW}"));
    assert!(said.contains("was revoked on 20"), "{said}");
}

/// The first byte of each prime, as `openssl rsa -text` shows it.
fn first_bytes_of_primes(openssl: &Tool, key: &str) -> Vec<u8> {
    let text = openssl.run(&["rsa", "-in", key, "-check", "-noout", "-text"]);
    assert!(text.contains("RSA key ok"), "{text}");
    let after = |name: &str| text.split(name).nth(1).expect("it is there").trim_start().to_owned();
    let first = |hex: String| {
        let hex = hex.strip_prefix("00:").unwrap_or(&hex);
        u8::from_str_radix(&hex[..2], 16).expect("hex")
    };
    ["prime1:", "prime2:"].map(|name| first(after(name))).to_vec()
}

/// All our primes begin with two bits that are set, and about one in seven of the backend's does not: so
/// 48 keys tell who made them, but for one time in four millions.
#[test]
fn rsa_keys_are_made_by_whom_it_was_said() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::with_cas();
    let primes = |folder: &str, ids: std::ops::Range<u32>| -> Vec<u8> {
        let key = |n| cli.arg(&format!("{folder}/d-{n}/key.pem"));
        ids.flat_map(|n| first_bytes_of_primes(&openssl, &key(n))).collect()
    };
    let list: String = (0..48).map(|n| format!("d-{n}\n")).collect();
    cli.write("ids.csv", format!("id\n{list}"));
    let issue = "device issue --from ids.csv --ca line --key-type rsa-2048";
    cli.ok(&format!("{issue} --rsa-keys backend --out by-backend {CA_PW}"));
    assert!(primes("by-backend", 0..48).iter().any(|byte| byte >> 6 == 2));
    let own = "device issue d-100 d-101 d-102 d-103 --ca line --key-type rsa-2048 --out own";
    cli.ok(&format!("{own} {CA_PW}"));
    assert!(primes("own", 100..104).iter().all(|byte| byte >> 6 == 3));
    // A profile says it too.
    let text = cli.ok("profile show classic-device");
    cli.write("own.toml", format!("rsa_keys = \"openssl\"\n{text}"));
    let said = cli.run(&format!("device issue e --ca line --profile own.toml --out e {CA_PW}"));
    let said = said.expect(2).stderr;
    assert!(
        said.contains(
            "own.toml line 1: `rsa_keys` cannot be \"openssl\": allowed are own, backend"
        ),
        "{said}"
    );
    cli.write("own.toml", format!("rsa_keys = \"backend\"\n{text}"));
    cli.ok(&format!(
        "device issue e --ca line --profile own.toml --key-type rsa-2048 --out e {CA_PW}"
    ));
    first_bytes_of_primes(&openssl, &cli.arg("e/e/key.pem"));
}

#[test]
fn who_makes_rsa_keys_is_not_asked_where_none_is_made() {
    let cli = Cli::with_cas();
    for line in [
        "device issue a --ca line --out out --key-pool --rsa-keys backend",
        "device renew a --out out --reuse-key --rsa-keys backend",
        "device issue a --ca line --out out --rsa-keys openssl",
        "key pool fill --type rsa-2048 --count 1 --rsa-keys openssl",
        "device enrol a --out out --host h --renew --reuse-key --rsa-keys backend",
    ] {
        let said = cli.run(line).expect(2).stderr;
        assert!(said.contains("--rsa-keys"), "{line}: {said}");
    }
}
