//! Every option that names an output, how its command is called, and the one rule for all of them: `-` is
//! standard output, a device and a FIFO are written to, a link stays and its target is written.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::cli::{Cli, Outcome};
use crate::{arg, tool};

/// An output that is one file.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// Command and option, or command and argument in capitals.
    pub option: &'static str,
    /// How it is called: @ is the place, # a number that no other call has.
    pub line: &'static str,
    /// What is written begins with that.
    pub begins: &'static str,
    /// The exit code.
    pub code: i32,
    /// Whether a file that is there is refused.
    pub new_only: bool,
}

const fn output(option: &'static str, line: &'static str, begins: &'static str) -> Written {
    Written { option, line, begins, code: 0, new_only: false }
}

/// Outputs of commands that need no tenant.
pub const LOCAL: &[Written] = &[
    output("ca crl --out", "ca crl line --out @ --ca-password-file pw", "-----BEGIN X509 CRL-----"),
    output(
        "ca request --out",
        "ca request line --out @ --ca-password-file pw",
        "-----BEGIN CERTIFICATE REQ",
    ),
    output(
        "ca sign-request --out",
        "ca sign-request ca.csr --ca root --yes --out @",
        "-----BEGIN CERTIF",
    ),
    output(
        "ca sign-request --protocol",
        "ca sign-request ca.csr --ca root --yes --out ca.pem --protocol @",
        "PROTOCOL: ",
    ),
    output(
        "ca request --protocol",
        "--pki plant ca request line-7 --out ca.csr --protocol @",
        "PROTOCOL: ",
    ),
    output(
        "ca init --protocol",
        "ca init r-# --subject CN=R-# --key-type ec-p256 --protocol @ --ca-password-file pw",
        "PROTOCOL: ",
    ),
    output("cert chain --out", "cert chain pki/ca/line/chain.pem --out @", "-----BEGIN CERTIF"),
    Written {
        new_only: true,
        ..output(
            "key new --out",
            "key new --type ec-p256 --plain --out @",
            "-----BEGIN PRIVATE KEY-----",
        )
    },
    Written {
        new_only: true,
        ..output(
            "key passwd --out",
            "key passwd plain.key --plain --out @",
            "-----BEGIN PRIVATE KEY-----",
        )
    },
    Written {
        new_only: true,
        ..output(
            "store create FILE",
            "store create @ --format pem --trusted pki/ca/root/cert.pem",
            "-----BEGIN CERTIF",
        )
    },
    output("registration create --out", "registration create --out @ --type t --name n", "ID;"),
    output("registry export --out", "registry export --out @", "ca,role,id,"),
    output("pop sign --out", "pop sign code --key plain.key --out @", "ME"),
    output("rollout --report", "rollout --example demo --local --report @", "<!DOCTYPE html>"),
    Written {
        new_only: true,
        ..output(
            "device issue --out",
            "device issue gw-# --ca line --output tar --out @ --ca-password-file pw",
            "gw-",
        )
    },
    Written {
        code: 2,
        ..output(
            "device issue --failed",
            "device issue --from bad.csv --ca line --out out --failed @ --ca-password-file pw",
            "line,id,problem,remedy\n",
        )
    },
    Written {
        code: 2,
        ..output(
            "device renew --failed",
            "device renew --from bad.csv --ca line --out out --failed @ --ca-password-file pw",
            "line,id,problem,remedy\n",
        )
    },
];

/// Outputs of commands at a tenant.
pub const AT_TENANT: &[Written] = &[
    output("tenant crl download --out", "tenant crl download --out @", "-----BEGIN X509 CRL-----"),
    output("pop code --out", "pop code --ca line --out @", ""),
    output(
        "store fetch --out",
        "store fetch localhost:PORT --out @",
        "-----BEGIN CERTIFICATE-----",
    ),
    output(
        "device token --token-out",
        "device token gw-1 --port PORT --truststore sandbox-ca.pem --token-out @",
        "eyJ",
    ),
];

/// Outputs that are directories, where `-` is refused. What is written into them follows the same rule.
pub const FOLDERS: &[(&str, &str)] = &[
    ("device issue --out", "device issue gw-1 --ca line --out @ --ca-password-file pw"),
    ("device renew --out", "device renew gw-1 --ca line --out @ --ca-password-file pw"),
    ("device sign --out", "device sign some.csr --ca line --out @ --ca-password-file pw"),
    ("device enrol --out", "device enrol gw-1 --out @ --dry-run"),
    ("device refresh --out", "device refresh --out @"),
    ("server issue --out", "server issue s --ca line --san DNS:a --out @ --ca-password-file pw"),
    (
        "server sign --out",
        "server sign some.csr --name s --ca line --san DNS:a --out @ --ca-password-file pw",
    ),
    ("server renew --out", "server renew s --out @ --ca-password-file pw"),
    ("profile import --out", "profile import --openssl-conf some.cnf --out @"),
    ("device manifest --out", "device manifest --out @ --ca-password-file pw"),
    ("registry revocations --out", "registry revocations --out @"),
    ("rollout --example", "rollout --example @"),
    ("man DIR", "man @"),
];

/// Outputs that are read again, and so have to be files: each says why.
pub const FILES: &[(&str, &str)] = &[
    (
        "device issue --secrets",
        "device issue gw-s --ca line --out out --bundle p12 --secrets @ --ca-password-file pw",
    ),
    (
        "device renew --secrets",
        "device renew gw-1 --ca line --out out --bundle p12 --secrets @ --ca-password-file pw",
    ),
    ("registration upload --result", "registration upload reg.csv --dry-run --result @"),
    ("registration add --otp-out", "registration add gw-9 --dry-run --otp-out @"),
    ("store add FILE", "store add @ --trusted pki/ca/root/cert.pem --store-password-file pw"),
];

/// Outputs that have tests of their own.
pub const OWN: &[&str] = &[
    "sandbox --ca-out",
    "sandbox --env-file",
    "sandbox --ready-file",
    "serve --ready-file",
    "device bootstrap --out",
    "tenant selftest --report",
    "order labels --out",
    "status --prometheus",
    "ca add --protocol",
    "registry backup FILE|DIR",
];

fn line(line: &str, place: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
    line.replace('@', place).replace('#', &number)
}

/// A FIFO that is read to its end by a thread.
#[derive(Debug)]
pub struct Fifo {
    end: File,
    reader: thread::JoinHandle<Vec<u8>>,
}

/// What ends what is read from a FIFO.
const END: &[u8] = b"\n(end of the test)";

impl Fifo {
    /// Makes it, and begins to read.
    ///
    /// # Panics
    ///
    /// When it cannot be made; none without mkfifo.
    pub fn new(path: &Path) -> Option<Self> {
        tool("mkfifo")?.run(&[arg(path)]);
        // Open at both ends, nobody waits for the other.
        let open = || OpenOptions::new().read(true).write(true).open(path).expect("a FIFO");
        let (end, mut from) = (open(), open());
        let reader = thread::spawn(move || {
            let (mut read, mut piece) = (Vec::new(), [0; 4096]);
            while !read.ends_with(END) {
                let count = from.read(&mut piece).expect("what is in it");
                read.extend_from_slice(&piece[..count]);
            }
            read.truncate(read.len() - END.len());
            read
        });
        Some(Self { end, reader })
    }

    /// What was written to it.
    ///
    /// # Panics
    ///
    /// When it cannot be read.
    pub fn finish(mut self) -> String {
        self.end.write_all(END).expect("it is read");
        String::from_utf8_lossy(&self.reader.join().expect("the reader ends")).into_owned()
    }
}

/// Makes a device that takes everything; none, with a line on stderr, without the right to.
pub fn device(path: &Path) -> Option<()> {
    let made = tool("mknod")?.output(&["-m", "666", arg(path), "c", "1", "3"]).status.success();
    if made && OpenOptions::new().write(true).open(path).is_ok() {
        return Some(());
    }
    eprintln!("left out: no right to make devices");
    None
}

/// Holds an output to the rule.
///
/// # Panics
///
/// When it breaks it.
pub fn hold(cli: &Cli, output: &Written, run: &dyn Fn(&str) -> Outcome) {
    let Written { option, begins, code, .. } = *output;
    let place = cli.path("places");
    let _ = fs::remove_dir_all(&place);
    fs::create_dir(&place).expect("a directory");
    let call = |name: &str| run(&line(output.line, name)).expect(code);

    symlink("target", place.join("link")).expect("a link");
    let first = call("places/link");
    let is_link = || fs::read_link(place.join("link")).is_ok_and(|to| to == Path::new("target"));
    assert!(is_link(), "{option}: the link is replaced");
    let written = fs::read(place.join("target")).expect("the link's target");
    let written = String::from_utf8_lossy(&written);
    assert!(written.starts_with(begins) && !written.is_empty(), "{option}: {written:?}");
    if !output.new_only {
        call("places/link");
        assert!(is_link(), "{option}: the link is replaced");
    }
    for name in ["-", "/dev/stdout"] {
        let said = call(name);
        assert!(said.stdout.starts_with(begins), "{option} {name}: {said:?}");
        let lines = |text: &str| text.lines().count();
        assert_eq!(
            lines(&said.stdout),
            lines(&written),
            "{option} {name}: more than data: {said:?}"
        );
        let (of_file, now) = (first.stdout.is_empty(), said.stderr.is_empty());
        assert!(of_file || !now, "{option} {name}: what was said is lost: {first:?} {said:?}");
    }
    assert!(!cli.path("-").exists(), "{option}: a file is called -");
    if let Some(fifo) = Fifo::new(&place.join("fifo")) {
        call("places/fifo");
        let read = fifo.finish();
        assert!(read.starts_with(begins) && !read.is_empty(), "{option}: FIFO: {read:?}");
        let kind = fs::symlink_metadata(place.join("fifo")).expect("the FIFO").file_type();
        assert!(kind.is_fifo(), "{option}: the FIFO is replaced");
    }
    if device(&place.join("device")).is_some() {
        call("places/device");
        let kind = fs::symlink_metadata(place.join("device")).expect("the device").file_type();
        assert!(kind.is_char_device(), "{option}: the device is replaced");
    }
    let left: Vec<String> =
        cli.names("places").into_iter().filter(|name| name.ends_with(".tmp")).collect();
    assert!(left.is_empty(), "{option} leaves {left:?}");
}

/// Holds an output that has to be a file to refusing what is none, with its reason.
///
/// # Panics
///
/// When it does not.
pub fn hold_to_files(cli: &Cli, option: &str, called: &str, run: &dyn Fn(&str) -> Outcome) {
    let before = cli.names(".");
    let refused = run(&line(called, "-")).expect(2);
    assert!(refused.error().contains("standard output"), "{option}: {refused:?}");
    assert_eq!(cli.names("."), before, "{option}");
    let _ = fs::remove_file(cli.path("fifo"));
    if let Some(fifo) = Fifo::new(&cli.path("fifo")) {
        let refused = run(&line(called, "fifo")).expect(2);
        assert!(refused.error().contains("it is no regular file, and "), "{option}: {refused:?}");
        assert_eq!(fifo.finish(), "", "{option}: something was written");
    }
}
