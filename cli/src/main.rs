//! `c8y-pki`: from a list of serial numbers to devices that connect over mutual TLS.
//!
//! This crate is the terminal: arguments, passwords, text and exit codes. All work is done by the
//! library `c8y-pki`.

mod args;
mod commands;
mod failure;
mod output;
mod password;
mod progress;
mod render;
mod stop;
mod tenant;
mod values;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.global.json, cli.global.quiet);
    match commands::run(&cli, &output) {
        Ok(outcome) => outcome.code(),
        Err(failure) => {
            output.failure(&failure);
            failure.code()
        }
    }
}
