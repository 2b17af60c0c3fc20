//! The program for Windows, run by Wine: the whole job, a kill and the run after it.
//!
//! `C8Y_PKI_WINDOWS_BINARY` names the program, which `.ci/systems` builds. Without it, or without Wine, these tests are left
//! out and say so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use c8y_pki_tests::tool;
use tempfile::TempDir;

/// After this a process is taken to hang.
const PATIENCE: Duration = Duration::from_secs(300);

const PASSWORD: &str = "correct horse battery staple";

/// A directory, and a Windows of its own for it.
struct Windows {
    dir: TempDir,
    program: PathBuf,
    allowed: bool,
}

impl Windows {
    fn new() -> Option<Self> {
        let Some(program) = std::env::var_os("C8Y_PKI_WINDOWS_BINARY") else {
            eprintln!("left out: C8Y_PKI_WINDOWS_BINARY names no program for Windows");
            return None;
        };
        tool("wine")?;
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        Some(Self { dir, program: program.into(), allowed: true })
    }

    fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("wine");
        command.arg(&self.program).args(line.split_whitespace()).current_dir(self.work());
        command.env("WINEPREFIX", self.dir.path().join("wine")).env("WINEDEBUG", "-all");
        command.env("C8Y_PKI_CA_PASSWORD", PASSWORD).stdin(Stdio::null());
        // Wine asks for a desktop otherwise, to install what no test needs.
        command
            .env("WINEDLLOVERRIDES", "mscoree,mshtml=;bcryptprimitives=b,n")
            .env_remove("DISPLAY");
        if self.allowed {
            command.env("C8Y_PKI_INSECURE_PERMISSIONS", "1");
        }
        command
    }

    fn run(&self, line: &str) -> (i32, String) {
        let Output { status, stdout, stderr } = self.command(line).output().unwrap();
        let said =
            [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(!said.contains("panicked") && !said.contains(PASSWORD), "{line}\n{said}");
        (status.code().unwrap_or(-1), said)
    }

    fn ok(&self, line: &str) -> String {
        let (code, said) = self.run(line);
        assert_eq!(code, 0, "{line}\n{said}");
        said
    }
}

impl Drop for Windows {
    fn drop(&mut self) {
        // Its services would hold the directory.
        let mut end = Command::new("wineserver");
        let _ = end.arg("-k").env("WINEPREFIX", self.dir.path().join("wine")).status();
    }
}

/// What a list of devices becomes: directories with a certificate, a key and nothing half-written.
fn whole_devices(out: &Path) -> usize {
    let Ok(entries) = fs::read_dir(out) else { return 0 };
    let names = entries.map(|entry| entry.unwrap().path());
    let shown = names.filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
    shown.filter(|path| path.join("key.pem").exists() && path.join("cert.pem").exists()).count()
}

#[test]
fn the_whole_job_a_kill_and_a_rerun() {
    let Some(mut windows) = Windows::new() else { return };
    let work = windows.work();

    // Rights of files cannot be set there, so a secret is written only when somebody has said that it may be.
    windows.allowed = false;
    let (code, said) = windows.run("rollout --example refused --sandbox");
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("cannot set rights of files") && said.contains("--insecure-permissions"),
        "{said}"
    );
    let secrets = work.join("refused/secrets");
    assert!(fs::read_dir(secrets).map_or(true, |mut files| files.next().is_none()));
    windows.allowed = true;

    let said = windows.ok("rollout --example demo --sandbox");
    assert!(said.contains("4 of 4 devices connect"), "{said}");
    if let Some(openssl) = tool("openssl") {
        let device = work.join("demo/out/devices/sensor-40-26470014");
        let chain = device.join("chain.pem").display().to_string();
        let leaf = device.join("cert.pem").display().to_string();
        let root = work.join("demo/pki/ca/root/cert.pem").display().to_string();
        openssl.run(&["verify", "-CAfile", &root, "-untrusted", &chain, &leaf]);
    }

    windows.ok("ca init line --subject CN=Line,O=Example --key-type ec-p256");
    let count = 100;
    let ids: String = (2..count).map(|number| format!("gw-{number}\n")).collect();
    fs::write(work.join("list.csv"), format!("id\nCON\nnul.txt\n{ids}")).unwrap();
    let line = "device issue --from list.csv --ca line --out out";
    let mut process =
        windows.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let out = work.join("out");
    while whole_devices(&out) == 0 && process.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE, "no device was made");
        sleep(Duration::from_millis(5));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    windows.ok(line);
    assert_eq!(whole_devices(&out), count);
    for reserved in ["%43ON", "%6Eul.txt"] {
        assert!(out.join(reserved).join("key.pem").exists(), "{reserved}");
    }
    let left: Vec<PathBuf> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.join("key.pem").exists())
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new(), "something is left");
    windows.ok("registry check");
}
