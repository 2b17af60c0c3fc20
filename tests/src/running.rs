//! A process of `c8y-pki` that is going on: to be watched, stopped and killed.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cli::{Cli, Outcome};

/// After this a process is taken to hang. Nothing but a failure depends on it.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a process is looked at.
const LOOK: Duration = Duration::from_micros(200);

/// A process that was started; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    line: String,
    started: Instant,
}

impl Running {
    /// Starts `c8y-pki` with a command line in the directory of `cli`.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(cli: &Cli, line: &str) -> Self {
        Self::of(cli.command(line), line)
    }

    /// The same with SIGXFSZ ignored: writing beyond the limit of a file's size fails then, and the
    /// process is not killed for it.
    ///
    /// # Panics
    ///
    /// As [`Running::start`].
    pub fn start_limited(cli: &Cli, line: &str) -> Self {
        let inner = cli.command(line);
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
        command.arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(inner.get_current_dir().expect("the directory of the test"));
        Self::of(command, line)
    }

    /// The same behind other words, which are a command that starts a command.
    ///
    /// # Panics
    ///
    /// As [`Running::start`].
    pub fn start_behind(words: &[String], cli: &Cli, line: &str) -> Self {
        let inner = cli.command(line);
        let Some((program, first)) = words.split_first() else { return Self::of(inner, line) };
        let mut command = Command::new(program);
        command.args(first).arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(inner.get_current_dir().expect("the directory of the test"));
        Self::of(command, line)
    }

    fn of(mut command: Command, line: &str) -> Self {
        // What it says fits into a pipe, so that nobody has to read before the end.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let child = command.spawn().unwrap_or_else(|e| panic!("{line}: {e}"));
        Self { child, line: line.to_owned(), started }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How long ago it was started.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether it has ended.
    ///
    /// # Panics
    ///
    /// When the system does not say.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().expect("the system knows its children").is_some()
    }

    /// Waits for an event; false if the process ends before.
    ///
    /// # Panics
    ///
    /// When neither comes.
    pub fn wait_until(&mut self, mut event: impl FnMut(&Self) -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if event(self) {
                return true;
            }
            if self.is_over() {
                return false;
            }
            sleep(LOOK);
        }
        panic!("{}: nothing happens", self.line);
    }

    /// Sends a signal: `INT`, `STOP`, `CONT`.
    ///
    /// # Panics
    ///
    /// When it cannot be sent.
    pub fn signal(&self, name: &str) {
        let command = format!("kill -s {name} {}", self.id());
        let sent = Command::new("sh").args(["-c", &command]).status().expect("a shell");
        // A child that has ended keeps its number until it is waited for.
        assert!(sent.success(), "{command}");
    }

    /// Kills it with SIGKILL. Some if it had ended by itself before.
    ///
    /// # Panics
    ///
    /// When it cannot be killed, or had ended badly before.
    pub fn kill(mut self) -> Option<Outcome> {
        self.child.kill().expect("it is ours to kill");
        let status = self.child.wait().expect("it ends");
        status.code().map(|_| self.outcome())
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// When it does not end, or not as a command should.
    pub fn finish(mut self) -> Outcome {
        self.wait_until(|_| false);
        self.outcome()
    }

    fn outcome(&mut self) -> Outcome {
        use std::io::Read;
        let status = self.child.wait().expect("it ends");
        let mut output = std::process::Output { status, stdout: Vec::new(), stderr: Vec::new() };
        let pipes = (self.child.stdout.take(), self.child.stderr.take());
        if let (Some(mut stdout), Some(mut stderr)) = pipes {
            stdout.read_to_end(&mut output.stdout).expect("what it said");
            stderr.read_to_end(&mut output.stderr).expect("what it said");
        }
        Outcome::of(&self.line, &output)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
