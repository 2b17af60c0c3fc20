//! The rules of each form of name.

use std::net::{IpAddr, Ipv6Addr};

/// Longest DNS name and label, in bytes (RFC 1035, 2.3.4).
const MAX_DNS: usize = 253;
const MAX_LABEL: usize = 63;
/// Longest mailbox: 64 bytes before the `@`, 255 behind (RFC 5321, 4.5.3.1).
const MAX_LOCAL: usize = 64;
/// Longest URI and serial number: no limit of a standard, a guard against a whole file as a name.
const MAX_TEXT: usize = 1024;

/// What is wrong with a name, and perhaps what it should be.
pub(super) struct Problem {
    pub(super) text: String,
    pub(super) hint: Option<String>,
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self { text, hint: None }
    }
}

impl From<&str> for Problem {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

type Checked<T> = Result<T, Problem>;

/// A host name as RFC 5280, 4.2.1.6 wants it (letters, digits and hyphens; IDNs as A-labels), or a wildcard as RFC
/// 6125, 6.4.3 reads it: only as the whole leftmost label.
pub(super) fn dns(name: &str) -> Checked<()> {
    if !name.is_ascii() {
        let rule = "a DNS name is ASCII in a certificate (A-labels, RFC 5280, 7.2)";
        let hint = idna::domain_to_ascii_strict(name).ok().map(|a| format!("write DNS:{a}"));
        return Err(Problem { text: rule.to_owned(), hint });
    }
    let host = match name.strip_prefix("*.") {
        None => name,
        Some(parent) if parent.contains('.') => parent,
        Some(_) => {
            return Err(
                "a wildcard needs two labels behind it, or it stands for a whole top-level domain"
                    .into(),
            );
        }
    };
    if host.contains('*') {
        return Err(
            "a wildcard is only allowed as the whole leftmost label (RFC 6125, 6.4.3)".into()
        );
    }
    if name.len() > MAX_DNS {
        return Err(format!("a DNS name has at most {MAX_DNS} bytes (RFC 1035, 2.3.4)").into());
    }
    if let Some(without) = name.strip_suffix('.').filter(|rest| !rest.is_empty()) {
        let hint = Some(format!("write DNS:{without}"));
        return Err(Problem { text: "it ends with a dot".to_owned(), hint });
    }
    host.split('.').try_for_each(label)?;
    let last = host.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) {
        let hint = host.parse::<IpAddr>().is_ok().then(|| format!("write IP:{host}"));
        return Err(Problem {
            text: "its last label is a number, as in an address".to_owned(),
            hint,
        });
    }
    Ok(())
}

fn label(label: &str) -> Checked<()> {
    if label.is_empty() {
        return Err("it has an empty label".into());
    }
    if label.len() > MAX_LABEL {
        return Err(format!("a label has at most {MAX_LABEL} bytes (RFC 1035, 2.3.4)").into());
    }
    if let Some(odd) = label.bytes().find(|b| !b.is_ascii_alphanumeric() && *b != b'-') {
        let odd = char::from(odd);
        return Err(format!(
            "a label has letters, digits and hyphens, not {odd:?} (RFC 5280, 4.2.1.6)"
        )
        .into());
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err("a label neither begins nor ends with a hyphen (RFC 1034, 3.5)".into());
    }
    if label.as_bytes().get(2..4) == Some(b"--") {
        let is_a_label = label.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("xn"));
        if !is_a_label {
            return Err(format!("the label {label:?} has hyphens in places 3 and 4, which is reserved (RFC 5890, 2.3.1)").into());
        }
        if idna::domain_to_unicode(label).1.is_err() {
            return Err(format!("{label:?} is no A-label (RFC 5890, 2.3.2.1)").into());
        }
    }
    Ok(())
}

/// An address of IPv4 or IPv6, not a network.
pub(super) fn ip(text: &str) -> Checked<IpAddr> {
    let address: IpAddr = text.parse().map_err(|_| {
        Problem::from("it is no address of IPv4 or IPv6, such as 192.0.2.7 or 2001:db8::7")
    })?;
    if let IpAddr::V6(v6) = address
        && let Some(v4) = v6.to_ipv4_mapped()
    {
        let text =
            "it is an IPv4 address in the form of IPv6, which clients do not compare".to_owned();
        return Err(Problem { text, hint: Some(format!("write IP:{v4}")) });
    }
    if address.is_unspecified() || address.is_multicast() {
        return Err("no server has this address".into());
    }
    Ok(address)
}

/// An absolute URI in ASCII (RFC 3986), whose host, if it has an authority, is a DNS name or an address (RFC 5280,
/// 4.2.1.6).
pub(super) fn uri(text: &str) -> Checked<()> {
    let Some((scheme, rest)) = text.split_once(':') else {
        return Err(
            "a URI has a scheme, such as https: or urn: (RFC 5280, 4.2.1.6: not relative)".into()
        );
    };
    let well = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(well) {
        return Err(format!("{scheme:?} is no scheme of a URI (RFC 3986, 3.1)").into());
    }
    if rest.is_empty() || text.len() > MAX_TEXT {
        return Err(
            format!("a URI has something behind its scheme, and at most {MAX_TEXT} bytes").into()
        );
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    if let Some(odd) = rest.chars().find(|c| !allowed(*c)) {
        return Err(
            format!("{odd:?} has to be percent-encoded in a URI (RFC 3986, section 2)").into()
        );
    }
    let is_hex = |b: Option<&u8>| b.is_some_and(u8::is_ascii_hexdigit);
    let bytes = rest.as_bytes();
    let encoded = |(at, _): (usize, &str)| is_hex(bytes.get(at + 1)) && is_hex(bytes.get(at + 2));
    if !rest.match_indices('%').all(encoded) {
        return Err("a % in a URI is followed by two hex digits (RFC 3986, 2.1)".into());
    }
    if rest.starts_with("//") {
        let host = uri_host(text).unwrap_or_default();
        let v6 = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        let is_address =
            v6.map_or_else(|| host.parse::<IpAddr>().is_ok(), |v6| v6.parse::<Ipv6Addr>().is_ok());
        if !is_address {
            dns(host).map_err(|p| Problem::from(format!("its host {host:?}: {}", p.text)))?;
        }
    }
    Ok(())
}

/// The host of a URI with an authority (RFC 3986, 3.2), brackets of IPv6 included.
pub(super) fn uri_host(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = host.rfind(':').filter(|at| !host[*at..].contains(']'));
    Some(port.map_or(host, |at| &host[..at]))
}

/// A mailbox in ASCII (RFC 5280, 4.2.1.6: local-part@domain, nothing around it).
pub(super) fn email(text: &str) -> Checked<()> {
    let Some((local, domain)) = text.split_once('@') else {
        return Err("a mailbox has an @".into());
    };
    let atom = |part: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        !part.is_empty() && part.chars().all(fits)
    };
    if local.len() > MAX_LOCAL || !local.split('.').all(atom) {
        return Err(
            format!("{local:?} is no local part of a mailbox in ASCII (RFC 5321, 4.1.2)").into()
        );
    }
    if domain.starts_with('*') {
        return Err("a mailbox has no wildcard".into());
    }
    dns(domain).map_err(|p| Problem::from(format!("its domain {domain:?}: {}", p.text)))
}

/// `OID:SERIAL`.
pub(super) fn hardware(text: &str) -> Checked<(Vec<u64>, String)> {
    let form = "it is written hardwareModuleName:OID:SERIAL, such as hardwareModuleName:1.3.6.1.4.1.32473.7:SN-7";
    let (kind, serial) = text.split_once(':').ok_or(form)?;
    let kind = crate::der::dotted_oid(kind).ok_or_else(|| {
        format!("{kind:?} is no object identifier (of the hardware's type); {form}")
    })?;
    if serial.is_empty() || serial.len() > MAX_TEXT || serial.chars().any(char::is_control) {
        return Err(format!(
            "a serial number has 1 to {MAX_TEXT} bytes, without control characters"
        )
        .into());
    }
    Ok((kind, serial.to_owned()))
}
