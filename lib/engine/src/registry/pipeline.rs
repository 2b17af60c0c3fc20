//! Work on many things in turn, on all cores, in bounded memory: one thread reads them, several work on
//! them, one takes the results in the order in which the things were read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

/// How many things wait for each worker, and as many results for the one that takes them.
const WAITING: usize = 2;

/// `read` calls its argument with each thing, on this thread; `work` is done on `threads` others (at least
/// one); `take` gets the results in order. An error of `read` ends it, after what was read before is taken.
pub(crate) fn in_order<T: Send, R: Send, E>(
    threads: usize,
    read: impl FnOnce(&mut dyn FnMut(T)) -> Result<(), E>,
    work: impl Fn(T) -> R + Sync,
    mut take: impl FnMut(R) + Send,
) -> Result<(), E> {
    let threads = threads.max(1);
    let (sender, things) = mpsc::sync_channel::<(usize, T)>(threads * WAITING);
    let (done, results) = mpsc::sync_channel::<(usize, R)>(threads * WAITING);
    // Only workers hold it: if all of them are gone, nobody waits for them.
    let things = Arc::new(Mutex::new(things));
    let work = &work;
    thread::scope(|scope| {
        for _ in 0..threads {
            let (things, done) = (Arc::clone(&things), done.clone());
            scope.spawn(move || {
                loop {
                    let next = things.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((number, thing)) = next else { break };
                    if done.send((number, work(thing))).is_err() {
                        break;
                    }
                }
            });
        }
        drop((things, done));
        scope.spawn(move || {
            let (mut next, mut early) = (0, BTreeMap::new());
            for (number, result) in results {
                early.insert(number, result);
                while let Some(result) = early.remove(&next) {
                    take(result);
                    next += 1;
                }
            }
        });
        let mut number = 0;
        let done = read(&mut |thing| {
            // It fails only when workers have panicked, which the scope tells.
            let _ = sender.send((number, thing));
            number += 1;
        });
        // The end, for the workers and so for the taker.
        drop(sender);
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_no_matter_which_is_first() {
        let mut taken = Vec::new();
        let read = |give: &mut dyn FnMut(u64)| -> Result<(), ()> {
            (0..500).for_each(give);
            Ok(())
        };
        let work = |n: u64| {
            thread::sleep(std::time::Duration::from_micros(n * 7919 % 300));
            n * 2
        };
        in_order(4, read, work, |n| taken.push(n)).unwrap();
        assert_eq!(taken, (0..500).map(|n| n * 2).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_read_before_an_error_is_taken() {
        let mut taken = 0;
        let read = |give: &mut dyn FnMut(u8)| {
            (0..9).for_each(give);
            Err("the end")
        };
        assert_eq!(in_order(2, read, |n| n, |_| taken += 1), Err("the end"));
        assert_eq!(taken, 9);
    }
}
