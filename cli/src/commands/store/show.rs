//! `store show`: the entries of a store.

use std::path::PathBuf;

use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{self, Format, Listing, StoreError};
use c8y_pki_engine::{Error, files};
use clap::Args;

use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::render::listing;
use crate::secrets::{self, known};

/// Arguments of `store show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The store
    file: PathBuf,
    /// File with the store's password [env: C8Y_PKI_STORE_PASSWORD]
    #[arg(long, value_name = "FILE")]
    store_password_file: Option<PathBuf>,
    /// File with the password of keys that have one of their own [env: C8Y_PKI_KEY_PASSWORD]
    #[arg(long, value_name = "FILE")]
    key_password_file: Option<PathBuf>,
    /// Open it without a password, also if one is set in the environment, and do not ask for one
    #[arg(long, conflicts_with = "store_password_file")]
    no_password: bool,
}

pub(super) fn run(args: &ShowArgs, out: Output) -> Result {
    let bytes = files::read_small(&args.file)?;
    let in_file = |e| Error::from(e).in_file(args.file.display().to_string());
    let format = store::detect(&bytes).map_err(in_file)?;
    let source = known::store(args.store_password_file.as_ref());
    let key_source = known::key(args.key_password_file.as_ref(), "the keys in the store");
    let key_password = key_source.given()?;
    let open = |password: Option<&Password>| {
        let options = store::OpenOptions {
            store_password: password,
            key_password: key_password.as_ref(),
            // Looking is no trust. What is in JKS without its password cannot be seen whole.
            allow_unverified: format != Format::Jks || password.is_some(),
        };
        store::open_with(&bytes, options)
    };
    let needs = |e: &StoreError| matches!(e, StoreError::PasswordNeeded { .. });
    let opened = match args.no_password {
        true => open(None),
        false => secrets::opening(source, open, needs)?,
    };
    let store = opened.map_err(in_file)?;
    let format = if store::is_pkcs12(&bytes) { Format::Pkcs12 } else { format };
    out.result(&Listing::new(format, &store), listing)?;
    Ok(Outcome::Done)
}
