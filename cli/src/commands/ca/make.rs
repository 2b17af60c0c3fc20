//! `ca init`, `ca add`: a CA is made.

use std::path::Path;

use c8y_pki_core::issue::{BeyondIssuer, Validity};
use c8y_pki_engine::pki::{CaSettings, Pki};
use time::OffsetDateTime;

use super::args::{AddArgs, InitArgs};
use super::view::made;
use crate::clock;
use crate::commands::shortened;
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::protocol::Protocol;
use crate::secrets::{Place, unlock_with};
use crate::values::{self, SubjectArgs};

pub(super) fn init(args: &InitArgs, dir: &Path, out: Output) -> Result {
    args.protocol.check()?;
    let profile = values::profile(&args.profile, args.make.key_type)?;
    let subject = named(&args.make.subject, &profile)?;
    let now = OffsetDateTime::now_utc();
    if let Err(taken) = Pki::check_new_name(dir, &args.name) {
        // A run that was stopped may have made it and not recorded it.
        clock::open(dir, now)?;
        return Err(taken.into());
    }
    let ready = Place::of(&args.make.place, profile.key, out)?.ready()?;
    Pki::make_folder_on(dir, args.longest_chain, args.registry.as_deref())?;
    let mut pki = clock::open(dir, now)?;
    let settings = CaSettings {
        profile: &profile,
        subject: &subject,
        days: args.make.days,
        path_length: args.make.path_length,
        beyond_issuer: BeyondIssuer::Refuse,
        key: ready.new_key(),
    };
    let ca = pki.init_root(&args.name, &settings, now)?;
    let outcome = made(&ca, out.beside(args.protocol.protocol.as_deref()))?;
    let protocol = Protocol::new("a root CA is made", now).ca(&ca);
    protocol.write(&args.protocol, out)?;
    Ok(outcome)
}

/// A CA has to have a common name: people know it by that.
pub(super) fn named(
    subject: &SubjectArgs,
    profile: &c8y_pki_core::profile::Profile,
) -> Result<c8y_pki_core::name::Name> {
    let builder = subject.builder(profile)?;
    if !builder.has("CN") {
        return Err(Failure::usage(
            "the new CA has no common name",
            "give one: --subject \"CN=Example Root CA,O=Example GmbH,C=DE\"",
        ));
    }
    Ok(builder.build()?)
}

pub(super) fn add(args: &AddArgs, dir: &Path, out: Output) -> Result {
    args.protocol.check()?;
    if args.allow_exponent_3 {
        return Err(Failure::usage(
            "--allow-exponent-3 is for a CA that is imported, but this command makes a new one",
            "leave it out",
        ));
    }
    let profile = values::profile(&args.profile, args.make.key_type)?;
    let subject = named(&args.make.subject, &profile)?;
    let now = OffsetDateTime::now_utc();
    let mut pki = clock::open(dir, now)?;
    let parent = pki.ca(args.parent.as_deref().unwrap_or_default())?;
    // What the chain above forbids is said before anybody is asked for a password.
    let wanted = args.make.path_length.unwrap_or(profile.path_length);
    c8y_pki_core::issue::path_length(wanted, &parent.chain, pki.longest_chain())?;
    let parent_file = args.parent_password_file.as_ref();
    Pki::check_new_name(dir, &args.name)?;
    let place = Place::of(&args.make.place, profile.key, out)?;
    let (above, ready) = place.ready_under(&parent, parent_file)?;
    let parent_key = unlock_with(&parent, &above)?;
    let settings = CaSettings {
        profile: &profile,
        subject: &subject,
        days: args.make.days,
        path_length: args.make.path_length,
        beyond_issuer: BeyondIssuer::of(args.make.days, args.shorten),
        key: ready.new_key(),
    };
    let ca = pki.add_intermediate(&args.name, &parent, &parent_key, &settings, now)?;
    shortened::note(args.make.days, &Validity::of(&profile, now, None), parent.certificate(), out);
    let outcome = made(&ca, out.beside(args.protocol.protocol.as_deref()))?;
    let protocol = Protocol::new("an intermediate CA is made", now).ca(&ca);
    protocol.write(&args.protocol, out)?;
    Ok(outcome)
}
