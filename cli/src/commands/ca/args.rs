//! What `ca init` and `ca add` are told.

use std::path::PathBuf;

use c8y_pki_core::cert::LongestChain;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::profile::PathLength;
use clap::Args;

use super::history;
use crate::protocol::ProtocolArgs;
use crate::secrets::PlaceArgs;
use crate::values::{self, SubjectArgs};

/// What `init` and `add` have in common.
#[derive(Debug, Args)]
pub(crate) struct MakeArgs {
    #[command(flatten)]
    pub(super) subject: SubjectArgs,
    /// Type of its key, in place of the profile's: rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384,
    /// ec-p521, ed25519, ml-dsa-44, ml-dsa-65, ml-dsa-87
    #[arg(long = "key-type", value_name = "TYPE")]
    pub(super) key_type: Option<KeyType>,
    /// Validity in days, in place of the profile's
    #[arg(long, value_name = "N", value_parser = values::validity_days())]
    pub(super) days: Option<u32>,
    /// How many CA certificates may follow: a number, none (no limit) or computed
    #[arg(long, value_name = "N", value_parser = values::path_length)]
    pub(super) path_length: Option<PathLength>,
    #[command(flatten)]
    pub(super) place: PlaceArgs,
}

/// Arguments of `ca init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Name of the CA in the PKI directory
    #[arg(default_value = "root")]
    pub(super) name: String,
    /// Profile: a built-in one (`c8y-pki profile list`) or a file
    #[arg(long, default_value = "root", value_name = "NAME|FILE")]
    pub(super) profile: String,
    #[command(flatten)]
    pub(super) make: MakeArgs,
    /// Most certificates in a chain at the installation, the device's and the uploaded CA's counted: 10 in the
    /// cloud. A new PKI directory keeps it in pki.toml (longest_chain), where you can change it; an existing one
    /// must have the same number
    #[arg(long, value_name = "N")]
    pub(super) longest_chain: Option<LongestChain>,
    /// The registry of a new PKI directory: the address of a PostgreSQL database, which other directories may share,
    /// as postgresql://pki@db.example.com/pki. pki.toml keeps it. Default: a file in the directory
    #[arg(long, value_name = "ADDRESS")]
    pub(super) registry: Option<String>,
    #[command(flatten)]
    pub(super) protocol: ProtocolArgs,
}

/// Arguments of `ca add`.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Name of the CA in the PKI directory
    pub(super) name: String,
    /// The CA that signs it
    #[arg(long, value_name = "NAME", required_unless_present_any = ["import", "certificate"])]
    pub(super) parent: Option<String>,
    /// Profile: a built-in one (`c8y-pki profile list`) or a file
    #[arg(long, default_value = "intermediate", value_name = "NAME|FILE")]
    pub(super) profile: String,
    #[command(flatten)]
    pub(super) make: MakeArgs,
    /// If --days would end after the parent, shorten them instead of refusing; without --days the validity is
    /// always shortened
    #[arg(long, alias = "clamp")]
    pub(super) shorten: bool,
    /// File with the password of the parent's key, or the PIN of its token; by default that of the new
    /// CA, if both are in files or in one token [env: C8Y_PKI_PARENT_PASSWORD, C8Y_PKI_TOKEN_PIN, of
    /// another token C8Y_PKI_PARENT_PIN]
    #[arg(long, value_name = "FILE")]
    pub(super) parent_password_file: Option<PathBuf>,
    /// Import a CA made elsewhere: files with its certificate and those above it. A CA of this PKI directory can be
    /// imported again without --key, to add certificates above it, or a new certificate for its key
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["parent", "shorten", "days", "path_length", "key_type", "token", "existing_key"])]
    pub(super) import: Vec<PathBuf>,
    /// Take the answer to the request of this CA (`c8y-pki ca request`): files with its certificate and those above it,
    /// in PEM, DER or PKCS#7. A CA that has a certificate already takes the next one for its key
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["import", "parent", "shorten", "days", "path_length", "key_type", "token", "existing_key", "ca_password_file"])]
    pub(super) certificate: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) protocol: ProtocolArgs,
    /// Accept a CA whose RSA key has the public exponent 3, which old recipes made. Without this option every
    /// exponent below 65537 is refused
    #[arg(long)]
    pub(super) allow_exponent_3: bool,
    /// The private key of the CA to import, in a file or a token (pkcs11:…), where it stays; by default the key in
    /// the file of --import, which may be PKCS#12, JKS or PEM
    #[arg(long, value_name = "FILE|URI", requires = "import")]
    pub(super) key: Option<PathBuf>,
    /// File with the password of --key, or the PIN of its token
    /// [env: C8Y_PKI_KEY_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE", requires = "import")]
    pub(super) key_password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) history: history::HistoryArgs,
    /// Import a configuration of OpenSSL (caConfig.cnf): its sections of extensions become profiles in the PKI
    /// directory's `profiles`, and its policy becomes that of the CA; what cannot be imported is named
    #[arg(long, value_name = "FILE", requires = "import")]
    pub(super) openssl_conf: Option<PathBuf>,
}
