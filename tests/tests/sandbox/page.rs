//! The sandbox's page, in a Chromium without a screen: what happens shows up without loading it
//! again, names are never taken for HTML, and nothing is fetched from elsewhere.

use std::process::Command;

use c8y_pki_tests::openssl::{EC, OpenSsl};
use c8y_pki_tests::tenant::Tenant;
use c8y_pki_tests::{Tool, arg, chromium, node_dir, node_with, tool};
use serde_json::json;

/// As in the script.
const HOSTILE: &str =
    "<img src=x onerror=window.taken=1>\"'&<script>window.taken=1</script>\u{202e}\u{200b}";

/// mosquitto_pub or mosquitto_sub, as a device that calls itself [`HOSTILE`].
fn mosquitto(tenant: &Tenant, program: &Tool) -> Command {
    let mut command = Command::new(program.path());
    let port = tenant.sandbox().mqtt_port().to_string();
    command.args(["-h", "localhost", "-p", &port, "-u", "t1001/admin", "-P", tenant.password()]);
    command.args(["-i", HOSTILE, "--cafile", arg(&tenant.path("sandbox-ca.pem"))]);
    command
}

#[test]
fn shows_what_happens() {
    let Some(node) = node_with("playwright-core") else { return };
    let Some(browser) = chromium() else { return };
    let (Some(publish), Some(subscribe)) = (tool("mosquitto_pub"), tool("mosquitto_sub")) else {
        return;
    };
    let tenant = Tenant::start();
    let Some(openssl) = OpenSsl::at(tenant.folder()) else { return };
    openssl.root("ca", EC);
    let hostile = HOSTILE.replace('"', "\"\"");
    let rows =
        format!("gw-1;CERTIFICATES;c8y_Gateway;One\ngw-2;CERTIFICATES;c8y_Gateway;\"{hostile}\"\n");
    tenant.write("devices.csv", format!("ID;AUTH_TYPE;TYPE;NAME\n{rows}"));
    let value = format!("\"{}\"", HOSTILE.replace('"', "\\\""));
    let rows = format!("100,{value},t\n400,t,{value}");
    let published =
        mosquitto(&tenant, &publish).args(["-q", "1", "-t", "s/us", "-m", &rows]).output();
    assert!(published.as_ref().is_ok_and(|output| output.status.success()), "{published:?}");
    let mut connected = mosquitto(&tenant, &subscribe)
        .args(["-t", "s/ds", "-W", "120"])
        .spawn()
        .expect("it starts");
    let script = node_dir().join("page.mjs");
    let chromium = [("CHROMIUM", arg(browser.path()))];
    let steps = tenant.client_with(&node, &chromium, &[arg(&script), arg(tenant.folder())]);
    connected.kill().expect("it runs");
    connected.wait().expect("its end");
    assert_eq!(steps.last().map(|step| &step["step"]), Some(&json!("small screen")), "{steps:?}");
    if let Some(folder) = std::env::var_os("C8Y_PKI_SCREENSHOTS") {
        for name in ["page.png", "many.png", "small.png"] {
            let to = std::path::Path::new(&folder).join(name);
            std::fs::copy(tenant.path(name), to).expect("a directory for pictures");
        }
    }
}
