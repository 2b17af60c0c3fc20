//! Where the system has no modes of files, a secret is not written unasked.
//!
//! On Unix a secret has mode 0600 from its first byte. Windows keeps a list of rights for each file instead, which this
//! program does not write: a new file gets the rights of its directory. Who may read that, only its owner knows. So a
//! secret is refused there until somebody has said once, for the whole process, that the directories are safe.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Access;
use super::destination::Unfit;

/// Whether this system keeps other users from a file by its mode.
const HAS_MODES: bool = cfg!(unix);

/// Whether secrets may be written with the rights of their directories.
static ALLOWED: AtomicBool = AtomicBool::new(false);

/// Lets this process write secrets with the rights that their directories give them, on systems without modes of
/// files (Windows). Where there are modes it changes nothing.
pub fn allow_directory_rights() {
    ALLOWED.store(true, Ordering::Relaxed);
}

/// Refuses a secret that could not be kept from others.
pub(super) fn check(access: Access) -> io::Result<()> {
    match is_refused(access, HAS_MODES, ALLOWED.load(Ordering::Relaxed)) {
        true => Err(Unfit::Unprotected.into()),
        false => Ok(()),
    }
}

fn is_refused(access: Access, has_modes: bool, allowed: bool) -> bool {
    access == Access::Private && !has_modes && !allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Failure, Fault};

    #[test]
    fn only_secrets_without_a_mode_need_a_word() {
        assert!(is_refused(Access::Private, false, false));
        assert!(!is_refused(Access::Private, false, true));
        assert!(!is_refused(Access::Private, true, false));
        assert!(!is_refused(Access::Public, false, false));
    }

    #[test]
    fn the_refusal_says_what_to_do() {
        let path = std::path::Path::new("key.pem");
        let error = super::super::fail("write", path)(Unfit::Unprotected.into());
        assert_eq!(
            error.to_string(),
            "cannot write key.pem: it is for its owner alone, and this program cannot set rights of files on this system"
        );
        assert!(error.fault() == Fault::Input && error.hint().is_some());
    }
}
