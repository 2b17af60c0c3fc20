//! `tenant crl`: a revocation has an effect only where its check is switched on.

use c8y_pki_sandbox::{Profile, Settings};
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli};
use serde_json::Value;

/// A tenant, and a revoked device in the registry.
fn revoked(profile: Profile) -> AtTenant {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue a --ca line --out out {CA_PW}"));
    cli.ok("device revoke a");
    AtTenant::with(cli, Settings { profile, ..Settings::default() })
}

#[test]
fn an_upload_is_not_done_while_nobody_looks_at_the_list() {
    for profile in [Profile::Documented, Profile::Field] {
        let at = revoked(profile);
        let off = at.run("tenant crl upload --json").expect(1);
        assert_eq!(off.json()["revocation_check"], "off", "{off:?}");
        assert!(off.stderr.contains("does not check its revocation list"), "{off:?}");
        assert!(off.stderr.contains("`c8y-pki tenant crl enable`"), "{off:?}");
        // It was sent all the same.
        assert_eq!(at.list("revocations").len(), 1);
        let state = at.run("tenant crl status").expect(1).stdout;
        assert!(state.contains("off: the tenant does not check"), "{state}");

        let on = at.run("tenant crl enable --json").expect(0).json();
        assert_eq!((&on["revocation_check"], &on["changed"]), (&"on".into(), &true.into()));
        let again = at.run("tenant crl enable --json").expect(0).json();
        assert_eq!(again["changed"], Value::Bool(false));
        at.run("tenant crl status").expect(0);
        let done = at.ok("tenant crl upload");
        assert!(
            done.contains("1 revocation sent to tenant t1001, which checks its list"),
            "{done}"
        );
        assert!(at.ok("tenant status").contains("checked against the tenant's list"));
        at.ok("tenant crl disable");
        at.run("tenant crl status").expect(1);
        let told = at.ok("tenant status");
        assert!(told.contains("NOT checked: revoked devices can connect"), "{told}");
        at.run("tenant crl upload").expect(1);
    }
}

#[test]
fn what_a_user_may_not_know_is_called_unknown() {
    let at = revoked(Profile::Field);
    let sent = at.run_as("trust", "tenant crl upload --json").expect(0);
    assert_eq!(sent.json()["revocation_check"], "unknown", "{sent:?}");
    assert!(sent.stderr.contains(": to read that needs ROLE_OPTION_MANAGEMENT_READ"));
    let refused = at.run_as("trust", "tenant crl status").expect(2);
    assert!(
        refused
            .stderr
            .contains("ask an administrator of the tenant for ROLE_OPTION_MANAGEMENT_READ")
    );
    let refused = at.run_as("trust", "tenant crl enable").expect(2);
    assert!(refused.stderr.contains("ROLE_OPTION_MANAGEMENT_ADMIN"), "{refused:?}");
}

#[test]
fn the_requests_are_shown_and_a_fresh_revocation_has_no_date() {
    let at = revoked(Profile::Field);
    let line = at.ok("tenant crl upload --dry-run");
    let row = line.lines().skip_while(|l| *l != "SERIALNO,DATE").nth(1).expect("a row");
    assert!(row.len() > 10 && row.ends_with(','), "{line}");
    let put = at.ok("tenant crl enable --dry-run");
    assert!(
        put.starts_with("PUT /tenant/options/configuration/crl.offline.check.enabled"),
        "{put}"
    );
    assert!(put.contains("\"value\": \"true\""), "{put}");
}

#[test]
fn the_reading_role_is_enough_to_read() {
    let at = revoked(Profile::Field);
    at.ok("tenant trust add --ca line");
    let reader = "ROLE_TENANT_MANAGEMENT_READ";
    let url = at.sandbox.tenant().to_owned();
    let list = at.run_with("tenant trust list", &[("C8Y_USER", reader), ("C8Y_TENANT", &url)]);
    assert!(list.expect(0).stdout.contains("Line"));
    at.run_with("tenant crl download", &[("C8Y_USER", reader), ("C8Y_TENANT", &url)]).expect(0);
    let other = [("C8Y_USER", "ROLE_IDENTITY_READ"), ("C8Y_TENANT", url.as_str())];
    let refused = at.run_with("tenant trust list", &other).expect(2);
    assert!(refused.stderr.contains("for ROLE_TENANT_MANAGEMENT_READ"), "{refused:?}");
}
