//! A plan looks at what makes a certificate worth nothing (its end, a revoked CA), at the names beside its subject, and into
//! the files of each device.

use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::secret::Password;
use c8y_pki_tests::cli::Cli;

const PLAN: &str = "rollout demo/rollout.toml --plan --exit-code";

/// The embedded example without a tenant, in `demo`, with some of its text changed.
fn example(changes: &[(&str, &str)]) -> Cli {
    let cli = Cli::new();
    let text = cli.ok("profile show rollout.toml");
    let (file, _) = text.split_once("# [tenant]").expect("a tenant in the example");
    cli.write("demo/rollout.toml", file);
    cli.write("demo/devices.csv", "id,name\ngw-0,Zero\ngw-1,One\ngw-2,Two\n");
    changes.iter().for_each(|(from, to)| edit(&cli, from, to));
    cli
}

fn edit(cli: &Cli, from: &str, to: &str) {
    let text = cli.text("demo/rollout.toml");
    assert!(text.contains(from), "no {from:?} in {text}");
    cli.write("demo/rollout.toml", text.replace(from, to));
}

/// What a plan says that finds differences, and nothing that begins with another sign than `~`, `=` and `?`.
fn differs(cli: &Cli) -> String {
    let said = cli.run(PLAN).expect(4).stdout;
    assert!(!said.contains("Everything is in place"), "{said}");
    said
}

fn in_place(cli: &Cli) {
    let said = cli.run(PLAN).expect(0).stdout;
    assert!(said.contains("Everything is in place."), "{said}");
}

/// Rows of a plan with these words.
fn rows<'a>(said: &'a str, words: &str) -> Vec<&'a str> {
    said.lines().filter(|line| line.contains(words)).collect()
}

#[test]
fn names_beside_the_subject_are_compared() {
    let cli = example(&[("profile = \"device\"", "profile = \"device.toml\"")]);
    let plain = cli.ok("profile show device");
    let named = |uri: &str| format!("{plain}subject_alt_name = [\"URI:{uri}\"]\n");
    cli.write("demo/device.toml", &plain);
    cli.ok("rollout demo/rollout.toml");
    cli.write("demo/device.toml", named("https://d.example.com/{id}"));
    let one_row = |words: &str| {
        let said = differs(&cli);
        let [row] = rows(&said, "~  ")[..] else { panic!("{said}") };
        assert!(row.contains("devices.profile") && row.contains("3 devices as before"), "{row}");
        assert!(row.contains(words), "{row}");
    };
    one_row("subjectAltName: nothing -> URI:https://d.example.com/{id};");
    let done = cli.ok("rollout demo/rollout.toml --replace-differing");
    assert!(done.contains("3 devices issued"), "{done}");
    // They are as they are to be: nothing is issued a second time.
    in_place(&cli);
    cli.write("demo/device.toml", named("urn:x:{id}"));
    one_row("subjectAltName: URI:https://d.example.com/{id} -> URI:urn:x:{id};");
    cli.write("demo/device.toml", &plain);
    one_row("subjectAltName: URI:https://d.example.com/{id} -> nothing;");
    // Of a validity that begins earlier the days are not said to be others.
    let earlier = plain.replace("backdate_minutes = 60", "backdate_minutes = 120");
    cli.write(
        "demo/device.toml",
        earlier + "subject_alt_name = [\"URI:https://d.example.com/{id}\"]\n",
    );
    one_row("validity: 365 days and 60 minutes -> 365 days and 120 minutes;");
    let shorter = named("https://d.example.com/{id}").replace("= 365", "= 364");
    cli.write("demo/device.toml", shorter);
    one_row("validity: 365 days -> 364 days;");
}

#[test]
fn the_files_of_each_device_are_opened() {
    let cli = example(&[("[\"pem\", \"p12\", ", "[\"pem\", \"thin-edge\", \"jks\", ")]);
    cli.ok("rollout demo/rollout.toml");
    let said = cli.run(PLAN).expect(0).stdout;
    let looked = "and their files: certificates, chains and keys as PEM, truststores, keystores";
    assert!(said.contains(looked), "{said}");
    let at = |name: &str| format!("demo/out/devices/gw-0/{name}");
    let of_another = |name: &str| cli.read(&format!("demo/out/devices/gw-1/{name}"));
    let empty = Vec::new;
    for (file, bytes, words) in [
        ("cert.pem", of_another("cert.pem"), "hold another certificate than their live one"),
        ("cert.pem", empty(), "cert.pem: "),
        ("key.pem", of_another("key.pem"), "the key in key.pem is not that of their live"),
        ("key.pem", empty(), "key.pem: "),
        ("tedge-private-key.pem", of_another("key.pem"), "the key in tedge-private-key.pem is not"),
        ("tedge-certificate.pem", of_another("chain.pem"), "hold another certificate"),
        ("keystore.jks", of_another("keystore.jks"), "hold another certificate"),
    ] {
        let before = cli.read(&at(file));
        cli.write(&at(file), bytes);
        let said = differs(&cli);
        let [row] = rows(&said, "~  ")[..] else { panic!("{file}: {said}") };
        assert!(row.contains("devices.bundle") && row.contains(words), "{file}: {row}");
        assert!(row.contains("1 device as before (gw-0)"), "{file}: {row}");
        assert!(row.contains("--replace-differing`"), "{file}: {row}");
        cli.write(&at(file), before);
    }
    cli.write(&at("key.pem"), of_another("key.pem"));
    let done = cli.ok("rollout demo/rollout.toml --replace-differing");
    assert!(done.contains("1 device issued"), "{done}");
    in_place(&cli);
    // A key that nobody can open here is not said to be right.
    let key = PrivateKey::read(&cli.read(&at("key.pem")), None).expect("a key");
    let sealed = key.to_encrypted_pem(&Password::new("another-Secret-1"), 1000).expect("a key");
    cli.write(&at("key.pem"), sealed.expose());
    let said = cli.run(PLAN).expect(0).stdout;
    let [row] = rows(&said, "?  ")[..] else { panic!("{said}") };
    assert!(row.contains("key.pem was not looked at: it is encrypted; 1 device (gw-0)"), "{row}");
    assert!(said.contains("Everything that was looked at is in place"), "{said}");
}
