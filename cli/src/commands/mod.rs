//! One file per group of commands.

pub(crate) mod ca;
pub(crate) mod cert;
pub(crate) mod device;
pub(crate) mod generate;
pub(crate) mod key;
pub(crate) mod openssl_conf;
pub(crate) mod pool;
pub(crate) mod pop;
pub(crate) mod profile;
pub(crate) mod registration;
pub(crate) mod registry;
pub(crate) mod rollout;
pub(crate) mod sandbox;
pub(crate) mod store;
pub(crate) mod tenant;

use crate::args::{Cli, Command};
use crate::failure::Result;
use crate::output::Output;

pub(crate) fn run(cli: &Cli, out: &Output) -> Result {
    let pki = &cli.global.pki;
    match &cli.command {
        Command::Rollout(args) => rollout::run(args, pki, *out),
        Command::Ca(command) => ca::run(command, pki, *out),
        Command::Device(command) => device::run(command, pki, *out),
        Command::Cert(command) => cert::run(command, pki, *out),
        Command::Key(command) => key::run(command, pki, *out),
        Command::Store(command) => store::run(command, *out),
        Command::Registration(command) => registration::run(command, pki, *out),
        Command::Tenant(command) => tenant::run(command, pki, *out),
        Command::Pop(command) => pop::run(command, pki, *out),
        Command::Registry(command) => registry::run(command, pki, *out),
        Command::Sandbox(args) => sandbox::run(args, *out),
        Command::Profile(command) => profile::run(command, *out),
        Command::Completions(args) => generate::completions(args, *out),
        Command::Man(args) => generate::man(args, *out),
        Command::Reference => generate::reference(*out),
    }
}

/// Says that a validity that nobody asked for ends with its issuer's.
pub(crate) fn note_shortened(
    asked: Option<u32>,
    usual: time::Duration,
    issuer: &c8y_pki::cert::Certificate,
    now: time::OffsetDateTime,
    out: crate::output::Output,
) {
    let shortened = c8y_pki::issue::Shortened::of(asked, usual, issuer, now);
    shortened.iter().for_each(|shortened| out.note(&format!("The {shortened}.")));
}
