//! The platform's recipe with real `openssl ca`: its directory with its own configuration, in which devices are
//! issued and revoked as people have done it.

use std::fs;
use std::path::Path;

use crate::cli::{CA_PW, Cli, walk};
use crate::{Tool, data_dir, tool};

/// Where the configuration of the recipe says that its directory is.
const PLACE: &str = "/path/to/caCertificate";

/// The directory of the intermediate CA.
pub const LINE: &str = "caCertificate/intermediateCertificate";

/// The directory of the recipe, copied to where a [`Cli`] works.
#[derive(Debug)]
pub struct Recipe<'c> {
    cli: &'c Cli,
    openssl: Tool,
}

impl<'c> Recipe<'c> {
    /// Copies it; none when OpenSSL is not installed.
    ///
    /// # Panics
    ///
    /// When it cannot be copied, and as [`tool`].
    pub fn at(cli: &'c Cli) -> Option<Self> {
        let openssl = tool("openssl")?;
        let from = data_dir().join("openssl-recipe");
        walk(&from.join("caCertificate"), &mut |path| {
            if path.is_file() {
                let name = path.strip_prefix(&from).expect("below it").display().to_string();
                cli.write(&name, fs::read(path).expect("a file"));
            }
        });
        for file in ["caCertificate/caConfig.cnf", &format!("{LINE}/intermediateConfig.cnf")] {
            cli.write(file, cli.text(file).replace(PLACE, &cli.arg("caCertificate")));
        }
        for (file, password) in [("root.pw", "ca-Secret-01"), ("inter.pw", "inter-Secret-02")] {
            cli.write(file, password);
        }
        Some(Self { cli, openssl })
    }

    /// Runs `openssl`; `@name` stands for the path of that file, and `'…'` keeps spaces.
    pub fn run(&self, line: &str) -> String {
        let words = crate::cli::words(line).into_iter().map(|word| match word.strip_prefix('@') {
            Some(name) => self.cli.arg(name),
            None => word,
        });
        let words: Vec<String> = words.collect();
        self.openssl.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Runs `openssl ca` of the intermediate CA.
    pub fn ca(&self, line: &str) -> String {
        self.run(&format!(
            "ca -config @{LINE}/intermediateConfig.cnf -passin file:{} {line}",
            self.cli.arg("inter.pw")
        ))
    }

    /// Runs `openssl ca` of the root.
    pub fn root(&self, line: &str) -> String {
        self.run(&format!(
            "ca -config @caCertificate/caConfig.cnf -passin file:{} {line}",
            self.cli.arg("root.pw")
        ))
    }

    /// A device with a key of EC P-256, as the recipe signs one: `<file>.key` and `<file>.csr` in the directory
    /// `new`, its certificate in `deviceCertificates`, named by its serial number, and in `new/<file>.pem`.
    pub fn device(&self, file: &str, subject: &str, more: &str) {
        fs::create_dir_all(self.cli.path("new")).expect("a directory");
        self.run(&format!(
            "req -new -config @{LINE}/intermediateConfig.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
             -nodes -utf8 -subj '{subject}' -keyout @new/{file}.key -out @new/{file}.csr"
        ));
        self.ca(&format!(
            "-batch -notext -extensions v3_signed {more} -in @new/{file}.csr -out @new/{file}.pem"
        ));
    }

    /// Revokes a device.
    pub fn revoke(&self, file: &str, more: &str) {
        self.ca(&format!("-revoke @new/{file}.pem {more}"));
    }

    /// Makes a list of the intermediate CA with this number, in hex: `<LINE>/crl/intermediateCrl.pem`.
    pub fn list(&self, number: &str) {
        self.cli.write(&format!("{LINE}/crl/crlnumber"), format!("{number}\n"));
        self.ca(&format!("-gencrl -crldays 30 -out @{LINE}/crl/intermediateCrl.pem"));
    }

    /// What a list revokes: the lines in which OpenSSL shows its entries, but for the instructions of holds,
    /// which RFC 5280 does not have any more.
    pub fn entries(&self, list: &str) -> Vec<String> {
        let said = self.run(&format!("crl -in @{list} -noout -text"));
        let mut entries: Vec<String> = Vec::new();
        for line in said.lines().map(str::trim) {
            match line.strip_prefix("Serial Number: ") {
                Some(serial) => entries.push(serial.to_owned()),
                None if line.starts_with("Signature Algorithm") => {}
                None => {
                    let last = entries.last_mut().filter(|_| !line.contains("Signature"));
                    let is_hex = line.len() > 20 && line.contains(':') && !line.contains(' ');
                    if let Some(entry) = last.filter(|_| !is_hex) {
                        entry.push_str(&format!(" {line}"));
                    }
                }
            }
        }
        for entry in &mut entries {
            entry.truncate(entry.find(" Hold Instruction").unwrap_or(entry.len()));
        }
        entries.sort();
        entries
    }
}

/// A command line that takes in the intermediate CA of the recipe as `plant`.
pub fn import_line(more: &str) -> String {
    format!(
        "ca add plant --import {LINE}/intermediateCert.pem caCertificate/caCert.pem \
         --key {LINE}/intermediateKey.pem --key-password-file inter.pw {CA_PW} {more}"
    )
}

/// Options that take over the history of the intermediate CA.
pub fn history() -> String {
    format!("--openssl-db {LINE}/database.txt --certs {LINE}/deviceCertificates")
}

/// Gives a file lines that end as on Windows.
///
/// # Panics
///
/// When it cannot be read or written.
pub fn with_crlf(path: &Path) {
    let text = fs::read_to_string(path).expect("a text");
    fs::write(path, text.replace('\n', "\r\n")).expect("a file");
}
