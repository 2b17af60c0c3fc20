//! What several runs of one rollout have done, as one summary.

use crate::provision::Summary;

/// A run for some devices, and then one for the whole list: what both have done.
pub(super) fn together(first: Summary, mut rest: Summary) -> Summary {
    rest.issued += first.issued;
    // It is in the list of the rest.
    rest.skipped = rest.skipped.saturating_sub(first.issued);
    rest.recovered += first.recovered;
    rest.seconds += first.seconds;
    rest.batch = rest.batch.or(first.batch);
    rest
}

/// A run for the whole list, and then one that has issued some of its devices again: what both have done.
pub(super) fn replaced_too(mut all: Summary, again: Summary) -> Summary {
    all.issued += again.issued;
    all.left += again.left;
    all.replaced += again.replaced;
    all.skipped = all.skipped.saturating_sub(again.issued);
    all.recovered += again.recovered;
    all.seconds += again.seconds;
    all.batch = again.batch.or(all.batch);
    if !again.stopped {
        // Devices whose files were not there are among those that were issued again.
        all.incomplete = 0;
        all.incomplete_ids.clear();
    }
    all.stopped = again.stopped;
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(issued: usize, skipped: usize) -> Summary {
        Summary { issued, skipped, ..Summary::default() }
    }

    #[test]
    fn a_device_is_counted_once() {
        let both = together(summary(1, 0), summary(3, 6));
        assert_eq!((both.issued, both.skipped), (4, 5));
    }

    #[test]
    fn what_a_stopped_run_left_is_still_incomplete() {
        let all =
            || Summary { incomplete: 2, incomplete_ids: vec!["a".to_owned()], ..summary(0, 9) };
        let again = |stopped| Summary { replaced: 1, stopped, ..summary(1, 0) };
        let done = replaced_too(all(), again(false));
        assert_eq!((done.issued, done.skipped, done.incomplete, done.stopped), (1, 8, 0, false));
        let stopped = replaced_too(all(), again(true));
        assert_eq!(
            (stopped.incomplete, stopped.incomplete_ids.len(), stopped.stopped),
            (2, 1, true)
        );
    }
}
