//! Ctrl-C (and SIGTERM): a run finishes what it is making, then ends. A second Ctrl-C ends it at once,
//! which loses nothing either: every run can be killed. At a prompt it ends the process, and the terminal
//! shows again what is typed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};

use crate::failure::STOPPED;

/// What a run looks at, once one has asked for it.
static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
/// The terminal as it was before the prompt that stands open.
static PROMPT: Mutex<Option<Terminal>> = Mutex::new(None);

/// A flag that Ctrl-C sets.
pub(crate) fn on_interrupt() -> Arc<AtomicBool> {
    listen();
    Arc::clone(FLAG.get_or_init(Arc::default))
}

/// Asks for something: Ctrl-C ends the program then, and the terminal shows again what is typed.
pub(crate) fn at_prompt<T>(ask: impl FnOnce() -> T) -> T {
    listen();
    *prompt() = Terminal::now();
    let answer = ask();
    *prompt() = None;
    answer
}

fn prompt() -> std::sync::MutexGuard<'static, Option<Terminal>> {
    PROMPT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen() {
    static ONCE: Once = Once::new();
    // If no handler can be installed, Ctrl-C ends the process, which loses nothing.
    ONCE.call_once(|| drop(ctrlc::set_handler(interrupted)));
}

fn interrupted() {
    let prompting = prompt().take();
    if let Some(terminal) = &prompting {
        terminal.restore();
    }
    let goes_on = match FLAG.get() {
        Some(flag) if prompting.is_none() => !flag.swap(true, Ordering::Relaxed),
        _ => false,
    };
    if !goes_on {
        std::process::exit(i32::from(STOPPED));
    }
}

/// A terminal's settings.
#[cfg(unix)]
struct Terminal {
    device: std::fs::File,
    settings: rustix::termios::Termios,
}

#[cfg(unix)]
impl Terminal {
    fn now() -> Option<Self> {
        let device = std::fs::OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
        let settings = rustix::termios::tcgetattr(&device).ok()?;
        Some(Self { device, settings })
    }

    /// Nobody is left to tell if the terminal is gone.
    fn restore(&self) {
        use std::io::Write;
        let at_once = rustix::termios::OptionalActions::Now;
        let _ = rustix::termios::tcsetattr(&self.device, at_once, &self.settings);
        let _ = (&self.device).write_all(b"\n");
    }
}

/// The console, and what it does with what is typed.
#[cfg(windows)]
struct Terminal {
    console: std::fs::File,
    mode: u32,
}

#[cfg(windows)]
impl Terminal {
    fn now() -> Option<Self> {
        // By this name, since standard input may be something else.
        let console = std::fs::OpenOptions::new().read(true).write(true).open("CONIN$").ok()?;
        let mode = winapi_util::console::mode(&console).ok()?;
        Some(Self { console, mode })
    }

    /// Nobody is left to tell if the console is gone.
    fn restore(&self) {
        let _ = winapi_util::console::set_mode(&self.console, self.mode);
        eprintln!();
    }
}
