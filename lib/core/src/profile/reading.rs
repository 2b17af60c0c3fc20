//! A profile's text read into its types, and the rules that hold its keys together.

use std::collections::BTreeMap;

use toml::Spanned;

use super::extensions::{self, Extensions};
use super::fault::{line_of, toml_fault};
use super::kind::Kind;
use super::raw::{At, OneOrMany, Raw, RawPathLength};
use crate::crypto::{KeyType, RsaKeys};
use crate::der::dotted_oid;
use crate::failure::{Example, Failure, Fault, Hint, Task, Underlying};
use crate::name::{Name, NameBuilder, NameError, find_field};

/// The profiles that come with the library: name and text.
pub static BUILT_IN: [(&str, &str); 8] = [
    ("root", include_str!("../../templates/root.toml")),
    ("intermediate", include_str!("../../templates/intermediate.toml")),
    ("device", include_str!("../../templates/device.toml")),
    ("classic-root", include_str!("../../templates/classic-root.toml")),
    ("classic-intermediate", include_str!("../../templates/classic-intermediate.toml")),
    ("classic-device", include_str!("../../templates/classic-device.toml")),
    ("server", include_str!("../../templates/server.toml")),
    ("classic-server", include_str!("../../templates/classic-server.toml")),
];

/// Longest validity, in days: a century. Guards against a typing error, not against a plan.
pub const MAX_VALIDITY_DAYS: u32 = 36_500;

/// A fault in a profile, and where it stands.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{file} line {line}: {problem}")]
pub struct ProfileError {
    /// The file, or the name of a built-in profile.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    #[source]
    pub problem: Underlying,
}

impl Failure for ProfileError {
    fn fault(&self) -> Fault {
        Fault::Input
    }

    fn hint(&self) -> Option<Hint> {
        Some(Hint::run("start from a complete profile", Task::PrintExample(Example::Profile)))
    }
}

/// What goes into the path length of a CA certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathLength {
    /// No limit.
    Unlimited,
    /// This many CA certificates may follow.
    Exactly(u8),
    /// As many as the issuer and the platform's limit leave.
    Computed,
}

/// What goes into a certificate besides names, key and serial number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Name of a built-in profile, or the file's path.
    pub name: String,
    /// One line for lists.
    #[doc(hidden)]
    pub description: String,
    /// What it is for.
    #[doc(hidden)]
    pub kind: Kind,
    /// Type of the keys that are made for it.
    pub key: KeyType,
    /// Who makes them if they are RSA keys of devices or servers; those of CAs are always made by the backend.
    #[doc(hidden)]
    pub rsa_keys: RsaKeys,
    /// Validity from the moment of issuing, in days.
    pub validity_days: u32,
    /// How far notBefore lies before the moment of issuing, in minutes.
    #[doc(hidden)]
    pub backdate_minutes: u32,
    /// Path length; [`PathLength::Unlimited`] and without meaning for devices and servers.
    #[doc(hidden)]
    pub path_length: PathLength,
    /// Names of keyUsage bits.
    #[doc(hidden)]
    pub key_usage: Vec<String>,
    /// `clientAuth`, `serverAuth`, or dotted object identifiers.
    #[doc(hidden)]
    pub extended_key_usage: Vec<String>,
    /// Subject fields that every certificate gets unless the caller sets them.
    #[doc(hidden)]
    pub subject: Vec<(String, String)>,
    /// Names beside the subject, addresses of lists and issuers, extensions of the user's own.
    #[doc(hidden)]
    pub extensions: Extensions,
}

impl Profile {
    /// A profile that comes with the library.
    pub fn built_in(name: &str) -> Option<Self> {
        let (name, text) = BUILT_IN.iter().find(|(n, _)| *n == name)?;
        // A test reads all of them: a built-in profile cannot fail.
        Self::parse(name, text).ok()
    }

    /// Reads a profile's text; `file` is what messages call it.
    pub fn parse(file: &str, text: &str) -> Result<Self, ProfileError> {
        let at = |offset: usize, problem: Underlying| ProfileError {
            file: file.to_owned(),
            line: line_of(text, offset),
            problem,
        };
        let raw: Raw = toml::from_str(text).map_err(|e| {
            let (line, words) = toml_fault(text, &e);
            ProfileError { file: file.to_owned(), line, problem: Underlying::worded(words, e) }
        })?;
        let key_span = raw.key.span().start;
        let key: KeyType =
            raw.key.get_ref().parse().map_err(|e| at(key_span, Underlying::of(e)))?;
        let extensions = extensions::read(&raw).map_err(|(offset, p)| at(offset, p.into()))?;
        let rsa_keys =
            rsa_keys(raw.kind, raw.rsa_keys).map_err(|(offset, p)| at(offset, p.into()))?;
        let days = days(*raw.validity_days.get_ref()).map_err(|days| {
            let problem =
                format!("validity_days = {days} is not between 1 and {MAX_VALIDITY_DAYS}");
            at(raw.validity_days.span().start, problem.into())
        })?;
        let profile = Self {
            name: file.to_owned(),
            extensions,
            description: raw.description,
            kind: raw.kind,
            key,
            rsa_keys,
            validity_days: days,
            backdate_minutes: *raw.backdate_minutes.get_ref(),
            path_length: path_length(raw.kind, raw.path_length.as_ref())
                .map_err(|(offset, problem)| at(offset.unwrap_or(0), problem.into()))?,
            key_usage: raw.key_usage.get_ref().clone(),
            extended_key_usage: raw
                .extended_key_usage
                .as_ref()
                .map(|s| s.get_ref().clone())
                .unwrap_or_default(),
            subject: subject(raw.subject).map_err(|(offset, e)| at(offset, Underlying::of(e)))?,
        };
        profile.check_key_usage().map_err(|p| at(raw.key_usage.span().start, p.into()))?;
        if profile.kind == Kind::Server && raw.extended_key_usage.is_none() {
            let problem = "a server needs extended_key_usage = [\"serverAuth\"]";
            return Err(at(0, problem.into()));
        }
        if let Some(spanned) = &raw.extended_key_usage {
            profile.check_extended().map_err(|p| at(spanned.span().start, p.into()))?;
        }
        Ok(profile)
    }

    /// The same profile for keys of another type; an error if its key usage does not allow them.
    pub fn with_key(mut self, key: KeyType) -> Result<Self, String> {
        self.key = key;
        self.check_key_usage().map(|()| self)
    }

    /// A builder that holds the profile's subject fields, except those in `given`.
    #[doc(hidden)]
    pub fn subject_except(&self, given: &[&str]) -> Result<NameBuilder, NameError> {
        let mut builder = Name::builder();
        for (field, value) in self.subject.iter().filter(|(f, _)| !given.contains(&f.as_str())) {
            builder.push(find_field(field)?, value)?;
        }
        Ok(builder)
    }

    fn check_key_usage(&self) -> Result<(), String> {
        use crate::cert::KeyUsage;
        let has = |name: &str| self.key_usage.iter().any(|u| u == name);
        if let Some(unknown) =
            self.key_usage.iter().find(|u| !KeyUsage::NAMES.contains(&u.as_str()))
        {
            let known = KeyUsage::NAMES.join(", ");
            return Err(format!("key_usage {unknown:?} is not one of {known}"));
        }
        if self.kind.is_ca() && !has("keyCertSign") {
            return Err("a CA's key_usage must hold \"keyCertSign\"".to_owned());
        }
        let kind = self.kind;
        if !kind.is_ca() && (has("keyCertSign") || has("cRLSign")) {
            return Err(format!("a {kind}'s key_usage cannot hold \"keyCertSign\" or \"cRLSign\""));
        }
        if !kind.is_ca() && !has("digitalSignature") {
            return Err(format!(
                "a {kind}'s key_usage must hold \"digitalSignature\": TLS signs with it"
            ));
        }
        if has("keyEncipherment") && !self.key.is_rsa() {
            return Err(format!(
                "key_usage \"keyEncipherment\" contradicts key = \"{}\": only RSA enciphers keys",
                self.key
            ));
        }
        Ok(())
    }

    fn check_extended(&self) -> Result<(), String> {
        if self.extended_key_usage.is_empty() {
            return Err("extended_key_usage is empty; leave the key out instead".to_owned());
        }
        for usage in &self.extended_key_usage {
            if extended_key_usage_oid(usage).is_none() {
                return Err(format!(
                    "extended_key_usage {usage:?} is neither clientAuth, serverAuth, anyExtendedKeyUsage nor an object identifier"
                ));
            }
        }
        let wanted = match self.kind {
            Kind::Device => "clientAuth",
            Kind::Server => "serverAuth",
            Kind::Root | Kind::Intermediate => return Ok(()),
        };
        if !self.extended_key_usage.iter().any(|u| u == wanted || u == "anyExtendedKeyUsage") {
            let kind = self.kind;
            return Err(format!("a {kind}'s extended_key_usage must hold \"{wanted}\""));
        }
        Ok(())
    }
}

/// The arcs of an extended key usage: one of three names, or dotted numbers.
pub fn extended_key_usage_oid(usage: &str) -> Option<Vec<u64>> {
    match usage {
        "clientAuth" => Some(vec![1, 3, 6, 1, 5, 5, 7, 3, 2]),
        "serverAuth" => Some(vec![1, 3, 6, 1, 5, 5, 7, 3, 1]),
        "anyExtendedKeyUsage" => Some(vec![2, 5, 29, 37, 0]),
        dotted => dotted_oid(dotted),
    }
}

/// A validity that a profile or a rollout's file may have. Errors: the number.
#[doc(hidden)]
pub fn days(number: i64) -> Result<u32, i64> {
    let days = u32::try_from(number).ok().filter(|days| (1..=MAX_VALIDITY_DAYS).contains(days));
    days.ok_or(number)
}

fn rsa_keys(kind: Kind, raw: Option<Spanned<RsaKeys>>) -> Result<RsaKeys, At<String>> {
    match raw {
        Some(maker) if kind.is_ca() && *maker.get_ref() == RsaKeys::Own => {
            let problem = format!(
                "rsa_keys = \"own\" contradicts kind = \"{kind}\": keys of CAs are made by the crypto backend"
            );
            Err((maker.span().start, problem))
        }
        Some(maker) => Ok(maker.into_inner()),
        None if kind.is_ca() => Ok(RsaKeys::Backend),
        None => Ok(RsaKeys::default()),
    }
}

fn path_length(
    kind: Kind,
    raw: Option<&Spanned<RawPathLength>>,
) -> Result<PathLength, (Option<usize>, String)> {
    let Some(spanned) = raw else {
        return if kind.is_ca() {
            Err((None, "a CA needs path_length: a number, \"none\" or \"computed\"".to_owned()))
        } else {
            Ok(PathLength::Unlimited)
        };
    };
    let fail = |problem: String| Err((Some(spanned.span().start), problem));
    if !kind.is_ca() {
        return fail(format!("path_length contradicts kind = \"{kind}\": only CAs have one"));
    }
    match spanned.get_ref() {
        RawPathLength::Number(n) => Ok(PathLength::Exactly(*n)),
        RawPathLength::Word(word) if word == "none" => Ok(PathLength::Unlimited),
        RawPathLength::Word(word) if word == "computed" => Ok(PathLength::Computed),
        RawPathLength::Word(word) => {
            fail(format!("path_length {word:?} is neither a number, \"none\" nor \"computed\""))
        }
    }
}

fn subject(
    raw: BTreeMap<Spanned<String>, OneOrMany>,
) -> Result<Vec<(String, String)>, At<NameError>> {
    let mut builder = Name::builder();
    let mut fields = Vec::new();
    for (key, values) in raw {
        let at = |e| (key.span().start, e);
        let field = find_field(key.get_ref()).map_err(at)?;
        let values = match values {
            OneOrMany::One(value) => vec![value],
            OneOrMany::Many(values) => values,
        };
        for value in values {
            builder.push(field, &value).map_err(at)?;
            fields.push((field.name.to_owned(), value));
        }
    }
    Ok(fields)
}
