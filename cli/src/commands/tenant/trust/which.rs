//! Which certificate is meant: by its file, its CA, its fingerprint, its name in the tenant.

use std::path::{Path, PathBuf};

use c8y_pki_core::cert::Certificate;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::platform::blocking::Client;
use c8y_pki_engine::platform::trusted::{self, TrustedCertificate};
use clap::Args;
use time::OffsetDateTime;

use crate::failure::{Failure, Result};
use crate::values;

/// Hexadecimal digits in a SHA-1.
const SHA1_DIGITS: usize = 40;

/// Fewest digits that are taken for the beginning of a fingerprint.
const FEWEST_DIGITS: usize = 4;

/// The certificate whose possession is proven.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Pick {
    /// Certificate of the CA, PEM or DER
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// A CA of the PKI directory
    #[arg(long, value_name = "NAME")]
    pub(crate) ca: Option<String>,
    /// Its SHA-1 fingerprint (or how that begins), or its name in the tenant
    #[arg(long, value_name = "ID")]
    pub(crate) trusted: Option<String>,
}

impl Pick {
    /// The certificate, where it can be known without asking the tenant.
    pub(crate) fn certificate(&self, pki: &Path) -> Result<Option<Certificate>> {
        match (&self.cert, &self.ca) {
            (Some(path), _) => one_certificate(path).map(Some),
            (None, Some(name)) => {
                let pki = Pki::open_to_read(pki, OffsetDateTime::now_utc())?;
                Ok(Some(pki.ca(name)?.certificate().clone()))
            }
            (None, None) => Ok(None),
        }
    }
}

/// The fingerprint of the certificate that is meant.
pub(crate) fn fingerprint_of(client: &Client, pick: &Pick, pki: &Path) -> Result<String> {
    match (pick.certificate(pki)?, &pick.trusted) {
        (Some(certificate), _) => Ok(certificate.fingerprint_sha1()),
        (None, Some(id)) => Ok(find(client, id)?.fingerprint),
        (None, None) => Err(Failure::usage("no certificate is named", "give --cert or --ca")),
    }
}

/// The one certificate of a file.
pub(crate) fn one_certificate(path: &Path) -> Result<Certificate> {
    let mut all = values::certificates(path)?;
    if all.len() > 1 {
        return Err(Failure::usage(
            format!("{} holds {} certificates; one is wanted", path.display(), all.len()),
            "give the CA's own certificate, for example cert.pem in place of chain.pem",
        ));
    }
    all.pop().ok_or_else(|| {
        let hint = "give the CA's certificate, PEM or DER";
        Failure::usage(format!("{} holds no certificate", path.display()), hint)
    })
}

/// A trusted certificate by its file, its fingerprint or the beginning of that, or its name.
pub(crate) fn find(client: &Client, id: &str) -> Result<TrustedCertificate> {
    let path = Path::new(id);
    if path.is_file() {
        return Ok(client.wait(trusted::known_certificate(client, &one_certificate(path)?))?);
    }
    let digits = id.replace(':', "").to_lowercase();
    let is_hex = digits.len() >= FEWEST_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hex && digits.len() == SHA1_DIGITS {
        return by_fingerprint(client, &digits);
    }
    let meant =
        |c: &TrustedCertificate| c.name == id || is_hex && c.fingerprint.starts_with(&digits);
    let mut found: Vec<_> = client.wait(trusted::list(client))?.into_iter().filter(meant).collect();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Failure::usage(
            format!(
                "the tenant {} has no trusted certificate {id:?}",
                client.wait(client.tenant())?
            ),
            "`c8y-pki tenant trust list` shows names and fingerprints; no file has that name either",
        )),
        many => Err(Failure::usage(
            format!("{id:?} may be any of {many} trusted certificates"),
            format!("give the fingerprint of one: {}", fingerprints(&found)),
        )),
    }
}

fn fingerprints(found: &[TrustedCertificate]) -> String {
    found.iter().map(|c| c.fingerprint.as_str()).collect::<Vec<_>>().join(", ")
}

fn by_fingerprint(client: &Client, fingerprint: &str) -> Result<TrustedCertificate> {
    Ok(client.wait(trusted::known(client, fingerprint))?)
}
