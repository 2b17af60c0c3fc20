//! A protocol of what a command has done with a CA, for a key ceremony: what was made, on which machine, the SHA-256 of
//! every file, and room for the names and signatures of those who were there.

use std::path::{Path, PathBuf};

use c8y_pki_core::crypto::{hex, sha256};
use c8y_pki_core::shown::one_line;
use c8y_pki_engine::files::{self, Access, Existing};
use c8y_pki_engine::pki::{Ca, KeyPlace};
use clap::Args;
use time::OffsetDateTime;

use crate::failure::Result;
use crate::outlet;
use crate::output::Output;
use crate::render::{colons, date};

/// Where a protocol goes.
#[derive(Debug, Clone, Args)]
pub(crate) struct ProtocolArgs {
    /// Also write a protocol to be printed and signed: date, machine, version, subject, the SHA-256 of every file, and
    /// room for names and signatures
    #[arg(long, value_name = "FILE")]
    pub(crate) protocol: Option<PathBuf>,
}

impl ProtocolArgs {
    /// Whether it can be written, before that is done of which it tells.
    pub(crate) fn check(&self) -> Result<()> {
        outlet::check_place(self.protocol.as_deref())
    }
}

/// What was done.
#[derive(Debug)]
pub(crate) struct Protocol {
    what: String,
    at: OffsetDateTime,
    facts: Vec<(&'static str, String)>,
    files: Vec<PathBuf>,
}

/// How many people sign.
const PEOPLE: usize = 2;

impl Protocol {
    pub(crate) fn new(what: impl Into<String>, at: OffsetDateTime) -> Self {
        Self { what: what.into(), at, facts: Vec::new(), files: Vec::new() }
    }

    /// A line; the value may hold anything.
    pub(crate) fn fact(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.facts.push((name, value.into()));
        self
    }

    /// A file whose SHA-256 is written down.
    pub(crate) fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// A CA of the directory, with its certificate, its chain and what keeps its key.
    pub(crate) fn ca(self, ca: &Ca) -> Self {
        let own = ca.certificate();
        let key =
            own.public_key.as_ref().map_or_else(ToString::to_string, |k| k.algorithm().to_string());
        self.fact("CA", ca.name.clone())
            .fact("Subject", own.subject.to_string())
            .fact("Issuer", own.issuer.to_string())
            .fact("Serial number", own.serial.to_string())
            .fact("Valid from", date(own.not_before))
            .fact("Valid until", date(own.not_after))
            .fact("Key", key)
            .fact("SHA-256 fingerprint", colons(&own.fingerprint_sha256()))
            .key(ca.key_place())
            .file(ca.dir().join("cert.pem"))
            .file(ca.dir().join("chain.pem"))
    }

    /// Where a key is: the file of an encrypted one is written down, and the URI of one in a token.
    pub(crate) fn key(self, place: &KeyPlace) -> Self {
        match place {
            KeyPlace::File(path) => {
                self.fact("Key is kept in", path.display().to_string()).file(path)
            }
            KeyPlace::Token { uri, path } => {
                self.fact("Key is in the token", uri.to_string()).file(path)
            }
            KeyPlace::Unnamed { path, .. } => self.file(path),
        }
    }

    /// Writes it, if it is wanted.
    pub(crate) fn write(&self, args: &ProtocolArgs, out: Output) -> Result<()> {
        let Some(path) = &args.protocol else { return Ok(()) };
        let text = self.text()?;
        let beside = out.beside(Some(path));
        outlet::write(path, text.as_bytes(), Access::Public, Existing::Replace, beside)?;
        beside.note(&format!("Protocol: {}", outlet::name(path)));
        Ok(())
    }

    fn text(&self) -> Result<String> {
        let mut text = format!("PROTOCOL: {}\n\n", one_line(&self.what));
        let mut line = |name: &str, value: &str| {
            text.push_str(&format!("{name:<24}{}\n", one_line(value)));
        };
        line("Date", &date(self.at));
        line("Machine", &machine());
        line("Program", &format!("c8y-pki {}", env!("CARGO_PKG_VERSION")));
        self.facts.iter().for_each(|(name, value)| line(name, value));
        text.push_str("\nSHA-256 of the files\n");
        for path in &self.files {
            let digest = hex(&sha256(&files::read(path)?));
            text.push_str(&format!("{digest}  {}\n", one_line(&shown(path))));
        }
        text.push_str(
            "\nThe date above is that of this machine. Compared with another clock:\n\n  ______________________\n\n\
             The digests above were compared with those of `sha256sum`, by:\n\n  ______________________\n\n\
             People who were there\n",
        );
        for number in 1..=PEOPLE {
            text.push_str(&format!(
                "\n  {number}. Name       ______________________________\n     Role       ______________________________\n     \
                 Signature  ______________________________\n"
            ));
        }
        text.push_str("\nPlace and date  ______________________________\n");
        Ok(text)
    }
}

/// A path as `sha256sum -c` finds it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The machine's own name and its system, as far as it tells them.
fn machine() -> String {
    #[cfg(unix)]
    {
        let system = rustix::system::uname();
        let words = [system.nodename(), system.sysname(), system.release(), system.machine()];
        words.map(|word| word.to_string_lossy().into_owned()).join(" ")
    }
    #[cfg(not(unix))]
    {
        let name = std::env::var("COMPUTERNAME").unwrap_or_else(|_| "unknown".to_owned());
        format!("{name} {} {}", std::env::consts::OS, std::env::consts::ARCH)
    }
}
