//! `rollout` with devices that connect to the MQTT Service.

use c8y_pki_tests::cli::Cli;

/// The embedded example with two devices, and what its tenant section says.
fn rollout(section: &str) -> Cli {
    let cli = Cli::new();
    let text = cli.ok("profile show rollout.toml");
    cli.write("demo/rollout.toml", format!("{text}\n[tenant]\ncas = [\"line-7\"]\n{section}"));
    cli.write("demo/devices.csv", "id\ngw-1\ngw-2\n");
    cli
}

#[test]
fn the_file_says_the_port_and_the_report_which_it_was() {
    let cli = rollout("mqtt_port = 9883\n");
    let done = cli.run("rollout demo/rollout.toml --sandbox --report page.html").expect(0);
    assert!(
        done.stdout.contains("2 of 2 devices connect to the MQTT Service at localhost:"),
        "{done:?}"
    );
    let page = cli.text("page.html");
    assert!(page.contains("tried at the MQTT Service at localhost:"), "{page}");
    let json = cli.run("rollout demo/rollout.toml --sandbox --json").expect(0).json();
    assert_eq!(json["connected"]["mqtt_service"], true, "{json}");
    assert_eq!(json["connected"]["connected"], 2, "{json}");

    let cli = rollout("");
    let json = cli.run("rollout demo/rollout.toml --sandbox --json").expect(0).json();
    assert_eq!(json["connected"]["mqtt_service"], false, "{json}");
}

#[test]
fn a_port_that_is_none_is_refused() {
    for bad in ["0", "70000", "\"9883\""] {
        let cli = rollout(&format!("mqtt_port = {bad}\n"));
        let said = cli.fails(2, "rollout demo/rollout.toml --plan --local");
        assert!(said.contains("rollout.toml line "), "{said}");
        assert!(cli.names("demo/pki").is_empty());
    }
}
