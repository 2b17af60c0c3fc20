//! `completions`, `man` and the command reference: all from the argument definitions.

use std::fmt::Write;
use std::path::PathBuf;

use c8y_pki_engine::files::{self, Access, Existing};
use clap::{Args, Command};
use clap_complete::Shell;

use crate::failure::{Failure, Outcome, Result};
use crate::outlet;
use crate::output::Output;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  c8y-pki completions bash > ~/.local/share/bash-completion/completions/c8y-pki
  c8y-pki completions fish > ~/.config/fish/completions/c8y-pki.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn completions(args: &CompletionsArgs, mut cli: Command, out: Output) -> Result {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut cli, "c8y-pki", &mut text);
    if args.shell == Shell::Bash {
        // It calls one thing by two names where the binary's has a hyphen, and so completes nothing
        // after a subcommand: https://github.com/clap-rs/clap/issues/6421
        let script = String::from_utf8_lossy(&text).replace("c8y__subcmd__pki", "c8y__pki");
        text = script.into_bytes();
    }
    out.data(&text)?;
    Ok(Outcome::Done)
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
    for (name, command) in all_commands(cli) {
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
        for sub in command.get_subcommands().filter(|c| !c.is_hide_set()) {
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
