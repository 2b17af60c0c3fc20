//! Proof of possession in pieces, for a key that is elsewhere: held against OpenSSL.

use std::fs;

use c8y_pki::sandbox::Settings;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, a_second_passes};
use c8y_pki_tests::{arg, tool};

fn uploaded(cli: Cli) -> AtTenant {
    let at = AtTenant::new(cli);
    at.ok("tenant trust add --ca line");
    at
}

fn is_proven(at: &AtTenant) -> bool {
    at.list("trusted_certificates")[0]["proof_of_possession_valid"] == true
}

#[test]
fn the_pieces_make_the_proof() {
    let at = uploaded(Cli::with_cas());
    let code = at.ok("pop code --ca line");
    assert!(!code.is_empty() && !code.ends_with('\n'));
    assert_eq!(at.ok("pop code --cert pki/ca/line/cert.pem"), code, "a code that is good is kept");
    assert_ne!(at.ok("pop code --trusted Line --new"), code);
    at.ok("pop code --ca line --out code.txt");
    // Signing needs no tenant.
    at.cli.ok("pop sign code.txt --ca line --ca-password-file pw --out signed.txt");
    let done = at.ok("pop submit signed.txt --ca line");
    assert_eq!(done, "Line: proof of possession is complete\n");
    assert!(is_proven(&at));
    assert_eq!(
        at.ok("pop submit signed.txt --ca line"),
        "Line: proof of possession was complete already\n"
    );
    let nothing = at.run("pop code --ca line").expect(0);
    assert_eq!(nothing.stdout, "");
    assert!(nothing.stderr.contains("the proof is complete"), "{nothing:?}");
}

#[test]
fn one_command_does_it_all() {
    let at = uploaded(Cli::with_cas());
    let prove =
        "pop prove --cert pki/ca/line/cert.pem --key pki/ca/line/key.pem --key-password-file pw";
    assert_eq!(at.ok(prove), "Line: proof of possession is complete\n");
    assert_eq!(
        at.ok("pop prove --ca line --ca-password-file pw"),
        "Line: proof of possession was complete already\n"
    );
    let unknown = at.run("pop prove --ca root --ca-password-file pw").expect(2);
    assert!(
        unknown.error().starts_with("the tenant t1001 has no trusted certificate"),
        "{unknown:?}"
    );
    assert!(unknown.stderr.contains("hint: upload it first"), "{unknown:?}");
    let other = at.run("pop prove --trusted Line --key pki/ca/root/key.pem --key-password-file pw");
    assert!(other.expect(2).error().contains("does not belong to the certificate"));
    let dry = at.ok("pop prove --ca line --dry-run");
    assert!(dry.contains("/verification-code\n") && dry.contains("(the signed code)"), "{dry}");
}

#[test]
fn a_code_that_expired_is_renewed() {
    let settings = Settings { code_seconds: 1, ..Settings::default() };
    let at = AtTenant::with(Cli::with_cas(), settings);
    at.ok("tenant trust add --ca line");
    at.ok("pop code --ca line --out code.txt");
    at.cli.ok("pop sign code.txt --ca line --ca-password-file pw --out signed.txt");
    a_second_passes();
    let late = at.run("pop submit signed.txt --ca line");
    let late = late.expect(1);
    assert!(late.stderr.contains("is not submitted: the code has expired"), "{late:?}");
    assert!(!is_proven(&at));
    let renewed = at.run("pop code --ca line --json").expect(0).json();
    assert_ne!(renewed["code"], at.cli.text("code.txt"));
    a_second_passes();
    at.ok("pop prove --ca line --ca-password-file pw");
    assert!(is_proven(&at));
}

#[test]
fn wrong_signatures_are_explained_and_not_sent() {
    let at = uploaded(Cli::with_cas());
    let code = at.ok("pop code --ca line");
    at.cli.write("line.txt", format!("{code}\n"));
    let warned = at.cli.run("pop sign line.txt --ca line --ca-password-file pw").expect(0);
    assert!(
        warned.stderr.contains("ends with a line end, which is no part of the code"),
        "{warned:?}"
    );
    at.cli.write("good.txt", &warned.stdout);

    at.cli.write("code.txt", &code);
    at.cli.ok("pop sign code.txt --ca root --ca-password-file pw --out other.txt");
    let other = at.run("pop submit other.txt --ca line").expect(1);
    assert!(other.stderr.contains("another key signed it"), "{other:?}");
    let unsigned = at.run("pop submit code.txt --ca line").expect(1);
    assert!(unsigned.error().ends_with("it is the code itself, not signed yet"), "{unsigned:?}");
    let pem = at.run("pop submit pki/ca/line/cert.pem --ca line").expect(2);
    assert!(pem.error().ends_with("holds no signed code"), "{pem:?}");
    let no_code = at.run("pop sign pki/ca/line/cert.pem --ca line --ca-password-file pw");
    assert!(no_code.expect(2).error().ends_with("holds no verification code"));
    at.cli.write("empty.txt", "\n");
    at.cli.run("pop sign empty.txt --ca line --ca-password-file pw").expect(2);
    at.cli.write("binary.txt", [0xff, 0xfe]);
    at.cli.run("pop sign binary.txt --ca line --ca-password-file pw").expect(2);
    assert!(!is_proven(&at));
    at.ok("pop submit good.txt --ca line");
    assert!(is_proven(&at));
}

#[test]
fn a_signature_with_the_line_end_from_openssl_is_recognised() {
    let Some(openssl) = tool("openssl") else { return };
    let at = uploaded(Cli::with_cas());
    let code = at.ok("pop code --ca line");
    at.cli.write("code.txt", format!("{code}\n"));
    let (key, file, out) =
        (at.cli.arg("pki/ca/line/key.pem"), at.cli.arg("code.txt"), at.cli.arg("raw"));
    let pass = format!("file:{}", at.cli.arg("pw"));
    let sign = ["dgst", "-sha256", "-sign", &key, "-passin", &pass, "-out", &out, &file];
    openssl.run(&sign);
    let line_end = at.run("pop submit raw --ca line").expect(1);
    assert!(line_end.stderr.contains("the code was signed with a line end"), "{line_end:?}");
    at.cli.write("code.txt", &code);
    openssl.run(&sign);
    at.ok("pop submit raw --ca line");
    assert!(is_proven(&at));
}

#[test]
fn what_we_sign_is_what_openssl_signs() {
    let Some(openssl) = tool("openssl") else { return };
    let cli = Cli::new();
    let code = "c8y-verification-code-0123456789";
    cli.write("code.txt", code);
    let file = cli.arg("code.txt");
    for kind in ["rsa-2048", "rsa-4096", "ec-p256", "ec-p384", "ec-p521"] {
        let key = format!("{kind}.key");
        cli.ok(&format!("key new --type {kind} --out {key} --password-file pw"));
        let ours = cli.ok(&format!("pop sign code.txt --key {key} --key-password-file pw"));
        let (key, pass) = (cli.arg(&key), format!("file:{}", cli.arg("pw")));
        let (raw, text) = (cli.arg("raw"), cli.arg("text"));
        if kind.starts_with("rsa") {
            openssl.run(&["dgst", "-sha256", "-sign", &key, "-passin", &pass, "-out", &raw, &file]);
            openssl.run(&["base64", "-A", "-in", &raw, "-out", &text]);
            assert_eq!(ours, fs::read_to_string(&text).unwrap(), "{kind}");
            continue;
        }
        cli.write("ours", &ours);
        openssl.run(&["base64", "-d", "-A", "-in", arg(&cli.path("ours")), "-out", &raw]);
        let public = cli.arg("public.pem");
        openssl.run(&["pkey", "-in", &key, "-passin", &pass, "-pubout", "-out", &public]);
        let verified =
            openssl.run(&["dgst", "-sha256", "-verify", &public, "-signature", &raw, &file]);
        assert!(verified.contains("Verified OK"), "{kind}: {verified}");
    }
    cli.ok("key new --type ed25519 --out ed.key --plain");
    let none = cli.run("pop sign code.txt --key ed.key").expect(2);
    assert_eq!(none.error(), "a key of type Ed25519 gives no signature with SHA-256");
}

#[test]
fn the_recipes_own_ca_is_uploaded_and_proven() {
    let dir = c8y_pki_tests::data_dir().join("openssl-recipe");
    let passwords = fs::read_to_string(dir.join("PASSWORDS.txt")).unwrap();
    let password = passwords.lines().find_map(|l| l.strip_prefix("caKey.pem ")).unwrap();
    let at = AtTenant::new(Cli::new());
    at.cli.write("key.pw", password);
    for name in ["caCert.pem", "caKey.pem"] {
        at.cli.write(name, fs::read(dir.join("caCertificate").join(name)).unwrap());
    }
    let add = "tenant trust add caCert.pem --prove --key caKey.pem --key-password-file key.pw";
    at.ok(add);
    assert!(is_proven(&at));
}
