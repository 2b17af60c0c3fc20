//! The words of a server that says what it likes.

use c8y_pki_tests::broker::{paper_tenant, server_certificate};
use c8y_pki_tests::cli::{Cli, HOSTILE, Outcome, PASSWORD, hidden};
use serde_json::{Value, json};

/// As it is shown.
const SHOWN: &str = r"\u{1b}]0;owned\u{7}\u{1b}[2J\nerror: fake\r\u{9b}31m\u{202e}\u{200b}\u{2028}";

/// A tenant that answers like this; runs command lines at it.
fn tenant(
    answer: impl Fn(&str) -> (u16, Value) + Send + Sync + 'static,
) -> Option<impl Fn(&str) -> Outcome> {
    let cli = Cli::with_cas();
    server_certificate(&cli)?;
    cli.write("reg.csv", "ID;AUTH_TYPE;TYPE;NAME\ngw-1;CERTIFICATES;t;n\ngw-2;CERTIFICATES;t;n\n");
    let port = paper_tenant(&cli, move |request| {
        let (status, body) = answer(request);
        (status, body.to_string())
    });
    let host = format!("https://localhost:{port}");
    Some(move |line: &str| {
        let variables = [
            ("C8Y_HOST", host.as_str()),
            ("C8Y_USER", "admin"),
            ("C8Y_PASSWORD", PASSWORD),
            ("C8Y_PKI_CACERT", "server-ca.pem"),
        ];
        let said = cli.run_with(line, &variables, b"");
        let text = format!("{}{}", said.stdout, said.stderr);
        assert!(!text.lines().any(|line| line.trim_start().starts_with("error: fake")), "{said:?}");
        let file = cli.path("reg.result.csv");
        if let Ok(result) = std::fs::read_to_string(file) {
            assert_eq!(hidden(&result), None, "{result}");
            assert!(result.contains(",'=cmd|"), "{result}");
        }
        said
    })
}

const COMMANDS: &[&str] = &[
    "tenant status",
    "tenant trust list",
    "tenant trust show Line",
    "tenant trust add --ca line",
    "tenant trust remove Line --yes",
    "tenant crl download",
    "pop code --ca line",
    "pop prove --ca line --ca-password-file pw",
    "registration upload reg.csv",
    "device check gw-1 --out out --timeout 1",
];

#[test]
fn a_refusal_is_one_line_and_not_too_long() {
    let long = format!("{HOSTILE}{}", "x".repeat(3_000_000));
    let Some(run) = tenant(move |_| (422, json!({ "error": "a/b", "message": long }))) else {
        return;
    };
    for line in COMMANDS {
        let said = run(&format!("--json {line}"));
        assert_ne!(said.code, 0, "{said:?}");
        let said = run(line);
        assert!(said.stderr.len() < 20_000, "{line}: {}", said.stderr.len());
    }
    let said = run("tenant trust list").expect(1);
    assert!(said.error().contains(SHOWN), "{said:?}");
    assert!(said.error().ends_with("more bytes"), "{said:?}");
}

#[test]
fn names_and_reasons_are_shown_as_they_are() {
    let reason = format!("=cmd|{HOSTILE}{}", "x".repeat(1_000_000));
    let Some(run) = tenant(move |request| match request {
        r if r.contains("/tenant/currentTenant") => {
            (200, json!({ "name": "t1", "domainName": HOSTILE }))
        }
        r if r.contains("/user/currentUser") => (
            200,
            json!({ "userName": HOSTILE, "effectiveRoles": [{ "id": HOSTILE, "name": HOSTILE }] }),
        ),
        r if r.contains("bulkNewDeviceRequests") => (
            201,
            json!({
                "numberOfAll": 2, "numberOfFailed": 2, "numberOfSuccessful": 0,
                "failedCreationList": [
                    { "bulkNewDeviceStatus": "FAILED", "deviceId": "gw-1", "failureReason": reason },
                    { "bulkNewDeviceStatus": HOSTILE, "deviceId": HOSTILE, "failureReason": HOSTILE },
                ],
            }),
        ),
        r if r.contains("trusted-certificates") => (
            200,
            json!({ "certificates": [{
            "name": HOSTILE, "fingerprint": HOSTILE, "status": HOSTILE, "subject": HOSTILE,
            "issuer": HOSTILE, "certInPemFormat": HOSTILE, "serialNumber": HOSTILE,
            "proofOfPossessionUnsignedVerificationCode": HOSTILE,
        }] }),
        ),
        _ => (200, json!({})),
    }) else {
        return;
    };
    for line in COMMANDS {
        run(line);
        run(&format!("{line} --json"));
    }
    let status = run("tenant status");
    assert!(status.stdout.contains(SHOWN), "{status:?}");
    let list = run("tenant trust list").expect(0);
    assert!(list.stdout.contains(SHOWN), "{list:?}");
    assert_eq!(list.stdout.lines().count(), 2, "{list:?}");
    let uploaded = run("registration upload reg.csv").expect(1);
    assert!(uploaded.stderr.contains(SHOWN) && uploaded.stderr.len() < 10_000, "{uploaded:?}");
}
