//! mosquitto as a bridge to the sandbox, as people have it on a gateway without thin-edge: what is published on
//! topics of its own goes to the platform, and what comes from there is on topics of its own.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::process::{ChildStdout, Command, Stdio};

use c8y_pki_tests::openssl::{EC, OpenSsl};
use c8y_pki_tests::ports::free_port;
use c8y_pki_tests::{Ended, Tool, arg, tool};

use crate::setting::{Setting, wait};

/// A mosquitto with a bridge.
struct Bridge {
    port: u16,
    _process: Ended,
}

/// Debian keeps daemons where the `PATH` of users does not lead.
fn program() -> Option<std::path::PathBuf> {
    let known = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"];
    let found = known.iter().find(|path| fs::exists(path).unwrap_or(false));
    found.map(Into::into).or_else(|| tool("mosquitto").map(|tool| tool.path().to_owned()))
}

/// Starts it; `chain` and `key` are files in the tenant's directory, `more` are lines for the bridge.
fn bridge(setting: &Setting, to: u16, (chain, key): (&str, &str), more: &str) -> Option<Bridge> {
    let program = program()?;
    let port = free_port();
    let file = |name: &str| setting.openssl.arg(name);
    let configuration = format!(
        "user root\npersistence false\nlog_type all\nlistener {port} 127.0.0.1\nallow_anonymous true\n\
         connection c8y\naddress localhost:{to}\nremote_clientid gw-1\ncleansession true\n\
         bridge_cafile {}\nbridge_certfile {}\nbridge_keyfile {}\n\
         try_private false\nnotifications false\nbridge_attempt_unsubscribe false\nrestart_timeout 1\n{more}\
         topic s/us out 1 c8y/ \"\"\ntopic s/uat out 1 c8y/ \"\"\n\
         topic s/ds in 1 c8y/ \"\"\ntopic s/e in 1 c8y/ \"\"\ntopic s/dat in 1 c8y/ \"\"\n",
        file("sandbox-ca.pem"),
        file(chain),
        file(key)
    );
    setting.tenant.write("bridge.conf", configuration);
    let log = fs::File::create(setting.tenant.path("bridge.log")).expect("a log");
    let child = Command::new(program)
        .args(["-c", arg(&setting.tenant.path("bridge.conf"))])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("mosquitto starts");
    let bridge = Bridge { port, _process: Ended(child) };
    wait("mosquitto listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    Some(bridge)
}

/// Somebody on the gateway who hears all that comes from the platform.
fn listener(
    setting: &Setting,
    subscribe: &Tool,
    bridge: &Bridge,
) -> (Ended, Lines<BufReader<ChildStdout>>) {
    let mut child = Command::new(subscribe.path())
        .args(["-p", &bridge.port.to_string(), "-v", "-W", "60", "-i", "listener"])
        .args(["-t", "c8y/s/ds", "-t", "c8y/s/e", "-t", "c8y/s/dat"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let is_subscribed = || log(setting).contains("Sending SUBACK to listener").then_some(());
    wait("it has subscribed", is_subscribed);
    (Ended(child), lines)
}

/// What mosquitto has logged.
fn log(setting: &Setting) -> String {
    fs::read_to_string(setting.tenant.path("bridge.log")).expect("a log")
}

fn publish(publish: &Tool, bridge: &Bridge, topic: &str, message: &str) {
    let mut command = Command::new(publish.path());
    command.args(["-p", &bridge.port.to_string(), "-q", "1", "-t", topic, "-m", message]);
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{output:?}");
}

fn heard(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    lines.next().expect("a message").expect("text")
}

/// The device is connected, with its three topics.
fn is_there(setting: &Setting) -> Option<()> {
    let state = setting.tenant.sandbox().state();
    let mut connected = state["connected"].as_array()?.iter();
    let topics = connected.find(|one| one["device"] == "gw-1")?["topics"].as_array()?.len();
    (topics == 3).then_some(())
}

/// Through the bridge to the platform and back; the session ends there, and the bridge comes back by itself.
fn works(setting: &Setting, to: u16, name: &str, more: &str) {
    let (Some(to_it), Some(from_it)) = (tool("mosquitto_pub"), tool("mosquitto_sub")) else {
        return;
    };
    let files = ("gw-1-chain.pem", "gw-1.key");
    let Some(bridge) = bridge(setting, to, files, more) else { return };
    wait("the bridge is connected", || is_there(setting));
    let (_listener, mut lines) = listener(setting, &from_it, &bridge);
    publish(&to_it, &bridge, "c8y/s/us", "100,Bridged,c8y_Gateway\n123");
    assert_eq!(heard(&mut lines), "c8y/s/ds 124,gw-1");
    publish(&to_it, &bridge, "c8y/s/us", "999,x");
    let unknown = "c8y/s/e 40,999,There is no static template with that id";
    assert_eq!(heard(&mut lines), unknown);
    publish(&to_it, &bridge, "c8y/s/uat", " ");
    assert!(heard(&mut lines).starts_with("c8y/s/dat 71,ey"));
    assert!(setting.tenant.sandbox().send_operation("gw-1", "510,gw-1"));
    assert_eq!(heard(&mut lines), "c8y/s/ds 510,gw-1");

    // Another connection of the same device ends that of the bridge.
    let before = setting.noted(name, "CONNECT").len();
    let (succeeded, said) = setting.run(&to_it, to, &format!("-q 1 -t s/us -m 123 {}", own(name)));
    assert!(succeeded, "{said}");
    wait("it has come back", || (setting.noted(name, "CONNECT").len() > before + 1).then_some(()));
    wait("the bridge is connected", || is_there(setting));
    publish(&to_it, &bridge, "c8y/s/us", "123");
    assert_eq!(heard(&mut lines), "c8y/s/ds 124,gw-1");
    assert_eq!(setting.device("gw-1")["object"]["name"], "Bridged");
}

/// What mosquitto_pub needs besides at a port.
fn own(port: &str) -> &'static str {
    if port == "mqtt" { "-V mqttv311" } else { "-V mqttv5 -u t1001" }
}

#[test]
fn a_bridge_to_the_usual_port() {
    let Some(setting) = Setting::start() else { return };
    works(&setting, setting.port(), "mqtt", "bridge_protocol_version mqttv311\n");
}

#[test]
fn a_bridge_to_the_service() {
    for version in ["mqttv311", "mqttv50"] {
        let Some(setting) = Setting::with_service() else { return };
        let more = format!("bridge_protocol_version {version}\nremote_username t1001\n");
        works(&setting, setting.service_port(), "mqtt-service", &more);
    }
}

#[test]
fn a_bridge_with_a_certificate_of_another_ca() {
    let Some(setting) = Setting::start() else { return };
    fs::create_dir(setting.tenant.path("other")).expect("a directory");
    let Some(other) = OpenSsl::at(&setting.tenant.path("other")) else { return };
    other.root("ca", EC);
    other.device("gw-1", "ca");
    let files = ("other/gw-1-chain.pem", "other/gw-1.key");
    let Some(_bridge) = bridge(&setting, setting.port(), files, "") else { return };
    let refused = wait("a CONNECT", || setting.noted("mqtt", "CONNECT").first().cloned());
    assert_eq!(refused["status"], 5, "{refused}");
    let says = "Connection Refused: not authorised";
    wait("mosquitto says so", || log(&setting).contains(says).then_some(()));
}
