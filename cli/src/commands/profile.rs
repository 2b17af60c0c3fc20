//! `profile list|show`: the embedded templates.

use c8y_pki::profile::{BUILT_IN, Profile};
use c8y_pki::rollout::EXAMPLE;
use clap::Subcommand;
use serde::Serialize;

use crate::failure::{Failure, Outcome, Result};
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
        /// Name of a profile, or rollout.toml, or devices.csv
        name: String,
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

fn show(name: &str, out: Output) -> Result {
    let found = BUILT_IN.iter().chain(&EXAMPLE).find(|(n, _)| *n == name);
    let Some((_, text)) = found else {
        let known: Vec<&str> = BUILT_IN.iter().chain(&EXAMPLE).map(|(n, _)| *n).collect();
        return Err(Failure::usage(
            format!("there is no profile or template {name:?}"),
            format!("known: {}", known.join(", ")),
        ));
    };
    out.data(text.as_bytes())?;
    Ok(Outcome::Done)
}
