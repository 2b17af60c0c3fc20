//! What a device gets, and what becomes of those that have theirs already.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use c8y_pki_core::crypto::{KeyPolicy, KeyType, RsaKeys};
use c8y_pki_core::profile::Profile;
use c8y_pki_core::store::{Compat, DEFAULT_ITERATIONS, MAX_ITERATIONS, Pkcs12Options};
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::provision::bundle::Bundle;
use c8y_pki_engine::provision::{Existing, Keep, RevokedDevices};
use clap::{Args, ValueEnum};
use time::OffsetDateTime;

use crate::commands::planning;
use crate::failure::{Failure, Result};
use crate::hint;
use crate::output::Output;
use crate::secrets::{Source, known};
use crate::values;

/// How PKCS#12 files are protected.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CompatArg {
    /// AES-256 and SHA-256: Java from 8u301, OpenSSL from 1.1.0
    Modern,
    /// Triple DES and SHA-1, for old readers
    Legacy,
}

/// Options of PKCS#12 files, wherever they are written.
#[derive(Debug, Clone, Args)]
pub(crate) struct Pkcs12Args {
    /// Protection of PKCS#12 files
    #[arg(long, value_enum, default_value = "modern")]
    compat: CompatArg,
    /// Key derivation iterations of PKCS#12 files, for encryption and for the MAC
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ITERATIONS, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_ITERATIONS)))]
    pub(super) iterations: u32,
    /// Leave the certificates in PKCS#12 files unencrypted: they are public anyway
    #[arg(long)]
    plain_certificates: bool,
    /// Protect PKCS#12 files with PBMAC1 (RFC 9579), for OpenSSL from 3.4 and Java in FIPS mode; older OpenSSL,
    /// and Java before 24, cannot open them
    #[arg(long)]
    pbmac1: bool,
}

impl Pkcs12Args {
    /// Key derivation iterations, also of encrypted key files.
    pub(crate) fn iterations(&self) -> u32 {
        self.iterations
    }

    pub(crate) fn options(&self) -> Pkcs12Options {
        Pkcs12Options {
            compat: match self.compat {
                CompatArg::Modern => Compat::Modern,
                CompatArg::Legacy => Compat::Legacy,
            },
            encryption_iterations: self.iterations,
            mac_iterations: self.iterations,
            plain_certificates: self.plain_certificates,
            pbmac1: self.pbmac1,
        }
    }
}

/// What to do with devices that are issued already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ExistingArg {
    /// Leave them as they are
    Skip,
    /// Refuse the whole run
    Fail,
    /// Issue a new certificate; the former one stays in the registry as superseded
    Replace,
}

/// Options about devices that are issued already.
#[derive(Debug, Args)]
pub(crate) struct ExistingArgs {
    /// What to do with devices that have a certificate already
    #[arg(long, value_enum, default_value = "skip")]
    existing: ExistingArg,
    /// With --existing replace: revoke the former certificates, with the reason superseded
    #[arg(long)]
    revoke: bool,
    /// With --existing replace and a list, an order or several requests: issue devices again that were revoked. Without it
    /// they are left out; a device that is named by its id is issued in any case
    #[arg(long)]
    issue_revoked: bool,
}

impl ExistingArgs {
    /// What to do with devices that were revoked, where `is_named` says that each was asked for by its id.
    pub(super) fn revoked(&self, is_named: bool) -> RevokedDevices {
        match self.issue_revoked || is_named {
            true => RevokedDevices::Issue,
            false => RevokedDevices::IfOrdered,
        }
    }

    pub(super) fn existing(&self) -> Result<Existing> {
        match (self.existing, self.revoke) {
            (ExistingArg::Replace, revoke) => Ok(Existing::Replace { revoke }),
            (_, true) => Err(Failure::usage(
                "--revoke is for certificates that are replaced, but nothing is to be replaced",
                format!("add --existing replace, or use `{}`", hint::with_pki("device revoke")),
            )),
            _ if self.issue_revoked => Err(Failure::usage(
                "--issue-revoked is for devices that are issued again, but nothing is to be replaced",
                "add --existing replace",
            )),
            (ExistingArg::Skip, false) => Ok(Existing::Skip),
            (ExistingArg::Fail, false) => Ok(Existing::Fail),
        }
    }
}

/// Which weak keys are let through.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct KeyPolicyArgs {
    /// Accept an RSA key with the public exponent 3, for devices that cannot make another key. Without this option
    /// every exponent below 65537 is refused
    #[arg(long)]
    allow_exponent_3: bool,
}

impl KeyPolicyArgs {
    pub(crate) fn policy(self) -> KeyPolicy {
        KeyPolicy { allow_exponent_3: self.allow_exponent_3 }
    }
}

/// What devices get, and how it is protected.
#[derive(Debug, Clone, Args)]
pub(crate) struct OutputArgs {
    /// The directory in which each device gets its own directory; with --into tar the archive, - for standard
    /// output
    #[arg(long, value_name = "DIR|FILE")]
    pub(super) out: PathBuf,
    /// Show what would be done, and change nothing. No password is asked for
    #[arg(long)]
    pub(super) plan: bool,
    /// What --out is
    #[arg(long, value_enum, default_value = "folders")]
    pub(super) into: Form,
    /// What each device gets: pem, p12, jks, thin-edge (names of thin-edge.io, and a script that puts them
    /// in place), truststore-p12, truststore-jks. By default what it had, if it is renewed, or
    /// made again with --existing replace; else what its order says, or pem
    #[arg(long, value_delimiter = ',', value_name = "KINDS")]
    pub(super) bundle: Vec<Bundle>,
    /// Profile: a built-in one (`c8y-pki profile list`) or a file; by default device, or what the order says
    #[arg(long, value_name = "NAME|FILE")]
    pub(super) profile: Option<String>,
    /// Type of the keys, in place of the profile's: rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384,
    /// ec-p521, ed25519, ml-dsa-44, ml-dsa-65, ml-dsa-87
    #[arg(long = "key-type", value_name = "TYPE")]
    pub(super) key_type: Option<KeyType>,
    /// Who makes RSA keys: own, the search of this program (fast; while it runs, a program that shares this
    /// computer's processor could learn something about the key), or backend, the crypto library, which takes
    /// about 1.6 times as long. By default as the profile says
    #[arg(long, value_name = "MAKER", value_parser = values::rsa_keys, conflicts_with = "key_pool")]
    pub(super) rsa_keys: Option<RsaKeys>,
    /// Validity in days, in place of the profile's
    #[arg(long, value_name = "N", value_parser = values::validity_days())]
    pub(super) days: Option<u32>,
    /// If --days would end after the CA, shorten them instead of refusing; without --days the validity is always
    /// shortened
    #[arg(long, alias = "clamp")]
    pub(super) shorten: bool,
    /// What truststores hold: PEM or DER files with the server's certificates; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(super) server_cert: Vec<PathBuf>,
    /// Encrypt key.pem; its password comes from --key-password-file
    #[arg(long)]
    pub(super) encrypt_keys: bool,
    #[command(flatten)]
    pub(super) pkcs12: Pkcs12Args,
    /// File with the password of the CA's key, or the PIN of its token
    /// [env: C8Y_PKI_CA_PASSWORD, C8Y_PKI_TOKEN_PIN]
    #[arg(long, value_name = "FILE")]
    pub(super) ca_password_file: Option<PathBuf>,
    /// File with the password of key.pem [env: C8Y_PKI_KEY_PASSWORD]
    #[arg(long, value_name = "FILE")]
    pub(super) key_password_file: Option<PathBuf>,
    /// File with the password of keystores and truststores [env: C8Y_PKI_STORE_PASSWORD]
    #[arg(long, value_name = "FILE")]
    pub(super) store_password_file: Option<PathBuf>,
    /// Give each device a random store password of its own, and write them to this new CSV (mode 0600)
    #[arg(long, value_name = "FILE", conflicts_with = "store_password_file")]
    pub(super) secrets: Option<PathBuf>,
    /// The profile of the order of these devices, in place of one by its name.
    #[arg(skip)]
    pub(super) ordered_profile: Option<Profile>,
    /// Take keys from the key pool (`c8y-pki key pool fill`) instead of making them
    #[arg(long)]
    pub(super) key_pool: bool,
    /// File with the password of the key pool [env: C8Y_PKI_POOL_PASSWORD]
    #[arg(long, value_name = "FILE", requires = "key_pool")]
    pub(super) pool_password_file: Option<PathBuf>,
    /// Issue the devices without faults, even if others have faults
    #[arg(long)]
    pub(super) keep_going: bool,
    /// Write the devices that fail to this CSV, with reasons; with --keep-going and directories it is
    /// DIR/failed.csv by default
    #[arg(long, value_name = "FILE")]
    pub(super) failed: Option<PathBuf>,
    /// Number of worker threads; by default one per processor
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<NonZeroUsize>,
}

/// What becomes of the devices' files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// A directory for each device
    Folders,
    /// One archive with a directory for each device: the fastest way; FILE.part until it is complete
    Tar,
}

impl OutputArgs {
    /// The PKI directory: to be changed, or for a plan only to be read.
    pub(super) fn open(&self, dir: &Path, now: OffsetDateTime, out: Output) -> Result<Pki> {
        planning::open(self.plan, dir, now, out)
    }

    /// What counts of the former certificates of devices that are issued again: what no option, profile or order says.
    pub(super) fn keep(&self, has_order: bool, keeps_subject: bool) -> Keep {
        let is_said = has_order || self.profile.is_some();
        Keep { key_type: !is_said && self.key_type.is_none(), subject: !is_said && keeps_subject }
    }

    pub(super) fn profile(&self) -> Result<Profile> {
        let profile = match &self.ordered_profile {
            Some(kept) => values::with_key(kept.clone(), &kept.name, self.key_type)?,
            None => values::profile(self.profile.as_deref().unwrap_or("device"), self.key_type)?,
        };
        let rsa_keys = self.rsa_keys.unwrap_or(profile.rsa_keys);
        Ok(Profile { rsa_keys, ..profile })
    }

    pub(super) fn key_source(&self) -> Source<'_> {
        known::key(self.key_password_file.as_ref(), "the devices' keys")
    }
}
