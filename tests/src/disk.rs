//! A small file system of its own, for tests of full and read-only disks.

use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use crate::cli::Cli;
use crate::{Tool, tool};

/// A file system in memory, at the directory `disk` of a [`Cli`]; it goes away at the end.
#[derive(Debug)]
pub struct Disk {
    mount: Tool,
    path: String,
    /// A directory cannot go while this is mounted in it.
    _folder: Arc<TempDir>,
}

impl Disk {
    /// None, with a line on stderr, without the right to mount.
    pub fn new(cli: &Cli, size: &str) -> Option<Self> {
        let mount = tool("mount")?;
        cli.write("disk/x", "");
        let disk = Self { mount, path: cli.arg("disk"), _folder: cli.keep() };
        let option = format!("size={size}");
        let args = ["-t", "tmpfs", "-o", &option, "c8y-pki-test", &disk.path];
        if disk.mount.output(&args).status.success() {
            return Some(disk);
        }
        eprintln!("left out: no right to mount a small file system");
        None
    }

    /// Gives it another size.
    pub fn grow(&self, size: &str) {
        self.remount(&format!("size={size}"));
    }

    /// Mounts it with another option: `ro`, `rw`.
    pub fn remount(&self, option: &str) {
        self.mount.run(&["-o", &format!("remount,{option}"), &self.path]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}
