//! `device issue` is killed again and again: the registry and the directory of devices agree at every
//! moment, and the same line finishes the job.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use c8y_pki_tests::cli::a_second_passes;
use c8y_pki_tests::fleet::{Fleet, Phase, State};
use c8y_pki_tests::moment::{Lot, Moment, Watch};
use c8y_pki_tests::rounds;
use c8y_pki_tests::running::Running;

/// Starts the line and kills it at a moment drawn by lot. None if it had done its work before.
fn start_and_kill(
    fleet: &mut Fleet,
    before: &State,
    lot: &mut Lot,
    whole: Duration,
    replaces: bool,
) -> Option<(Phase, State)> {
    let moment = Moment::draw(lot, whole, before, replaces);
    // Then some time into what follows, as often as not.
    let more = if lot.below(2) == 0 { lot.part(whole / 10) } else { Duration::ZERO };
    let watch = Watch::new(fleet, before, moment);
    let mut process = Running::start(&fleet.cli, fleet.line());
    if process.wait_until(|process| watch.has_come(process)) {
        sleep(more);
    }
    match process.kill() {
        Some(outcome) => {
            outcome.expect(0);
            None
        }
        None => {
            let after = fleet.holds();
            Some((Fleet::phase(before, &after), after))
        }
    }
}

/// How many processes were killed in which phase.
type Tally = BTreeMap<Phase, usize>;

fn kills(tally: &Tally) -> usize {
    tally.values().sum()
}

/// Runs the line until it is done, each time but the last killed.
fn kill_until_done(
    fleet: &mut Fleet,
    lot: &mut Lot,
    whole: Duration,
    replaces: bool,
    tally: &mut Tally,
) {
    let mut state = fleet.holds();
    for _ in 0..200 {
        let Some((phase, after)) = start_and_kill(fleet, &state, lot, whole, replaces) else {
            return;
        };
        *tally.entry(phase).or_default() += 1;
        state = after;
        // Killed at the very end: to run the line again would replace all of them again.
        if replaces && fleet.is_replaced(&state) {
            return;
        }
    }
    panic!("200 runs, and it is not done: {tally:?}");
}

/// How long the line takes when it is left alone.
fn undisturbed(count: usize) -> Duration {
    let (mut fleet, _disk) = Fleet::in_memory(count);
    let mut process = Running::start(&fleet.cli, fleet.line());
    process.wait_until(|_| false);
    let whole = process.age();
    process.finish().expect(0);
    fleet.is_settled(1);
    whole
}

const EACH: [Phase; 5] =
    [Phase::Starting, Phase::Settling, Phase::Making, Phase::Sealed, Phase::Recorded];

/// Whether there were `count` kills, and some in each phase.
fn enough(tally: &Tally, count: usize) -> bool {
    let some = |phase| tally.get(&phase).is_some_and(|kills| *kills >= 3);
    kills(tally) >= count && EACH.into_iter().all(some)
}

#[test]
fn kills_lose_nothing_and_leave_nothing() {
    let wanted = rounds(30, 100);
    let mut lot = Lot::from_seed();
    let whole = undisturbed(2000);
    let mut tally = Tally::new();
    for round in 0..60 {
        let (fleet, _disk) = Fleet::in_memory(2000);
        let mut fleet = if round % 2 == 0 { fleet } else { fleet.with_stores() };
        kill_until_done(&mut fleet, &mut lot, whole, false, &mut tally);
        fleet.is_settled(1);
        if enough(&tally, wanted) {
            eprintln!("{} kills: {tally:?}", kills(&tally));
            return;
        }
    }
    panic!("60 lists, and not every phase was hit: {tally:?}");
}

#[test]
fn killed_replacements_replace_each_device_once_and_keep_every_key() {
    let wanted = rounds(30, 100);
    let mut lot = Lot::from_seed();
    let mut tally = Tally::new();
    for _ in 0..40 {
        let (mut fleet, _disk) = Fleet::in_memory(1100);
        let mut process = Running::start(&fleet.cli, fleet.line());
        process.wait_until(|_| false);
        let whole = process.age();
        process.finish().expect(0);
        fleet.is_settled(1);
        // What is replaced was recorded before.
        a_second_passes();
        let mut fleet = fleet.with("--existing replace");
        kill_until_done(&mut fleet, &mut lot, whole, true, &mut tally);
        // Two certificates of each device, and `holds` has found the key of each.
        fleet.is_settled(2);
        if enough(&tally, wanted) {
            eprintln!("{} kills: {tally:?}", kills(&tally));
            return;
        }
    }
    panic!("40 lists, and not every phase was hit: {tally:?}");
}

#[test]
fn a_note_that_was_not_written_to_its_end_says_nothing() {
    let mut fleet = Fleet::new(2);
    fleet.cli.ok(fleet.line());
    a_second_passes();
    // Half of a number of seconds: read as one, it would be long ago.
    fleet.cli.write("out/.c8y-pki-replacing", "17955");
    fleet = fleet.with("--existing replace");
    fleet.cli.ok(fleet.line());
    fleet.is_settled(2);
}

#[test]
fn a_killed_renewal_is_unfinished_and_no_finding() {
    let mut lot = Lot::from_seed();
    let (mut seen, mut waiting) = (0, 0);
    for _ in 0..40 {
        let (mut fleet, _disk) = Fleet::in_memory(600);
        fleet.cli.ok(fleet.line());
        a_second_passes();
        let renew = fleet.line().replace("device issue", "device renew").replace("--ca line", "");
        let before = fleet.holds();
        let watch = Watch::new(&fleet, &before, Moment::Recorded(0));
        let mut process = Running::start(&fleet.cli, &renew);
        if process.wait_until(|process| watch.has_come(process)) {
            sleep(lot.part(Duration::from_millis(20)));
        }
        if process.kill().is_some() {
            continue;
        }
        let report = fleet.cli.run(&fleet.check()).expect(0).json();
        assert_eq!(report["findings"].as_array().map(Vec::len), Some(0), "{report}");
        let left = report["unfinished"].as_array().map_or(0, Vec::len);
        assert_eq!(left, 1, "a stopped run is not told: {report}");
        waiting += report["keys"]["waiting"].as_u64().expect("a number");
        fleet.cli.ok(&renew);
        fleet.is_settled(2);
        seen += 1;
        if seen >= 5 && waiting > 0 {
            return;
        }
    }
    panic!("{seen} kills, and {waiting} devices waited");
}
