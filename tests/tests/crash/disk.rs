//! The disk is full, or the registry is read-only, in the middle of `device issue`: nothing is
//! lost, nothing is left, and the same line finishes the job.

use std::path::PathBuf;

use c8y_pki_tests::cli::Cli;
use c8y_pki_tests::disk::Disk;
use c8y_pki_tests::fleet::{Fleet, State};
use c8y_pki_tests::moment::{Moment, Watch};
use c8y_pki_tests::running::Running;
use c8y_pki_tests::{Tool, arg, tool};

/// A run that was stopped in the middle has recorded some devices, all of them in place.
fn some_are_issued(fleet: &mut Fleet) -> usize {
    let state = fleet.holds();
    assert!(state.runs.is_empty(), "staging is left: {state:?}");
    assert!(state.rows > 0 && state.rows < 2000, "{} of 2000", state.rows);
    state.rows
}

/// Runs the line on a disk that is too small, and on larger ones, until it is done.
fn grows(mut fleet: Fleet, disk: &Disk, sizes: &[&str], sentences: &[&str]) {
    let mut issued = 0;
    for size in sizes {
        let said = fleet.cli.fails(3, fleet.line());
        assert!(sentences.iter().all(|sentence| said.contains(sentence)), "{said}");
        let now = some_are_issued(&mut fleet);
        assert!(now >= issued, "{now} < {issued}");
        issued = now;
        disk.grow(size);
    }
    fleet.cli.ok(fleet.line());
    fleet.is_settled(1);
}

#[test]
fn a_disk_that_is_full_of_devices_holds_whole_ones_only() {
    let cli = Cli::new();
    let Some(disk) = Disk::new(&cli, "14m") else { return };
    let fleet = Fleet::at(cli, "pki", "disk/out", 2000).with_stores();
    let sentences =
        ["no space is left on the device", "hint: free some space and run the same command again"];
    grows(fleet, &disk, &["28m", "128m"], &sentences);
}

#[test]
fn a_disk_that_is_full_of_the_registry_records_whole_chunks_only() {
    let cli = Cli::new();
    let Some(disk) = Disk::new(&cli, "1500k") else { return };
    let fleet = Fleet::at(cli, "disk/pki", "out", 2000);
    let sentences = [
        "disk/pki/registry.sqlite cannot be written: no space is left on the device",
        "hint: free some space and run the same command again",
    ];
    grows(fleet, &disk, &["64m"], &sentences);
}

/// Starts the line and halts it when a chunk is in place and more are to come.
fn halted_midway(fleet: &Fleet, start: fn(&Cli, &str) -> Running) -> Running {
    let line = format!("{} --threads 1", fleet.line());
    let before = State::default();
    let watch = Watch::new(fleet, &before, Moment::Placed(0));
    let mut process = start(&fleet.cli, &line);
    assert!(process.wait_until(|process| watch.has_come(process)), "it was too fast");
    process.signal("STOP");
    process
}

/// Lets it go on, now that the registry cannot be written.
fn goes_on_in_vain(process: Running, fleet: &mut Fleet) {
    process.signal("CONT");
    let outcome = process.finish().expect(3);
    assert!(outcome.error().contains("pki/registry.sqlite"), "{outcome:?}");
    some_are_issued(fleet);
}

#[test]
fn a_registry_that_cannot_be_written_any_more_loses_nothing() {
    let Some(prlimit) = tool("prlimit") else { return };
    let mut fleet = Fleet::new(2000);
    let process = halted_midway(&fleet, Running::start_limited);
    // The registry's log is larger by now; no other file is, nor will be.
    let pid = process.id().to_string();
    prlimit.run(&["--pid", &pid, "--fsize=200000"]);
    goes_on_in_vain(process, &mut fleet);
    fleet.cli.ok(fleet.line());
    fleet.is_settled(1);
}

/// Files that nobody can write, not even through handles that are open; as they were at the end.
struct Immutable(Tool, Vec<String>);

impl Immutable {
    /// None without the right to do that, or on a file system that cannot.
    fn new(paths: &[PathBuf]) -> Option<Self> {
        let files = paths.iter().map(|path| arg(path).to_owned()).collect();
        let made = Self(tool("chattr")?, files);
        if made.change("+i") {
            return Some(made);
        }
        eprintln!("left out: no right to make files immutable");
        None
    }

    fn change(&self, how: &str) -> bool {
        let files = self.1.iter().map(String::as_str);
        self.0.output(&[how].into_iter().chain(files).collect::<Vec<_>>()).status.success()
    }
}

impl Drop for Immutable {
    fn drop(&mut self) {
        self.change("-i");
    }
}

#[test]
fn a_registry_that_is_made_immutable_loses_nothing() {
    let mut fleet = Fleet::new(2000);
    let process = halted_midway(&fleet, Running::start);
    let Some(immutable) = Immutable::new(&fleet.registry_files()) else { return };
    goes_on_in_vain(process, &mut fleet);
    drop(immutable);
    fleet.cli.ok(fleet.line());
    fleet.is_settled(1);
}

#[test]
fn a_killed_run_is_settled_though_its_registry_has_become_read_only() {
    let cli = Cli::new();
    let Some(disk) = Disk::new(&cli, "64m") else { return };
    let mut fleet = Fleet::at(cli, "disk/pki", "out", 2000);
    let process = halted_midway(&fleet, Running::start);
    // A mount cannot be made read-only while somebody writes there.
    assert!(process.kill().is_none(), "it was halted");
    disk.remount("ro");
    let left = fleet.holds();
    assert!(!left.runs.is_empty(), "it was killed in the middle");
    let said = fleet.cli.fails(3, fleet.line());
    assert!(said.contains("disk/pki/pki.lock: the file system is read-only"), "{said}");
    // What was recorded is put into place: for that the registry is only read.
    assert_eq!(some_are_issued(&mut fleet), left.rows, "{said}");
    disk.remount("rw");
    fleet.cli.ok(fleet.line());
    fleet.is_settled(1);
}
