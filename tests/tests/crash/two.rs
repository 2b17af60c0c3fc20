//! Two processes on one directory, of which one is killed, and Ctrl-C.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use c8y_pki_tests::fleet::{Fleet, STAGING, State, entries};
use c8y_pki_tests::moment::{Lot, Moment, Watch};
use c8y_pki_tests::running::Running;
use c8y_pki_tests::tool;

#[test]
fn two_processes_with_one_list_issue_each_device_once() {
    let (fleet, _disk) = Fleet::in_memory(2000);
    let mut fleet = fleet.with_stores();
    let [mut one, mut two] = [(); 2].map(|()| Running::start(&fleet.cli, fleet.line()));
    for process in [&mut one, &mut two] {
        process.wait_until(|_| false);
    }
    one.finish().expect(0);
    two.finish().expect(0);
    fleet.is_settled(1);
}

#[test]
fn one_of_two_is_killed_and_the_other_goes_on() {
    let mut lot = Lot::from_seed();
    let mut killed = 0;
    let moments = [Moment::Made(0), Moment::Sealed(0), Moment::Recorded(0), Moment::Placed(1)];
    for (round, moment) in moments.into_iter().enumerate() {
        let (mut fleet, _disk) = Fleet::in_memory(2000);
        let before = State::default();
        let watch = Watch::new(&fleet, &before, moment);
        let mut victim = Running::start(&fleet.cli, fleet.line());
        // Every other time the other one comes when the victim has begun.
        let other = (round % 2 == 0).then(|| Running::start(&fleet.cli, fleet.line()));
        victim.wait_until(|process| watch.has_come(process));
        let other = other.unwrap_or_else(|| Running::start(&fleet.cli, fleet.line()));
        sleep(lot.part(Duration::from_millis(100)));
        killed += usize::from(victim.kill().is_none());
        other.finish().expect(0);
        fleet.holds();
        // What the victim had recorded is put into place, if it was not.
        fleet.cli.ok(fleet.line());
        fleet.is_settled(1);
    }
    assert!(killed > 0, "each victim was too fast");
}

/// The registry's lock, held by another program.
struct Held(Child);

impl Held {
    fn new(sqlite: &c8y_pki_tests::Tool, fleet: &Fleet) -> Self {
        let mut child = Command::new(sqlite.path())
            .args(["-cmd", ".timeout 60000"])
            .arg(&fleet.registry_files()[0])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        let input = child.stdin.as_mut().expect("a pipe");
        input.write_all(b"BEGIN IMMEDIATE;\n").expect("it reads");
        Self(child)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Staging directories, by whether they have a journal: what was made waits to be recorded.
fn sealed(fleet: &Fleet) -> BTreeMap<String, bool> {
    let runs = entries(&fleet.out(STAGING)).into_iter();
    let has_journal =
        |run: &std::path::PathBuf| entries(run).iter().any(|chunk| chunk.join(".journal").exists());
    runs.map(|run| (run.display().to_string(), has_journal(&run))).collect()
}

/// The second of two waits for the first, wherever their files go, and makes nothing of what that makes.
#[test]
fn the_second_of_two_makes_nothing_twice_and_says_whose_files_are_where() {
    let mut waited = 0;
    for _ in 0..5 {
        let (mut fleet, _disk) = Fleet::in_memory(8000);
        let line = fleet.line().replace("/out ", "/out2 ").replace("--out out ", "--out out2 ");
        assert_ne!(line, fleet.line());
        let mut first = Running::start(&fleet.cli, fleet.line());
        let runs = fleet.registry_files()[0].with_file_name(".runs");
        let has_named = |_: &Running| entries(&runs).iter().any(|run| run.join("devices").exists());
        first.wait_until(has_named);
        let mut second = Running::start(&fleet.cli, &line);
        second.wait_until(|_| false);
        first.finish().expect(0);
        let second = second.finish().expect(0);
        fleet.is_settled(1);
        let place = fleet.out("").canonicalize().expect("it is there");
        let place = place.display();
        assert!(second.stdout.starts_with("0 devices issued"), "{second:?}");
        let said = format!("the files of 8000 of them were written to {place}\n");
        assert!(second.stdout.contains(&said), "{second:?}");
        let told = "another run is making 8000 devices of this list; their files go to";
        waited += usize::from(second.stderr.contains(told));
        assert!(!second.stderr.contains("warning: "), "{second:?}");
        if waited > 0 {
            return;
        }
    }
    panic!("the first was always too fast");
}

/// Two processes with one list: one waits for the registry, one for it, and the former is killed. False if it was done
/// before.
fn killed_while_both_wait(sqlite: &c8y_pki_tests::Tool) -> bool {
    let (mut fleet, _disk) = Fleet::in_memory(2000);
    let mut victim = Running::start(&fleet.cli, fleet.line());
    let have_begun = victim.wait_until(|_| sealed(&fleet).len() == 1);
    let mut other = Running::start(&fleet.cli, fleet.line());
    let held = Held::new(sqlite, &fleet);
    let waits = |_: &Running| {
        let sealed = sealed(&fleet);
        sealed.len() == 1 && sealed.values().all(|sealed| *sealed)
    };
    let wait = have_begun && !other.is_over() && victim.wait_until(waits);
    let was_killed = victim.kill().is_none();
    drop(held);
    other.finish().expect(0);
    fleet.holds();
    fleet.cli.ok(fleet.line());
    fleet.is_settled(1);
    wait && was_killed
}

#[test]
fn a_process_is_killed_while_it_and_another_wait_for_the_registry() {
    let Some(sqlite) = tool("sqlite3") else { return };
    assert!((0..20).any(|_| killed_while_both_wait(&sqlite)), "one was always too fast");
}

#[test]
fn a_stopped_process_is_killed_while_another_waits_for_it() {
    let mut stopped = 0;
    for moment in [Moment::Sealed(0), Moment::Recorded(0), Moment::Sealed(1)] {
        let (mut fleet, _disk) = Fleet::in_memory(2000);
        let before = State::default();
        let watch = Watch::new(&fleet, &before, moment);
        let mut victim = Running::start(&fleet.cli, fleet.line());
        if victim.wait_until(|process| watch.has_come(process)) {
            // It keeps its locks: that of its staging directory, and maybe the registry's.
            victim.signal("STOP");
        }
        let mut other = Running::start(&fleet.cli, fleet.line());
        other.wait_until(|process| process.age() > Duration::from_millis(500));
        stopped += usize::from(victim.kill().is_none());
        other.finish().expect(0);
        fleet.holds();
        fleet.cli.ok(fleet.line());
        fleet.is_settled(1);
    }
    assert!(stopped > 0, "each was too fast");
}

#[test]
fn ctrl_c_finishes_what_is_being_made_and_says_how_to_go_on() {
    let (mut fleet, _disk) = Fleet::in_memory(2000);
    let mut state = State::default();
    let mut interrupted = 0;
    for round in 0..100 {
        let watch = Watch::new(&fleet, &state, Moment::Made(0));
        let mut process = Running::start(&fleet.cli, fleet.line());
        if process.wait_until(|process| watch.has_come(process)) {
            process.signal(if round % 2 == 0 { "INT" } else { "TERM" });
        }
        let outcome = process.finish();
        let after = fleet.holds();
        assert!(after.runs.is_empty(), "staging is left: {after:?}");
        if outcome.code == 0 {
            break;
        }
        let outcome = outcome.expect(3);
        let sentence = "warning: interrupted; run the same command again to finish";
        assert!(outcome.stderr.contains(sentence), "{outcome:?}");
        let made = after.rows - state.rows;
        let said = format!("{made} device{} issued in ", if made == 1 { "" } else { "s" });
        assert!(outcome.stdout.starts_with(&said), "{outcome:?}");
        assert!(made > 0, "what was being made is finished");
        interrupted += usize::from(after.rows < 2000);
        state = after;
    }
    assert!(interrupted > 0, "each was too fast");
    fleet.cli.ok(fleet.line());
    fleet.is_settled(1);
}

#[test]
fn a_check_beside_a_run_finds_nothing() {
    let (mut fleet, _disk) = Fleet::in_memory(2000);
    let check = fleet.check();
    let mut looks = 0;
    for line in [fleet.line().to_owned(), format!("{} --existing replace", fleet.line())] {
        let mut run = Running::start(&fleet.cli, &line);
        while !run.is_over() {
            let report = fleet.cli.run(&check).expect(0).json();
            assert_eq!(report["findings"].as_array().map(Vec::len), Some(0), "{report}");
            looks += 1;
        }
        run.finish().expect(0);
        c8y_pki_tests::cli::a_second_passes();
    }
    assert!(looks > 1, "it was too fast");
    fleet.is_settled(2);
}
