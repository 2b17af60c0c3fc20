//! The real binary, run as a user would: in a directory of its own, without a terminal.
//!
//! This package is not the one that holds the binary, so Cargo neither builds it for these tests
//! nor tells them its path (`CARGO_BIN_EXE_…` exists only inside `cli/`, and artifact dependencies
//! are not stable). So the first test of a process asks Cargo to build it, in the profile and the
//! target directory of the test itself, and takes the path from Cargo's answer: a stale binary is
//! never tested, and plain `cargo test --workspace` works on a fresh clone. Cargo has let go of its
//! lock by the time tests run. `--workspace` makes it choose the features that the tests have, so
//! that the library is not built a second time.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tempfile::TempDir;

/// The password in the file `pw` of each [`Cli`]; no output may ever hold it.
pub const PASSWORD: &str = "Marker-Secret-4711";

/// Arguments that give [`PASSWORD`] for the CA's key.
pub const CA_PW: &str = "--ca-password-file pw";

/// The binary, built at the first call.
///
/// # Panics
///
/// When it cannot be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build(&["--bin", "c8y-pki"]))
}

/// An example of the library, built at the call.
///
/// # Panics
///
/// When it cannot be built.
pub fn example(name: &str) -> PathBuf {
    build(&["--example", name])
}

fn build(what: &[&str]) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    // …/<profile>/deps/<test>
    let folder = test.ancestors().nth(2).and_then(Path::file_name).and_then(|n| n.to_str());
    let profile = match folder {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--workspace"])
        .args(what)
        .args(["--profile", profile, "--message-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit());
    for (name, _) in std::env::vars_os() {
        // What Cargo tells tests of their package would make build scripts run again.
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_"].iter().any(|p| text.starts_with(p)) {
            cargo.env_remove(&name);
        }
    }
    let output = cargo.output().expect("cargo starts");
    assert!(output.status.success(), "{what:?} does not build");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("Cargo names the binary")
}

/// Splits a command line at spaces; `'…'` keeps them.
pub(crate) fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    assert!(!quoted, "unclosed quote: {line}");
    words.extend(word);
    words
}

/// Whether a command was asked for bytes as they are on its standard output.
fn is_data(line: &str) -> bool {
    ["--out -", "--token-out -", "--failed -", "/dev/stdout", " --raw"]
        .iter()
        .any(|o| line.contains(o))
        || line.ends_with("store create -")
        || line.starts_with("completions ")
}

/// The first character of a text, if there is any, that a terminal would obey or that nobody sees.
pub fn hidden(text: &str) -> Option<char> {
    let is_hidden = |c: char| match c {
        '\n' | '\t' => false,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' => true,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    };
    text.chars().find(|c| is_hidden(*c))
}

/// What nobody wants at a terminal, in a table or in a spreadsheet: it sets a title, clears the screen, begins
/// a line of its own, turns the rest around, and holds what is not seen.
pub const HOSTILE: &str =
    "\u{1b}]0;owned\u{7}\u{1b}[2J\nerror: fake\r\u{9b}31m\u{202e}\u{200b}\u{2028}";

/// Names that libraries give their errors in Rust, which say nothing to the users of a program.
const NAMES_OF_ERRORS: [&str; 14] = [
    "BadEncoding",
    "BadSignature",
    "CaUsedAsEndEntity",
    "HandshakePayloadTooLarge",
    "InvalidCertificate",
    "InvalidContentType",
    "InvalidData",
    "InvalidMessage",
    "NotValidForName",
    "OtherError",
    "ParseIntError",
    "PermissionDenied",
    "UnexpectedEof",
    "UnknownIssuer",
];

/// What looks like the `Debug` text of a value in Rust, if there is any: `Some(5)`, `Other(OtherError(`,
/// `Custom { kind: `.
pub fn debug_text(text: &str) -> Option<&str> {
    if let Some(name) = NAMES_OF_ERRORS.iter().find(|name| text.contains(**name)) {
        return Some(name);
    }
    let marks = text.char_indices().filter(|(_, c)| matches!(c, '(' | '{'));
    let mut found = marks.filter_map(|(at, mark)| {
        let before = &text[..at];
        let before = if mark == '{' { before.strip_suffix(' ')? } else { before };
        let name = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next()?;
        let is_type = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.contains(|c: char| c.is_ascii_lowercase());
        let after = &text[at + 1..];
        let holds = match mark {
            '(' => after.starts_with(|c: char| {
                c.is_ascii_uppercase() || c.is_ascii_digit() || "\"\\[({".contains(c)
            }),
            _ => after.strip_prefix(' ').is_some_and(|rest| {
                let field = rest.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '_');
                field.len() < rest.len() && field.starts_with(": ")
            }),
        };
        (is_type && holds).then(|| &text[at - name.len().min(at)..])
    });
    found.next()
}

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The command line.
    pub line: String,
    /// Its exit code.
    pub code: i32,
    /// Its data.
    pub stdout: String,
    /// Everything else it said.
    pub stderr: String,
}

impl Outcome {
    /// Of a process that has ended.
    ///
    /// # Panics
    ///
    /// When it panicked, was killed, or tells the password.
    pub fn of(line: &str, output: &Output) -> Self {
        let outcome = Self {
            line: line.to_owned(),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        // A plan has one of its own, where it is asked for.
        let most = if line.contains("--exit-code") { 4 } else { 3 };
        assert!((0..=most).contains(&outcome.code), "{outcome:?}");
        assert!(!said.contains("panicked"), "{outcome:?}");
        assert!(!said.contains(PASSWORD), "tells the password: {outcome:?}");
        let text = if is_data(line) { &outcome.stderr } else { &said };
        assert_eq!(hidden(text), None, "something hidden is said: {outcome:?}");
        assert_eq!(debug_text(text), None, "a text for debuggers is said: {outcome:?}");
        assert_eq!(crate::counted::one_of_many(text), None, "one is not many: {outcome:?}");
        outcome
    }

    /// Holds it to an exit code.
    ///
    /// # Panics
    ///
    /// When it has another one.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}{}", self.line, self.stdout, self.stderr);
        self
    }

    /// Its sentence after `error: `; the only one, at the start of a line.
    ///
    /// # Panics
    ///
    /// When there is none, or more than one.
    pub fn error(&self) -> &str {
        let errors: Vec<&str> =
            self.stderr.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
        assert_eq!(errors.len(), 1, "{}\n{}", self.line, self.stderr);
        errors[0]
    }

    /// Its standard output as lines of JSON.
    ///
    /// # Panics
    ///
    /// When it is anything else.
    pub fn json_lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line);
        let lines: Result<_, _> = self.stdout.lines().map(parse).collect();
        lines.unwrap_or_else(|e| panic!("{}: {e}\n{}", self.line, self.stdout))
    }

    /// Its standard output as one line of JSON.
    ///
    /// # Panics
    ///
    /// As [`Outcome::json_lines`].
    pub fn json(&self) -> Value {
        let mut lines = self.json_lines();
        assert_eq!(lines.len(), 1, "{}\n{}", self.line, self.stdout);
        lines.remove(0)
    }
}

/// A directory to work in, which goes away at the end. It holds `pw` with [`PASSWORD`].
#[derive(Debug, Clone)]
pub struct Cli {
    dir: Arc<TempDir>,
}

impl Default for Cli {
    fn default() -> Self {
        Self::new()
    }
}

impl Cli {
    /// An empty directory but for `pw`.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    pub fn new() -> Self {
        let cli = Self { dir: Arc::new(TempDir::new().expect("a temporary directory")) };
        cli.write("pw", format!("{PASSWORD}\n"));
        cli
    }

    /// The directory, kept as long as what this returns.
    #[cfg(target_os = "linux")]
    pub(crate) fn keep(&self) -> Arc<TempDir> {
        Arc::clone(&self.dir)
    }

    /// A path inside the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A path inside the directory, as an argument of a tool.
    pub fn arg(&self, name: &str) -> String {
        self.path(name).to_str().expect("a path that is Unicode").to_owned()
    }

    /// Writes a file, and the directories above it.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        let parent = path.parent().expect("a directory");
        fs::create_dir_all(parent).unwrap_or_else(|e| panic!("{}: {e}", parent.display()));
        fs::write(&path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// Reads a file.
    ///
    /// # Panics
    ///
    /// When it cannot be read.
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Reads a file that is text.
    ///
    /// # Panics
    ///
    /// As [`Cli::read`], or when it is not UTF-8.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Runs `c8y-pki` with a command line.
    pub fn run(&self, line: &str) -> Outcome {
        self.run_with(line, &[], b"")
    }

    /// Runs `c8y-pki` with variables and standard input.
    ///
    /// # Panics
    ///
    /// When it cannot be run, panics, is killed, or tells the password.
    pub fn run_with(&self, line: &str, variables: &[(&str, &str)], stdin: &[u8]) -> Outcome {
        let mut command = self.command(line);
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{line}: {e}"));
        // A command that does not read it has closed the pipe.
        let _ = child.stdin.take().expect("a pipe").write_all(stdin);
        let output = child.wait_with_output().unwrap_or_else(|e| panic!("{line}: {e}"));
        Outcome::of(line, &output)
    }

    /// `c8y-pki` with a command line, to be started in the directory: for tests that do more with it
    /// than wait for its end.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("C8Y_") {
                command.env_remove(name);
            }
        }
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "COMPLETE"] {
            command.env_remove(name);
        }
        command.args(words(line)).current_dir(self.dir.path()).env("LC_ALL", "C");
        // The settings of the person who runs the tests do not count.
        command.env("XDG_CONFIG_HOME", self.dir.path().join(".settings"));
        command
    }

    /// Runs a command that has to succeed; returns its standard output.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn ok(&self, line: &str) -> String {
        self.run(line).expect(0).stdout
    }

    /// Runs a command that has to fail with `code` and say nothing on standard output; returns
    /// its `error:` and its `hint:` lines.
    ///
    /// # Panics
    ///
    /// When it does anything else.
    pub fn fails(&self, code: i32, line: &str) -> String {
        let outcome = self.run(line).expect(code);
        assert_eq!(outcome.stdout, "", "{line}");
        outcome.error();
        outcome.stderr
    }

    /// All files and directories below `name`: relative paths, and the bytes of files.
    ///
    /// # Panics
    ///
    /// When they cannot be read.
    pub fn snapshot(&self, name: &str) -> Vec<(String, Option<Vec<u8>>)> {
        let mut found = Vec::new();
        walk(&self.path(name), &mut |path| {
            let relative = path.strip_prefix(self.dir.path()).expect("below the directory");
            let contents = path.is_file().then(|| fs::read(path).expect("a file"));
            found.push((relative.display().to_string(), contents));
        });
        found.sort();
        found
    }

    /// The names in a directory, sorted; none if there is no such directory.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// Waits until what is made now can no longer end in the same second as what was made before.
pub fn a_second_passes() {
    std::thread::sleep(std::time::Duration::from_millis(1100));
}

/// Visits everything below a directory.
///
/// # Panics
///
/// When it cannot be read.
pub fn walk(dir: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.expect("an entry").path();
        visit(&path);
        if path.is_dir() {
            walk(&path, visit);
        }
    }
}
