//! What the verbs about servers are told: names, files, passwords.

use std::path::{Path, PathBuf};

use c8y_pki_core::cert::{AltName, Certificate};
use c8y_pki_core::issue::{BeyondIssuer, Validity};
use c8y_pki_core::name::NameBuilder;
use c8y_pki_core::profile::Profile;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::pki::{Ca, Pki};
use c8y_pki_engine::provision::bundle::{Bundle, BundleSettings};
use c8y_pki_engine::registry::ServerName;
use c8y_pki_engine::servers::{self, ServerFiles, ServerKey, ServerOrder};
use clap::Args;
use time::OffsetDateTime;

use super::view;
use crate::commands::device::Pkcs12Args;
use crate::commands::{planning, shortened};
use crate::failure::Result;
use crate::output::Output;
use crate::secrets::known;
use crate::values;

/// The names of a server.
#[derive(Debug, Args)]
pub(super) struct SanArgs {
    /// Names by which clients know the server: DNS:HOST, DNS:*.DOMAIN, IP:ADDRESS, URI:URI; several separated by
    /// commas, or repeat the option
    #[arg(long, value_name = "NAMES", value_parser = names)]
    pub(super) san: Vec<Names>,
}

/// What one `--san` says.
#[derive(Debug, Clone)]
pub(super) struct Names(Vec<AltName>);

fn names(text: &str) -> std::result::Result<Names, String> {
    use c8y_pki_core::failure::Failure as _;
    AltName::parse_list(text).map(Names).map_err(|e| match e.hint() {
        Some(hint) => format!("{e} ({hint})"),
        None => e.to_string(),
    })
}

impl SanArgs {
    /// All of them.
    pub(super) fn names(&self) -> impl Iterator<Item = AltName> + '_ {
        self.san.iter().flat_map(|one| one.0.iter().cloned())
    }
}

/// How long a certificate is valid.
#[derive(Debug, Args)]
pub(super) struct TermArgs {
    /// Validity in days, in place of the profile's
    #[arg(long, value_name = "N", value_parser = values::validity_days())]
    days: Option<u32>,
    /// If --days would end after the CA, shorten them instead of refusing; without --days the validity is always
    /// shortened
    #[arg(long)]
    shorten: bool,
}

/// Whether it is only asked what would be done.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct PlanArgs {
    /// Show what would be issued, and change nothing. No password is asked for
    #[arg(long)]
    pub(super) plan: bool,
}

impl PlanArgs {
    /// Opens the PKI directory: to be changed, or for a plan only to be read.
    pub(super) fn open(self, dir: &Path, now: OffsetDateTime, out: Output) -> Result<Pki> {
        planning::open(self.plan, dir, now, out)
    }

    /// Whether a certificate is made; else what it would be is shown. Files of a run that was stopped are put into place
    /// before, whatever becomes of this one.
    pub(super) fn goes_on(
        self,
        pki: &Pki,
        (ca, order): (&Ca, &ServerOrder<'_>),
        (place, files): (&Path, &ServerFiles<'_>),
        now: OffsetDateTime,
        out: Output,
    ) -> Result<bool> {
        if !self.plan {
            servers::recover(pki, order.name, place)?;
        }
        // Before anybody is asked for a password.
        ca.check_has_key()?;
        let checked = servers::check(pki, ca, order, (place, files), now)?;
        if self.plan {
            view::planned((ca, order), files.kinds, checked, out)?;
        }
        Ok(!self.plan)
    }
}

impl TermArgs {
    /// The certificate that is asked for, which takes no other one's place.
    pub(super) fn order<'a>(
        &self,
        (name, profile): (&'a ServerName, &'a Profile),
        subject: &'a NameBuilder,
        alt_names: &'a [AltName],
        key: ServerKey<'a>,
    ) -> ServerOrder<'a> {
        ServerOrder {
            name,
            profile,
            subject,
            alt_names,
            days: self.days,
            beyond_issuer: BeyondIssuer::of(self.days, self.shorten),
            key,
            key_pem: None,
            replaces: None,
        }
    }

    /// Says that it ends with the CA, if it does.
    pub(super) fn note(&self, profile: &Profile, ca: &Ca, now: OffsetDateTime, out: Output) {
        shortened::note(self.days, &Validity::of(profile, now, None), ca.certificate(), out);
    }
}

/// The files of a server, and how they are protected.
#[derive(Debug, Args)]
pub(super) struct FileArgs {
    /// Encrypt key.pem; its password comes from --key-password-file
    #[arg(long)]
    pub(super) encrypt_keys: bool,
    #[command(flatten)]
    pub(super) pkcs12: Pkcs12Args,
    /// File with the password of key.pem [env: C8Y_PKI_KEY_PASSWORD]
    #[arg(long, value_name = "FILE")]
    pub(super) key_password_file: Option<PathBuf>,
    /// File with the password of keystores and truststores [env: C8Y_PKI_STORE_PASSWORD]
    #[arg(long, value_name = "FILE")]
    pub(super) store_password_file: Option<PathBuf>,
}

/// The passwords of a server's files.
pub(super) struct Passwords {
    store: Option<Password>,
    key: Option<Password>,
}

impl FileArgs {
    /// Asks for what the files of these kinds need.
    pub(super) fn passwords(&self, kinds: &[Bundle], encrypt: bool) -> Result<Passwords> {
        let store = kinds.iter().any(|kind| kind.is_store());
        let store = store.then(|| known::store(self.store_password_file.as_ref()).new_one());
        let key = encrypt && kinds.contains(&Bundle::Pem);
        let key = key.then(|| self.key_source().new_one());
        Ok(Passwords { store: store.transpose()?, key: key.transpose()? })
    }

    /// Where the password of key.pem comes from.
    pub(super) fn key_source(&self) -> crate::secrets::Source<'_> {
        known::key(self.key_password_file.as_ref(), "the server's key")
    }

    /// What is made of that. Truststores hold the root above the server: what its clients trust.
    pub(super) fn settings<'a>(
        &self,
        kinds: &'a [Bundle],
        passwords: &'a Passwords,
        trusted: &'a [Certificate],
    ) -> BundleSettings<'a> {
        BundleSettings {
            kinds,
            store_password: passwords.store.as_ref(),
            key_password: passwords.key.as_ref(),
            key_iterations: self.pkcs12.iterations(),
            pkcs12: self.pkcs12.options(),
            trusted,
        }
    }
}

/// The certificate that clients trust: the last of the CA's chain.
pub(super) fn trusted(ca: &Ca) -> Vec<Certificate> {
    ca.chain.last().cloned().into_iter().collect()
}
