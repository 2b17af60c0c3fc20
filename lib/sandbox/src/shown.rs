//! How the platform shows certificates: names, the certificate itself, its serial number and algorithm.

use crate::cert::{Certificate, Serial};
use crate::crypto::{Hash, SignatureAlgorithm};
use crate::name::Name;

/// A PEM as the platform shows it: lines of base64, without the first and the last.
pub(super) fn lines(pem: &str) -> String {
    let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    lines.join("\n")
}

/// A name as the platform shows it: as RFC 4514 has it, with a space behind each comma between its parts.
pub(super) fn spaced(name: &Name) -> String {
    let (mut out, mut escaped) = (String::new(), false);
    for c in name.to_string().chars() {
        out.push(c);
        if c == ',' && !escaped {
            out.push(' ');
        }
        escaped = c == '\\' && !escaped;
    }
    out
}

/// Java's name of the algorithm.
pub(super) fn algorithm_name(cert: &Certificate) -> String {
    let sha = |hash: Hash| match hash {
        Hash::Sha256 => "SHA256",
        Hash::Sha384 => "SHA384",
        Hash::Sha512 => "SHA512",
    };
    match &cert.signature_algorithm {
        Ok(SignatureAlgorithm::RsaPkcs1(hash)) => format!("{}withRSA", sha(*hash)),
        Ok(SignatureAlgorithm::Ecdsa(hash)) => format!("{}withECDSA", sha(*hash)),
        Ok(SignatureAlgorithm::RsaPss(_) | SignatureAlgorithm::RsaPssSalt { .. }) => {
            "RSASSA-PSS".to_owned()
        }
        Ok(SignatureAlgorithm::Ed25519) => "Ed25519".to_owned(),
        Ok(SignatureAlgorithm::MlDsa(set)) => set.to_string(),
        Err(e) => e.to_string(),
    }
}

/// A serial number in decimal, however long.
pub(super) fn decimal(serial: &Serial) -> String {
    let mut digits = vec![0u8];
    for octet in serial.bytes() {
        let mut carry = u32::from(*octet);
        for digit in &mut digits {
            let value = u32::from(*digit) * 256 + carry;
            *digit = u8::try_from(value % 10).unwrap_or_default();
            carry = value / 10;
        }
        while carry > 0 {
            digits.push(u8::try_from(carry % 10).unwrap_or_default());
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_certificates_as_the_platform_shows_them() {
        let name = Name::parse(r"CN=a\,b,OU=c,O=d\\").unwrap();
        assert_eq!(spaced(&name), r"CN=a\,b, OU=c, O=d\\");
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\nBB==\n-----END CERTIFICATE-----\n";
        assert_eq!(lines(pem), "AAAA\nBB==");
    }

    #[test]
    fn serial_numbers_in_decimal() {
        let text = |bytes: &[u8]| decimal(&Serial::from_octets(bytes));
        assert_eq!(text(&[]), "0");
        assert_eq!(text(&[0, 0]), "0");
        assert_eq!(text(&[0x03, 0xe8]), "1000");
        assert_eq!(text(&[0x7f; 20]), "727885129180488904360266563744972327436484050815");
    }
}
