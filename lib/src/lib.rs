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
//! | keep CAs and a registry in a folder | [`authority`], [`registry`] |
//! | read a device list, from a CSV or a workbook | [`list`] |
//! | issue one device or very many | [`provision`] |
//! | make a certificate in memory | [`issue`], with a [`profile`] |
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
//! | show what any such file holds | [`describe`] |
//!
//! # A root, a device, a keystore
//!
//! ```
//! use c8y_pki::cert::{LongestChain, Serial};
//! use c8y_pki::client_id::DeviceId;
//! use c8y_pki::issue::{self, Issuer, Order, Validity};
//! use c8y_pki::key::PrivateKey;
//! use c8y_pki::name::Name;
//! use c8y_pki::profile::Profile;
//! use c8y_pki::{chain, store};
//! # fn main() -> Result<(), c8y_pki::Error> {
//! # let now = time::OffsetDateTime::from_unix_timestamp(1_795_000_000).unwrap();
//! // A root: its profile says what goes into it.
//! let profile = Profile::built_in("root").expect("it is built in");
//! let root_key = PrivateKey::generate(profile.key)?;
//! let subject = Name::parse("CN=Example Root CA,O=Example GmbH,C=DE")?;
//! let root = issue::self_sign(
//!     &Order {
//!         profile: &profile,
//!         subject: &subject,
//!         public_key: root_key.public_key(),
//!         serial: Serial::random()?,
//!         validity: Validity::of(&profile, now, None),
//!         path_length: issue::path_length(profile.path_length, &[], LongestChain::CLOUD)?,
//!     },
//!     &root_key,
//! )?;
//!
//! // A device: its common name is its identifier.
//! let id = DeviceId::parse("gw-0001")?;
//! let profile = Profile::built_in("device").expect("it is built in");
//! let key = PrivateKey::generate(profile.key)?;
//! let subject = Name::builder().with("CN", id.as_str())?.build()?;
//! let device = issue::issue(
//!     &Order {
//!         profile: &profile,
//!         subject: &subject,
//!         public_key: key.public_key(),
//!         serial: Serial::random()?,
//!         validity: Validity::of(&profile, now, None),
//!         path_length: None,
//!     },
//!     &Issuer::new(&root, &root_key, now)?,
//! )?;
//!
//! // The chain holds, and the platform would take it.
//! let anchors = [root.clone()];
//! chain::verify(&device, &[], &anchors, &chain::Options::new(now))?;
//! let presented = [device.clone(), root.clone()];
//! assert!(chain::check_device(&presented, &anchors, &id, LongestChain::CLOUD).is_empty());
//!
//! // A keystore for its firmware.
//! let mut keystore = store::Store::new();
//! let alias = store::DEVICE_KEY_ALIAS;
//! keystore.add_key(alias, key.pkcs8().clone(), key.public_key(), presented.to_vec())?;
//! let password = c8y_pki::secret::Password::new("Secret-Pass-01");
//! let options = store::WriteOptions::new(Some(&password), now);
//! let pkcs12 = store::write(&keystore, store::Format::Pkcs12, &options)?;
//! assert_eq!(store::detect(&pkcs12)?, store::Format::Pkcs12);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! `aws-lc-rs` (default) or `ring`: the crypto backend. ring does not know P-521; everything else works
//! with both. `pkcs11`: keys in tokens. `sandbox`: a tenant in memory.
//!
//! # Errors
//!
//! Each module has its own error: `Display` is a sentence that names the thing, its value and the
//! rule; `hint()` says what to do. [`Error`] is any of them and tells [whose fault](Fault) it is.

mod armor;
pub mod authority;
mod ber;
pub mod cert;
pub mod chain;
pub mod client_id;
pub mod clock;
pub mod crl;
pub mod crypto;
pub mod csr;
mod der;
pub mod describe;
pub mod device;
pub mod enrolment;
pub mod error;
pub mod files;
pub mod issue;
pub mod key;
pub mod list;
pub mod manifest;
pub mod name;
mod net;
pub mod openssl;
pub mod platform;
pub mod profile;
pub mod provision;
pub mod read;
pub mod registration;
pub mod registry;
pub mod rollback;
pub mod rollout;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod secret;
pub mod selftest;
pub mod shown;
pub mod store;

pub use error::{Error, Fault};
