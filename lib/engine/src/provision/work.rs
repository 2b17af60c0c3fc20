//! Workers make devices in any order; one thread commits them, chunk by chunk.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use super::commit::Committer;
use super::context::{Context, Progress};
use super::destination::{Sizes, Writer};
use super::error::Result;
use super::job::Summary;
use super::made::Made;
use super::make::{Maker, Task};
use super::plan::{Due, Plan};
use crate::list::{Devices, Reader};

/// Devices with RSA keys that are committed together: making them takes long enough for a sync after every few.
const RSA_CHUNK: usize = 32;

/// What a device takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// An RSA key.
    MakesRsa,
    /// A key derivation of its own, for its own password.
    Derives,
    /// Microseconds.
    Fast,
}

impl Pace {
    /// How devices are shared out that take so long. A worker that takes several at a time must be done with them
    /// soon: it looks up only then, and at the end of a list the others wait.
    pub(super) fn sizes(self, fast: Sizes) -> Sizes {
        match self {
            Self::MakesRsa => Sizes { chunk: RSA_CHUNK, group: 1 },
            Self::Derives => Sizes { group: 1, ..fast },
            Self::Fast => fast,
        }
    }
}

/// Hands out the devices that are due, in the order of the list.
struct Feed<'a> {
    due: std::iter::Enumerate<std::slice::Iter<'a, Due>>,
    reader: Reader<'a>,
    /// How many have been handed out.
    next: usize,
}

impl Feed<'_> {
    /// The next devices that a worker takes; none at the end. All of them are of one chunk.
    fn group(&mut self, sizes: Sizes) -> Result<Vec<Task>> {
        let mut group = Vec::with_capacity(sizes.group);
        for (position, due) in self.due.by_ref() {
            let replaces = match due {
                Due::Not => continue,
                Due::New => None,
                Due::InPlaceOf(replaced) => Some(*replaced),
            };
            let device = self.reader.read(position)?;
            group.push(Task { number: self.next, device, replaces });
            self.next += 1;
            if group.len() == sizes.group || self.next.is_multiple_of(sizes.chunk) {
                break;
            }
        }
        Ok(group)
    }
}

type Message = Result<Vec<Made>>;

/// What is to be made, and how it is shared out.
pub(super) struct Work<'a> {
    pub(super) maker: &'a Maker<'a>,
    pub(super) devices: &'a Devices,
    pub(super) plan: &'a Plan,
    pub(super) sizes: Sizes,
    pub(super) context: Context<'a>,
}

impl Work<'_> {
    /// Makes and commits all devices that are due.
    pub(super) fn run(&self, committer: &mut Committer<'_>, summary: &mut Summary) -> Result {
        let feed =
            Feed { due: self.plan.due.iter().enumerate(), reader: self.devices.reader()?, next: 0 };
        let (feed, halt, writer) = (Mutex::new(feed), AtomicBool::new(false), committer.writer);
        // Bounded, so that workers cannot run far ahead of a slow disk.
        let (sender, receiver) = mpsc::sync_channel::<Message>(self.sizes.chunk / self.sizes.group);
        let worker = |sender: mpsc::SyncSender<Message>| {
            while !self.context.is_stopped() && !halt.load(Ordering::Relaxed) {
                let made = self.make_group(&feed, writer).transpose();
                if made.is_none_or(|made| sender.send(made).is_err()) {
                    break;
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..self.maker.job.threads.max(1) {
                let sender = sender.clone();
                scope.spawn(|| worker(sender));
            }
            drop(sender);
            let result = self.collect(&receiver, committer, summary);
            halt.store(true, Ordering::Relaxed);
            // Unblocks workers that wait to send.
            drop(receiver);
            result
        })
        .map(|committed| summary.stopped = committed < self.plan.total())
    }

    /// Takes a group and makes it; none at the end of the list.
    fn make_group(&self, feed: &Mutex<Feed<'_>>, writer: &dyn Writer) -> Result<Option<Vec<Made>>> {
        let mut feed = feed.lock().unwrap_or_else(PoisonError::into_inner);
        let group = feed.group(self.sizes)?;
        let Some(Task { number: first, .. }) = group.first() else { return Ok(None) };
        let chunk = first / self.sizes.chunk;
        if first.is_multiple_of(self.sizes.chunk) {
            writer.begin(chunk)?;
        }
        drop(feed);
        let make = |task| self.maker.make(task, chunk, writer);
        group.into_iter().map(make).collect::<Result<_>>().map(Some)
    }

    /// Commits chunks in their order, each when all of it has arrived. Returns how many devices were in them.
    fn collect(
        &self,
        receiver: &mpsc::Receiver<Message>,
        committer: &mut Committer<'_>,
        summary: &mut Summary,
    ) -> Result<usize> {
        let (size, total) = (self.sizes.chunk, self.plan.total());
        let mut committed = 0;
        let mut pending: BTreeMap<usize, Vec<Made>> = BTreeMap::new();
        let mut next = 0;
        for message in receiver {
            let made = message?;
            let Some(first) = made.first() else { continue };
            let chunk = first.number / size;
            if chunk == next {
                committer.writer.take(&made)?;
            }
            pending.entry(chunk).or_default().extend(made);
            let is_whole =
                |made: &Vec<Made>, chunk: usize| made.len() == size.min(total - chunk * size);
            while pending.get(&next).is_some_and(|made| is_whole(made, next)) {
                let made = pending.remove(&next).unwrap_or_default();
                committed += made.len();
                self.commit(committer, next, made, summary)?;
                next += 1;
                if let Some(waiting) = pending.get(&next) {
                    committer.writer.take(waiting)?;
                }
            }
        }
        // Only a stopped run leaves chunks that are not full.
        for (chunk, made) in pending {
            if chunk != next {
                committer.writer.take(&made)?;
            }
            committed += made.len();
            self.commit(committer, chunk, made, summary)?;
        }
        Ok(committed)
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
        let issued = committer.commit(chunk, made)?;
        summary.issued += issued.len();
        summary.replaced += issued.iter().filter(|made| made.record.replaces.is_some()).count();
        summary.skipped += wanted - issued.len();
        (self.context.progress)(Progress { done: summary.issued, total: self.plan.total() });
        Ok(())
    }
}
