//! `device check` of many devices against a real broker: they are listened to side by side, and what comes while they
//! are is heard.

use std::process::{Child, Stdio};

use c8y_pki_tests::broker::{Mosquitto, server_certificate};
use c8y_pki_tests::cli::{CA_PW, Cli, Outcome};
use c8y_pki_tests::{Ended, tool};

/// A directory with so many devices, and a broker that trusts their CA.
fn with_devices(count: usize) -> Option<(Cli, Mosquitto)> {
    let cli = Cli::with_cas();
    server_certificate(&cli)?;
    let ids: String = (1..=count).map(|n| format!("gw-{n}\n")).collect();
    cli.write("list.csv", format!("id\n{ids}"));
    cli.ok(&format!("device issue --from list.csv --ca line --out out {CA_PW}"));
    let broker = Mosquitto::start(&cli, "pki/ca/root/cert.pem", "")?;
    Some((cli, broker))
}

fn check(cli: &Cli, broker: &Mosquitto, more: &str) -> Outcome {
    let line = format!(
        "device check --from list.csv --host localhost --port {} --truststore server-ca.pem {more}",
        broker.port
    );
    cli.run(&line)
}

/// Publishes a text on `s/e`, some thirty times a second, until it is dropped.
fn publish_again_and_again(cli: &Cli, broker: &Mosquitto, text: &str) -> Option<Ended> {
    let publish = tool("mosquitto_pub")?;
    let args = [
        "-h",
        "localhost",
        "-p",
        &broker.port.to_string(),
        "-i",
        "speaker",
        "-t",
        "s/e",
        "-m",
        text,
        "--repeat",
        "100000",
        "--repeat-delay",
        "0.03",
        "--cafile",
        &cli.arg("server-ca.pem"),
        "--cert",
        &cli.arg("out/gw-1/chain.pem"),
        "--key",
        &cli.arg("out/gw-1/key.pem"),
    ];
    let child: std::io::Result<Child> = std::process::Command::new(publish.path())
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    Some(Ended(child.expect("it starts")))
}

#[test]
fn a_device_that_is_listened_to_keeps_no_other_waiting() {
    let Some((cli, broker)) = with_devices(6) else { return };
    let text = check(&cli, &broker, "--parallel 1").expect(0).stdout;
    let lines: Vec<&str> = text.lines().collect();
    let wanted: Vec<String> = (1..=6).map(|n| format!("ok      gw-{n}")).collect();
    assert_eq!(lines[..6], wanted[..], "{text}");
    assert_eq!(lines[6], "6 of 6 devices connect");
    let log = cli.text("mosquitto.log");
    let at = |what: String| log.find(&what).unwrap_or_else(|| panic!("no {what}: {log}"));
    let second = at("as d:gw-2 ".to_owned());
    assert!(second < at("Received DISCONNECT from d:gw-1\n".to_owned()), "{log}");
    for n in 1..=6 {
        // Each twice: the error goes to those who have subscribed before.
        assert_eq!(log.matches(&format!("Received PUBLISH from d:gw-{n} ")).count(), 2, "{log}");
        at(format!("Received DISCONNECT from d:gw-{n}\n"));
    }
}

#[test]
fn an_error_that_comes_while_a_device_is_listened_to_is_heard() {
    let Some((cli, broker)) = with_devices(8) else { return };
    let Some(speaker) = publish_again_and_again(&cli, &broker, "50,100,Cannot create device")
    else {
        return;
    };
    let summary =
        |outcome: &Outcome| outcome.json_lines().last().expect("a summary")["summary"].clone();
    let refused = check(&cli, &broker, "--json").expect(1);
    assert_eq!(summary(&refused)["refused"], 8, "{refused:?}");
    for report in &refused.json_lines()[..8] {
        let receive = &report["steps"][10];
        assert_eq!(
            (&receive["step"], &receive["outcome"]),
            (&"receive".into(), &"failed".into()),
            "{report}"
        );
        assert!(
            receive["detail"].as_str().is_some_and(|d| d.contains("Cannot create device")),
            "{report}"
        );
    }
    drop(speaker);
    // What is no error is no reason to refuse, however often it comes; it ends after the time for an answer.
    let speaker = publish_again_and_again(&cli, &broker, "41,100,Device already existing");
    let good = check(&cli, &broker, "--json --timeout 3").expect(0);
    assert_eq!(summary(&good)["connected"], 8, "{good:?}");
    drop(speaker);
}

#[test]
fn a_rate_is_a_number_from_one() {
    let cli = Cli::new();
    for bad in ["0", "10001", "fast"] {
        let refused =
            cli.run(&format!("device check gw-1 --host localhost --rate {bad}")).expect(2);
        assert!(refused.error().contains("--rate"), "{refused:?}");
    }
}

/// The devices of an order are where the registry says, whatever directory that is.
#[test]
fn devices_of_an_order_are_found_where_they_were_put() {
    let cli = Cli::with_cas();
    if server_certificate(&cli).is_none() {
        return;
    }
    cli.write("list.csv", "id\ngw-1\ngw-2\n");
    cli.ok("order create acme --from list.csv --ca line");
    cli.ok(&format!("device issue --order acme --out elsewhere {CA_PW}"));
    let Some(broker) = Mosquitto::start(&cli, "pki/ca/root/cert.pem", "") else { return };
    let how = format!("--host localhost --port {} --truststore server-ca.pem", broker.port);
    let checked = cli.run(&format!("device check --order acme {how}")).expect(0);
    assert!(checked.stdout.contains("gw-2"), "{checked:?}");
    let wrong = cli.run(&format!("device check --order acme --out out {how}"));
    assert!(wrong.stdout.contains("there is no directory out/gw-1"), "{wrong:?}");
}
