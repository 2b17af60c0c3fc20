//! A tenant with a CA and a device below it, all made by OpenSSL, and mosquitto's programs as that device.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use c8y_pki_sandbox::Settings;
use c8y_pki_tests::openssl::{OpenSsl, RSA};
use c8y_pki_tests::tenant::Tenant;
use c8y_pki_tests::{Tool, tool};
use serde_json::{Value, json};

/// A tenant that has let in the CA `ca`, which registers devices by itself; `gw-1` is one of them. Its files are
/// `gw-1.key`, `gw-1.pem` and `gw-1-chain.pem`.
pub(super) struct Setting {
    pub(super) tenant: Tenant,
    pub(super) curl: Tool,
    pub(super) openssl: OpenSsl,
}

impl Setting {
    /// None where curl or OpenSSL is not installed.
    pub(super) fn start() -> Option<Self> {
        Self::with(|_| {})
    }

    /// With other settings of the sandbox.
    pub(super) fn with(change: impl FnOnce(&mut Settings)) -> Option<Self> {
        let tenant = Tenant::start_with(change);
        let (curl, openssl) = (tool("curl")?, OpenSsl::at(tenant.folder())?);
        openssl.root("ca", RSA);
        openssl.device("gw-1", "ca");
        tenant.trust(&curl, &openssl, "ca");
        Some(Self { tenant, curl, openssl })
    }

    /// With the MQTT Service, and SmartREST there.
    pub(super) fn with_service() -> Option<Self> {
        let setting = Self::with(|settings| settings.mqtt_service_port = Some(0))?;
        setting.switch_smart_rest(true);
        Some(setting)
    }

    /// Switches SmartREST for the MQTT Service.
    pub(super) fn switch_smart_rest(&self, on: bool) {
        let feature = "/features/mqtt-service.smartrest/by-tenant";
        let switched = self.tenant.send(&self.curl, "PUT", feature, &json!({ "active": on }));
        assert!((200..300).contains(&switched.status), "{switched:?}");
    }

    pub(super) fn port(&self) -> u16 {
        self.tenant.sandbox().mqtt_port()
    }

    pub(super) fn service_port(&self) -> u16 {
        self.tenant.sandbox().mqtt_service_port().expect("the MQTT Service")
    }

    /// mosquitto_pub or mosquitto_sub as the device with this certificate; what comes later in the line counts.
    pub(super) fn mosquitto(&self, program: &Tool, port: u16, line: &str) -> Command {
        let mut command = Command::new(program.path());
        command.current_dir(self.tenant.folder());
        command.args(["-h", "localhost", "-p", &port.to_string(), "--cafile", "sandbox-ca.pem"]);
        command.args(["--cert", "gw-1-chain.pem", "--key", "gw-1.key", "-i", "gw-1"]);
        command.args(line.split(' ')).stdin(Stdio::null());
        command
    }

    /// Runs it to its end: whether it succeeded, and all that it said.
    pub(super) fn run(&self, program: &Tool, port: u16, line: &str) -> (bool, String) {
        let output = self.mosquitto(program, port, line).output().expect("it starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// The connections that the sandbox has noted of a port, by their kind.
    pub(super) fn noted(&self, port: &str, method: &str) -> Vec<Value> {
        let state = self.tenant.sandbox().state();
        let all = state["connections"].as_array().expect("connections").iter();
        all.filter(|one| one["port"] == port && one["method"] == method).cloned().collect()
    }

    /// What the sandbox knows of a device.
    pub(super) fn device(&self, id: &str) -> Value {
        let state = self.tenant.state();
        let devices = state["devices"].as_array().expect("devices");
        let found = devices.iter().find(|device| device["id"] == id);
        found.unwrap_or_else(|| panic!("no {id}: {state}")).clone()
    }
}

/// Waits up to twenty seconds until there is something.
pub(super) fn wait<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let found = (0..2000).find_map(|_| {
        let found = look();
        if found.is_none() {
            sleep(Duration::from_millis(10));
        }
        found
    });
    found.unwrap_or_else(|| panic!("{what} after twenty seconds"))
}
