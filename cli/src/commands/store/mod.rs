//! `store`: keystores and truststores.

mod fetch;
mod from;
mod put;
mod show;

use clap::Subcommand;

use crate::failure::Result;
use crate::output::Output;

/// Commands about keystores and truststores.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Make a keystore (--key and --cert), a truststore (--trusted), or one from another (--from)
    #[command(after_help = "\
Examples:
  c8y-pki store create keystore.p12 --key key.pem --cert chain.pem
  c8y-pki store create truststore.jks --trusted server-ca.pem --store-password-file pw
  c8y-pki store create new.p12 --from old.jks --from-password-file old.pw --store-password-file pw
  c8y-pki store create cacerts.p12 --trusted server-ca.pem --no-password")]
    Create(put::PutArgs),
    /// Add an entry to a store
    #[command(after_help = "\
Examples:
  c8y-pki store add keystore.p12 --trusted server-ca.pem
  c8y-pki store add truststore.p12 --trusted edge.pem --alias edge")]
    Add(put::PutArgs),
    /// List a store's entries, as `keytool -list -v` would
    #[command(after_help = "\
Examples:
  c8y-pki store show keystore.p12
  c8y-pki store show old.jks --store-password-file pw --json")]
    Show(show::ShowArgs),
    /// Show, and save, the certificates that a TLS server presents
    #[command(after_help = "\
The command does not decide whether to trust the server: compare the fingerprint with one that you got in another way.

Examples:
  c8y-pki store fetch mqtt.example.com:8883
  c8y-pki store fetch mqtt.example.com:8883 --out server.pem")]
    Fetch(fetch::FetchArgs),
}

pub(crate) fn run(command: &StoreCommand, out: Output) -> Result {
    match command {
        StoreCommand::Create(args) => put::run(args, true, out),
        StoreCommand::Add(args) => put::run(args, false, out),
        StoreCommand::Show(args) => show::run(args, out),
        StoreCommand::Fetch(args) => fetch::run(args, out),
    }
}
