//! `ca add --import`: a CA made elsewhere is taken in, or one of the directory is taken in again.

use std::path::{Path, PathBuf};

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::chain;
use c8y_pki_core::crypto::KeyPolicy;
use c8y_pki_core::failure::Task;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::openssl::wanted::Wanted;
use c8y_pki_core::read;
use c8y_pki_core::secret::{ChosenPassword, Password};
use c8y_pki_engine::Error;
use c8y_pki_engine::files;
use c8y_pki_engine::pki::{Again, Ca, History, OwnKey, Pki, find_own};
use c8y_pki_engine::registry::Adopted;
use time::OffsetDateTime;

use super::args::AddArgs;
use super::history::HistoryView;
use super::view::made_with;
use crate::commands::openssl_conf::{self, ConfView};
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::protocol::Protocol;
use crate::secrets::{self, At, WeakArgs, known};
use crate::{clock, values};

pub(super) fn run(args: &AddArgs, dir: &Path, out: Output) -> Result {
    args.protocol.check()?;
    let keys = KeyPolicy { allow_exponent_3: args.allow_exponent_3 };
    if Pki::check_new_name(dir, &args.name).is_err_and(|e| e.is_name_taken()) {
        return again(args, &certificates(args, None)?, keys, dir, out);
    }
    Pki::check_new_name(dir, &args.name)?;
    let path = key_place(args)?;
    let now = OffsetDateTime::now_utc();
    if let At::Token(text) = At::of(&path) {
        if args.make.place.ca_password_file.is_some() {
            return Err(Failure::usage(
                "--ca-password-file is for a key that is kept in a file, and this one stays in its token",
                "leave it out; the PIN is that of --key-password-file or C8Y_PKI_TOKEN_PIN",
            ));
        }
        let file = args.key_password_file.as_ref();
        let heap = certificates(args, None)?;
        let key = secrets::open_for(text, file, &heap)?;
        take_in(args, &heap, (OwnKey::InToken(&key), keys), dir, now, out)
    } else {
        let (key, opened_by) = key_of_file(args, &path)?;
        // A store's password opens its certificates too.
        let heap = certificates(args, Some((&path, opened_by.as_ref())))?;
        let password = own_password(args, opened_by, out)?;
        take_in(args, &heap, (OwnKey::File(&key, &password), keys), dir, now, out)
    }
}

/// Takes in a CA that is new here, with what it did before.
fn take_in(
    args: &AddArgs,
    heap: &[Certificate],
    (key, keys): (OwnKey<'_>, KeyPolicy),
    dir: &Path,
    now: OffsetDateTime,
    out: Output,
) -> Result {
    let history = match args.history.is_given() {
        true => {
            let own = find_own(heap, key.public_key())?;
            Some(History::of(&args.name, own, args.history.read(out)?)?)
        }
        false => None,
    };
    let wanted = args.openssl_conf.as_deref().map(openssl_conf::read).transpose()?;
    let mut pki = clock::open_or_create(dir, now)?;
    let (ca, adopted) = pki.import_with(&args.name, heap, (key, keys), history.as_ref(), now)?;
    let conf = conf_of(args, &mut pki, wanted, now)?;
    let beside = out.beside(args.protocol.protocol.as_deref());
    let outcome = tell(&ca, None, (history.map(|history| (history, adopted)), conf), now, beside)?;
    let protocol = Protocol::new("a CA made elsewhere is taken in", now).ca(&ca);
    protocol.write(&args.protocol, out)?;
    Ok(outcome)
}

/// Takes in a CA of the directory once more: with more above it, with a new certificate, with what it did before.
pub(super) fn again(
    args: &AddArgs,
    heap: &[Certificate],
    keys: KeyPolicy,
    dir: &Path,
    out: Output,
) -> Result {
    let wanted = args.openssl_conf.as_deref().map(openssl_conf::read).transpose()?;
    let now = OffsetDateTime::now_utc();
    let mut pki = clock::open(dir, now)?;
    let (ca, again) = pki.take_in_again(&args.name, heap, keys, now)?;
    if args.key.is_some() {
        out.note(&format!(
            "{} is in this PKI directory already and keeps its key: --key was ignored.",
            ca.name
        ));
    }
    let history = match args.history.is_given() {
        true => {
            let history = History::of(&args.name, ca.certificate(), args.history.read(out)?)?;
            let batch = format!("ca {}", ca.name);
            let adopted = pki.adopt(&ca, &history, &batch, now)?;
            Some((history, adopted))
        }
        false => None,
    };
    let conf = conf_of(args, &mut pki, wanted, now)?;
    let beside = out.beside(args.protocol.protocol.as_deref());
    let outcome = tell(&ca, Some(&again), (history, conf), now, beside)?;
    let protocol = Protocol::new("a CA of this directory is taken in again", now).ca(&ca);
    protocol.write(&args.protocol, out)?;
    match &again {
        Again::Same => {}
        Again::Completed => {
            out.note(&format!(
                "Devices that are issued from now on get the longer chain. `{}` writes it for devices that were issued \
                 before.",
                hint::with_pki("device refresh --out DIR")
            ));
        }
        Again::Renewed(former) => {
            let live = super::renew::devices_of(&pki, &ca)?;
            super::renew::tell_devices(&ca, former, live, out);
        }
    }
    Ok(outcome)
}

/// Takes over the configuration of OpenSSL, if one was given.
fn conf_of(
    args: &AddArgs,
    pki: &mut Pki,
    wanted: Option<Wanted>,
    now: OffsetDateTime,
) -> Result<Option<ConfView>> {
    let Some((path, wanted)) = args.openssl_conf.as_ref().zip(wanted) else { return Ok(None) };
    let view = openssl_conf::take_over(pki, &args.name, path, wanted)?;
    if view.policy_written {
        // In a database it does not count before.
        pki.publish_policies(Some(&args.name), now)?;
    }
    Ok(Some(view))
}

/// Says how the CA stands now, and what was taken over.
pub(super) fn tell(
    ca: &Ca,
    again: Option<&Again>,
    (history, conf): (Option<(History, Adopted)>, Option<ConfView>),
    now: OffsetDateTime,
    out: Output,
) -> Result {
    if ca.chain.last().is_some_and(|top| !top.is_self_issued()) {
        out.warning(&format!(
            "the chain of {} ends at {}, which is not a root; upload that certificate to the platform",
            ca.name,
            ca.chain.last().map(|c| c.subject.to_string()).unwrap_or_default()
        ));
    }
    // What is only recommended of a CA would be said of nearly every one.
    let warnings = chain::check_ca(&ca.chain, now).unwrap_or_default();
    for warning in warnings.iter().filter(|w| !w.rule.is_advice()) {
        let end = if warning.rule.is_duty() {
            "servers do not enforce it"
        } else {
            "servers may refuse it"
        };
        out.warning(&format!("{warning}; {end}"));
    }
    let change = match again {
        None => "made",
        Some(Again::Same) => "same",
        Some(Again::Completed) => "completed",
        Some(Again::Renewed(_)) => "renewed",
    };
    let view = history.map(|(history, adopted)| HistoryView::of(history, adopted));
    made_with(ca, change, (view.as_ref(), conf.as_ref()), out)?;
    if let Some(conf) = conf {
        conf.tell(out);
    }
    let Some(view) = view else { return Ok(Outcome::Done) };
    view.warn_of_lists(out);
    Ok(view.tell(out))
}

/// Where the key is: as named, or the one file of the certificates that holds a key too, as a store does.
fn key_place(args: &AddArgs) -> Result<PathBuf> {
    if let Some(path) = &args.key {
        return Ok(path.clone());
    }
    let mut with_key = Vec::new();
    for path in &args.import {
        if read::may_hold_key(&files::read_small(path)?) {
            with_key.push(path.clone());
        }
    }
    let named = |paths: &[PathBuf]| {
        paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    };
    match with_key.len() {
        1 => Ok(with_key.remove(0)),
        0 => Err(Failure::usage(
            format!("there is no private key in {}", named(&args.import)),
            format!(
                "name the file with the CA's key, or its token: --key FILE|URI; only a CA of this PKI directory can be \
                 imported again without its key ({})",
                hint::run(&Task::ListCas)
            ),
        )),
        _ => Err(Failure::usage(
            format!("there are private keys in several files: {}", named(&with_key)),
            "say which one is the CA's: --key FILE",
        )),
    }
}

/// All certificates that were given; `opened` is a file of them that was opened already, and by what.
fn certificates(
    args: &AddArgs,
    opened: Option<(&Path, Option<&Password>)>,
) -> Result<Vec<Certificate>> {
    let mut heap = Vec::new();
    for path in &args.import {
        match opened {
            Some((known, password)) if known == path => {
                let found = read::certificates(&files::read_small(path)?, password)
                    .map_err(|e| Error::from(e).in_file(path.display().to_string()))?;
                heap.extend(found);
            }
            _ => heap.extend(values::certificates(path)?),
        }
    }
    Ok(heap)
}

/// The key of a CA to take in, and the password that opened it.
fn key_of_file(args: &AddArgs, path: &Path) -> Result<(PrivateKey, Option<Password>)> {
    let bytes = files::read_small(path)?;
    let what = format!("the key in {}", path.display());
    let read = secrets::read_bytes(&bytes, known::key(args.key_password_file.as_ref(), &what))?;
    Ok(read.map_err(|e| Error::from(e).in_file(path.display().to_string()))?)
}

/// The password under which the key will be kept.
fn own_password(
    args: &AddArgs,
    came_with: Option<Password>,
    out: Output,
) -> Result<ChosenPassword> {
    let own = known::ca_key(args.make.place.ca_password_file.as_ref());
    let weak = args.make.place.weak;
    // Without a new password the key keeps the one it came with.
    match (own.given()?, came_with.filter(|password| !password.expose().is_empty())) {
        (Some(new), _) => weak.choose(new, out),
        (None, Some(kept)) => as_it_came(kept, weak, out),
        (None, None) => own.chosen(weak, out),
    }
}

/// The password that the key has already protects a CA's key from now on.
fn as_it_came(password: Password, weak: WeakArgs, out: Output) -> Result<ChosenPassword> {
    match ChosenPassword::judge(password.clone()) {
        Err(problem) if !weak.weak_password => Err(Failure::usage(
            format!(
                "the key would keep the password that it came with, and that is weak: {problem}"
            ),
            "give it a new one: --ca-password-file FILE; for tests and labs, --weak-password keeps it",
        )),
        _ => weak.choose(password, out),
    }
}
