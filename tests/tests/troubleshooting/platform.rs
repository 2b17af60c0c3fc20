//! What only the tenant knows: the sandbox refuses without a reason, the tenant is asked for one, and
//! the reason that the sandbox has noted agrees.

use c8y_pki_core::cert::LongestChain;
use c8y_pki_sandbox::{Faults, Settings};
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, Outcome};
use c8y_pki_tests::workshop::{Made, bundle, ca, device, renewed, root, upload, upload_as};

use crate::rows::row;

/// A tenant, a root, the CA `line` below it, and the device gw-1 with its chain in out/gw-1.
struct Bench {
    at: AtTenant,
    root: Made,
    line: Made,
    device: Made,
}

impl Bench {
    fn new() -> Self {
        let settings = Settings { require_proof: true, ..Settings::default() };
        Self::at(AtTenant::with(Cli::new(), settings))
    }

    fn at(at: AtTenant) -> Self {
        let root = root("Root", None);
        let line = ca("Line", &root, None);
        let device = device("gw-1", &line);
        let bench = Self { at, root, line, device };
        bench.present(&[&bench.device, &bench.line, &bench.root]);
        bench
    }

    /// Changes what the device presents.
    fn present(&self, chain: &[&Made]) {
        bundle(&self.at.cli, "out/gw-1", &self.device, chain);
    }

    /// Sends what no command of ours sends. None when curl is not installed.
    fn curl(&self, arguments: &[&str], path: &str) -> Option<()> {
        let curl = c8y_pki_tests::tool("curl")?;
        let user = format!("t1001/admin:{}", self.at.sandbox.password().expose());
        let said = std::process::Command::new(curl.path())
            .current_dir(self.at.cli.path("."))
            .args(["--fail", "--silent", "--show-error", "--cacert", "sandbox-ca.pem"])
            .args(["--user", &user])
            .args(arguments)
            .arg(format!("{}{path}", self.at.sandbox.url()))
            .output()
            .expect("curl starts");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        Some(())
    }

    /// With one attempt: these refusals do not pass.
    fn check(&self) -> Outcome {
        self.check_with("--attempts 1")
    }

    fn check_with(&self, more: &str) -> Outcome {
        let port = self.at.sandbox.mqtt_port();
        let line = "device check gw-1 --host localhost --truststore sandbox-ca.pem --json";
        self.at.run(&format!("{line} --port {port} {more}"))
    }
}

#[test]
fn ca_not_uploaded() {
    let bench = Bench::new();
    upload(&bench.at, &root("Another", None), "--prove");
    row("ca-not-uploaded").holds_truly(&bench.check().expect(1), &bench.at);
}

#[test]
fn chain_incomplete() {
    let bench = Bench::new();
    upload(&bench.at, &bench.root, "--prove --auto-registration");
    bench.present(&[&bench.device, &bench.line]);
    let report = row("chain-incomplete").holds_truly(&bench.check().expect(1), &bench.at);
    assert_eq!(report["tenant"]["presented"], false, "{report}");
}

#[test]
fn ca_renewed() {
    let bench = Bench::new();
    upload(&bench.at, &bench.line, "--prove --auto-registration");
    let line = renewed(&bench.line, Some(&bench.root));
    bench.present(&[&bench.device, &line, &bench.root]);
    let report = row("ca-renewed").holds_truly(&bench.check().expect(1), &bench.at);
    let fingerprint = bench.line.certificate.fingerprint_sha1();
    assert_eq!(report["tenant"]["renewed"]["fingerprint"], *fingerprint, "{report}");
    let causes = report["causes"].to_string();
    assert!(!causes.contains("not uploaded") && !causes.contains("chain-incomplete"), "{report}");
    // What the remedy says lets it in.
    upload(&bench.at, &line, "--prove --auto-registration");
    bench.check().expect(0);
}

#[test]
fn leaf_alone() {
    let bench = Bench::new();
    upload(&bench.at, &bench.root, "--prove --auto-registration");
    bench.present(&[&bench.device]);
    let report = row("leaf-alone").holds_truly(&bench.check().expect(1), &bench.at);
    // The server lists the root, of which the device shows nothing.
    assert_eq!(report["causes"][1]["code"], "ca-not-in-list", "{report}");
}

#[test]
fn ca_disabled() {
    let bench = Bench::new();
    upload(&bench.at, &bench.root, "--prove --auto-registration --disabled");
    let report = row("ca-disabled").holds_truly(&bench.check().expect(1), &bench.at);
    assert_eq!(report["tenant"]["status"], "DISABLED", "{report}");
}

#[test]
fn not_registered() {
    let bench = Bench::new();
    upload(&bench.at, &bench.root, "--prove");
    let report = row("not-registered").holds_truly(&bench.check().expect(1), &bench.at);
    assert_eq!(report["tenant"]["registered"], false, "{report}");
    // Certain of that, it does not try again.
    let again = bench.check_with("").expect(1).json();
    assert_eq!(again["attempts"], 1, "{again}");
}

#[test]
fn auto_registration_missing() {
    let bench = Bench::new();
    // As a client does it that leaves the member out.
    let body = serde_json::json!({
        "name": "Root", "status": "ENABLED", "certInPemFormat": bench.root.pem(),
    });
    bench.at.cli.write("body.json", body.to_string());
    let json = ["--header", "Content-Type: application/json", "--data-binary", "@body.json"];
    let Some(()) = bench.curl(&json, "/tenant/tenants/t1001/trusted-certificates") else { return };
    bench.at.cli.write("root.key", bench.root.key_pem());
    bench.at.ok("pop prove --trusted Root --key root.key");
    row("auto-registration-missing").holds_truly(&bench.check().expect(1), &bench.at);
}

#[test]
fn registered_basic() {
    let bench = Bench::new();
    upload(&bench.at, &bench.root, "--prove");
    // A list of passwords has no column AUTH_TYPE.
    bench.at.cli.write("list.csv", "ID;CREDENTIALS\ngw-1;Not-A-Secret-01\n");
    let form = ["--form", "file=@list.csv;type=text/csv"];
    let sent = bench.curl(&form, "/devicecontrol/bulkNewDeviceRequests");
    let Some(()) = sent else { return };
    let report = row("registered-basic").holds_truly(&bench.check().expect(1), &bench.at);
    assert_eq!(report["tenant"]["registered"], true, "{report}");
}

#[test]
fn proof_missing() {
    let bench = Bench::new();
    upload(&bench.at, &bench.root, "--auto-registration");
    row("proof-missing").holds_truly(&bench.check().expect(1), &bench.at);
}

#[test]
fn ca_on_two_tenants() {
    let bench = Bench::new();
    // A chain of two needs no proof otherwise.
    upload(&bench.at, &bench.line, "--auto-registration");
    upload_as("t1002/admin", &bench.at, &bench.line, "");
    bench.present(&[&bench.device, &bench.line]);
    row("ca-on-two-tenants").holds_truly(&bench.check().expect(1), &bench.at);
}

#[test]
fn revoked() {
    let bench = Bench::new();
    upload(&bench.at, &bench.root, "--prove --auto-registration");
    let serial = bench.device.certificate.serial.to_string();
    bench.at.cli.write("revoked.csv", format!("SERIALNO,DATE\n{serial},\n"));
    let put = ["--request", "PUT", "--form", "file=@revoked.csv;type=text/csv"];
    let Some(()) = bench.curl(&put, "/tenant/trusted-certificates/settings/crl") else { return };
    assert!(bench.at.sandbox.set_option("configuration", "crl.offline.check.enabled", "true"));
    let report = row("revoked").holds_truly(&bench.check().expect(1), &bench.at);
    assert_eq!(report["tenant"]["revoked"], true, "{report}");
}

#[test]
fn tenant_says_no() {
    let longest_chain = LongestChain::new(2).expect("a length");
    let settings = Settings { longest_chain, ..Settings::default() };
    let bench = Bench::at(AtTenant::with(Cli::new(), settings));
    upload(&bench.at, &bench.root, "--prove --auto-registration");
    let report = row("tenant-says-no").holds_truly(&bench.check_with("").expect(1), &bench.at);
    assert_eq!(report["platform"]["verdict"], "refused", "{report}");
    assert_eq!(report["platform"]["message"], "Invalid certificate chain!", "{report}");
    // It is not overload: nothing is tried again.
    assert_eq!(report["attempts"], 1, "{report}");
}

#[test]
fn ca_of_another_tenant() {
    let bench = Bench::new();
    // Without auto-registration there, and not registered.
    upload_as("t1002/admin", &bench.at, &bench.root, "--prove");
    let report = row("ca-of-another-tenant").holds(&bench.check().expect(1));
    assert_eq!(report["platform"]["other_tenant"], true, "{report}");
    assert_eq!(report["platform"]["tenant"], "t1002", "{report}");
}

#[test]
fn wrong_tenant() {
    let bench = Bench::new();
    upload(&bench.at, &bench.root, "--prove --auto-registration");
    // Another instance, under another name.
    let other = AtTenant::new(Cli::new());
    bench.at.cli.write("other-ca.pem", other.sandbox.ca_pem());
    let line = format!(
        "device check gw-1 --host 127.0.0.1 --port {} --truststore other-ca.pem --json --attempts 1",
        other.sandbox.mqtt_port()
    );
    let report = row("wrong-tenant").holds_truly(&bench.at.run(&line).expect(1), &other);
    assert_eq!(report["tenant"]["same_host"], false, "{report}");
}

/// Nothing is wrong with it but the platform.
fn overloaded(fault: &str) -> Bench {
    let bench = Bench::new();
    upload(&bench.at, &bench.root, "--prove --auto-registration");
    bench.at.sandbox.set_faults(fault.parse::<Faults>().expect("faults"));
    bench
}

#[test]
fn overload() {
    let bench = overloaded("connack5=1");
    let report = row("overload").holds_truly(&bench.check_with("").expect(1), &bench.at);
    assert_eq!(report["attempts"], 3, "{report}");
    assert_eq!(report["causes"].as_array().expect("causes").len(), 1, "{report}");
}

#[test]
fn overload_late() {
    let bench = overloaded("late=1");
    row("overload-late").holds_truly(&bench.check().expect(1), &bench.at);
}
