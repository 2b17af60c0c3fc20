//! The causes of a symptom: the rows of the table that count, and what the tenant makes of them.

use super::super::service;
use super::table::{self, When};
use super::tenant::{self, Certainty};
use super::{Cause, Facts, Symptom, symptoms, tls, verdict};

/// The causes of a symptom, the first to check first: what is shown, what the tenant confirms, then
/// what is likely. Never empty.
pub fn causes(symptom: Symptom, facts: &Facts) -> Vec<Cause> {
    let rows = symptoms::rows(symptom).iter().filter(|(when, ..)| counts(*when, facts));
    let mut found: Vec<Cause> = Vec::new();
    let mut add = |cause: Cause| {
        if found.iter().all(|f| f.code != cause.code) {
            found.push(cause);
        }
    };
    let unlisted = facts.unlisted.filter(|_| symptom.may_come_of_the_list());
    let list = unlisted.iter().map(|_| tls::not_in_list(facts));
    list.chain(rows).filter_map(|row| cause(row, facts)).for_each(&mut add);
    if let Some(says) = facts.tenant.as_ref().filter(|_| symptom.is_for_the_tenant()) {
        // What the tenant says counts, also where the server has refused in an unusual way.
        let more = table::OF_TENANT.iter().filter(|(when, ..)| {
            !matches!(when, When::OwnAuthority | When::OtherAuthority) || counts(*when, facts)
        });
        let more = more.filter_map(|row| cause(row, facts));
        more.filter(|c| c.certainty == Certainty::Confirmed).for_each(&mut add);
        found.sort_by_key(|c| (c.certainty, !tenant::stands_out(c.code, says)));
    }
    if facts.listed && matches!(symptom, Symptom::Alert(_)) {
        found.sort_by_key(|c| (c.certainty, tls::is_of_an_unknown_ca(c.code)));
    }
    if facts.asked == Some(false) && found.iter().any(|c| c.certainty == Certainty::Shown) {
        found.retain(|c| c.is_certain() || !table::is_of_the_certificate(c.code));
    }
    if let Some(of_chain) = verdict::that_counts(facts).filter(|_| symptom.is_for_the_tenant()) {
        verdict::weigh(&mut found, of_chain, facts);
    }
    if found.is_empty() {
        // The tenant excludes what the server says: who is right, is for people to see.
        return causes(symptom, &Facts { tenant: None, ..facts.clone() });
    }
    found
}

/// A row with its facts; none if the tenant's answers exclude it.
fn cause((when, code, cause, remedy): &table::Row, facts: &Facts) -> Option<Cause> {
    let certainty = match (when, &facts.tenant) {
        (When::NotAsked | When::ServerLongExpired, _) => Certainty::Shown,
        (When::SmartRestOff, _) if facts.smart_rest == Some(false) => Certainty::Confirmed,
        (_, Some(says)) => tenant::judge(code, facts, says)?,
        _ => Certainty::Likely,
    };
    let remedy = match remedy {
        table::Remedy::Say(text) => fill(text, facts).into(),
        table::Remedy::Do(hint) => hint(facts),
    };
    let cause = fill(cause, facts);
    Some(Cause { code, cause, remedy, certainty })
}

fn counts(when: When, facts: &Facts) -> bool {
    match when {
        When::Always => true,
        When::NotAsked => facts.asked == Some(false),
        When::UploadedUnknown => !facts.uploaded_is_presented,
        When::LongChain => facts.chain_length > 2,
        When::KeyUnsuited => facts.asked == Some(true) && !facts.key_suits,
        When::OwnTruststore => facts.truststore.is_some(),
        When::SystemTrust => facts.truststore.is_none(),
        When::ServerLongExpired => facts.server_expired_before,
        When::OwnAuthority => own_authority(facts) == Some(true),
        When::OtherAuthority => own_authority(facts) != Some(true),
        When::OtherPort => {
            !facts.service && !matches!(facts.port, service::CLASSIC_PORT | service::PORT)
        }
        When::Classic => !facts.service,
        When::Service => facts.service,
        When::ServiceUser => facts.service && facts.user.is_some(),
        When::SmartRestOff => facts.service && facts.smart_rest != Some(true),
        When::SmartRestOn => facts.service && facts.smart_rest == Some(true),
    }
}

/// Whether the CA that was renewed is the platform's own.
fn own_authority(facts: &Facts) -> Option<bool> {
    Some(facts.tenant.as_ref()?.renewed.as_ref()?.own)
}

fn fill(text: &str, facts: &Facts) -> String {
    let chain = match facts.chain_length {
        1 => "its certificate alone".to_owned(),
        n => format!("{n} certificates"),
    };
    let listed = match facts.unlisted {
        Some(1) => "1 CA".to_owned(),
        n => format!("{} CAs", n.unwrap_or_default()),
    };
    let truststore = facts.truststore.as_deref().unwrap_or("of the system");
    let says = facts.tenant.as_ref();
    let renewed = says.and_then(|says| says.renewed.as_ref());
    let day = |at: time::OffsetDateTime| at.date().to_string();
    let until = renewed.and_then(|r| r.until).map_or_else(|| "another day".to_owned(), day);
    let presented = renewed.map_or_else(String::new, |r| day(r.presented_until));
    text.replace("{id}", &facts.id)
        .replace("{until}", &until)
        .replace("{presented_until}", &presented)
        .replace("{host}", &facts.host)
        .replace("{port}", &facts.port.to_string())
        .replace("{user}", facts.user.as_deref().unwrap_or_default())
        .replace("{ca}", facts.ca())
        .replace("{listed}", &listed)
        .replace("{chain}", &chain)
        .replace("{truststore}", truststore)
}
