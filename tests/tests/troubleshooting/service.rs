//! The MQTT Service, and a certificate beside user and password.

use c8y_pki_sandbox::Settings;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{Cli, Outcome};
use c8y_pki_tests::workshop::{bundle, device, root, upload};

use crate::rows::row;

/// The device gw-1, whose CA the tenant has, and the MQTT Service.
fn at() -> AtTenant {
    let settings = Settings { mqtt_service_port: Some(0), ..Settings::default() };
    let (at, root) = (AtTenant::with(Cli::new(), settings), root("Root", None));
    upload(&at, &root, "--prove --auto-registration");
    let device = device("gw-1", &root);
    bundle(&at.cli, "out/gw-1", &device, &[&device, &root]);
    at
}

/// A command of the device at the MQTT Service, with the login of the tenant.
fn run(at: &AtTenant, command: &str, more: &str) -> Outcome {
    let port = at.sandbox.mqtt_service_port().expect("the port");
    let way = format!("--host localhost --port {port} --truststore sandbox-ca.pem");
    at.run(&format!("device {command} gw-1 --mqtt-service {way} {more}"))
}

#[test]
fn service_tenant_user() {
    let at = at();
    let port = at.sandbox.mqtt_service_port().expect("the port");
    // Nobody logs in: with a login the tenant would say who it is.
    let line = format!(
        "device check gw-1 --mqtt-service --host localhost --port {port} --truststore sandbox-ca.pem --tenant t1002 \
         --attempts 1 --json"
    );
    row("service-tenant-user").holds_truly(&at.cli.run(&line).expect(1), &at);
}

#[test]
fn service_smartrest_off() {
    let refused = run(&at(), "check", "--smartrest --json").expect(1);
    row("service-smartrest-off").holds(&refused);
}

#[test]
fn service_own_program() {
    let said = run(&at(), "check", "").expect(0);
    row("service-own-program").is_said(&said);
}

#[test]
fn service_token() {
    row("service-token").is_said(&run(&at(), "token", "").expect(1));
}

#[test]
fn service_qos_2() {
    let said = run(&at(), "connect", "--exit-at-eof --topic plant/hall-3 --qos 2");
    row("service-qos-2").is_said(&said.expect(2));
}

#[test]
fn service_smartrest_topic() {
    row("service-smartrest-topic").is_said(&run(&at(), "connect", "--exit-at-eof").expect(2));
}

#[test]
fn service_not_there() {
    let at = at();
    let line = "device check gw-1 --host 127.0.0.1 --mqtt-service --json";
    row("service-not-there").holds(&at.cli.run(line).expect(3));
}

#[test]
fn certificate_beside_password() {
    let at = at();
    let other = root("Other", None);
    let device = device("gw-1", &other);
    bundle(&at.cli, "out/gw-1", &device, &[&device, &other]);
    let line = format!(
        "device check gw-1 --host localhost --port {} --truststore sandbox-ca.pem --attempts 1 --json --mqtt-user \
         t1001/admin --mqtt-password-file pw",
        at.sandbox.mqtt_port()
    );
    row("certificate-beside-password").holds(&at.cli.run(&line).expect(1));
    let state = at.sandbox.state().to_string();
    assert!(state.contains("no uploaded certificate is among those presented"), "{state}");
}
