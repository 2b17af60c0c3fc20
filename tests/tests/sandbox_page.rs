//! The sandbox's page, in a Chromium without a screen: what happens shows up without loading it
//! again, names are never taken for HTML, and nothing is fetched from elsewhere.

use c8y_pki_tests::openssl::{EC, OpenSsl};
use c8y_pki_tests::tenant::Tenant;
use c8y_pki_tests::{arg, chromium, node_dir, node_with};
use serde_json::json;

/// As in the script.
const HOSTILE: &str = r#"<img src=x onerror=window.taken=1>"'&<script>window.taken=1</script>"#;

#[test]
fn shows_what_happens() {
    let Some(node) = node_with("playwright-core") else { return };
    let Some(browser) = chromium() else { return };
    let tenant = Tenant::start();
    let Some(openssl) = OpenSsl::at(tenant.folder()) else { return };
    openssl.root("ca", EC);
    let hostile = HOSTILE.replace('"', "\"\"");
    let rows =
        format!("gw-1;CERTIFICATES;c8y_Gateway;One\ngw-2;CERTIFICATES;c8y_Gateway;\"{hostile}\"\n");
    tenant.write("devices.csv", format!("ID;AUTH_TYPE;TYPE;NAME\n{rows}"));
    let script = node_dir().join("page.mjs");
    let chromium = [("CHROMIUM", arg(browser.path()))];
    let steps = tenant.client_with(&node, &chromium, &[arg(&script), arg(tenant.folder())]);
    assert_eq!(steps.last().map(|step| &step["step"]), Some(&json!("small screen")), "{steps:?}");
    if let Some(folder) = std::env::var_os("C8Y_PKI_SCREENSHOTS") {
        for name in ["page.png", "small.png"] {
            let to = std::path::Path::new(&folder).join(name);
            std::fs::copy(tenant.path(name), to).expect("a folder for pictures");
        }
    }
}
