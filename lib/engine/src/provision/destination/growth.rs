//! Files that grow with a run, an archive or a list of passwords: the registry knows how far they have come.

use std::path::Path;

use crate::files::growing::{Growing, part_of};
use crate::provision::error::{ProvisionError, Result};
use crate::registry::Registry;

/// Refuses a file that [`grow`] would refuse, and changes nothing.
pub(in crate::provision) fn check_growth(path: &Path, todo: usize, registry: &Registry) -> Result {
    check_free(path, todo)?;
    if todo > 0 {
        Growing::check(path, registry.mark(&part_of(path))?.as_ref())?;
    }
    Ok(())
}

/// Refuses a file that is finished.
fn check_free(path: &Path, todo: usize) -> Result {
    match todo > 0 && path.exists() {
        true => Err(ProvisionError::Finished { path: path.to_owned(), todo }),
        false => Ok(()),
    }
}

/// Opens a file for that many devices `todo`; none if there is nothing to go into it, or to finish.
pub(in crate::provision) fn grow(
    path: &Path,
    todo: usize,
    registry: &mut Registry,
) -> Result<Option<Growing>> {
    let part = part_of(path);
    check_free(path, todo)?;
    if !part.exists() {
        // Of a file of that name that was finished, or is gone.
        registry.forget_mark(&part)?;
    }
    let mark = registry.mark(&part)?;
    if todo == 0 && mark.is_none() {
        return Ok(None);
    }
    let file = Growing::open(path, mark.as_ref())?;
    if let Err(e) = check_free(path, todo) {
        // Finished by another process a moment ago.
        file.leave()?;
        return Err(e);
    }
    registry.remember_mark(&mark.unwrap_or_else(|| file.first_mark()))?;
    Ok(Some(file))
}

/// Gives a file its `end` and its name.
pub(in crate::provision) fn finish(file: Growing, end: &[u8], registry: &mut Registry) -> Result {
    let part = file.part().to_owned();
    file.finish(end)?;
    Ok(registry.forget_mark(&part)?)
}

/// Finishes the file of a stopped run that only lacks its `end`.
pub(in crate::provision) fn settle(path: &Path, end: &[u8], registry: &mut Registry) -> Result {
    let part = part_of(path);
    match registry.mark(&part)?.filter(|_| part.exists()) {
        Some(mark) => finish(Growing::open(path, Some(&mark))?, end, registry),
        None => Ok(()),
    }
}
