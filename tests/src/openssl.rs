//! Certificates made by OpenSSL alone: what a tenant is shown then owes nothing to this project.

use std::path::{Path, PathBuf};

use crate::cli::Cli;
use crate::{Tool, arg, tool};

/// What the extensions are made from. OpenSSL's own defaults differ between its versions.
const CONFIGURATION: &str = "[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[edge]
basicConstraints = critical,CA:TRUE
subjectKeyIdentifier = hash
[device]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";

/// Arguments that make a key of RSA with 2048 bits.
pub const RSA: &[&str] = &["-newkey", "rsa:2048"];

/// Arguments that make a key of EC P-256.
pub const EC: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// Whether OpenSSL takes a certificate below `root` and `line` of a PKI directory by these lists of revocations, and what it
/// says; with several lists those of all CAs are asked. None when OpenSSL is not installed.
///
/// # Panics
///
/// As [`tool`].
pub fn verified(cli: &Cli, lists: &[&str], certificate: &str) -> Option<(bool, String)> {
    let check = if lists.len() > 1 { "-crl_check_all" } else { "-crl_check" };
    let mut words = vec!["verify".to_owned(), check.to_owned()];
    for (option, file) in lists
        .iter()
        .map(|list| ("-CRLfile", *list))
        .chain([("-CAfile", "pki/ca/root/cert.pem"), ("-untrusted", "pki/ca/line/cert.pem")])
    {
        words.extend([option.to_owned(), cli.arg(file)]);
    }
    words.push(cli.arg(certificate));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let said = tool("openssl")?.output(&words);
    let text = [said.stdout, said.stderr].concat();
    Some((said.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

/// `openssl`, working in a directory.
#[derive(Debug)]
pub struct OpenSsl {
    tool: Tool,
    folder: PathBuf,
}

impl OpenSsl {
    /// In this directory; none when OpenSSL is not installed.
    ///
    /// # Panics
    ///
    /// When the directory cannot be written, and as [`tool`].
    pub fn at(folder: &Path) -> Option<Self> {
        let openssl = Self { tool: tool("openssl")?, folder: folder.to_owned() };
        openssl.write("openssl.cnf", CONFIGURATION);
        Some(openssl)
    }

    /// A path in the directory, as an argument.
    pub fn arg(&self, name: &str) -> String {
        arg(&self.folder.join(name)).to_owned()
    }

    /// Writes a file.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.folder.join(name), bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
    }

    /// Reads a file that is text.
    ///
    /// # Panics
    ///
    /// When it cannot be read.
    pub fn text(&self, name: &str) -> String {
        let path = self.folder.join(name);
        std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Runs a command line, in which `@name` stands for the path of that file; returns what it says.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn run(&self, line: &str) -> String {
        let words = line.split_whitespace().map(|word| match word.strip_prefix('@') {
            Some(name) => self.arg(name),
            None => word.to_owned(),
        });
        let words: Vec<String> = words.collect();
        self.tool.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// A CA that signs itself: `<name>.pem` and `<name>.key`.
    pub fn root(&self, name: &str, key: &[&str]) {
        self.run(&format!(
            "req -x509 -config @openssl.cnf -extensions ca {} -nodes -days 30 -subj /O=Example/CN={name} \
             -keyout @{name}.key -out @{name}.pem",
            key.join(" ")
        ));
    }

    /// A CA that `issuer` signs, with the chain up to the root in `<name>-chain.pem`.
    pub fn intermediate(&self, name: &str, issuer: &str) {
        self.signed(name, issuer, "ca");
    }

    /// A device's certificate that `issuer` signs, with the chain in `<name>-chain.pem`.
    pub fn device(&self, name: &str, issuer: &str) {
        self.signed(name, issuer, "device");
    }

    fn signed(&self, name: &str, issuer: &str, extensions: &str) {
        self.request(name);
        self.run(&format!(
            "x509 -req -in @{name}.csr -CA @{issuer}.pem -CAkey @{issuer}.key -CAcreateserial \
             -days 20 -extfile @openssl.cnf -extensions {extensions} -out @{name}.pem"
        ));
        let above = format!("{issuer}-chain.pem");
        let above =
            if self.folder.join(&above).is_file() { above } else { format!("{issuer}.pem") };
        let chain = self.text(&format!("{name}.pem")) + &self.text(&above);
        self.write(&format!("{name}-chain.pem"), chain);
    }

    /// A list of the CA `<ca>.pem` that revokes the first certificate of `<revoked>.pem`: `<ca>.crl`.
    pub fn revoke(&self, ca: &str, revoked: &str) {
        self.write("revoked.txt", "");
        let index = self.arg("revoked.txt");
        self.write(
            "revoke.cnf",
            format!(
                "[ca]\ndefault_ca = any\n[any]\ndatabase = {index}\ndefault_md = sha256\ndefault_crl_days = 30\n"
            ),
        );
        let by = format!("ca -config @revoke.cnf -cert @{ca}.pem -keyfile @{ca}.key");
        self.run(&format!("{by} -revoke @{revoked}.pem"));
        self.run(&format!("{by} -gencrl -out @{ca}.crl"));
    }

    /// A server's certificate for `localhost` that signed itself and says CA:TRUE, as installations of Edge have it:
    /// `<name>.pem` and `<name>.key`. `extension` are more options, for the names of the host.
    pub fn self_signed(&self, name: &str, subject: &str, extension: &str) {
        self.run(&format!(
            "req -x509 -config @openssl.cnf -extensions edge {} -nodes -days 30 -subj {subject} {extension} \
             -keyout @{name}.key -out @{name}.pem",
            EC.join(" ")
        ));
    }

    /// A key of EC P-256 and a request for it: `<name>.key` and `<name>.csr`.
    pub fn request(&self, name: &str) {
        self.run(&format!(
            "req -new -config @openssl.cnf {} -nodes -subj /CN={name} -keyout @{name}.key -out @{name}.csr",
            EC.join(" ")
        ));
    }

    /// The SHA-1 of a certificate, as the platform writes it.
    ///
    /// # Panics
    ///
    /// When OpenSSL says something else.
    pub fn fingerprint(&self, name: &str) -> String {
        let said = self.run(&format!("x509 -in @{name}.pem -noout -fingerprint -sha1"));
        let (_, bytes) = said.trim().split_once('=').unwrap_or_else(|| panic!("{said}"));
        bytes.replace(':', "").to_lowercase()
    }
}
