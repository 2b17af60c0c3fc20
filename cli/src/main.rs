//! `c8y-pki`: from a list of serial numbers to devices that connect over mutual TLS.
//!
//! This crate is the terminal: arguments, passwords, text and exit codes. All work is done by the
//! library `c8y-pki`.

mod args;
mod clock;
mod commands;
mod confirm;
mod device_list;
mod failure;
mod hint;
mod input;
mod old_ids;
mod outlet;
mod output;
mod pace;
mod progress;
mod protocol;
mod qr;
mod render;
mod secrets;
mod selection;
mod stop;
mod tenant;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use c8y_pki_core::shown::{is_hidden, one_line};
use clap::Parser;

use crate::args::Cli;
use crate::failure::Failure;
use crate::output::Output;

/// musl has one lock for all threads that allocate.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    c8y_pki_core::failure::use_words(hint::sentence);
    // What a panic tells may hold what a server said.
    std::panic::set_hook(Box::new(|panic| output::say(&panic.to_string())));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error),
    };
    let output = Output::new(cli.global.json, cli.global.quiet);
    clock::believe(cli.global.clock_is_right);
    if cli.global.insecure_permissions {
        c8y_pki_engine::files::allow_directory_rights();
    }
    match cli.run(output) {
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
    let hidden = |argument: &OsString| argument.to_string_lossy().contains(is_hidden);
    if std::env::args_os().any(|argument| hidden(&argument)) {
        return say_visibly();
    }
    error.exit()
}

/// What clap says of arguments with hidden characters in them, as it says it of the same made visible.
fn say_visibly() -> ExitCode {
    let visible = |argument: OsString| one_line(&argument.to_string_lossy()).into_owned();
    match Cli::try_parse_from(std::env::args_os().map(visible)) {
        Err(error) => error.exit(),
        Ok(_) => {
            let message = "an argument holds a character that cannot be seen and is not taken";
            let failure = Failure::usage(message, "`--help` lists the arguments");
            Output::new(false, false).failure(&failure);
            failure.code()
        }
    }
}
