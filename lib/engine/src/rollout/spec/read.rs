//! The file is read, and each of its values held to its rule.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::super::RolloutError;
use super::model::*;
use super::raw::{self, FilePath, Raw, RawCa, RawDevices, RawRegistration, RawTenant};
use crate::device::service::CLASSIC_PORT;
use crate::files;
use crate::key::pkcs11::KeyUri;
use crate::list::ListOptions;
use crate::name::{Name, NameBuilder, find_field};
use crate::platform::register::CHUNK;
use crate::profile::{self, Kind, MAX_VALIDITY_DAYS, Profile, line_of, toml_fault};
use crate::registration::{SEPARATORS, Settings, check_placeholders};

impl Spec {
    /// Reads a rollout file. The profiles that it names are read too.
    ///
    /// Errors: also [`RolloutError::WhichTenant`] for a file with several tenants; see [`Spec::read_for`].
    pub fn read(path: &Path) -> Result<Self, RolloutError> {
        Self::read_for(path, Which::TheOnly)
    }

    /// The same for one tenant of a file with several (`[tenant.NAME]`), or for none of them.
    pub fn read_for(path: &Path, which: Which<'_>) -> Result<Self, RolloutError> {
        let bytes = files::read(path)?;
        let file = path.display().to_string();
        let text = String::from_utf8(bytes).map_err(|e| RolloutError::Spec {
            file: file.clone(),
            line: line_of(&String::from_utf8_lossy(e.as_bytes()), e.utf8_error().valid_up_to()),
            problem: "it is not UTF-8".to_owned(),
        })?;
        Reader { path, file, text: &text }.read(which)
    }

    /// The names of a file's tenants: none in a file with one `[tenant]`, or without.
    ///
    /// Errors: a file that is not UTF-8 or no TOML.
    pub fn tenants_of(path: &Path) -> Result<Vec<String>, RolloutError> {
        let bytes = files::read(path)?;
        let (file, text) = (path.display().to_string(), String::from_utf8_lossy(&bytes));
        let reader = Reader { path, file, text: &text };
        reader.sections()
    }

    /// The same for a rehearsal: at another tenant, with a result file of its own. Without a
    /// `[tenant]` in the file the tenant is to trust the CA of the devices, and to know them.
    pub fn rehearsal(mut self) -> Self {
        self.is_rehearsal = true;
        let registered = self.registration.is_some();
        let tenant = self.tenant.get_or_insert_with(|| TenantSpec {
            section: None,
            host: None,
            mqtt_port: CLASSIC_PORT,
            cas: vec![self.devices.ca.clone()],
            auto_registration: !registered,
            prove: true,
            register: registered,
            chunk: CHUNK,
            rate: None,
        });
        tenant.host = None;
        if let Some(registration) = &mut self.registration {
            registration.result = registration.file.with_extension("rehearsal.csv");
        }
        self
    }
}

struct Reader<'a> {
    path: &'a Path,
    file: String,
    text: &'a str,
}

impl Reader<'_> {
    fn at(&self, offset: usize, problem: impl ToString) -> RolloutError {
        let line = line_of(self.text, offset);
        RolloutError::Spec { file: self.file.clone(), line, problem: problem.to_string() }
    }

    /// A path in the file, seen from where the file stands.
    fn path(&self, path: &Path) -> PathBuf {
        match self.path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.join(path),
            _ => path.to_owned(),
        }
    }

    fn toml<T: serde::de::DeserializeOwned>(&self) -> Result<T, RolloutError> {
        toml::from_str(self.text).map_err(|e| {
            let (line, problem) = toml_fault(self.text, &e);
            RolloutError::Spec { file: self.file.clone(), line, problem }
        })
    }

    /// The names of the tenants, if the file has several.
    fn sections(&self) -> Result<Vec<String>, RolloutError> {
        let shape: raw::Shape = self.toml()?;
        let tables = shape.tenant.unwrap_or_default();
        let is_named = !tables.is_empty() && tables.values().all(toml::Value::is_table);
        Ok(if is_named { tables.into_keys().collect() } else { Vec::new() })
    }

    /// The file with the tenant that is meant.
    fn raw(&self, sections: &[String], which: Which<'_>) -> Result<Raw<RawTenant>, RolloutError> {
        let unknown = |wanted: Option<&str>| RolloutError::WhichTenant {
            file: self.file.clone(),
            wanted: wanted.map(str::to_owned),
            known: sections.to_vec(),
        };
        if sections.is_empty() {
            return match which {
                Which::Named(name) => Err(unknown(Some(name))),
                Which::TheOnly | Which::NoneOfSeveral => self.toml(),
            };
        }
        let mut all: Raw<BTreeMap<String, RawTenant>> = self.toml()?;
        let name = match which {
            Which::NoneOfSeveral => return Ok(all.with(None)),
            Which::Named(name) => name,
            Which::TheOnly if sections.len() == 1 => sections[0].as_str(),
            Which::TheOnly => return Err(unknown(None)),
        };
        let tenant = all.tenant.as_mut().and_then(|all| all.remove(name));
        let tenant = tenant.ok_or_else(|| unknown(Some(name)))?;
        Ok(all.with(Some(RawTenant { section: Some(name.to_owned()), ..tenant })))
    }

    fn read(&self, which: Which<'_>) -> Result<Spec, RolloutError> {
        let tenants = self.sections()?;
        let raw = self.raw(&tenants, which)?;
        let mut cas: Vec<CaSpec> = Vec::with_capacity(raw.ca.len());
        for ca in &raw.ca {
            let ca = self.ca(ca, &cas)?;
            cas.push(ca);
        }
        let known = |name: &Spanned<String>| match cas.iter().any(|c| c.name == *name.get_ref()) {
            true => Ok(name.get_ref().clone()),
            false => {
                let problem = format!("there is no [[ca]] named {:?}", name.get_ref());
                Err(self.at(name.span().start, problem))
            }
        };
        let devices = self.devices(&raw.devices, known(&raw.devices.ca)?)?;
        let truststore = TruststoreSpec {
            certificates: raw.truststore.certificates.iter().map(|p| self.path(p)).collect(),
            cas: raw.truststore.cas.iter().map(known).collect::<Result<_, _>>()?,
        };
        let tenant =
            raw.tenant.as_ref().map(|tenant| self.tenant(tenant, &raw, known)).transpose()?;
        self.check_bundle(&raw, &devices.profile, &truststore)?;
        self.check_folders(&raw.pki, &raw.devices.out)?;
        let profiles = raw.ca.iter().map(|ca| &ca.profile).chain([&raw.devices.profile]);
        let own = profiles.filter(|name| Profile::built_in(name.get_ref()).is_none());
        let profiles = own.map(|name| self.path(Path::new(name.get_ref()))).collect();
        Ok(Spec {
            file: self.path.to_owned(),
            pki: self.path(raw.pki.get_ref()),
            longest_chain: raw.longest_chain,
            passwords: PasswordFiles {
                ca: self.path(&raw.passwords.ca),
                store: raw.passwords.store.as_deref().map(|p| self.path(p)),
                pin: raw.passwords.pin.as_deref().map(|p| self.path(p)),
                create: raw.passwords.create,
                weak: false,
                given: Given::default(),
            },
            cas,
            devices,
            truststore,
            registration: raw
                .registration
                .map(|r| self.registration(r, tenant.as_ref().and_then(|t| t.section.as_deref())))
                .transpose()?,
            tenant,
            tenants,
            profiles,
            is_rehearsal: false,
            allowed: Allowed::default(),
        })
    }

    /// The directories of the PKI and of the devices are two, and neither lies in the other.
    fn check_folders(
        &self,
        pki: &Spanned<FilePath>,
        out: &Spanned<FilePath>,
    ) -> Result<(), RolloutError> {
        let whole = |path: &Path| files::one_name(&self.path(path));
        let (of_pki, of_devices) = (whole(pki.get_ref()), whole(out.get_ref()));
        if of_pki.starts_with(&of_devices) || of_devices.starts_with(&of_pki) {
            let problem = format!(
                "the directory of the devices ({}) and the PKI directory ({}) have to be two, and neither in the other",
                out.get_ref().display(),
                pki.get_ref().display()
            );
            return Err(self.at(out.span().start, problem));
        }
        Ok(())
    }

    /// What a bundle needs has to be in the file, so that a run does not stop halfway.
    fn check_bundle<T>(
        &self,
        raw: &Raw<T>,
        profile: &Profile,
        truststore: &TruststoreSpec,
    ) -> Result<(), RolloutError> {
        let offset = raw.devices.bundle.span().start;
        let bundle = raw.devices.bundle.get_ref();
        if let Some(e) = bundle.iter().find_map(|kind| kind.check_key(profile.key).err()) {
            return Err(
                self.at(offset, format!("{e}; the keys are those of profile {:?}", profile.name))
            );
        }
        if !bundle.iter().any(|b| b.has_key()) {
            return Err(self.at(offset, "the bundle keeps no key: add pem, p12, jks or thin-edge"));
        }
        if raw.passwords.store.is_none() && bundle.iter().any(|b| b.is_store()) {
            return Err(self.at(offset, "the bundle needs `store` under [passwords]"));
        }
        let wants_trust = bundle.iter().any(|b| b.is_truststore());
        if wants_trust && truststore.certificates.is_empty() && truststore.cas.is_empty() {
            let problem = "the bundle needs `certificates` or `cas` under [truststore]";
            return Err(self.at(offset, problem));
        }
        Ok(())
    }

    fn profile(&self, name: &Spanned<String>, kind: Kind) -> Result<Profile, RolloutError> {
        let offset = name.span().start;
        let profile = match Profile::built_in(name.get_ref()) {
            Some(profile) => profile,
            None => {
                let path = self.path(Path::new(name.get_ref()));
                let bytes = files::read(&path)
                    .map_err(|e| self.at(offset, format!("no profile has that name, and {e}")))?;
                let text = String::from_utf8_lossy(&bytes);
                Profile::parse(&path.display().to_string(), &text)?
            }
        };
        if profile.kind != kind {
            let problem =
                format!("profile {:?} is of kind {}, not {kind}", profile.name, profile.kind);
            return Err(self.at(offset, problem));
        }
        Ok(profile)
    }

    /// A subject from the file over the profile's fields.
    fn subject(
        &self,
        profile: &Profile,
        text: Option<&Spanned<String>>,
    ) -> Result<NameBuilder, RolloutError> {
        let offset = text.map_or(0, |t| t.span().start);
        let at = |e| self.at(offset, e);
        let given = match text {
            Some(text) => Name::parse(text.get_ref()).map_err(at)?,
            None => Name::builder().build().map_err(at)?,
        };
        let labels: Vec<&str> = given.attributes().map(|a| a.label()).collect();
        let mut builder = profile.subject_except(&labels).map_err(at)?;
        for attribute in given.attributes() {
            let field = find_field(attribute.label()).map_err(at)?;
            builder.push(field, &attribute.value).map_err(at)?;
        }
        Ok(builder)
    }

    fn ca(&self, raw: &RawCa, before: &[CaSpec]) -> Result<CaSpec, RolloutError> {
        let name = raw.name.get_ref().clone();
        if before.iter().any(|c| c.name == name) {
            return Err(self.at(raw.name.span().start, format!("{name:?} is there twice")));
        }
        if let Some(parent) = &raw.parent {
            let wanted = parent.get_ref();
            if !before.iter().any(|c| c.name == *wanted) {
                let problem = format!("the parent {wanted:?} is not a [[ca]] above this one");
                return Err(self.at(parent.span().start, problem));
            }
        }
        let kind = if raw.parent.is_some() { Kind::Intermediate } else { Kind::Root };
        let profile = self.profile(&raw.profile, kind)?;
        let subject = self
            .subject(&profile, Some(&raw.subject))?
            .build()
            .map_err(|e| self.at(raw.subject.span().start, e))?;
        let parent = raw.parent.as_ref().map(|p| p.get_ref().clone());
        let token = raw.token.as_ref().map(|text| self.token(text, raw)).transpose()?;
        if token.is_none() && raw.existing_key {
            return Err(self.at(raw.name.span().start, "`existing_key` needs `token`"));
        }
        let days = self.days(raw.days.as_ref())?;
        Ok(CaSpec { name, parent, profile, subject, days, token })
    }

    /// A validity, within the same bounds as that of a profile.
    fn days(&self, raw: Option<&Spanned<i64>>) -> Result<Option<u32>, RolloutError> {
        let Some(raw) = raw else { return Ok(None) };
        let days = profile::days(*raw.get_ref()).map_err(|days| {
            let problem = format!("days = {days} is not between 1 and {MAX_VALIDITY_DAYS}");
            self.at(raw.span().start, problem)
        })?;
        Ok(Some(days))
    }

    fn token(&self, text: &Spanned<String>, raw: &RawCa) -> Result<TokenSpec, RolloutError> {
        let problem = match text.get_ref().parse::<KeyUri>() {
            Ok(uri) if uri.module.is_none() => {
                "the URI has no module-path: append ?module-path=FILE".to_owned()
            }
            Ok(uri) => {
                let uri = uri.with_module_from(&self.path(Path::new("")));
                return Ok(TokenSpec { uri, existing_key: raw.existing_key });
            }
            Err(e) => e.to_string(),
        };
        Err(self.at(text.span().start, problem))
    }

    fn devices(&self, raw: &RawDevices, ca: String) -> Result<DevicesSpec, RolloutError> {
        let profile = self.profile(&raw.profile, Kind::Device)?;
        let subject = self.subject(&profile, raw.subject.as_ref())?;
        if subject.has("CN") {
            let offset = raw.subject.as_ref().map_or(0, |s| s.span().start);
            return Err(self.at(offset, "a device's CN is its id: leave CN out"));
        }
        Ok(DevicesSpec {
            from: self.path(&raw.from),
            list: ListOptions { id_column: raw.id_column.clone() },
            ca,
            profile,
            subject,
            days: self.days(raw.days.as_ref())?,
            out: self.path(raw.out.get_ref()),
            bundle: raw.bundle.get_ref().clone(),
        })
    }

    fn tenant(
        &self,
        tenant: &RawTenant,
        raw: &Raw<RawTenant>,
        known: impl Fn(&Spanned<String>) -> Result<String, RolloutError>,
    ) -> Result<TenantSpec, RolloutError> {
        let is_made = raw.registration.is_some();
        if let Some(wanted) = tenant.register.as_ref().filter(|w| *w.get_ref() && !is_made) {
            let problem = "register needs a [registration] that makes the file";
            return Err(self.at(wanted.span().start, problem));
        }
        let (chunk, rate) = (tenant.chunk.as_ref(), tenant.rate.as_ref());
        let none = [
            ("chunk", chunk.filter(|n| *n.get_ref() == 0).map(Spanned::span)),
            ("rate", rate.filter(|n| *n.get_ref() == 0).map(Spanned::span)),
            (
                "mqtt_port",
                tenant.mqtt_port.as_ref().filter(|n| *n.get_ref() == 0).map(Spanned::span),
            ),
        ];
        if let Some((key, span)) = none.into_iter().find_map(|(key, span)| Some((key, span?))) {
            return Err(self.at(span.start, format!("`{key}` is 0: give at least 1")));
        }
        Ok(TenantSpec {
            section: tenant.section.clone(),
            host: tenant.host.clone(),
            mqtt_port: tenant.mqtt_port.as_ref().map_or(CLASSIC_PORT, |n| *n.get_ref()),
            cas: tenant.cas.iter().map(known).collect::<Result<_, _>>()?,
            auto_registration: tenant.auto_registration,
            prove: tenant.prove,
            register: tenant.register.as_ref().map_or(is_made, |w| *w.get_ref()),
            chunk: tenant.chunk.as_ref().map_or(CHUNK, |n| *n.get_ref()),
            rate: tenant.rate.as_ref().map(|n| *n.get_ref()),
        })
    }

    fn registration(
        &self,
        raw: RawRegistration,
        section: Option<&str>,
    ) -> Result<RegistrationSpec, RolloutError> {
        let separator = match &raw.separator {
            None => None,
            Some(text) => Some(parse_separator(text.get_ref()).ok_or_else(|| {
                let problem = format!("separator {:?} is not one of ; , tab", text.get_ref());
                self.at(text.span().start, problem)
            })?),
        };
        let mut defaults = raw.set;
        defaults.extend(raw.r#type.map(|v| ("TYPE".to_owned(), v)));
        defaults.extend(raw.name.map(|v| ("NAME".to_owned(), v)));
        for value in defaults.values() {
            check_placeholders(value.get_ref()).map_err(|e| self.at(value.span().start, e))?;
        }
        let defaults = defaults.into_iter().map(|(k, v)| (k, v.into_inner())).collect();
        let settings = Settings { separator, defaults, no_agent: false, one_time_passwords: false };
        let file = self.path(&raw.file);
        // Each tenant has answers of its own.
        let of = section.map_or_else(String::new, |name| format!("{name}."));
        let result = file.with_extension(format!("{of}result.csv"));
        Ok(RegistrationSpec { file, result, settings })
    }
}

/// A separator by its character or name.
pub fn parse_separator(text: &str) -> Option<char> {
    SEPARATORS.iter().find(|(c, name)| text == c.to_string() || text == *name).map(|(c, _)| *c)
}
