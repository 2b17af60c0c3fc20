//! `--bundle thin-edge`: its script, run with a `tedge` that only writes down what it is told, and a bridge of
//! mosquitto with its files. thin-edge itself is not run here.

#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::tool;

/// What the script tells thin-edge, one call a line.
const TOLD: &str = "config get mqtt.bridge.built_in\n\
                    config set device.key_path TO/tedge-private-key.pem\n\
                    config set device.cert_path TO/tedge-certificate.pem\n\
                    config set c8y.url acme.example\n";

fn issued() -> AtTenant {
    let cli = Cli::with_cas();
    // A user other than the one of the test has to get to the files.
    fs::set_permissions(cli.path(""), Permissions::from_mode(0o755)).expect("a mode");
    cli.ok(&format!("device issue gw-1 --ca line --out out --bundle thin-edge {CA_PW}"));
    AtTenant::new(cli)
}

/// Runs the script of the bundle; what `tedge` was told.
fn set_up(cli: &Cli, owner: &[&str]) -> String {
    let tedge = "#!/bin/sh\necho \"$@\" >> \"$TOLD\"\n[ \"$2\" = get ] && echo true\nexit 0\n";
    for name in ["tedge", "systemctl"] {
        cli.write(
            &format!("bin/{name}"),
            if name == "tedge" { tedge } else { "#!/bin/sh\nexit 1\n" },
        );
        let path = cli.path(&format!("bin/{name}"));
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a mode");
    }
    let search = format!("{}:{}", cli.arg("bin"), std::env::var("PATH").expect("a path"));
    let told = cli.path("told");
    let _ = fs::remove_file(&told);
    let output = Command::new("sh")
        .arg(cli.path("out/gw-1/tedge-setup.sh"))
        .args(owner)
        .env("PATH", search)
        .env("TOLD", &told)
        .env("C8Y_URL", "acme.example")
        .env("TEDGE_CONFIG_DIR", cli.path("etc"))
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    cli.text("told").replace(&cli.arg("etc/device-certs"), "TO")
}

/// The user and the group of this process, as the script takes them.
fn own() -> String {
    let of = |option: &str| {
        let said = Command::new("id").arg(option).output().expect("id").stdout;
        String::from_utf8(said).expect("a name").trim().to_owned()
    };
    format!("{}:{}", of("-un"), of("-gn"))
}

fn mode(cli: &Cli, name: &str) -> u32 {
    fs::metadata(cli.path(name)).expect(name).permissions().mode() & 0o777
}

#[test]
fn the_bundle_has_the_names_and_its_script_puts_them_in_place() {
    let at = issued();
    let names = ["tedge-certificate.pem", "tedge-private-key.pem", "tedge-setup.sh"];
    assert_eq!(at.cli.names("out/gw-1"), names);
    assert_eq!(mode(&at.cli, "out/gw-1/tedge-private-key.pem"), 0o600);
    // The whole chain, the uploaded CA included.
    assert_eq!(at.cli.text("out/gw-1/tedge-certificate.pem").matches("-BEGIN CERT").count(), 3);
    let told = set_up(&at.cli, &[&own()]);
    assert_eq!(told, TOLD.split_once('\n').expect("lines").1);
    assert_eq!(mode(&at.cli, "etc/device-certs/tedge-private-key.pem"), 0o600);
    assert_eq!(mode(&at.cli, "etc/device-certs/tedge-certificate.pem"), 0o644);
    assert_eq!(at.cli.names("etc/device-certs"), names[..2]);
    let read = |dir: &str| at.cli.read(&format!("{dir}/tedge-private-key.pem"));
    assert_eq!(read("etc/device-certs"), read("out/gw-1"));
    // Other commands find the files under these names.
    at.ok("tenant trust add --ca line --auto-registration");
    let port = at.sandbox.mqtt_port();
    at.ok(&format!("device check gw-1 --host localhost --port {port} --truststore sandbox-ca.pem"));
    at.cli.ok("registry check");
}

#[test]
fn a_renewal_keeps_the_names_and_an_encrypted_key_is_refused() {
    let at = issued();
    let key = at.cli.read("out/gw-1/tedge-private-key.pem");
    let renew = format!("device renew gw-1 --ca line --out out --bundle thin-edge {CA_PW}");
    at.cli.ok(&format!("{renew} --reuse-key"));
    assert_eq!(at.cli.read("out/gw-1/tedge-private-key.pem"), key);
    at.cli.ok(&renew);
    assert_ne!(at.cli.read("out/gw-1/tedge-private-key.pem"), key);
    let line = "device issue gw-2 --ca line --out out --bundle thin-edge --encrypt-keys \
                --key-password-file pw";
    let refused = at.cli.run(&format!("{line} {CA_PW}")).expect(2);
    assert!(refused.error().starts_with("thin-edge cannot open an encrypted"), "{refused:?}");
    assert!(!at.cli.path("out/gw-2").exists());
}

/// A mosquitto, killed at the end of a test.
struct Mosquitto(Child);

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a mosquitto whose bridge connects to the tenant as thin-edge's does: it forwards what is published on
/// `c8y/s/us`.
fn bridge(at: &AtTenant, user: &str) -> Option<(Mosquitto, u16)> {
    // Debian has it where only root's search path leads.
    let mosquitto = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"];
    let Some(program) = mosquitto.iter().find(|path| fs::exists(path).unwrap_or(false)) else {
        return tool("mosquitto").and(None);
    };
    let port = c8y_pki_tests::ports::free_port();
    let dir = at.cli.arg("");
    let config = format!(
        "user {user}\nlistener {port} 127.0.0.1\nallow_anonymous true\n\
         connection c8y\naddress localhost:{}\nremote_clientid gw-1\ncleansession true\n\
         bridge_cafile {dir}/sandbox-ca.pem\n\
         bridge_certfile {dir}/etc/device-certs/tedge-certificate.pem\n\
         bridge_keyfile {dir}/etc/device-certs/tedge-private-key.pem\n\
         try_private false\nnotifications false\nbridge_attempt_unsubscribe false\n\
         restart_timeout 1\ntopic s/us out 1 c8y/ \"\"\ntopic s/ds in 1 c8y/ \"\"\n",
        at.sandbox.mqtt_port()
    );
    at.cli.write("mosquitto.conf", config);
    let child = Command::new(program)
        .args(["-c", &at.cli.arg("mosquitto.conf"), "-v"])
        .stdout(Stdio::null())
        .stderr(fs::File::create(at.cli.path("mosquitto.log")).expect("a log"))
        .spawn()
        .expect("mosquitto starts");
    Some((Mosquitto(child), port))
}

fn soon(mut is_so: impl FnMut() -> bool) -> bool {
    (0..1500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        is_so()
    })
}

fn is_connected(at: &AtTenant) -> bool {
    at.list("devices").iter().any(|d| d["id"] == "gw-1" && d["connected"] == true)
}

#[test]
fn a_bridge_of_mosquitto_connects_with_the_bundle() {
    let Some(publish) = tool("mosquitto_pub") else { return };
    let at = issued();
    at.ok("tenant trust add --ca line --auto-registration");
    set_up(&at.cli, &[&own()]);
    let own = own();
    let user = own.split_once(':').expect("a user").0;
    let Some((_running, port)) = bridge(&at, user) else { return };
    assert!(soon(|| is_connected(&at)), "{}", at.cli.text("mosquitto.log"));
    publish.run(&[
        "-p",
        &port.to_string(),
        "-q",
        "1",
        "-t",
        "c8y/s/us",
        "-m",
        "100,Through the bridge,c8y_Type",
    ]);
    let arrived = || at.list("devices")[0]["object"]["name"] == "Through the bridge";
    assert!(soon(arrived), "{}", at.cli.text("mosquitto.log"));
}

#[test]
fn mosquitto_has_to_own_the_key() {
    let root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    let has_user = Command::new("id").arg("mosquitto").output().is_ok_and(|o| o.status.success());
    if !root || !has_user {
        eprintln!(
            "left out: only root can start mosquitto as its own user, and there has to be one"
        );
        return;
    }
    let at = issued();
    at.ok("tenant trust add --ca line --auto-registration");
    fs::set_permissions(at.cli.path("sandbox-ca.pem"), Permissions::from_mode(0o644))
        .expect("a mode");
    // As its own user it cannot read a key of mode 0600 that belongs to root.
    set_up(&at.cli, &["root:root"]);
    let Some((running, _)) = bridge(&at, "mosquitto") else { return };
    let refused = || at.cli.text("mosquitto.log").contains("Permission denied");
    let told = soon(|| refused() || is_connected(&at));
    assert!(told && !is_connected(&at), "{}", at.cli.text("mosquitto.log"));
    drop(running);
    set_up(&at.cli, &["mosquitto:mosquitto"]);
    let Some((_running, _)) = bridge(&at, "mosquitto") else { return };
    assert!(soon(|| is_connected(&at)), "{}", at.cli.text("mosquitto.log"));
}
