//! `c8y-pki`: from a list of serial numbers to devices that connect over mutual TLS.
//!
//! This crate is the terminal: arguments, passwords, text and exit codes. All work is done by the
//! library `c8y-pki`.

mod args;
mod clock;
mod commands;
mod completion;
mod config;
mod confirm;
mod context;
#[cfg(feature = "postgres")]
mod database;
mod device_list;
mod failure;
mod help;
mod hint;
mod input;
mod line;
mod log;
mod near;
mod old_ids;
mod outlet;
mod output;
mod pace;
mod progress;
mod protocol;
mod qr;
mod render;
mod said;
mod secrets;
mod selection;
mod sheet;
mod start;
mod station;
mod stop;
mod tenant;
mod time_left;
mod values;
mod variables;

use std::process::ExitCode;

use clap::CommandFactory;

/// musl has one lock for all threads that allocate.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    c8y_pki_core::failure::use_words(hint::sentence);
    // What a panic tells may hold what a server said.
    std::panic::set_hook(Box::new(|panic| output::say(&panic.to_string())));
    match completion::answer(args::Cli::command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => start::run(),
        Err(error) => error.exit(),
    }
}
