//! Every command that writes is killed, meets a broken disk and a full one, at one call to the file system after
//! the other: nothing is lost or half done, it says what happened, and the same line finishes the job.
//!
//! `C8Y_PKI_THOROUGH=1` tries every call; otherwise some, spread over all of them, the first and the last among them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use c8y_pki_core::key::PrivateKey;
use c8y_pki_core::secret::Password;
use c8y_pki_tests::cli::{CA_PW, Cli, Outcome, PASSWORD, a_second_passes, walk};
use c8y_pki_tests::faults::{Fault, Faults};
use c8y_pki_tests::rounds;
use serde_json::Value;

/// So many calls of each command are tried with each fault, or all of them if there are fewer. A kill can leave anything
/// behind; a call that fails is met by few lines of ours.
const KILLS: usize = 30;
const FAILURES: usize = 10;

/// A command that writes.
struct Job {
    line: &'static str,
    /// What it may answer when it is run again and had done its work before.
    again: &'static [i32],
    /// What has to be so when it is done.
    done: fn(&Cli),
}

const JOBS: [Job; 14] = [
    Job {
        line: "ca request wait-2 --subject CN=Wait-2 --key-type ec-p256 --out w.csr --ca-password-file pw",
        again: &[0],
        done: one_key_waits,
    },
    Job {
        line: "ca sign-request ca.csr --ca root --yes --out signed.pem --ca-password-file pw",
        again: &[0],
        done: is_signed_once,
    },
    Job { line: "ca add wait-1 --certificate answer.pem", again: &[0], done: has_its_answer },
    Job {
        line: "ca init other --subject CN=Other --key-type ec-p256 --ca-password-file pw",
        again: &[0, 2],
        done: cas::<3>,
    },
    Job {
        line: "ca add below --parent root --subject CN=Below --shorten --ca-password-file pw",
        again: &[0, 2],
        done: cas::<3>,
    },
    Job {
        line: "ca renew line --days 100 --ca-password-file pw",
        again: &[0],
        done: former_ones_are_kept,
    },
    Job { line: "ca rename line line-7", again: &[0, 2], done: is_renamed },
    Job { line: "ca crl line --ca-password-file pw", again: &[0], done: has_list },
    Job { line: "device revoke dev-1 --reason keyCompromise", again: &[0, 1], done: is_revoked },
    Job {
        line: "device issue new-1 new-2 new-3 --ca line --out out --ca-password-file pw",
        again: &[0],
        done: live::<7>,
    },
    Job {
        line: "device issue new-1 new-2 new-3 --ca line --output tar --out new.tar --ca-password-file pw",
        again: &[0],
        done: archive_is_whole,
    },
    Job {
        line: "device issue dev-1 dev-2 --ca line --out out --existing replace --ca-password-file pw",
        again: &[0],
        done: live::<4>,
    },
    Job {
        line: "device renew dev-1 dev-2 --ca line --out out --ca-password-file pw",
        again: &[0],
        done: live::<4>,
    },
    Job {
        line: "device sign req.csr --ca line --out signed --ca-password-file pw",
        again: &[0],
        done: live::<5>,
    },
];

fn cas<const COUNT: usize>(cli: &Cli) {
    let mut cas = cli.run("ca list --json").expect(0).json_lines();
    // One that waits has no certificate.
    cas.retain(|ca| ca["waiting"] != true);
    assert_eq!(cas.len(), COUNT, "{cas:?}");
    for ca in cas {
        let name = ca["name"].as_str().expect("a name");
        let dir = format!("pki/ca/{name}");
        let key =
            PrivateKey::read(&cli.read(&format!("{dir}/key.pem")), Some(&Password::new(PASSWORD)));
        let spki = key.expect("its key").public_key().spki().to_vec();
        let cert = c8y_pki_core::cert::Certificate::all_from_pem_or_der(
            &cli.read(&format!("{dir}/cert.pem")),
        );
        assert_eq!(cert.expect("its certificate")[0].spki, spki, "the key of {name}");
    }
}

/// Devices present a former certificate of their CA until it ends.
fn former_ones_are_kept(cli: &Cli) {
    cas::<2>(cli);
    let rows = cli.run("registry export --format jsonl").expect(0).json_lines();
    let former = |row: &&Value| row["role"] == "ca" && row["status"] == "superseded";
    let former: Vec<&Value> = rows.iter().filter(former).collect();
    assert!(!former.is_empty(), "{rows:?}");
    for row in former {
        let name = format!("pki/ca/line/former-{}.pem", row["serial"].as_str().expect("a number"));
        assert!(cli.path(&name).exists(), "{name} is lost");
    }
}

/// The request is that of the key that waits.
fn one_key_waits(cli: &Cli) {
    let request = cli.read("pki/ca/wait-2/request.pem");
    let password = Password::new(PASSWORD);
    let key = PrivateKey::read(&cli.read("pki/ca/wait-2/key.pem"), Some(&password)).expect("a key");
    let found = c8y_pki_core::csr::Request::all_from_pem_or_der(&request).expect("requests");
    let found = found.into_iter().next().expect("one").expect("a request");
    assert_eq!(found.check_possession().expect("it is its own"), key.public_key());
    assert_eq!(cli.read("w.csr"), request);
}

/// However often it was tried, the root has signed once, and the answer is that certificate.
fn is_signed_once(cli: &Cli) {
    let rows = cli.run("registry export --format jsonl").expect(0).json_lines();
    let signed: Vec<&Value> = rows.iter().filter(|row| row["subject"] == "CN=Elsewhere").collect();
    assert_eq!(signed.len(), 1, "{rows:?}");
    let answer = c8y_pki_core::cert::Certificate::all_from_pem_or_der(&cli.read("signed.pem"));
    let serial = answer.expect("certificates")[0].serial.to_string();
    assert_eq!(signed[0]["serial"], serial.as_str());
}

/// The CA that waited has its certificate, its key and its place in the registry.
fn has_its_answer(cli: &Cli) {
    let shown = cli.run("ca show wait-1 --json").expect(0).json();
    assert_eq!(shown["chain_length"], 2, "{shown}");
    assert!(!cli.path("pki/ca/wait-1/request.pem").exists());
}

fn live<const COUNT: usize>(cli: &Cli) {
    let devices = cli.run("device list --json").expect(0).json_lines();
    assert_eq!(devices.len(), COUNT, "{devices:?}");
}

/// The registry, the directory and the policy have the new name, and the devices are its own.
fn is_renamed(cli: &Cli) {
    cas::<2>(cli);
    let rows = cli.run("device list --ca line-7 --json").expect(0).json_lines();
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert!(!cli.path("pki/ca/line").exists() && cli.path("pki/ca/line-7").exists());
    cli.ok("registry check");
}

fn has_list(cli: &Cli) {
    let shown = cli.run("cert show pki/ca/line/crl.pem --json").expect(0).json();
    assert!(!shown.is_null());
}

fn is_revoked(cli: &Cli) {
    let rows = cli.run("device list --status revoked --json").expect(0).json_lines();
    let ids: Vec<&Value> = rows.iter().map(|row| &row["id"]).collect();
    assert_eq!(ids, ["dev-1"], "{rows:?}");
}

fn archive_is_whole(cli: &Cli) {
    live::<7>(cli);
    let listed = Command::new("tar").args(["-tf", "new.tar"]).current_dir(cli.path("")).output();
    let listed = String::from_utf8(listed.expect("tar").stdout).expect("names");
    for id in ["new-1", "new-2", "new-3"] {
        assert_eq!(listed.matches(&format!("{id}/key.pem")).count(), 1, "{listed}");
    }
}

/// A directory with a root, an intermediate, four devices and a request, which can be put back as it was.
struct Scene {
    cli: Cli,
    faults: Faults,
}

impl Scene {
    fn new() -> Option<Self> {
        let faults = Faults::new()?;
        let cli = Cli::new();
        cli.ok(&format!("ca init --subject CN=Root --key-type ec-p256 {CA_PW}"));
        cli.ok(&format!("ca add line --parent root --subject CN=Line {CA_PW}"));
        for name in ["root", "line"] {
            cli.open_quickly(&format!("pki/ca/{name}/key.pem"));
        }
        cli.ok(&format!("device issue dev-1 dev-2 dev-3 dev-4 --ca line --out out {CA_PW}"));
        let key = PrivateKey::generate(c8y_pki_core::crypto::KeyType::EcP256).expect("a key");
        let subject = c8y_pki_core::name::Name::parse("CN=signed-1").expect("a name");
        let request = c8y_pki_core::csr::make(&subject, &key).expect("a request");
        cli.write("req.csr", c8y_pki_core::csr::pem(&request));
        with_requests(&cli);
        a_second_passes();
        run("cp -a pki out req.csr ca.csr answer.pem template/", "mkdir template", &cli);
        Some(Self { cli, faults })
    }

    fn put_back(&self) {
        run(
            "cp -a template/. .",
            "rm -rf pki out signed signed.pem w.csr new.tar req.csr .c8y*",
            &self.cli,
        );
    }

    /// Tries a job with a fault at many calls; returns what went wrong, a line for each call.
    fn attack(&self, job: &Job, fault: Fault) -> Vec<String> {
        self.put_back();
        let calls = self.faults.count(&self.cli, job.line);
        (job.done)(&self.cli);
        let some = if fault == Fault::Killed { KILLS } else { FAILURES };
        let tried = rounds(some, calls).min(calls);
        let (mut hit, mut wrong) = (0, Vec::new());
        for at in (0..tried).map(|n| 1 + n * (calls - 1) / (tried - 1).max(1)) {
            // What one call shows must not hide what the others do.
            match catch_unwind(AssertUnwindSafe(|| self.attempt(job, fault, at))) {
                Ok(effect) => hit += usize::from(effect),
                Err(panic) => wrong.push(format!(
                    "{}: call {at} of {calls}, {fault:?}: {}",
                    job.line,
                    panic.downcast_ref::<String>().map_or("", String::as_str)
                )),
            }
        }
        eprintln!("{}: {tried} of {calls} calls, {fault:?}: {hit} times", job.line);
        if hit == 0 {
            wrong.push(format!("{}: {fault:?} never had an effect", job.line));
        }
        wrong
    }

    /// The fault at one call, and the same line again. Whether the fault had an effect.
    fn attempt(&self, job: &Job, fault: Fault, at: usize) -> bool {
        self.put_back();
        let outcome = self.faults.run(&self.cli, job.line, fault, at);
        let effect = outcome.is_none_or(|outcome| self.is_told(&outcome, job, fault));
        let again = self.cli.run(job.line);
        assert!(job.again.contains(&again.code), "again: {again:?}");
        (job.done)(&self.cli);
        self.cli.run("registry check").expect(0);
        self.nothing_is_left();
        effect
    }

    /// A call that failed is told with its reason, or did no harm. Whether it was told.
    fn is_told(&self, outcome: &Outcome, job: &Job, fault: Fault) -> bool {
        assert!([0, 3].contains(&outcome.code), "{outcome:?}");
        if outcome.code == 0 {
            (job.done)(&self.cli);
            return false;
        }
        let reason = if fault == Fault::Full { "no space is left" } else { "" };
        assert!(outcome.error().contains(reason), "{outcome:?}");
        true
    }

    fn nothing_is_left(&self) {
        for folder in ["pki", "out"] {
            walk(&self.cli.path(folder), &mut |path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let kept = [".replaced", ".lock", ".gitignore"].contains(&name.as_str());
                let odd = name.ends_with(".tmp") || name.starts_with('.') && !kept;
                assert!(!odd, "{} is left", path.display());
            });
        }
    }
}

fn run(line: &str, before: &str, cli: &Cli) {
    let status = Command::new("sh")
        .args(["-ec", &format!("{before}; {line}")])
        .current_dir(cli.path(""))
        .status();
    assert!(status.expect("a shell").success(), "{line}");
}

/// A request of a CA that is elsewhere, and a CA that waits with its answer beside it.
fn with_requests(cli: &Cli) {
    cli.ok(&format!("--pki there ca request e --subject CN=Elsewhere --out ca.csr {CA_PW}"));
    cli.ok(&format!("ca request wait-1 --subject CN=Wait-1 --out wait.csr {CA_PW}"));
    run("cp -a pki rootside", "true", cli);
    cli.ok(&format!(
        "--pki rootside ca sign-request wait.csr --ca root --yes --out answer.pem {CA_PW}"
    ));
}

fn attack_all<'a>(fault: Fault, jobs: impl IntoIterator<Item = &'a Job>) {
    let Some(scene) = Scene::new() else { return };
    let wrong: Vec<String> = jobs.into_iter().flat_map(|job| scene.attack(job, fault)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn is_of_a_ca(job: &&Job) -> bool {
    job.line.starts_with("ca ")
}

// Two tests, so that they run side by side.
#[test]
fn a_kill_at_any_call_of_a_command_of_cas_loses_nothing() {
    attack_all(Fault::Killed, JOBS.iter().filter(is_of_a_ca));
}

#[test]
fn a_kill_at_any_call_of_a_command_of_devices_loses_nothing() {
    attack_all(Fault::Killed, JOBS.iter().filter(|job| !is_of_a_ca(job)));
}

#[test]
fn a_broken_disk_at_any_call_is_told_and_loses_nothing() {
    attack_all(Fault::Broken, &JOBS);
}

#[test]
fn a_full_disk_at_any_call_is_told_and_loses_nothing() {
    attack_all(Fault::Full, &JOBS);
}
