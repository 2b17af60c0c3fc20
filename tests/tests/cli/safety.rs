//! Secrets stay secret, nobody is asked who cannot answer, and damaged input is no disaster.
//!
//! That no output ever holds the password, and that nothing panics, is checked by every run of
//! every test (`c8y_pki_tests::cli`).

use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD, walk};
use c8y_pki_tests::running::Running;

const STORE_PW: &str = "--store-password-file pw";

/// CAs, and a device `d` with all bundles in `out/d`.
fn with_device() -> Cli {
    let cli = Cli::with_cas();
    cli.ok(&format!(
        "device issue d --ca line --out out {CA_PW} {STORE_PW} \
         --bundle pem,p12,jks,truststore-p12,truststore-jks --server-cert pki/ca/root/cert.pem"
    ));
    cli
}

#[cfg(unix)]
#[test]
fn secrets_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let cli = with_device();
    cli.ok("rollout --example demo");
    cli.ok(&format!("ca crl line {CA_PW}"));
    cli.ok("key new --type ec-p256 --out one.key --plain");
    cli.ok("key new --type ec-p256 --out two.key --password-file pw");
    cli.ok("key passwd one.key --out three.key --new-password-file pw");
    cli.ok("key passwd one.key --plain");
    cli.ok(&format!("store create t.jks --trusted out/d/cert.pem {STORE_PW}"));
    cli.ok("store create d.pem --key out/d/key.pem --cert out/d/chain.pem");
    cli.ok(&format!("store add t.jks --alias two --trusted pki/ca/root/cert.pem {STORE_PW}"));
    let (mut files, mut folders) = (0, 0);
    walk(&cli.path(""), &mut |path| {
        let mode = path.metadata().expect("metadata").permissions().mode() & 0o777;
        let name = path.strip_prefix(cli.path("")).expect("below").display().to_string();
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{name} has mode {mode:o}");
            folders += 1;
            return;
        }
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let text = String::from_utf8_lossy(&std::fs::read(path).expect("a file")).into_owned();
        let secret = ["p12", "jks", "key"].contains(&ending)
            || text.contains("PRIVATE KEY-----")
            || name.contains("secrets/");
        if secret {
            assert_eq!(mode, 0o600, "{name} has mode {mode:o}");
            files += 1;
        }
    });
    assert!(files > 20 && folders > 10, "{files} secret files, {folders} directories");
}

#[test]
fn without_a_terminal_the_option_and_the_variable_are_named() {
    let cli = with_device();
    cli.ok("key new --type ec-p256 --out enc.key --password-file pw");
    let before = cli.snapshot("");
    let issue = "device issue new --ca line --out out";
    for (line, option, variable) in [
        ("ca init x --subject CN=x", "--ca-password-file", "C8Y_PKI_CA_PASSWORD"),
        (
            "ca add x --parent root --shorten --subject CN=x",
            "--parent-password-file",
            "C8Y_PKI_PARENT_PASSWORD",
        ),
        ("ca crl root", "--ca-password-file", "C8Y_PKI_CA_PASSWORD"),
        (issue, "--ca-password-file", "C8Y_PKI_CA_PASSWORD"),
        (
            &format!("{issue} {CA_PW} --bundle p12"),
            "--store-password-file",
            "C8Y_PKI_STORE_PASSWORD",
        ),
        (&format!("{issue} {CA_PW} --encrypt-keys"), "--key-password-file", "C8Y_PKI_KEY_PASSWORD"),
        ("key new --type ec-p256 --out k", "--password-file", "C8Y_PKI_KEY_PASSWORD"),
        ("key show enc.key", "--password-file", "C8Y_PKI_KEY_PASSWORD"),
        ("key passwd enc.key --plain", "--password-file", "C8Y_PKI_KEY_PASSWORD"),
        ("key passwd enc.key --password-file pw", "--new-password-file", "C8Y_PKI_NEW_PASSWORD"),
        (
            "store create t.p12 --trusted out/d/cert.pem",
            "--store-password-file",
            "C8Y_PKI_STORE_PASSWORD",
        ),
        ("store show out/d/keystore.jks", "--store-password-file", "C8Y_PKI_STORE_PASSWORD"),
        ("cert show out/d/keystore.p12", "--password-file", "C8Y_PKI_PASSWORD"),
    ] {
        let said = cli.fails(2, line);
        assert!(said.contains("there is no terminal to ask"), "{line}: {said}");
        let hint = format!("hint: give {option} FILE, or set {variable}");
        assert!(said.contains(&hint), "{line}: {said}");
    }
    assert_eq!(before, cli.snapshot(""));
}

#[test]
fn passwords_come_from_variables_and_standard_input_too() {
    let cli = Cli::with_cas();
    let password = c8y_pki_tests::cli::PASSWORD;
    let variables = [("C8Y_PKI_CA_PASSWORD", password), ("C8Y_PKI_DIR", "pki")];
    cli.run_with("device issue a --ca line --out out", &variables, b"").expect(0);
    let line = "device issue b --ca line --out out --ca-password-file -";
    cli.run_with(line, &[], format!("{password}\r\n").as_bytes()).expect(0);
    assert_eq!(cli.names("out"), ["a", "b"]);
}

#[test]
fn wrong_passwords_are_refused() {
    let cli = with_device();
    cli.ok("key new --type ec-p256 --out enc.key --password-file pw");
    cli.write("wrong", "Not-The-Password-4711");
    let before = cli.snapshot("");
    for line in [
        "ca add x --parent root --subject CN=x --ca-password-file wrong",
        "ca crl root --ca-password-file wrong",
        "device issue new --ca line --out out --ca-password-file wrong",
        "key show enc.key --password-file wrong",
        "key passwd enc.key --plain --password-file wrong",
        "store show out/d/keystore.p12 --store-password-file wrong",
        "store show out/d/keystore.jks --store-password-file wrong",
        "store add out/d/truststore.p12 --trusted out/d/cert.pem --store-password-file wrong",
        "store add out/d/truststore.jks --trusted out/d/cert.pem --store-password-file wrong",
        "cert show out/d/keystore.p12 --password-file wrong",
        "cert show enc.key --password-file wrong",
    ] {
        let said = cli.fails(2, line);
        assert!(said.contains("password") && !said.contains("Not-The"), "{line}: {said}");
    }
    assert_eq!(before, cli.snapshot(""));
}

#[test]
fn password_files_without_a_password_are_refused() {
    let cli = Cli::new();
    cli.write("empty", "");
    cli.write("line", "\nsecond");
    cli.write("folder/x", "");
    for file in ["empty", "line", "folder", "absent"] {
        let said = cli.fails(2, &format!("ca init --subject CN=x --ca-password-file {file}"));
        assert!(said.contains(file), "{said}");
    }
    assert!(cli.names("pki").is_empty());
}

/// Commands that read `{}`, where the file is not what it should be.
const READERS: [&str; 19] = [
    "cert show {}",
    "cert verify {} --trust out/d/cert.pem",
    "cert verify out/d/chain.pem --trust {}",
    "cert chain {}",
    "cert chain out/d/chain.pem {}",
    "key show {} --password-file pw",
    "key passwd {} --plain --out made --password-file pw",
    "store show {} --store-password-file pw",
    "store add {} --trusted out/d/cert.pem --store-password-file pw",
    "store create made.p12 --trusted {} --store-password-file pw",
    "store create made.p12 --key {} --cert out/d/chain.pem --store-password-file pw",
    "store create made.p12 --key out/d/key.pem --cert {} --store-password-file pw",
    "ca init made --profile {} --subject CN=x --ca-password-file pw",
    "ca add made --import {} --key out/d/key.pem --ca-password-file pw",
    "ca add made --import out/d/cert.pem --key {} --ca-password-file pw",
    "device issue --from {} --ca line --out made --ca-password-file pw",
    "device issue x --ca line --out made --profile {} --ca-password-file pw",
    "registration create --from {} --out made",
    "rollout {}",
];

/// Runs all readers on a file; each has to refuse it and make nothing.
fn all_refuse(cli: &Cli, file: &str) {
    let before = cli.snapshot("");
    for reader in READERS {
        // Text that begins a store's or key's file may be a whole certificate: that is fine.
        let said = cli.fails(2, &reader.replace("{}", file));
        assert!(said.contains(file), "{reader}: {said}");
    }
    cli.run(&format!("registration check {file}")).stdout.lines().for_each(drop);
    let line = "device issue x --ca line --out made --bundle pem,truststore-jks --server-cert";
    cli.fails(2, &format!("{line} {file} {CA_PW} {STORE_PW}"));
    assert!(before == cli.snapshot(""), "{file}: something was made");
}

#[test]
fn empty_files_are_refused_by_every_command() {
    let cli = with_device();
    cli.write("bad-input", "");
    all_refuse(&cli, "bad-input");
}

#[test]
fn folders_are_refused_by_every_command() {
    let cli = with_device();
    cli.write("bad-input/x", "");
    all_refuse(&cli, "bad-input");
}

#[test]
fn absent_files_are_refused_by_every_command() {
    all_refuse(&with_device(), "bad-input");
}

#[test]
fn garbage_is_refused_by_every_command() {
    let cli = with_device();
    let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
    cli.write("bad-input", bytes);
    all_refuse(&cli, "bad-input");
    cli.write("bad-input", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    all_refuse(&cli, "bad-input");
    cli.write("bad-input", b"\x30\x84\xff\xff\xff\xff\x02\x01");
    all_refuse(&cli, "bad-input");
}

#[test]
fn truncated_files_are_refused() {
    let cli = with_device();
    cli.ok("key new --type rsa-2048 --out enc.key --password-file pw");
    let show = ["cert show {} --password-file pw"];
    let store = [show[0], "store show {} --store-password-file pw"];
    let key = [show[0], "key show {} --password-file pw"];
    let cert = [show[0], "cert chain {}"];
    for (file, lines) in [
        ("out/d/cert.pem", &cert),
        ("out/d/chain.pem", &cert),
        ("out/d/key.pem", &key),
        ("enc.key", &key),
        ("out/d/keystore.p12", &store),
        ("out/d/keystore.jks", &store),
        ("out/d/truststore.p12", &store),
        ("out/d/truststore.jks", &store),
    ] {
        let whole = cli.read(file);
        for length in [1, 40, whole.len() / 2, whole.len() - 40, whole.len() - 5] {
            cli.write("cut", &whole[..length]);
            for line in lines {
                let outcome = cli.run(&line.replace("{}", "cut"));
                let at = format!("{file} cut to {length} of {}", whole.len());
                assert_eq!(outcome.code, 2, "{at}: {outcome:?}");
                outcome.error();
            }
        }
    }
}

// ---- weak passwords

/// Weak, and how that is said; none of them may be shown.
const WEAK: [(&str, &str); 4] = [
    ("q", "it has fewer than 12 characters"),
    ("x8#Lq-44zPw", "it has fewer than 12 characters"),
    ("Password123456", "this is similar to a commonly used password"),
    ("Cumulocity-2026", "it can be found with fewer than 10^10 guesses"),
];

#[test]
fn a_weak_password_protects_no_new_key_of_a_ca() {
    let cli = Cli::with_cas();
    cli.ok("key new --type ec-p256 --out k.pem --password-file pw");
    cli.write("rollout.toml", ROLLOUT);
    cli.write("devices.csv", "id\ngw-1\n");
    for (weak, said) in WEAK {
        cli.write("weak.pw", format!("{weak}\n"));
        let before = cli.snapshot("");
        for line in [
            "ca init new --subject CN=New --ca-password-file weak.pw",
            "ca init new --pki other --subject CN=New --ca-password-file weak.pw",
            "ca add new --parent root --subject CN=New --ca-password-file weak.pw \
             --parent-password-file pw",
            "ca renew line --new-key new --ca-password-file weak.pw --parent-password-file pw",
            "ca add new --import pki/ca/line/cert.pem --key pki/ca/line/key.pem \
             --key-password-file pw --ca-password-file weak.pw",
            "key new --type ec-p256 --out new.key --password-file weak.pw",
            "key passwd k.pem --password-file pw --new-password-file weak.pw",
            "rollout rollout.toml --plan",
            "rollout rollout.toml",
        ] {
            let refused = cli.fails(2, line);
            assert!(
                refused.contains("the password is too weak for a CA's key: "),
                "{line}: {refused}"
            );
            assert!(refused.contains(said), "{line}: {refused}");
            assert!(refused.contains("--weak-password"), "{line}: {refused}");
            assert!(!refused.contains(weak) || weak == "q", "{line}: {refused}");
        }
        assert_eq!(before, cli.snapshot(""), "{weak}");
    }
}

const ROLLOUT: &str = "pki = \"rolled\"\n[passwords]\nca = \"weak.pw\"\n\
    [[ca]]\nname = \"root\"\nprofile = \"root\"\nsubject = \"CN=Root\"\n\
    [devices]\nfrom = \"devices.csv\"\nca = \"root\"\nprofile = \"device\"\nout = \"rolled-out\"\n\
    bundle = [\"pem\"]\n";

#[test]
fn a_weak_password_is_taken_where_that_is_asked_for_and_opens_what_it_protects() {
    let cli = Cli::new();
    let (weak, _) = WEAK[1];
    cli.write("weak.pw", format!("{weak}\n"));
    cli.write("rollout.toml", ROLLOUT);
    cli.write("devices.csv", "id\ngw-1\n");
    for line in [
        "ca init --subject CN=Root --ca-password-file weak.pw --weak-password",
        "ca add line --parent root --subject CN=Line --ca-password-file weak.pw --weak-password",
        "ca renew line --new-key next --ca-password-file weak.pw --weak-password",
        "key new --type ec-p256 --out k.pem --password-file weak.pw --weak-password",
        "key passwd k.pem --password-file weak.pw --new-password-file weak.pw --weak-password",
        "rollout rollout.toml --weak-password",
    ] {
        let done = cli.run(line).expect(0);
        assert!(done.stderr.contains("it is used because of --weak-password"), "{line}: {done:?}");
        assert!(!format!("{done:?}").contains(weak), "{line}: {done:?}");
    }
    // What only opens a key is never judged; nor is what protects the key of a device.
    for line in [
        "device issue gw-1 --ca line --out out --ca-password-file weak.pw --encrypt-keys \
         --key-password-file weak.pw --bundle p12 --store-password-file weak.pw",
        "ca crl line --ca-password-file weak.pw",
        "ca renew line --ca-password-file weak.pw",
        "key show k.pem --password-file weak.pw",
        "key passwd k.pem --password-file weak.pw --out plain.pem --plain",
        "key pool fill --type ec-p256 --count 1 --pool-password-file weak.pw",
        "rollout rollout.toml",
    ] {
        let done = cli.run(line).expect(0);
        assert!(!done.stderr.contains("weak"), "{line}: {done:?}");
    }
    // A strong one is not talked of; a key that is taken in keeps a weak one only when asked.
    let strong =
        cli.run("ca init b --subject CN=B --ca-password-file pw --weak-password").expect(0);
    assert!(!strong.stderr.contains("warning"), "{strong:?}");
    let line = "ca add line --pki other --import pki/ca/line/chain.pem --key pki/ca/line/key.pem \
                --key-password-file weak.pw";
    let said = cli.fails(2, line);
    assert!(said.contains("the key would keep the password that it came with"), "{said}");
    let kept = cli.run(&format!("{line} --weak-password")).expect(0);
    assert!(kept.stderr.contains("it is used because of --weak-password"), "{kept:?}");
}

#[test]
fn a_wrong_password_names_the_variable_that_it_came_from() {
    let cli = with_device();
    cli.write("wrong", "another one\n");
    let line = "device issue e --ca line --out out";
    let variable = [("C8Y_PKI_CA_PASSWORD", "another one")];
    let said = cli.run_with(line, &variable, b"").expect(2).stderr;
    assert!(said.contains("the password came from C8Y_PKI_CA_PASSWORD"), "{said}");
    // What was given on the line counts, and has a name there.
    let file = format!("{line} --ca-password-file wrong");
    let said = cli.run_with(&file, &variable, b"").expect(2).stderr;
    assert!(!said.contains("came from"), "{said}");
    let said = cli.run_with(line, &[("C8Y_PKI_CA_PASSWORD", PASSWORD)], b"").expect(0).stderr;
    assert!(!said.contains("came from"), "{said}");
    cli.ok("key new --type ec-p256 --out e.key --password-file pw");
    let said = cli.run_with("key show e.key", &[("C8Y_PKI_KEY_PASSWORD", "another one")], b"");
    assert!(said.expect(2).stderr.contains("the password came from C8Y_PKI_KEY_PASSWORD"));
}

#[cfg(unix)]
#[test]
fn passwords_of_a_run_that_was_stopped_are_where_it_says() {
    let cli = Cli::with_cas();
    let list: String = (1..=400).map(|n| format!("gw-{n}\n")).collect();
    cli.write("list.csv", format!("id\n{list}"));
    let line = format!(
        "device issue --from list.csv --ca line --out out --bundle p12 --key-type rsa-2048 --threads 1 --iterations 1 \
         --secrets secrets.csv {CA_PW}"
    );
    let mut run = Running::start(&cli, &line);
    assert!(run.wait_until(|_| cli.path("out/gw-1").exists()));
    run.signal("INT");
    let said = run.finish().expect(3).stderr;
    let part = cli.path("secrets.csv.part");
    assert!(said.contains(part.canonicalize().unwrap().to_str().unwrap()), "{said}");
    assert!(!cli.path("secrets.csv").exists());
    let so_far = cli.text("secrets.csv.part");
    assert!(so_far.lines().count() > 1, "{so_far:?}");
    let done = cli.run(&line).expect(0).stderr;
    assert!(done.contains("the store passwords are in secrets.csv: "), "{done}");
    assert!(!part.exists());
    assert_eq!(cli.text("secrets.csv").lines().count(), 401);
}
