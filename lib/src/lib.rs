//! Certificates for devices that connect to Cumulocity IoT over mutual TLS: CAs, device
//! certificates, chains, keystores, truststores and the files that register devices.
//!
//! Everything that the command line `c8y-pki` does is done here; the command line adds arguments,
//! prompts and text. The library does not print, prompt, read the environment or look at the
//! clock: passwords and the time are arguments.
//!
//! # Which module for what
//!
//! | You want to | Module |
//! | --- | --- |
//! | do the whole job from one file | [`rollout`] |
//! | keep CAs and a registry in a directory | [`pki`], [`registry`] |
//! | sign the request of one device, as in a web service | [`Pki::issue`] |
//! | make the certificate of a server that devices connect to | [`servers`] |
//! | read a device list, from a CSV or a workbook | [`list`] |
//! | issue one device or very many, from a list | [`provision`] |
//! | make a CA and devices in memory | [`in_memory`]; [`issue`] with a [`profile`] step by step |
//! | make, read or write private keys | [`key`] |
//! | sign with a key in an HSM or another token | [`key::pkcs11`] (feature `pkcs11`) |
//! | read certificates, requests, CRLs | [`cert`], [`csr`], [`crl`] |
//! | put a chain in order, or verify it | [`chain`] |
//! | make or open PKCS#12, JKS and PEM stores | [`store`] |
//! | make or read PKCS#7 with certificates | [`store::pkcs7`] |
//! | check a device identifier or ClientId | [`client_id`] |
//! | make or read a distinguished name | [`name`] |
//! | hand over what was made, signed | [`manifest`] |
//! | make or check the registration CSV | [`registration`] |
//! | make a certificate request, enrol with it at the platform's CA | [`csr`], [`platform::est`] |
//! | wait to be let in at the platform's CA, change over to the next key | [`enrolment`] |
//! | register devices one by one, make the platform's own CA | [`platform::newcomers`], [`platform::authority`] |
//! | upload CAs to a tenant, prove possession of their keys | [`platform::trusted`], [`platform::pop`] |
//! | register devices at a tenant, upload revocations | [`platform::register`], [`platform::crl`] |
//! | see what a TLS server presents | [`platform::fetch`] |
//! | find out why a device does not connect | [`device::check`], [`device::diagnosis`] |
//! | speak MQTT as a device does | [`device::mqtt`] |
//! | keep a device connected, whatever the network does | [`device::connection`] |
//! | get a device's token, and keep it fresh | [`device::token`] |
//! | get credentials for a device with a password | [`device::bootstrap`] |
//! | write or read SmartREST messages | [`device::smartrest`] |
//! | see whether a tenant does what all of that expects | [`selftest`] |
//! | rehearse all of that against a tenant in memory | `sandbox` (feature `sandbox`) |
//! | show what any such file holds | [`inspect`] |
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
//! [`issue`] has the steps one by one, for other names, dates and keys; `examples/device_in_memory.rs` shows them.
//!
//! # A PKI directory with a registry
//!
//! A [`Pki`] remembers what it has issued: no id, key or serial number is given twice, also by other programs that work
//! on the same directory at the same time.
//!
//! ```
//! # use c8y_pki::{CaSettings, ChosenPassword, DeviceRequest, KeyType, Name, NewKey, BeyondIssuer, Pki, PrivateKey, Profile};
//! # use c8y_pki::{csr, Password};
//! # fn main() -> Result<(), c8y_pki::Error> {
//! # let now = time::OffsetDateTime::from_unix_timestamp(1_795_000_000).unwrap();
//! # let temporary = tempfile::tempdir().unwrap();
//! # let (directory, password) = (temporary.path().join("pki"), Password::new("correct horse battery"));
//! # let settings = CaSettings {
//! #     profile: &Profile::built_in("root").unwrap().with_key(KeyType::EcP256).unwrap(),
//! #     subject: &Name::parse("CN=Example Root CA")?,
//! #     days: None,
//! #     path_length: None,
//! #     beyond_issuer: BeyondIssuer::Refuse,
//! #     key: NewKey::File(&ChosenPassword::unjudged(password.clone())),
//! # };
//! # Pki::open_or_create(&directory, now)?.init_root("line-7", &settings, now)?;
//! # let key = PrivateKey::generate(KeyType::EcP256)?;
//! # let request = csr::make(&Name::parse("CN=gw-0001")?, &key)?;
//! let pki = Pki::open(&directory, now)?;
//! let ca_key = pki.ca("line-7")?.unlock(&password)?;
//! // For each request that comes in, from as many threads as there are:
//! let issued = pki.issue(&DeviceRequest::from_csr(&ca_key, &request, now)?)?;
//! assert_eq!(issued.chain_pem().matches("BEGIN CERTIFICATE").count(), 2);
//! # assert!(pki.registry().live_device("gw-0001")?.is_some());
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
//! # use c8y_pki::{CaKey, DeviceRequest, Issued, Pki, RequestError};
//! async fn sign(pki: Arc<Pki>, ca_key: Arc<CaKey>, request: Vec<u8>) -> Result<Issued, RequestError> {
//!     let now = time::OffsetDateTime::now_utc();
//!     let work = move || pki.issue(&DeviceRequest::from_csr(&ca_key, &request, now)?);
//!     tokio::task::spawn_blocking(work).await.expect("it does not panic")
//! }
//! ```
//!
//! # Many devices from a list
//!
//! ```no_run
//! # use c8y_pki::list::DeviceList;
//! # use c8y_pki::provision::{self, Context, Job};
//! # fn run(pki: &mut c8y_pki::Pki, job: &Job<'_>, devices: DeviceList, now: time::OffsetDateTime)
//! #     -> Result<(), c8y_pki::Error> {
//! let summary = provision::run(pki, job, devices, &Context::at(now))?;
//! println!("{} issued, {} had a certificate", summary.issued, summary.skipped);
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
//! # Features
//!
//! | Feature | For |
//! | --- | --- |
//! | `aws-lc-rs` (default) or `ring` | the crypto backend; ring does not know P-521, everything else works with both |
//! | `engine` (default) | all that needs files or a network: [`pki`], [`inspect`], [`device`], [`enrolment`], [`files`], [`list`], [`manifest`], [`orders`], [`platform`], [`provision`], [`registration`], [`registry`], [`rollback`], [`rollout`], [`selftest`], [`servers`], [`Error`] |
//! | `pkcs11` | keys in tokens |
//! | `workbook` | device lists in workbooks (.xlsx); with `engine` |
//! | `sandbox` | a tenant in memory |
//!
//! Without `engine` about half of the crates are compiled; what is left makes and reads certificates, requests,
//! revocation lists, chains and keystores in memory.
//!
//! # Errors
//!
//! Each module has its own error: `Display` is a sentence that names the thing, its value and the
//! rule. The trait [`Failure`] beside it tells whose [`Fault`] it is and gives a [`Hint`]; [`Error`] (feature
//! `engine`) is any of them.

pub use c8y_pki_core::failure::{
    Example, Failure, Fault, Hint, Kind, Means, Permission, Secret, Setting, SubjectField, Task,
    Words, use_words,
};
#[doc(inline)]
pub use c8y_pki_core::{
    cert, chain, client_id, clock, crl, crypto, csr, failure, in_memory, issue, key, name, openssl,
    profile, read, secret, shown, store,
};
#[cfg(feature = "engine")]
#[doc(inline)]
pub use c8y_pki_engine::{
    Error, device, enrolment, error, files, inspect, labels, list, manifest, orders, pki, platform,
    provision, registration, registry, rollback, rollout, selftest, servers, status,
};
#[cfg(feature = "sandbox")]
#[doc(inline)]
pub use c8y_pki_sandbox as sandbox;

#[cfg(feature = "engine")]
pub use c8y_pki_engine::pki::{
    Ca, CaKey, CaSettings, DeviceRequest, Issued, NewKey, Pki, Replacing, RequestError,
};
pub use cert::{Certificate, LongestChain, Serial};
pub use client_id::{ClientId, DeviceId};
pub use crypto::{KeyType, PublicKey};
pub use csr::Request;
pub use in_memory::{InMemoryCa, InMemoryDevice};
pub use issue::{BeyondIssuer, Issuer, Order, Validity};
pub use key::PrivateKey;
pub use name::Name;
pub use profile::Profile;
pub use secret::{ChosenPassword, Password};
pub use store::{Format, Store, WriteOptions};
