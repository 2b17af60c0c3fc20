//! CAs to begin with, which cost a test little: made once, and opened at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::secret::Password;

use crate::cli::{CA_PW, Cli, PASSWORD};

/// A file or a directory that was read, so that it can be made again elsewhere.
struct Kept {
    name: PathBuf,
    permissions: fs::Permissions,
    /// Of a file.
    contents: Option<Vec<u8>>,
}

/// Adds what is in the directory `name` below `root`, the upper ones first.
fn read_all(root: &Path, name: &Path, kept: &mut Vec<Kept>) {
    for entry in fs::read_dir(root.join(name)).expect("a directory") {
        let entry = entry.expect("an entry");
        let metadata = entry.metadata().expect("its permissions");
        let name = name.join(entry.file_name());
        let contents =
            metadata.is_file().then(|| fs::read(entry.path()).expect("a file that can be read"));
        let is_directory = contents.is_none();
        kept.push(Kept { name: name.clone(), permissions: metadata.permissions(), contents });
        if is_directory {
            read_all(root, &name, kept);
        }
    }
}

impl Cli {
    /// A directory with the CAs `root` and, under it, `line`, both of EC P-256. They are made once in a process, since
    /// deriving a key from a password is meant to be slow; each test has a copy of its own.
    ///
    /// # Panics
    ///
    /// When they cannot be made.
    pub fn with_cas() -> Self {
        static MADE: OnceLock<Vec<Kept>> = OnceLock::new();
        let made = MADE.get_or_init(|| {
            let cli = Self::with_other_cas();
            let mut kept = Vec::new();
            read_all(&cli.path(""), Path::new(""), &mut kept);
            kept
        });
        let cli = Self::new();
        for Kept { name, permissions, contents } in made {
            let path = cli.path(&name.to_string_lossy());
            match contents {
                Some(bytes) => fs::write(&path, bytes).expect("a file that can be written"),
                None => fs::create_dir(&path).expect("a directory that can be made"),
            }
            fs::set_permissions(&path, permissions.clone()).expect("the same permissions");
        }
        cli
    }

    /// The same, with CAs of its own: nobody else has their keys.
    pub fn with_other_cas() -> Self {
        let cli = Self::new();
        cli.make_cas("pki");
        cli
    }

    /// Makes the CAs `root` and `line` in a PKI directory.
    pub(crate) fn make_cas(&self, pki: &str) {
        let at = format!("--pki {pki} {CA_PW}");
        self.ok(&format!("ca init --subject 'CN=Root,O=Example' --key-type ec-p256 {at}"));
        self.open_quickly(&format!("{pki}/ca/root/key.pem"));
        self.ok(&format!("ca add line --parent root --subject 'CN=Line,O=Example' {at}"));
        self.open_quickly(&format!("{pki}/ca/line/key.pem"));
    }

    /// Encrypts a key that has the password [`PASSWORD`] anew, so that opening it costs one iteration in place of
    /// 600,000: a tenth of a second for each command that is not about passwords.
    ///
    /// # Panics
    ///
    /// When it has another password.
    pub fn open_quickly(&self, file: &str) {
        let password = Password::new(PASSWORD);
        let key = PrivateKey::read(&self.read(file), Some(&password)).expect("a key");
        let pem = key.to_encrypted_pem(&password, 1).expect("a file");
        // Its permissions stay.
        self.write(file, pem.expose());
    }
}
