//! `server`: certificates for what devices talk to, from the first one to its revocation.
//!
//! One file per verb. What they share: `options` for names, files and passwords, `view` for what is told.

mod issue;
mod list;
mod options;
mod renew;
mod revoke;
mod sign;
mod view;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Result;
use crate::output::Output;

/// Commands about servers.
#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// Make key, certificate and keystores for a server
    Issue(Box<issue::IssueArgs>),
    /// Sign the certificate request of a server that keeps its key
    Sign(Box<sign::SignArgs>),
    /// Renew a server's certificate, with the names that it has
    Renew(Box<renew::RenewArgs>),
    /// List certificates of servers
    List(list::ListArgs),
    /// Revoke certificates of servers
    Revoke(revoke::RevokeArgs),
}

pub(crate) fn run(command: &ServerCommand, pki: &Path, out: Output) -> Result {
    match command {
        ServerCommand::Issue(args) => issue::run(args, pki, out),
        ServerCommand::Sign(args) => sign::run(args, pki, out),
        ServerCommand::Renew(args) => renew::run(args, pki, out),
        ServerCommand::List(args) => list::run(args, pki, out),
        ServerCommand::Revoke(args) => revoke::run(args, pki, out),
    }
}
