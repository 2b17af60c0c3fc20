//! Faults on purpose, as curl meets them: it tells each kind, nothing is done twice behind its
//! back, and what it does against them by itself (`--retry`) is enough.

use c8y_pki_tests::openssl::{EC, OpenSsl};
use c8y_pki_tests::tenant::Tenant;
use c8y_pki_tests::{Tool, tool};
use serde_json::json;

const CURRENT: &str = "/tenant/currentTenant";
const LIST: &str = "/tenant/tenants/t1001/trusted-certificates";

fn faults(tenant: &Tenant, text: &str) {
    tenant.sandbox().set_faults(text.parse().unwrap_or_else(|e| panic!("{text}: {e}")));
}

/// The status of a request, or the number of curl's own error.
fn outcome(tenant: &Tenant, curl: &Tool, line: &str) -> Result<u16, String> {
    let user = format!("--user t1001/admin:{}", tenant.password());
    let answer = tenant.try_curl(curl, &format!("{user} {line}"));
    let error = |text: String| text.split([')', '(']).nth(1).unwrap_or_default().to_owned();
    answer.map(|answer| answer.status).map_err(error)
}

/// A body to upload.
fn upload(tenant: &Tenant, openssl: &OpenSsl, name: &str) -> String {
    openssl.root(name, EC);
    let pem = openssl.text(&format!("{name}.pem"));
    let value = json!({"name": name, "status": "ENABLED", "certInPemFormat": pem});
    tenant.write("upload.json", value.to_string());
    format!("--header 'Content-Type: application/json' --data @upload.json {LIST}")
}

#[test]
fn each_kind_is_told_from_the_others() {
    let tenant = Tenant::start();
    let Some(curl) = tool("curl") else { return };
    let Some(openssl) = OpenSsl::at(tenant.folder()) else { return };
    let held = || tenant.state()["trusted_certificates"].as_array().map_or(0, Vec::len);

    faults(&tenant, "503=1");
    assert_eq!(outcome(&tenant, &curl, &upload(&tenant, &openssl, "a")), Ok(503));
    assert_eq!(held(), 0, "nothing was done");
    faults(&tenant, "429=1");
    let answer = tenant.admin(&curl, CURRENT);
    assert!(matches!(answer.header("retry-after"), Some("0" | "1")), "{answer:?}");
    answer.refused(429);
    // 18: less than was announced; 52: nothing at all. It was done in both cases.
    faults(&tenant, "cut=1");
    let cut = outcome(&tenant, &curl, &upload(&tenant, &openssl, "b"));
    assert_eq!((cut, held()), (Err("18".to_owned()), 1));
    faults(&tenant, "drop=1");
    let dropped = outcome(&tenant, &curl, &upload(&tenant, &openssl, "c"));
    assert_eq!((dropped, held()), (Err("52".to_owned()), 2));
    faults(&tenant, "slow=1");
    let start = std::time::Instant::now();
    assert_eq!(outcome(&tenant, &curl, CURRENT), Ok(200));
    assert!(start.elapsed().as_millis() >= 300);

    let state = tenant.sandbox().state();
    let noted: Vec<_> = state["connections"].as_array().into_iter().flatten().collect();
    let noted: Vec<_> = noted.iter().filter_map(|one| one["fault"].as_str()).collect();
    assert_eq!(noted, ["503", "429", "cut", "drop", "slow"]);
    assert_eq!(state["faulted"], 5);
}

#[test]
fn the_same_seed_meets_the_same_faults() {
    let tenant = Tenant::start();
    let Some(curl) = tool("curl") else { return };
    let run = |text: &str| {
        faults(&tenant, text);
        (0..24).map(|_| outcome(&tenant, &curl, CURRENT)).collect::<Vec<_>>()
    };
    let first = run("503=0.2,429=0.1,cut=0.1,drop=0.1,seed=7");
    assert!(first.iter().any(|one| *one != Ok(200)), "{first:?}");
    assert!(first.contains(&Ok(200)), "{first:?}");
    assert_eq!(run("503=0.2,429=0.1,cut=0.1,drop=0.1,seed=7"), first);
    assert_ne!(run("503=0.2,429=0.1,cut=0.1,drop=0.1,seed=8"), first);
}

#[test]
fn curl_gets_through_by_itself() {
    let tenant = Tenant::start();
    let Some(curl) = tool("curl") else { return };
    faults(&tenant, "503=0.15,429=0.15,seed=2");
    let patient = "--retry 9 --retry-max-time 60 --retry-delay 1";
    for _ in 0..8 {
        assert_eq!(outcome(&tenant, &curl, &format!("{patient} {CURRENT}")), Ok(200));
    }
    let state = tenant.sandbox().state();
    assert!(state["faulted"].as_u64().is_some_and(|number| number > 0), "{state}");
}
