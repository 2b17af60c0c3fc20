//! A file that says that a server listens: it is there as long as the server is.

use std::path::{Path, PathBuf};

use c8y_pki_engine::files::{self, Access, Existing};

use crate::failure::{Failure, Result};
use crate::outlet;

/// The place of such a file. It holds the number of the server's process.
#[derive(Debug)]
pub(super) struct ReadyFile {
    path: PathBuf,
    is_written: bool,
}

impl ReadyFile {
    /// Takes away the file of an earlier server, which was killed: nobody is to take it for this one's.
    pub(super) fn prepare(path: &Path) -> Result<Self> {
        outlet::check_file(path, "--ready-file", "others look whether it is there")?;
        if outlet::stands(path)? {
            if !files::read(path).is_ok_and(|bytes| is_own(&bytes)) {
                return Err(Failure::usage(
                    format!("{} exists and is not a ready file", path.display()),
                    "name another file, or move it away",
                ));
            }
            std::fs::remove_file(path).map_err(Failure::Input)?;
        }
        Ok(Self { path: path.to_owned(), is_written: false })
    }

    /// The server listens.
    pub(super) fn write(&mut self) -> Result<()> {
        let text = format!("{}\n", std::process::id());
        files::write(&self.path, text.as_bytes(), Access::Public, Existing::Replace)?;
        self.is_written = true;
        Ok(())
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        if self.is_written {
            // If it cannot be removed, the next server does it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn is_own(bytes: &[u8]) -> bool {
    matches!(bytes.strip_suffix(b"\n"), Some(number) if !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}
