//! What may have a password is tried without one before anybody is asked.

use c8y_pki_core::read::ReadError;
use c8y_pki_core::secret::Password;
use c8y_pki_core::store::StoreError;

use super::source::Source;
use crate::failure::Result;

/// Opens something with the password that was given. Without one it is tried with none, and a password is
/// asked for only if `needs` says that it is the reason.
pub(crate) fn opening<T, E>(
    source: Source<'_>,
    open: impl Fn(Option<&Password>) -> std::result::Result<T, E>,
    needs: impl Fn(&E) -> bool,
) -> Result<std::result::Result<T, E>> {
    let given = source.of_store()?;
    match open(given.as_ref()) {
        Err(e) if given.is_none() && needs(&e) => Ok(open(Some(&source.ask()?))),
        other => Ok(other),
    }
}

/// Whether a file is a store that wants a password.
pub(crate) fn needs_password(error: &ReadError) -> bool {
    matches!(error, ReadError::Store(StoreError::PasswordNeeded { .. }))
}
