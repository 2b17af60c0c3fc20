//! Revocation lists that cannot be used: `cert verify --crl` does not pass them over. OpenSSL judges too.

use c8y_pki_core::cert::Certificate;
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::{arg, python_dir, python_with, tool};

const VERIFY: &str = "cert verify --trust pki/ca/root/cert.pem out/a/chain.pem";
const GOOD: &str = "--crl pki/ca/line/crl.pem";

fn issued() -> Cli {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue a --ca line --out out {CA_PW}"));
    cli.ok(&format!("ca crl line {CA_PW}"));
    cli.ok(&format!("{VERIFY} {GOOD}"));
    cli
}

/// OpenSSL's verdict with one list; none without OpenSSL.
fn openssl_accepts(cli: &Cli, list: &str) -> Option<bool> {
    let [root, line, list, leaf] =
        ["pki/ca/root/cert.pem", "pki/ca/line/cert.pem", list, "out/a/cert.pem"]
            .map(|f| cli.arg(f));
    let args =
        ["verify", "-crl_check", "-CAfile", &root, "-untrusted", &line, "-CRLfile", &list, &leaf];
    Some(tool("openssl")?.output(&args).status.success())
}

/// Refused alone, and beside a good one, whichever comes first.
fn is_refused(cli: &Cli, list: &str, words: &str) {
    for lists in
        [format!("--crl {list}"), format!("--crl {list} {GOOD}"), format!("{GOOD} --crl {list}")]
    {
        let verdict = cli.run(&format!("{VERIFY} {lists} --json")).expect(1).json();
        assert_eq!(verdict["refusal"]["rule"], "revocation-unknown", "{lists}: {verdict}");
        assert!(verdict["error"].as_str().is_some_and(|e| e.contains(words)), "{lists}: {verdict}");
    }
}

#[test]
fn a_damaged_list_makes_the_answer_no() {
    let cli = issued();
    cli.ok(&format!("ca crl line --out line.crl --der {CA_PW}"));
    let mut der = cli.read("line.crl");
    *der.last_mut().expect("bytes") ^= 1;
    cli.write("damaged.crl", &der);
    is_refused(&cli, "damaged.crl", "the signature of its list 2 does not match its key");
    // What it says of its key may be damaged too: it is still a list of that name.
    *der.last_mut().expect("bytes") ^= 1;
    let line = Certificate::all_from_pem_or_der(&cli.read("pki/ca/line/cert.pem"));
    let key_id = line.expect("a certificate")[0].subject_key_id.clone().expect("a key identifier");
    let at = der.windows(key_id.len()).position(|part| *part == *key_id).expect("its identifier");
    der[at] ^= 1;
    cli.write("other-key.crl", &der);
    is_refused(&cli, "other-key.crl", "the signature of its list 2 does not match its key");
    // OpenSSL's -CRLfile takes PEM.
    let Some(openssl) = tool("openssl") else { return };
    let (from, to) = (cli.arg("damaged.crl"), cli.arg("damaged.pem"));
    openssl.run(&["crl", "-inform", "DER", "-in", &from, "-out", &to]);
    assert_eq!(openssl_accepts(&cli, "damaged.pem"), Some(false));
    assert_eq!(openssl_accepts(&cli, "pki/ca/line/crl.pem"), Some(true));
}

#[test]
fn lists_that_are_not_the_whole_or_not_yet_make_the_answer_no() {
    let cli = issued();
    let Some(python) = python_with("cryptography") else { return };
    let shown = cli.run("device show a --json").expect(0).json();
    let serial = shown["serial"].as_str().expect("a serial number").to_owned();
    python.run(&[
        arg(&python_dir().join("lists.py")),
        &cli.arg("pki/ca/line/key.pem"),
        &cli.arg("pw"),
        &cli.arg("pki/ca/line/cert.pem"),
        &cli.arg(""),
        &serial,
    ]);
    for (list, words, openssl) in [
        ("critical.crl", "its list 7 has the critical extension 1.3.6.1.4.1.99999.1", false),
        ("future.crl", "its list 7 begins at", false),
        // OpenSSL takes such an entry for none. By RFC 5280, 5.3.1, a complete list cannot have one: it
        // was revoked before, or the list is not what it says.
        ("removes.crl", "its list 7 has an entry removeFromCRL", true),
    ] {
        is_refused(&cli, list, words);
        if let Some(accepted) = openssl_accepts(&cli, list) {
            assert_eq!(accepted, openssl, "{list}");
        }
    }
}

#[test]
fn lists_that_say_nothing_about_the_path_are_named() {
    let cli = issued();
    cli.ok(&format!("ca init other --subject CN=Other --key-type ec-p256 {CA_PW}"));
    cli.ok(&format!("ca crl other {CA_PW}"));
    let good = cli.run(&format!("{VERIFY} {GOOD} --crl pki/ca/other/crl.pem")).expect(0);
    let note = "warning: the revocation list 1 of CN=Other was not used: no issuer in the path has \
                made it\n";
    assert_eq!(good.stderr, note, "{good:?}");
    let json =
        cli.run(&format!("{VERIFY} {GOOD} --crl pki/ca/other/crl.pem --json")).expect(0).json();
    let of = |place: usize, field: &str| json["lists"][place][field].clone();
    assert_eq!((of(0, "used"), of(0, "why")), (true.into(), serde_json::Value::Null), "{json}");
    assert_eq!((of(1, "used"), of(1, "number")), (false.into(), "1".into()), "{json}");
    assert_eq!(of(1, "why"), "no issuer in the path has made it");
    assert_eq!(of(1, "file"), "pki/ca/other/crl.pem");
    assert_eq!(cli.run(&format!("{VERIFY} {GOOD}")).expect(0).stderr, "");
    // Where the chain itself is refused, too: nothing was looked up.
    let untrusted = "cert verify --trust pki/ca/other/cert.pem out/a/chain.pem";
    let refused = cli.run(&format!("{untrusted} {GOOD}")).expect(1);
    assert!(refused.stderr.contains("was not used: the chain was refused before"), "{refused:?}");
}
