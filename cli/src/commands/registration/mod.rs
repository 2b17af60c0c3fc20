//! `registration`: the CSV of the platform's bulk registration, and devices that are registered one by one.

mod check;
mod create;
pub(crate) mod single;
mod upload;

use std::path::Path;

use clap::Subcommand;

use self::create::CreateArgs;
use crate::failure::Result;
use crate::output::Output;

/// Commands about registration.
#[derive(Debug, Subcommand)]
pub(crate) enum RegistrationCommand {
    /// Make the CSV from the registry, or from a device list
    #[command(after_help = "\
Columns of the device list: id, name, type, group (PATH), iccid, idtype, shell, external-<type>;
any other is a custom property. The devices of the registry keep the columns of their list.
A column ENROLLMENT_OTP (or otp) has one-time passwords that devices have chosen, to enrol at the platform's
own CA. The CSV is a secret then.

Examples:
  c8y-pki registration create --ca line-7 --out registration.csv
  c8y-pki registration create --order acme-11 --out registration.csv
  c8y-pki registration create --from devices.csv --type acme_gw --name '{id}' --separator tab")]
    Create(CreateArgs),
    /// Check a CSV, no matter who made it
    #[command(after_help = "\
Examples:
  c8y-pki registration check registration.csv
  c8y-pki registration check registration.csv --json
  c8y-pki registration check registered.csv --existing
  c8y-pki registration check registration.csv --ask-tenant --host acme.eu-latest.cumulocity.com

Exit codes: 0 the platform would take it; 1 it would not: each fault is named with its line;
with --ask-tenant 2 not allowed to ask, 3 not reached.")]
    Check(check::CheckArgs),
    /// Register the devices of a CSV at the tenant, piece by piece
    #[command(after_help = "\
The result of each row is written to the result file before the next piece is sent. After a stop or
an error run the same command again: rows that are done are not sent again, failed rows are.

Examples:
  c8y-pki registration upload registration.csv
  c8y-pki registration upload registration.csv --chunk 200 --rate 50 --result done.csv

Exit codes: 0 all registered, also when they were before; 1 some rows failed: see the result file;
2 a fault in the CSV, nothing was sent; 3 not reached or interrupted: run it again.")]
    Upload(upload::UploadArgs),
    /// Register devices one by one, to enrol at the platform's own CA
    Add(single::AddArgs),
    /// List the requests of devices that are registered one by one and have not come yet
    List(single::ListArgs),
    /// Withdraw requests of devices that have not come yet
    Withdraw(single::WithdrawArgs),
}

pub(crate) fn run(command: &RegistrationCommand, pki: &Path, out: Output) -> Result {
    match command {
        RegistrationCommand::Create(args) => create::create(args, pki, out),
        RegistrationCommand::Check(args) => check::run(args, out),
        RegistrationCommand::Upload(args) => upload::run(args, out),
        RegistrationCommand::Add(args) => single::add(args, out),
        RegistrationCommand::List(args) => single::list(args, out),
        RegistrationCommand::Withdraw(args) => single::withdraw(args, out),
    }
}
