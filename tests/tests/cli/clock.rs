//! Clocks that are wrong, seen from a registry whose last entry is of another time.

use std::fs;

use c8y_pki_core::crypto::KeyType;
use c8y_pki_core::issue::BeyondIssuer;
use c8y_pki_core::name::Name;
use c8y_pki_core::profile::Profile;
use c8y_pki_core::secret::{ChosenPassword, Password};
use c8y_pki_engine::pki::{CaSettings, NewKey, Pki};
use c8y_pki_tests::cli::{CA_PW, Cli, PASSWORD};
use time::{Duration, OffsetDateTime};

/// Adds a row to the audit log as a computer does whose clock is that far off.
fn entry_of_another_clock(cli: &Cli, off: Duration) {
    let at = OffsetDateTime::now_utc() + off;
    let mut pki = Pki::open(&cli.path("pki"), at).expect("a PKI directory");
    pki.registry_mut().next_crl_number("elsewhere", &[], 1, at).expect("a registry");
}

/// A PKI directory with the CA `root`, untouched for that long.
pub(crate) fn untouched_for(time: Duration) -> Cli {
    let cli = Cli::new();
    let at = OffsetDateTime::now_utc() - time;
    let profile = Profile::built_in("root").and_then(|p| p.with_key(KeyType::EcP256).ok());
    let settings = CaSettings {
        profile: &profile.expect("a profile"),
        subject: &Name::parse("CN=Root,O=Example").expect("a name"),
        days: None,
        path_length: None,
        beyond_issuer: BeyondIssuer::Refuse,
        key: NewKey::File(&ChosenPassword::unjudged(Password::new(PASSWORD))),
    };
    let mut pki = Pki::open_or_create(&cli.path("pki"), at).expect("a PKI directory");
    pki.init_root("root", &settings, at).expect("a CA");
    cli
}

const ADD: &str = "ca add line --parent root --subject CN=Line --key-type ec-p256";

#[test]
fn a_clock_that_is_behind_writes_nothing() {
    let cli = Cli::with_cas();
    cli.ok(&format!("device issue a b --ca line --out out {CA_PW}"));
    entry_of_another_clock(&cli, Duration::minutes(8));
    cli.ok("device revoke b");
    entry_of_another_clock(&cli, Duration::days(1095));
    let before = cli.ok("registry export --what audit");
    for line in [
        format!("device issue c --ca line --out out {CA_PW}"),
        format!("device renew a --out out {CA_PW}"),
        format!("device manifest --out handover {CA_PW}"),
        "device revoke a".to_owned(),
        format!("ca crl line {CA_PW}"),
        format!("ca init other --subject CN=Other --key-type ec-p256 {CA_PW}"),
        format!("ca add other --parent root --subject CN=Other --key-type ec-p256 {CA_PW}"),
        format!("ca renew line {CA_PW}"),
        "registry repair --yes".to_owned(),
    ] {
        let said = cli.fails(3, &line);
        assert!(said.contains("this computer's clock says 20"), "{line}: {said}");
        assert!(said.contains("the registry's last entry is of 20"), "{line}: {said}");
        let hint = "hint: set this computer's clock; if it is right, run it again and say so, which the audit log keeps: \
             --clock-is-right";
        assert!(said.contains(hint), "{line}: {said}");
    }
    let list = cli.run("device list").expect(0);
    assert_eq!(list.stderr.matches("warning: this computer's clock says").count(), 1, "{list:?}");
    let found = cli.run("registry check").expect(1).stdout;
    assert!(found.contains("clock: row ") && found.contains("lies in the future"), "{found}");
    assert_eq!(cli.ok("registry export --what audit"), before);

    // The audit log keeps what was believed, and from then on it goes on.
    cli.ok(&format!("ca crl line --clock-is-right {CA_PW}"));
    let audit = cli.run("registry export --what audit --json").expect(0).json_lines();
    let believed = audit.iter().find(|row| row["action"] == "clock").expect("a row");
    let (clock, against) = (&believed["detail"]["clock"], &believed["detail"]["against"]);
    assert!(clock.as_str() < against.as_str(), "{believed}");
    cli.ok(&format!("device issue c --ca line --out out {CA_PW}"));
    cli.ok("registry check");
}

#[test]
fn what_a_stopped_run_has_left_is_recorded_after_the_clock_was_looked_at() {
    let cli = untouched_for(Duration::days(1095));
    let registry = cli.path("pki/registry.sqlite");
    let before = fs::read(&registry).expect("a registry");
    cli.ok(&format!("{ADD} --clock-is-right {CA_PW}"));
    // As a run leaves it that was killed between the directory's name and its row.
    for file in ["-wal", "-shm"] {
        let _ = fs::remove_file(cli.path(&format!("pki/registry.sqlite{file}")));
    }
    fs::write(&registry, before).expect("a registry");
    cli.write("pki/ca/line/unrecorded", "");
    let audit = cli.ok("registry export --what audit");
    let listed = cli.run("ca list --json").expect(0).json_lines();
    assert_eq!(listed.len(), 2, "{listed:?}");
    let checked = cli.run("registry check").expect(0).stdout;
    assert!(checked.contains("the making of the CA line was stopped"), "{checked}");
    for _ in 0..2 {
        let said = cli.fails(3, &format!("ca crl root {CA_PW}"));
        assert!(said.contains("the clock may be ahead"), "{said}");
    }
    assert_eq!(cli.ok("registry export --what audit"), audit, "nothing was recorded");
    cli.ok(&format!("ca crl root --clock-is-right {CA_PW}"));
    assert!(!cli.path("pki/ca/line/unrecorded").exists());
    let checked = cli.run("registry check").expect(0).stdout;
    assert!(!checked.contains("was stopped"), "{checked}");
}

#[test]
fn after_a_long_silence_a_script_has_to_say_that_the_clock_is_right() {
    let cli = untouched_for(Duration::days(29));
    cli.ok(&format!("{ADD} {CA_PW}"));
    let cli = untouched_for(Duration::days(31));
    assert_eq!(cli.run("ca list").expect(0).stderr, "", "reading is no matter");
    let said = cli.fails(3, &format!("{ADD} {CA_PW}"));
    assert!(said.contains("the clock may be ahead"), "{said}");
    assert!(said.contains("hint: check this computer's clock"), "{said}");
    cli.ok(&format!("{ADD} --clock-is-right {CA_PW}"));
    cli.ok(&format!("device issue a --ca line --out out {CA_PW}"));
    cli.ok("registry check");
}
