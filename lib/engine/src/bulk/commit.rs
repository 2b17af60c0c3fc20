//! Workers make devices in any order; one thread commits them, chunk by chunk.
//!
//! In each case a chunk is durable before the registry records it, and the registry decides what of it
//! counts: a folder is renamed into place, an archive's length is remembered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use time::OffsetDateTime;

use super::list::{Device, Devices, ListFile};
use super::make::{Made, Maker, Todo};
use super::out::{Out, Stream};
use super::plan::Due;
use super::rows::Rows;
use super::run::{Progress, Summary};
use super::staging::{Staged, Staging};
use super::{BulkError, SECRETS_HEADER};
use crate::authority::Drawing;
use crate::files::growing::Growing;
use crate::files::{self, Mark};
use crate::registry::{NewRecord, Newcomers, Registry, RegistryError};
use crate::secret::SecretBytes;

/// Devices that are committed together: enough to share a sync, few enough to lose little when the
/// power goes. An archive is faster, so it takes more of them to keep syncs rare; making RSA keys takes
/// long enough for a sync after every few.
const CHUNK: usize = 512;
const ARCHIVE_CHUNK: usize = 1024;
const RSA_CHUNK: usize = 32;

/// Devices that a worker takes at a time: it is not worth its while to queue for each, nor to wake the
/// thread that commits.
const HANDFUL: usize = 16;
const ARCHIVE_HANDFUL: usize = 64;

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

/// How devices are portioned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portions {
    chunk: usize,
    handful: usize,
}

impl Portions {
    /// For devices of that pace. A worker that takes several at a time must be done with them soon: it
    /// looks up only then, and at the end of a list the others wait.
    pub(super) fn new(pace: Pace, out: Out<'_>) -> Self {
        let (chunk, handful) = match out {
            Out::Folders(_) => (CHUNK, HANDFUL),
            Out::Archive(_) | Out::Stream(_) => (ARCHIVE_CHUNK, ARCHIVE_HANDFUL),
        };
        match pace {
            Pace::MakesRsa => Self { chunk: RSA_CHUNK, handful: 1 },
            Pace::Derives => Self { chunk, handful: 1 },
            Pace::Fast => Self { chunk, handful },
        }
    }
}

/// Where chunks go.
pub(super) enum Sink<'a> {
    Folders(&'a Staging),
    Archive(Growing),
    Stream(&'a Stream),
}

impl<'a> Sink<'a> {
    fn staging(&self) -> Option<&'a Staging> {
        match self {
            Self::Folders(staging) => Some(staging),
            Self::Archive(_) | Self::Stream(_) => None,
        }
    }
}

/// Records chunks and lets them count.
pub(super) struct Committer<'a> {
    pub(super) registry: &'a mut Registry,
    pub(super) sink: Sink<'a>,
    /// The devices' passwords.
    pub(super) ledger: Option<Growing>,
    pub(super) pool: Option<&'a Drawing<'a>>,
    pub(super) batch: &'a str,
    /// Whose keys those from outside are held against again.
    pub(super) newcomers: Newcomers,
    pub(super) now: OffsetDateTime,
}

impl Committer<'_> {
    /// Takes devices of the chunk that is committed next, as they are made: an archive can be written
    /// before the chunk is whole.
    fn take(&mut self, made: &[(usize, Made)]) -> Result<(), BulkError> {
        if let Sink::Archive(archive) = &mut self.sink {
            made.iter().try_for_each(|(_, made)| archive.push(&made.entries))?;
        }
        Ok(())
    }

    /// Commits a chunk, all of which was [taken](Self::take); returns the records that it issued. Devices
    /// that another process has issued or replaced in the meantime are left out.
    fn commit(&mut self, index: usize, mut made: Vec<Made>) -> Result<Vec<NewRecord>, BulkError> {
        if let Sink::Folders(staging) = &self.sink {
            staging.seal(index, &staged_of(&made))?;
        }
        if let Sink::Stream(_) = &self.sink {
            // What was written cannot be taken back, so it is asked before.
            made = self.still_due(made)?;
        }
        let mut taken = true;
        loop {
            let marks = self.write(&made, taken)?;
            if let Some(pool) = self.pool {
                pool.make_durable()?;
            }
            let records: Vec<&NewRecord> = made.iter().map(|made| &made.record).collect();
            let newcomers = Some(&mut self.newcomers);
            let done = self.registry.record_with(self.batch, self.now, &records, &marks, newcomers);
            match done {
                Ok(()) => {
                    self.confirm(&marks);
                    break;
                }
                Err(RegistryError::Conflict) if !matches!(self.sink, Sink::Stream(_)) => {
                    let before = made.len();
                    taken = false;
                    made = self.still_due(made)?;
                    if made.len() == before {
                        return Err(RegistryError::Conflict.into());
                    }
                }
                Err(e) => return Err(e.into()),
            }
        }
        for file in made.iter().filter_map(|made| made.drawn.as_ref()) {
            files::remove_file(file)?;
        }
        if let Sink::Folders(staging) = &self.sink {
            staging.publish(index, &staged_of(&made), self.registry)?;
        }
        Ok(made.into_iter().map(|made| made.record).collect())
    }

    /// Writes what goes into one file for all: entries of an archive, passwords.
    fn write(&mut self, made: &[Made], taken: bool) -> Result<Vec<Mark>, BulkError> {
        let mut marks = Vec::new();
        match &mut self.sink {
            Sink::Folders(_) => {}
            Sink::Archive(archive) if taken => marks.push(archive.seal()?),
            Sink::Archive(archive) => marks.push(archive.add(entries_of(made))?),
            Sink::Stream(stream) => stream.write(entries_of(made)).map_err(BulkError::Write)?,
        }
        if let Some(ledger) = &mut self.ledger {
            let header = ledger.is_empty().then_some(SECRETS_HEADER.as_bytes());
            let lines = made.iter().filter_map(|made| made.secrets.as_ref());
            marks.push(ledger.add(header.into_iter().chain(lines.map(SecretBytes::expose)))?);
        }
        Ok(marks)
    }

    /// What was written counts.
    fn confirm(&mut self, marks: &[Mark]) {
        let archive = match &mut self.sink {
            Sink::Archive(archive) => Some(archive),
            Sink::Folders(_) | Sink::Stream(_) => None,
        };
        for (file, mark) in archive.into_iter().chain(&mut self.ledger).zip(marks) {
            file.confirm(mark);
        }
    }

    /// Those whose live certificate is still the one that they are to replace, or none.
    fn still_due(&self, made: Vec<Made>) -> Result<Vec<Made>, BulkError> {
        let mut due = Vec::with_capacity(made.len());
        for made in made {
            let record = &made.record;
            let live = match &record.device {
                Some(device) => self.registry.live_device(&device.folded())?.map(|live| live.row),
                None => None,
            };
            if live == record.replaces.map(|replaced| replaced.row) {
                due.push(made);
            }
        }
        Ok(due)
    }
}

fn staged_of(made: &[Made]) -> Vec<Staged> {
    let staged = |made: &Made| {
        let id = made.record.device.clone()?;
        Some(Staged { id, serial: made.record.certificate.serial.clone() })
    };
    made.iter().filter_map(staged).collect()
}

fn entries_of(made: &[Made]) -> impl Iterator<Item = &[u8]> {
    made.iter().map(|made| made.entries.as_slice())
}

/// Hands out the devices that are due, in the order of the list.
struct Feed<'a> {
    due: std::iter::Enumerate<std::slice::Iter<'a, Due>>,
    source: Source<'a>,
    /// How many have been handed out.
    next: usize,
}

enum Source<'a> {
    List(&'a [Device]),
    File(&'a ListFile, Box<Rows<'a, &'a std::fs::File>>),
}

impl<'a> Feed<'a> {
    fn new(devices: &'a Devices, due: &'a [Due]) -> Result<Self, BulkError> {
        let source = match devices {
            Devices::List(list) => Source::List(&list.devices),
            Devices::File(file) => Source::File(file, Box::new(file.rows()?)),
        };
        Ok(Self { due: due.iter().enumerate(), source, next: 0 })
    }

    /// Fills `handful` with the next devices, each with its number; with none at the end. None of them
    /// is of the chunk behind.
    fn take(
        &mut self,
        portions: Portions,
        handful: &mut Vec<(usize, Todo)>,
    ) -> Result<(), BulkError> {
        for (position, due) in self.due.by_ref() {
            let device = match &mut self.source {
                Source::List(_) if *due == Due::Not => continue,
                Source::List(devices) => devices[position].clone(),
                Source::File(_, _) if *due == Due::Not => continue,
                Source::File(file, rows) => file.read(rows, position)?,
            };
            handful.push((self.next, Todo { device, due: *due }));
            self.next += 1;
            if handful.len() == portions.handful || self.next.is_multiple_of(portions.chunk) {
                break;
            }
        }
        Ok(())
    }
}

type Message = Result<Vec<(usize, Made)>, BulkError>;

/// What workers share.
struct Workshop<'a> {
    maker: &'a Maker<'a>,
    feed: Mutex<Feed<'a>>,
    staging: Option<&'a Staging>,
    portions: Portions,
}

impl Workshop<'_> {
    /// Takes a handful and makes it; none at the end of the list.
    fn turn(&self) -> Result<Option<Vec<(usize, Made)>>, BulkError> {
        let mut handful = Vec::with_capacity(self.portions.handful);
        let mut feed = self.feed.lock().unwrap_or_else(PoisonError::into_inner);
        feed.take(self.portions, &mut handful)?;
        let Some((first, _)) = handful.first() else { return Ok(None) };
        let chunk = first / self.portions.chunk;
        let dir = match self.staging {
            Some(staging) if first.is_multiple_of(self.portions.chunk) => {
                Some(staging.chunk(chunk)?)
            }
            Some(staging) => Some(staging.chunk_dir(chunk)),
            None => None,
        };
        drop(feed);
        let make = |(number, todo)| Ok((number, self.maker.make(todo, dir.as_deref())?));
        handful.into_iter().map(make).collect::<Result<_, BulkError>>().map(Some)
    }
}

/// Makes and commits all devices that are due.
pub(super) fn work(
    maker: &Maker<'_>,
    devices: &Devices,
    (due, total): (&[Due], usize),
    (portions, committer): (Portions, &mut Committer<'_>),
    summary: &mut Summary,
    stop: &AtomicBool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), BulkError> {
    let feed = Mutex::new(Feed::new(devices, due)?);
    let shop = Workshop { maker, feed, staging: committer.sink.staging(), portions };
    let halt = AtomicBool::new(false);
    // Bounded, so that workers cannot run far ahead of a slow disk.
    let (sender, receiver) = mpsc::sync_channel::<Message>(portions.chunk / portions.handful);
    let worker = |sender: mpsc::SyncSender<Message>| {
        while !stop.load(Ordering::Relaxed) && !halt.load(Ordering::Relaxed) {
            let message = match shop.turn() {
                Ok(None) => break,
                Ok(Some(made)) => Ok(made),
                Err(e) => Err(e),
            };
            if sender.send(message).is_err() {
                break;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..maker.job.threads.max(1) {
            let sender = sender.clone();
            scope.spawn(|| worker(sender));
        }
        drop(sender);
        let result = collect(&receiver, total, portions.chunk, committer, summary, progress);
        halt.store(true, Ordering::Relaxed);
        // Unblocks workers that wait to send.
        drop(receiver);
        result
    })
    .map(|committed| summary.stopped = committed < total)
}

/// Commits chunks in their order, each when all of it has arrived. Returns how many devices were in them.
fn collect(
    receiver: &mpsc::Receiver<Message>,
    total: usize,
    chunk_size: usize,
    committer: &mut Committer<'_>,
    summary: &mut Summary,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<usize, BulkError> {
    let mut committed = 0;
    let mut pending: BTreeMap<usize, Vec<(usize, Made)>> = BTreeMap::new();
    let mut next = 0;
    for message in receiver {
        let made = message?;
        let Some((first, _)) = made.first() else { continue };
        let chunk = first / chunk_size;
        if chunk == next {
            committer.take(&made)?;
        }
        pending.entry(chunk).or_default().extend(made);
        let size = |chunk: usize| chunk_size.min(total - chunk * chunk_size);
        while pending.get(&next).is_some_and(|made| made.len() == size(next)) {
            let made = pending.remove(&next).unwrap_or_default();
            committed += made.len();
            commit(committer, next, made, total, summary, progress)?;
            next += 1;
            if let Some(waiting) = pending.get(&next) {
                committer.take(waiting)?;
            }
        }
    }
    // Only a stopped run leaves chunks that are not full.
    for (chunk, made) in pending {
        if chunk != next {
            committer.take(&made)?;
        }
        committed += made.len();
        commit(committer, chunk, made, total, summary, progress)?;
    }
    Ok(committed)
}

fn commit(
    committer: &mut Committer<'_>,
    chunk: usize,
    mut made: Vec<(usize, Made)>,
    total: usize,
    summary: &mut Summary,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), BulkError> {
    // The registry keeps the order of the list, whichever worker was first.
    made.sort_by_key(|(number, _)| *number);
    let made: Vec<Made> = made.into_iter().map(|(_, made)| made).collect();
    let wanted = made.len();
    let issued = committer.commit(chunk, made)?;
    summary.issued += issued.len();
    summary.replaced += issued.iter().filter(|r| r.replaces.is_some()).count();
    summary.skipped += wanted - issued.len();
    progress(Progress { done: summary.issued, total });
    Ok(())
}
