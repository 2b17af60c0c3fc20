//! What shows before a device connects, in another command.

use c8y_pki_core::cert::LongestChain;
use c8y_pki_sandbox::Settings;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, a_second_passes};
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::workshop::{Made, bundle, device, root, upload, upload_as};

use crate::rows::row;

/// A tenant to which a CA is uploaded, whose code can be used for so long; root.pem and root.key.
fn uploaded(code_seconds: u64) -> (AtTenant, Made) {
    let settings = Settings { code_seconds, ..Settings::default() };
    let (at, root) = (AtTenant::with(Cli::new(), settings), root("Root", None));
    upload(&at, &root, "--auto-registration");
    at.cli.write("root.pem", root.pem());
    at.cli.write("root.key", root.key_pem());
    (at, root)
}

#[test]
fn code_expired() {
    let (at, _) = uploaded(1);
    at.ok("pop code --trusted Root --out code.txt");
    at.cli.ok("pop sign code.txt --key root.key --out signed.txt");
    a_second_passes();
    let late = at.run("pop submit signed.txt --cert root.pem").expect(1);
    row("code-expired").is_said(&late);
}

#[test]
fn code_with_newline() {
    let (at, _) = uploaded(600);
    let Some(openssl) = OpenSsl::at(&at.cli.path(".")) else { return };
    let code = at.ok("pop code --trusted Root");
    // As `echo` writes it.
    at.cli.write("code.txt", format!("{code}\n"));
    openssl.run("dgst -sha256 -sign @root.key -out @signed.bin @code.txt");
    row("code-with-newline").is_said(&at.run("pop submit signed.bin --cert root.pem").expect(1));
    at.ok("pop prove --trusted Root --key root.key");
}

#[test]
fn ca_version_1() {
    let at = AtTenant::new(Cli::new());
    let Some(openssl) = OpenSsl::at(&at.cli.path(".")) else { return };
    openssl.request("old");
    openssl.run("x509 -req -in @old.csr -signkey @old.key -days 30 -out @old.pem");
    let version = c8y_pki_core::cert::Certificate::all_from_pem_or_der(&at.cli.read("old.pem"));
    if version.expect("a certificate")[0].version != 1 {
        // OpenSSL makes version 3 of it from 3.2 on, unless it is told otherwise.
        openssl.run("x509 -req -x509v1 -in @old.csr -signkey @old.key -days 30 -out @old.pem");
    }
    row("ca-version-1").is_said(&at.run("tenant trust add old.pem").expect(2));
}

#[test]
fn ca_without_ca_true() {
    let at = AtTenant::new(Cli::new());
    at.cli.write("device.pem", device("gw-1", &root("Root", None)).pem());
    row("ca-without-ca-true").is_said(&at.run("tenant trust add device.pem").expect(2));
}

#[test]
fn ca_held_elsewhere() {
    let (at, root) = (AtTenant::new(Cli::new()), root("Root", None));
    upload_as("t1002/admin", &at, &root, "--prove");
    at.cli.write("root.pem", root.pem());
    row("ca-held-elsewhere").is_said(&at.run("tenant trust add root.pem").expect(1));
}

#[test]
fn alias_twice() {
    let (cli, root) = (Cli::new(), root("Root", None));
    cli.write("root.pem", root.pem());
    let create = "store create t.p12 --trusted root.pem --alias edge --store-password-file pw";
    cli.ok(create);
    let add = "store add t.p12 --trusted root.pem --alias Edge --store-password-file pw";
    row("alias-twice").is_said(&cli.run(add).expect(2));
}

#[test]
fn truststore_of_openssl() {
    let (at, root) = uploaded(600);
    let Some(openssl) = OpenSsl::at(&at.cli.path(".")) else { return };
    openssl.run(
        "pkcs12 -export -nokeys -in @sandbox-ca.pem -name servercertificate -passout file:@pw \
         -out @trust.p12"
            .replace("file:@pw", &format!("file:{}", at.cli.arg("pw")))
            .as_str(),
    );
    let device = device("gw-1", &root);
    bundle(&at.cli, "b", &device, &[&device, &root]);
    // It connects, as a program does that is not Java.
    let port = at.sandbox.mqtt_port();
    let line = "device check --bundle b --host localhost --truststore trust.p12";
    let told = at.run(&format!("{line} --store-password-file pw --port {port}")).expect(0);
    row("truststore-of-openssl").is_said(&told);
}

/// A tenant with a CA of the platform, or without one, and a file with a one-time password.
fn to_enrol(has_authority: bool) -> AtTenant {
    let at = AtTenant::new(Cli::new());
    if has_authority {
        at.ok("tenant authority create");
    }
    at.cli.write("otp", "a-one-time-password");
    at
}

#[test]
fn enrol_not_registered() {
    let at = to_enrol(true);
    let told = at.run("device enrol gw-1 --out out --otp-file otp").expect(2);
    row("enrol-not-registered").is_said(&told);
}

#[test]
fn enrol_no_authority() {
    let at = to_enrol(false);
    at.ok("registration add gw-1 --otp-file otp");
    let told = at.run("device enrol gw-1 --out out --otp-file otp").expect(1);
    row("enrol-no-authority").is_said(&told);
}

#[test]
fn enrol_feature_off() {
    let at = to_enrol(false);
    assert!(at.sandbox.set_authority_feature(false));
    row("enrol-feature-off").is_said(&at.run("tenant authority create").expect(1));
}

/// Registers gw-1, and tries wrong passwords until it is blocked.
fn block(at: &AtTenant) {
    at.ok("registration add gw-1 --otp-file otp");
    at.cli.write("wrong", "another-password");
    // The sandbox blocks after ten; how many the platform takes is not documented.
    for _ in 0..10 {
        at.run("device enrol gw-1 --out out --otp-file wrong").expect(2);
    }
}

#[test]
fn registration_blocked() {
    let at = to_enrol(true);
    block(&at);
    row("registration-blocked").is_said(&at.run("registration add gw-1 --otp-file otp").expect(1));
}

#[test]
fn row_blocked() {
    let at = to_enrol(true);
    block(&at);
    let rows = "gw-1;CERTIFICATES;a-one-time-password\ngw-2;CERTIFICATES;a-one-time-password\n";
    at.cli.write("reg.csv", format!("ID;AUTH_TYPE;ENROLLMENT_OTP\n{rows}"));
    // It is told before, if the tenant is asked.
    at.cli.ok("registration check reg.csv");
    let checked = at.run("registration check reg.csv --ask-tenant").expect(1);
    assert!(checked.stdout.contains("its request is blocked (BLOCKED)"), "{checked:?}");
    let refused = at.run("registration upload reg.csv").expect(1);
    row("row-blocked").is_said(&refused);
    assert!(refused.stderr.contains("`c8y-pki registration withdraw gw-1`"), "{refused:?}");
    assert!(refused.stdout.contains("2 devices at tenant t1001: 1 created, 0 updated, 1 failed\n"));
    let ids: Vec<_> = at.list("devices").iter().map(|d| d["id"].clone()).collect();
    assert_eq!(ids, ["gw-2"], "the blocked row was not sent");
    assert!(at.cli.text("reg.result.csv").contains("gw-1,2,BLOCKED,"));
    // Who may not see requests uploads what there is; who asks for it is told what it takes.
    let blind = at.run_as("ROLE_TENANT_ADMIN", "registration check reg.csv --ask-tenant").expect(2);
    assert!(blind.stderr.contains("ROLE_DEVICE_CONTROL_READ"), "{blind:?}");
    // The hint works.
    at.ok("registration withdraw gw-1 --yes");
    let done = at.run("registration upload reg.csv --json").expect(0).json();
    assert_eq!(
        (&done["created"], &done["blocked"], &done["sent"]),
        (&2.into(), &0.into(), &1.into())
    );
    at.ok("tenant authority status");
    at.ok("device enrol gw-1 --out out --otp-file otp");
}

#[test]
fn renewal_not_let_in() {
    let at = to_enrol(true);
    at.ok("registration add gw-1 --otp-file otp");
    at.ok("device enrol gw-1 --out out --otp-file otp");
    let port = at.sandbox.mtls_url().rsplit_once(':').expect("a port").1.to_owned();
    at.ok(&format!(
        "device token gw-1 --https --https-port {port} --truststore sandbox-ca.pem --token-out token"
    ));
    let ca = at.run("tenant authority status --json").expect(0).json();
    let fingerprint = ca["authority"]["fingerprint"].as_str().expect("a fingerprint").to_owned();
    at.ok(&format!("tenant trust update {fingerprint} --disable"));
    let renew = format!("device enrol gw-1 --out out --renew --token-file token --port {port}");
    row("renewal-not-let-in").is_said(&at.run(&renew).expect(1));
}

/// A tenant without CAs, and the chain of a device in out/gw-1, with its root in root.pem.
fn chain() -> AtTenant {
    let (at, root) = (AtTenant::new(Cli::new()), root("Root", None));
    let device = device("gw-1", &root);
    bundle(&at.cli, "out/gw-1", &device, &[&device, &root]);
    at.cli.write("root.pem", root.pem());
    at
}

#[test]
fn verdict_differs() {
    let at = chain();
    let said = at.run("cert verify --tenant out/gw-1/chain.pem --trust root.pem").expect(1);
    row("verdict-differs").is_said(&said);
}

#[test]
fn verdict_not_asked() {
    let at = chain();
    row("verdict-not-asked")
        .is_said(&at.run_as("devices", "tenant verify out/gw-1/chain.pem").expect(2));
}

#[test]
fn rollout_refused() {
    let longest_chain = LongestChain::new(2).expect("a length");
    let settings = Settings { longest_chain, ..Settings::default() };
    let at = AtTenant::with(Cli::new(), settings);
    let file = at.cli.ok("profile show rollout.toml") + "\n[tenant]\ncas = [\"line-7\"]\n";
    at.cli.write("demo/rollout.toml", file);
    at.cli.write("demo/devices.csv", "id\ngw-0\ngw-1\n");
    row("rollout-refused").is_said(&at.run("rollout demo/rollout.toml").expect(1));
    assert_eq!(at.cli.names("demo/out/devices"), ["gw-0"]);
}

#[test]
fn id_refused() {
    let cli = Cli::with_cas();
    let line =
        format!("device issue 'two words' --ca line --out out {}", c8y_pki_tests::cli::CA_PW);
    row("id-refused").is_said(&cli.run(&line).expect(2));
}
