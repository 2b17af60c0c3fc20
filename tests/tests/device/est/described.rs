//! The OpenAPI document, held against the service by schemathesis: it makes requests that fit the document and such that
//! do not, and holds each answer to it.

use c8y_pki_tests::{python_with, tool};
use serde_json::Value;

use super::Site;

/// The names in paths: else hardly a request would be about something that there is.
const NAMES: &str = r#"
[parameters]
"path.order" = "known"
"path.id" = "gw-0001"
"path.ca" = "line"
"#;

impl Site {
    /// Runs schemathesis with a token.
    fn schemathesis(&self, token: &str, config: &str) -> Option<String> {
        let python = python_with("schemathesis")?;
        self.cli.write("schemathesis.toml", config);
        let (root, bearer) =
            (self.cli.arg("pki/ca/root/cert.pem"), format!("Authorization: Bearer {token}"));
        let mut command = std::process::Command::new(python.path());
        command
            .current_dir(self.cli.path(""))
            .args(["-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run"])
            .arg(format!("{}/v1/openapi.json", self.url()))
            .args(["--tls-verify", &root, "--header", &bearer])
            // That whatever fits the types is taken as well, no document could say of a certificate request.
            .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance"])
            .args([
                "--max-examples",
                "20",
                "--seed",
                "1",
                "--generation-database",
                "none",
                "--no-color",
            ]);
        let output = command.output().expect("schemathesis starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        Some(said)
    }
}

#[test]
fn the_service_is_as_its_document_says() {
    let Some(mut site) = Site::new() else { return };
    if tool("curl").is_none() || python_with("schemathesis").is_none() {
        return;
    }
    site.cli.write("known.csv", "id\ngw-0001\n");
    site.cli.ok("order create known --from known.csv --ca line");
    site.cli.ok(&format!("ca crl line {}", c8y_pki_tests::cli::CA_PW));
    let all = "--role issue --role read --role revoke";
    let token = site.token(&format!("known {all}"));
    site.schemathesis(&token, NAMES);
    // Names that there are not, roles that a token does not have.
    site.schemathesis(&token, "");
    let token = site.token("reads --role read --order known");
    site.schemathesis(&token, "");

    let document = site.curl("/v1/openapi.json", &[]).expect(200).json();
    let (code, log) = site.stop();
    assert_eq!(code, 0);
    let entries: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let has = |status: u64, method: &str, path: &str| {
        entries.iter().any(|entry| {
            entry["status"] == status && entry["method"] == method && entry["path"] == path
        })
    };
    // Each operation has done its work at least once.
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        let path =
            path.replace("{order}", "known").replace("{id}", "gw-0001").replace("{ca}", "line");
        for method in methods.as_object().expect("methods").keys() {
            operations += 1;
            assert!(has(200, &method.to_uppercase(), &path), "{method} {path} was never answered");
        }
    }
    assert!(operations >= 7, "{document}");
    let faults: Vec<&Value> =
        entries.iter().filter(|e| e["status"].as_u64().is_some_and(|s| s >= 500)).collect();
    assert!(faults.is_empty(), "{faults:?}");
    site.cli.ok("registry check");
}
