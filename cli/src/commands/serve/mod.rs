//! `serve`: devices ask for certificates over EST, stations over a small JSON API.

mod run;
mod token;

use std::path::Path;

use clap::Subcommand;

pub(crate) use run::ServeArgs;
use token::TokenCommand;

use crate::failure::Result;
use crate::output::Output;

/// What belongs to the service and does not start it.
#[derive(Debug, Subcommand)]
pub(crate) enum ServeCommand {
    /// Make, list and remove bearer tokens of the API
    #[command(subcommand)]
    Token(TokenCommand),
}

pub(crate) fn run(args: &ServeArgs, dir: &Path, out: Output) -> Result {
    match &args.command {
        Some(ServeCommand::Token(command)) => token::run(command, dir, out),
        None => run::run(args, dir, out),
    }
}
