//! Many devices side by side, told in their order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::Report;

/// Checks so many devices, at most `parallel` at a time; `check` is given each one's index.
///
/// `told` gets the reports in the order of the indices, in the caller's thread, each as soon as those
/// before it are done. When it says false, no further device is begun.
pub fn many(
    devices: usize,
    parallel: usize,
    check: impl Fn(usize) -> Report + Sync,
    mut told: impl FnMut(usize, Report) -> bool,
) {
    let next = AtomicUsize::new(0);
    let workers = parallel.clamp(1, devices.max(1));
    let (sender, reports) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, next, check) = (sender.clone(), &next, &check);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= devices || sender.send((index, check(index))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting: BTreeMap<usize, Report> = BTreeMap::new();
        let mut due = 0;
        for (index, report) in reports {
            waiting.insert(index, report);
            while let Some(report) = waiting.remove(&due) {
                if !told(due, report) {
                    next.store(devices, Ordering::Relaxed);
                    return;
                }
                due += 1;
            }
        }
    });
}

/// `sample` of the devices, evenly over their list: the same ones each time.
pub fn spread<T>(devices: Vec<T>, sample: Option<usize>) -> Vec<T> {
    let all = devices.len();
    let wanted = sample.unwrap_or(all).min(all);
    let is_taken = |index: usize| index * wanted / all.max(1) != (index + 1) * wanted / all.max(1);
    devices.into_iter().enumerate().filter(|(i, _)| is_taken(*i)).map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Verdict;
    use super::*;

    fn report(index: usize) -> Report {
        Report {
            device: Some(index.to_string()),
            target: String::new(),
            verdict: Verdict::Connected,
            steps: Vec::new(),
            causes: Vec::new(),
            accepted_cas: None,
            notes: Vec::new(),
            attempts: 1,
            tenant: None,
            platform: None,
        }
    }

    /// The earlier, the slower.
    fn slow(index: usize) -> Report {
        std::thread::sleep(Duration::from_millis(20_u64.saturating_sub(index as u64)));
        report(index)
    }

    #[test]
    fn the_order_is_that_of_the_list() {
        for (devices, parallel) in [(0, 4), (1, 4), (40, 8), (5, 0)] {
            let mut seen = Vec::new();
            many(devices, parallel, slow, |index, report| {
                assert_eq!(report.device, Some(index.to_string()));
                seen.push(index);
                true
            });
            assert_eq!(seen, (0..devices).collect::<Vec<_>>());
        }
    }

    #[test]
    fn it_ends_when_nobody_wants_to_know_more() {
        let begun = AtomicUsize::new(0);
        let mut seen = 0;
        let check = |index| {
            begun.fetch_add(1, Ordering::Relaxed);
            slow(index)
        };
        many(10_000, 2, check, |_, _| {
            seen += 1;
            seen < 3
        });
        assert_eq!(seen, 3);
        assert!(begun.load(Ordering::Relaxed) < 10_000);
    }

    #[test]
    fn samples_are_spread_over_the_list() {
        let taken = |n| spread(('0'..='9').collect(), n).into_iter().collect::<String>();
        assert_eq!(taken(None), "0123456789");
        assert_eq!(taken(Some(3)), "369");
        assert_eq!(taken(Some(1)), "9");
        assert_eq!(taken(Some(0)), "");
        assert_eq!(taken(Some(99)), "0123456789");
        assert!(spread(Vec::<char>::new(), Some(3)).is_empty());
    }
}
