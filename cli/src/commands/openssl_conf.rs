//! Configuration files of OpenSSL: their sections of extensions as profiles, what else they ask for, and what
//! has no counterpart.

use std::path::{Path, PathBuf};

use c8y_pki_core::failure::Underlying;
use c8y_pki_core::openssl::conf::Conf;
use c8y_pki_core::openssl::wanted::{Unmet, Wanted};
use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_engine::pki::{AuthorityError, Pki};
use serde::Serialize;

use crate::failure::Result;
use crate::output::Output;
use crate::render::printable;

/// What was read from a configuration file, and where it went.
#[derive(Debug, Serialize)]
pub(crate) struct ConfView {
    file: String,
    profiles: Vec<ProfileView>,
    policy: Vec<(&'static str, String)>,
    /// Whether the policy was written to pki.toml.
    pub(crate) policy_written: bool,
    subject: Vec<(&'static str, String)>,
    days: Option<u32>,
    digest: Option<String>,
    unmet: Vec<Unmet>,
}

/// A profile of it.
#[derive(Debug, Serialize)]
struct ProfileView {
    name: String,
    kind: c8y_pki_core::profile::Kind,
    /// The file with it, if it was written.
    file: Option<String>,
}

/// Reads a configuration file.
pub(crate) fn read(path: &Path) -> Result<Wanted> {
    let bytes = files::read_small(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let conf = Conf::parse(&text).map_err(|e| AuthorityError::Config {
        path: path.to_owned(),
        problem: Underlying::of(e),
    })?;
    Ok(Wanted::of(&conf))
}

/// Writes the profiles into a directory, each under its name with `prefix` in front. One that is there is replaced.
pub(crate) fn write_profiles(
    path: &Path,
    wanted: Wanted,
    place: Option<(&Path, &str)>,
) -> Result<ConfView> {
    let mut profiles = Vec::new();
    for one in &wanted.profiles {
        let file = match place {
            None => None,
            Some((dir, prefix)) => {
                let name: String =
                    one.name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
                let file: PathBuf = dir.join(format!("{prefix}{name}.toml"));
                files::create_private_dir(dir)?;
                files::write(&file, one.text.as_bytes(), Access::Public, Existing::Replace)?;
                Some(file.display().to_string())
            }
        };
        profiles.push(ProfileView { name: one.name.clone(), kind: one.profile.kind, file });
    }
    Ok(ConfView {
        file: path.display().to_string(),
        profiles,
        policy: wanted.policy,
        policy_written: false,
        subject: wanted.subject,
        days: wanted.days,
        digest: wanted.digest,
        unmet: wanted.unmet,
    })
}

/// Takes a configuration over for a CA of a PKI directory: profiles into `profiles`, the policy into pki.toml,
/// if the CA has none there.
pub(crate) fn take_over(pki: &Pki, ca: &str, path: &Path, wanted: Wanted) -> Result<ConfView> {
    let written = match wanted.policy_table(ca) {
        Some(table) => pki.add_policy(ca, &table)?,
        None => false,
    };
    let dir = pki.dir().join("profiles");
    let view = write_profiles(path, wanted, Some((&dir, &format!("{ca}-"))))?;
    Ok(ConfView { policy_written: written, ..view })
}

impl ConfView {
    /// What was read, as lines for people.
    pub(crate) fn lines(&self) -> String {
        let mut text = String::new();
        for one in &self.profiles {
            let kind = match one.kind {
                c8y_pki_core::profile::Kind::Root => "root",
                c8y_pki_core::profile::Kind::Intermediate => "intermediate",
                c8y_pki_core::profile::Kind::Device => "device",
                c8y_pki_core::profile::Kind::Server => "server",
            };
            let place = match &one.file {
                Some(file) => format!("--profile {file}"),
                None => "not written: --out DIR".to_owned(),
            };
            text.push_str(&format!("  profile {} ({kind}): {place}\n", printable(&one.name)));
        }
        if !self.policy.is_empty() {
            let rules: Vec<String> =
                self.policy.iter().map(|(field, rule)| format!("{field} {rule}")).collect();
            let place = if self.policy_written { ", written to pki.toml" } else { "" };
            text.push_str(&format!("  policy: {}{place}\n", rules.join(", ")));
        }
        for (field, value) in &self.subject {
            text.push_str(&format!("  every subject: {field}={}\n", printable(value)));
        }
        text
    }

    /// Names what has no counterpart.
    pub(crate) fn tell(&self, out: Output) {
        for unmet in &self.unmet {
            out.warning(&format!("{} line {}: {}", self.file, unmet.line, unmet.what));
        }
    }
}
