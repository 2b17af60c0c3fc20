//! `completions`, `man` and the command reference: all from the argument definitions.

use std::fmt::Write;
use std::path::PathBuf;

use c8y_pki_engine::files::{self, Access, Existing};
use clap::{Args, Command};
use clap_complete::Shell;

use crate::completion;
use crate::failure::{Failure, Outcome, Result};
use crate::outlet;
use crate::output::Output;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
The script asks c8y-pki (found in PATH) at each Tab, so it also completes what is there: names of CAs,
orders and contexts, profiles, key types, ids of devices. That only reads, and asks for no password.

Examples:
  c8y-pki completions bash > ~/.local/share/bash-completion/completions/c8y-pki
  c8y-pki completions fish > ~/.config/fish/completions/c8y-pki.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn completions(args: &CompletionsArgs, out: Output) -> Result {
    out.data(&completion::script(&args.shell.to_string()).map_err(Failure::Output)?)?;
    Ok(Outcome::Done)
}

/// What `--version` says: version, commit, crypto backend, features.
pub(crate) fn long_version() -> String {
    let features = [
        ("ml-dsa", cfg!(feature = "ml-dsa")),
        ("pkcs11", cfg!(feature = "pkcs11")),
        ("postgres", cfg!(feature = "postgres")),
        ("sandbox", cfg!(feature = "sandbox")),
        ("serve", cfg!(feature = "serve")),
    ];
    let features: Vec<&str> =
        features.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect();
    let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
    format!(
        "{}\ncommit: {}\ncrypto backend: {}\nfeatures: {features}\nsystem: {} {}",
        env!("CARGO_PKG_VERSION"),
        env!("C8Y_PKI_BUILT_FROM"),
        c8y_pki_core::crypto::BACKEND,
        std::env::consts::OS,
        std::env::consts::ARCH,
    )
}

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  c8y-pki man ~/.local/share/man/man1
  c8y-pki man man && man man/c8y-pki-device-issue.1")]
pub(crate) struct ManArgs {
    /// The directory; it is made if need be
    dir: PathBuf,
}

pub(crate) fn man(args: &ManArgs, cli: Command, out: Output) -> Result {
    outlet::check_folder(&args.dir)?;
    files::create_private_dir(&args.dir)?;
    let mut count = 0;
    // A page names the pages of the commands below it, and `help` has none.
    for (name, command) in all_commands(cli.disable_help_subcommand(true)) {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(Failure::Output)?;
        let path = args.dir.join(format!("{}.1", name.replace(' ', "-")));
        files::write(&path, &page, Access::Public, Existing::Replace)?;
        count += 1;
    }
    out.note(&format!("{count} man pages are in {}", args.dir.display()));
    Ok(Outcome::Done)
}

/// Every command that is not hidden, parents first, under its whole name.
fn all_commands(mut root: Command) -> Vec<(String, Command)> {
    fn walk(command: &Command, prefix: &str, found: &mut Vec<(String, Command)>) {
        let name = format!("{prefix}{}", command.get_name());
        found.push((name.clone(), command.clone()));
        let is_ours = |c: &&Command| !c.is_hide_set() && c.get_name() != "help";
        for sub in command.get_subcommands().filter(is_ours) {
            walk(sub, &format!("{name} "), found);
        }
    }
    root.build();
    let mut found = Vec::new();
    walk(&root, "", &mut found);
    found
}

pub(crate) fn reference(cli: Command, out: Output) -> Result {
    let mut text = String::from(
        "# Command reference\n\n\
         Made from the argument definitions by `c8y-pki reference`; a test keeps it up to date.\n",
    );
    for (name, mut command) in all_commands(cli) {
        // A fixed width, so that the page does not depend on anybody's terminal.
        command = command.term_width(100);
        let help = command.render_long_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let _ = write!(text, "\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end());
    }
    out.data(text.as_bytes())?;
    Ok(Outcome::Done)
}
