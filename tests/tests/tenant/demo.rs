//! The embedded example of a rollout, in `demo`.

use c8y_pki_tests::cli::Cli;

/// Its file.
pub(crate) const FILE: &str = "demo/rollout.toml";

/// The embedded example with sections for tenants and three devices, in `demo`.
pub(crate) fn example(sections: &str) -> Cli {
    let cli = Cli::new();
    let text = cli.ok("profile show rollout.toml");
    let (file, _) = text.split_once("# [tenant]").expect("a tenant in the example");
    cli.write(FILE, format!("{file}{sections}"));
    cli.write("demo/devices.csv", "id,name\ngw-0,Zero\ngw-1,One\ngw-2,Two\n");
    cli
}

/// Changes a text of its file.
pub(crate) fn edit(cli: &Cli, from: &str, to: &str) {
    let text = cli.text(FILE);
    assert!(text.contains(from), "no {from:?} in {text}");
    cli.write(FILE, text.replace(from, to));
}
