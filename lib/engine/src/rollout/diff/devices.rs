//! The list of devices, held to the registry and to the devices' directories.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use time::OffsetDateTime;

use super::fields::{self, Wanted};
use super::finding::{Finding, Remedy, Sign};
use super::folder::Folder;
use super::stores::{Stores, Trusted};
use crate::cert::Certificate;
use crate::client_id::DeviceId;
use crate::files;
use crate::list::Device;
use crate::name::{Name, find_field};
use crate::pki::{Ca, Pki};
use crate::registry::{Filter, Record, Role, Status};
use crate::rollout::RolloutError;
use crate::rollout::spec::Spec;
use crate::secret::Password;

/// Keystores are opened for so many devices, spread evenly over the list: each takes milliseconds.
const KEYSTORES: usize = 64;

/// How many directories of no device are named.
const STRANGERS: usize = 5;

/// What is said of certificates that have run out, before it is known which was the first.
const EXPIRED: &str = "their certificates have expired";

/// What is there of the devices.
#[derive(Debug, Default)]
pub(in crate::rollout) struct Held {
    /// How their certificates and files compare.
    pub(in crate::rollout) findings: Vec<Finding>,
    /// The places in the list of devices that are not as the file wants them, and would be if they were issued again.
    pub(in crate::rollout) differing: Vec<usize>,
    /// Live certificates of devices in the file's directory that are not in the list.
    pub(in crate::rollout) unlisted: Vec<Record>,
    /// Revoked certificates of devices in the file's directory that are not in the list.
    pub(in crate::rollout) withdrawn: Vec<Record>,
}

/// Compares the devices of the list, and finds those that are no longer in it.
pub(in crate::rollout) fn look(
    spec: &Spec,
    devices: &[Device],
    (pki, existing): (&Pki, &[Ca]),
    (ends, now): (&[OffsetDateTime], OffsetDateTime),
    store_password: Option<&Password>,
) -> Result<Held, RolloutError> {
    let positions: HashMap<String, usize> =
        devices.iter().enumerate().map(|(at, device)| (device.id.folded(), at)).collect();
    let mut look = Look {
        spec,
        total: devices.len(),
        existing,
        ends,
        now,
        wanted: wanted(spec, existing)?,
        stores: Stores::new(store_password, Trusted::of(spec, existing)?),
        out: std::path::absolute(&spec.devices.out).unwrap_or_else(|_| spec.devices.out.clone()),
        differences: BTreeMap::new(),
        first_end: None,
        differing: HashSet::new(),
        looked: 0,
        opened: 0,
    };
    let mut held = Held::default();
    let mut strangers = folders(&look.out)?;
    for device in devices {
        strangers.remove(&device.id.file_name());
    }
    let filter = Filter { role: Some(Role::Device), ..Filter::default() };
    pki.registry().each(&filter, |record| -> Result<(), RolloutError> {
        let Some(id) = record.holder.device().cloned() else { return Ok(()) };
        strangers.remove(&id.file_name());
        match (positions.get(&id.folded()), record.status) {
            (Some(at), Status::Live) => look.device(*at, &devices[*at], &id, &record),
            (None, Status::Live) if look.is_here(&id, &record) => held.unlisted.push(record),
            (None, Status::Revoked) if look.is_here(&id, &record) => held.withdrawn.push(record),
            _ => {}
        }
        Ok(())
    })?;
    look.tell(&mut held);
    held.findings.extend(of_nobody(&strangers, spec));
    Ok(held)
}

/// The names of the directories in that one, but for hidden ones.
fn folders(out: &Path) -> Result<BTreeSet<String>, RolloutError> {
    if !out.is_dir() {
        return Ok(BTreeSet::new());
    }
    let all = files::list_dir(out)?.into_iter().filter(|path| path.is_dir());
    let names = all.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    Ok(names.filter(|name| !name.starts_with('.')).collect())
}

/// Directories among those of the devices that are of no device of the list or the registry.
fn of_nobody(strangers: &BTreeSet<String>, spec: &Spec) -> Option<Finding> {
    let first: Vec<&str> = strangers.iter().take(STRANGERS).map(String::as_str).collect();
    let more = if strangers.len() > first.len() { ", …" } else { "" };
    let number = match strangers.len() {
        1 => "1 directory is".to_owned(),
        n => format!("{n} directories are"),
    };
    let detail =
        format!("{number} of no device of the list or the registry: {}{more}", first.join(", "));
    let out = spec.devices.out.display().to_string();
    let found = Finding::new(Sign::Unlisted, "devices.out", out, detail).by(Remedy::Stays);
    (!strangers.is_empty()).then_some(found)
}

/// How devices of the file's CA would be made now; none if that CA is not there yet.
fn wanted<'a>(spec: &'a Spec, existing: &'a [Ca]) -> Result<Option<Wanted<'a>>, RolloutError> {
    let wanted = &spec.devices;
    let Some(ca) = existing.iter().find(|ca| ca.name == wanted.ca) else { return Ok(None) };
    let field = find_field("CN").map_err(|e| RolloutError::Spec {
        file: spec.file.display().to_string(),
        line: 1,
        problem: e.to_string(),
    })?;
    let subject = wanted.subject.clone().build_without(field);
    Ok(Wanted::of(&wanted.profile, subject, ca.certificate()))
}

/// By what differences are told together.
type Which = (&'static str, String);

struct Look<'a> {
    spec: &'a Spec,
    total: usize,
    existing: &'a [Ca],
    ends: &'a [OffsetDateTime],
    now: OffsetDateTime,
    wanted: Option<Wanted<'a>>,
    stores: Stores<'a>,
    out: std::path::PathBuf,
    /// With the place in the list of the device that was counted last: its files may all say the same.
    differences: BTreeMap<Which, (Finding, usize)>,
    /// When the first certificate ended of those that have run out.
    first_end: Option<OffsetDateTime>,
    differing: HashSet<usize>,
    looked: usize,
    opened: usize,
}

impl Look<'_> {
    /// Whether a device was put into the directory of this file.
    fn is_here(&self, id: &DeviceId, record: &Record) -> bool {
        let put = record.location.as_deref().and_then(Path::parent);
        put == Some(self.out.as_path()) || self.out.join(id.file_name()).exists()
    }

    fn note(&mut self, at: usize, id: &DeviceId, new: Finding) {
        if new.remedy == Some(Remedy::Replace) {
            self.differing.insert(at);
        }
        let key = (new.key.clone(), new.detail.clone());
        let which = (keyed(&key.0), format!("{} {:?} {:?}", key.1, new.old, new.new));
        let (finding, last) = self.differences.entry(which).or_insert((new, usize::MAX));
        if std::mem::replace(last, at) != at {
            finding.count(id.as_str());
        }
    }

    fn differs(&self, key: &'static str, what: impl Into<String>) -> Finding {
        let out = self.spec.devices.out.display().to_string();
        Finding::new(Sign::Differs, key, out, what).by(Remedy::Replace)
    }

    fn device(&mut self, at: usize, device: &Device, id: &DeviceId, record: &Record) {
        self.looked += 1;
        let wanted = &self.spec.devices;
        if record.ca != wanted.ca {
            let found = self.differs("devices.ca", "issued by");
            self.note(at, id, found.values(record.ca.clone(), wanted.ca.clone()));
        }
        match record.certificate() {
            Err(e) => {
                let what = format!("the recorded certificate cannot be read: {e}");
                let found = self.differs("devices.profile", what);
                self.note(at, id, found);
            }
            Ok(own) => {
                self.certificate(at, device, id, &own);
                self.files(at, id, record, own);
            }
        }
    }

    fn certificate(&mut self, at: usize, device: &Device, id: &DeviceId, own: &Certificate) {
        let wanted = &self.spec.devices;
        let mut found = Vec::new();
        if own.not_after < self.now {
            let first = self.first_end.map_or(own.not_after, |first| first.min(own.not_after));
            self.first_end = Some(first);
            found.push(self.differs("devices.from", EXPIRED));
        }
        if let Some(layout) = &self.wanted {
            if device.subject.is_none() {
                found.extend(self.subject(layout, id, own));
            }
            match layout.compare(id.as_str(), own) {
                Ok(fields) => found.extend(fields.into_iter().map(|field| {
                    self.differs("devices.profile", field.name).values(field.old, field.new)
                })),
                Err(reason) => {
                    let what = format!("the certificate was not compared with it: {reason}");
                    found.push(Finding {
                        sign: Sign::NotLookedAt,
                        remedy: None,
                        ..self.differs("devices.profile", what)
                    });
                }
            }
        }
        if let Some((old, new)) = fields::days((&wanted.profile, wanted.days), own, self.ends) {
            let key = if wanted.days.is_some() { "devices.days" } else { "devices.profile" };
            found.push(self.differs(key, "validity").values(old, new));
        }
        found.into_iter().for_each(|finding| self.note(at, id, finding));
    }

    /// The fields besides CN.
    fn subject(&self, layout: &Wanted<'_>, id: &DeviceId, own: &Certificate) -> Option<Finding> {
        let new = layout.subject(id.as_str())?;
        if own.subject == new {
            return None;
        }
        let (old, new) = (without_id(&own.subject), without_id(&new));
        Some(self.differs("devices.subject", "subject").values(old, new))
    }

    fn files(&mut self, at: usize, id: &DeviceId, record: &Record, own: Certificate) {
        let issuer = self.existing.iter().find(|ca| ca.name == record.ca);
        let chain = [&[own][..], issuer.map_or(&[], |ca| ca.chain.as_slice())].concat();
        let sample = KEYSTORES.min(self.total);
        let folder = Folder {
            out: &self.spec.devices.out,
            dir: self.out.join(id.file_name()),
            bundle: &self.spec.devices.bundle,
            chain: &chain,
            with_keystores: at * sample / self.total != (at + 1) * sample / self.total,
        };
        self.opened += usize::from(folder.with_keystores);
        for other in folder.look(record, &mut self.stores) {
            let remedy = other.sign.is_change().then_some(other.remedy);
            let found = self.differs(other.key, other.what).values(other.old, other.new);
            self.note(at, id, Finding { sign: other.sign, remedy, ..found });
        }
    }

    /// Which of the files were looked at, in words.
    fn of_files(&self) -> String {
        let kinds = &self.spec.devices.bundle;
        let keystores = kinds.iter().any(|kind| kind.is_store() && !kind.is_truststore());
        let mut files = Vec::new();
        if kinds.iter().any(|kind| !kind.is_store()) {
            files.push("certificates, chains and keys as PEM".to_owned());
        }
        if kinds.iter().any(|kind| kind.is_truststore()) {
            files.push("truststores".to_owned());
        }
        if keystores && self.opened < self.looked {
            files.push(format!("keystores of {} of them", self.opened));
        } else if keystores {
            files.push("keystores".to_owned());
        }
        format!(", and their files: {}", files.join(", "))
    }

    fn tell(mut self, held: &mut Held) {
        let differences = std::mem::take(&mut self.differences);
        held.findings = differences.into_values().map(|(finding, _)| finding).collect();
        for finding in held.findings.iter_mut().filter(|finding| finding.detail == EXPIRED) {
            let first = self.first_end.map_or_else(String::new, |end| end.date().to_string());
            finding.detail = match finding.devices {
                1 => format!("its certificate expired on {first}"),
                _ => format!("{EXPIRED}, the first on {first}"),
            };
        }
        held.differing = self.differing.drain().collect();
        held.differing.sort_unstable();
        if self.looked == 0 {
            return;
        }
        let profile = match &self.wanted {
            Some(_) => "certificates (issuer, profile, subject, validity)",
            None => "certificates (issuer, validity)",
        };
        let detail = format!("{} looked at: {profile}{}", self.looked, self.of_files());
        let out = self.spec.devices.out.display().to_string();
        held.findings.push(Finding {
            devices: self.looked,
            ..Finding::new(Sign::InPlace, "devices.from", out, detail)
        });
    }
}

/// The keys that devices are compared by, in the order of the file.
fn keyed(key: &str) -> &'static str {
    const KEYS: [&str; 10] = [
        "devices.from",
        "devices.ca",
        "devices.profile",
        "devices.subject",
        "devices.days",
        "devices.out",
        "devices.bundle",
        "truststore.certificates",
        "truststore.cas",
        "passwords.store",
    ];
    KEYS.into_iter().find(|known| *known == key).unwrap_or("devices")
}

/// A subject without CN, which is the device's own; in words.
fn without_id(name: &Name) -> String {
    let fields = name.attributes().filter(|a| a.label() != "CN");
    let mut text: Vec<String> = fields.map(|a| format!("{}={}", a.label(), a.value)).collect();
    // As names are written: the last one encoded comes first (RFC 4514, 2.1).
    text.reverse();
    if text.is_empty() { "nothing besides CN".to_owned() } else { text.join(",") }
}
