//! A process of `c8y-pki` that is talked to: lines go in, lines come out, and are waited for.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::{Cli, PASSWORD};

/// After this a process is taken to hang. Nothing but a failure depends on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that was started; killed when dropped.
#[derive(Debug)]
pub struct Talking {
    child: Child,
    line: String,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Talking {
    /// Starts `c8y-pki` with a command line and variables in the directory of `cli`.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(cli: &Cli, line: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = cli.command(line);
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{line}: {e}"));
        let stdin = child.stdin.take();
        let stdout = lines(child.stdout.take().expect("a pipe"));
        let stderr = lines(child.stderr.take().expect("a pipe"));
        Self { child, line: line.to_owned(), stdin, stdout, stderr }
    }

    /// Says a line to it.
    ///
    /// # Panics
    ///
    /// When it does not take it.
    pub fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("its standard input is open");
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).expect("it listens");
    }

    /// Ends its standard input.
    pub fn say_no_more(&mut self) {
        self.stdin = None;
    }

    /// The next line of its standard output.
    ///
    /// # Panics
    ///
    /// When none comes.
    pub fn hear(&mut self) -> String {
        match self.stdout.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(e) => self.fail(&format!("nothing on standard output: {e}")),
        }
    }

    /// The next line of its standard error that has a text in it.
    ///
    /// # Panics
    ///
    /// When none comes.
    pub fn told(&mut self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        let mut others = Vec::new();
        loop {
            match self.stderr.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => others.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    self.fail(&format!("nothing with {text:?} on standard error: {others:?}"));
                }
            }
        }
    }

    /// Waits until something is so that others do.
    ///
    /// # Panics
    ///
    /// When it never is.
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so() {
            let over = self.child.try_wait().expect("the system knows its children");
            if over.is_some() || Instant::now() > end {
                self.fail(&format!("{what} does not happen; the process: {over:?}"));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ctrl-C.
    ///
    /// # Panics
    ///
    /// When it cannot be sent.
    pub fn interrupt(&self) {
        let command = format!("kill -s INT {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &command]).status().expect("a shell");
        assert!(sent.success(), "{command}");
    }

    /// Kills it, as a power cut would.
    ///
    /// # Panics
    ///
    /// When it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("it is ours to kill");
    }

    /// Waits for its end; its exit code, and what it has said since it was last heard on standard output
    /// and told on standard error.
    ///
    /// # Panics
    ///
    /// When it does not end, or not as a command should.
    pub fn finish(mut self) -> (i32, String, String) {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the system knows its children") {
                break status;
            }
            if Instant::now() > end {
                self.fail("it does not end");
            }
            thread::sleep(Duration::from_millis(5));
        };
        let rest = |lines: &Receiver<String>| lines.iter().map(|l| l + "\n").collect::<String>();
        let (stdout, stderr) = (rest(&self.stdout), rest(&self.stderr));
        let code = status.code().unwrap_or(-1);
        assert!((0..=3).contains(&code), "{}: {status}\n{stderr}", self.line);
        for said in [&stdout, &stderr] {
            assert!(!said.contains("panicked") && !said.contains(PASSWORD), "{said}");
        }
        (code, stdout, stderr)
    }

    fn fail(&mut self, what: &str) -> ! {
        let rest: Vec<String> = self.stderr.try_iter().collect();
        panic!("{}: {what}; then {rest:?}", self.line)
    }
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

impl Drop for Talking {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
