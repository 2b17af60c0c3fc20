//! Ids that the platform refuses in new devices: refused wherever new ids are made, read with a warning where
//! they exist.

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::registry::{Holder, NewRecord};
use c8y_pki_tests::cli::{CA_PW, Cli, Outcome};
use c8y_pki_tests::openssl::OpenSsl;
use c8y_pki_tests::workshop::{Made, bundle, device};
use time::OffsetDateTime;

const OLD: &str = "two words";
const REFUSED: &str =
    "device id \"two words\" contains ' ', which the platform refuses in the ids of new devices";
const INSTEAD: &str = "hint: use another character, for example \"two_words\"";

/// A device of the CA `line` under such an id, as earlier versions of the program issued it.
fn with_old_id() -> Cli {
    let cli = Cli::with_cas();
    let line = Made::of_pki(&cli, "line");
    let made = device(OLD, &line);
    let root = Made::of_pki(&cli, "root");
    bundle(&cli, "out/two%20words", &made, &[&made, &line, &root]);
    cli.write("out/two%20words/cert.pem", made.pem());
    let now = OffsetDateTime::now_utc();
    let mut pki = Pki::open(&cli.path("pki"), now).expect("a PKI directory");
    let record = NewRecord {
        ca: "line".to_owned(),
        holder: Holder::Device(DeviceId::parse(OLD).expect("an id")),
        certificate: (&made.certificate).into(),
        details: Default::default(),
        location: Some(cli.path("out/two%20words")),
        has_key: true,
        bundle: None,
        replaces: None,
        key_from_outside: false,
    };
    pki.registry_mut().record("old", now, &[record]).expect("it is recorded");
    cli
}

/// The warning of an id that exists: its name, its character, and what follows.
#[track_caller]
fn is_warned_of(outcome: &Outcome) {
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(said.contains(&format!("{REFUSED} (since its release 10.20.90)")), "{outcome:?}");
    assert!(said.contains("cannot be registered with this id"), "{outcome:?}");
}

#[test]
fn a_request_for_such_an_id_is_refused() {
    let cli = Cli::with_cas();
    let Some(openssl) = OpenSsl::at(&cli.path(".")) else { return };
    openssl.request("a$b");
    let sign = format!("device sign 'a$b.csr' --ca line --out out {CA_PW}");
    let refused = cli.run(&sign).expect(1);
    let said =
        "device id \"a$b\" contains '$', which the platform refuses in the ids of new devices";
    assert!(refused.stdout.contains(said) && refused.stdout.contains("\"a_b\""), "{refused:?}");
    let named = cli.run(&format!("{sign} --id 'two words'")).expect(1);
    assert!(named.stdout.contains(REFUSED) && named.stdout.contains(INSTEAD), "{named:?}");
    // What the hint names works when typed.
    cli.ok(&format!("{sign} --id two_words"));
}

#[test]
fn enrolment_and_registration_refuse_them_before_anything_is_sent() {
    let cli = Cli::new();
    let host = "--host localhost --user admin --tenant-password-file pw";
    cli.write("list.csv", "id,name\nok-1,x\ntwo words,y\n");
    for line in [
        "device enrol 'two words' --host localhost --out out --otp-file pw".to_owned(),
        format!("registration add 'two words' --otp-out otp.csv {host}"),
        "registration create --from list.csv --out r.csv".to_owned(),
        format!("registration add --from list.csv --otp-out otp.csv {host}"),
    ] {
        let refused = cli.run(&line).expect(2);
        let said = &refused.stderr;
        assert!(said.contains("two words") && said.contains("contains ' '"), "{refused:?}");
        assert!(said.contains(INSTEAD), "{refused:?}");
        assert!(!line.contains("--from") || said.contains("(line 3)"), "{refused:?}");
    }
    assert_eq!(cli.names(""), ["list.csv", "pw"], "nothing was made");
    cli.ok("registration create --from list.csv --id-column name --out r.csv");
}

#[test]
fn a_rollout_refuses_new_ones_and_warns_of_those_that_exist() {
    let cli = with_old_id();
    cli.write(
        "rollout.toml",
        "pki = \"pki\"\n[passwords]\nca = \"pw\"\n\
         [[ca]]\nname = \"root\"\nprofile = \"root\"\nsubject = \"CN=Root,O=Example\"\n\
         [[ca]]\nname = \"line\"\nparent = \"root\"\nprofile = \"intermediate\"\nsubject = \"CN=Line,O=Example\"\n\
         [devices]\nfrom = \"list.csv\"\nca = \"line\"\nprofile = \"device\"\nout = \"out\"\nbundle = [\"pem\"]\n",
    );
    cli.write("list.csv", "id\ntwo words\nthree more words\n");
    let refused = cli.run("rollout rollout.toml").expect(2);
    assert!(refused.stderr.contains("\"three more words\" (line 3) contains ' '"), "{refused:?}");
    assert!(refused.stderr.contains("\"three_more_words\""), "{refused:?}");
    assert!(!refused.stderr.contains("two words"), "{refused:?}");
    cli.write("list.csv", "id\ntwo words\nthree_more_words\n");
    let done = cli.run("rollout rollout.toml").expect(0);
    is_warned_of(&done);
    assert!(done.stdout.contains("1 device issued"), "{done:?}");
}

#[test]
fn those_of_the_registry_are_read_with_a_warning() {
    let cli = with_old_id();
    is_warned_of(&cli.run("device show 'two words'").expect(0));
    let create = cli.run("registration create --out r.csv").expect(0);
    is_warned_of(&create);
    assert!(cli.text("r.csv").contains("two words"));
    is_warned_of(
        &cli.run(&format!("device issue 'two words' --ca line --out out {CA_PW}")).expect(0),
    );
    let renewed = cli.run("device renew 'two words' --out out --ca-password-file pw").expect(0);
    is_warned_of(&renewed);
    // JSON has them, too.
    let json =
        cli.run("device renew 'two words' --out out --ca-password-file pw --json").expect(0).json();
    assert_eq!(json["old_ids"]["count"], 1, "{json}");
}

#[test]
fn those_of_certificates_and_lists_are_read_with_a_warning() {
    let cli = with_old_id();
    let verify = "cert verify out/two%20words/chain.pem --trust pki/ca/root/cert.pem --as-device 'two words'";
    let said = cli.run(verify).expect(0);
    is_warned_of(&said);
    assert!(
        said.stdout.starts_with("valid\n") && said.stdout.contains("note: device id"),
        "{said:?}"
    );
    let json = cli.run(&format!("{verify} --json")).expect(0).json();
    assert!(
        json["device"].as_array().expect("findings").iter().any(|f| f["code"] == "old-id"),
        "{json}"
    );
    let check = "device check --bundle out/two%20words --host localhost --port 1 --json";
    let report = cli.run(check).expect(3).json();
    let notes = report["notes"].as_array().expect("notes").iter().filter_map(|note| note.as_str());
    assert!(notes.into_iter().any(|note| note.starts_with(REFUSED)), "{report}");
    let at = "--bundle out/two%20words --host localhost --port 1";
    is_warned_of(&cli.run(&format!("device token {at}")).expect(3));
    is_warned_of(&cli.run(&format!("device connect {at} --no-reconnect")).expect(3));
    cli.write(
        "r.csv",
        "ID;AUTH_TYPE;com_cumulocity_model_Agent.active\ntwo words;CERTIFICATES;true\n",
    );
    let new = cli.run("registration check r.csv").expect(1);
    assert!(new.stdout.contains(&format!("error: r.csv line 2: {REFUSED}")), "{new:?}");
    let existing = cli.run("registration check r.csv --existing").expect(0);
    is_warned_of(&existing);
    assert!(existing.stdout.contains("warning: r.csv line 2: "), "{existing:?}");
}

/// An id whose character counts as invisible only since a later version of the program: nothing parses it any
/// more, and its device is still listed, shown, renewed and revoked.
#[test]
fn one_that_a_younger_rule_refuses_is_still_a_device() {
    let (cli, younger) = (with_old_id(), "gw\u{1d173}1");
    assert!(DeviceId::parse(younger).is_err());
    let registry = rusqlite::Connection::open(cli.path("pki/registry.sqlite")).expect("a registry");
    let sql = format!(
        "UPDATE certificate SET client_id = '{younger}', folded_id = '{younger}' WHERE client_id = '{OLD}'"
    );
    registry.execute_batch(&sql).expect("it is changed");
    drop(registry);
    let listed = || cli.run("device list --json").expect(0).json_lines();
    let former = listed();
    assert_eq!((former.len(), &former[0]["id"]), (1, &younger.into()), "{former:?}");
    let renewed = "device renew --expiring 36500d --out new --ca-password-file pw --json";
    let done = cli.run(renewed).expect(0).json();
    assert_eq!((&done["issued"], &done["replaced"]), (&1.into(), &1.into()), "{done}");
    assert!(cli.path("new/gw%F0%9D%85%B31/key.pem").exists());
    assert_ne!(listed()[0]["serial"], former[0]["serial"]);
    cli.ok(&format!("device show {younger}"));
    cli.ok(&format!("device revoke {younger} --reason superseded"));
    assert_eq!(listed(), Vec::<serde_json::Value>::new());
}
