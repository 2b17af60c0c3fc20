//! `order`: a customer's list of devices, and how far each of them is.
//!
//! One file per verb; `view` is an order as it is shown, `labelled` and `secrets` are about labels: whose
//! they are, and what they may show.

mod create;
mod labelled;
mod labels;
mod list;
mod revoke;
mod secrets;
mod show;
mod view;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Result;
use crate::output::Output;

/// Commands about orders.
#[derive(Debug, Subcommand)]
pub(crate) enum OrderCommand {
    /// Keep a device list as an order; nothing is issued yet
    Create(Box<create::CreateArgs>),
    /// List the orders, and how far they are
    List(list::ListArgs),
    /// Show how far an order is, and what is missing
    Show(show::ShowArgs),
    /// Write labels for the devices of an order or a list: id, fingerprint, QR code
    Labels(Box<labels::LabelsArgs>),
    /// Take an order back: revoke what was issued for it, and close it
    Revoke(revoke::RevokeArgs),
}

pub(crate) fn run(command: &OrderCommand, pki: &Path, out: Output) -> Result {
    match command {
        OrderCommand::Create(args) => create::run(args, pki, out),
        OrderCommand::List(args) => list::run(args, pki, out),
        OrderCommand::Show(args) => show::run(args, pki, out),
        OrderCommand::Labels(args) => labels::run(args, pki, out),
        OrderCommand::Revoke(args) => revoke::run(args, pki, out),
    }
}
