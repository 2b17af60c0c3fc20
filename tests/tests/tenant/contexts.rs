//! Contexts and the session variables of go-c8y-cli, at a sandbox tenant.

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};

/// The words of a command line without any variable of a tenant.
fn run(at: &AtTenant, line: &str, variables: &[(&str, &str)]) -> c8y_pki_tests::cli::Outcome {
    at.cli.run_with(line, variables, b"")
}

#[test]
fn a_context_says_host_login_and_whom_to_trust() {
    let at = AtTenant::new(Cli::new());
    let url = at.sandbox.url();
    at.cli.ok(&format!(
        "context add box --host {url} --user admin --cacert sandbox-ca.pem --tenant-password-file pw --use"
    ));
    run(&at, "tenant status", &[]).expect(0);
    // From another directory too: the file of the CA is known by its whole path.
    std::fs::create_dir(at.cli.path("below")).expect("a directory");
    let mut command = at.cli.command("tenant trust list");
    let output = command.current_dir(at.cli.path("below")).output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
    // A session's variables count before the context in use, and nothing of it is mixed in.
    let session = [("C8Y_HOST", url.as_str())];
    let said = run(&at, "tenant status", &session).expect(2);
    assert!(said.error().contains("there is no user"), "{said:?}");
    // A context that is named counts before them.
    let other = [
        ("C8Y_HOST", "other.example.com"),
        ("C8Y_USER", "jo"),
        ("C8Y_PASSWORD", "of-another-host"),
    ];
    run(&at, "tenant status --context box", &other).expect(0);
    let named = [other.as_slice(), &[("C8Y_PKI_CONTEXT", "box")]].concat();
    run(&at, "tenant status", &named).expect(0);
    // With --host the context in use does not count: its password goes nowhere else.
    let said = run(&at, "tenant status --host localhost:1", &[]).expect(2);
    assert!(said.error().contains("there is no user"), "{said:?}");
    // Nor with another user.
    let said = run(&at, "tenant status --user tim", &[]).expect(2);
    assert!(said.error().contains("no terminal"), "{said:?}");
    // Where nothing is kept, a password of the session counts only if it is for that host.
    at.cli.ok(&format!(
        "context add box --replace --host {url} --user admin --cacert sandbox-ca.pem"
    ));
    let password = ("C8Y_PASSWORD", PASSWORD);
    run(&at, "tenant status --context box", &[password]).expect(0);
    let elsewhere = [password, ("C8Y_HOST", "other.example.com")];
    let said = run(&at, "tenant status --context box", &elsewhere).expect(2);
    assert!(said.error().contains("no terminal"), "{said:?}");
}

#[test]
fn the_secret_of_a_context_goes_to_its_tenant_only() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    let example = cli.ok("profile show rollout.toml");
    for (file, section) in [("one", "tenant"), ("several", "tenant.staging")] {
        let section = format!("\n[{section}]\ncas = [\"line-7\"]\nregister = false\n");
        cli.write(&format!("{file}/rollout.toml"), format!("{example}{section}"));
        cli.write(&format!("{file}/devices.csv"), "id,name\ngw-1,Gateway\n");
    }
    let at = AtTenant::new(cli);
    let (url, tenant) = (at.sandbox.url(), at.sandbox.tenant().to_owned());
    at.cli.ok(&format!(
        "context add box --host {url} --tenant {tenant} --user admin --cacert sandbox-ca.pem \
         --tenant-password-file pw --use"
    ));
    run(&at, &format!("tenant status --tenant {tenant}"), &[]).expect(0);
    // A word after --tenant that is no id, and a name that a file gives a tenant.
    let said =
        run(&at, "cert verify --tenant out/gw-1/chain.pem --trust pki/ca/root/cert.pem", &[]);
    assert!(said.code < 2 && said.stdout.contains("platform"), "{said:?}");
    run(&at, "rollout several/rollout.toml --plan --exit-code --tenant staging", &[]).expect(4);
    for line in [
        "tenant status --tenant t999",
        "tenant status --context box --tenant=t999",
        "cert verify --tenant=t999 out/gw-1/chain.pem --trust pki/ca/root/cert.pem",
        "rollout one/rollout.toml --plan --exit-code --tenant t999",
    ] {
        let said = run(&at, line, &[]).expect(2);
        assert!(said.error().contains("no terminal"), "{said:?}");
    }
}

/// The variables that `set-session` of go-c8y-cli exports, as it writes them: the host with its scheme.
#[test]
fn a_session_of_go_c8y_cli_is_enough() {
    let at = AtTenant::new(Cli::new());
    let (url, tenant) = (at.sandbox.url(), at.sandbox.tenant().to_owned());
    let session = [
        ("C8Y_URL", url.as_str()),
        ("C8Y_BASEURL", url.as_str()),
        ("C8Y_HOST", url.as_str()),
        ("C8Y_DOMAIN", "localhost"),
        ("C8Y_TENANT", tenant.as_str()),
        ("C8Y_USERNAME", "admin"),
        ("C8Y_PASSWORD", PASSWORD),
        ("C8Y_TOKEN", ""),
        ("C8Y_PKI_CACERT", "sandbox-ca.pem"),
    ];
    let said = run(&at, "tenant status -v", &session).expect(0);
    assert!(said.stderr.contains("method=GET") && said.stderr.contains("status=200"), "{said:?}");
    assert!(!said.stderr.contains("tls +"), "{said:?}");
    let said = run(&at, "tenant status -vv", &session).expect(0);
    assert!(said.stderr.contains("TLS 1.3") && said.stderr.contains("trusted"), "{said:?}");
    let wrong = [session.as_slice(), &[("C8Y_PASSWORD", "of-somebody-else")]].concat();
    let said = run(&at, "tenant status -vv", &wrong).expect(2);
    assert!(
        said.stderr.contains("status=401") && !said.stderr.contains("somebody-else"),
        "{said:?}"
    );
    let said = run(&at, "tenant status", &[("C8Y_PKI_LOG", "loud")]).expect(2);
    assert!(said.error().contains("C8Y_PKI_LOG"), "{said:?}");
}
