//! A PKI directory for tests: EC keys only, so that both crypto backends can run them.

use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::issue::BeyondIssuer;
use c8y_pki_core::name::Name;
use c8y_pki_core::profile::{PathLength, Profile};
use c8y_pki_core::secret::{ChosenPassword, Password};
use c8y_pki_core::store::Pkcs12Options;
use c8y_pki_engine::pki::{AuthorityError, Ca, CaSettings, NewKey, Pki};
use c8y_pki_engine::provision::bundle::{Bundle, BundleSettings};
use tempfile::TempDir;
use time::OffsetDateTime;

/// The time of all tests: nothing in them depends on the clock.
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_795_000_000).unwrap()
}

pub(crate) fn password() -> Password {
    Password::new("Secret-01")
}

/// The same for a new key: how strong it is does not matter here.
pub(crate) fn chosen() -> ChosenPassword {
    ChosenPassword::unjudged(password())
}

/// A built-in profile with EC P-256 keys.
pub(crate) fn ec(name: &str) -> Profile {
    Profile::built_in(name).unwrap().with_key(KeyType::EcP256).unwrap()
}

/// Devices get key, certificate and chain as PEM.
pub(crate) fn pem_only() -> BundleSettings<'static> {
    BundleSettings {
        kinds: &[Bundle::Pem],
        store_password: None,
        key_password: None,
        key_iterations: 1,
        pkcs12: Pkcs12Options::default(),
        trusted: &[],
    }
}

pub(crate) struct Folder {
    pub(crate) pki: Pki,
    dir: TempDir,
}

type Made = Result<Ca, AuthorityError>;

impl Folder {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        #[cfg(all(unix, feature = "postgres"))]
        if let Some(address) = crate::server::address() {
            Pki::make_folder_on(&dir.path().join("pki"), None, Some(&address)).unwrap();
        }
        let pki = Pki::open_or_create(&dir.path().join("pki"), now()).unwrap();
        Self { pki, dir }
    }

    /// One whose registry is in a database.
    #[cfg(all(unix, feature = "postgres"))]
    pub(crate) fn on(address: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Pki::make_folder_on(&dir.path().join("pki"), None, Some(address)).unwrap();
        let pki = Pki::open(&dir.path().join("pki"), now()).unwrap();
        Self { pki, dir }
    }

    pub(crate) fn with_root() -> Self {
        let mut folder = Self::new();
        folder.root("root", None).unwrap();
        folder
    }

    /// Closes the registry and keeps the directory.
    pub(crate) fn close(self) -> TempDir {
        self.dir
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub(crate) fn root(&mut self, name: &str, path_length: Option<PathLength>) -> Made {
        let subject = Name::parse("CN=root").unwrap();
        self.make_root(name, &subject, path_length)
    }

    pub(crate) fn root_named(&mut self, name: &str, subject: &Name) -> Made {
        self.make_root(name, subject, None)
    }

    fn make_root(&mut self, name: &str, subject: &Name, path_length: Option<PathLength>) -> Made {
        let settings = CaSettings {
            profile: &ec("root"),
            subject,
            days: None,
            path_length,
            beyond_issuer: BeyondIssuer::Refuse,
            key: NewKey::File(&chosen()),
        };
        self.pki.init_root(name, &settings, now())
    }

    pub(crate) fn add(
        &mut self,
        name: &str,
        parent: &str,
        path_length: Option<PathLength>,
    ) -> Made {
        self.make(ec("intermediate"), name, parent, None, path_length, BeyondIssuer::Refuse)
    }

    pub(crate) fn add_for(
        &mut self,
        name: &str,
        parent: &str,
        days: u32,
        beyond_issuer: BeyondIssuer,
    ) -> Made {
        self.make(ec("intermediate"), name, parent, Some(days), None, beyond_issuer)
    }

    pub(crate) fn add_with(
        &mut self,
        profile: Profile,
        name: &str,
        parent: &str,
        days: Option<u32>,
        beyond_issuer: BeyondIssuer,
    ) -> Made {
        self.make(profile, name, parent, days, None, beyond_issuer)
    }

    fn make(
        &mut self,
        profile: Profile,
        name: &str,
        parent: &str,
        days: Option<u32>,
        path_length: Option<PathLength>,
        beyond_issuer: BeyondIssuer,
    ) -> Made {
        let parent = self.pki.ca(parent)?;
        let key = parent.unlock(&password())?;
        let settings = CaSettings {
            profile: &profile,
            subject: &Name::parse(&format!("CN={name}")).unwrap(),
            days,
            path_length,
            beyond_issuer,
            key: NewKey::File(&chosen()),
        };
        self.pki.add_intermediate(name, &parent, &key, &settings, now())
    }
}

/// Whether the registries of these tests are in PostgreSQL.
pub(crate) fn on_server() -> bool {
    #[cfg(all(unix, feature = "postgres"))]
    return crate::server::is_wanted();
    #[cfg(not(all(unix, feature = "postgres")))]
    return false;
}

/// Changes the tables of a registry behind the program's back.
pub(crate) fn change(registry: &std::path::Path, sql: &str) {
    #[cfg(all(unix, feature = "postgres"))]
    if on_server() {
        return crate::server::change(registry, sql);
    }
    rusqlite::Connection::open(registry).unwrap().execute_batch(sql).unwrap();
}
