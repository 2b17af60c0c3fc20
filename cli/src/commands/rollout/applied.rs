//! The commands that would apply what a rollout leaves as it is. Each does it as it stands, from where the rollout was run:
//! it names the PKI directory and the password files of the rollout's file.

use std::path::Path;

use c8y_pki_engine::rollout::spec::Spec;
use c8y_pki_engine::rollout::{Finding, Remedy};

use crate::render::quoted;

/// The command, if the rollout does not do it anyway.
pub(super) fn command(finding: &Finding, spec: &Spec) -> Option<String> {
    Some(match finding.remedy.as_ref()? {
        Remedy::Replace => rollout(spec, "--replace-differing"),
        Remedy::Prune => rollout(spec, "--prune"),
        Remedy::RenewCa { ca, days } => {
            let command = of_ca(spec, &format!("ca renew {ca} --days {days}"));
            command + &password_of_issuer(spec, ca)
        }
        Remedy::Refresh { out } => {
            let command = of_ca(spec, &format!("device refresh --out {}", word(out)));
            command + &file("--store-password-file", spec.passwords.store.as_deref())
        }
        Remedy::Move { from, to } => moving(from, to),
        Remedy::Distrust { certificate } => {
            format!("c8y-pki tenant trust remove {}", word(certificate))
        }
        _ => return None,
    })
}

/// A command that works in the PKI directory of the file.
pub(super) fn of_ca(spec: &Spec, command: &str) -> String {
    format!("c8y-pki --pki {} {command}", word(&spec.pki))
}

/// The option with the password of a CA's key in a file, or with the PIN of its token; nothing if no file has it.
pub(super) fn password_of(spec: &Spec, ca: &str, option: &str) -> String {
    let in_token = spec.cas.iter().any(|known| known.name == ca && known.token.is_some());
    file(option, if in_token { spec.passwords.pin.as_deref() } else { Some(&spec.passwords.ca) })
}

fn password_of_issuer(spec: &Spec, ca: &str) -> String {
    let parent = spec.cas.iter().find(|known| known.name == ca).and_then(|ca| ca.parent.as_ref());
    match parent {
        Some(parent) => password_of(spec, parent, "--parent-password-file"),
        None => password_of(spec, ca, "--ca-password-file"),
    }
}

/// The rollout itself with an option more.
fn rollout(spec: &Spec, option: &str) -> String {
    let section = spec.tenant.as_ref().and_then(|tenant| tenant.section.as_deref());
    let which = match section {
        Some(section) => format!(" --tenant {}", quoted(section)),
        None if spec.tenants.is_empty() => String::new(),
        // None of several tenants was asked for.
        None => " --local".to_owned(),
    };
    format!("c8y-pki rollout {}{which} {option}", word(&spec.file))
}

/// Moves what is in a directory, and not the directory: the other one may be there already, with or without devices.
fn moving(from: &Path, to: &Path) -> String {
    format!("mkdir -m 700 -p {0} && mv {1}/* {0}/", word(to), word(from))
}

/// A file that exists: a password may also come from a variable, which counts then.
fn file(option: &str, path: Option<&Path>) -> String {
    let path = path.filter(|path| path.exists());
    path.map_or_else(String::new, |path| format!(" {option} {}", word(path)))
}

fn word(path: &Path) -> String {
    quoted(&path.display().to_string())
}
