//! CAs whose keys are in a token: SoftHSM2 keeps and signs, OpenSSL verifies, OpenSC, GnuTLS and
//! SoftHSM2's own tool make keys that we use and look at those that we make.

use std::process::{Command, Stdio};
use std::time::Duration;

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli, Outcome, PASSWORD};
use c8y_pki_tests::hsm::{Hsm, PIN};
use c8y_pki_tests::tool;

/// A root whose key is made in the token.
fn with_root(hsm: &Hsm, key_type: &str) -> Cli {
    let cli = Cli::new();
    let line = "ca init --subject 'CN=Root,O=Example' --token 'pkcs11:token=Factory;object=root'";
    hsm.ok(&cli, &format!("{line} --key-type {key_type}"));
    cli
}

/// Runs OpenSSL in the folder; it has to succeed. None where it is not installed.
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
        let cli = with_root(&hsm, key_type);
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
        let kept: Vec<u8> = kept.into_iter().filter_map(|(_, octets)| octets).flatten().collect();
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
    let cli = with_root(&hsm, "ec-p256");
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
fn what_is_in_a_token_is_listed_without_a_pin() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = with_root(&hsm, "ec-p256");
    hsm.add_token("Spare #2", PASSWORD);
    let listed = hsm.cli(&cli, "key list --json", &[]).expect(0).json_lines();
    assert_eq!(listed.len(), 2, "{listed:?}");
    let of = |label: &str| {
        let start = format!("pkcs11:token={label};serial=");
        let found =
            listed.iter().find(|t| t["token"].as_str().is_some_and(|u| u.starts_with(&start)));
        found.unwrap_or_else(|| panic!("{label}: {listed:?}"))
    };
    assert_eq!(of("Spare%20%232")["keys"].as_array().map(Vec::len), Some(0));
    let key = &of("Factory")["keys"][0];
    assert_eq!(key["algorithm"], "EC P-256");
    // The URI that is listed is one that is taken.
    let uri = key["uri"].as_str().expect("a URI");
    assert!(hsm.ok(&cli, &format!("key show '{uri}'")).contains("EC P-256"));
    let text = hsm.cli(&cli, "key list", &[]).expect(0).stdout;
    assert!(text.contains(uri) && text.contains("SoftHSM project"), "{text}");
}

#[test]
fn each_mistake_has_its_sentence() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = with_root(&hsm, "ec-p256");
    for id in ["01", "02"] {
        let made = ["--keypairgen", "--key-type", "EC:secp256r1", "--label", "twin", "--id", id];
        if hsm.pkcs11_tool(&made).is_none() {
            return;
        }
    }
    let always = ["--keypairgen", "--key-type", "EC:secp256r1", "--label", "strict", "--id", "03"];
    hsm.pkcs11_tool(&[&always[..], &["--always-auth"]].concat());
    let curve = ["--keypairgen", "--key-type", "EC:secp256k1", "--label", "coin", "--id", "04"];
    hsm.pkcs11_tool(&curve);
    cli.write("wrong", "1234\n");
    cli.write("text.so", "no library");
    let before = cli.snapshot("pki");
    for (code, line, error, hint) in [
        (
            2,
            "ca crl root --ca-password-file wrong",
            "key.uri: the token \"Factory\" refuses the PIN",
            "",
        ),
        (
            2,
            "key show pkcs11:token=Fabric",
            "has no token for pkcs11:token=Fabric",
            "it has Factory",
        ),
        (2, "key show pkcs11:object=rot", "has no private key for pkcs11:object=rot", "root, "),
        (
            2,
            "key show pkcs11:object=twin",
            "fits 2 private keys of the token \"Factory\"",
            "add id=",
        ),
        (2, "key show pkcs11:object=strict", "it wants the PIN again for each signature", ""),
        (2, "key show pkcs11:object=coin", "EC on a curve other than P-256", ""),
        (2, "key show pkcs11:slot=0", "a part of it is not one of token,", "it looks like pkcs11:"),
        (2, "key show 'pkcs11:object=root?pin-value=9876'", "a PIN does not belong", "a prompt"),
        (
            2,
            "key show 'pkcs11:object=root?module-path=none.so'",
            "none.so cannot be loaded",
            "maker",
        ),
        (
            2,
            "key show 'pkcs11:object=root?module-path=text.so'",
            "text.so cannot be loaded",
            "maker",
        ),
        (
            2,
            "ca init b --subject CN=B --token 'pkcs11:object=root'",
            "label \"root\" already",
            "--existing-key",
        ),
        (
            2,
            "ca init b --subject CN=B --token 'pkcs11:token=Factory'",
            "gives the new key no label",
            "object=NAME",
        ),
        (
            2,
            "ca init b --subject CN=B --key-type ed25519 --token 'pkcs11:object=ed'",
            "no key of type ed25519 is made in the token",
            "RSA, or EC",
        ),
        (2, "ca renew root --token 'pkcs11:object=new'", "--token is for a new key", "--new-key"),
    ] {
        let said = hsm.fails(&cli, code, line);
        assert!(said.contains(error) && said.contains(hint), "{line}\n{said}");
        assert!(!said.contains("9876"), "{said}");
    }
    assert!(cli.snapshot("pki") == before);
    // Without a module, and without a PIN where nobody can be asked.
    let none = cli.run_with("key show pkcs11:object=root", &[PIN], b"").expect(2);
    assert!(none.error().contains("names no PKCS#11 module"), "{none:?}");
    let asked = hsm.cli(&cli, "ca crl root", &[("C8Y_PKI_CA_PASSWORD", PASSWORD)]).expect(2);
    let wanted =
        "the PIN of the token with the CA's key is needed, and there is no terminal to ask";
    assert_eq!(asked.error(), wanted);
    assert!(asked.stderr.contains("set C8Y_PKI_TOKEN_PIN"), "{asked:?}");
    // A file that somebody has damaged: what does not need the key goes on.
    cli.write("pki/ca/root/key.uri", "token=Factory\n");
    let damaged = hsm.fails(&cli, 2, "ca crl root");
    assert!(damaged.contains("key.uri: the PKCS#11 URI"), "{damaged}");
    assert!(damaged.contains("it looks like pkcs11:"), "{damaged}");
    let listed = cli.ok("ca list");
    assert!(listed.contains("EC P-256, in a token"), "{listed}");
    let checked = cli.run("registry check").expect(1);
    assert!(checked.stdout.contains("the CA root: pki/ca/root/key.uri:"), "{checked:?}");
}

#[test]
fn a_password_for_files_is_never_given_to_a_token() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = with_root(&hsm, "ec-p256");
    cli.write("other", "another password\n");
    // What is given for the new key in a file would be a wrong PIN of the token, and counted.
    let line = "ca add line --parent root --subject CN=Line --ca-password-file other";
    let said = hsm.cli(&cli, line, &[]).expect(2);
    assert!(said.error().starts_with("the PIN of the token with the key of root"), "{said:?}");
    hsm.ok(&cli, line);
    let renew = hsm.cli(&cli, "ca renew line --ca-password-file other", &[]).expect(2);
    assert!(renew.error().starts_with("the PIN of the token"), "{renew:?}");
    hsm.ok(&cli, "ca renew line --parent-password-file pw");
    cli.ok("device issue gw-1 --ca line --out out --ca-password-file other");
}

#[test]
fn possession_is_proven_at_a_tenant() {
    let Some(hsm) = Hsm::new() else { return };
    let at = AtTenant::new(with_root(&hsm, "ec-p384"));
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

/// Two stations and one token: each has its own session and its own devices.
#[test]
fn two_processes_sign_with_one_token() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = with_root(&hsm, "ec-p256");
    let start = |station: &str| {
        let list = (1..=200).map(|n| format!("{station}-{n}\n")).collect::<String>();
        cli.write(&format!("{station}.csv"), format!("id\n{list}"));
        let line = format!("device issue --from {station}.csv --ca root --out {station}");
        let mut command: Command = cli.command(&line);
        command.envs(hsm.variables()).envs([PIN]).spawn().expect("it starts")
    };
    let both = [start("a"), start("b")];
    for mut one in both {
        assert!(one.wait().expect("it ends").success());
    }
    cli.ok("registry check");
    assert_eq!((cli.names("a").len(), cli.names("b").len()), (200, 200));
}

#[test]
fn a_token_that_is_pulled_out_stops_a_run_and_the_same_line_finishes_it() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = with_root(&hsm, "ec-p256");
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
fn a_key_is_never_taken_for_another() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = with_root(&hsm, "ec-p256");
    for label in ["a", "b"] {
        let made = ["--keypairgen", "--key-type", "EC:secp256r1", "--label", label, "--id", "77"];
        if hsm.pkcs11_tool(&made).is_none() {
            return;
        }
    }
    let public = |label: &str| hsm.ok(&cli, &format!("key show pkcs11:object={label}"));
    assert_ne!(public("a"), public("b"));
    for label in ["a", "b"] {
        let token = format!("--token pkcs11:object={label} --existing-key");
        hsm.ok(&cli, &format!("ca add {label} --parent root --subject CN={label} {token}"));
        hsm.ok(&cli, &format!("ca crl {label}"));
    }
    let same = "ca init c --subject CN=C --token 'pkcs11:token=Factory;object=c;id=%77'";
    let refused = hsm.fails(&cli, 2, same);
    assert!(refused.contains("with the same id already"), "{refused}");
    assert!(!cli.path("pki/ca/c").exists());
}

#[test]
fn a_pin_goes_to_one_token_only() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = with_root(&hsm, "ec-p256");
    hsm.add_token("Other", "another-pin");
    cli.write("other", "another-pin\n");
    let token = "--token 'pkcs11:token=Other;object=line'";
    let line = format!("ca add line --parent root --subject CN=Line {token}");
    // What is in the variable is for the new key; the other token wants its own.
    let asked = hsm.fails(&cli, 2, &line);
    assert!(asked.starts_with("error: the PIN of the token with the key of root"), "{asked}");
    assert!(asked.contains("C8Y_PKI_PARENT_PIN"), "{asked}");
    let both = [("C8Y_PKI_PARENT_PIN", PASSWORD), ("C8Y_PKI_TOKEN_PIN", "another-pin")];
    hsm.cli(&cli, &line, &both).expect(0);
    hsm.cli(&cli, "ca renew line", &both).expect(0);
    let asked = hsm.cli(&cli, "ca renew line", &both[1..]).expect(2);
    assert!(asked.stderr.contains("C8Y_PKI_PARENT_PIN"), "{asked:?}");
    // In one token, what an option names comes before the variable, and opens both.
    let wrong = [("C8Y_PKI_TOKEN_PIN", "9999")];
    for (name, option) in [("c", "--ca-password-file"), ("d", "--parent-password-file")] {
        let token = format!("--token 'pkcs11:token=Factory;object={name}' {option} pw");
        let line = format!("ca add {name} --parent root --subject CN={name} {token}");
        hsm.cli(&cli, &line, &wrong).expect(0);
        hsm.cli(&cli, &format!("ca renew {name} {option} pw"), &wrong).expect(0);
    }
    hsm.cli(&cli, "ca crl line --ca-password-file other", &[]).expect(0);
    let at = AtTenant::new(cli);
    let variables = [&hsm.variables()[..], &[PIN]].concat();
    let two = at.run_with("tenant trust add --ca root --ca line --prove", &variables).expect(2);
    assert_eq!(two.error(), "the keys of root and line are in different tokens");
    assert!(at.list("trusted_certificates").is_empty());
}

#[test]
fn two_tokens_with_one_label_are_told_apart_by_their_serial_numbers() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = with_root(&hsm, "ec-p256");
    hsm.add_token("Factory", PASSWORD);
    let both = hsm.fails(&cli, 2, "key show 'pkcs11:token=Factory;object=root'");
    assert!(both.contains("fits 2 tokens") && both.contains("serial="), "{both}");
    let listed = hsm.cli(&cli, "key list --json", &[]).expect(0).json_lines();
    let key = listed.iter().find_map(|token| token["keys"][0]["uri"].as_str()).expect("a key");
    hsm.ok(&cli, &format!("key show '{key}'"));
    cli.write("pki/ca/root/key.uri", key);
    hsm.ok(&cli, "ca crl root");
}

#[test]
fn a_pki_folder_moves_to_a_machine_with_another_module() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = Cli::new();
    // Whatever the folder from which it is used, the module is the same one.
    std::fs::copy(hsm.module(), cli.path("m.so")).expect("a copy");
    let token = "--token 'pkcs11:token=Factory;object=root?module-path=./m.so'";
    hsm.ok(&cli, &format!("ca init --subject CN=Root {token}"));
    let uri = cli.text("pki/ca/root/key.uri");
    assert!(uri.contains(&format!("module-path={}", cli.arg("m.so"))), "{uri}");
    std::fs::remove_file(cli.path("m.so")).expect("it goes");
    let gone = hsm.fails(&cli, 2, "ca crl root");
    assert!(gone.contains("m.so cannot be loaded"), "{gone}");
    assert!(gone.contains("this machine's module belongs into pki/ca/root/key.uri"), "{gone}");
    let (bare, _) = uri.split_once('?').expect("a module");
    cli.write("pki/ca/root/key.uri", bare);
    hsm.ok(&cli, "ca crl root");
}
