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

[[operations]]
include-name = "GET /v1/orders/{order}/devices/{id}/label"

[operations.parameters]
"path.order" = "known"
"path.id" = "gw-0002"
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
            // Tokens that are none it shows more often than an address may: who is let in is looked at here.
            .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance,ignored_auth"])
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

    /// Asks for each operation of the document without a token: path, method and status.
    fn without_token(&self, document: &Value) -> Vec<(String, String, u16)> {
        let paths = document["paths"].as_object().expect("paths").iter();
        let all = paths.flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").keys();
            methods.map(|method| (named(path), method.to_uppercase())).collect::<Vec<_>>()
        });
        all.map(|(path, method)| {
            let status = self.curl(&path, &["--request", &method]).status;
            (path, method, status)
        })
        .collect()
    }
}

/// The path of an operation for something that there is.
fn named(path: &str) -> String {
    // One that is not revoked: it has a label.
    let id = if path.ends_with("/label") { "gw-0002" } else { "gw-0001" };
    path.replace("{order}", "known").replace("{id}", id).replace("{ca}", "line")
}

#[test]
fn the_service_is_as_its_document_says() {
    let Some(mut site) = Site::new() else { return };
    if tool("curl").is_none() || python_with("schemathesis").is_none() {
        return;
    }
    site.cli.write("known.csv", "id\ngw-0001\ngw-0002\n");
    site.cli.ok("order create known --from known.csv --ca line");
    site.cli.ok(&format!("ca crl line {}", c8y_pki_tests::cli::CA_PW));
    let all = "--role issue --role read --role revoke";
    let token = site.token(&format!("known {all}"));
    // One that is not revoked: it has a label.
    let path = "/v1/orders/known/devices/gw-0002";
    site.send(&token, path, &serde_json::json!({ "bundle": "pem" })).expect(200);
    site.schemathesis(&token, NAMES);
    // Names that there are not, roles that a token does not have.
    site.schemathesis(&token, "");
    let token = site.token("reads --role read --order known");
    site.schemathesis(&token, "");

    let document = site.curl("/v1/openapi.json", &[]).expect(200).json();
    let asked = site.without_token(&document);
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
        let path = named(path);
        for method in methods.as_object().expect("methods").keys() {
            operations += 1;
            let method = method.to_uppercase();
            let open = asked.iter().find(|(known, of, _)| *known == path && *of == method);
            assert_eq!(open.map(|one| one.2), Some(401), "{method} {path} without a token");
            assert!(has(200, &method, &path), "{method} {path} was never answered");
        }
    }
    assert!(operations >= 11, "{document}");
    let faults: Vec<&Value> =
        entries.iter().filter(|e| e["status"].as_u64().is_some_and(|s| s >= 500)).collect();
    assert!(faults.is_empty(), "{faults:?}");
    site.cli.ok("registry check");
}
