//! CAs whose keys are in a token: SoftHSM2 keeps and signs, OpenSSL verifies, OpenSC, GnuTLS and
//! SoftHSM2's own tool make keys that we use and look at those that we make.

use std::process::{Command, Stdio};
use std::time::Duration;

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli, Outcome, PASSWORD};
use c8y_pki_tests::hsm::{Hsm, PIN};
use c8y_pki_tests::tool;

/// Runs OpenSSL in the directory; it has to succeed. None where it is not installed.
fn openssl(cli: &Cli, line: &str) -> Option<String> {
    let mut command = Command::new(tool("openssl")?.path());
    let output = command.args(line.split_whitespace()).current_dir(cli.path("")).output();
    let output = output.expect("openssl starts");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "openssl {line}: {said}");
    Some(said)
}

fn verify(cli: &Cli, arguments: &str) -> Option<String> {
    openssl(cli, &format!("verify -x509_strict {arguments}"))
}

#[test]
fn every_kind_of_key_signs_what_openssl_verifies() {
    for key_type in ["rsa-2048", "rsa-3072", "ec-p256", "ec-p384", "ec-p521"] {
        let Some(hsm) = Hsm::new() else { return };
        let cli = hsm.with_root(key_type);
        hsm.ok(&cli, &format!("ca add line --parent root --subject CN=Line {CA_PW}"));
        hsm.ok(&cli, "ca crl root");
        cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
        let chain = "-CAfile pki/ca/root/cert.pem -CRLfile pki/ca/root/crl.pem";
        let Some(said) = verify(&cli, &format!("{chain} -crl_check pki/ca/line/cert.pem")) else {
            return;
        };
        assert!(said.contains("OK"), "{key_type}: {said}");
        verify(
            &cli,
            "-CAfile pki/ca/root/cert.pem -untrusted pki/ca/line/cert.pem out/gw-1/cert.pem",
        );

        cli.write("code", "a code");
        hsm.ok(&cli, "pop sign code --ca root --out signed");
        openssl(&cli, "base64 -d -A -in signed -out signature");
        openssl(&cli, "x509 -in pki/ca/root/cert.pem -pubkey -noout -out public.pem");
        openssl(&cli, "dgst -sha256 -verify public.pem -signature signature code");

        let kept = cli.snapshot("pki/ca/root");
        let kept: Vec<u8> = kept.into_iter().filter_map(|(_, bytes)| bytes).flatten().collect();
        assert!(!String::from_utf8_lossy(&kept).contains("PRIVATE KEY"), "{key_type}");
        let Some(objects) = hsm.pkcs11_tool(&["--list-objects", "--type", "privkey"]) else {
            return;
        };
        for word in ["sensitive", "always sensitive", "never extractable", "label:      root"] {
            assert!(objects.contains(word), "{key_type}: no {word:?} in {objects}");
        }
    }
}

#[test]
fn a_line_is_run_from_a_token() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = hsm.with_root("ec-p256");
    let token = "--token 'pkcs11:token=Factory;object=line'";
    hsm.ok(&cli, &format!("ca add line --parent root --subject CN=Line {token}"));
    let list = (1..=300).map(|n| format!("gw-{n:04}\n")).collect::<String>();
    cli.write("list.csv", format!("id\n{list}"));
    let made = hsm.ok(&cli, "device issue --from list.csv --ca line --out out --threads 4");
    assert!(made.contains("300 devices issued"), "{made}");
    for id in ["gw-0001", "gw-0300"] {
        let chain = "-CAfile pki/ca/root/cert.pem -untrusted pki/ca/line/cert.pem";
        if verify(&cli, &format!("{chain} out/{id}/cert.pem")).is_none() {
            return;
        }
    }
    openssl(&cli, "req -new -newkey rsa:2048 -nodes -keyout own.key -subj /CN=own -out own.csr");
    hsm.ok(&cli, "device sign own.csr --ca line --out signed");
    hsm.ok(&cli, "device renew gw-0001 --ca line --out out");
    cli.ok("device revoke gw-0002 --reason keyCompromise");
    hsm.ok(&cli, "ca crl line");
    let list = openssl(&cli, "crl -in pki/ca/line/crl.pem -noout -text");
    assert!(list.is_some_and(|text| text.contains("Key Compromise")));
    hsm.ok(&cli, "device manifest --out manifest");
    openssl(&cli, "x509 -in pki/ca/line/cert.pem -pubkey -noout -out public.pem");
    let signed = "-signature manifest/manifest.csv.sig manifest/manifest.csv";
    openssl(&cli, &format!("dgst -sha256 -verify public.pem {signed}"));
    hsm.ok(&cli, "ca renew root");
    hsm.ok(&cli, "ca renew line");
    let bare = hsm.fails(&cli, 2, "ca renew line --new-key line-b");
    assert!(bare.contains("the new one would be in a file"), "{bare}");
    let new = "--token 'pkcs11:token=Factory;object=line-b'";
    hsm.ok(&cli, &format!("ca renew line --new-key line-b {new}"));
    verify(&cli, "-CAfile pki/ca/root/cert.pem pki/ca/line-b/cert.pem");
    cli.ok("registry check");
    let list = cli.ok("ca list");
    assert_eq!(list.matches("EC P-256, in a token").count(), 3, "{list}");
    let shown = cli.ok("ca show line");
    assert!(shown.contains("key           pkcs11:token=Factory;object=line;id=%"), "{shown}");
}

#[test]
fn keys_that_others_have_made_are_used() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = Cli::new();

    // A CA that OpenSSL has made, whose key goes into the token with SoftHSM2's own tool.
    let made = "req -x509 -newkey rsa:2048 -nodes -keyout old.key -subj /CN=Old -days 900 -out old.pem \
                -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign";
    if openssl(&cli, made).is_none() {
        return;
    }
    openssl(&cli, "pkcs8 -topk8 -nocrypt -in old.key -out old.p8");
    hsm.import(&cli.arg("old.p8"), "old", "0a0b");
    hsm.ok(&cli, "ca add old --import old.pem --key 'pkcs11:token=Factory;id=%0A%0B'");
    assert!(
        cli.text("pki/ca/old/key.uri").starts_with("pkcs11:token=Factory;object=old;id=%0A%0B?")
    );
    hsm.ok(&cli, "device issue gw-1 --ca old --out out");
    verify(&cli, "-CAfile old.pem out/gw-1/cert.pem");

    // Keys of OpenSC and of GnuTLS.
    let made = ["--keypairgen", "--key-type", "EC:secp384r1", "--label", "opensc", "--id", "01"];
    if hsm.pkcs11_tool(&made).is_none() {
        return;
    }
    let Some(p11tool) = tool("p11tool") else { return };
    let provider = format!("--provider={}", hsm.module());
    let pin = format!("--set-pin={PASSWORD}");
    let made = ["--generate-privkey=rsa", "--bits=2048", "--label=gnutls", "--login"];
    hsm.run(&p11tool, &[&[provider.as_str(), &pin], &made[..], &["pkcs11:token=Factory"]].concat());
    for (label, algorithm) in [("opensc", "EC P-384"), ("gnutls", "RSA 2048 bits")] {
        let uri = format!("'pkcs11:token=Factory;object={label}'");
        let taken = format!("ca init {label} --subject CN={label} --token {uri}");
        let there = hsm.fails(&cli, 2, &taken);
        assert!(there.contains("has a private key") && there.contains("--existing-key"), "{there}");
        hsm.ok(&cli, &format!("{taken} --existing-key"));
        verify(&cli, &format!("-CAfile pki/ca/{label}/cert.pem pki/ca/{label}/cert.pem"));
        let shown = hsm.ok(&cli, &format!("key show {uri}"));
        assert!(shown.contains(algorithm), "{shown}");
        // One key is one CA's.
        let again = format!("ca init again --subject CN=Again --token {uri} --existing-key");
        let refused = hsm.fails(&cli, 2, &again);
        assert!(refused.contains(&format!("is that of the CA {label:?}")), "{refused}");
        let renewed = format!("ca renew {label} --new-key again --token {uri} --existing-key");
        assert!(hsm.fails(&cli, 2, &renewed).contains("is that of the CA"));
    }
}

#[test]
fn possession_is_proven_at_a_tenant() {
    let Some(hsm) = Hsm::new() else { return };
    let at = AtTenant::new(hsm.with_root("ec-p384"));
    let both = [&hsm.variables()[..], &[PIN]].concat();
    let said = at.run_with("tenant trust add --ca root --prove", &both).expect(0).stdout;
    assert!(said.contains("Root"), "{said}");
    assert_eq!(at.list("trusted_certificates")[0]["proof_of_possession_valid"], true);

    let other = "ca init other --subject CN=Other --token 'pkcs11:token=Factory;object=other'";
    hsm.ok(&at.cli, other);
    at.ok("tenant trust add pki/ca/other/cert.pem");
    let prove = "pop prove --cert pki/ca/other/cert.pem --key pkcs11:token=Factory;object=";
    let wrong = at.run_with(&format!("{prove}root"), &both).expect(2);
    assert!(wrong.error().contains("does not belong to the certificate"), "{wrong:?}");
    at.run_with(&format!("{prove}other"), &both).expect(0);
    let proven = at.list("trusted_certificates");
    assert!(proven.iter().all(|c| c["proof_of_possession_valid"] == true), "{proven:?}");
}

#[test]
fn a_rollout_makes_its_root_in_a_token() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = Cli::new();
    let token =
        format!("token = \"pkcs11:token=Factory;object=root?module-path={}\"\n", hsm.module());
    let example = cli.ok("profile show rollout.toml");
    let with = |from: &str, to: &str, text: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    let text = with("name = \"root\"\n", &format!("name = \"root\"\n{token}"), &example);
    cli.write("demo/devices.csv", cli.ok("profile show devices.csv"));
    cli.write("demo/rollout.toml", &text);
    let no_pin = cli.fails(2, "rollout demo/rollout.toml --plan");
    assert!(no_pin.contains("\"root\" is in a token, and the file names no PIN"), "{no_pin}");
    let text = with("create = true\n", "create = true\npin = \"pin\"\n", &text);
    cli.write("demo/rollout.toml", &text);
    let no_file = cli.fails(2, "rollout demo/rollout.toml");
    assert!(no_file.contains("demo/pin"), "{no_file}");
    assert!(!cli.path("demo/pki").exists());
    cli.write("demo/pin", PASSWORD);
    // The plan tells of secrets that others can read.
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(cli.path("demo/pin"), private).expect("its mode");
    let done = hsm.cli(&cli, "rollout demo/rollout.toml", &[]).expect(0).stdout;
    assert!(done.contains("4 devices issued"), "{done}");
    let again = hsm.cli(&cli, "rollout demo/rollout.toml", &[]).expect(0).stdout;
    assert!(again.contains("Nothing to do"), "{again}");
    assert!(cli.path("demo/pki/ca/root/key.uri").exists());
    let chain = "-untrusted demo/pki/ca/line-7/cert.pem demo/out/devices/gw-200-26470000/cert.pem";
    verify(&cli, &format!("-CAfile demo/pki/ca/root/cert.pem {chain}"));
    // Of what is there already, the file says the same.
    let other = with("name = \"edge\"\n", &format!("name = \"edge\"\n{token}"), &text);
    cli.write("demo/rollout.toml", other);
    let in_file = cli.fails(2, "rollout demo/rollout.toml --plan");
    assert!(in_file.contains("the key of the CA \"edge\" is in a file"), "{in_file}");
    cli.write("demo/rollout.toml", with("?module-path=", "?module=", &text));
    let bad = cli.fails(2, "rollout demo/rollout.toml");
    assert!(bad.contains("rollout.toml line") && bad.contains("PKCS#11 URI"), "{bad}");
}

/// Two stations and one token: each has its own session and its own devices. The second begins when the
/// first is at work: SoftHSM2 writes its token's file anew at each login, and a process that loads it at
/// that moment finds no token (exit code 3: trying again helps).
#[test]
fn two_processes_sign_with_one_token() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = hsm.with_root("ec-p256");
    let start = |station: &str, devices: usize| {
        let list = (1..=devices).map(|n| format!("{station}-{n}\n")).collect::<String>();
        cli.write(&format!("{station}.csv"), format!("id\n{list}"));
        let line = format!("device issue --from {station}.csv --ca root --out {station}");
        let mut command: Command = cli.command(&line);
        command.envs(hsm.variables()).envs([PIN]).spawn().expect("it starts")
    };
    let mut first = start("a", 2000);
    while cli.names("a").iter().all(|name| name.starts_with('.')) {
        assert!(first.try_wait().expect("a process").is_none(), "it was too fast");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut second = start("b", 200);
    let ends = [second.wait().expect("it ends"), first.wait().expect("it ends")];
    assert!(ends.iter().all(std::process::ExitStatus::success), "{ends:?}");
    cli.ok("registry check");
    assert_eq!((cli.names("a").len(), cli.names("b").len()), (2000, 200));
}

#[test]
fn a_token_that_is_pulled_out_stops_a_run_and_the_same_line_finishes_it() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = hsm.with_root("ec-p256");
    let list = (1..=4000).map(|n| format!("gw-{n}\n")).collect::<String>();
    cli.write("list.csv", format!("id\n{list}"));
    let line = "device issue --from list.csv --ca root --out out";
    let mut command = cli.command(line);
    command.envs(hsm.variables()).envs([PIN]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut run = command.spawn().expect("it starts");
    while cli.names("out").iter().all(|name| name.starts_with('.')) {
        assert!(run.try_wait().expect("a process").is_none(), "it was too fast");
        std::thread::sleep(Duration::from_millis(5));
    }
    hsm.plug(false);
    let output = run.wait_with_output().expect("it ends");
    let stopped = Outcome::of(line, &output).expect(3);
    assert!(stopped.error().starts_with("the token \"Factory\" failed at"), "{stopped:?}");
    assert!(stopped.stderr.contains("then run the same command again"), "{stopped:?}");
    let issued = cli.names("out").len();
    assert!(issued < 4000, "{issued}");
    hsm.plug(true);
    hsm.ok(&cli, line);
    assert_eq!(cli.names("out").len(), 4000);
    cli.ok("registry check");
}

#[test]
fn a_rollout_goes_on_where_only_the_key_was_made() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = Cli::new();
    let made = ["--keypairgen", "--key-type", "EC:secp384r1", "--label", "root", "--id", "01"];
    if hsm.pkcs11_tool(&made).is_none() {
        return;
    }
    cli.write("devices.csv", cli.ok("profile show devices.csv"));
    cli.write("pin", PASSWORD);
    let example = cli.ok("profile show rollout.toml").replacen(
        "create = true\n",
        "create = true\npin = \"pin\"\n",
        1,
    );
    let root = |more: &str| {
        let token =
            format!("token = \"pkcs11:token=Factory;object=root?module-path={}\"", hsm.module());
        example.replacen("name = \"root\"", &format!("name = \"root\"\n{token}\n{more}"), 1)
    };
    cli.write("r.toml", root(""));
    let there = hsm.fails(&cli, 2, "rollout r.toml");
    assert!(there.contains("existing_key = true"), "{there}");
    cli.write("r.toml", root("existing_key = true"));
    hsm.ok(&cli, "rollout r.toml");
    assert!(cli.text("pki/ca/root/key.uri").contains(";id=%01?"));
    // One PIN is for one token.
    hsm.add_token("Two", "another-pin");
    let edge = format!(
        "name = \"edge\"\ntoken = \"pkcs11:token=Two;object=e?module-path={}\"",
        hsm.module()
    );
    let two = root("").replacen("name = \"edge\"", &edge, 1).replace("\"pki\"", "\"new\"");
    cli.write("two.toml", two);
    let said = hsm.fails(&cli, 2, "rollout two.toml --plan");
    assert!(said.contains("\"root\" and \"edge\" are in different tokens"), "{said}");
    // The file says all of it, the module too.
    let uri = cli.text("pki/ca/root/key.uri");
    cli.write("pki/ca/root/key.uri", uri.split_once('?').expect("a module").0);
    let bare = hsm.fails(&cli, 2, "rollout r.toml");
    assert!(bare.contains("pki/ca/root/key.uri: the URI has no module-path"), "{bare}");
}

#[test]
fn a_key_that_is_gone_from_its_token_is_found_and_one_that_cannot_be_seen_is_not_called_good() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = hsm.with_root("ec-p256");
    let check = |variables: &[(&str, &str)], code: i32| {
        let report = hsm.cli(&cli, "registry check --json", variables).expect(code).json();
        (report["token_keys"][0]["state"].as_str().expect("a state").to_owned(), report)
    };
    assert_eq!(check(&[], 0).0, "visible");
    assert_eq!(check(&[PIN], 0).0, "good");
    // A PIN that is wrong is not the key's fault.
    let (state, report) = check(&[("C8Y_PKI_TOKEN_PIN", "9999")], 0);
    assert_eq!(state, "not_looked_at", "{report}");
    // Nor is a token that lies in a safe.
    hsm.plug(false);
    let (state, report) = check(&[PIN], 0);
    assert_eq!(state, "not_looked_at", "{report}");
    let said = hsm.cli(&cli, "registry check", &[]).expect(0).stdout;
    assert!(said.contains("not checked: the key of the CA root: "), "{said}");
    hsm.plug(true);

    if hsm.pkcs11_tool(&["--delete-object", "--type", "privkey", "--label", "root"]).is_none() {
        return;
    }
    let said = hsm.cli(&cli, "registry check", &[PIN]).expect(1).stdout;
    let sentence = "ca: the CA root: the token \"Factory\" has no private key for pkcs11:";
    assert!(said.contains(sentence), "{said}");
    // Its public half is still there, which proves nothing.
    assert_eq!(check(&[], 0).0, "visible");
    hsm.pkcs11_tool(&["--delete-object", "--type", "pubkey", "--label", "root"]);
    let (state, report) = check(&[], 0);
    assert_eq!(state, "not_looked_at", "{report}");
    assert_eq!(check(&[PIN], 1).0, "missing");
    // A key of that name and id which is another one.
    let id = cli.text("pki/ca/root/key.uri");
    let id = id.split("id=").nth(1).and_then(|rest| rest.split(['?', ';', '\n']).next());
    let id = id.expect("an id").replace('%', "");
    let made = ["--keypairgen", "--key-type", "EC:prime256v1", "--label", "root", "--id", &id];
    hsm.pkcs11_tool(&made);
    let (state, report) = check(&[PIN], 1);
    assert_eq!(state, "missing", "{report}");
    assert!(
        report["findings"].to_string().contains("is not the key of its certificate"),
        "{report}"
    );
}
