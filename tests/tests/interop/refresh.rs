//! `device refresh`: after a CA was renewed its devices' files get the new chain, and nothing else changes. OpenSSL,
//! Java's keytool and the files themselves judge.

use std::fs;

use c8y_pki_tests::cli::{CA_PW, Cli, a_second_passes};
use c8y_pki_tests::tool;

const STORE_PW: &str = "--store-password-file store.pw";

/// Devices with all kinds of files under `line`, which is then renewed.
fn renewed() -> Cli {
    let cli = Cli::with_cas();
    cli.write("store.pw", "Store-Pass-9");
    let issue = "device issue a b --ca line --out out --bundle pem,p12,jks,thin-edge";
    cli.ok(&format!("{issue} {STORE_PW} {CA_PW}"));
    cli.write("out/a/notes.txt", "kept");
    a_second_passes();
    let said = cli.run(&format!("ca renew line --days 1000 {CA_PW}")).expect(0).stderr;
    for part in [
        "2 devices have a live certificate",
        "device refresh --out",
        "tenant trust add",
        "chain.pem",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    cli
}

fn new_chain(cli: &Cli, id: &str) -> String {
    cli.text(&format!("out/{id}/cert.pem")) + &cli.text("pki/ca/line/chain.pem")
}

#[test]
fn chains_and_keystores_are_rewritten_and_keys_stay() {
    let cli = renewed();
    let before = cli.snapshot("out/a");
    let done =
        cli.run(&format!("device refresh --out out {STORE_PW} --json")).expect(0).json_lines();
    assert_eq!(done[0]["refreshed"].as_array().map(Vec::len), Some(2), "{done:?}");
    for id in ["a", "b"] {
        assert_eq!(cli.text(&format!("out/{id}/chain.pem")), new_chain(&cli, id));
        assert_eq!(cli.text(&format!("out/{id}/tedge-certificate.pem")), new_chain(&cli, id));
    }
    let same = ["key.pem", "cert.pem", "tedge-private-key.pem", "tedge-setup.sh", "notes.txt"];
    for (name, contents) in before {
        let file = name.rsplit('/').next().unwrap_or_default().to_owned();
        if same.contains(&file.as_str()) {
            assert_eq!(Some(cli.read(&name)), contents, "{name}");
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for file in ["key.pem", "keystore.p12", "keystore.jks"] {
            let mode = fs::metadata(cli.path(&format!("out/a/{file}"))).expect("it is there");
            assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{file}");
        }
    }
    // Nothing is left beside them, and a second run has nothing to do.
    let visible: Vec<String> =
        cli.names("out").into_iter().filter(|name| name.starts_with(".refresh")).collect();
    assert!(visible.is_empty(), "{visible:?}");
    let again =
        cli.run(&format!("device refresh --out out {STORE_PW} --json")).expect(0).json_lines();
    assert_eq!(
        (&again[0]["current"], again[0]["refreshed"].as_array().map(Vec::len)),
        (&2.into(), Some(0))
    );
    cli.ok("registry check");
    judged_by_tools(&cli);
}

/// The new certificate of the CA is in the stores, under the alias and the password that they had.
fn judged_by_tools(cli: &Cli) {
    let serial = cli.run("cert show pki/ca/line/cert.pem --json").expect(0).json_lines();
    let serial = serial[0]["serial"].as_str().expect("a serial number").to_owned();
    if let Some(openssl) = tool("openssl") {
        let store = cli.arg("out/a/keystore.p12");
        let pass = ["-passin", "pass:Store-Pass-9"];
        let said = openssl.run(&[&["pkcs12", "-in", &store, "-nodes"][..], &pass].concat());
        assert!(said.contains("friendlyName: devicekeyentry"), "{said}");
        cli.write("from-store.pem", said);
        let own = cli.text("pki/ca/line/cert.pem");
        let body = own.lines().nth(3).expect("base64");
        assert!(cli.text("from-store.pem").contains(body));
        let root = cli.arg("pki/ca/root/cert.pem");
        let (chain, leaf) = (cli.arg("out/a/chain.pem"), cli.arg("out/a/cert.pem"));
        openssl.run(&["verify", "-CAfile", &root, "-untrusted", &chain, &leaf]);
        let key = openssl.run(&["pkey", "-in", &cli.arg("out/a/key.pem"), "-pubout"]);
        let of = openssl.run(&["x509", "-in", &cli.arg("from-store.pem"), "-noout", "-pubkey"]);
        assert_eq!(key, of);
    }
    let Some(keytool) = tool("keytool") else { return };
    for store in ["out/a/keystore.jks", "out/a/keystore.p12"] {
        let path = cli.arg(store);
        let args = ["-list", "-v", "-keystore", &path, "-storepass", "Store-Pass-9"];
        let said = keytool.run(&args).to_lowercase();
        assert!(said.contains("alias name: devicekeyentry"), "{said}");
        assert!(said.contains("certificate chain length: 3"), "{said}");
        let digits = serial.trim_start_matches('0').to_lowercase();
        assert!(said.contains(&format!("serial number: {digits}")), "{store}: {serial}: {said}");
    }
}

#[test]
fn a_store_that_does_not_open_keeps_all_files_of_its_device() {
    let cli = renewed();
    let before = cli.snapshot("out");
    cli.write("wrong.pw", "Wrong-Pass-9");
    let done = cli.run("device refresh --out out --store-password-file wrong.pw").expect(1);
    assert!(
        done.stderr.contains("keystore.jks") || done.stderr.contains("keystore.p12"),
        "{done:?}"
    );
    assert!(done.stderr.contains("none of its files was changed"), "{done:?}");
    let without = cli.run("device refresh --out out").expect(1);
    assert!(without.stderr.contains("password"), "{without:?}");
    let mut after = cli.snapshot("out");
    after.retain(|(name, _)| !name.contains(".c8y-pki-refresh.lock"));
    assert_eq!(after, before);
}

#[test]
fn each_device_may_have_a_password_of_its_own() {
    let cli = Cli::with_cas();
    let issue = "device issue a b --ca line --out out --bundle p12 --secrets secrets.csv";
    cli.ok(&format!("{issue} --compat legacy {CA_PW}"));
    a_second_passes();
    cli.ok(&format!("ca renew line --days 1000 {CA_PW}"));
    let legacy = cli.read("out/a/keystore.p12");
    cli.ok("device refresh --out out --secrets secrets.csv");
    assert_ne!(cli.read("out/a/keystore.p12"), legacy);
    let secrets = cli.text("secrets.csv");
    let password = secrets.lines().find_map(|l| l.strip_prefix("a,")?.split(',').nth(1));
    cli.write("a.pw", password.expect("a password"));
    let Some(openssl) = tool("openssl") else { return };
    let (store, file) = (cli.arg("out/a/keystore.p12"), format!("file:{}", cli.arg("a.pw")));
    let said =
        openssl.run(&["pkcs12", "-in", &store, "-info", "-noout", "-legacy", "-passin", &file]);
    assert!(
        said.contains("pbeWithSHA1And3-KeyTripleDES-CBC"),
        "what reads it today reads it still: {said}"
    );
}

#[test]
fn revoked_and_unknown_devices_are_left_alone() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue a b --ca line --out out {CA_PW}"));
    a_second_passes();
    cli.ok(&format!("ca renew line --days 1000 {CA_PW}"));
    cli.ok("device revoke a");
    let other = Cli::with_other_cas();
    other.ok(&format!("device issue stranger --ca line --out out {CA_PW}"));
    cli.write("out/stranger/cert.pem", other.read("out/stranger/cert.pem"));
    cli.write("out/no-device/readme.txt", "x");
    let before = cli.read("out/a/chain.pem");
    let done = cli.run("device refresh --out out").expect(0);
    assert!(done.stdout.starts_with("1 device rewritten"), "{done:?}");
    assert!(done.stderr.contains("a was left alone: its certificate"), "{done:?}");
    assert!(
        done.stderr.contains("stranger was left alone: no CA of this PKI directory"),
        "{done:?}"
    );
    assert_eq!(cli.read("out/a/chain.pem"), before);
    assert_eq!(cli.text("out/b/chain.pem"), new_chain(&cli, "b"));
    // A run that was stopped between two names is finished.
    fs::rename(cli.path("out/b"), cli.path("out/.refresh-b")).expect("a rename");
    fs::create_dir(cli.path("out/.refreshing-a")).expect("a directory");
    let done = cli.run("device refresh --out out --json").expect(0).json_lines();
    assert_eq!(done[0]["current"], 1, "{done:?}");
    assert_eq!(cli.text("out/b/chain.pem"), new_chain(&cli, "b"));
    assert!(!cli.path("out/.refreshing-a").exists());
}

/// Killed at any call to the file system, a device has all its new files or all its old ones, and its key; the same
/// command finishes the job.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_refresh_leaves_each_device_whole() {
    use c8y_pki_tests::faults::{Fault, Faults};
    let Some(faults) = Faults::new() else { return };
    let cli = Cli::with_cas();
    cli.write("store.pw", "Store-Pass-9");
    let issue = "device issue a b --ca line --out out --bundle pem,p12,thin-edge";
    cli.ok(&format!("{issue} {STORE_PW} {CA_PW}"));
    let old: Vec<_> = cli.snapshot("out");
    a_second_passes();
    cli.ok(&format!("ca renew line --days 1000 {CA_PW}"));
    let line = format!("device refresh --out out {STORE_PW}");
    let reset = || {
        fs::remove_dir_all(cli.path("out")).expect("a directory");
        for (name, contents) in &old {
            match contents {
                Some(contents) => cli.write(name, contents),
                None => fs::create_dir_all(cli.path(name)).expect("a directory"),
            }
        }
    };
    let calls = faults.count(&cli, &line);
    assert!(calls > 20, "only {calls}");
    for at in (1..=calls).step_by(calls.div_ceil(25).max(1)) {
        reset();
        if let Some(ended) = faults.run(&cli, &line, Fault::Killed, at) {
            ended.expect(0);
        }
        for id in ["a", "b"] {
            if !cli.path(&format!("out/{id}")).exists() {
                // Between two names, where directories cannot change places: the next run puts it back.
                continue;
            }
            let former = |file: &str| {
                let name = format!("out/{id}/{file}");
                let (_, contents) = old.iter().find(|(n, _)| *n == name).expect("it was there");
                contents.clone().expect("a file")
            };
            assert_eq!(cli.read(&format!("out/{id}/key.pem")), former("key.pem"), "call {at}");
            let is_new = cli.text(&format!("out/{id}/chain.pem")) == new_chain(&cli, id);
            for file in ["chain.pem", "tedge-certificate.pem", "keystore.p12"] {
                let changed = cli.read(&format!("out/{id}/{file}")) != former(file);
                assert_eq!(changed, is_new, "call {at}: {id}/{file}");
            }
        }
        cli.ok(&line);
        for id in ["a", "b"] {
            assert_eq!(cli.text(&format!("out/{id}/chain.pem")), new_chain(&cli, id), "call {at}");
        }
        let left: Vec<String> = cli.names("out");
        assert!(left.iter().all(|name| !name.starts_with(".refresh")), "call {at}: {left:?}");
    }
}
