//! Every option that reads certificates, keys, requests, revocation lists or stores, with every form in which
//! people have them: one reader for all. Which options there are is read from the definitions.

#![cfg(target_os = "linux")]

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::secret::Password;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli, Outcome, PASSWORD};
use c8y_pki_tests::forms::{self, Form};
use c8y_pki_tests::tool;

use crate::outputs::paths_of_definitions;

/// What an option reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// The certificate of the root.
    Root,
    /// The chain of the device gw-1, leaf first.
    Chain,
    /// The certificate of the sandbox's TLS.
    ServerCa,
    /// The key of the root.
    RootKey,
    /// The key of gw-1.
    DeviceKey,
    /// A request with the key of gw-1.
    Request,
    /// A revocation list of the CA line.
    List,
    /// Key and chain of gw-1.
    Keystore,
}
use Reads::{Chain, DeviceKey, Keystore, List, Request, Root, RootKey, ServerCa};

/// Option, what it reads, and a call: @ is the file, # a number that no other call has, PORT the sandbox's.
const READERS: &[(&str, Reads, &str)] = &[
    (
        "ca add --import",
        Root,
        "ca add x --import @ --key pki/ca/root/key.pem --key-password-file pw --pki p# --ca-password-file pw",
    ),
    ("ca add --certificate", Root, "ca add root --certificate @"),
    (
        "ca add --key",
        RootKey,
        "ca add x --import pki/ca/root/cert.pem --key @ --key-password-file pw --pki p# --ca-password-file pw",
    ),
    (
        "ca add --certs",
        Chain,
        "ca add x --import pki/ca/line/chain.pem --key pki/ca/line/key.pem --certs @ --key-password-file pw --pki p# --ca-password-file pw",
    ),
    (
        "ca add --crl",
        List,
        "ca add x --import pki/ca/line/chain.pem --key pki/ca/line/key.pem --crl @ --key-password-file pw --pki p# --ca-password-file pw",
    ),
    ("cert chain FILES", Root, "cert chain @"),
    ("cert show FILES", Root, "cert show @ --password-file pw"),
    ("cert show FILES", RootKey, "cert show @ --password-file pw"),
    ("cert show FILES", Request, "cert show @"),
    ("cert show FILES", List, "cert show @"),
    ("cert verify CHAIN", Chain, "cert verify @ --trust pki/ca/root/cert.pem"),
    ("cert verify --trust", Root, "cert verify out/gw-1/chain.pem --trust @"),
    (
        "cert verify --untrusted",
        Chain,
        "cert verify out/gw-1/cert.pem --untrusted @ --trust pki/ca/root/cert.pem",
    ),
    (
        "cert verify --other-ca",
        Root,
        "cert verify out/gw-1/chain.pem --other-ca @ --trust pki/ca/root/cert.pem --crl line.crl --crl root.crl",
    ),
    (
        "cert verify --crl",
        List,
        "cert verify out/gw-1/chain.pem --trust pki/ca/root/cert.pem --crl @ --crl root.crl",
    ),
    (
        "device issue --server-cert",
        Root,
        "device issue s# --ca line --out out --bundle pem,truststore-jks --server-cert @ --ca-password-file pw --store-password-file pw",
    ),
    (
        "device renew --csr",
        Request,
        "device renew gw-1 --csr @ --ca line --out renewed --ca-password-file pw",
    ),
    (
        "device renew --key",
        DeviceKey,
        "device renew gw-1 --key @ --key-password-file pw --ca line --out renewed --ca-password-file pw",
    ),
    (
        "device sign CSR|DIR|-",
        Request,
        "device sign @ --id r# --existing replace --ca line --out signed --ca-password-file pw --pki s#",
    ),
    ("device import FILE|DIR", Chain, "device import @"),
    ("key passwd FILE", RootKey, "key passwd @ --password-file pw --plain --out k#"),
    ("key show FILE|URI", RootKey, "key show @ --password-file pw"),
    ("pop sign --key", RootKey, "pop sign code --key @ --key-password-file pw"),
    ("registry check --against", List, "registry check --against @"),
    (
        "server sign CSR|-",
        Request,
        "server sign @ --name r# --san DNS:a.example --ca line --out servers --ca-password-file pw --pki s#",
    ),
    (
        "store create --cert",
        Chain,
        "store create s#.p12 --key out/gw-1/key.pem --cert @ --store-password-file pw",
    ),
    (
        "store create --key",
        DeviceKey,
        "store create s#.p12 --key @ --cert out/gw-1/chain.pem --key-password-file pw --store-password-file pw",
    ),
    ("store create --trusted", Root, "store create s#.p12 --trusted @ --store-password-file pw"),
    (
        "store create --from",
        Root,
        "store create s#.p12 --from @ --from-password-file pw --store-password-file pw",
    ),
    (
        "store create --from",
        Keystore,
        "store create s#.p12 --from @ --from-password-file pw --store-password-file pw",
    ),
    (
        "store add --trusted",
        Root,
        "store add trust.p12 --trusted @ --alias a# --store-password-file pw",
    ),
    ("store show FILE", Keystore, "store show @ --store-password-file pw"),
];

/// The same, where a tenant is needed.
const AT_TENANT: &[(&str, Reads, &str)] = &[
    ("tenant trust add CERT", Root, "tenant trust add @"),
    (
        "tenant trust add --key",
        RootKey,
        "tenant trust add pki/ca/root/cert.pem --prove --key @ --key-password-file pw",
    ),
    ("tenant verify CHAIN", Chain, "tenant verify @"),
    ("--cacert", ServerCa, "tenant status --cacert @"),
    ("pop code --cert", Root, "pop code --cert @"),
    (
        "pop prove --cert",
        Root,
        "pop prove --cert @ --key pki/ca/root/key.pem --key-password-file pw",
    ),
    (
        "pop prove --key",
        RootKey,
        "pop prove --cert pki/ca/root/cert.pem --key @ --key-password-file pw",
    ),
    (
        "device token --truststore",
        ServerCa,
        "device token gw-1 --port PORT --truststore @ --store-password-file pw",
    ),
    (
        "device token --keystore",
        Keystore,
        "device token gw-1 --port PORT --truststore sandbox-ca.pem --keystore @ --store-password-file pw",
    ),
    (
        "device check --uploaded",
        Root,
        "device check gw-1 --host localhost --port PORT --truststore sandbox-ca.pem --uploaded @",
    ),
];

/// Options that read such a file by the arguments and the code of another that is called here.
const SAME: &[(&str, &str)] = &[
    ("pop submit --cert", "pop code --cert"),
    ("store add --cert", "store create --cert"),
    ("store add --key", "store create --key"),
    ("store add --from", "store create --from"),
    ("device renew --server-cert", "device issue --server-cert"),
    ("device check --truststore", "device token --truststore"),
    ("device bootstrap --truststore", "device token --truststore"),
    ("device connect --truststore", "device token --truststore"),
    ("device check --keystore", "device token --keystore"),
    ("device connect --keystore", "device token --keystore"),
    ("registry repair --against", "registry check --against"),
    ("ca sign-request CSR|-", "device sign CSR|DIR|-"),
    ("serve token add --certificate", "cert verify --trust"),
];

/// Other inputs: lists, passwords, codes, profiles, what this program has written; and outputs, which have a
/// table of their own. By option, or by command and option.
const OTHER: &[&str] = &[
    "--bundle",
    "--failed",
    "--protocol",
    "--webhook-secret-file",
    "registry backup FILE|DIR",
    "registry restore FILE|DIR",
    "--module",
    "--out",
    "--pki",
    "--profile",
    "--report",
    "--result",
    "--secrets",
    "--otp-file",
    "--otp-out",
    "--token-file",
    "--token-out",
    "--ca-out",
    "--env-file",
    "--ready-file",
    "--openssl-conf",
    "ca add --crlnumber",
    "ca add --openssl-db",
    "--example",
    "cert verify --manifest",
    "device check --from",
    "device issue --from",
    "device renew --from",
    "device revoke --from",
    "device list --from",
    "device manifest --from",
    "order create --from",
    "order create --profile",
    "registration add --from",
    "registration create --from",
    "man DIR",
    "order labels --from",
    "order labels --one-time-passwords",
    "order labels --out",
    "order labels --secrets",
    "order labels --template",
    "pop sign CODE",
    "pop submit SIGNED",
    "registration check FILE",
    "registration upload FILE",
    "rollout FILE",
    "serve --passwords",
    "serve --tls-cert",
    "serve --tls-key",
    "status --prometheus",
    "store add FILE",
    "store create FILE",
];

#[test]
fn every_option_that_reads_a_file_is_in_the_tables() {
    let defined = paths_of_definitions();
    let known: Vec<&str> = READERS
        .iter()
        .chain(AT_TENANT)
        .map(|(option, ..)| *option)
        .chain(SAME.iter().map(|(option, _)| *option))
        .chain(OTHER.iter().copied())
        .collect();
    for option in &defined {
        let name = option.rsplit(' ').next().unwrap_or_default();
        let is_known = known.contains(&option.as_str())
            || known.contains(&name)
            || name.ends_with("-password-file")
            || name == "--password-file";
        assert!(
            is_known,
            "{option} names a file: what does it read? It needs an entry in forms.rs"
        );
    }
    for option in known.iter().filter(|option| !option.starts_with("--")) {
        assert!(defined.contains(*option), "{option} is no option any more");
    }
    for (_, like) in SAME {
        assert!(known.contains(like), "{like} is not called");
    }
}

fn certificates(cli: &Cli, file: &str) -> Vec<Certificate> {
    Certificate::all_from_pem_or_der(&cli.read(file)).expect("certificates")
}

fn key(cli: &Cli, file: &str) -> PrivateKey {
    PrivateKey::read(&cli.read(file), Some(&Password::new(PASSWORD))).expect("a key")
}

/// A revocation list in PKCS#7, by OpenSSL.
fn list_in_pkcs7(cli: &Cli) -> Vec<Form> {
    let Some(openssl) = tool("openssl") else { return Vec::new() };
    let (list, out) = (cli.arg("line.crl"), cli.arg("list.p7b"));
    openssl.run(&["crl2pkcs7", "-in", &list, "-outform", "DER", "-out", &out]);
    forms::of_pkcs7(&cli.read("list.p7b"))
}

fn forms_of(reads: Reads, cli: &Cli) -> Vec<Form> {
    let root = || certificates(cli, "pki/ca/root/cert.pem");
    let chain = || certificates(cli, "out/gw-1/chain.pem");
    match reads {
        Root => forms::of_certificates(&root()),
        Chain => forms::of_certificates(&chain()),
        ServerCa => forms::of_certificates(&certificates(cli, "sandbox-ca.pem")),
        RootKey => forms::of_key(&key(cli, "pki/ca/root/key.pem"), &root()),
        DeviceKey => forms::of_key(&key(cli, "out/gw-1/key.pem"), &chain()),
        Request => {
            let pem = cli.text("gw-1.csr");
            let mut all = forms::of_pem(&pem);
            all.extend(forms::of_der(&forms::der_of(&pem)));
            let old = pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
            all.push(("NEW CERTIFICATE REQUEST", old.into_bytes()));
            all
        }
        List => {
            let pem = cli.text("line.crl");
            let mut all = forms::of_pem(&pem);
            all.extend(forms::of_der(&forms::der_of(&pem)));
            all.extend(list_in_pkcs7(cli));
            all
        }
        Keystore => {
            let mut store = c8y_pki_core::store::Store::new();
            let key = key(cli, "out/gw-1/key.pem");
            let added = store.add_key("device", &key, chain());
            added.expect("an entry");
            let mut all = forms::of_store(&store);
            let text = cli.text("out/gw-1/key.pem") + &cli.text("out/gw-1/chain.pem");
            all.extend(forms::of_pem(&text));
            all
        }
    }
}

/// A device, a request of its key, and lists of the CAs.
fn folder() -> Cli {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    cli.ok(&format!("ca crl line --out line.crl {CA_PW}"));
    cli.ok(&format!("ca crl root --out root.crl {CA_PW}"));
    cli.ok("store create trust.p12 --trusted pki/ca/root/cert.pem --store-password-file pw");
    cli.write("code", "a1b2c3d4-code");
    let key = key(&cli, "out/gw-1/key.pem");
    let subject = c8y_pki_core::name::Name::parse("CN=gw-1").expect("a name");
    let request = c8y_pki_core::csr::make(&subject, &key).expect("a request");
    cli.write("gw-1.csr", c8y_pki_core::csr::pem(&request));
    cli
}

/// Calls every reader with every form of what it reads.
fn hold(
    cli: &Cli,
    readers: &[(&str, Reads, &str)],
    run: &dyn Fn(&str) -> Outcome,
    wanted: &dyn Fn(Reads) -> bool,
) {
    let (mut number, mut failed) = (0, Vec::new());
    for (option, reads, line) in readers.iter().filter(|(_, reads, _)| wanted(*reads)) {
        for (form, bytes) in forms_of(*reads, cli) {
            number += 1;
            cli.write("input", &bytes);
            let line = line.replace('@', "input").replace('#', &number.to_string());
            if line.contains(" --pki s") {
                cli.ok(&format!(
                    "ca init line --subject CN=R --pki s{number} --key-type ec-p256 {CA_PW}"
                ));
            }
            let said = run(&line);
            if said.code != 0 {
                failed.push(format!(
                    "{option} of {form}: {} {}",
                    said.code,
                    said.stderr.trim_end()
                ));
            }
        }
    }
    assert!(number > 50, "only {number} calls were made");
    assert!(failed.is_empty(), "{} of {number} fail:\n{}", failed.len(), failed.join("\n"));
}

fn hold_here(wanted: &dyn Fn(Reads) -> bool) {
    let cli = folder();
    let variables = [("C8Y_PKI_STORE_PASSWORD", PASSWORD)];
    hold(&cli, READERS, &|line| cli.run_with(line, &variables, b""), wanted);
}

#[test]
fn certificates_are_read_in_every_form_by_every_command() {
    hold_here(&|reads| matches!(reads, Root | Chain));
}

#[test]
fn keys_and_stores_are_read_in_every_form_by_every_command() {
    hold_here(&|reads| matches!(reads, RootKey | DeviceKey | Keystore));
}

#[test]
fn requests_and_lists_are_read_in_every_form_by_every_command() {
    hold_here(&|reads| matches!(reads, Request | List));
}

#[test]
fn commands_at_a_tenant_read_the_same() {
    let at = AtTenant::new(folder());
    at.ok(&format!("tenant trust add --ca line --prove {CA_PW} --auto-registration"));
    at.ok(&format!("tenant trust add --ca root --prove {CA_PW} --auto-registration"));
    let port = at.sandbox.mqtt_address().rsplit(':').next().unwrap_or_default().to_owned();
    let run = |line: &str| {
        let variables = [("C8Y_PKI_STORE_PASSWORD", PASSWORD)];
        at.run_with(&line.replace("PORT", &port), &variables)
    };
    hold(&at.cli, AT_TENANT, &run, &|_| true);
}

/// Case 28 of the public reports for keys of CAs: a store has key and certificate both.
#[test]
fn a_store_with_key_and_certificate_is_a_whole_ca() {
    let from = folder();
    let root = [certificates(&from, "pki/ca/root/cert.pem")].concat();
    let cli = Cli::new();
    for (number, (form, bytes)) in
        forms::of_key(&key(&from, "pki/ca/root/key.pem"), &root).into_iter().enumerate()
    {
        // A key alone is no CA.
        let is_store = form.starts_with("PKCS#12") || form == "JKS";
        cli.write("ca.store", &bytes);
        let line =
            format!("ca add x --import ca.store --key-password-file pw --pki p{number} {CA_PW}");
        match is_store {
            true => {
                cli.run(&line).expect(0);
                cli.ok(&format!("device issue d --ca x --pki p{number} --out o{number} {CA_PW}"));
            }
            false => {
                cli.run(&line).expect(2);
            }
        }
    }
    // PEM with both.
    let both = String::from_utf8(key(&from, "pki/ca/root/key.pem").to_pem().expose().to_vec());
    cli.write("both.pem", both.expect("PEM") + &root[0].pem());
    cli.ok(&format!("ca add x --import both.pem --pki both {CA_PW}"));
    // None, and several.
    cli.write("root.pem", root[0].pem());
    let said = cli.fails(2, &format!("ca add x --import root.pem --pki none {CA_PW}"));
    assert!(said.contains("there is no private key in root.pem"), "{said}");
    assert!(said.contains("--key FILE|URI"), "{said}");
    let said = cli.fails(2, &format!("ca add x --import both.pem both.pem --pki none {CA_PW}"));
    assert!(said.contains("several files"), "{said}");
    assert!(!cli.path("none").exists());
}
