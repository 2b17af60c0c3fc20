//! SoftHSM2: a token in files, behind the same PKCS#11 module interface as one of hardware.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::cli::{Cli, Outcome, PASSWORD};
use crate::{Tool, arg, left_out, tool};

/// Where Debian, Fedora and Homebrew put the module.
const MODULES: [&str; 5] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// A module with a token named `Factory`, whose PIN is [`PASSWORD`]. It goes away at the end.
#[derive(Debug)]
pub struct Hsm {
    dir: TempDir,
    module: String,
    /// The module behind the one at hand, if that is one with faults.
    behind: String,
    settings: String,
    util: Tool,
}

/// The variable of the PIN, with the token's.
pub const PIN: (&str, &str) = ("C8Y_PKI_TOKEN_PIN", PASSWORD);

impl Hsm {
    /// None where SoftHSM2 is not installed.
    ///
    /// # Panics
    ///
    /// When the token cannot be made.
    pub fn new() -> Option<Self> {
        let util = tool("softhsm2-util")?;
        let module = MODULES.into_iter().find(|path| Path::new(path).is_file());
        let module = module.or_else(|| left_out("libsofthsm2.so"))?.to_owned();
        let dir = TempDir::new().expect("a temporary directory");
        let tokens = dir.path().join("tokens");
        std::fs::create_dir(&tokens).expect("a directory");
        let settings = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
        let path = dir.path().join("softhsm2.conf");
        std::fs::write(&path, settings).expect("a file");
        let hsm =
            Self { settings: arg(&path).to_owned(), dir, module, behind: String::new(), util };
        hsm.add_token("Factory", PASSWORD);
        Some(hsm)
    }

    /// Puts a module before it that misbehaves as the `FAULT_…` variables say: `tests/c`. None without a C
    /// compiler.
    ///
    /// # Panics
    ///
    /// When it does not compile.
    pub fn with_faults() -> Option<Self> {
        let mut hsm = Self::new()?;
        let cc = tool("cc")?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c/pkcs11_faults.c");
        let module = hsm.dir.path().join("faults.so");
        cc.run(&["-shared", "-fPIC", "-o", arg(&module), arg(&source), "-ldl"]);
        hsm.behind = std::mem::replace(&mut hsm.module, arg(&module).to_owned());
        Some(hsm)
    }

    /// A directory with a root whose key is made in the token `Factory`.
    pub fn with_root(&self, key_type: &str) -> Cli {
        let cli = Cli::new();
        let token = "--token 'pkcs11:token=Factory;object=root'";
        let line = format!("ca init --subject 'CN=Root,O=Example' {token} --key-type {key_type}");
        self.ok(&cli, &line);
        cli
    }

    /// Adds a token.
    pub fn add_token(&self, label: &str, pin: &str) {
        let args = ["--init-token", "--free", "--label", label, "--so-pin", "12345678"];
        self.run(&self.util, &[&args[..], &["--pin", pin]].concat());
    }

    /// The token is pulled out, or put in again.
    ///
    /// # Panics
    ///
    /// When it is already.
    pub fn plug(&self, is_in: bool) {
        let (there, away) = (self.dir.path().join("tokens"), self.dir.path().join("away"));
        let (from, to) = if is_in { (away, there) } else { (there, away) };
        std::fs::rename(from, to).expect("a token to move");
    }

    /// The module's path.
    pub fn module(&self) -> &str {
        &self.module
    }

    /// What the module needs, and what names it to `c8y-pki`.
    pub fn variables(&self) -> [(&'static str, &str); 3] {
        [
            ("C8Y_PKI_PKCS11_MODULE", &self.module),
            ("SOFTHSM2_CONF", &self.settings),
            ("FAULT_MODULE", &self.behind),
        ]
    }

    /// Runs another tool on the token.
    pub fn output(&self, tool: &Tool, args: &[&str]) -> Output {
        let mut command = Command::new(tool.path());
        command.args(args).env("SOFTHSM2_CONF", &self.settings).current_dir(self.dir.path());
        command.output().unwrap_or_else(|e| panic!("{}: {e}", tool.path().display()))
    }

    /// Runs another tool, which has to succeed; returns what it said.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn run(&self, tool: &Tool, args: &[&str]) -> String {
        let output = self.output(tool, args);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{}: {said}", tool.path().display());
        said
    }

    /// Runs `pkcs11-tool` of OpenSC, logged in to the token `Factory`.
    pub fn pkcs11_tool(&self, args: &[&str]) -> Option<String> {
        let login =
            ["--module", &self.module, "--token-label", "Factory", "--login", "--pin", PASSWORD];
        Some(self.run(&tool("pkcs11-tool")?, &[&login[..], args].concat()))
    }

    /// Puts a private key of a file into the token `Factory`.
    pub fn import(&self, pkcs8: &str, label: &str, id: &str) {
        let args = ["--import", pkcs8, "--token", "Factory", "--label", label, "--id", id];
        self.run(&self.util, &[&args[..], &["--pin", PASSWORD]].concat());
    }

    /// Runs `c8y-pki` with the module at hand and further variables.
    pub fn cli(&self, cli: &Cli, line: &str, more: &[(&str, &str)]) -> Outcome {
        cli.run_with(line, &[&self.variables()[..], more].concat(), b"")
    }

    /// The same with the PIN in its variable; it has to succeed. Returns its standard output.
    pub fn ok(&self, cli: &Cli, line: &str) -> String {
        self.cli(cli, line, &[PIN]).expect(0).stdout
    }

    /// The same for a command that has to fail with `code`; returns its error and hint.
    pub fn fails(&self, cli: &Cli, code: i32, line: &str) -> String {
        let outcome = self.cli(cli, line, &[PIN]).expect(code);
        assert_eq!(outcome.stdout, "", "{line}");
        outcome.error();
        outcome.stderr
    }
}
