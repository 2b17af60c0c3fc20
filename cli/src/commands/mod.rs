//! One file per group of commands.

pub(crate) mod ca;
pub(crate) mod cert;
pub(crate) mod device;
pub(crate) mod generate;
pub(crate) mod key;
pub(crate) mod pool;
pub(crate) mod pop;
pub(crate) mod profile;
pub(crate) mod registration;
pub(crate) mod registry;
pub(crate) mod rollout;
pub(crate) mod sandbox;
pub(crate) mod store;
pub(crate) mod tenant;

use std::path::Path;

use c8y_pki::authority::Pki;
use time::OffsetDateTime;

use crate::args::{Cli, Command};
use crate::failure::Result;
use crate::output::Output;

/// Opens the PKI folder for a command that only reads: also where nothing can be written.
pub(crate) fn open_to_read(dir: &Path, now: OffsetDateTime, out: Output) -> Result<Pki> {
    let pki = Pki::open_to_read(dir, now)?;
    if let Some(log) = pki.registry().unread_log() {
        out.warning(&format!(
            "the latest changes of the registry are in {}, which cannot be read: what is shown is older",
            log.display()
        ));
    }
    Ok(pki)
}

pub(crate) fn run(cli: &Cli, out: &Output) -> Result {
    let pki = &cli.global.pki;
    match &cli.command {
        Command::Rollout(args) => rollout::run(args, pki, *out),
        Command::Ca(command) => ca::run(command, pki, *out),
        Command::Device(command) => device::run(command, pki, *out),
        Command::Cert(command) => cert::run(command, *out),
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
