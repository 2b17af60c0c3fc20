//! Name constraints (RFC 5280, 4.2.1.10): the syntax of names, and whether a name is within a
//! constraint.
//!
//! Names that could be read in two ways are refused as malformed before anything is compared: a
//! wildcard or leading dot in a DNS constraint, two `@` in a mailbox, an address without mask or in
//! the form of a DNS name.

use super::ChainError;
use super::budget::Budget;
use super::refusal::Refusal;
use super::rule::Rule;
use crate::cert::{Certificate, GeneralName, NameConstraints, oid};
use crate::crypto::hex;
use crate::name::Name;

/// Longest DNS name and label, in bytes (RFC 1035, 2.3.4).
const MAX_DNS: usize = 253;
const MAX_LABEL: usize = 63;

/// Applies the name constraints of every CA in `path` (leaf first) to the certificates below it.
/// Self-issued certificates are spared unless they are the leaf.
pub(super) fn check(path: &[&Certificate], budget: &mut Budget) -> Result<(), ChainError> {
    for (by, ca) in path.iter().enumerate().skip(1) {
        // Malformed constraints were refused when the certificate was looked at by itself.
        let Ok(Some(constraints)) = ca.name_constraints() else { continue };
        budget.names(constraints.permitted.len() + constraints.excluded.len())?;
        for (position, cert) in path[..by].iter().enumerate() {
            if position > 0 && cert.is_self_issued() {
                continue;
            }
            let names = names_of(cert);
            budget.names(names.len())?;
            for name in names {
                if let Some(rule) = judge(&name, &constraints, by, budget)? {
                    return Err(Refusal { position, subject: cert.subject.clone(), rule }.into());
                }
            }
        }
    }
    Ok(())
}

/// The same for a subject and names beside it before there is a certificate; `cas` stand above it, its issuer first.
pub(super) fn check_names(
    subject: &Name,
    alt_names: &[GeneralName],
    cas: &[Certificate],
    budget: &mut Budget,
) -> Result<(), ChainError> {
    let mut names = vec![GeneralName::Directory(subject.clone())];
    match alt_names {
        [] => {
            let mailboxes = subject.values("emailAddress");
            names.extend(mailboxes.map(|m| GeneralName::Email(m.to_owned())));
        }
        some => names.extend(some.iter().cloned()),
    }
    for name in names {
        for (above, ca) in cas.iter().enumerate() {
            let Ok(Some(constraints)) = ca.name_constraints() else { continue };
            if let Some(rule) = judge(&name, &constraints, above + 1, budget)? {
                return Err(Refusal { position: 0, subject: subject.clone(), rule }.into());
            }
        }
    }
    Ok(())
}

/// All names that constraints apply to. A mailbox in the subject counts when there is no
/// subjectAltName, as the section demands.
fn names_of(cert: &Certificate) -> Vec<GeneralName> {
    let mut names = Vec::new();
    if !cert.subject.is_empty() {
        names.push(GeneralName::Directory(cert.subject.clone()));
    }
    if cert.extension(oid::SUBJECT_ALT_NAME).is_none() {
        let mailboxes = cert.subject.values("emailAddress");
        names.extend(mailboxes.map(|m| GeneralName::Email(m.to_owned())));
    }
    names.extend(cert.subject_alt_names().ok().flatten().into_iter().flatten());
    names
}

fn judge(
    name: &GeneralName,
    constraints: &NameConstraints,
    by: usize,
    budget: &mut Budget,
) -> Result<Option<Rule>, ChainError> {
    let form = name.form();
    let same_form = |c: &&GeneralName| c.form() == form;
    for excluded in constraints.excluded.iter().filter(same_form) {
        budget.names(1)?;
        match is_within(name, excluded, Side::Excluded) {
            None => return Ok(Some(Rule::NameNotComparable { form, by })),
            Some(true) => return Ok(Some(Rule::NameExcluded { form, name: text(name), by })),
            Some(false) => {}
        }
    }
    let mut constrained = false;
    for permitted in constraints.permitted.iter().filter(same_form) {
        budget.names(1)?;
        constrained = true;
        match is_within(name, permitted, Side::Permitted) {
            None => return Ok(Some(Rule::NameNotComparable { form, by })),
            Some(true) => return Ok(None),
            Some(false) => {}
        }
    }
    Ok(constrained.then(|| Rule::NameNotPermitted { form, name: text(name), by }))
}

/// For a wildcard: is every name it stands for within, or any?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Permitted,
    Excluded,
}

/// Whether `name` is within `constraint` of the same form; none if that cannot be said.
fn is_within(name: &GeneralName, constraint: &GeneralName, side: Side) -> Option<bool> {
    match (name, constraint) {
        (GeneralName::Directory(name), GeneralName::Directory(base)) => Some(name.is_within(base)),
        (GeneralName::Dns(name), GeneralName::Dns(base)) => Some(dns_within(name, base, side)),
        (GeneralName::Email(name), GeneralName::Email(base)) => email_within(name, base),
        (GeneralName::Uri(name), GeneralName::Uri(base)) => {
            Some(host_within(uri_host(name)?, base))
        }
        (GeneralName::Ip(name), GeneralName::Ip(base)) => Some(ip_within(name, base)),
        _ => None,
    }
}

fn dns_within(name: &str, base: &str, side: Side) -> bool {
    let Some(parent) = name.strip_prefix("*.") else { return is_subdomain(name, base) };
    // A wildcard stands for one label: `*.a` has names under `b.a`'s constraint if b is one label.
    let child_of_parent = base.split_once('.').is_some_and(|(_, p)| p.eq_ignore_ascii_case(parent));
    is_subdomain(parent, base) || (side == Side::Excluded && child_of_parent)
}

/// Whether `name` is `base` or has labels in front of it. An empty base holds every name.
fn is_subdomain(name: &str, base: &str) -> bool {
    let Some(start) = name.len().checked_sub(base.len()) else { return false };
    let (head, tail) = name.as_bytes().split_at(start);
    tail.eq_ignore_ascii_case(base.as_bytes())
        && (base.is_empty() || head.is_empty() || head.ends_with(b"."))
}

/// A constraint on hosts: the host itself, or after a dot every host of the domain.
fn host_within(host: &str, base: &str) -> bool {
    match base.strip_prefix('.') {
        Some(domain) => host.len() > domain.len() && is_subdomain(host, domain),
        None => host.eq_ignore_ascii_case(base),
    }
}

fn email_within(name: &str, base: &str) -> Option<bool> {
    let (local, host) = split_mailbox(name)?;
    Some(match split_mailbox(base) {
        Some((wanted, wanted_host)) => local == wanted && host.eq_ignore_ascii_case(wanted_host),
        None => host_within(host, base),
    })
}

/// Local part (its case counts) and host of a mailbox; none if it is not one of the form `a@b`.
fn split_mailbox(text: &str) -> Option<(&str, &str)> {
    let (local, host) = text.split_once('@')?;
    let plain = local.bytes().all(|b| b.is_ascii_graphic());
    (!local.is_empty() && plain && is_dns_name(host)).then_some((local, host))
}

/// The host of a URI, when it is a DNS name; the section wants others refused under a constraint.
fn uri_host(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, h)| h);
    let host = host.rsplit_once(':').map_or(host, |(h, _)| h);
    let numeric = host.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
    (is_dns_name(host) && !numeric).then_some(host)
}

fn ip_within(address: &[u8], base: &[u8]) -> bool {
    let (network, mask) = base.split_at(base.len() / 2);
    address.len() == network.len()
        && address.iter().zip(network).zip(mask).all(|((a, n), m)| a & m == n & m)
}

/// Letters, digits, hyphens and (in practice) underscores in labels of 1 to 63 bytes. Numbers and
/// dots are an address, which has a form of its own (RFC 1123, 2.1); a lone number is a name.
fn is_dns_name(name: &str) -> bool {
    let label = |l: &str| {
        (1..=MAX_LABEL).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    let dotted_number =
        name.rsplit_once('.').is_some_and(|(_, top)| top.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= MAX_DNS && name.split('.').all(label) && !dotted_number
}

/// Whether a name of subjectAltName is one of its form.
pub(super) fn is_well_formed_name(name: &GeneralName) -> bool {
    match name {
        GeneralName::Dns(dns) => is_dns_name(dns.strip_prefix("*.").unwrap_or(dns)),
        GeneralName::Email(mailbox) => split_mailbox(mailbox).is_some(),
        GeneralName::Uri(uri) => uri.split_once(':').is_some_and(|(scheme, rest)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
                && !rest.is_empty()
                && rest.bytes().all(|b| b.is_ascii_graphic())
        }),
        GeneralName::Ip(bytes) => matches!(bytes.len(), 4 | 16),
        GeneralName::Directory(_) | GeneralName::Other(_) => true,
    }
}

/// Whether a subtree of nameConstraints is one of its form.
pub(super) fn is_well_formed_constraint(subtree: &GeneralName) -> bool {
    let host = |text: &str| is_dns_name(text.strip_prefix('.').unwrap_or(text));
    match subtree {
        GeneralName::Dns(dns) => dns.is_empty() || is_dns_name(dns),
        GeneralName::Email(text) => split_mailbox(text).is_some() || host(text),
        GeneralName::Uri(text) => host(text),
        // The reader has seen to it that there is a mask.
        GeneralName::Ip(_) | GeneralName::Directory(_) | GeneralName::Other(_) => true,
    }
}

/// A name for messages.
pub(super) fn text(name: &GeneralName) -> String {
    match name {
        GeneralName::Email(text) | GeneralName::Dns(text) | GeneralName::Uri(text) => text.clone(),
        GeneralName::Directory(name) => name.to_string(),
        GeneralName::Ip(bytes) => ip_text(bytes),
        GeneralName::Other(form) => (*form).to_owned(),
    }
}

fn ip_text(bytes: &[u8]) -> String {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return std::net::Ipv4Addr::from(v4).to_string();
    }
    if let Ok(v6) = <[u8; 16]>::try_from(bytes) {
        return std::net::Ipv6Addr::from(v6).to_string();
    }
    hex(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(text: &str) -> GeneralName {
        GeneralName::Dns(text.to_owned())
    }

    fn email(text: &str) -> GeneralName {
        GeneralName::Email(text.to_owned())
    }

    fn uri(text: &str) -> GeneralName {
        GeneralName::Uri(text.to_owned())
    }

    #[test]
    fn dns_names_in_chain_constraints() {
        let permitted = |n: &str, c: &str| is_within(&dns(n), &dns(c), Side::Permitted).unwrap();
        let excluded = |n: &str, c: &str| is_within(&dns(n), &dns(c), Side::Excluded).unwrap();
        assert!(permitted("host.example.com", "example.com"));
        assert!(permitted("EXAMPLE.com", "example.COM"));
        assert!(permitted("anything.org", ""));
        assert!(!permitted("not-example.com", "example.com"));
        assert!(!permitted("com", "example.com"));
        assert!(permitted("*.example.com", "example.com"));
        assert!(!permitted("*.example.com", "foo.example.com"));
        assert!(excluded("*.example.com", "bar.example.com"));
        assert!(excluded("*.example.com", "com"));
        assert!(!excluded("*.example.com", "a.bar.example.com"));
        assert!(!excluded("*.example.com", "example.org"));
    }

    #[test]
    fn mailboxes_in_chain_constraints() {
        let within = |n: &str, c: &str| is_within(&email(n), &email(c), Side::Permitted);
        assert_eq!(within("a@example.com", "a@EXAMPLE.com"), Some(true));
        assert_eq!(within("A@example.com", "a@example.com"), Some(false));
        assert_eq!(within("a@example.com", "example.com"), Some(true));
        assert_eq!(within("a@x.example.com", "example.com"), Some(false));
        assert_eq!(within("a@x.example.com", ".example.com"), Some(true));
        assert_eq!(within("a@example.com", ".example.com"), Some(false));
        assert_eq!(within("a@b@example.com", "example.com"), None);
    }

    #[test]
    fn uris_in_chain_constraints() {
        let within = |n: &str, c: &str| is_within(&uri(n), &uri(c), Side::Permitted);
        assert_eq!(within("https://u@host.example.com:8883/x", "host.example.com"), Some(true));
        assert_eq!(within("https://a.example.com", ".example.com"), Some(true));
        assert_eq!(within("https://example.com?x", ".example.com"), Some(false));
        for odd in ["urn:uuid:1", "https://192.0.2.1/", "https://[::1]/", "https://%65.com/"] {
            assert_eq!(within(odd, ".com"), None, "{odd}");
        }
    }

    #[test]
    fn addresses_in_chain_constraints() {
        let ip = |bytes: &[u8]| GeneralName::Ip(bytes.to_vec());
        let net = ip(&[192, 0, 2, 0, 255, 255, 255, 0]);
        assert_eq!(is_within(&ip(&[192, 0, 2, 9]), &net, Side::Permitted), Some(true));
        assert_eq!(is_within(&ip(&[192, 0, 3, 9]), &net, Side::Permitted), Some(false));
        assert_eq!(is_within(&ip(&[0; 16]), &net, Side::Permitted), Some(false));
        assert_eq!(text(&ip(&[192, 0, 2, 9])), "192.0.2.9");
    }

    #[test]
    fn directory_names_in_chain_constraints() {
        let directory = |t: &str| GeneralName::Directory(Name::parse(t).unwrap());
        let base = directory("O=Acme,C=DE");
        let within = |t: &str| is_within(&directory(t), &base, Side::Permitted);
        assert_eq!(within("CN=d,O=ACME,C=DE"), Some(true));
        assert_eq!(within("CN=d,O=Other,C=DE"), Some(false));
    }

    #[test]
    fn syntax_of_names_and_constraints_in_a_chain() {
        for bad in ["", ".example.com", "a..b", "ba*.example.com", "foo.*.com", "-a.com", "a.com."]
        {
            assert!(!is_well_formed_name(&dns(bad)), "{bad}");
        }
        for address in ["192.0.2.7", "10.1", "host.8883", "*.0.2.7"] {
            assert!(!is_well_formed_name(&dns(address)), "{address}");
            assert!(!is_well_formed_constraint(&dns(address)), "{address}");
        }
        for digits in ["4711", "0815.example.com", "7.2.0.192.in-addr.arpa", "a.1b"] {
            assert!(is_well_formed_name(&dns(digits)), "{digits}");
        }
        assert!(!is_well_formed_name(&email("a@192.0.2.7")));
        assert!(is_well_formed_name(&dns("*.example.com")));
        assert!(is_well_formed_name(&dns("my_host")));
        assert!(!is_well_formed_constraint(&dns("*.example.com")));
        assert!(!is_well_formed_constraint(&dns(".example.com")));
        assert!(!is_well_formed_constraint(&email("a@b@example.com")));
        assert!(is_well_formed_constraint(&uri(".example.com")));
        assert!(!is_well_formed_name(&GeneralName::Ip(vec![0; 8])));
        assert!(!is_well_formed_name(&uri("no scheme")));
        assert!(is_well_formed_name(&uri("urn:uuid:1")));
    }
}
