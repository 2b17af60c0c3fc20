//! `ca renew`: the same CA for longer.

use std::path::{Path, PathBuf};

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::failure::Task;
use c8y_pki_core::issue::{BeyondIssuer, Validity};
use c8y_pki_core::profile::PathLength;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::pki::{Ca, CaSettings, Pki};
use clap::Args;
use time::OffsetDateTime;

use super::view::{made, made_with};
use crate::clock;
use crate::commands::shortened;
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::secrets::{Place, PlaceArgs, signing_secret, unlock_with};
use crate::values;

/// Arguments of `ca renew`.
#[derive(Debug, Args)]
#[command(after_help = "\
By default the CA keeps its key, its name and its extensions, so every certificate that the CA has
signed stays valid under the new certificate. Upload the new certificate to the platform, and leave
the former one there until it expires. --new-key makes a second CA with the same subject: issue
from the second CA. Devices of the first one can connect until you renew them.

Examples:
  c8y-pki ca renew line-7 --parent-password-file root.pw
  c8y-pki ca renew root --days 7300
  c8y-pki ca renew line-7 --new-key line-7-b --ca-password-file new.pw --parent-password-file root.pw")]
pub(crate) struct RenewArgs {
    /// Name of the CA
    name: String,
    /// Validity in days; by default as long as before (with --new-key: the profile's)
    #[arg(long, value_name = "N", value_parser = values::validity_days())]
    days: Option<u32>,
    /// If --days would end after the parent, shorten them instead of refusing; without --days the validity is
    /// always shortened
    #[arg(long, alias = "clamp")]
    shorten: bool,
    /// Revoke the former certificate, with the reason superseded
    #[arg(long, conflicts_with = "new_key")]
    revoke: bool,
    /// Make a new CA with this name, the same subject and a new key
    #[arg(long, value_name = "NEW-NAME")]
    new_key: Option<String>,
    /// With --new-key: a profile, in place of root or intermediate
    #[arg(long, value_name = "NAME|FILE", requires = "new_key")]
    profile: Option<String>,
    /// With --new-key: type of the new key, in place of the profile's
    #[arg(long = "key-type", value_name = "TYPE", requires = "new_key")]
    key_type: Option<KeyType>,
    #[command(flatten)]
    place: PlaceArgs,
    /// File with the password of the parent's key, or the PIN of its token; by default the same, if both
    /// are in files or in one token [env: C8Y_PKI_PARENT_PASSWORD, C8Y_PKI_TOKEN_PIN, of another
    /// token C8Y_PKI_PARENT_PIN]
    #[arg(long, value_name = "FILE")]
    parent_password_file: Option<PathBuf>,
}

pub(super) fn run(args: &RenewArgs, dir: &Path, out: Output) -> Result {
    let now = OffsetDateTime::now_utc();
    let mut pki = clock::open(dir, now)?;
    let ca = pki.ca(&args.name)?;
    let parent = pki.issuer_of(&ca)?;
    let beyond_issuer = BeyondIssuer::of(args.days, args.shorten);
    if let Some(name) = &args.new_key {
        return new_key(args, name, pki, &ca, parent, now, out);
    }
    if args.place.token.is_some() {
        return Err(Failure::usage(
            "--token is for a new key, but the CA keeps its own",
            "leave it out, or make a CA with a new key: --new-key NEW-NAME",
        ));
    }
    let signing = parent.as_ref().unwrap_or(&ca);
    let key = unlock_with(signing, &secret_of(args, &ca, parent.as_ref())?)?;
    let validity = as_before(&ca, args.days, now)?;
    let renewed = pki.renew_ca(&args.name, &key, validity, beyond_issuer, args.revoke, now)?;
    if let Some(parent) = &parent {
        shortened::note(args.days, &validity, parent.certificate(), out);
    }
    let live = devices_of(&pki, &ca)?;
    made_with(&renewed, "renewed", (None, None), out)?;
    if args.revoke {
        let issuer = parent.as_ref().unwrap_or(&ca);
        out.note(&format!(
            "The former certificate is revoked: make the list that says so ({}).",
            hint::run(&Task::MakeCrl { ca: Some(issuer.name.clone()), days: None })
        ));
    }
    tell_devices(&renewed, ca.certificate(), live, out);
    Ok(Outcome::Done)
}

/// How many devices have a live certificate of a CA, or of one below it: the former certificate is in their
/// chains.
pub(super) fn devices_of(pki: &Pki, ca: &Ca) -> Result<u64> {
    let counts = pki.registry().device_counts()?;
    let own = ca.certificate();
    let all = pki.cas()?;
    let is_below = |other: &&Ca| {
        other.chain.iter().any(|c| c.spki == own.spki && c.subject.matches(&own.subject))
    };
    let below = all.iter().filter(is_below);
    Ok(below.map(|ca| counts.get(&ca.name).copied().unwrap_or(0)).sum())
}

/// Says what devices in the field and the tenant need after a CA has a new certificate for the same key.
pub(super) fn tell_devices(renewed: &Ca, former: &Certificate, live: u64, out: Output) {
    let file = renewed.dir().join(format!("former-{}.pem", former.serial));
    out.note(&format!("Its former certificate: {}", file.display()));
    out.note(
        "Keys and certificates of devices stay as they are: what the CA has signed is valid under the new \
         certificate too. In this order:",
    );
    out.note(&format!(
        "  1. At the tenant: upload the new certificate if the former one is there ({}), and leave \
         the former one until no device presents it.",
        hint::run(&Task::UploadOwnCa { ca: Some(renewed.name.clone()) })
    ));
    let devices = if live == 1 { "device has" } else { "devices have" };
    out.note(&format!(
        "  2. In the field: {live} {devices} a live certificate below it. Their chain.pem and keystores hold \
         the former certificate, which ends on {}. `{}` rewrites the files in \
         their directories; give them to the devices before that day.",
        former.not_after.date(),
        hint::with_pki("device refresh --out DIR")
    ));
    out.note("  3. Brokers and servers that have the CA as a file: give them its new cert.pem or chain.pem.");
}

/// What opens the key that signs: its parent's, or a root's own.
fn secret_of(args: &RenewArgs, ca: &Ca, parent: Option<&Ca>) -> Result<Password> {
    let own_file = args.place.ca_password_file.as_ref();
    signing_secret(ca, parent, own_file, args.parent_password_file.as_ref())
}

/// As many days as before, from now, unless others are asked for.
fn as_before(ca: &Ca, days: Option<u32>, now: OffsetDateTime) -> Result<Validity> {
    let old = ca.certificate();
    let before = (old.not_after - old.not_before).whole_days();
    let days = days.or(u32::try_from(before).ok());
    // Begun a little earlier, by the amount of the profile.
    let profile = if old.is_self_issued() { "root" } else { "intermediate" };
    Ok(Validity::of(&values::profile(profile, None)?, now, days))
}

#[allow(clippy::too_many_arguments, reason = "all that a CA of the same subject takes")]
fn new_key(
    args: &RenewArgs,
    name: &str,
    mut pki: Pki,
    ca: &Ca,
    parent: Option<Ca>,
    now: OffsetDateTime,
    out: Output,
) -> Result {
    let by_default = if parent.is_some() { "intermediate" } else { "root" };
    let profile = values::profile(args.profile.as_deref().unwrap_or(by_default), args.key_type)?;
    let old = ca.certificate();
    let path_length = old.basic_constraints.and_then(|bc| bc.path_length);
    let path_length = path_length.and_then(|n| u8::try_from(n).ok());
    Pki::check_new_name(pki.dir(), name)?;
    if ca.key_place().is_in_token() && args.place.token.is_none() {
        return Err(Failure::usage(
            format!("the key of {} is in a token, and the new one would be in a file", ca.name),
            "name its place: --token \"pkcs11:token=…;object=…\"",
        ));
    }
    let place = Place::of(&args.place, profile.key, out)?;
    let (above, ready) = match &parent {
        Some(parent) => {
            let (above, ready) = place.ready_under(parent, args.parent_password_file.as_ref())?;
            (Some((parent, unlock_with(parent, &above)?)), ready)
        }
        None => (None, place.ready()?),
    };
    let settings = CaSettings {
        profile: &profile,
        subject: &old.subject,
        days: args.days,
        path_length: Some(path_length.map_or(PathLength::Unlimited, PathLength::Exactly)),
        beyond_issuer: BeyondIssuer::of(args.days, args.shorten),
        key: ready.new_key(),
    };
    if let Some((parent, _)) = &above {
        shortened::note(args.days, &Validity::of(&profile, now, None), parent.certificate(), out);
    }
    let new = match above {
        Some((parent, key)) => pki.add_intermediate(name, parent, &key, &settings, now)?,
        None => pki.init_root(name, &settings, now)?,
    };
    made(&new, out)?;
    out.note(&format!(
        "{} stays as it is and is valid until {}; upload the new certificate, then issue with --ca {name}",
        ca.name,
        old.not_after.date()
    ));
    Ok(Outcome::Done)
}
