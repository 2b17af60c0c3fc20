//! What outputs of commands at a tenant do to what is there already.

#![cfg(unix)]

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};
use c8y_pki_tests::outputs::{AT_TENANT, Fifo, hold};
use c8y_pki_tests::talking::Talking;

#[test]
fn outputs_go_where_they_are_sent() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    let at = AtTenant::new(cli);
    at.ok("tenant trust add --ca line --auto-registration");
    let port = at.sandbox.mqtt_port().to_string();
    for output in AT_TENANT {
        hold(&at.cli, output, &|line| at.run(&line.replace("PORT", &port)));
    }
}

#[test]
fn credentials_go_where_they_are_sent() {
    let at = AtTenant::new(Cli::new());
    let (host, port) = (at.sandbox.url(), at.sandbox.mqtt_port());
    let variables = [("C8Y_HOST", host.as_str()), ("C8Y_BOOTSTRAP_PASSWORD", PASSWORD)];
    let ask = |device: &str, place: &str| {
        at.sandbox.enter_device(device);
        let line = format!(
            "device bootstrap {device} --port {port} --truststore sandbox-ca.pem --every 1 --out {place}"
        );
        let mut asking = Talking::start(&at.cli, &line, &variables);
        asking.until("the device asks", || at.sandbox.accept_device(device));
        let (code, stdout, stderr) = asking.finish();
        assert_eq!(code, 0, "{stderr}");
        (stdout, stderr)
    };
    let (stdout, stderr) = ask("pw-1", "-");
    assert!(stdout.starts_with("{\"password\":") && stdout.lines().count() == 1, "{stdout}");
    assert!(stderr.contains("pw-1: user t1001/device_pw-1"), "{stderr}");
    std::os::unix::fs::symlink("target", at.cli.path("link")).unwrap();
    ask("pw-2", "link");
    assert!(at.cli.path("link").is_symlink() && at.cli.text("target").contains("device_pw-2"));
    if let Some(fifo) = Fifo::new(&at.cli.path("fifo")) {
        let (stdout, _) = ask("pw-3", "fifo");
        assert!(stdout.starts_with("pw-3: user"), "{stdout}");
        assert!(fifo.finish().contains("device_pw-3"));
    }
}
