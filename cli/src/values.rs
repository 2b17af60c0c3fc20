//! Values that several commands take from arguments, turned into the library's types.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use c8y_pki_core::cert::{Certificate, LongestChain};
use c8y_pki_core::crypto::{KeyType, RsaKeys};
use c8y_pki_core::failure::Failure as _;
use c8y_pki_core::name::{Name, NameBuilder, find_field};
use c8y_pki_core::profile::{MAX_VALIDITY_DAYS, PathLength, Profile};
use c8y_pki_core::read;
use c8y_pki_core::secret::Password;
use c8y_pki_engine::Error;
use c8y_pki_engine::files::{self, FileError};
use c8y_pki_engine::pki::{self, Pki};
use clap::Args;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::failure::{Failure, Result};
use crate::secrets::{self, known};

/// The PKI directory where none is named.
pub(crate) const DEFAULT_PKI: &str = "pki";

/// Fields of a distinguished name, as a string or one by one.
#[derive(Debug, Args)]
pub(crate) struct SubjectArgs {
    /// Subject in RFC 4514 form, most specific part first, e.g. "CN=Example Root CA,O=Example,C=DE"
    #[arg(long, value_name = "DN", help_heading = "Subject")]
    subject: Option<String>,
    /// Country, two capital letters (ISO 3166)
    #[arg(long = "country", short = 'C', value_name = "CC", help_heading = "Subject")]
    c: Option<String>,
    /// State or province
    #[arg(long = "state", value_name = "NAME", help_heading = "Subject")]
    st: Option<String>,
    /// Locality
    #[arg(long = "locality", value_name = "NAME", help_heading = "Subject")]
    l: Option<String>,
    /// Organisation
    #[arg(long = "org", short = 'O', value_name = "NAME", help_heading = "Subject")]
    o: Option<String>,
    /// Organisational unit; may be repeated
    #[arg(long = "org-unit", value_name = "NAME", help_heading = "Subject")]
    ou: Vec<String>,
    /// E-mail address
    #[arg(long = "email", value_name = "ADDRESS", help_heading = "Subject")]
    email: Option<String>,
}

impl SubjectArgs {
    /// Whether any field is given.
    pub(crate) fn is_given(&self) -> bool {
        let fields = [&self.subject, &self.c, &self.st, &self.l, &self.o, &self.email];
        fields.into_iter().any(Option::is_some) || !self.ou.is_empty()
    }

    /// The fields given, over those of the profile.
    pub(crate) fn builder(&self, profile: &Profile) -> Result<NameBuilder> {
        let mut given: Vec<(String, String)> = Vec::new();
        if let Some(text) = &self.subject {
            let name = Name::parse(text)?;
            given.extend(name.attributes().map(|a| (a.label().to_owned(), a.value.clone())));
        }
        let flags = [
            ("C", self.c.as_slice()),
            ("ST", self.st.as_slice()),
            ("L", self.l.as_slice()),
            ("O", self.o.as_slice()),
            ("OU", self.ou.as_slice()),
            ("emailAddress", self.email.as_slice()),
        ];
        for (field, values) in flags {
            given.extend(values.iter().map(|v| (field.to_owned(), v.clone())));
        }
        let fields: Vec<&str> = given.iter().map(|(f, _)| f.as_str()).collect();
        let mut builder = profile.subject_except(&fields)?;
        for (field, value) in &given {
            builder.push(find_field(field)?, value)?;
        }
        Ok(builder)
    }
}

/// A built-in profile by its name, or a file by its path; its key type may be overridden.
pub(crate) fn profile(name: &str, key: Option<KeyType>) -> Result<Profile> {
    Ok(profile_and_text(name, key)?.0)
}

/// The same, with the text of the file if it is none of those built in.
pub(crate) fn profile_and_text(
    name: &str,
    key: Option<KeyType>,
) -> Result<(Profile, Option<String>)> {
    let (profile, text) = match name.parse::<Profile>() {
        Ok(profile) => (profile, None),
        Err(unknown) => {
            let path = Path::new(name);
            if !path.exists() {
                let message = format!("{unknown}, and no file of that name");
                let (kind, hint) = (unknown.fault().kind(), unknown.hint());
                return Err(Failure::Said { kind, message, hint });
            }
            let text = String::from_utf8_lossy(&files::read(path)?).into_owned();
            (Profile::parse(name, &text)?, Some(text))
        }
    };
    Ok((with_key(profile, name, key)?, text))
}

/// The profile with keys of that type, if one is given.
pub(crate) fn with_key(profile: Profile, name: &str, key: Option<KeyType>) -> Result<Profile> {
    match key {
        None => Ok(profile),
        Some(key) => profile.with_key(key).map_err(|problem| {
            Failure::usage(format!("{name}: {problem}"), "choose another --key-type")
        }),
    }
}

/// Days that a certificate is valid, within the bounds of a profile's.
pub(crate) fn validity_days() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(MAX_VALIDITY_DAYS))
}

/// `own` or `backend`.
pub(crate) fn rsa_keys(text: &str) -> std::result::Result<RsaKeys, String> {
    match text {
        "own" => Ok(RsaKeys::Own),
        "backend" => Ok(RsaKeys::Backend),
        _ => Err("give own or backend".to_owned()),
    }
}

/// `none`, `computed`, or a number.
pub(crate) fn path_length(text: &str) -> std::result::Result<PathLength, String> {
    match text {
        "none" => Ok(PathLength::Unlimited),
        "computed" => Ok(PathLength::Computed),
        number => number
            .parse()
            .map(PathLength::Exactly)
            .map_err(|_| "give a number from 0 to 255, none or computed".to_owned()),
    }
}

/// The longest chain of the installation: as the command line says it, else as the PKI directory does, if there is
/// one, else that of the cloud.
pub(crate) fn longest_chain(given: Option<LongestChain>, pki: &Path) -> Result<LongestChain> {
    match given {
        Some(longest) => Ok(longest),
        None => Ok(Pki::longest_chain_of(pki)?.unwrap_or_default()),
    }
}

/// All certificates of a file: PEM, DER, PKCS#7, or a store, whose password is C8Y_PKI_STORE_PASSWORD.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Certificate>> {
    let bytes = files::read_small(path)?;
    let what = path.display().to_string();
    let source = known::store_of_certificates(&what);
    let open = |password: Option<&Password>| read::certificates(&bytes, password);
    secrets::opening(source, open, secrets::needs_password)?
        .map_err(|e| Error::from(e).in_file(what).into())
}

/// The same of a file that is named, or of all files of a directory, each with the file in which it is.
pub(crate) fn certificates_in(path: &Path) -> Result<Vec<(PathBuf, Certificate)>> {
    if path.is_dir() {
        return Ok(pki::certificates_in(path)?);
    }
    Ok(certificates(path)?.into_iter().map(|found| (path.to_owned(), found)).collect())
}

/// A time in RFC 3339 form.
pub(crate) fn time(text: &str) -> std::result::Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| "not an RFC 3339 time such as 2026-11-22T10:00:00Z".to_owned())
}

/// A span of days or weeks: `30d`, `8w`; a bare number counts days.
pub(crate) fn duration(text: &str) -> std::result::Result<Duration, String> {
    let (number, days) = match text.strip_suffix('w') {
        Some(number) => (number, 7),
        None => (text.strip_suffix('d').unwrap_or(text), 1),
    };
    let days =
        number.parse::<u32>().ok().filter(|n| *n <= MAX_VALIDITY_DAYS).map(|n| i64::from(n) * days);
    days.map(Duration::days).ok_or_else(|| "not a span such as 30d or 8w".to_owned())
}

/// A time to wait: `90s`, `30m`, `2h`, `1d`; a bare number counts seconds.
pub(crate) fn wait(text: &str) -> std::result::Result<std::time::Duration, String> {
    const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
    /// 30 days.
    const LONGEST: u64 = 30 * 86_400;
    let unit = UNITS.into_iter().find(|(letter, _)| text.ends_with(*letter));
    let number = unit.map_or(text, |_| &text[..text.len() - 1]);
    let seconds = number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit.map_or(1, |u| u.1)));
    match seconds {
        Some(seconds @ 1..=LONGEST) => Ok(std::time::Duration::from_secs(seconds)),
        _ => Err("not a time such as 90s, 30m or 2h, of 30 days at most".to_owned()),
    }
}

/// The number of worker threads: as asked, or one per processor.
pub(crate) fn threads(asked: Option<NonZeroUsize>) -> usize {
    let processors = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    asked.unwrap_or_else(processors).get()
}

/// What was taken for a failure of standard output is one of this file.
pub(crate) fn at_file(failure: Failure, path: &Path) -> Failure {
    match failure {
        Failure::Output(source) => {
            FileError { action: "write", path: path.to_owned(), source }.into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::wait;

    #[test]
    fn times_to_wait() {
        let seconds = |text| wait(text).ok().map(|time| time.as_secs());
        let read = ["90s", "90", "30m", "2h", "1d", "30d"].map(seconds);
        assert_eq!(read, [90, 90, 1800, 7200, 86_400, 2_592_000].map(Some));
        for bad in ["", "m", "0s", "31d", "1w", "-1m", "1.5h", "99999999999999999999d", "ä", "1ä"]
        {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
