//! The forms in which people have certificates, keys, requests and revocation lists: what other programs put
//! around them, and the containers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use c8y_pki_core::cert::Certificate;
use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::secret::Password;
use c8y_pki_core::store::{self, Format, Store, WriteOptions, pkcs7};
use time::OffsetDateTime;

use crate::cli::PASSWORD;

/// A file, and what it is called.
pub type Form = (&'static str, Vec<u8>);

fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let marked = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    marked.encode_utf16().flat_map(order).collect()
}

/// A PEM text as other programs, editors and transfers leave it.
pub fn of_pem(pem: &str) -> Vec<Form> {
    let one_line = pem.replace('\n', "\\n");
    let json = serde_json::json!({ "data": { "certificate": pem, "lease": 0 } }).to_string();
    let c_strings: String = pem.lines().map(|line| format!("    \"{line}\\n\"\n")).collect();
    let latin_1 = b"Bag Attributes\n    friendlyName: Ger\xe4t 1\nsubject=CN = Ger\xe4t 1\n\n";
    vec![
        ("PEM", pem.as_bytes().to_vec()),
        ("PEM with text in Latin-1 before it", [&latin_1[..], pem.as_bytes()].concat()),
        ("PEM with CRLF", pem.replace('\n', "\r\n").into_bytes()),
        ("PEM with a byte order mark", format!("\u{feff}{pem}").into_bytes()),
        ("PEM in UTF-16LE", utf16(pem, u16::to_le_bytes)),
        ("PEM in UTF-16BE", utf16(pem, u16::to_be_bytes)),
        ("JSON", json.into_bytes()),
        ("an environment variable", one_line.into_bytes()),
        ("C strings", format!("static const char pem[] =\n{c_strings};\n").into_bytes()),
    ]
}

/// What stands between BEGIN and END of a PEM text of one block.
///
/// # Panics
///
/// When it is no PEM.
pub fn der_of(pem: &str) -> Vec<u8> {
    let lines: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(lines).expect("base64")
}

/// What is in a PEM text of one block, in DER, with and without a line end behind it.
pub fn of_der(der: &[u8]) -> Vec<Form> {
    vec![("DER", der.to_vec()), ("DER with a line end", [der, b"\r\n"].concat())]
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines: Vec<&str> =
        base64.as_bytes().chunks(64).map(|c| std::str::from_utf8(c).expect("base64")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// DER as PKCS#7 comes: bare, and in PEM under the labels that are in use.
pub fn of_pkcs7(der: &[u8]) -> Vec<Form> {
    let labelled = |label| pem(label, der).into_bytes();
    vec![
        ("PKCS#7", der.to_vec()),
        ("PKCS#7 with a line end", [der, b"\n"].concat()),
        ("PKCS#7 in PEM", labelled("PKCS7")),
        ("PKCS#7 in PEM as CMS", labelled("CMS")),
        ("PKCS#7 under the label of a certificate", labelled("CERTIFICATE")),
    ]
}

/// A store as PKCS#12 and JKS, with [`PASSWORD`].
///
/// # Panics
///
/// When it cannot be written.
pub fn of_store(store: &Store) -> Vec<Form> {
    let password = Password::new(PASSWORD);
    let mut options = WriteOptions::new(Some(&password), OffsetDateTime::UNIX_EPOCH);
    // They protect nothing, and are opened very often.
    (options.pkcs12.encryption_iterations, options.pkcs12.mac_iterations) = (10, 10);
    let write = |format| store::write(store, format, &options).expect("a store");
    let p12 = write(Format::Pkcs12);
    vec![
        ("PKCS#12 with a line end", [&p12[..], b"\r\n"].concat()),
        ("PKCS#12 in PEM", pem("PKCS12", &p12).into_bytes()),
        ("PKCS#12", p12),
        ("JKS", write(Format::Jks)),
    ]
}

/// Certificates in every form.
///
/// # Panics
///
/// When a form cannot be made.
pub fn of_certificates(certificates: &[Certificate]) -> Vec<Form> {
    let text: String = certificates.iter().map(Certificate::pem).collect();
    let mut forms = of_pem(&text);
    if let [only] = certificates {
        forms.extend(of_der(only.der()));
    }
    // Nothing stands in what OpenSSL writes behind a certificate that is trusted for all.
    let trusted = |c: &Certificate| pem("TRUSTED CERTIFICATE", &[c.der(), &[0x30, 0]].concat());
    let trusted: String = certificates.iter().map(trusted).collect();
    forms.push(("TRUSTED CERTIFICATE", trusted.into_bytes()));
    forms.extend(of_pkcs7(&pkcs7::write(certificates)));
    let mut store = Store::new();
    for (index, certificate) in certificates.iter().enumerate() {
        store.add_trusted(&format!("c{index}"), certificate.clone()).expect("an entry");
    }
    forms.extend(of_store(&store));
    forms
}

/// A key in every form; `chain` is for stores, which hold no key without one.
///
/// # Panics
///
/// When a form cannot be made.
pub fn of_key(key: &PrivateKey, chain: &[Certificate]) -> Vec<Form> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("PEM");
    let mut forms = of_pem(&text(key.to_pem().expose()));
    let sealed = key.to_encrypted_pem(&Password::new(PASSWORD), 10).expect("a sealed key");
    let sealed = of_pem(&text(sealed.expose()));
    forms.extend(sealed.into_iter().skip(2).take(3));
    forms.extend(of_der(key.pkcs8().expose()));
    let mut store = Store::new();
    let added = store.add_key("k", key, chain.to_vec());
    added.expect("an entry");
    forms.extend(of_store(&store));
    forms
}
