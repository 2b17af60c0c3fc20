//! `registry join`, `registry publish`: a station gets what the database has of the CAs, and its owner puts it there.

use std::path::Path;

use c8y_pki_core::cert::LongestChain;
use c8y_pki_core::crypto::{hex, sha256};
use c8y_pki_core::failure::Task;
use c8y_pki_engine::pki::{Ca, Pki};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::render::{as_line, printable, table};

/// Arguments of `registry join`.
#[derive(Debug, Args)]
#[command(after_help = "\
The PKI directory gets the certificates, the signing policies and the last revocation lists of all
CAs that the database has. Keys are not in the database. Where this station is to sign for a CA,
bring its key: the file as ca/NAME/key.pem with the mode 0600, or the URI of a key in a token as
ca/NAME/key.uri. It is compared with the CA's certificate before it is used. Without any key the
station can list, show, check and report.

Compare the SHA-256 of each root with what its owner sees: `c8y-pki ca show NAME`. After that the
directory takes no certificate with another key from the database.

Later commands take what is newer in the database: new CAs, renewed certificates, names, policies,
revocation lists.

Examples:
  c8y-pki registry join postgresql://line7@db.example.com/pki
  c8y-pki --pki /srv/pki registry join \"postgresql:///pki?host=/var/run/postgresql&user=line7\"

Exit codes: 0 the directory has the CAs; 2 the database has no registry, or no CAs for stations, or
the directory has another registry; 3 the database cannot be reached.")]
pub(crate) struct JoinArgs {
    /// The address of the PostgreSQL database with the registry
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// Most certificates that the platform takes in one chain, the device's included; by default 10, as in the cloud
    #[arg(long, value_name = "N")]
    longest_chain: Option<LongestChain>,
}

#[derive(Serialize)]
struct Joined {
    folder: String,
    registry: String,
    cas: Vec<JoinedCa>,
}

/// A CA of the database.
#[derive(Serialize)]
struct JoinedCa {
    name: String,
    subject: String,
    /// Of its certificate.
    sha256: String,
    /// Whether its key, or the URI of it, is in the directory.
    key_here: bool,
    folder: String,
}

impl JoinedCa {
    fn of(ca: &Ca) -> Self {
        Self {
            name: ca.name.clone(),
            subject: ca.certificate().subject.to_string(),
            sha256: hex(&sha256(ca.certificate().der())),
            key_here: ca.has_key(),
            folder: ca.dir().display().to_string(),
        }
    }
}

pub(super) fn join(args: &JoinArgs, dir: &Path, out: Output) -> Result {
    let pki = Pki::join(dir, &args.address, args.longest_chain, OffsetDateTime::now_utc())?;
    let cas = pki.cas()?;
    let joined = Joined {
        folder: dir.display().to_string(),
        registry: pki.registry().path().display().to_string(),
        cas: cas.iter().map(JoinedCa::of).collect(),
    };
    out.result(&joined, joined_text)?;
    let missing: Vec<&str> =
        joined.cas.iter().filter(|ca| !ca.key_here).map(|ca| ca.name.as_str()).collect();
    if !missing.is_empty() {
        let place = dir.join("ca").join("NAME");
        out.note(&format!(
            "The keys of these CAs are not here: {}. To sign for one, put its key into {} with the mode 0600, or the \
             URI of its key in a token into {}.",
            missing.join(", "),
            place.join("key.pem").display(),
            place.join("key.uri").display(),
        ));
    }
    Ok(Outcome::Done)
}

fn joined_text(joined: &Joined) -> String {
    let row = |ca: &JoinedCa| {
        let key = if ca.key_here { "here" } else { "not here" };
        vec![ca.name.clone(), ca.subject.clone(), key.to_owned(), ca.sha256.clone()]
    };
    let rows = joined.cas.iter().map(row).collect();
    let first = format!(
        "{} has the CAs of the registry {}:",
        printable(&joined.folder),
        printable(&joined.registry)
    );
    format!("{}{}", as_line(&first), table(&["CA", "SUBJECT", "KEY", "SHA-256"], rows))
}

/// Whose policies were put into the database.
#[derive(Serialize)]
struct Published {
    policies: Vec<String>,
}

pub(super) fn publish(dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    // This puts there what is not known of CAs, too.
    let mut pki = clock::open_unseen(dir, now)?;
    if !pki.registry().is_shared() {
        return Err(Failure::usage(
            "the registry is a file: policies count as they are in pki.toml, and there are no other stations",
            format!("to share it, take it to a database: {}", hint::run(&Task::MoveRegistry)),
        ));
    }
    let published = Published { policies: pki.publish_policies(None, now)? };
    out.result(&published, |published| match published.policies.is_empty() {
        true => as_line("The database has the CAs of this directory, and the policies of its pki.toml."),
        false => as_line(&format!(
            "The database has the CAs of this directory. The policies in its pki.toml count for all stations now: {}.",
            published.policies.join(", ")
        )),
    })?;
    Ok(Outcome::Done)
}
