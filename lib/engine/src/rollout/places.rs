//! What a rollout writes is none of the files that it reads, and replaces only what is of its own kind.

use std::path::Path;

use super::RolloutError;
use super::leftover::begins_like_one;
use super::occupied::Occupied;
use super::spec::{RegistrationSpec, Spec};
use crate::files;
use crate::platform::register::results::Results;

/// What the rollout uses a place for, as the rest of a sentence: `is the device list`. None if it is free for a file that
/// is no part of the rollout.
pub fn purpose(spec: &Spec, path: &Path) -> Option<&'static str> {
    let written = spec.registration.iter().flat_map(|wanted| {
        [("is the registration CSV", &*wanted.file), (ANSWERS, &*wanted.result)]
    });
    let written: Vec<_> = written.collect();
    read_at(spec, path).or_else(|| same(path, written))
}

const ANSWERS: &str = "has the tenant's answers to the registration CSV";

/// Refuses to write the registration CSV, and the tenant's answers to it, over anything else.
pub(super) fn check(spec: &Spec) -> Result<(), RolloutError> {
    let Some(RegistrationSpec { file, result, .. }) = &spec.registration else { return Ok(()) };
    let outputs =
        [("the registration CSV", file), ("the tenant's answers to the registration CSV", result)];
    for (output, path) in outputs {
        if let Some(purpose) = read_at(spec, path) {
            let (file, path) = (spec.file.clone(), path.clone());
            return Err(Occupied::InUse { file, output, path, purpose }.into());
        }
    }
    // Nothing is lost with an empty file.
    if files::stands(file)? && files::len(file) != Some(0) && !begins_like_one(file) {
        return Err(Occupied::NoCsv(file.clone()).into());
    }
    if spec.is_rehearsal {
        // The answers of the last rehearsal are removed, and nothing else.
        Results::read(result, "")?;
    }
    Ok(())
}

/// What the rollout reads there, or keeps there.
fn read_at(spec: &Spec, path: &Path) -> Option<&'static str> {
    let passwords = &spec.passwords;
    let mut read: Vec<(&'static str, &Path)> = vec![
        ("is the rollout file", &spec.file),
        ("is the device list", &spec.devices.from),
        ("is the password file of the CAs", &passwords.ca),
    ];
    read.extend(passwords.store.as_deref().map(|at| ("is the password file of the stores", at)));
    read.extend(passwords.pin.as_deref().map(|at| ("is the file with the token's PIN", at)));
    read.extend(spec.profiles.iter().map(|at| ("is a profile", &**at)));
    read.extend(spec.truststore.certificates.iter().map(|at| ("is a certificate to trust", &**at)));
    let modules = spec.cas.iter().filter_map(|ca| ca.token.as_ref()?.uri.module.as_deref());
    read.extend(modules.map(|at| ("is the module of a token", at)));
    let folders = [
        ("is in the PKI directory", &spec.pki),
        ("is in the directory of the devices", &spec.devices.out),
    ];
    let place = files::one_name(path);
    let within = folders.into_iter().find(|(_, dir)| place.starts_with(files::one_name(dir)));
    same(path, read).or(within.map(|(purpose, _)| purpose))
}

/// What the first of these is for that is the same place, by whatever name.
fn same<'a>(
    path: &Path,
    known: impl IntoIterator<Item = (&'static str, &'a Path)>,
) -> Option<&'static str> {
    let place = files::one_name(path);
    known.into_iter().find(|(_, at)| files::one_name(at) == place).map(|(purpose, _)| purpose)
}
