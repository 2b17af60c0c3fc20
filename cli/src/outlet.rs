//! Where an output option leads.
//!
//! `-` is standard output, and so is `/dev/stdout`: what is said for people then goes to standard error
//! ([`Output::beside`]). What else is no regular file is written through, by the library's rule.

use std::io::{self, IsTerminal};
use std::path::Path;

use c8y_pki_engine::files::{self, Access, Existing};

use crate::failure::{Failure, Result};
use crate::output::{Output, is_stdout};

/// Writes what an output option is for.
pub(crate) fn write(
    path: &Path,
    bytes: &[u8],
    access: Access,
    existing: Existing,
    out: Output,
) -> Result<()> {
    if !is_stdout(path) {
        return Ok(files::write(path, bytes, access, existing)?);
    }
    if access == Access::Private {
        check_secret(path)?;
    }
    out.data(bytes)
}

/// What people call the place.
pub(crate) fn name(path: &Path) -> String {
    match is_stdout(path) {
        true => "standard output".to_owned(),
        false => path.display().to_string(),
    }
}

/// What people call several places, each on a line of its own.
pub(crate) fn names(paths: &[String]) -> String {
    let names: Vec<String> = paths.iter().map(|path| name(Path::new(path))).collect();
    names.join("\n  ")
}

/// Refuses to show a secret, before it is made.
pub(crate) fn check_secret(path: &Path) -> Result<()> {
    if is_stdout(path) && io::stdout().is_terminal() {
        return Err(Failure::usage(
            "what is to be written is a secret, and standard output is a terminal",
            "name a file, or pipe it on to a program that takes it",
        ));
    }
    Ok(())
}

/// Whether there is a regular file already; what is no file is not replaced.
pub(crate) fn stands(path: &Path) -> Result<bool> {
    Ok(!is_stdout(path) && files::stands(path)?)
}

/// Whether something can be written there, before what goes there is made; none if there is nothing to write.
pub(crate) fn check_place(path: Option<&Path>) -> Result<()> {
    match path.filter(|path| !is_stdout(path)) {
        Some(path) => Ok(files::check_place(path)?),
        None => Ok(()),
    }
}

/// Refuses to write over a file that the same command reads with `option`, by whatever name.
pub(crate) fn check_not_read(to: Option<&Path>, option: &str, from: &Path) -> Result<()> {
    let Some(to) = to.filter(|to| !is_stdout(to)) else { return Ok(()) };
    if files::one_name(to) != files::one_name(from) {
        return Ok(());
    }
    Err(Failure::usage(
        format!("{} is read with {option}, and would be written over", to.display()),
        "name another file with --out",
    ))
}

/// Refuses `-` where a directory is to be written.
pub(crate) fn check_folder(path: &Path) -> Result<()> {
    if path == Path::new("-") {
        return Err(Failure::usage(
            "- is standard output, and files go into a directory",
            "name the directory; ./- is one that is called -",
        ));
    }
    Ok(())
}

/// Refuses `-` for what has to be a file; `because` says why, as the rest of a sentence.
pub(crate) fn check_file(path: &Path, option: &str, because: &str) -> Result<()> {
    if path == Path::new("-") {
        return Err(Failure::usage(
            format!("{option} cannot be - (standard output): {because}"),
            "name a file",
        ));
    }
    Ok(())
}
