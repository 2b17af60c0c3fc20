//! What an input option names: a file, or standard input for `-`.

use std::io::{Error, ErrorKind, Read};
use std::path::Path;

use c8y_pki_engine::files;

use crate::failure::{Failure, Result};

/// The bytes of a file, or of standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    if path != Path::new("-") {
        return Ok(files::read(path)?);
    }
    let mut bytes = Vec::new();
    let mut all = std::io::stdin().lock().take(files::MAX_READ + 1);
    all.read_to_end(&mut bytes).map_err(Failure::Input)?;
    if bytes.len() as u64 > files::MAX_READ {
        let problem = format!("it is larger than {} bytes", files::MAX_READ);
        return Err(Failure::Input(Error::new(ErrorKind::FileTooLarge, problem)));
    }
    Ok(bytes)
}
