//! The page for the person at the line, in a Chromium without a screen and by the keyboard alone; and what it asks of
//! the API.

use std::process::Command;

use c8y_pki_tests::{arg, chromium, node_dir, node_with};
use serde_json::{Value, json};

use super::{OTP, Site};

/// As in the script.
const HOSTILE: &str = "<img src=x onerror=window.taken=1>\"'&<script>window.taken=1</script>";

#[test]
fn a_person_scans_devices() {
    let (Some(node), Some(browser)) = (node_with("playwright-core"), chromium()) else { return };
    let Some(mut site) = Site::new() else { return };
    // Off unless it is asked for.
    site.curl("/page", &[]).expect(404);
    assert_eq!(site.stop().0, 0);
    site.cli.write("x.csv", "id\nx-1\n");
    let made = site
        .cli
        .command("order create other --from x.csv --ca line --customer")
        .arg(HOSTILE)
        .output()
        .expect("it starts");
    assert!(made.status.success(), "{made:?}");
    site.start("--page");
    site.enrolled(1, "a");
    let token = site.token("line --role read");
    let output = Command::new(node.path())
        .args([arg(&node_dir().join("line.mjs")), arg(&site.cli.path(""))])
        .env("CHROMIUM", browser.path())
        .env("PAGE", format!("{}/page", site.url()))
        .env("TOKEN", &token)
        .output()
        .expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(r#""step":"nothing else is run or asked""#), "{said}");
    if let Some(folder) = std::env::var_os("C8Y_PKI_SCREENSHOTS") {
        for name in ["issued.png", "refused.png", "small.png", "printed.png"] {
            let to = std::path::Path::new(&folder).join(format!("line-{name}"));
            std::fs::copy(site.cli.path(name), to).expect("a directory for pictures");
        }
    }
    let (code, log) = site.stop();
    assert_eq!(code, 0);
    assert!(!log.contains(&token) && !log.contains("panicked"), "{log}");
}

#[test]
fn orders_and_their_devices_are_shown() {
    let Some(mut site) = Site::new() else { return };
    site.cli.write("x.csv", "id,name\nx-1,Hall 3\n");
    site.cli.ok("order create other --from x.csv --ca line --customer Acme");
    let all = site.token("all --role read");
    let names = |token: &str| -> Vec<Value> {
        let listed = site.api(token, "/v1/orders", &[]).expect(200).json();
        let orders = listed["orders"].as_array().expect("a list").clone();
        orders.into_iter().map(|mut order| order["name"].take()).collect()
    };
    assert_eq!(names(&all), ["acme", "other"]);
    let limited = site.token("limited --role read --order other");
    assert_eq!(names(&limited), ["other"]);
    assert!(names(&site.token("root --role read --ca root")).is_empty());
    site.api(&site.token("issues --role issue"), "/v1/orders", &[]).expect(403);

    // How a device stands, and its label.
    let state = |id: &str| site.api(&all, &format!("/v1/orders/acme/devices/{id}"), &[]);
    let label = |id: &str| site.api(&all, &format!("/v1/orders/acme/devices/{id}/label"), &[]);
    assert_eq!(state("gw-1").expect(200).json()["state"], "open");
    label("gw-1").expect(409).problem();
    site.enrolled(1, "a");
    let issued = state("gw-1").expect(200).json();
    assert_eq!((&issued["state"], &issued["order"]), (&json!("issued"), &json!("acme")));
    let shown = site.openssl.run("x509 -in @a.pem -noout -serial -fingerprint -sha256");
    let serial = issued["serial"].as_str().expect("a text").to_uppercase();
    assert!(shown.contains(&format!("serial={serial}")), "{shown}");
    let drawn = label("gw-1").expect(200);
    assert_eq!(drawn.header("content-type"), Some("image/svg+xml"));
    let print = shown.rsplit('=').next().unwrap_or_default().trim().replace(':', "").to_lowercase();
    let text: String = drawn.text().split_whitespace().collect();
    assert!(text.contains(">gw-1<") && text.contains(&print[..16]), "{text}");
    assert!(!text.contains(OTP), "{text}");
    site.cli.ok("device revoke gw-1 --reason superseded");
    assert_eq!(state("gw-1").expect(200).json()["state"], "revoked");
    label("gw-1").expect(409).problem();
    for id in ["nobody", "x-1", "GW-1"] {
        state(id).expect(404).problem();
        label(id).expect(404).problem();
    }
    site.api(&limited, "/v1/orders/acme/devices/gw-1", &[]).expect(403).problem();
    site.api(&limited, "/v1/orders/acme/devices/gw-1/label", &[]).expect(403).problem();

    // What was made last, the newest first; a certificate that was made before the order is not of it.
    for number in 2..=4 {
        site.enrolled(number, "b");
    }
    let recent = |query: &str| site.api(&all, &format!("/v1/orders/acme/recent{query}"), &[]);
    let made = recent("?since=2026-01-01T00:00:00Z").expect(200).json();
    let ids: Vec<&Value> =
        made["last"].as_array().expect("a list").iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, ["gw-4", "gw-3", "gw-2"]);
    assert_eq!(made["count"], 3);
    assert_eq!(recent("?since=2099-01-01T00%3A00%3A00%2B01:00").expect(200).json()["count"], 0);
    recent("").expect(200);
    for bad in ["?since=", "?since=yesterday", "?since=%FF"] {
        recent(bad).expect(400).problem();
    }
    let other = site.api(&limited, "/v1/orders/other/recent?since=2026-01-01T00:00:00Z", &[]);
    assert_eq!(other.expect(200).json()["last"], json!([]));
    site.api(&limited, "/v1/orders/acme/recent", &[]).expect(403).problem();
    assert_eq!(site.stop().0, 0);
}
