//! Keys in tokens, as the command line names them: a PKCS#11 URI wherever a key's file may stand.

use std::path::{Path, PathBuf};

use c8y_pki_core::key::pkcs11::KeyUri;

use crate::failure::Result;

/// The variable that names a module for URIs that name none.
const MODULE_VARIABLE: &str = "C8Y_PKI_PKCS11_MODULE";

/// Reads a URI. Not done by clap: it would show what it does not take, and that may hold a PIN.
pub(super) fn parse(text: &str) -> Result<KeyUri> {
    let uri = text.parse::<KeyUri>()?.or_module(module().as_deref());
    Ok(uri.with_module_from(Path::new("")))
}

/// The module for URIs that name none.
pub(crate) fn module() -> Option<PathBuf> {
    std::env::var_os(MODULE_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
}
