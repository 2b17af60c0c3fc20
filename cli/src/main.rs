//! `c8y-pki`: from a list of serial numbers to devices that connect over mutual TLS.
//!
//! This crate is the terminal: arguments, passwords, text and exit codes. All work is done by the
//! library `c8y-pki`.

mod args;
mod clock;
mod commands;
mod failure;
mod output;
mod password;
mod progress;
mod render;
mod stop;
mod tenant;
mod token;
mod values;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::failure::Failure;
use crate::output::Output;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error),
    };
    let output = Output::new(cli.global.json, cli.global.quiet);
    clock::believe(cli.global.clock_is_right);
    match commands::run(&cli, &output) {
        Ok(outcome) => outcome.code(),
        Err(failure) => {
            output.failure(&failure);
            failure.code()
        }
    }
}

/// Arguments that are none, or help: as JSON too, for those who asked for it.
fn not_understood(error: &clap::Error) -> ExitCode {
    let mut options = std::env::args_os().take_while(|argument| argument != "--");
    if error.use_stderr() && options.any(|argument| argument == "--json") {
        let failure = Failure::of_arguments(error);
        Output::new(true, false).failure(&failure);
        return failure.code();
    }
    error.exit()
}
