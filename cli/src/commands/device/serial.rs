//! Which certificate a serial number means. A number is unique for one issuer only: CAs that were made by
//! hand all count from the same one, so that a CA and a device of another one may share it.

use c8y_pki_core::failure::Task;
use c8y_pki_core::name::Name;
use c8y_pki_engine::list::BadRow;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::registry::{Filter, ForeignSerial, Holder, Record};

use crate::failure::{Failure, Result};
use crate::hint;

/// The issuer that is meant.
pub(super) struct Issuer {
    name: Name,
    text: String,
}

impl Issuer {
    /// By the name of a CA in the directory, or by an issuer's whole name.
    pub(super) fn of(pki: &Pki, text: &str) -> Result<Self> {
        let cas = pki.cas()?;
        let named = cas.iter().find(|ca| ca.name == text);
        let named = named.map(|ca| ca.certificate().subject.clone());
        let known: Vec<&str> = cas.iter().map(|ca| ca.name.as_str()).collect();
        match named.or_else(|| Name::parse(text).ok()) {
            Some(name) => Ok(Self { name, text: text.to_owned() }),
            None => Err(Failure::usage(
                format!(
                    "--issuer {text:?} is neither a CA of this PKI directory nor the name of an issuer"
                ),
                format!("known CAs: {}", known.join(", ")),
            )),
        }
    }

    fn issued(&self, record: &Record) -> bool {
        record.certificate().is_ok_and(|cert| cert.issuer.matches(&self.name))
    }

    /// Refuses certificates that another one has issued.
    pub(super) fn check(
        &self,
        found: Vec<Record>,
        word: &str,
    ) -> std::result::Result<Vec<Record>, BadRow> {
        match found.iter().find(|record| !self.issued(record)) {
            None => Ok(found),
            Some(other) => Err(fault(
                word,
                format!("the certificate of {word:?} was not issued by {}", self.text),
                format!("{} has issued it", other.ca),
            )),
        }
    }
}

/// A certificate of which the registry knows the serial number only.
pub(super) struct Foreign {
    pub(super) ca: String,
    pub(super) issuer: Name,
    pub(super) serial: ForeignSerial,
}

/// The one certificate that is meant.
pub(super) enum One {
    Recorded(Box<Record>),
    Foreign(Foreign),
}

impl One {
    fn issuer(&self) -> Option<Name> {
        match self {
            Self::Recorded(record) => record.certificate().ok().map(|cert| cert.issuer),
            Self::Foreign(one) => Some(one.issuer.clone()),
        }
    }

    fn is_ca(&self) -> bool {
        matches!(self, Self::Recorded(record) if record.holder == Holder::Ca)
    }

    fn holder(&self) -> String {
        match self {
            Self::Recorded(record) => record.whose(),
            Self::Foreign(one) => {
                format!("{}, without a certificate file", one.serial.subject)
            }
        }
    }
}

/// The certificate with a serial number.
pub(super) fn meant(
    pki: &Pki,
    word: &str,
    issuer: Option<&Issuer>,
    cas_too: bool,
) -> Result<std::result::Result<One, BadRow>> {
    let mut found = match word.parse() {
        Err(_) => Vec::new(),
        Ok(serial) => {
            let filter = Filter { serial: Some(&serial), ..Filter::default() };
            let records = pki.registry().find(&filter)?;
            let recorded = records.into_iter().map(|record| One::Recorded(Box::new(record)));
            let mut found: Vec<One> = recorded.collect();
            found.extend(foreign(pki, &serial)?);
            found
        }
    };
    if let Some(issuer) = issuer {
        found.retain(|one| one.issuer().is_some_and(|name| name.matches(&issuer.name)));
    }
    let by = issuer.map_or_else(String::new, |issuer| format!(", issued by {}", issuer.text));
    if found.len() > 1 {
        return Ok(Err(several(pki, word, &found)?));
    }
    let Some(one) = found.pop() else {
        return Ok(Err(fault(
            word,
            format!("there is no certificate of a device or with a serial number {word:?}{by}"),
            format!("{} lists all of them", hint::run(&Task::ListDevices)),
        )));
    };
    if one.is_ca() && !cas_too {
        let issuer = one.issuer().map(|name| name.to_string()).unwrap_or_default();
        return Ok(Err(fault(
            word,
            format!(
                "the serial number {word} is that of {}, issued by {issuer}: a CA is not revoked as a device",
                one.holder()
            ),
            format!(
                "if a device is meant, name it by its id, or record its certificate first: {}",
                hint::run(&Task::ImportDevice { files: "FILE".to_owned() })
            ),
        )));
    }
    Ok(Ok(one))
}

/// Certificates with that serial number that stand in the registry without a file.
fn foreign(pki: &Pki, serial: &c8y_pki_core::cert::Serial) -> Result<Vec<One>> {
    let mut found: Vec<One> = Vec::new();
    for ca in pki.cas()? {
        let issuer = ca.certificate().subject.clone();
        if found.iter().any(|one| one.issuer().is_some_and(|name| name.der() == issuer.der())) {
            continue;
        }
        let all = pki.registry().foreign_serials(&issuer)?;
        let given = all.into_iter().find(|given| given.serial == *serial);
        found.extend(given.map(|serial| One::Foreign(Foreign { ca: ca.name, issuer, serial })));
    }
    Ok(found)
}

/// Says which certificates share a serial number, and how one of a device is named. The way to a CA's is not
/// among them: nobody is to revoke a CA by following a hint.
fn several(pki: &Pki, word: &str, found: &[One]) -> Result<BadRow> {
    let cas = pki.cas()?;
    let name_of = |issuer: &Name| {
        let mut named = cas.iter().filter(|ca| ca.certificate().subject.matches(issuer));
        match (named.next(), named.next()) {
            (Some(ca), None) => ca.name.clone(),
            _ => format!("\"{issuer}\""),
        }
    };
    let (mut said, mut hints) = (Vec::new(), Vec::new());
    for one in found {
        let Some(issuer) = one.issuer() else { continue };
        said.push(format!("that of {}, issued by {issuer}", one.holder()));
        if !one.is_ca() {
            hints.push(format!("--issuer {} for {}", name_of(&issuer), one.holder()));
        }
    }
    let message =
        format!("{} certificates have the serial number {word}: {}", found.len(), said.join("; "));
    let hint = match hints.is_empty() {
        true => {
            "they are of CAs: `c8y-pki device revoke --help` says how one is revoked".to_owned()
        }
        false => format!("say which one: {}", hints.join(", or ")),
    };
    Ok(fault(word, message, hint))
}

/// What is wrong with a word that was to mean a certificate.
pub(super) fn fault(word: &str, message: String, hint: String) -> BadRow {
    BadRow { id: word.to_owned(), line: None, message, hint: Some(hint.into()) }
}
