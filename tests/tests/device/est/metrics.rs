//! The numbers of the service, read by Prometheus's own library.

use c8y_pki_tests::{arg, python_dir, python_with};
use serde_json::{Value, json};

use super::Site;

#[test]
fn prometheus_reads_the_numbers_of_the_service() {
    let Some(mut site) = Site::new() else { return };
    let Some(python) = python_with("prometheus_client") else { return };
    let token = site.token("prometheus --role read");
    site.enrolled(1, "a");
    site.enrol(1, "a.b64").expect(200);
    site.curl("/nothing/at/all", &[]).expect(404);
    site.curl("/v1/devices/gw-1", &["--request", "BREW"]).expect(401);
    let answer = site.api(&token, "/metrics", &[]).expect(200);
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(kind));
    site.cli.write("metrics", &answer.body);
    let read = python.run(&[arg(&python_dir().join("prometheus.py")), &site.cli.arg("metrics")]);
    let all: Vec<(String, Value, f64)> = serde_json::from_str(&read).expect("JSON");
    let value = |name: &str, labels: Value| {
        all.iter().find(|(n, l, _)| n == name && *l == labels).map(|(_, _, value)| *value)
    };
    let answers = |path: &str, method: &str, status: &str| {
        let labels = json!({"path": path, "method": method, "status": status});
        value("c8y_pki_http_requests_total", labels)
    };
    assert_eq!(answers("simpleenroll", "POST", "200"), Some(2.0), "{all:?}");
    assert_eq!(answers("other", "GET", "404"), Some(1.0), "{all:?}");
    // By its template: an id is no label.
    assert_eq!(answers("/v1/devices/{id}", "other", "401"), Some(1.0), "{all:?}");
    assert_eq!(value("c8y_pki_certificates_issued_total", json!({})), Some(1.0));
    assert_eq!(value("c8y_pki_ready", json!({})), Some(1.0));
    assert!(value("c8y_pki_ca_not_after_timestamp_seconds", json!({"ca": "line"})).is_some());
    assert!(!answer.text().contains("gw-1"));
    assert_eq!(site.stop().0, 0);
}
