//! The steps that need no network: what the device's own files show.

use super::super::credentials::{CredentialError, Credentials};
use super::super::diagnosis::{Cause, Certainty};
use super::{Ended, Run, StepName, Verdict, Why, failed, file_cause, wrong_files};
use crate::cert::Certificate;
use crate::chain::{self, ChainError, DeviceFinding, nth};
use crate::client_id::DeviceId;
use crate::failure::{Failure, Hint, Task};

impl Run<'_> {
    pub(super) fn files(
        &mut self,
        read: Result<Credentials, CredentialError>,
    ) -> Ended<Credentials> {
        let credentials = read.map_err(|e| {
            let verdict = Verdict::of(&e);
            let remedy = e.hint_for(self.device.as_ref());
            let remedy = remedy.unwrap_or_else(|| "give the files of the device".into());
            let cause = file_cause("files", e.to_string(), remedy);
            failed(StepName::Files, e.to_string(), verdict, Why::Shown(vec![cause]))
        })?;
        let mut detail = credentials.from.display().to_string();
        if let Some(trusted) = &credentials.trusted {
            detail = format!("{detail}; truststore {}", trusted.from.display());
            self.facts.truststore = Some(trusted.from.display().to_string());
            for alias in &trusted.unseen_by_java {
                self.notes.push(format!(
                    "Java does not see {alias:?} in {}: the entry is not marked as trusted; {}",
                    trusted.from.display(),
                    Hint::run("make the file anew", Task::CreateStore)
                ));
            }
        }
        self.ok(StepName::Files, detail);
        Ok(credentials)
    }

    /// Key, chain and validity. The device's identifier is known afterwards.
    pub(super) fn judge(&mut self, credentials: &Credentials) -> Ended<DeviceId> {
        self.key(credentials)?;
        let device = self.chain(&credentials.chain)?;
        self.validity(&credentials.chain)?;
        Ok(device)
    }

    fn key(&mut self, credentials: &Credentials) -> Ended {
        let key = credentials.key.algorithm();
        if credentials.key_fits() {
            self.ok(StepName::Key, format!("{key}, belongs to the certificate"));
            return Ok(());
        }
        let leaf = credentials.leaf().map(|c| c.subject.to_string()).unwrap_or_default();
        let detail = format!("the key does not belong to the first certificate ({leaf})");
        let keys = |c: &Certificate| c.public_key.as_ref() == Ok(credentials.key.public_key());
        let (code, remedy) = match credentials.chain.iter().position(keys) {
            Some(at) => (
                "chain-order",
                Hint::run(
                    format!("{} is that of the key, put it first", nth(at)),
                    Task::OrderChain,
                ),
            ),
            None => (
                "key-mismatch",
                Hint::say("use a key and a chain that were issued together").then(Hint::run(
                    "see the one in force",
                    Task::ShowDevice {
                        id: self
                            .device
                            .clone()
                            .or(credentials.device().ok())
                            .map_or_else(|| "ID".to_owned(), |device| device.to_string()),
                    },
                )),
            ),
        };
        let cause = file_cause(code, detail.clone(), remedy);
        Err(wrong_files(StepName::Key, detail, vec![cause]))
    }

    fn chain(&mut self, presented: &[Certificate]) -> Ended<DeviceId> {
        let device = match self.device.clone() {
            Some(device) => device,
            None => self.named_by(presented)?,
        };
        self.facts.id = device.to_string();
        self.facts.chain_length = presented.len();
        self.facts.ends_with_root = presented.last().is_some_and(Certificate::is_self_issued);
        let uploaded = self.check.uploaded;
        self.facts.ca = ca_to_upload(presented, uploaded);
        let known = presented.iter().find(|c| uploaded.contains(c));
        let only = if let [_, only] = presented { Some(only) } else { None };
        self.facts.ca_fingerprint = known.or(only).map(Certificate::fingerprint_sha1);
        self.facts.uploaded_is_presented = presented.iter().any(|c| uploaded.contains(c));
        self.device = Some(device.clone());
        let mut findings = chain::check_device(presented, uploaded, &device, self.check.longest);
        self.of_service(&mut findings, device.as_str());
        let (notes, faults): (Vec<_>, Vec<_>) = findings.into_iter().partition(|f| f.is_note());
        // That nobody said which CA is uploaded is no news to who did not say it. A proof that is missing
        // shows when the platform refuses, and is a cause then.
        let worth = |finding: &&DeviceFinding| {
            !matches!(
                finding,
                DeviceFinding::UploadedCaUnknown | DeviceFinding::ProofOfPossession(_)
            )
        };
        self.notes.extend(notes.iter().filter(worth).map(ToString::to_string));
        let mut causes: Vec<Cause> = faults.iter().map(of_finding).collect();
        if causes.is_empty() {
            causes.extend(self.broken_path(presented));
        }
        if !self.is_overruled(presented, &causes)
            && let Some(first) = causes.first()
        {
            let detail = first.cause.clone();
            return Err(wrong_files(StepName::Chain, detail, causes));
        }
        let length = match presented.len() {
            1 => "1 certificate".to_owned(),
            n => format!("{n} certificates"),
        };
        let uploaded = match self.facts.uploaded_is_presented {
            true => ", the uploaded CA among them",
            false => "",
        };
        let refused = match self.facts.ours {
            Some(_) => "; the platform accepts it, our own check does not",
            None => "",
        };
        self.ok(StepName::Chain, format!("{length} for {device}{uploaded}{refused}"));
        Ok(device)
    }

    fn named_by(&self, presented: &[Certificate]) -> Ended<DeviceId> {
        let name = presented.first().and_then(|leaf| leaf.subject.common_name());
        let again = "issue the certificate again with the device id as common name";
        let Some(name) = name else {
            let detail = "the device's own certificate has no common name".to_owned();
            let cause = file_cause("no-common-name", detail.clone(), again.to_owned());
            return Err(wrong_files(StepName::Chain, detail, vec![cause]));
        };
        // The MQTT Service takes `d:X` as the common name of X.
        let own = name.strip_prefix("d:").filter(|_| self.check.service.is_some()).unwrap_or(name);
        DeviceId::parse(own).map_err(|e| {
            let detail = format!("the common name of the certificate is no device id: {e}");
            let remedy = e.hint().map_or_else(|| again.into(), |hint| Hint::say(again).then(hint));
            let code = if name.contains(':') { "colon" } else { "common-name" };
            let cause = file_cause(code, detail.clone(), remedy);
            wrong_files(StepName::Chain, detail, vec![cause])
        })
    }

    /// What RFC 5280 says of the path, dates aside: those have a step of their own. What it asks of
    /// issuers only is a note.
    fn broken_path(&mut self, presented: &[Certificate]) -> Option<Cause> {
        let (leaf, rest) = presented.split_first()?;
        let anchor = std::slice::from_ref(rest.last()?);
        let options = chain::Options::new(self.check.at).up_to(self.check.longest);
        let error = match chain::verify(leaf, rest, anchor, &options) {
            Ok(path) => {
                let warnings = path.warnings().iter().filter(|w| !w.rule.is_advice());
                self.notes.extend(warnings.map(ToString::to_string));
                return None;
            }
            Err(error) => error,
        };
        let of_dates = matches!(error.code(), "expired" | "not-yet-valid");
        (!of_dates).then(|| of_chain_error(&error))
    }

    fn validity(&mut self, presented: &[Certificate]) -> Ended {
        let at = self.check.at;
        for (position, cert) in presented.iter().enumerate() {
            let which = match position {
                0 => "the device's own certificate".to_owned(),
                above => nth(above),
            };
            let what = format!("{which} ({})", cert.subject);
            let (detail, causes) = if at > cert.not_after {
                let renew = match position {
                    0 => Hint::run("renew it", Task::RenewDevice { id: self.facts.id.clone() }),
                    _ => Hint::run("renew it", Task::RenewCa { ca: None, new_key: false })
                        .then(Hint::run("then upload it again", Task::UploadOwnCa { ca: None })),
                };
                let detail = format!("{what} expired at {}", shown(cert.not_after));
                let clock = "if this machine's clock is ahead, set it (NTP)";
                let expired = file_cause("expired", detail.clone(), renew);
                let ahead = format!("by this machine's clock it is {}", shown(at));
                let ahead = Cause {
                    certainty: Certainty::Likely,
                    ..file_cause("clock-ahead", ahead, clock)
                };
                (detail, vec![expired, ahead])
            } else if at < cert.not_before {
                let detail = format!("{what} is not valid before {}", shown(cert.not_before));
                let behind = format!("this machine's clock says {}: it is behind", shown(at));
                let clock = "set the clock (NTP); for clocks that are a little behind, use a profile with \
                             backdate_minutes";
                let clock = Cause {
                    certainty: Certainty::Likely,
                    ..file_cause("clock-behind", behind, clock)
                };
                let wait = "wait until then";
                (detail.clone(), vec![clock, file_cause("not-yet-valid", detail, wait)])
            } else {
                continue;
            };
            return Err(wrong_files(StepName::Validity, detail, causes));
        }
        let first_end = presented.iter().map(|c| c.not_after).min().unwrap_or(at);
        self.ok(StepName::Validity, format!("until {}", shown(first_end)));
        Ok(())
    }
}

/// The CA of the chain that is known to be uploaded; else all of them: one has to be.
fn ca_to_upload(presented: &[Certificate], uploaded: &[Certificate]) -> String {
    let known = presented.iter().find(|c| uploaded.contains(c));
    match (known, presented) {
        (Some(known), _) => known.subject.to_string(),
        (None, [leaf]) => leaf.issuer.to_string(),
        (None, all) => {
            let above = all.iter().skip(1).map(|c| c.subject.to_string());
            above.collect::<Vec<_>>().join(" or ")
        }
    }
}

fn of_finding(finding: &DeviceFinding) -> Cause {
    let remedy = finding.hint().unwrap_or_else(|| "issue the certificate again".into());
    file_cause(finding.code(), finding.to_string(), remedy)
}

fn of_chain_error(error: &ChainError) -> Cause {
    let remedy = error.hint().unwrap_or_else(|| "issue the certificate again".into());
    file_cause(error.code(), error.to_string(), remedy)
}

fn shown(at: time::OffsetDateTime) -> String {
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    at.to_offset(time::UtcOffset::UTC).format(format).unwrap_or_else(|_| at.to_string())
}
