//! `ca`: roots, intermediates, their requests, their list, their renewal, their CRLs.

mod answer;
mod args;
mod crl;
pub(crate) mod history;
mod import;
mod list;
mod make;
mod rename;
mod renew;
mod request;
mod show;
mod sign_request;
mod view;

use std::path::Path;

use clap::Subcommand;

use crate::failure::Result;
use crate::output::Output;
use crate::values;

/// Commands about CAs.
#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Make a root CA, and the PKI directory if there is none
    #[command(after_help = "\
Examples:
  c8y-pki ca init --subject \"CN=Example Root CA,O=Example GmbH,C=DE\"
  c8y-pki ca init plant --profile classic-root --subject \"CN=Plant CA\" --ca-password-file pw
  c8y-pki ca init --subject \"CN=Example Root CA\" --longest-chain 12   for a dedicated installation
  c8y-pki ca init --subject \"CN=Example Root CA\" --token \"pkcs11:token=Factory;object=root\"")]
    Init(args::InitArgs),
    /// Make an intermediate CA, take the certificate of one that waits for it, or import one made elsewhere
    #[command(after_help = "\
Examples:
  c8y-pki ca add line-7 --parent root --subject \"CN=Line 7,O=Example GmbH,C=DE\"
  c8y-pki ca add line-7 --certificate line-7.pem
  c8y-pki ca add old --import caCert.pem --key caKey.pem --key-password-file pw
  c8y-pki ca add line --import line.p12 --key-password-file p12.pw --ca-password-file pw
  c8y-pki ca add plant --import intermediateCert.pem caCert.pem --key intermediateKey.pem \\
      --openssl-db database.txt --certs deviceCertificates --crl crl/intermediateCrl.pem
  c8y-pki ca add plant --import plant-renewed.pem companyRoot.pem
  c8y-pki ca add hsm --import caCert.pem --key \"pkcs11:token=Factory;object=old-ca\"")]
    Add(Box<args::AddArgs>),
    /// List the CAs as a tree
    #[command(after_help = "Examples:\n  c8y-pki ca list\n  c8y-pki ca list --expiring 90d --json")]
    List {
        /// Only those whose validity ends within this time, e.g. 90d or 8w
        #[arg(long, value_name = "TIME", value_parser = values::duration)]
        expiring: Option<time::Duration>,
    },
    /// Renew a CA: new dates, or a new key under the same subject
    Renew(renew::RenewArgs),
    /// Give a CA another name in the PKI directory; its certificate and key stay
    #[command(after_help = "\
The new name stands in the registry, in the CA's policy in pki.toml and as the name of its directory. The
audit log keeps both. Certificates, lists and keys stay as they are, and nothing changes at the
tenant. Rollout files and scripts that have the former name have to be changed by hand.

Examples:
  c8y-pki ca rename line-7 line-7-2026
  c8y-pki ca rename line plant-a-line --json")]
    Rename {
        /// Name of the CA
        #[arg(value_name = "NAME")]
        from: String,
        /// Its name from now on
        #[arg(value_name = "NEW-NAME")]
        to: String,
    },
    /// Write a request for a CA, new or not, to be signed by another one
    Request(request::RequestArgs),
    /// Sign the request of a CA that is elsewhere
    SignRequest(sign_request::SignRequestArgs),
    /// Show a CA: its certificate and where its files are
    #[command(after_help = "Examples:\n  c8y-pki ca show root\n  c8y-pki ca show line-7 --json")]
    Show {
        /// Name of the CA
        name: String,
    },
    /// Make the next revocation list of a CA
    #[command(after_help = "\
Examples:
  c8y-pki ca crl line-7
  c8y-pki ca crl line-7 --days 7 --der --out line-7.crl")]
    Crl(crl::CrlArgs),
}

pub(crate) fn run(command: &CaCommand, pki: &Path, out: Output) -> Result {
    match command {
        CaCommand::Init(args) => make::init(args, pki, out),
        CaCommand::Add(args) if !args.certificate.is_empty() => answer::run(args, pki, out),
        CaCommand::Add(args) if args.import.is_empty() => make::add(args, pki, out),
        CaCommand::Add(args) => import::run(args, pki, out),
        CaCommand::List { expiring } => list::run(*expiring, pki, out),
        CaCommand::Renew(args) => renew::run(args, pki, out),
        CaCommand::Rename { from, to } => rename::run(from, to, pki, out),
        CaCommand::Request(args) => request::run(args, pki, out),
        CaCommand::SignRequest(args) => sign_request::run(args, pki, out),
        CaCommand::Show { name } => show::run(name, pki, out),
        CaCommand::Crl(args) => crl::run(args, pki, out),
    }
}
