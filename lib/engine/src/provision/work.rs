//! Workers make devices in any order; one thread commits them, chunk by chunk.
//!
//! A chunk is what is lost when the power goes, so it is a matter of time: it takes the devices that are made within a
//! second, and no more than shares a sync well. How long a device takes is measured as it goes; nobody has to know of
//! keys, derivations and slow disks beforehand.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use std::vec;

use super::commit::Committer;
use super::context::{Context, Progress};
use super::destination::{Sizes, Writer};
use super::error::Result;
use super::job::Summary;
use super::made::Made;
use super::make::{Maker, Task};
use super::plan::{Due, Plan};
use super::share::Shared;
use crate::client_id::DeviceId;
use crate::list::{Devices, Reader};
use crate::registry::{Hold, Replaced, Taken};

/// How long devices are handed out to one chunk.
const CHUNK_TIME: Duration = Duration::from_secs(1);

/// How long a worker is busy with what it takes at a time: it looks up only then, and at the end of a list the others
/// wait for it.
const GROUP_TIME: Duration = Duration::from_millis(50);

/// How often a worker looks whether other stations have left something.
const LOOK: Duration = Duration::from_millis(250);

/// Decides how devices are shared out: into groups, which a worker takes at a time, and chunks, which are committed
/// together.
#[derive(Debug)]
struct Shares {
    /// How large either gets at most.
    most: Sizes,
    /// What a device takes, as was measured; none before the first.
    takes: Option<Duration>,
    /// The chunk that is being filled, how many are in it, and when the first of them was handed out.
    chunk: usize,
    filled: usize,
    begun: Instant,
    /// How many devices are in the chunks that get no more.
    closed: HashMap<usize, usize>,
}

impl Shares {
    fn new(most: Sizes, now: Instant) -> Self {
        Self { most, takes: None, chunk: 0, filled: 0, begun: now, closed: HashMap::new() }
    }

    /// A worker has made so many devices in that time.
    fn measure(&mut self, devices: usize, took: Duration) {
        let one = took / u32::try_from(devices.max(1)).unwrap_or(u32::MAX);
        self.takes = Some(self.takes.map_or(one, |before| (before * 3 + one) / 4));
    }

    /// How many devices a worker takes now. They belong to the chunk that is being filled then; whether the one
    /// before it was closed for that.
    fn offer(&mut self, now: Instant) -> (usize, bool) {
        let group = match self.takes {
            // A few are made to see how long it takes.
            None => 1,
            Some(takes) => {
                let fit = GROUP_TIME.as_nanos() / takes.as_nanos().max(1);
                usize::try_from(fit).unwrap_or(usize::MAX).clamp(1, self.most.group)
            }
        };
        let will_take = self.takes.unwrap_or_default() * u32::try_from(group).unwrap_or(u32::MAX);
        let is_late = now.saturating_duration_since(self.begun) + will_take > CHUNK_TIME;
        let closes = self.filled > 0 && is_late;
        if closes {
            self.close();
        }
        if self.filled == 0 {
            self.begun = now;
        }
        (group.min(self.most.chunk - self.filled), closes)
    }

    /// So many of them were taken; `all` says that there are no more.
    fn take(&mut self, taken: usize, all: bool) {
        self.filled += taken;
        if self.filled >= self.most.chunk || (all && self.filled > 0) {
            self.close();
        }
    }

    fn close(&mut self) {
        self.closed.insert(self.chunk, self.filled);
        self.chunk += 1;
        self.filled = 0;
    }
}

/// Hands out the devices that are due, in the order of the list.
struct Feed<'a> {
    plan: &'a Plan,
    reader: Reader<'a>,
    /// How many have been handed out.
    next: usize,
    shares: Shares,
    /// Whether all of them were.
    is_over: bool,
    source: Source<'a>,
}

/// Which devices a run makes.
enum Source<'a> {
    /// All that are due.
    List(std::ops::Range<usize>),
    /// Those of one range after the other.
    Shared(&'a Shared<'a>, Option<Hold>, vec::IntoIter<usize>),
}

/// What a worker takes at a time.
struct Group {
    tasks: Vec<Task>,
    /// Its chunk.
    chunk: usize,
    /// Whether it is the first of it.
    is_first: bool,
    /// Whether the chunk before gets no more devices: the one that commits may have all of them already.
    closes: bool,
}

/// What there is for a worker.
enum Next {
    Group(Group),
    /// Nothing now: other stations have the rest.
    Later,
    End,
}

impl Feed<'_> {
    /// Sees to it that there are devices to hand out, and says what there is otherwise.
    fn fill(&mut self) -> Result<Option<Next>> {
        let Source::Shared(shared, range, positions) = &mut self.source else {
            let all = self.next == self.plan.total();
            return Ok(all.then_some(Next::End));
        };
        while positions.len() == 0 {
            match shared.take()? {
                Taken::Range(hold, mut open) => {
                    open.retain(|position| self.plan.due.get(*position) == Some(&Due::New));
                    if open.is_empty() {
                        shared.pass(&hold)?;
                    }
                    (*range, *positions) = (Some(hold), open.into_iter());
                }
                Taken::Later => return Ok(Some(Next::Later)),
                Taken::Nothing => return Ok(Some(Next::End)),
            }
        }
        Ok(None)
    }

    /// The position of the next device, and what it replaces.
    fn position(&mut self) -> Option<(usize, Option<Replaced>)> {
        match &mut self.source {
            Source::Shared(_, _, positions) => positions.next().map(|position| (position, None)),
            Source::List(positions) => {
                positions.find_map(|position| match self.plan.due[position] {
                    Due::Not => None,
                    Due::New => Some((position, None)),
                    Due::InPlaceOf(replaced) => Some((position, Some(replaced))),
                })
            }
        }
    }

    /// The next devices that a worker takes. All of them are of one chunk, and of one range if the list is shared.
    fn group(&mut self) -> Result<Next> {
        if let Some(nothing) = self.fill()? {
            self.is_over = matches!(nothing, Next::End);
            return Ok(nothing);
        }
        let (most, closes) = self.shares.offer(Instant::now());
        let (chunk, is_first) = (self.shares.chunk, self.shares.filled == 0);
        let mut tasks = Vec::with_capacity(most);
        while tasks.len() < most {
            let Some((position, replaces)) = self.position() else { break };
            let device = self.reader.read(position)?;
            tasks.push(Task { number: self.next, device, replaces });
            self.next += 1;
        }
        let is_last = match &self.source {
            Source::List(_) => self.next == self.plan.total(),
            Source::Shared(_, _, positions) => positions.len() == 0,
        };
        self.shares.take(tasks.len(), is_last);
        if let Source::Shared(shared, Some(hold), _) = &self.source {
            shared.assign(chunk, hold, is_last);
        }
        Ok(Next::Group(Group { tasks, chunk, is_first, closes }))
    }
}

/// Devices that were made, and their chunk; none to say that a chunk was closed.
type Message = Result<(usize, Vec<Made>)>;

/// What is to be made, and how it is shared out.
pub(super) struct Work<'a> {
    pub(super) maker: &'a Maker<'a>,
    pub(super) devices: &'a Devices,
    pub(super) plan: &'a Plan,
    /// The largest chunks and groups.
    pub(super) sizes: Sizes,
    pub(super) context: Context<'a>,
    /// The share of the run, if others make a part of the list.
    pub(super) shared: Option<&'a Shared<'a>>,
}

impl Work<'_> {
    /// Makes and commits all devices that are due.
    pub(super) fn run(&self, committer: &mut Committer<'_>, summary: &mut Summary) -> Result {
        let source = match self.shared {
            None => Source::List(0..self.plan.due.len()),
            Some(shared) => Source::Shared(shared, None, Vec::new().into_iter()),
        };
        let feed = Mutex::new(Feed {
            plan: self.plan,
            reader: self.devices.reader()?,
            next: 0,
            shares: Shares::new(self.sizes, Instant::now()),
            is_over: false,
            source,
        });
        let (halt, writer) = (AtomicBool::new(false), committer.writer);
        // Bounded, so that workers cannot run far ahead of a slow disk.
        let (sender, receiver) = mpsc::sync_channel::<Message>(self.sizes.chunk / self.sizes.group);
        thread::scope(|scope| {
            for _ in 0..self.maker.job.threads.max(1) {
                let (sender, feed, halt) = (sender.clone(), &feed, &halt);
                scope.spawn(move || {
                    let goes_on = || !self.context.is_stopped() && !halt.load(Ordering::Relaxed);
                    while goes_on() && self.make_group(feed, writer, &sender) {}
                });
            }
            drop(sender);
            if let Some(shared) = self.shared {
                scope.spawn(|| shared.hold_until(&halt));
            }
            let result = self.collect(&feed, &receiver, committer, summary);
            halt.store(true, Ordering::Relaxed);
            // Unblocks workers that wait to send.
            drop(receiver);
            result
        })
        .map(|committed| {
            summary.stopped = match self.shared {
                None => committed < self.plan.total(),
                Some(_) => !lock(&feed).is_over,
            };
        })
    }

    /// Takes a group, makes it and sends it; false at the end of the list, and when nobody receives any more.
    fn make_group(
        &self,
        feed: &Mutex<Feed<'_>>,
        writer: &dyn Writer,
        sender: &mpsc::SyncSender<Message>,
    ) -> bool {
        let group = match self.take_group(feed, writer) {
            Ok(Next::Group(group)) => group,
            Ok(Next::End) => return false,
            Ok(Next::Later) => {
                let told = self.shared.map_or(Ok(()), Shared::wait);
                thread::sleep(LOOK);
                return told.map_or_else(|e| sender.send(Err(e)).is_ok(), |()| true);
            }
            Err(e) => return sender.send(Err(e)).is_ok(),
        };
        if group.closes && sender.send(Ok((group.chunk - 1, Vec::new()))).is_err() {
            return false;
        }
        let (chunk, count, start) = (group.chunk, group.tasks.len(), Instant::now());
        let tasks = group.tasks.into_iter();
        let made = tasks.map(|task| self.maker.make(task, chunk, writer)).collect::<Result<_>>();
        let took = start.elapsed();
        lock(feed).shares.measure(count, took);
        sender.send(made.map(|made| (chunk, made))).is_ok()
    }

    fn take_group(&self, feed: &Mutex<Feed<'_>>, writer: &dyn Writer) -> Result<Next> {
        let mut feed = lock(feed);
        let next = feed.group()?;
        if let Next::Group(group) = &next
            && group.is_first
        {
            // Before another worker can take devices of this chunk.
            writer.begin(group.chunk)?;
        }
        Ok(next)
    }

    /// Commits chunks in their order, each when all of it has arrived. Returns how many devices were in them.
    fn collect(
        &self,
        feed: &Mutex<Feed<'_>>,
        receiver: &mpsc::Receiver<Message>,
        committer: &mut Committer<'_>,
        summary: &mut Summary,
    ) -> Result<usize> {
        let (mut arrived, mut committed) = (0, 0);
        let mut pending: BTreeMap<usize, Vec<Made>> = BTreeMap::new();
        let mut next = 0;
        self.tell(summary, arrived);
        for message in receiver {
            let (chunk, made) = message?;
            if chunk < next {
                // It was seen to be closed before its message came.
                continue;
            }
            if chunk == next {
                committer.writer.take(&made)?;
            }
            arrived += made.len();
            pending.entry(chunk).or_default().extend(made);
            self.tell(summary, arrived);
            let is_whole = |chunk: usize, made: &Vec<Made>| {
                lock(feed).shares.closed.get(&chunk) == Some(&made.len())
            };
            while pending.get(&next).is_some_and(|made| is_whole(next, made)) {
                let made = pending.remove(&next).unwrap_or_default();
                committed += made.len();
                self.commit(committer, next, made, summary)?;
                self.tell(summary, arrived);
                lock(feed).shares.closed.remove(&next);
                next += 1;
                if let Some(waiting) = pending.get(&next) {
                    committer.writer.take(waiting)?;
                }
            }
        }
        // Only a stopped run leaves chunks that are not full.
        for (chunk, made) in pending.into_iter().filter(|(_, made)| !made.is_empty()) {
            if chunk != next {
                committer.writer.take(&made)?;
            }
            committed += made.len();
            self.commit(committer, chunk, made, summary)?;
        }
        self.tell(summary, arrived);
        Ok(committed)
    }

    fn tell(&self, summary: &Summary, made: usize) {
        let most = self.shared.map_or(usize::MAX, Shared::most);
        let (done, total) = (summary.issued, self.plan.total().min(most));
        (self.context.progress)(Progress { done, made, total });
    }

    fn commit(
        &self,
        committer: &mut Committer<'_>,
        chunk: usize,
        mut made: Vec<Made>,
        summary: &mut Summary,
    ) -> Result {
        // The registry keeps the order of the list, whichever worker was first.
        made.sort_by_key(|made| made.number);
        let wanted = made.len();
        let range = self.shared.and_then(|shared| shared.of_chunk(chunk));
        let issued = committer.commit(chunk, made, range.as_ref())?;
        if let (Some(shared), Some((hold, done))) = (self.shared, &range)
            && (*done || issued.is_empty())
        {
            shared.release(hold);
        }
        summary.issued += issued.len();
        summary.replaced += issued.iter().filter(|made| made.record.replaces.is_some()).count();
        match self.shared {
            None => summary.skipped += wanted - issued.len(),
            // What others have made is counted at the end.
            Some(shared) => shared.add(issued.len()),
        }
        let ids: Vec<DeviceId> = issued.into_iter().map(|made| made.id).collect();
        if !ids.is_empty() {
            (self.context.issued)(&ids);
        }
        Ok(())
    }
}

fn lock<'f, 'a>(feed: &'f Mutex<Feed<'a>>) -> MutexGuard<'f, Feed<'a>> {
    feed.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shares devices out that take so many milliseconds each, to one worker; what the chunks get.
    fn chunks(most: Sizes, devices: usize, each: u64) -> Vec<usize> {
        let start = Instant::now();
        let mut shares = Shares::new(most, start);
        let (mut now, mut left) = (start, devices);
        while left > 0 {
            let group = shares.offer(now).0.min(left);
            left -= group;
            shares.take(group, left == 0);
            let took = Duration::from_millis(each) * u32::try_from(group).unwrap();
            now += took;
            shares.measure(group, took);
        }
        let mut closed: Vec<_> = shares.closed.into_iter().collect();
        closed.sort_unstable();
        closed.into_iter().map(|(_, size)| size).collect()
    }

    #[test]
    fn a_chunk_is_what_is_made_in_a_second() {
        let most = Sizes { chunk: 512, group: 16 };
        assert_eq!(chunks(most, 1100, 0), [512, 512, 76]);
        assert_eq!(chunks(most, 25, 100), [10, 10, 5]);
        assert_eq!(chunks(most, 7, 400), [2, 2, 2, 1]);
        assert_eq!(chunks(most, 3, 5000), [1, 1, 1]);
        assert_eq!(chunks(most, 1, 5000), [1]);
    }

    #[test]
    fn a_worker_takes_what_it_makes_soon() {
        let most = Sizes { chunk: 512, group: 16 };
        let start = Instant::now();
        let mut shares = Shares::new(most, start);
        // Nothing was measured yet.
        assert_eq!(shares.offer(start), (1, false));
        shares.measure(1, Duration::from_micros(80));
        assert_eq!(shares.offer(start), (16, false));
        // Slower ones come.
        for _ in 0..20 {
            shares.measure(16, Duration::from_millis(16 * 20));
        }
        assert_eq!(shares.offer(start), (2, false));
        for _ in 0..20 {
            shares.measure(1, Duration::from_secs(3));
        }
        assert_eq!(shares.offer(start), (1, false));
        // With one in it, another of three seconds begins the next.
        shares.take(1, false);
        assert_eq!((shares.offer(start), shares.chunk), ((1, true), 1));
    }

    #[test]
    fn a_chunk_does_not_get_more_than_it_may() {
        let mut shares = Shares::new(Sizes { chunk: 5, group: 4 }, Instant::now());
        shares.measure(1, Duration::ZERO);
        assert_eq!(shares.offer(Instant::now()), (4, false));
        shares.take(4, false);
        assert_eq!(shares.offer(Instant::now()), (1, false));
        shares.take(1, false);
        assert_eq!((shares.chunk, shares.closed[&0]), (1, 5));
    }
}
