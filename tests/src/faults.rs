//! Calls to the file system that fail, or at which a process is killed: `tests/c/io_faults.c` stands between
//! `c8y-pki` and the C library.

use std::path::PathBuf;
use std::process::Output;

use tempfile::TempDir;

use crate::cli::{Cli, Outcome};
use crate::{arg, tool};

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed with SIGKILL before it.
    Killed,
    /// This call fails with EIO, and no other.
    Broken,
    /// Each call that takes space fails with ENOSPC from then on.
    Full,
}

/// The library that makes calls fail.
#[derive(Debug)]
pub struct Faults {
    library: PathBuf,
    dir: TempDir,
}

impl Faults {
    /// None, with a line on stderr, without a C compiler.
    ///
    /// # Panics
    ///
    /// When it does not compile.
    pub fn new() -> Option<Self> {
        let cc = tool("cc")?;
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("c/io_faults.c");
        let dir = tempfile::tempdir().expect("a temporary directory");
        let library = dir.path().join("io_faults.so");
        cc.run(&["-shared", "-fPIC", "-o", arg(&library), arg(&source), "-ldl"]);
        Some(Self { library, dir })
    }

    /// How many calls of a command change files below its directory. It has to succeed.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn count(&self, cli: &Cli, line: &str) -> usize {
        let output = self.output(cli, line, 0, "0", false);
        Outcome::of(line, &output).expect(0);
        let count = std::fs::read_to_string(self.dir.path().join("count")).expect("a count");
        count.trim().parse().expect("a number")
    }

    /// Runs a command that meets `fault` at the call of this number, from 1. None if it was killed.
    pub fn run(&self, cli: &Cli, line: &str, fault: Fault, at: usize) -> Option<Outcome> {
        let (errno, stays) = match fault {
            Fault::Killed => ("0", false),
            Fault::Broken => ("5", false),
            Fault::Full => ("28", true),
        };
        let output = self.output(cli, line, at, errno, stays);
        output.status.code().is_some().then(|| Outcome::of(line, &output))
    }

    fn output(&self, cli: &Cli, line: &str, at: usize, errno: &str, stays: bool) -> Output {
        let mut command = cli.command(line);
        command
            .env("LD_PRELOAD", &self.library)
            .env("IO_FAULT_BELOW", cli.path(""))
            .env("IO_FAULT_AT", at.to_string())
            .env("IO_FAULT_ERRNO", errno)
            .env("IO_FAULT_COUNT", self.dir.path().join("count"));
        if stays {
            command.env("IO_FAULT_STAYS", "1");
        }
        command.output().unwrap_or_else(|e| panic!("{line}: {e}"))
    }
}
