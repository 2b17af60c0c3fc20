//! Sessions of others' clients with the sandbox's MQTT: mosquitto_pub, mosquitto_sub, and Eclipse Paho for
//! Python. Who is let in, and who is not, is in `admission.rs`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::{Ended, Tool, python_dir, python_with, tool};
use serde_json::{Value, json};

/// A root, the CA `line` below it, and devices of that.
fn devices(ids: &str) -> AtTenant {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue {ids} --ca line --out out {CA_PW}"));
    AtTenant::new(cli)
}

/// Uploads `line`, which needs no proof: a chain up to it has two certificates.
fn trust(at: &AtTenant, more: &str) {
    at.ok(&format!("tenant trust add --ca line {more}"));
}

fn register(at: &AtTenant) {
    at.ok("registration create --ca line --out registration.csv");
    at.ok("registration upload registration.csv");
}

/// Runs mosquitto_pub or mosquitto_sub; whether it succeeded, and all it said.
fn mosquitto(at: &AtTenant, program: &Tool, line: &str) -> (bool, String) {
    let port = at.sandbox.mqtt_port().to_string();
    let output = Command::new(program.path())
        .current_dir(at.cli.path(""))
        .args(["-h", "localhost", "-p", &port, "--cafile", "sandbox-ca.pem"])
        .args(line.split(' '))
        .output()
        .expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// What mosquitto is told about a device, to publish a row with QoS 1.
fn as_device(id: &str, chain: &str) -> String {
    format!("--cert {chain} --key out/{id}/key.pem -q 1 -t s/us -m 100,Name,c8y_Type -i d:{id}")
}

fn connects(at: &AtTenant) -> Vec<Value> {
    let state = at.sandbox.state();
    let all = state["connections"].as_array().expect("a list").iter();
    all.filter(|line| line["method"] == "CONNECT").cloned().collect()
}

#[test]
fn mosquitto_connects_as_a_device() {
    let Some(publish) = tool("mosquitto_pub") else { return };
    let at = devices("gw-1");
    trust(&at, "");
    register(&at);
    for version in ["mqttv31", "mqttv311"] {
        for quality in 0..3 {
            let line =
                format!("{} -V {version} -q {quality}", as_device("gw-1", "out/gw-1/chain.pem"));
            let (succeeded, said) = mosquitto(&at, &publish, &line);
            assert!(succeeded, "{line}: {said}");
        }
    }
    // Its certificate alone, too: its immediate issuer was uploaded.
    let (succeeded, said) = mosquitto(&at, &publish, &as_device("gw-1", "out/gw-1/cert.pem"));
    assert!(succeeded, "{said}");
    let device = &at.list("devices")[0];
    assert_eq!((&device["id"], &device["created"]), (&json!("gw-1"), &json!(1)));
    assert_eq!(device["object"]["name"], "Name");
    assert!(connects(&at).iter().all(|line| line["status"] == 0 && line["user"] == "t1001/gw-1"));
}

#[test]
fn mosquitto_gets_its_operations() {
    let Some(subscribe) = tool("mosquitto_sub") else { return };
    let at = devices("gw-1");
    trust(&at, "--auto-registration");
    for quality in 0..3 {
        let port = at.sandbox.mqtt_port().to_string();
        let child = Command::new(subscribe.path())
            .current_dir(at.cli.path(""))
            .args(["-h", "localhost", "-p", &port, "--cafile", "sandbox-ca.pem", "-i", "d:gw-1"])
            .args(["--cert", "out/gw-1/chain.pem", "--key", "out/gw-1/key.pem"])
            .args(["-t", "s/ds", "-q", &quality.to_string(), "-C", "1", "-W", "20", "-v"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        // It is sent once, when it is subscribed.
        let sent = (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            at.sandbox.send_operation("gw-1", "510,gw-1")
        });
        assert!(sent, "it has not subscribed in ten seconds");
        let said = child.wait_with_output().expect("its output").stdout;
        assert_eq!(String::from_utf8_lossy(&said), "s/ds 510,gw-1\n");
        // The next operation is not for a connection that ends.
        let gone = (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            at.list("devices")[0]["connected"] == false
        });
        assert!(gone, "it is connected after ten seconds");
    }
    assert_eq!(at.list("devices")[0]["automatic"], true);
}

#[test]
fn mosquitto_is_refused_with_a_wrong_password() {
    let Some(publish) = tool("mosquitto_pub") else { return };
    let at = AtTenant::new(Cli::new());
    let (succeeded, said) =
        mosquitto(&at, &publish, "-t s/us -m 100,a,b -i d:gw-1 -u t1001/admin -P wrong");
    assert!(!succeeded && said.contains("efused"), "{said}");
    let connects = connects(&at);
    assert_eq!((connects.len(), &connects[0]["status"]), (1, &json!(4)));
    assert_eq!(connects[0]["reason"], "the password is wrong");
}

fn paho(at: &AtTenant, python: &Tool, args: &[&str]) -> Command {
    let mut command = Command::new(python.path());
    let port = at.sandbox.mqtt_port().to_string();
    command.current_dir(at.cli.path("")).arg(python_dir().join("mqtt.py")).arg(port);
    command.arg("sandbox-ca.pem").args(args).stdout(Stdio::piped());
    command
}

/// The last line that it says.
fn last(mut command: Command) -> Value {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(said.lines().last().unwrap_or_default())
        .unwrap_or_else(|e| panic!("{command:?}: {e}: {said}"))
}

#[test]
fn paho_connects_as_a_device() {
    let Some(python) = python_with("paho.mqtt.client") else { return };
    let at = devices("gw-1");
    trust(&at, "");
    register(&at);
    let args = ["out/gw-1/chain.pem", "out/gw-1/key.pem", "d:gw-1"];
    let mut child = paho(&at, &python, &args).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let ready = lines.next().expect("a line").expect("text");
    assert_eq!(ready, r#"{"ready": true}"#);
    assert!(at.sandbox.send_operation("gw-1", "510,gw-1"));
    let told: Value =
        serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON");
    assert_eq!(told["connack"], "Success");
    assert_eq!(told["granted"], json!([2, 2, 2, 128]));
    let messages =
        json!([["s/dat", "71"], ["s/e", "41,100,Device already existing"], ["s/ds", "510,gw-1"]]);
    assert_eq!(told["messages"], messages);
    assert!(child.wait().expect("its end").success());
    let gone = (0..1000).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        let device = at.list("devices").remove(0);
        (device["connected"] == false).then_some(device)
    });
    let device = gone.expect("it is gone after ten seconds");
    assert_eq!(device["object"]["name"], "Gateway 1");
    assert_eq!(device["children"][0]["id"], "pump-1");
    let events = device["events"].as_array().expect("a list");
    let texts: Vec<&Value> = events.iter().map(|event| &event["text"]).collect();
    assert_eq!(texts, [&json!("It \"runs\", now"), &json!("Device connection was lost.")]);
}

#[test]
fn paho_gets_credentials() {
    let Some(python) = python_with("paho.mqtt.client") else { return };
    let Some(curl) = tool("curl") else { return };
    let at = AtTenant::new(Cli::new());
    let without = |id: &str, user: &str, password: &str| {
        last(paho(&at, &python, &["-", "-", id, user, password]))
    };
    let password = at.sandbox.password().expose();
    let wrong = without("d:gw-9", "management/devicebootstrap", "wrong");
    assert_eq!(wrong, json!({ "connack": "Bad user name or password" }));
    at.cli.write("basic.csv", "ID;AUTH_TYPE;CREDENTIALS\ngw-9;BASIC;Device-Secret-1\n");
    let output = Command::new(curl.path())
        .current_dir(at.cli.path(""))
        .args(["--silent", "--fail", "--cacert", "sandbox-ca.pem", "--user"])
        .arg(format!("t1001/admin:{password}"))
        .args(["--form", "file=@basic.csv;type=text/csv"])
        .arg(format!("{}/devicecontrol/bulkNewDeviceRequests", at.sandbox.url()))
        .output()
        .expect("curl starts");
    assert!(output.status.success(), "{output:?}");
    let told = without("d:gw-9", "management/devicebootstrap", password);
    assert_eq!(told["granted"], json!([2, 2]));
    let row = "70,t1001,device_gw-9,Device-Secret-1";
    assert_eq!(told["messages"], json!([["s/dcr", row]]));
}

#[test]
fn the_command_tells_the_address_and_each_connection() {
    let Some(publish) = tool("mosquitto_pub") else { return };
    let cli = Cli::new();
    let mut command = cli.command("sandbox --json --mqtt-port 0");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut sandbox = Ended(child.expect("it starts"));
    let mut stdout = BufReader::new(sandbox.0.stdout.take().expect("a pipe")).lines();
    let mut stderr = BufReader::new(sandbox.0.stderr.take().expect("a pipe")).lines();
    let started: Value =
        serde_json::from_str(&stdout.next().expect("a line").expect("text")).expect("JSON");
    let (host, port) =
        started["mqtt_address"].as_str().and_then(|a| a.split_once(':')).expect("an address");
    let line = format!("-h {host} -p {port} --cafile sandbox-ca.pem -i d:gw-1 -t s/us -m x");
    let refused = Command::new(publish.path())
        .current_dir(cli.path(""))
        .args(line.split(' '))
        .output()
        .expect("it starts");
    assert!(!refused.status.success(), "{refused:?}");
    let told = stderr.find_map(|line| serde_json::from_str::<Value>(&line.ok()?).ok());
    let told = told.expect("a line of JSON");
    assert_eq!((&told["port"], &told["method"]), (&json!("mqtt"), &json!("CONNECT")));
    assert_eq!((&told["path"], &told["status"]), (&json!("d:gw-1"), &json!(4)));
    assert_eq!(told["reason"], "neither a certificate nor a user was given");
}

/// A device below `ca` with OpenSSL, its chain in `out/<id>/chain.pem`.
fn made_elsewhere(openssl: &OpenSsl, id: &str, ca: &str, extensions: &str) {
    openssl.request(id);
    let usual = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature";
    openssl.write("e.cnf", format!("[e]\n{usual}\nsubjectKeyIdentifier=none\n{extensions}\n"));
    openssl.run(&format!(
        "x509 -req -in @{id}.csr -CA @{ca}.pem -CAkey @{ca}.key -CAcreateserial -days 20 \
         -extfile @e.cnf -extensions e -out @{id}.pem"
    ));
    openssl.write(
        &format!("{id}-chain.pem"),
        openssl.text(&format!("{id}.pem")) + &openssl.text(&format!("{ca}.pem")),
    );
}

/// The sandbox draws the line where `cert verify` draws it.
#[test]
fn a_chain_with_warnings_connects_and_one_with_another_key_id_does_not() {
    let Some(publish) = tool("mosquitto_pub") else { return };
    let at = AtTenant::new(Cli::new());
    let Some(openssl) = OpenSsl::at(&at.cli.path("")) else { return };
    // What easy-rsa and older recipes make: nothing is critical.
    let lax = "basicConstraints=CA:TRUE\nkeyUsage=keyCertSign,cRLSign\nsubjectKeyIdentifier=hash";
    openssl.write("lax.cnf", format!("[req]\ndistinguished_name=dn\n[dn]\n[e]\n{lax}\n"));
    openssl.run(
        "req -x509 -config @lax.cnf -extensions e -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
         -days 30 -subj /CN=Lax -keyout @lax.key -out @lax.pem",
    );
    let other = "00".repeat(20);
    made_elsewhere(&openssl, "gw-1", "lax", "authorityKeyIdentifier=none");
    made_elsewhere(&openssl, "gw-2", "lax", &format!("2.5.29.35=DER:30168014{other}"));
    at.ok("tenant trust add lax.pem --auto-registration");
    for (id, rule) in [("gw-1", None), ("gw-2", Some("authority-key-id-differs"))] {
        let verify = format!("cert verify --trust lax.pem {id}-chain.pem --as-device {id} --json");
        let json = at.run(&verify).json();
        assert_eq!(json["valid"], rule.is_none(), "{json}");
        assert_eq!(json["refusal"]["rule"].as_str(), rule, "{json}");
        assert_eq!(json["warnings"].as_array().is_some_and(|w| !w.is_empty()), rule.is_none());
        let line = format!(
            "--cert {id}-chain.pem --key {id}.key -q 1 -t s/us -m 100,Name,c8y_Type -i d:{id}"
        );
        let (succeeded, said) = mosquitto(&at, &publish, &line);
        assert_eq!(succeeded, rule.is_none(), "{id}: {said}");
    }
}
