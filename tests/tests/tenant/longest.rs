//! The longest chain at a tenant: client and sandbox with the same number judge alike, and so does a public client.

use std::process::Command;

use c8y_pki_core::cert::LongestChain;
use c8y_pki_sandbox::Settings;
use c8y_pki_tests::at_tenant::AtTenant;
use c8y_pki_tests::cli::{CA_PW, Cli};
use c8y_pki_tests::tool;

/// The device d with a chain of 12, and a tenant that takes chains of so many, to which its root is uploaded.
fn at(cli: &Cli, longest: u8) -> AtTenant {
    let longest_chain = LongestChain::new(longest).expect("a length");
    let settings = Settings { longest_chain, ..Settings::default() };
    let at = AtTenant::with(cli.clone(), settings);
    at.ok("tenant trust add --ca ca0 --auto-registration");
    at
}

fn device_of_twelve() -> Cli {
    let cli = Cli::new();
    cli.ok(&format!("ca init ca0 --subject CN=ca0 --key-type ec-p256 --longest-chain 12 {CA_PW}"));
    for n in 1..=10 {
        let parent = n - 1;
        cli.ok(&format!("ca add ca{n} --parent ca{parent} --subject CN=ca{n} --shorten {CA_PW}"));
    }
    cli.ok(&format!("device issue d --ca ca10 --out out {CA_PW}"));
    cli
}

/// Whether mosquitto's client gets in; none where it is not installed.
fn mosquitto(at: &AtTenant) -> Option<bool> {
    let publish = tool("mosquitto_pub")?;
    let port = at.sandbox.mqtt_port().to_string();
    let files = "--cafile sandbox-ca.pem --cert out/d/chain.pem --key out/d/key.pem";
    let output = Command::new(publish.path())
        .current_dir(at.cli.path(""))
        .args([
            "-h",
            "localhost",
            "-p",
            &port,
            "-i",
            "d:d",
            "-q",
            "1",
            "-t",
            "s/us",
            "-m",
            "100,D,t",
        ])
        .args(files.split(' '))
        .output()
        .expect("it starts");
    Some(output.status.success())
}

#[test]
fn twelve_are_taken_where_twelve_are_and_refused_where_ten_are() {
    let cli = device_of_twelve();
    let verify = "tenant verify out/d/chain.pem --json";
    let check = |at: &AtTenant, more: &str| {
        let port = at.sandbox.mqtt_port();
        let line =
            format!("device check d --host localhost --port {port} --truststore sandbox-ca.pem");
        at.run(&format!("{line} --attempts 1 --json {more}"))
    };
    let dedicated = at(&cli, 12);
    let good = dedicated.run(verify).expect(0).json();
    assert_eq!(good["ours"]["accepted"], true, "{good}");
    check(&dedicated, "").expect(0);
    assert_ne!(mosquitto(&dedicated), Some(false));

    let cloud = at(&cli, 10);
    let ours = cloud.run(&format!("{verify} --longest-chain 10")).expect(1).json();
    let detail = "the chain has 12 certificates; the platform takes at most 10";
    assert_eq!((&ours["ours"]["detail"], &ours["agree"]), (&detail.into(), &true.into()), "{ours}");
    let refused = check(&cloud, "--longest-chain 10").expect(2).json();
    assert_eq!(refused["causes"][0]["code"], "too-many", "{refused}");
    // What is known of the installation is wrong: the platform says no.
    check(&cloud, "").expect(1);
    assert_ne!(mosquitto(&cloud), Some(true));
    let state = cloud.sandbox.state().to_string();
    assert!(state.contains("the chain has 12 certificates, more than 10"), "{state}");
}

#[test]
fn a_rehearsal_takes_the_number_from_the_file() {
    let cli = Cli::new();
    let example = cli.ok("profile show rollout.toml");
    let mut cas =
        String::from("[[ca]]\nname = \"root\"\nprofile = \"root\"\nsubject = \"CN=Root\"\n");
    for n in 1..=10 {
        let parent = if n == 1 { "root".to_owned() } else { format!("ca{}", n - 1) };
        cas += &format!(
            "[[ca]]\nname = \"ca{n}\"\nparent = \"{parent}\"\nprofile = \"intermediate\"\nsubject = \"CN=CA {n}\"\n"
        );
    }
    let (head, rest) = example.split_once("# CAs from the root down.").expect("its CAs");
    let (_, rest) = rest.split_once("# A second hierarchy").expect("its second hierarchy");
    let head = head.replacen("pki = \"pki\"", "pki = \"pki\"\nlongest_chain = 12", 1);
    let text = format!("{head}{cas}\n#{rest}").replacen("ca = \"line-7\"", "ca = \"ca10\"", 1);
    cli.write("demo/rollout.toml", text);
    cli.write("demo/devices.csv", "id\ngw-1\ngw-2\n");
    let done = cli.ok("rollout demo/rollout.toml --sandbox");
    assert!(done.contains("2 of 2 devices connect to localhost:"), "{done}");
}
