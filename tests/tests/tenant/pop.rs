//! Proof of possession in pieces, for a key that is elsewhere: held against OpenSSL.

use std::fs;

use c8y_pki_sandbox::Settings;
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
    let other = at.run("pop prove --trusted Line --key pki/ca/root/key.pem --key-password-file pw");
    assert!(other.expect(2).error().contains("does not belong to the certificate"));
    assert_eq!(at.ok(prove), "Line: proof of possession is complete\n");
    // Nothing is to be signed, so no key is opened.
    assert_eq!(at.ok("pop prove --ca line"), "Line: proof of possession was complete already\n");
    let unknown = at.run("pop prove --ca root --ca-password-file pw").expect(2);
    assert!(
        unknown.error().starts_with("the tenant t1001 has no trusted certificate"),
        "{unknown:?}"
    );
    assert!(unknown.stderr.contains("hint: upload it first"), "{unknown:?}");
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
        warned.stderr.contains("ends with a line end, which is not part of the code"),
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
    let no_code = no_code.expect(2);
    let said = "holds no verification code: it has ";
    assert!(no_code.error().contains(said), "{no_code:?}");
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

// ---- what a tenant would like to have signed

/// A manifest as it was made before manifests had a mark, about a device that was never issued.
const FORGED: &str = "device_id,serial,fingerprint_sha256,public_key_sha256,not_before,not_after,status,\
                      issuer_fingerprint_sha256\nevil,00:01,aa,bb,2026-01-01T00:00:00Z,\
                      2036-01-01T00:00:00Z,live,cc\n";

/// Codes that are none, and what is said of them.
fn no_codes() -> Vec<(String, &'static str)> {
    vec![
        (FORGED.to_owned(), "it has a line end or another control character at byte 108"),
        (String::new(), "it is empty"),
        ("a".repeat(513), "it has 513 bytes, and a code has 512 at most"),
        ("code\n".to_owned(), "it has a line end or another control character at byte 5"),
        ("c\u{f6}de".to_owned(), "it has a character that is not ASCII at byte 2"),
        (format!("0A{}", "x".repeat(65)), "it is a DER value"),
        ("device_id,serial".to_owned(), "it begins with \"device_id,\""),
        ("{\"batch\":1}".to_owned(), "it begins with \"{\""),
        ("  {\"batch\":1}".to_owned(), "it begins with \"{\""),
        ("#c8y-pki manifest 2; purpose: x".to_owned(), "it begins with \"#c8y-pki \""),
    ]
}

#[test]
fn what_is_no_code_is_not_signed_and_no_password_is_asked_for() {
    let mut cli = Cli::with_cas();
    for (code, said) in no_codes() {
        let settings = Settings { verification_code: Some(code.clone()), ..Settings::default() };
        let at = AtTenant::with(cli, settings);
        at.ok("tenant trust add --ca line");
        // Without a password: it would be the first thing that is missed.
        for line in ["pop prove --ca line", "pop prove --ca line --ca-password-file pw"] {
            let refused = at.run(line).expect(1);
            let error = refused.error();
            assert!(error.contains("gives a text that is no verification code"), "{error}");
            assert!(error.contains(said), "{code:?}: {error}");
            assert_eq!(refused.stdout, "");
        }
        assert!(!is_proven(&at), "{code:?}");
        let shown = at.run("pop code --ca line --out code.txt").expect(1);
        assert!(shown.error().contains(said), "{code:?}: {shown:?}");
        assert!(!at.cli.path("code.txt").exists());
        at.cli.write("sent.txt", &code);
        // Only one line end may stand there, as an editor leaves it.
        let signed = at.cli.run("pop sign sent.txt --ca line");
        if code == "code\n" {
            assert!(signed.expect(2).error().contains("password"));
        } else {
            let signed = signed.expect(2);
            assert!(
                signed.error().contains("sent.txt holds no verification code: it "),
                "{signed:?}"
            );
            // In a file it may be an answer that was kept whole.
            let said = if code.starts_with('{') { "it is JSON" } else { said };
            assert!(signed.error().contains(said), "{code:?}: {signed:?}");
        }
        cli = at.cli;
    }
}

#[test]
fn what_others_have_signed_for_a_tenant_is_not_handed_over() {
    let Some(openssl) = tool("openssl") else { return };
    let settings = Settings { verification_code: Some(FORGED.to_owned()), ..Settings::default() };
    let at = AtTenant::with(Cli::with_cas(), settings);
    at.ok("tenant trust add --ca line --json");
    at.run("pop code --ca line").expect(1);
    at.cli.write("code.txt", FORGED);
    let (key, file, out) =
        (at.cli.arg("pki/ca/line/key.pem"), at.cli.arg("code.txt"), at.cli.arg("raw"));
    let pass = format!("file:{}", at.cli.arg("pw"));
    openssl.run(&["dgst", "-sha256", "-sign", &key, "-passin", &pass, "-out", &out, &file]);
    let refused = at.run("pop submit raw --ca line").expect(1);
    assert!(refused.error().contains("gives a text that is no verification code"), "{refused:?}");
    assert!(!is_proven(&at));
}

#[test]
fn a_rollout_signs_no_code_that_is_none() {
    let settings = Settings { verification_code: Some(FORGED.to_owned()), ..Settings::default() };
    let at = AtTenant::with(Cli::new(), settings);
    at.cli.write("devices.csv", "id\ngw-1\n");
    at.cli.write(
        "rollout.toml",
        "pki = \"pki\"\n[passwords]\nca = \"pw\"\n\
         [[ca]]\nname = \"root\"\nprofile = \"root\"\nsubject = \"CN=Root\"\n\
         [devices]\nfrom = \"devices.csv\"\nca = \"root\"\nprofile = \"device\"\nout = \"out\"\n\
         bundle = [\"pem\"]\n[tenant]\ncas = [\"root\"]\nprove = true\nregister = false\n",
    );
    let refused = at.run("rollout rollout.toml").expect(1);
    assert!(refused.error().contains("gives a text that is no verification code"), "{refused:?}");
    assert!(!is_proven(&at));
}
