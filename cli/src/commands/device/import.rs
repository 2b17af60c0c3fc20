//! `device import`: certificates of devices that a CA of the directory has signed elsewhere.

use std::path::{Path, PathBuf};

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::clock::rfc3339;
use c8y_pki_engine::pki::{Ca, Former, History, Pki, Untaken};
use clap::Args;
use time::OffsetDateTime;

use crate::clock;
use crate::commands::ca::history::HistoryView;
use crate::failure::Result;
use crate::output::Output;
use crate::values;

/// Arguments of `device import`.
#[derive(Debug, Args)]
#[command(after_help = "\
Records certificates that a CA of this PKI directory has signed in another place: `device list`
shows them, and you can renew and revoke their devices. The CA is found by the signature of the
certificate. If a device has several certificates, the newest is the live one. What is recorded
already is not changed, so you can run the command again. `ca add --import … --openssl-db` imports
a whole CA with its revocations.

Examples:
  c8y-pki device import deviceCert.pem
  c8y-pki device import intermediateCertificate/deviceCertificates --json

Exit codes: 0 all are recorded; 1 some are not: each is named (certificates of other CAs in a
directory are named too, but do not count); 2 a file that was named has no certificate.")]
pub(crate) struct ImportArgs {
    /// Files with certificates (PEM or DER), or directories that are searched for them
    #[arg(required = true, value_name = "FILE|DIR")]
    certificates: Vec<PathBuf>,
}

/// What one CA has signed.
type Signed<'a> = (&'a Ca, Vec<(PathBuf, Certificate)>);

pub(super) fn run(args: &ImportArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let mut found = Vec::new();
    for path in &args.certificates {
        found.extend(values::certificates_in(path)?);
    }
    let mut pki = clock::open(dir, now)?;
    let cas = pki.cas()?;
    // The certificates of the CAs themselves are often in the same directory.
    found.retain(|(_, cert)| !cas.iter().any(|ca| ca.chain.contains(cert)));
    let (signed, strange) = by_signer(&cas, found);
    let batch = format!("import {}", rfc3339(now));
    let mut view = HistoryView::of(History::default(), Default::default());
    for (ca, certificates) in signed {
        let former = Former { certificates, ..Former::default() };
        view.join(take_over(&mut pki, ca, former, &batch, now)?);
    }
    // In a directory other certificates may stand beside them; a file that was named is one that was meant.
    let (named, beside): (Vec<_>, Vec<_>) = strange
        .into_iter()
        .partition(|one| one.file.as_ref().is_some_and(|path| args.certificates.contains(path)));
    view.untaken.extend(named);
    view.remarks.extend(beside.into_iter().map(|one| one.reason));
    out.result(&view, HistoryView::line)?;
    Ok(view.tell_all(out))
}

fn take_over(
    pki: &mut Pki,
    ca: &Ca,
    former: Former,
    batch: &str,
    now: OffsetDateTime,
) -> Result<HistoryView> {
    let history = History::of(&ca.name, ca.certificate(), former)?;
    let adopted = pki.adopt(ca, &history, batch, now)?;
    Ok(HistoryView::of(history, adopted))
}

/// Sorts certificates by the CA that has signed each; what none has signed is named.
fn by_signer<'a>(
    cas: &'a [Ca],
    found: Vec<(PathBuf, Certificate)>,
) -> (Vec<Signed<'a>>, Vec<Untaken>) {
    let mut signed: Vec<Signed<'a>> = cas.iter().map(|ca| (ca, Vec::new())).collect();
    let mut strange = Vec::new();
    for (path, certificate) in found {
        let by = |ca: &Ca| {
            let own = ca.certificate();
            own.subject.matches(&certificate.issuer)
                && own.public_key.as_ref().is_ok_and(|k| certificate.verify_signature(k).is_ok())
        };
        match signed.iter_mut().find(|(ca, _)| by(ca)) {
            Some((_, certificates)) => certificates.push((path, certificate)),
            None => strange.push(Untaken {
                line: None,
                reason: format!(
                    "{}, {} ({}): no CA of this PKI directory has signed it; its issuer is {}",
                    path.display(),
                    certificate.serial,
                    certificate.subject,
                    certificate.issuer
                ),
                file: Some(path),
                serial: Some(certificate.serial.to_string()),
                serial_kept: false,
            }),
        }
    }
    signed.retain(|(_, certificates)| !certificates.is_empty());
    (signed, strange)
}
