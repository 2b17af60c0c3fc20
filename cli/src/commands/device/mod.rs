//! `device`: certificates for devices, from the first one to the last list that revokes it.
//!
//! One file per verb. What they share: `options` for what a device gets, `ordered` for what its order says of that, `making`, the run that issues;
//! `endpoint` and `connecting` for the verbs that connect as a device would.

mod at_service;
mod bootstrap;
mod check;
mod compromise;
mod connect;
mod connecting;
mod endpoint;
mod enrol;
mod hand_over;
mod import;
mod issue;
mod issued;
mod kinds;
mod left_out;
mod list;
mod making;
mod manifest;
mod options;
mod ordered;
mod planned;
mod refresh;
mod renew;
mod revoke;
mod run;
mod serial;
mod show;
mod sign;
mod token;

pub(crate) use kinds::check_without_key;
pub(crate) use options::{KeyPolicyArgs, Pkcs12Args};
pub(crate) use revoke::reason;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Result;
use crate::output::Output;

/// Commands about devices.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Make keys, certificates and keystores for one device or many
    Issue(Box<issue::IssueArgs>),
    /// Sign certificate requests of devices that keep their keys
    Sign(Box<sign::SignArgs>),
    /// Renew certificates, with a new key or the same one
    Renew(Box<renew::RenewArgs>),
    /// Rewrite chains and keystores of devices after their CA was renewed
    Refresh(Box<refresh::RefreshArgs>),
    /// Get a certificate from the platform's own CA
    Enrol(Box<enrol::EnrolArgs>),
    /// Record certificates that a CA of the directory has signed elsewhere
    Import(import::ImportArgs),
    /// Revoke certificates
    Revoke(revoke::RevokeArgs),
    /// List certificates of devices
    List(list::ListArgs),
    /// Find out whether a device connects, and if not, why
    Check(Box<check::CheckArgs>),
    /// Get a device's token, and show what it says
    Token(Box<token::TokenArgs>),
    /// Keep a device connected: operations to standard output, lines of standard input to the platform
    Connect(Box<connect::ConnectArgs>),
    /// Get credentials for a device that has a password and no certificate
    Bootstrap(Box<bootstrap::BootstrapArgs>),
    /// Show all that is known of a device, or of a certificate
    Show(show::ShowArgs),
    /// Write the signed hand-over file of a batch
    Manifest(manifest::ManifestArgs),
}

pub(crate) fn run(command: &DeviceCommand, pki: &Path, out: Output) -> Result {
    match command {
        DeviceCommand::Issue(args) => issue::run(args, pki, out),
        DeviceCommand::Sign(args) => sign::run(args, pki, out),
        DeviceCommand::Renew(args) => renew::run(args, pki, out),
        DeviceCommand::Refresh(args) => refresh::run(args, pki, out),
        DeviceCommand::Enrol(args) => enrol::run(args, out),
        DeviceCommand::Import(args) => import::run(args, pki, out),
        DeviceCommand::Revoke(args) => revoke::run(args, pki, out),
        DeviceCommand::List(args) => list::run(args, pki, out),
        DeviceCommand::Check(args) => check::run(args, pki, out),
        DeviceCommand::Token(args) => token::run(args, out),
        DeviceCommand::Connect(args) => connect::run(args, pki, out),
        DeviceCommand::Bootstrap(args) => bootstrap::run(args, out),
        DeviceCommand::Show(args) => show::run(args, pki, out),
        DeviceCommand::Manifest(args) => manifest::run(args, pki, out),
    }
}
