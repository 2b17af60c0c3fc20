//! What the tenant says of a device that is refused, as facts for the diagnosis.
//!
//! Of several uploaded certificates that a device leads to, one that lets it in counts; if none does,
//! the nearest to the device. A tenant that tells nothing is a note, no failure.

use super::super::diagnosis::{RenewedCa, TenantSays};
use super::{EarlyEnd, Run, Why};
use crate::cert::Certificate;
use crate::client_id::DeviceId;
use crate::failure::{Hint, Task};
use crate::platform::standing::{Anchor, Standing};

impl Run<'_> {
    pub(super) fn ask_tenant(
        &mut self,
        failure: &EarlyEnd,
        presented: &[Certificate],
        device: &DeviceId,
    ) {
        let Why::Symptom(symptom) = &failure.why else { return };
        let Some(inquiry) = self.check.tenant else { return };
        if !symptom.is_for_the_tenant() {
            return;
        }
        let standing = inquiry.ask(presented, device.as_str());
        let untold = standing.unanswered.iter();
        let untold =
            untold.map(|reason| format!("the tenant does not answer all questions: {reason}"));
        let mut untold: Vec<String> = untold.collect();
        if standing.tenant.is_some() {
            let target = &self.check.target.host;
            let says = says(&standing, presented, target);
            if says.same_host == Some(false) {
                let asked = says.host.as_deref().unwrap_or_default();
                untold.push(format!(
                    "the tenant was asked at {asked}, but the device connects to {target}: if that is \
                     another tenant, these answers are not about it"
                ));
            }
            if (says.revoked, says.revocation_checked) == (Some(true), Some(false)) {
                untold.push(in_vain());
            }
            self.facts.tenant = Some(says);
            untold.extend(self.ask_verdict(presented));
        }
        self.untold = Some(untold);
    }
}

/// What is said of a revocation that does not count.
fn in_vain() -> String {
    let what = "the certificate is in the tenant's list of revocations, and the tenant does not look at that list";
    format!("{what}; {}", Hint::run("switch the check on", Task::EnableCrlCheck))
}

/// What it says of the certificate that counts.
fn says(standing: &Standing, presented: &[Certificate], target: &str) -> TenantSays {
    let anchors = standing.anchors.as_deref().unwrap_or_default();
    let mut all = anchors.iter().map(|anchor| of(standing, Some(anchor), presented, target));
    let nearest = all.next().unwrap_or_else(|| of(standing, None, presented, target));
    if !nearest.ca_refuses() {
        return nearest;
    }
    all.find(|says| !says.ca_refuses()).unwrap_or(nearest)
}

fn of(
    standing: &Standing,
    anchor: Option<&Anchor>,
    presented: &[Certificate],
    target: &str,
) -> TenantSays {
    let renewed = standing.renewed.as_ref();
    let trusted = anchor.map(|anchor| &anchor.trusted);
    let trusted = trusted.or(renewed.map(|r| &r.trusted)).or(standing.above.as_ref());
    let is_valid = |at| presented.iter().all(|c| c.not_before <= at && at <= c.not_after);
    let known = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    TenantSays {
        id: standing.tenant.clone(),
        host: standing.hosts.first().cloned(),
        uploaded: standing.anchors.as_ref().map(|_| trusted.is_some()),
        name: trusted.and_then(|t| known(&t.name)),
        subject: trusted.and_then(|t| known(&t.subject)),
        status: trusted.and_then(|t| known(&t.status)),
        auto_registration: trusted.map(|t| t.auto_registration_enabled),
        proof: trusted.map(|t| t.proof_of_possession_valid),
        presented: trusted.map(|_| anchor.is_some_and(|anchor| anchor.presented)),
        registered: standing.registered,
        revoked: standing.revoked,
        revocation_checked: standing.revocation_checked,
        renewed: renewed.map(|renewed| RenewedCa {
            fingerprint: renewed.trusted.fingerprint.clone(),
            until: renewed.trusted.not_after,
            presented_until: renewed.presented_until,
            own: renewed.trusted.tenant_certificate_authority,
        }),
        valid: standing.time.map(is_valid),
        same_host: Some(standing.hosts.iter().any(|host| host.eq_ignore_ascii_case(target))),
        length: anchor
            .map(|anchor| anchor.length)
            .or(renewed.map(|renewed| renewed.length))
            .unwrap_or(presented.len() + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::trusted::TrustedCertificate;

    fn anchor(name: &str, length: usize, status: &str, more: &str) -> Anchor {
        let text = format!(r#"{{"fingerprint":"ab","name":"{name}","status":"{status}"{more}}}"#);
        let trusted: TrustedCertificate = serde_json::from_str(&text).unwrap();
        Anchor { length, presented: true, trusted }
    }

    fn name(standing: &Standing) -> Option<String> {
        says(standing, &[], "acme.example.com").name
    }

    #[test]
    fn of_several_one_that_lets_the_device_in_counts() {
        let open = r#","autoRegistrationEnabled":true,"proofOfPossessionValid":true"#;
        let with = |anchors: Vec<Anchor>, registered| Standing {
            anchors: Some(anchors),
            registered,
            ..Standing::default()
        };
        let both = vec![anchor("Line", 2, "DISABLED", open), anchor("Root", 3, "ENABLED", open)];
        assert_eq!(name(&with(both, Some(false))).as_deref(), Some("Root"));
        let neither = vec![anchor("Line", 2, "DISABLED", ""), anchor("Root", 3, "DISABLED", "")];
        assert_eq!(name(&with(neither, None)).as_deref(), Some("Line"));
        // Without proof it counts up to a chain of two, and unregistered not at all.
        let unproven = vec![anchor("Line", 3, "ENABLED", ""), anchor("Root", 4, "ENABLED", open)];
        assert_eq!(name(&with(unproven, Some(true))).as_deref(), Some("Root"));
        let short = vec![anchor("Line", 2, "ENABLED", ""), anchor("Root", 3, "ENABLED", open)];
        assert_eq!(name(&with(short.clone(), Some(true))).as_deref(), Some("Line"));
        assert_eq!(name(&with(short, Some(false))).as_deref(), Some("Root"));
    }

    #[test]
    fn what_is_not_told_is_not_made_up() {
        let told = says(&Standing::default(), &[], "acme.example.com");
        assert_eq!((told.uploaded, told.status, told.proof), (None, None, None));
        assert_eq!((told.presented, told.valid, told.revoked), (None, None, None));
        let none = Standing { anchors: Some(Vec::new()), ..Standing::default() };
        let told = says(&none, &[], "acme.example.com");
        assert_eq!((told.uploaded, told.name, told.presented), (Some(false), None, None));
        let hosts = Standing { hosts: vec!["ACME.example.com".to_owned()], ..none };
        assert_eq!(says(&hosts, &[], "acme.example.com").same_host, Some(true));
    }
}
