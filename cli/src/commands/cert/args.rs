//! What `cert verify` is told.

use std::path::PathBuf;

use c8y_pki_core::cert::LongestChain;
use c8y_pki_core::chain::Policies;
use clap::Args;
use time::OffsetDateTime;

use super::at_tenant::AskArgs;
use crate::values;

/// Arguments of `cert verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The chain: PEM or DER, leaf first, then intermediates in any order; with --manifest that of
    /// the CA that signed it, if that is not trusted by itself
    #[arg(required_unless_present = "manifest")]
    pub(super) chain: Option<PathBuf>,
    /// Trusted certificates, roots or intermediates: PEM or DER; may be repeated. With --tenant by default those
    /// that the tenant has
    #[arg(long, value_name = "FILE", required_unless_present = "ask")]
    pub(super) trust: Vec<PathBuf>,
    /// More intermediates, and certificates of keys that have signed revocation lists in a CA's place, in any
    /// order: PEM or DER; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) untrusted: Vec<PathBuf>,
    /// Also enforce the rules of RFC 5280 for issuers that servers do not enforce; without it such a finding is a
    /// warning
    #[arg(long, conflicts_with = "manifest")]
    pub(super) strict: bool,
    #[command(flatten)]
    pub(super) policies: PolicyArgs,
    /// The time for which to verify (RFC 3339, e.g. 2026-11-22T10:00:00Z); by default now
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(super) at: Option<OffsetDateTime>,
    /// Most intermediates between leaf and trusted certificate; by default what the longest chain leaves: 8 of 10
    #[arg(long, value_name = "N")]
    pub(super) max_depth: Option<u8>,
    /// Apply the platform's rules too, for the device with this identifier
    #[arg(long, value_name = "ID", conflicts_with = "manifest")]
    pub(super) as_device: Option<String>,
    /// The largest number of certificates in a chain, with the device's and the uploaded CA's; by default that of
    /// the PKI directory's pki.toml; without one 10, as in the cloud
    #[arg(long, value_name = "N")]
    pub(super) longest_chain: Option<LongestChain>,
    /// Revocation lists: PEM or DER, complete ones, delta lists, lists for some certificates or reasons, indirect
    /// ones; one has to be for the leaf; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) crl: Vec<PathBuf>,
    /// Certificates of other CAs that have the name of an issuer in the chain and have made one of the lists, as after
    /// `ca renew --new-key`: their lists are told apart; may be repeated
    #[arg(long, value_name = "FILE", requires = "crl")]
    pub(super) other_ca: Vec<PathBuf>,
    /// Verify this hand-over file instead of a chain: its signature (FILE.sig) has to be made by the CA that its
    /// rows name
    #[arg(long, value_name = "FILE")]
    pub(super) manifest: Option<PathBuf>,
    #[command(flatten)]
    pub(super) tenant: AskArgs,
}

/// Certificate policies that are asked for.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// A certificate policy that is acceptable, as a dotted object identifier (e.g. 1.3.6.1.4.1.99999.1); by
    /// default any; may be repeated
    #[arg(long = "policy", value_name = "OID", conflicts_with = "manifest")]
    acceptable: Vec<String>,
    /// One of the acceptable policies has to be valid for the chain
    #[arg(long, conflicts_with = "manifest")]
    explicit_policy: bool,
    /// Mappings of policies do not count
    #[arg(long, conflicts_with = "manifest")]
    inhibit_policy_mapping: bool,
    /// The policy anyPolicy does not count
    #[arg(long, conflicts_with = "manifest")]
    inhibit_any_policy: bool,
}

impl PolicyArgs {
    pub(super) fn policies(&self) -> Policies {
        Policies {
            acceptable: self.acceptable.iter().cloned().collect(),
            explicit: self.explicit_policy,
            inhibit_mapping: self.inhibit_policy_mapping,
            inhibit_any: self.inhibit_any_policy,
        }
    }
}
