//! What a configuration file of OpenSSL asks for, in the terms of this project: sections of extensions as
//! profiles, the policy, fields of subjects, days. What has no counterpart is named, with its line.

mod extensions;

use crate::failure::{Hint, Setting, SubjectField, Task};
use std::collections::{BTreeMap, BTreeSet};

use super::conf::{Conf, Entry, Section};
use crate::name::find_field;
use crate::profile::{Kind, Profile};

/// Names of subject fields as OpenSSL writes them, and as they are called here (OpenSSL, objects.txt).
const FIELDS: [(&str, &str); 20] = [
    ("countryName", "C"),
    ("stateOrProvinceName", "ST"),
    ("localityName", "L"),
    ("organizationName", "O"),
    ("organizationalUnitName", "OU"),
    ("commonName", "CN"),
    ("emailAddress", "emailAddress"),
    ("serialNumber", "serialNumber"),
    ("domainComponent", "DC"),
    ("userId", "UID"),
    ("C", "C"),
    ("ST", "ST"),
    ("L", "L"),
    ("O", "O"),
    ("OU", "OU"),
    ("CN", "CN"),
    ("email", "emailAddress"),
    ("DC", "DC"),
    ("UID", "UID"),
    ("SN", "serialNumber"),
];

/// Settings of [ca] and [req] that say nothing about certificates here: places of files, which options of
/// `ca add --import` name, and how OpenSSL asks and shows.
const ELSEWHERE: [&str; 27] = [
    "dir",
    "certs",
    "crl_dir",
    "new_certs_dir",
    "database",
    "serial",
    "private_key",
    "certificate",
    "crl",
    "crlnumber",
    "RANDFILE",
    "default_keyfile",
    "name_opt",
    "cert_opt",
    "prompt",
    "string_mask",
    "utf8",
    "policy",
    "x509_extensions",
    "req_extensions",
    "crl_extensions",
    "distinguished_name",
    "attributes",
    "unique_subject",
    "default_days",
    "default_bits",
    "default_ca",
];

/// A section of extensions as a profile.
#[derive(Debug, Clone)]
pub struct WantedProfile {
    /// The section; `<section>-root` for a root of the same extensions.
    pub name: String,
    /// The profile as its file has it.
    pub text: String,
    /// The same, read.
    pub profile: Profile,
}

/// Something that a configuration asks for and that has no counterpart here, or another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Unmet {
    /// The line.
    pub line: usize,
    /// What, and what holds here, as a sentence.
    pub what: String,
}

/// What a configuration asks for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Profiles for its sections of extensions.
    pub profiles: Vec<WantedProfile>,
    /// Rules for fields of subjects: the field's name here, and `optional`, `supplied` or `match`.
    pub policy: Vec<(&'static str, String)>,
    /// Fields that every subject gets.
    pub subject: Vec<(&'static str, String)>,
    /// Days of validity.
    pub days: Option<u32>,
    /// The hash with which it signs.
    pub digest: Option<String>,
    /// What has no counterpart, in the order of the lines.
    pub unmet: Vec<Unmet>,
}

/// What is noted while a configuration is gone through.
struct Notes(BTreeSet<Unmet>);

impl Notes {
    fn add(&mut self, line: usize, what: impl Into<String>) {
        self.0.insert(Unmet { line, what: what.into() });
    }

    /// A value that is fit to be used: one that rests on a variable of the environment is noted.
    fn known<'c>(&mut self, entry: Option<&'c Entry>) -> Option<&'c Entry> {
        let entry = entry?;
        let Some(open) = entry.open.first() else { return Some(entry) };
        let name = &entry.name;
        self.add(
            entry.line,
            format!("{name} is ${{{open}}}, which is not known here: it is left out"),
        );
        None
    }
}

impl Wanted {
    /// What a configuration asks for.
    pub fn of(conf: &Conf) -> Self {
        let mut notes = Notes(BTreeSet::new());
        for (line, file) in &conf.includes {
            notes.add(*line, format!(".include {file:?}: that file is not read"));
        }
        let ca = conf.value("ca", "default_ca").map_or("ca", |entry| entry.value.as_str());
        let mut wanted = Self {
            days: days(conf, ca, &mut notes),
            digest: digest(conf, ca, &mut notes),
            policy: policy(conf, ca, &mut notes),
            subject: subject(conf, &mut notes),
            ..Self::default()
        };
        let mut used = BTreeSet::from(["default", "ca", "req", ca].map(str::to_owned));
        for (section, name) in
            [(ca, "policy"), ("req", "distinguished_name"), ("req", "attributes")]
        {
            used.extend(conf.value(section, name).map(|entry| entry.value.clone()));
        }
        list_extensions(conf, ca, &mut used, &mut notes);
        let key = key(conf, &mut notes);
        let root = conf.value("req", "x509_extensions").map(|entry| entry.value.clone());
        for section in conf.sections.iter().filter(|s| extensions::is_of_certificates(s)) {
            if used.insert(section.name.clone()) {
                let is_root = root.as_deref() == Some(&section.name);
                wanted.take(section, is_root, key, &mut notes);
            }
        }
        for name in [ca, "req"] {
            settings(conf, name, &mut notes);
        }
        for section in conf.sections.iter().filter(|s| !used.contains(&s.name)) {
            notes.add(section.line, format!("the section [{}] cannot be imported", section.name));
        }
        wanted.unmet = notes.0.into_iter().collect();
        wanted
    }

    fn take(&mut self, section: &Section, is_root: bool, key: &'static str, notes: &mut Notes) {
        let Some(read) = extensions::read(section, notes) else { return };
        let kinds: &[(Kind, &str)] = match (read.is_ca, is_root) {
            (false, _) => &[(Kind::Device, "")],
            (true, false) => &[(Kind::Intermediate, "")],
            (true, true) => &[(Kind::Intermediate, ""), (Kind::Root, "-root")],
        };
        for (kind, suffix) in kinds {
            let name = format!("{}{suffix}", section.name);
            let text = self.text(&read, *kind, key, &section.name);
            match Profile::parse(&name, &text) {
                Ok(profile) => self.profiles.push(WantedProfile { name, text, profile }),
                Err(e) => notes.add(
                    section.line,
                    format!("the section [{}] makes no profile: {}", section.name, e.problem),
                ),
            }
        }
    }

    /// The text of a profile.
    fn text(&self, read: &extensions::Read, kind: Kind, key: &str, section: &str) -> String {
        let list =
            |all: &[String]| all.iter().map(|one| quoted(one)).collect::<Vec<_>>().join(", ");
        let kind = match kind {
            Kind::Root => "root",
            Kind::Intermediate => "intermediate",
            Kind::Device => "device",
            Kind::Server => "server",
        };
        let mut text = format!(
            "# From the section [{}] of a configuration of OpenSSL.\nkind = \"{kind}\"\ndescription = {}\n\n\
             key = \"{key}\"\nvalidity_days = {}\nbackdate_minutes = 0\n",
            one_line(section),
            quoted(&format!("Section [{section}] of a configuration of OpenSSL")),
            // The default of `openssl ca` and `openssl req`, where nothing is said.
            self.days.unwrap_or(30),
        );
        if read.is_ca {
            text.push_str(&match read.path_length {
                Some(length) => format!("path_length = {length}\n"),
                None => "path_length = \"none\"\n".to_owned(),
            });
        }
        text.push_str(&format!("key_usage = [{}]\n", list(&read.key_usage)));
        if !read.extended.is_empty() {
            text.push_str(&format!("extended_key_usage = [{}]\n", list(&read.extended)));
        }
        let mut fields: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (field, value) in &self.subject {
            fields.entry(field).or_default().push(value.clone());
        }
        if !fields.is_empty() {
            text.push_str("\n[subject]\n");
        }
        for (field, values) in fields {
            match values.as_slice() {
                [one] => text.push_str(&format!("{field} = {}\n", quoted(one))),
                several => text.push_str(&format!("{field} = [{}]\n", list(several))),
            }
        }
        text
    }

    /// The table of the policy for `pki.toml`; none if nothing is asked for.
    pub fn policy_table(&self, ca: &str) -> Option<String> {
        if self.policy.is_empty() {
            return None;
        }
        let rules = self.policy.iter().map(|(field, rule)| format!("{field} = \"{rule}\"\n"));
        Some(format!("[policy.{ca}]\n{}", rules.collect::<String>()))
    }
}

fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// A text as a string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn days(conf: &Conf, ca: &str, notes: &mut Notes) -> Option<u32> {
    let entry = notes.known(conf.value(ca, "default_days"))?;
    match entry.value.parse() {
        Ok(days) => Some(days),
        Err(_) => {
            notes.add(entry.line, format!("default_days = {:?} is no number of days", entry.value));
            None
        }
    }
}

fn digest(conf: &Conf, ca: &str, notes: &mut Notes) -> Option<String> {
    let entry = conf.value(ca, "default_md").or_else(|| conf.value("req", "default_md"));
    let entry = notes.known(entry)?;
    match entry.value.to_ascii_lowercase().as_str() {
        "sha256" | "default" => {}
        "md5" | "sha1" | "md4" | "md2" => notes.add(
            entry.line,
            format!("default_md = {}: it is broken, and SHA-256 is used", entry.value),
        ),
        _ => notes.add(
            entry.line,
            format!(
                "default_md = {}: the hash follows the CA's key here; RSA signs with SHA-256",
                entry.value
            ),
        ),
    }
    Some(entry.value.clone())
}

fn key(conf: &Conf, notes: &mut Notes) -> &'static str {
    let Some(entry) = notes.known(conf.value("req", "default_bits")) else { return "rsa-2048" };
    match entry.value.as_str() {
        "2048" => "rsa-2048",
        "3072" => "rsa-3072",
        "4096" => "rsa-4096",
        other => {
            notes.add(entry.line, format!("default_bits = {other}: the profiles have rsa-2048"));
            "rsa-2048"
        }
    }
}

/// A field of the subject by the name that OpenSSL gives it, with `0.` in front or not.
fn field(name: &str) -> Option<&'static str> {
    let bare = match name.split_once('.') {
        Some((number, rest)) if number.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => name,
    };
    let known = FIELDS.iter().find(|(theirs, _)| *theirs == bare)?;
    find_field(known.1).ok().map(|field| field.name)
}

fn policy(conf: &Conf, ca: &str, notes: &mut Notes) -> Vec<(&'static str, String)> {
    let name = notes.known(conf.value(ca, "policy"));
    let Some(section) = name.and_then(|entry| conf.section(&entry.value)) else {
        return Vec::new();
    };
    let mut rules = BTreeMap::new();
    for entry in &section.entries {
        let rule = entry.value.to_ascii_lowercase();
        match (field(&entry.name), rule.as_str()) {
            (Some(field), "optional" | "supplied" | "match") => {
                rules.insert(field, rule);
            }
            (Some(_), _) => notes.add(
                entry.line,
                format!(
                    "{} = {:?} is none of optional, supplied and match",
                    entry.name, entry.value
                ),
            ),
            (None, _) => {
                notes.add(
                    entry.line,
                    format!("the policy's field {} cannot be imported", entry.name),
                );
            }
        }
    }
    notes.add(
        section.line,
        format!(
            "[{}]: `openssl ca` leaves fields out that the policy does not name; here they stay",
            section.name
        ),
    );
    rules.into_iter().collect()
}

/// The fields of [req]: `…_default`, or the values themselves with `prompt = no`.
fn subject(conf: &Conf, notes: &mut Notes) -> Vec<(&'static str, String)> {
    let name = notes.known(conf.value("req", "distinguished_name"));
    let Some(section) = name.and_then(|entry| conf.section(&entry.value)) else {
        return Vec::new();
    };
    let asks = conf.value("req", "prompt").is_none_or(|entry| entry.value != "no");
    let mut fields = Vec::new();
    for entry in &section.entries {
        let name = match (entry.name.strip_suffix("_default"), asks) {
            (Some(name), true) => name,
            (None, false) => entry.name.as_str(),
            _ => continue,
        };
        if entry.value.is_empty() || notes.known(Some(entry)).is_none() {
            continue;
        }
        match field(name) {
            Some("CN") => notes.add(
                entry.line,
                format!(
                    "{}: a device's common name is its id; {}",
                    entry.name,
                    Hint::give(
                        "a CA's is given when it is made",
                        Setting::Subject(SubjectField::Other)
                    )
                ),
            ),
            Some(field) => match crate::name::Name::builder().with(field, &entry.value) {
                Ok(_) => fields.push((field, entry.value.clone())),
                Err(e) => notes.add(entry.line, format!("{}: {e}", entry.name)),
            },
            None => notes.add(entry.line, format!("the field {name} cannot be imported")),
        }
    }
    fields
}

/// What lists are asked to have beside what they always have.
fn list_extensions(conf: &Conf, ca: &str, used: &mut BTreeSet<String>, notes: &mut Notes) {
    let Some(name) = conf.value(ca, "crl_extensions") else { return };
    let Some(section) = conf.section(&name.value) else { return };
    used.insert(section.name.clone());
    for entry in section.entries.iter().filter(|entry| entry.name != "authorityKeyIdentifier") {
        notes.add(entry.line, format!("lists have no {}", entry.name));
    }
}

/// Settings that have another counterpart than a profile, or none.
fn settings(conf: &Conf, name: &str, notes: &mut Notes) {
    let Some(section) = conf.section(name) else { return };
    for entry in &section.entries {
        let (name, value) = (entry.name.as_str(), entry.value.as_str());
        let what = match (name, value) {
            ("preserve" | "rand_serial" | "encrypt_key", "no")
            | ("email_in_dn" | "rand_serial" | "encrypt_key", "yes")
            | ("copy_extensions", "none")
            | ("default_crl_days", "30")
            | ("default_md", _) => continue,
            (name, _) if ELSEWHERE.contains(&name) => continue,
            ("default_crl_days", days) if entry.open.is_empty() => {
                let task = Task::MakeCrl { ca: None, days: Some(days.to_owned()) };
                format!("default_crl_days = {days}; {}", Hint::run("say so for each list", task))
            }
            (name, value) => format!("{name} = {value}: it cannot be imported"),
        };
        notes.add(entry.line, what);
    }
}

#[cfg(test)]
mod tests;
