//! Devices for a benchmark.

use std::fs;
use std::path::Path;

use c8y_pki_core::crypto::{KeyPolicy, KeyType};
use c8y_pki_core::issue::BeyondIssuer;
use c8y_pki_core::name::Name;
use c8y_pki_core::profile::Profile;
use c8y_pki_core::secret::{ChosenPassword, Password};
use c8y_pki_core::store::Pkcs12Options;
use c8y_pki_engine::list::{ListFile, ListOptions};
use c8y_pki_engine::pki::policy::SigningPolicy;
use c8y_pki_engine::pki::{CaSettings, NewKey, Pki};
use c8y_pki_engine::provision::bundle::{Bundle, BundleSettings};
use c8y_pki_engine::provision::{self, Context, Existing, Job, Keep, Out, RevokedDevices};
use time::OffsetDateTime;

pub(crate) const PASSWORD: &str = "Secret-Pass-01";

/// Issues so many devices, whose ids begin so, under the CA `line` with a key of that type, in a PKI directory in `dir`.
pub(crate) fn issue(dir: &Path, key: KeyType, (prefix, count): (&str, usize), out: Out<'_>) {
    let now = OffsetDateTime::now_utc();
    let password = Password::new(PASSWORD);
    let mut pki = Pki::open_or_create(&dir.join("pki"), now).expect("a PKI directory");
    let profile = Profile::built_in("root").and_then(|p| p.with_key(key).ok()).expect("a profile");
    let settings = CaSettings {
        profile: &profile,
        subject: &Name::parse("CN=Line CA,O=Example").expect("a name"),
        days: None,
        path_length: None,
        beyond_issuer: BeyondIssuer::Refuse,
        key: NewKey::File(&ChosenPassword::unjudged(Password::new(PASSWORD))),
    };
    let ca = pki.init_root("line", &settings, now).expect("a CA");
    let ca_key = ca.unlock(&password).expect("its key");
    let profile = Profile::built_in("device").and_then(|p| p.with_key(KeyType::EcP256).ok());
    let profile = profile.expect("a profile");
    let ids: String = (0..count).map(|n| format!("{prefix}{n:07}\n")).collect();
    fs::write(dir.join("devices.csv"), format!("id\n{ids}")).expect("a device list");
    let job = Job {
        ca: &ca,
        key: &ca_key,
        profile: &profile,
        subject: &Name::builder().with("O", "Example").expect("a field"),
        days: None,
        beyond_issuer: BeyondIssuer::Refuse,
        out,
        bundle: BundleSettings {
            kinds: &[Bundle::Pem],
            store_password: None,
            key_password: None,
            key_iterations: 1,
            pkcs12: Pkcs12Options::default(),
            trusted: &[],
        },
        existing: Existing::Skip,
        revoked: RevokedDevices::Issue,
        keep: Keep::default(),
        order: None,
        keys: KeyPolicy::default(),
        secrets: None,
        key_pool: None,
        keep_going: false,
        policy: &SigningPolicy::default(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    };
    let list =
        ListFile::open(&dir.join("devices.csv"), ListOptions::default()).expect("a device list");
    let summary = provision::run(&mut pki, &job, list, &Context::at(now));
    assert_eq!(summary.expect("a run").issued, count);
}
