//! A certificate, held to what its profile would make of it now: it is laid out anew for the same key and dates, without
//! a signature, and compared field by field. So whatever a profile can say is compared.

use time::{Duration, OffsetDateTime};

use crate::cert::{Certificate, Serial};
use crate::crypto::{CryptoError, KeyType, PublicKey, SignatureAlgorithm};
use crate::inspect;
use crate::issue::{self, IssueError, Issuer, Order, Template, Validity};
use crate::key::signer::Signer;
use crate::name::{Name, NameTemplate};
use crate::profile::Profile;

/// A field that is not as the profile makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// Its name, as in RFC 5280, or `key`.
    pub(super) name: String,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

/// A key of which only the public half is here: what is laid out with it has no signature, and goes nowhere.
#[derive(Debug)]
struct Unsigned<'a>(&'a PublicKey);

impl Signer for Unsigned<'_> {
    fn public_key(&self) -> &PublicKey {
        self.0
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::Ed25519
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Ok(Vec::new())
    }

    fn sign_sha256(&self, _: &[u8]) -> Result<Vec<u8>, CryptoError> {
        Ok(Vec::new())
    }
}

/// The fields of a CA's certificate that its profile would make otherwise. `chain` begins with it.
///
/// Errors: why it cannot be compared, in words.
pub(super) fn of_ca(
    profile: &Profile,
    chain: &[Certificate],
    longest: crate::cert::LongestChain,
) -> Result<Vec<Field>, String> {
    let (own, above) = chain.split_first().ok_or("it has no certificate")?;
    let words = |e: IssueError| e.to_string();
    let key = own.public_key.as_ref().map_err(ToString::to_string)?;
    let order = Order {
        profile,
        subject: &own.subject,
        public_key: key,
        serial: own.serial.clone(),
        validity: validity_of(own),
        path_length: issue::path_length(profile.path_length, above, longest).map_err(words)?,
    };
    let wanted = match above.first() {
        None => issue::self_sign(&order, &Unsigned(key)),
        Some(parent) => {
            let signer = Unsigned(parent.public_key.as_ref().map_err(ToString::to_string)?);
            let at = own.not_before.clamp(parent.not_before, parent.not_after);
            Issuer::new(parent, &signer, at).and_then(|issuer| issue::issue(&order, &issuer))
        }
    };
    Ok(fields(profile, &wanted.map_err(words)?, own))
}

/// Lays out device certificates of one CA as a profile and a subject would make them now.
pub(super) struct Wanted<'a> {
    profile: &'a Profile,
    issuer: &'a Certificate,
    key: &'a PublicKey,
    subject: NameTemplate,
}

impl<'a> Wanted<'a> {
    /// None for a CA whose key cannot be read.
    pub(super) fn of(
        profile: &'a Profile,
        subject: NameTemplate,
        issuer: &'a Certificate,
    ) -> Option<Self> {
        let key = issuer.public_key.as_ref().ok()?;
        Some(Self { profile, issuer, key, subject })
    }

    /// The subject that the device would have.
    pub(super) fn subject(&self, id: &str) -> Option<Name> {
        Name::from_der(&self.subject.fill(id).ok()?).ok()
    }

    /// The fields of the certificate of the device `id` that would be made otherwise. In its names beside the subject
    /// the id is written `{id}`, as in the profile: so what is alike in many devices is told once.
    ///
    /// Errors: why it cannot be compared, in words.
    pub(super) fn compare(&self, id: &str, own: &Certificate) -> Result<Vec<Field>, String> {
        let words = |e: IssueError| e.to_string();
        let key = own.public_key.as_ref().map_err(ToString::to_string)?;
        let signer = Unsigned(self.key);
        let validity = validity_of(own);
        // A certificate of another CA may end later than this one: its dates are compared apart.
        let end = validity.not_after.min(self.issuer.not_after);
        let validity = Validity { not_after: end, ..validity };
        let at = own.not_before.clamp(self.issuer.not_before, self.issuer.not_after);
        let issuer = Issuer::new(self.issuer, &signer, at).map_err(words)?;
        let template = Template::new(self.profile, validity, None, &issuer).map_err(words)?;
        let serial = Serial::from_octets(own.serial.bytes());
        let names = self.profile.extensions.alt_names_of(id).map_err(|e| e.to_string())?;
        let made = template.issue_named(own.subject.der(), &names, key, serial).map_err(words)?;
        let wanted = Certificate::from_der(&made.der).map_err(|e| e.to_string())?;
        let mut fields = fields(self.profile, &wanted, own);
        if !own.issuer.matches(&self.issuer.subject) {
            // That it is another CA's is told once.
            fields.retain(|field| field.name != "authorityKeyIdentifier");
        }
        for field in fields.iter_mut().filter(|field| field.name == "subjectAltName") {
            for said in [&mut field.old, &mut field.new].into_iter().flatten() {
                *said = with_id_as_template(said, id);
            }
        }
        Ok(fields)
    }
}

/// A text with `{id}` wherever the id stands as a word of its own, and not inside another one.
fn with_id_as_template(text: &str, id: &str) -> String {
    let is_of_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut said = String::new();
    let mut end = 0;
    for (start, _) in text.match_indices(id) {
        let after = start + id.len();
        let inside = is_of_word(text[..start].chars().next_back())
            || is_of_word(text[after..].chars().next());
        if !inside {
            said.push_str(&text[end..start]);
            said.push_str("{id}");
            end = after;
        }
    }
    said + &text[end..]
}

fn validity_of(own: &Certificate) -> Validity {
    Validity { not_before: own.not_before, not_after: own.not_after, counted_from: own.not_before }
}

fn fields(profile: &Profile, wanted: &Certificate, found: &Certificate) -> Vec<Field> {
    let mut fields = Vec::new();
    let key = found.public_key.as_ref().ok().map(PublicKey::algorithm);
    let is_fit = key.and_then(KeyType::of) == Some(profile.key);
    if let Some(key) = key.filter(|_| !is_fit) {
        let (old, new) = (Some(key.to_string()), Some(profile.key.to_string()));
        fields.push(Field { name: "key".to_owned(), old, new });
    }
    let (there, new) = (inspect::extensions_of(found), inspect::extensions_of(wanted));
    let oids = new.iter().chain(there.iter().filter(|own| new.iter().all(|v| v.oid != own.oid)));
    for view in oids {
        let (oid, name) = (&view.oid, &view.name);
        let raw = |of: &Certificate| of.extension(oid).map(|e| (e.critical, e.value.clone()));
        if raw(wanted) == raw(found) {
            continue;
        }
        let said = |all: &[inspect::ExtensionView]| {
            let view = all.iter().find(|view| view.oid == *oid)?;
            let critical = if view.critical { " (critical)" } else { "" };
            Some(format!("{}{critical}", view.value))
        };
        fields.push(Field { name: name.clone(), old: said(&there), new: said(&new) });
    }
    fields
}

/// How long a certificate is valid and how long the profile or `days` would make it, in words, if that differs. One
/// that ends with an issuer (`ends`) was shortened, as the next one would be.
pub(super) fn days(
    (profile, days): (&Profile, Option<u32>),
    own: &Certificate,
    ends: &[OffsetDateTime],
) -> Option<(String, String)> {
    let before = Duration::minutes(profile.backdate_minutes.into());
    let usual = Duration::days(days.unwrap_or(profile.validity_days).into());
    let found = own.not_after - own.not_before;
    let is_shortened = days.is_none() && found < usual + before && ends.contains(&own.not_after);
    if found == usual + before || is_shortened {
        return None;
    }
    let days = |span: Duration| match span.whole_days() {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    // How much earlier it begins than it was issued is no part of the days that people ask for.
    let is_as_early = (found - before).whole_seconds() % Duration::DAY.whole_seconds() == 0;
    let less = if is_as_early { before } else { Duration::ZERO };
    let (old, new) = (found - less, usual + before - less);
    if days(old) != days(new) {
        return Some((days(old), days(new)));
    }
    let in_full = |span: Duration| {
        let rest = (span - Duration::days(span.whole_days())).whole_minutes();
        format!("{} and {rest} {}", days(span), if rest == 1 { "minute" } else { "minutes" })
    };
    Some((in_full(old), in_full(new)))
}

/// The days in words of [`days`], without minutes.
pub(super) fn whole_days(words: &str) -> &str {
    words.split(" and ").next().unwrap_or(words)
}

/// That a certificate has run out, in words.
pub(super) fn expired(own: &Certificate, now: OffsetDateTime) -> Option<String> {
    (own.not_after < now).then(|| format!("expired on {}", own.not_after.date()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(profile: &Profile, days: Option<u32>, found: Duration) -> Option<(String, String)> {
        let start = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        let name = Name::parse("CN=gw-1").unwrap();
        let key = crate::key::PrivateKey::generate(KeyType::EcP256).unwrap();
        let root = Profile::built_in("root").unwrap().with_key(KeyType::EcP256).unwrap();
        let order = Order {
            profile: &root,
            subject: &name,
            public_key: key.public_key(),
            serial: Serial::random().unwrap(),
            validity: Validity { not_before: start, not_after: start + found, counted_from: start },
            path_length: None,
        };
        let own = issue::self_sign(&order, &key).unwrap();
        super::days((profile, days), &own, &[])
    }

    #[test]
    fn an_id_is_a_word() {
        let said = |text, id| with_id_as_template(text, id);
        assert_eq!(
            said("URI:urn:dev:gw-1, DNS:gw-1.local", "gw-1"),
            "URI:urn:dev:{id}, DNS:{id}.local"
        );
        assert_eq!(said("URI:urn:dev:gw-11", "gw-1"), "URI:urn:dev:gw-11");
        assert_eq!(said("DNS:example.com, DNS:a", "a"), "DNS:example.com, DNS:{id}");
        assert_eq!(said("URI:urn:é1é, 1", "1"), "URI:urn:é1é, {id}");
    }

    #[test]
    fn days_are_those_that_were_asked_for() {
        let profile = Profile::built_in("device").unwrap();
        let said = |days, found| said(&profile, days, found);
        let hour = Duration::HOUR;
        let words = |old: &str, new: &str| Some((old.to_owned(), new.to_owned()));
        assert_eq!(said(None, Duration::days(365) + hour), None);
        assert_eq!(said(Some(1), Duration::days(365) + hour), words("365 days", "1 day"));
        // Another backdating: neither less than the whole is, nor more.
        let longer = "365 days and 60 minutes";
        let found = Duration::days(365) + hour * 2;
        assert_eq!(said(None, found), words("365 days and 120 minutes", longer));
        let found = Duration::days(365) + Duration::MINUTE;
        assert_eq!(said(None, found), words("365 days and 1 minute", longer));
        assert_eq!(said(Some(100), found), words("365 days", "100 days"));
        assert_eq!(said(None, Duration::days(365)), words("365 days and 0 minutes", longer));
    }
}
