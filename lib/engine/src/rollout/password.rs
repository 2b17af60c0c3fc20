//! The passwords of a rollout: read, taken from the caller, or made; and how they stand in a plan.

use std::path::Path;

use super::RolloutError;
use super::diff::{Finding, Remedy, Sign};
use super::spec::{CaSpec, Spec};
use super::step::{Action, Step};
use crate::crypto::random_password;
use crate::files::{self, Access};
use crate::key::signer::Signer as _;
use crate::pki::{Ca, CaKey};
use crate::secret::{ChosenPassword, Password};

/// Length of the passwords that are made, in characters: 139 bits.
const PASSWORD_CHARS: usize = 24;

/// The passwords of a rollout.
#[derive(Debug)]
pub struct Passwords {
    /// For the keys of CAs.
    pub ca: Password,
    /// For keystores and truststores.
    pub store: Option<Password>,
    /// For tokens with keys of CAs.
    pub pin: Option<Password>,
}

impl Passwords {
    /// Reads the password files; takes the caller's password in place of one that does not exist, or makes it where
    /// the file says so.
    pub fn read_or_create(spec: &Spec) -> Result<Self, RolloutError> {
        let (files, given) = (&spec.passwords, &spec.passwords.given);
        let one = |path: &Path, given| read_or_create(path, given, files.create);
        let store = files.store.as_deref();
        Ok(Self {
            ca: one(&files.ca, given.ca.as_ref())?,
            store: store.map(|path| one(path, given.store.as_ref())).transpose()?,
            // A token has its PIN already: one made up would be wrong, and counted.
            pin: match files.pin.as_deref() {
                Some(path) => Some(read_or_create(path, given.pin.as_ref(), false)?),
                None => given.pin.clone(),
            },
        })
    }

    /// Opens a CA's key.
    pub(super) fn unlock(&self, ca: &Ca) -> Result<CaKey, RolloutError> {
        match ca.key_place().is_in_token() {
            false => Ok(ca.unlock(&self.ca)?),
            true => Ok(ca.unlock(self.pin_for(&ca.name)?)?),
        }
    }

    pub(super) fn pin_for(&self, ca: &str) -> Result<&Password, RolloutError> {
        self.pin.as_ref().ok_or_else(|| RolloutError::NoPin(ca.to_owned()))
    }
}

/// Reads a password; where there is no file, takes the given one, or makes a new one with its file.
pub(super) fn read_or_create(
    path: &Path,
    given: Option<&Password>,
    create: bool,
) -> Result<Password, RolloutError> {
    if !path.exists() {
        if let Some(given) = given {
            return Ok(given.clone());
        }
        if create {
            return make(path);
        }
        return Err(RolloutError::NoPassword(path.display().to_string()));
    }
    let bytes = files::read(path)?;
    Password::from_file(&bytes)
        .map_err(|problem| RolloutError::BadPassword { path: path.to_owned(), problem })
}

fn make(path: &Path) -> Result<Password, RolloutError> {
    let password = random_password(PASSWORD_CHARS)?;
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        files::create_private_dir(dir)?;
    }
    let line = format!("{}\n", password.expose());
    files::write(path, line.as_bytes(), Access::Private, files::Existing::Refuse)?;
    Ok(password)
}

/// Takes a password for the keys of new CAs.
pub(super) fn choose(spec: &Spec, given: Password) -> Result<ChosenPassword, RolloutError> {
    match spec.passwords.weak {
        true => Ok(ChosenPassword::unjudged(given)),
        false => ChosenPassword::judge(given)
            .map_err(|source| RolloutError::Weak { path: spec.passwords.ca.clone(), source }),
    }
}

/// The password of keystores and truststores, as far as it is there.
pub(super) fn of_stores(spec: &Spec) -> Result<Option<Password>, RolloutError> {
    let given = spec.passwords.given.store.as_ref();
    match spec.passwords.store.as_deref() {
        Some(path) if path.exists() || given.is_some() => {
            read_or_create(path, given, false).map(Some)
        }
        _ => Ok(None),
    }
}

/// That other users can read the file of a password.
fn open_to_others(key: &str, path: &Path) -> Option<Finding> {
    let (name, detail) = (path.display().to_string(), "other users can read it");
    files::is_open_to_others(path).then(|| {
        let remedy = Remedy::Protect { path: path.to_owned() };
        Finding::new(Sign::Differs, key, name, detail).by(remedy)
    })
}

/// What is done about the passwords, and how they stand. The key of the devices' CA is tried with its password.
pub(super) fn plan(
    spec: &Spec,
    existing: &[Ca],
) -> Result<(Vec<Step>, Vec<Finding>), RolloutError> {
    let (files, given) = (&spec.passwords, &spec.passwords.given);
    let (mut steps, mut findings) = (Vec::new(), Vec::new());
    let stores = files.store.as_ref().map(|path| ("passwords.store", path, given.store.is_some()));
    for (key, path, is_given) in
        [Some(("passwords.ca", &files.ca, given.ca.is_some())), stores].into_iter().flatten()
    {
        let name = path.display().to_string();
        let (action, detail) = match (path.exists(), is_given) {
            (true, _) => (Action::Keep, "the file is there"),
            (false, true) => (Action::Keep, "given by the caller"),
            (false, false) if !files.create => return Err(RolloutError::NoPassword(name)),
            (false, false) => (Action::Create, "random, 24 characters"),
        };
        if key == "passwords.ca" && action == Action::Create {
            refuse_new_one(spec, existing)?;
        }
        let step = Step::new(action, "password", name, detail);
        let mut finding = step.finding(key);
        if key == "passwords.ca" && action == Action::Keep {
            let (words, unopened) = opens(spec, existing)?;
            finding.detail = words;
            findings.extend(unopened);
        }
        findings.push(finding);
        findings.extend(open_to_others(key, path));
        steps.push(step);
    }
    findings.extend(files.pin.as_ref().and_then(|path| open_to_others("passwords.pin", path)));
    findings.extend(pin(spec)?);
    Ok((steps, findings))
}

/// A password that is made would open no key that is there.
fn refuse_new_one(spec: &Spec, existing: &[Ca]) -> Result<(), RolloutError> {
    let is_named = |ca: &&Ca| spec.cas.iter().any(|wanted| wanted.name == ca.name);
    let in_file = |ca: &&Ca| !ca.key_place().is_in_token();
    match existing.iter().filter(is_named).find(in_file) {
        None => Ok(()),
        Some(ca) => {
            Err(RolloutError::PasswordLost { path: spec.passwords.ca.clone(), ca: ca.name.clone() })
        }
    }
}

/// Tries the keys of all CAs of the file that are in files, side by side: each takes a while. What is found in words, and
/// a row for each key that is not opened.
///
/// Errors: a key is not opened that a run needs: that of the devices' CA, or that of an issuer of a CA to be made.
fn opens(spec: &Spec, existing: &[Ca]) -> Result<(String, Vec<Finding>), RolloutError> {
    let password = read_or_create(&spec.passwords.ca, spec.passwords.given.ca.as_ref(), false)?;
    let from = if spec.passwords.ca.exists() { "" } else { "given by the caller; " };
    let is_there = |name: &str| existing.iter().any(|ca| ca.name == name);
    let needed = |name: &str| {
        let signs = |wanted: &CaSpec| wanted.parent.as_deref() == Some(name);
        name == spec.devices.ca || spec.cas.iter().any(|ca| signs(ca) && !is_there(&ca.name))
    };
    let is_tried = |ca: &&Ca| {
        let is_of_file = spec.cas.iter().any(|wanted| wanted.name == ca.name) || needed(&ca.name);
        is_of_file && !ca.key_place().is_in_token() && ca.key_place().path().exists()
    };
    let cas: Vec<&Ca> = existing.iter().filter(is_tried).collect();
    let tried: Vec<_> = std::thread::scope(|scope| {
        let password = &password;
        let running: Vec<_> =
            cas.iter().copied().map(|ca| scope.spawn(move || try_key(ca, password))).collect();
        running.into_iter().map(|thread| thread.join()).collect()
    });
    let (mut opened, mut findings) = (Vec::new(), Vec::new());
    for (ca, tried) in cas.iter().zip(tried) {
        // A thread that has panicked has said so.
        let Ok(tried) = tried else { continue };
        match tried {
            Ok(()) => opened.push(ca.name.as_str()),
            Err(e) if needed(&ca.name) => return Err(e),
            Err(e) => {
                let path = ca.key_place().path().display().to_string();
                findings.push(Finding::new(Sign::Differs, "pki", path, e.to_string()));
            }
        }
    }
    let words = match (opened.as_slice(), findings.is_empty()) {
        ([], true) => "not tried: there is no key in a file that it is to open yet".to_owned(),
        ([], false) => "it opens none of the keys".to_owned(),
        ([one], _) => format!("it opens the key of {one}"),
        (several, _) => format!("it opens the keys of {}", several.join(", ")),
    };
    Ok((format!("{from}{words}"), findings))
}

/// Opens a CA's key, and holds it to its certificate.
fn try_key(ca: &Ca, password: &Password) -> Result<(), RolloutError> {
    let key = ca.unlock(password)?;
    match key.public_key().spki() == ca.certificate().spki {
        true => Ok(()),
        false => Err(RolloutError::AnotherKey {
            ca: ca.name.clone(),
            path: ca.key_place().path().to_owned(),
        }),
    }
}

fn pin(spec: &Spec) -> Result<Option<Finding>, RolloutError> {
    let Some(path) = &spec.passwords.pin else { return Ok(None) };
    if !path.exists() && spec.passwords.given.pin.is_none() {
        return Err(RolloutError::NoPinFile(path.display().to_string()));
    }
    let detail = "not tried: a token counts wrong PINs";
    let name = path.display().to_string();
    Ok(Some(Finding::new(Sign::NotLookedAt, "passwords.pin", name, detail)))
}
