//! Which key, in which token, opened by which secret: URIs, PINs, and what is said of those that do not
//! fit.

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, PASSWORD};
use c8y_pki_tests::hsm::{Hsm, PIN};

#[test]
fn a_password_for_files_is_never_given_to_a_token() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = hsm.with_root("ec-p256");
    cli.write("other", "another-Lantern-81\n");
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
fn a_key_is_never_taken_for_another() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = hsm.with_root("ec-p256");
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
    let cli = hsm.with_root("ec-p256");
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
    let cli = hsm.with_root("ec-p256");
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
    // Whatever the directory from which it is used, the module is the same one.
    std::fs::copy(hsm.module(), cli.path("m.so")).expect("a copy");
    let token = "--token 'pkcs11:token=Factory;object=root?module-path=./m.so'";
    hsm.ok(&cli, &format!("ca init --subject CN=Root {token}"));
    let uri = cli.text("pki/ca/root/key.uri");
    assert!(uri.contains(&format!("module-path={}", cli.arg("m.so"))), "{uri}");
    std::fs::remove_file(cli.path("m.so")).expect("it goes");
    let gone = hsm.fails(&cli, 2, "ca crl root");
    assert!(gone.contains("m.so cannot be loaded"), "{gone}");
    assert!(
        gone.contains("write the path of this machine's module into pki/ca/root/key.uri"),
        "{gone}"
    );
    let (bare, _) = uri.split_once('?').expect("a module");
    cli.write("pki/ca/root/key.uri", bare);
    hsm.ok(&cli, "ca crl root");
}

#[test]
fn each_mistake_has_its_sentence() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = hsm.with_root("ec-p256");
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
        (
            2,
            "key show pkcs11:object=strict",
            "it wants the PIN again for each signature",
            "use another key",
        ),
        (2, "key show pkcs11:object=coin", "EC on a curve other than P-256", "use another key"),
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
fn what_is_in_a_token_is_listed_without_a_pin() {
    let Some(hsm) = Hsm::new() else { return };
    let cli = hsm.with_root("ec-p256");
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
