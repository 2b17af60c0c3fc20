//! Certificates for devices that connect to Cumulocity IoT over mutual TLS: CAs, device
//! certificates, chains, keystores, truststores and the files that register devices.
//!
//! The library does not print, prompt, read the environment or look at the clock: passwords and the time are arguments.
//!
//! # What for what
//!
//! | You want to | Begin with |
//! | --- | --- |
//! | make a CA and devices in memory | [`InMemoryCa`] |
//! | keep CAs and a registry in a directory | [`Pki`] |
//! | sign the request of one device, as in a web service | [`Pki::issue`] |
//! | issue very many devices from a list, into directories or an archive | [`Batch`] |
//! | revoke a device, and make the list that says so | [`Pki::revoke`], [`Pki::revocation_list`] |
//! | make, read or write private keys; sign with one that is elsewhere | [`PrivateKey`], [`signer::Signer`] |
//! | read certificates, requests, revocation lists | [`Certificate`], [`csr::Request`], [`Crl`] |
//! | put a chain in order, validate it, judge what a device presents | [`chain`] |
//! | make or open PKCS#12, JKS and PEM stores | [`Store`], [`store`] |
//! | check a device identifier | [`DeviceId`] |
//! | make or read a distinguished name | [`Name`] |
//! | make the registration CSV | [`tenant::registration_csv`] |
//! | upload a CA to a tenant, prove possession of its key, upload revocations | [`tenant::Tenant`], [`tenant::BlockingTenant`] |
//! | see what a TLS server presents | [`tenant::server_certificates`] |
//! | keep a device connected over MQTT, whatever the network does | [`device::Device`] |
//! | rehearse all of that against a tenant in memory | `sandbox` (feature `sandbox`) |
//!
//! The command line `c8y-pki` does more: rollouts from one file, diagnosis of connections, hand-over files, enrolment at
//! the platform's own CA, keys in tokens. It stands on the crates below this one (`c8y-pki-core`, `c8y-pki-engine`,
//! `c8y-pki-sandbox`), which promise no stability. What this crate offers is listed in `public-api.txt`, and changes on
//! purpose only. Members that the documentation hides are for the command line, and are not part of it.
//!
//! # A CA, a device and a keystore in memory
//!
//! One `use` line, and nothing touches the disk:
//!
//! ```
//! use c8y_pki::{DeviceId, Format, InMemoryCa, Name, Password};
//! # fn main() -> Result<(), c8y_pki::Error> {
//! # let now = time::OffsetDateTime::from_unix_timestamp(1_795_000_000).unwrap();
//! # let (subject, id) = (Name::parse("CN=Example Root CA,O=Example GmbH,C=DE")?, DeviceId::parse("gw-0001")?);
//! # let password = Password::new("Secret-Pass-01");
//! let device = InMemoryCa::new(&subject, now)?.device(&id, now)?;
//! let pkcs12: Vec<u8> = device.keystore(Format::Pkcs12, &password, now)?;
//! # assert_eq!(c8y_pki::store::detect(&pkcs12)?, Format::Pkcs12);
//! # Ok(())
//! # }
//! ```
//!
//! [`InMemoryCa::certify`] is for other names, dates and keys; `examples/device_in_memory.rs` shows it.
//!
//! # A PKI directory with a registry
//!
//! A [`Pki`] remembers what it has issued: no id, key or serial number is given twice, also by other programs that work
//! on the same directory at the same time.
//!
//! ```
//! # use c8y_pki::{ChosenPassword, DeviceRequest, KeyType, Name, NewCa, Password, Pki, PrivateKey, Profile, Reason, csr};
//! # fn main() -> Result<(), c8y_pki::Error> {
//! # let now = time::OffsetDateTime::from_unix_timestamp(1_795_000_000).unwrap();
//! # let temporary = tempfile::tempdir().unwrap();
//! # let (directory, password) = (temporary.path().join("pki"), Password::new("correct horse battery"));
//! # let profile = Profile::built_in("root").unwrap().with_key(KeyType::EcP256).unwrap();
//! # let new = NewCa::new(Name::parse("CN=Example Root CA")?, ChosenPassword::unjudged(password.clone())).profile(profile);
//! # Pki::open_or_create(&directory, now)?.add_root("line-7", &new, now)?;
//! # let key = PrivateKey::generate(KeyType::EcP256)?;
//! # let request = csr::make(&Name::parse("CN=gw-0001")?, &key)?;
//! let mut pki = Pki::open(&directory, now)?;
//! let ca_key = pki.ca("line-7")?.unlock(&password)?;
//! // For each request that comes in, from as many threads as there are:
//! let issued = pki.issue(&DeviceRequest::from_csr(&ca_key, &request, now)?)?;
//! assert_eq!(issued.chain_pem().matches("BEGIN CERTIFICATE").count(), 2);
//! # let id = "gw-0001".parse()?;
//! # assert_eq!(pki.device(&id)?.as_ref(), Some(&issued.certificate));
//! # let revoked = pki.revoke(&id, Reason::KeyCompromise, now)?.expect("it was live");
//! # let list = pki.revocation_list(&ca_key, 30, now)?;
//! # assert_eq!((&list.revoked[0].serial, pki.device(&id)?), (&revoked.serial, None));
//! # Ok(())
//! # }
//! ```
//!
//! # A web service that signs
//!
//! [`Pki`] and [`CaKey`] are shared between threads in an `Arc`. [`Pki::issue`] waits for the disk, so a service on tokio
//! calls it on a thread that may wait; `examples/service.rs` is a whole service on axum.
//!
//! ```
//! # use std::sync::Arc;
//! # use c8y_pki::{CaKey, DeviceRequest, Issued, NotIssued, Pki};
//! async fn sign(pki: Arc<Pki>, ca_key: Arc<CaKey>, request: Vec<u8>) -> Result<Issued, NotIssued> {
//!     let now = time::OffsetDateTime::now_utc();
//!     let work = move || pki.issue(&DeviceRequest::from_csr(&ca_key, &request, now)?);
//!     tokio::task::spawn_blocking(work).await.expect("it does not panic")
//! }
//! ```
//!
//! # Many devices from a list
//!
//! ```
//! # use c8y_pki::{Batch, Bundle, ChosenPassword, Destination, DeviceList, KeyType, Name, NewCa, Password, Pki, Profile};
//! # fn main() -> Result<(), c8y_pki::Error> {
//! # let now = time::OffsetDateTime::from_unix_timestamp(1_795_000_000).unwrap();
//! # let temporary = tempfile::tempdir().unwrap();
//! # let (directory, out) = (temporary.path().join("pki"), temporary.path().join("out"));
//! # let password = Password::new("correct horse battery");
//! # let profile = Profile::built_in("root").unwrap().with_key(KeyType::EcP256).unwrap();
//! # let new = NewCa::new(Name::parse("CN=Example Root CA")?, ChosenPassword::unjudged(password.clone())).profile(profile);
//! # let mut pki = Pki::open_or_create(&directory, now)?;
//! # let ca_key = pki.add_root("line-7", &new, now)?.unlock(&password)?;
//! let devices = DeviceList::from_csv("devices.csv", b"id\ngw-0001\ngw-0002\n")?;
//! let summary = Batch::new(&ca_key).days(90).run(&mut pki, devices, Destination::Directory(&out), now)?;
//! assert_eq!((summary.issued, summary.skipped), (2, 0));
//! # assert!(out.join("gw-0002/key.pem").exists());
//! # let devices = DeviceList::from_ids(["gw-0001", "gw-0003"]);
//! # let again = Batch::new(&ca_key).files(&[Bundle::P12]).store_password(Password::new("Secret-Pass-01"));
//! # let summary = again.run(&mut pki, devices, Destination::Archive(&out.join("more.tar")), now)?;
//! # assert_eq!((summary.issued, summary.skipped), (1, 1));
//! # Ok(())
//! # }
//! ```
//!
//! # Read and verify a certificate
//!
//! ```
//! # use c8y_pki::{Certificate, DeviceId, InMemoryCa, LongestChain, Name, chain};
//! # fn main() -> Result<(), c8y_pki::Error> {
//! # let now = time::OffsetDateTime::from_unix_timestamp(1_795_000_000).unwrap();
//! # let id = DeviceId::parse("gw-0001")?;
//! # let ca = InMemoryCa::new(&Name::parse("CN=Example Root CA")?, now)?;
//! # let (file, anchors) = (ca.device(&id, now)?.certificate().pem(), [ca.certificate().clone()]);
//! let certificate = Certificate::all_from_pem_or_der(file.as_bytes())?.remove(0);
//! chain::verify(&certificate, &[], &anchors, &chain::Options::new(now))?;
//! // And what the platform asks beyond that of what a device presents:
//! let presented = [certificate, anchors[0].clone()];
//! assert!(chain::check_device(&presented, &anchors, &id, LongestChain::CLOUD).is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # A CA in a tenant
//!
//! [`tenant::Tenant`] has futures for programs on tokio; [`tenant::BlockingTenant`] waits.
//!
//! ```
//! # #[cfg(feature = "sandbox")]
//! # fn main() -> Result<(), c8y_pki::Error> {
//! # use c8y_pki::{Certificate, InMemoryCa, Name, sandbox::{Sandbox, Settings}};
//! # use c8y_pki::tenant::{Access, Added, BlockingTenant, Host, Proof, Registering};
//! # let now = time::OffsetDateTime::now_utc();
//! # let ca = InMemoryCa::new(&Name::parse("CN=Example Root CA")?, now)?;
//! # let sandbox = Sandbox::start(Settings::default())?;
//! # let host: Host = sandbox.url().parse()?;
//! # let access = Access::user(&host, None, sandbox.user(), sandbox.password().clone());
//! # let access = access.trusting(Certificate::all_from_pem_or_der(sandbox.ca_pem().as_bytes())?);
//! let tenant = BlockingTenant::new(&access)?;
//! let added = tenant.trust(ca.certificate(), "Example", Registering::Auto, now)?;
//! let proof = tenant.prove(ca.certificate(), ca.key(), now)?;
//! # assert_eq!((added, proof), (Added::Created, Proof::Made));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sandbox"))]
//! # fn main() {}
//! ```
//!
//! # A device that stays connected
//!
//! ```no_run
//! # use std::{path::Path, time::Duration};
//! # use c8y_pki::device::Device;
//! # fn main() -> Result<(), c8y_pki::Error> {
//! let mut connection = Device::read(Path::new("out/gw-0001"), None)?.connect(&"acme.example.com".parse()?);
//! let event = connection.next(Duration::from_secs(1))?;
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | Feature | For |
//! | --- | --- |
//! | `aws-lc-rs` (default) or `ring` | the crypto backend; ring does not know P-521, everything else works with both |
//! | `engine` (default) | all that needs files or a network: [`Pki`], [`Batch`], [`tenant`], [`device`] |
//! | `ml-dsa` | ML-DSA keys and signatures; with `aws-lc-rs` |
//! | `pkcs11` | keys of CAs in tokens: [`Ca::unlock`] takes the token's PIN |
//! | `workbook` | device lists in workbooks (.xlsx); with `engine` |
//! | `sandbox` | a tenant in memory |
//!
//! Without `engine` about half of the crates are compiled; what is left makes and reads certificates, requests,
//! revocation lists, chains and keystores in memory.
//!
//! # Errors
//!
//! [`Error`] is any error: its `Display` is a sentence that names the thing, its value and the rule, [`Error::fault`] says
//! who has to act, and [`Error::hint`] what to do. Functions of [`chain`], [`store`] and the types beside them have
//! errors of their own, which are [`Failure`]s too and go into [`Error`] by `?`.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadMe;

mod error;

#[cfg(feature = "engine")]
mod batch;
#[cfg(feature = "engine")]
mod pki;

#[cfg(feature = "engine")]
pub mod device;
#[cfg(feature = "engine")]
pub mod tenant;

pub use error::Error;

#[doc(inline)]
pub use c8y_pki_core::{
    cert::{Certificate, LongestChain, Serial},
    client_id::DeviceId,
    crl::{Crl, Reason, Revoked, UnknownReason},
    crypto::{KeyType, MlDsa, PublicKey},
    failure::{Failure, Fault, Hint, Kind},
    in_memory::{InMemoryCa, InMemoryDevice},
    key::PrivateKey,
    name::{Name, NameBuilder},
    profile::{Profile, UnknownProfile},
    secret::{ChosenPassword, Password, SecretBytes},
    store::{Format, Store, WriteOptions},
};

#[cfg(feature = "engine")]
pub use batch::{Batch, Destination};
#[cfg(feature = "engine")]
pub use pki::{NewCa, NotIssued, Pki};

#[cfg(feature = "engine")]
#[doc(inline)]
pub use c8y_pki_engine::{
    files::allow_directory_rights,
    list::{BadRow, DeviceList},
    pki::{Ca, CaKey, DeviceRequest, Issued, Replacing},
    provision::Summary,
    provision::bundle::Bundle,
};

/// Chains put in order, and validated (RFC 5280, section 6).
pub mod chain {
    #[doc(inline)]
    pub use c8y_pki_core::chain::{
        LeafChoice, Options, OrderedChain, VerifiedChain, check_device, order, verify,
    };
}

/// Requests for certificates (PKCS#10), made and read.
pub mod csr {
    #[doc(inline)]
    pub use c8y_pki_core::csr::{Request, make, pem};
}

/// Keys that sign: one in memory, or one of yours in an HSM or a service.
pub mod signer {
    #[doc(inline)]
    pub use c8y_pki_core::crypto::{Hash, SignatureAlgorithm};
    #[doc(inline)]
    pub use c8y_pki_core::key::signer::Signer;
}

/// Keystores and truststores: bytes in, bytes out.
pub mod store {
    #[doc(inline)]
    pub use c8y_pki_core::store::{DEVICE_KEY_ALIAS, Entry, EntryKind, detect, open, write};
}

/// A tenant in memory, to rehearse against.
#[cfg(feature = "sandbox")]
pub mod sandbox {
    #[doc(inline)]
    pub use c8y_pki_sandbox::{Faults, Sandbox, Settings};
}
