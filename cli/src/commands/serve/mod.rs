//! `serve`: devices ask for certificates over EST, stations over a small JSON API.

mod run;
mod token;

use std::path::Path;

pub(crate) use run::ServeArgs;
use token::ServeCommand;

use crate::failure::Result;
use crate::output::Output;

pub(crate) fn run(args: &ServeArgs, dir: &Path, out: Output) -> Result {
    match &args.command {
        Some(ServeCommand::Token(command)) => token::run(command, dir, out),
        None => run::run(args, dir, out),
    }
}
