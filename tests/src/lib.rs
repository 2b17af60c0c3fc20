//! Helpers for tests that run other people's tools.
//!
//! A tool that is not installed leaves a test out, with a line on stderr that says so. With
//! `C8Y_PKI_REQUIRE_TOOLS=1`, as in CI, it fails the test.

pub mod at_tenant;
pub mod broker;
mod cas;
pub mod cli;
pub mod contract;
pub mod counted;
pub mod device_clients;
#[cfg(target_os = "linux")]
pub mod disk;
#[cfg(target_os = "linux")]
pub mod faults;
#[cfg(target_os = "linux")]
pub mod fleet;
pub mod forms;
pub mod hostile;
pub mod hsm;
pub mod labels;
#[cfg(target_os = "linux")]
pub mod moment;
#[cfg(unix)]
pub mod network;
pub mod odd;
pub mod openssl;
#[cfg(unix)]
pub mod outputs;
pub mod ports;
#[cfg(unix)]
pub mod postgres;
pub mod recipe;
pub mod recorder;
pub mod relay;
#[cfg(target_os = "linux")]
pub mod running;
pub mod schema;
#[cfg(unix)]
pub mod talking;
pub mod tenant;
pub mod tls_servers;
pub mod workshop;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

/// An installed program.
#[derive(Debug, Clone)]
pub struct Tool {
    path: PathBuf,
}

/// Finds a program on the `PATH`.
///
/// # Panics
///
/// When it is missing and `C8Y_PKI_REQUIRE_TOOLS` is 1.
pub fn tool(name: &str) -> Option<Tool> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let found = std::env::split_paths(&path).map(|dir| dir.join(&file)).find(|p| p.is_file());
    found.map(|path| Tool { path }).or_else(|| left_out(name))
}

/// Finds a `python3` that has `module`; `C8Y_PKI_PYTHON` names another interpreter.
///
/// # Panics
///
/// As [`tool`].
pub fn python_with(module: &str) -> Option<Tool> {
    let python = match std::env::var_os("C8Y_PKI_PYTHON") {
        Some(path) => Tool { path: path.into() },
        None => tool("python3")?,
    };
    let has_module = python.output(&["-c", &format!("import {module}")]).status.success();
    if has_module { Some(python) } else { left_out(&format!("python3 with the module {module}")) }
}

/// Finds a `python3` that has Paho, and the directory with the former major version, Paho 1.6, that `.ci/run` puts beside
/// its packages: with that as `PYTHONPATH` it is loaded in the place of the other.
///
/// # Panics
///
/// As [`tool`].
pub fn former_paho() -> Option<(Tool, PathBuf)> {
    let python = python_with("paho.mqtt.client")?;
    let prefix = python.run(&["-c", "import sys; print(sys.prefix)"]);
    let folder = Path::new(prefix.trim()).join("paho-1.6");
    let found = folder.join("paho/mqtt/client.py").is_file();
    if found {
        Some((python, folder))
    } else {
        left_out(&format!("Paho 1.6 in {}", folder.display()))
    }
}

/// Finds a program that a Python package installs: on the `PATH`, or next to `C8Y_PKI_PYTHON`.
///
/// # Panics
///
/// As [`tool`].
pub fn python_tool(name: &str) -> Option<Tool> {
    let python = std::env::var_os("C8Y_PKI_PYTHON").map(PathBuf::from);
    let beside = python.and_then(|python| Some(python.parent()?.join(name)));
    match beside.filter(|path| path.is_file()) {
        Some(path) => Some(Tool { path }),
        None => tool(name),
    }
}

/// Finds a `node` that can load `package`: from `C8Y_PKI_NODE_MODULES`, else from
/// `tests/node/node_modules`, where `npm ci` puts it.
///
/// # Panics
///
/// As [`tool`].
pub fn node_with(package: &str) -> Option<Tool> {
    let node = tool("node")?;
    let modules = std::env::var_os("C8Y_PKI_NODE_MODULES").map(PathBuf::from);
    let modules = modules.unwrap_or_else(|| node_dir().join("node_modules"));
    let installed = modules.join(package).join("package.json").is_file();
    if installed { Some(node) } else { left_out(&format!("the Node package {package}")) }
}

/// Finds a Chromium; `C8Y_PKI_CHROMIUM` names another browser of its kind.
///
/// # Panics
///
/// As [`tool`].
pub fn chromium() -> Option<Tool> {
    match std::env::var_os("C8Y_PKI_CHROMIUM") {
        Some(path) => Some(Tool { path: path.into() }),
        None => tool("chromium"),
    }
}

/// The directory of the scripts for Node, `tests/node` of the repository.
pub fn node_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node")
}

/// The directory of the scripts for Python, `tests/python` of the repository.
pub fn python_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

/// The directory of the programs in Java, `tests/java` of the repository.
pub fn java_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("java")
}

/// A process that ends with the test, however that ends.
#[derive(Debug)]
pub struct Ended(pub Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How often a long loop runs: `usual`, or `long` with `C8Y_PKI_THOROUGH=1`.
pub fn rounds(usual: usize, long: usize) -> usize {
    let thorough = std::env::var_os("C8Y_PKI_THOROUGH").is_some_and(|v| v == "1");
    if thorough { long } else { usual }
}

fn left_out<T>(what: &str) -> Option<T> {
    let required = std::env::var_os("C8Y_PKI_REQUIRE_TOOLS").is_some_and(|v| v == "1");
    assert!(!required, "{what} is not installed, and C8Y_PKI_REQUIRE_TOOLS is 1");
    eprintln!("left out: {what} is not installed");
    None
}

impl Tool {
    /// Runs it in English and collects what it says, whether it succeeds or not.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn output(&self, args: &[&str]) -> Output {
        let mut command = Command::new(&self.path);
        command.args(args).env("LC_ALL", "C");
        command.output().unwrap_or_else(|e| panic!("{}: {e}", self.path.display()))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs it and returns its stdout, with stderr after it.
    ///
    /// # Panics
    ///
    /// When it fails; the message holds its output.
    pub fn run(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{} {args:?}: {text}", self.path.display());
        text
    }
}

/// The directory of test data, `tests/data` of the repository.
pub fn data_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

/// A path as an argument of a tool.
///
/// # Panics
///
/// When it is not Unicode.
pub fn arg(path: &Path) -> &str {
    path.to_str().unwrap_or_else(|| panic!("{} is not Unicode", path.display()))
}
