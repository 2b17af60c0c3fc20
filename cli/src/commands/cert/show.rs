//! `cert show`: whatever a file holds.

use std::path::PathBuf;

use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{self, Format, StoreError};
use c8y_pki_engine::inspect::{InspectError, Passwords, inspect, needs_password};
use c8y_pki_engine::{Error, files};
use clap::Args;

use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::items;
use crate::secrets::{self, known};

/// Arguments of `cert show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// PEM or DER files, PKCS#7, PKCS#12 and JKS stores
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// File with the password of an encrypted key or a store [env: C8Y_PKI_PASSWORD]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(super) fn run(args: &ShowArgs, out: Output) -> Result {
    for path in &args.files {
        let bytes = files::read_small(path)?;
        let name = path.display().to_string();
        let source = known::shown(args.password_file.as_ref(), &name);
        let open = |password: Option<&Password>| {
            if password.is_none() && needs_password(&bytes) {
                let tried = inspect(&bytes, Passwords::default());
                // A JKS store without its password is not seen whole.
                let jks = StoreError::PasswordNeeded { format: Format::Jks };
                return if store::is_pkcs12(&bytes) { tried } else { Err(jks.into()) };
            }
            inspect(&bytes, Passwords { password, key: None })
        };
        let needs =
            |e: &InspectError| matches!(e, InspectError::Store(StoreError::PasswordNeeded { .. }));
        let found =
            secrets::opening(source, open, needs)?.map_err(|e| Error::from(e).in_file(name))?;
        out.results(&found, items)?;
    }
    Ok(Outcome::Done)
}
