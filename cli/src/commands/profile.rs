//! `profile list|show|import`: the embedded templates, and those that OpenSSL's configuration makes.

use std::path::{Path, PathBuf};

use c8y_pki_core::profile::{BUILT_IN, Profile};
use c8y_pki_engine::labels;
use c8y_pki_engine::rollout::EXAMPLE;
use clap::Subcommand;
use serde::Serialize;

use super::openssl_conf;
use crate::failure::{Failure, Outcome, Result};
use crate::outlet;
use crate::output::Output;
use crate::render::table;

/// Commands about profiles.
#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// List the built-in certificate profiles and file templates
    #[command(after_help = "Examples:\n  c8y-pki profile list\n  c8y-pki profile list --json")]
    List,
    /// Print a profile or template, to start a file of your own from
    #[command(after_help = "\
Examples:
  c8y-pki profile show device > my-device.toml
  c8y-pki profile show rollout.toml > rollout.toml")]
    Show {
        /// Name of a profile, or of a template: rollout.toml, devices.csv, label.toml, …
        name: String,
    },
    /// Make profiles of a configuration file of OpenSSL
    #[command(after_help = "\
Sections of extensions become profiles: those with basicConstraints or keyUsage. Fields with a
default become fields of every subject, default_days their validity, default_bits their key. What
has no counterpart is named with its line. `ca add --import … --openssl-conf FILE` takes the
signing policy over too.

Examples:
  c8y-pki profile import --openssl-conf caConfig.cnf
  c8y-pki profile import --openssl-conf caConfig.cnf --out profiles
  c8y-pki device issue gw-1 --ca plant --profile profiles/v3_signed.toml --out out")]
    Import {
        /// The configuration file; files that it includes are named and not read
        #[arg(long, value_name = "FILE")]
        openssl_conf: PathBuf,
        /// The directory for the profiles; without it they are only named
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[derive(Serialize)]
struct Listed {
    name: String,
    kind: String,
    description: String,
}

pub(crate) fn run(command: &ProfileCommand, out: Output) -> Result {
    match command {
        ProfileCommand::List => list(out),
        ProfileCommand::Show { name } => show(name, out),
        ProfileCommand::Import { openssl_conf, out: dir } => {
            import(openssl_conf, dir.as_deref(), out)
        }
    }
}

fn list(out: Output) -> Result {
    let mut all: Vec<Listed> = Vec::new();
    for (name, text) in BUILT_IN {
        let profile = Profile::parse(name, text)?;
        all.push(Listed {
            name: name.to_owned(),
            kind: profile.kind.to_string(),
            description: profile.description,
        });
    }
    for (name, description) in [
        ("rollout.toml", "A complete rollout, for `c8y-pki rollout`"),
        ("devices.csv", "A list of devices, for `c8y-pki device issue --from`"),
        ("label.toml", "Labels with id, QR code and fingerprint, for `c8y-pki order labels`"),
        ("label-small.toml", "Small labels with id and QR code"),
        ("label-registration.toml", "Secret labels: scan to register a device that enrols"),
    ] {
        let (kind, description) = ("template".to_owned(), description.to_owned());
        all.push(Listed { name: name.to_owned(), kind, description });
    }
    out.results(&all, |all| {
        let rows = all.iter().map(|p| vec![p.name.clone(), p.kind.clone(), p.description.clone()]);
        table(&["PROFILE", "KIND", "WHAT"], rows.collect())
    })?;
    Ok(Outcome::Done)
}

fn import(path: &Path, dir: Option<&Path>, out: Output) -> Result {
    if let Some(dir) = dir {
        outlet::check_folder(dir)?;
    }
    let wanted = openssl_conf::read(path)?;
    let view = openssl_conf::write_profiles(path, wanted, dir.map(|dir| (dir, "")))?;
    out.result(&view, openssl_conf::ConfView::lines)?;
    view.tell(out);
    Ok(Outcome::Done)
}

fn show(name: &str, out: Output) -> Result {
    let all = || BUILT_IN.iter().chain(&EXAMPLE).chain(&labels::BUILT_IN);
    let found = all().find(|(n, _)| *n == name);
    let Some((_, text)) = found else {
        let known: Vec<&str> = all().map(|(n, _)| *n).collect();
        return Err(Failure::usage(
            format!("there is no profile or template {name:?}"),
            format!("known: {}", known.join(", ")),
        ));
    };
    out.data(text.as_bytes())?;
    Ok(Outcome::Done)
}
