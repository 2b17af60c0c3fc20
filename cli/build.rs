//! What `--version` says of where the program comes from.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=C8Y_PKI_COMMIT");
    println!("cargo::rustc-env=C8Y_PKI_BUILT_FROM={}", commit().as_deref().unwrap_or("not known"));
}

/// The commit: as the packager says it, as Cargo wrote it into the crate, or as Git knows it. Git is asked for releases
/// only: a developer's build is of what lies in the tree, and would be linked again after each commit.
fn commit() -> Option<String> {
    let given = std::env::var("C8Y_PKI_COMMIT").ok();
    given.filter(|commit| !commit.is_empty()).or_else(of_crate).or_else(of_git)
}

/// `"sha1": "…"` in the file that `cargo package` adds.
fn of_crate() -> Option<String> {
    let text = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    rest.split('"').nth(1).map(str::to_owned)
}

fn of_git() -> Option<String> {
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        return Some("a developer's tree".to_owned());
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
        && Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "HEAD"])
}
