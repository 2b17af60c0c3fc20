//! The command line: every command, its help and its examples.

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::commands::config::Origins;
use crate::commands::{self, generate};
use crate::failure::Result;
use crate::line::Line;
use crate::output::{Colour, Form, Output};
use crate::station;
use crate::values::DEFAULT_PKI;

/// From a list of serial numbers to devices that connect to Cumulocity IoT over mutual TLS
#[derive(Debug, Parser)]
#[command(name = "c8y-pki", version, long_version = generate::long_version(), max_term_width = 100, arg_required_else_help = true)]
#[command(subcommand_required = true)]
#[command(after_help = "\
Examples:
  c8y-pki rollout --example demo        everything from a root CA to device keystores, in ./demo
  c8y-pki device issue --from devices.csv --ca line-7 --out out

Exit codes: 0 done; 1 the answer is no, or some rows failed; 2 wrong use or input;
3 the environment failed, trying again may help.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Does it.
    pub(crate) fn run(&self, line: &Line, out: Output) -> Result {
        let pki = &self.global.pki;
        match &self.command {
            Command::Rollout(args) => commands::rollout::run(args, line, pki, out),
            Command::Ca(command) => commands::ca::run(command, pki, out),
            Command::Order(command) => commands::order::run(command, pki, out),
            Command::Device(command) => commands::device::run(command, pki, out),
            Command::Server(command) => commands::server::run(command, pki, out),
            Command::Cert(command) => commands::cert::run(command, pki, out),
            Command::Key(command) => commands::key::run(command, pki, out),
            Command::Store(command) => commands::store::run(command, out),
            Command::Registration(command) => commands::registration::run(command, pki, out),
            Command::Tenant(command) => commands::tenant::run(command, pki, out),
            Command::Pop(command) => commands::pop::run(command, pki, out),
            Command::Registry(command) => commands::registry::run(command, pki, out),
            Command::Status(args) => commands::status::run(args, pki, out),
            #[cfg(feature = "serve")]
            Command::Serve(args) => commands::serve::run(args, pki, out),
            #[cfg(feature = "sandbox")]
            Command::Sandbox(args) => commands::sandbox::run(args, out),
            Command::Profile(command) => commands::profile::run(command, out),
            Command::Context(command) => commands::context::run(command, line, out),
            Command::Config(command) => {
                commands::config::run(command, (&self.global.origins, line), out)
            }
            Command::Completions(args) => commands::generate::completions(args, out),
            Command::Man(args) => commands::generate::man(args, Self::command(), out),
            Command::Reference => commands::generate::reference(Self::command(), out),
        }
    }
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Print results as JSON, one object a line
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// The form of results: table, json or csv
    #[arg(
        id = "form",
        long = "output",
        short = 'o',
        global = true,
        value_enum,
        default_value = "table",
        hide_possible_values = true,
        value_name = "FORMAT",
        conflicts_with = "json",
        help_heading = "Global options"
    )]
    pub(crate) form: Form,
    /// Colour messages: auto, always or never
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        hide_possible_values = true,
        value_name = "WHEN",
        help_heading = "Global options"
    )]
    pub(crate) color: Colour,
    /// Tell on standard error what is asked of tenants and what they answer; -vv also each TLS handshake
    /// [env: C8Y_PKI_LOG=info|debug]
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub(crate) verbose: u8,
    /// The tenant of this context (`c8y-pki context`); none for no context
    #[arg(
        long,
        global = true,
        env = "C8Y_PKI_CONTEXT",
        hide_env_values = true,
        value_name = "NAME",
        help_heading = "Global options"
    )]
    pub(crate) context: Option<String>,
    /// Print results and errors only
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
    /// Confirm that this computer's clock is right. Needed if it differs from the tenant's by more than 10 minutes,
    /// is behind the registry or its lists by more than 10 minutes, or is more than 30 days after the registry's
    /// last entry. The audit log of the PKI directory records it
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) clock_is_right: bool,
    /// Write private keys and passwords also on a system where this program cannot set the rights of files (Windows).
    /// They get the rights of their directory: choose one that only you can read. Elsewhere they always have mode 0600,
    /// and this changes nothing
    #[arg(
        long,
        global = true,
        env = "C8Y_PKI_INSECURE_PERMISSIONS",
        value_parser = clap::builder::FalseyValueParser::new(),
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub(crate) insecure_permissions: bool,
    /// Who works here, for the audit log
    #[arg(
        long,
        global = true,
        env = "C8Y_PKI_OPERATOR",
        hide_env_values = true,
        value_name = "NAME",
        value_parser = station::name,
        help_heading = "Global options"
    )]
    pub(crate) operator: Option<String>,
    /// What this station is called, for the audit log and for other stations; by default this computer's name
    #[arg(
        long,
        global = true,
        env = "C8Y_PKI_STATION",
        hide_env_values = true,
        value_name = "NAME",
        value_parser = station::name,
        help_heading = "Global options"
    )]
    pub(crate) station: Option<String>,
    /// The PKI directory
    #[arg(
        long,
        global = true,
        env = "C8Y_PKI_DIR",
        default_value = DEFAULT_PKI,
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub(crate) pki: PathBuf,
    /// Where the values of these options come from.
    #[arg(skip)]
    pub(crate) origins: Origins,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Do everything from one file: CAs, devices, keystores, registration CSV
    Rollout(commands::rollout::RolloutArgs),
    /// Make and look after certificate authorities
    #[command(subcommand)]
    Ca(commands::ca::CaCommand),
    /// Keep customers' orders: a list of devices, and how far each is
    #[command(subcommand)]
    Order(commands::order::OrderCommand),
    /// Issue, renew, revoke and list certificates of devices
    #[command(subcommand)]
    Device(commands::device::DeviceCommand),
    /// Issue, renew, revoke and list certificates of the servers that devices connect to
    #[command(subcommand)]
    Server(commands::server::ServerCommand),
    /// Show, verify and order certificates
    #[command(subcommand)]
    Cert(commands::cert::CertCommand),
    /// Make, show and re-encrypt private keys
    #[command(subcommand)]
    Key(commands::key::KeyCommand),
    /// Make, extend and show keystores and truststores
    #[command(subcommand)]
    Store(commands::store::StoreCommand),
    /// Make, check and upload the CSV of the platform's bulk registration
    #[command(subcommand)]
    Registration(commands::registration::RegistrationCommand),
    /// Ask the platform, and tell it which CAs to trust
    #[command(subcommand)]
    Tenant(commands::tenant::TenantCommand),
    /// Prove possession of a CA's key to the platform
    #[command(subcommand)]
    Pop(commands::pop::PopCommand),
    /// Check, export and repair the registry of what was issued
    #[command(subcommand)]
    Registry(commands::registry::RegistryCommand),
    /// Say what needs a person: what runs out, what is due, what the tenant lacks
    Status(Box<commands::status::StatusArgs>),
    /// Answer devices that ask for certificates over EST, and stations that use a JSON API
    #[cfg(feature = "serve")]
    Serve(Box<commands::serve::ServeArgs>),
    /// Run a tenant in memory to rehearse against
    #[cfg(feature = "sandbox")]
    Sandbox(commands::sandbox::SandboxArgs),
    /// List and show certificate profiles and file templates
    #[command(subcommand)]
    Profile(commands::profile::ProfileCommand),
    /// Keep how tenants are reached, and choose one
    #[command(subcommand)]
    Context(commands::context::ContextCommand),
    /// Show settings and where they come from
    #[command(subcommand)]
    Config(commands::config::ConfigCommand),
    /// Print completions for a shell
    Completions(commands::generate::CompletionsArgs),
    /// Write man pages into a directory
    Man(commands::generate::ManArgs),
    /// Print the command reference as Markdown
    #[command(hide = true)]
    Reference,
}
