//! Appends to a file in whole blocks, and past the system's cache where the system lets us.
//!
//! A file of gigabytes that nobody reads soon would push everything else out of that cache, and the way
//! through it costs more than what it is there for: copies, pages to be found, and on a virtual machine
//! memory that the host first has to give. Where there is no such way (other systems, some file systems)
//! the octets are written as usual, and wait for the sync.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use zeroize::Zeroizing;

/// What addresses, offsets and lengths have to be multiples of, on every disk of today.
pub(super) const BLOCK: usize = 4096;

/// So many octets are written at once.
const AT_ONCE: usize = 1 << 20;

/// The end of a file that grows.
pub(super) struct Appender {
    file: File,
    /// The end of the file, from a block's beginning, and room for more. A block and what follows it
    /// stay here when they are written. Keys are among them.
    memory: Zeroizing<Vec<u8>>,
    /// Where in `memory` a block can begin.
    start: usize,
    /// How many octets are in it.
    filled: usize,
    /// How many whole blocks of them are in the file.
    written: usize,
    /// Where in the file its first octet is.
    offset: u64,
}

impl fmt::Debug for Appender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Appender({} octets)", self.length())
    }
}

impl Appender {
    /// Appends to `file` behind its first `length` octets: what stands behind them goes.
    pub(super) fn new(file: File, length: u64) -> io::Result<Self> {
        let memory = Zeroizing::new(vec![0; AT_ONCE + BLOCK]);
        let start = memory.as_ptr().align_offset(BLOCK).min(BLOCK);
        let mut appender = Self { file, memory, start, filled: 0, written: 0, offset: 0 };
        appender.cut(length)?;
        Ok(appender)
    }

    /// How long the file is.
    pub(super) fn length(&self) -> u64 {
        self.offset + self.filled as u64
    }

    /// Its last octets, so many or all of them, but a block at most.
    pub(super) fn last_octets(&self, count: usize) -> &[u8] {
        let end = &self.memory[self.start..self.start + self.filled];
        &end[end.len().saturating_sub(count.min(BLOCK))..]
    }

    /// Cuts the file to a length that it had when it was made durable.
    pub(super) fn cut(&mut self, length: u64) -> io::Result<()> {
        // What is read may begin and end anywhere.
        pass_cache(&self.file, false);
        self.file.set_len(length)?;
        self.offset = (length - length % BLOCK as u64).saturating_sub(BLOCK as u64);
        self.file.seek(SeekFrom::Start(self.offset))?;
        // Less than two blocks.
        self.filled = usize::try_from(length - self.offset).unwrap_or(0);
        self.file.read_exact(&mut self.memory[self.start..self.start + self.filled])?;
        self.written = self.filled / BLOCK;
        pass_cache(&self.file, true);
        Ok(())
    }

    /// Leaves the file with that length, for somebody else to go on with.
    pub(super) fn leave(self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    /// Adds octets.
    pub(super) fn add(&mut self, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            if self.filled == AT_ONCE {
                self.write()?;
            }
            let (now, later) = octets.split_at(octets.len().min(AT_ONCE - self.filled));
            let at = self.start + self.filled;
            self.memory[at..at + now.len()].copy_from_slice(now);
            self.filled += now.len();
            octets = later;
        }
        Ok(())
    }

    /// Makes everything durable. The last block of the file is filled up with zeros.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.write()?;
        self.file.sync_data()
    }

    /// Makes everything durable, and the file as long as it is to be.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.write()?;
        self.file.set_len(self.length())?;
        self.file.sync_all()
    }

    /// Writes what is not written, in whole blocks, and makes room for more.
    fn write(&mut self) -> io::Result<()> {
        let from = self.written * BLOCK;
        let to = self.filled.next_multiple_of(BLOCK);
        self.memory[self.start + self.filled..self.start + to].fill(0);
        let blocks = &self.memory[self.start + from..self.start + to];
        write_at(&self.file, self.offset + from as u64, blocks)?;
        self.written = self.filled / BLOCK;
        let drop = self.written.saturating_sub(1) * BLOCK;
        self.memory.copy_within(self.start + drop..self.start + self.filled, self.start);
        self.filled -= drop;
        self.offset += drop as u64;
        self.written -= drop / BLOCK;
        Ok(())
    }
}

/// Writes past the cache if that is how the file was opened, and the disk takes blocks of this size.
fn write_at(mut file: &File, offset: u64, octets: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    match file.write_all(octets) {
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
            pass_cache(file, false);
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(octets)
        }
        done => done,
    }
}

/// Lets what is written to a file pass the system's cache, or not. Where that cannot be, it is not.
#[cfg(target_os = "linux")]
fn pass_cache(file: &File, pass: bool) {
    if let Ok(mut flags) = rustix::fs::fcntl_getfl(file) {
        flags.set(rustix::fs::OFlags::DIRECT, pass);
        let _ = rustix::fs::fcntl_setfl(file, flags);
    }
}

#[cfg(not(target_os = "linux"))]
fn pass_cache(_file: &File, _pass: bool) {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Add(usize),
        Sync,
        Cut(prop::sample::Index),
        Open(prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => prop_oneof![0..20usize, 4090..4100usize, 0..(AT_ONCE + 9000)].prop_map(Step::Add),
            2 => Just(Step::Sync),
            1 => any::<prop::sample::Index>().prop_map(Step::Cut),
            1 => any::<prop::sample::Index>().prop_map(Step::Open),
        ]
    }

    fn open(path: &std::path::Path) -> File {
        File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_file_is_what_was_added(steps in prop::collection::vec(step(), 1..24)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            let mut appender = Appender::new(open(&path), 0).unwrap();
            let mut expected: Vec<u8> = Vec::new();
            // What is in the file for certain, and can be cut to.
            let mut synced = 0;
            for step in steps {
                match step {
                    Step::Add(count) => {
                        let from = expected.len();
                        expected.extend((b'a'..=b'z').cycle().skip(from % 26).take(count));
                        appender.add(&expected[from..]).unwrap();
                    }
                    Step::Sync => {
                        appender.sync().unwrap();
                        synced = expected.len();
                        let file = std::fs::read(&path).unwrap();
                        prop_assert!(file.starts_with(&expected), "not what was added");
                        prop_assert!(file.len() < synced + BLOCK);
                    }
                    Step::Cut(index) => {
                        synced = index.index(synced + 1);
                        expected.truncate(synced);
                        appender.cut(synced as u64).unwrap();
                    }
                    Step::Open(index) => {
                        synced = index.index(synced + 1);
                        expected.truncate(synced);
                        appender = Appender::new(open(&path), synced as u64).unwrap();
                    }
                }
                prop_assert_eq!(appender.length(), expected.len() as u64);
                let last = &expected[expected.len().saturating_sub(BLOCK)..];
                prop_assert!(appender.last_octets(BLOCK) == last, "another end");
            }
            appender.finish().unwrap();
            prop_assert!(std::fs::read(&path).unwrap() == expected);
        }
    }

    #[test]
    fn a_file_is_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "short").unwrap();
        let mut appender = Appender::new(open(&path), 5).unwrap();
        assert_eq!(appender.last_octets(BLOCK), b"short");
        appender.add(b"er").unwrap();
        assert_eq!(appender.last_octets(BLOCK), b"shorter");
        assert_eq!(appender.last_octets(2), b"er");
        appender.sync().unwrap();
        appender.leave(7).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"shorter");
        assert!(Appender::new(open(&path), 7).unwrap().cut(3).is_ok());
        assert_eq!(std::fs::read(&path).unwrap(), b"sho");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_cache_is_passed_where_the_disk_takes_it() {
        use rustix::fs::{OFlags, fcntl_getfl};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let passes = |file: &File| fcntl_getfl(file).unwrap().contains(OFlags::DIRECT);
        let (file, mut octets) = (open(&path), vec![7; BLOCK + 100]);
        pass_cache(&file, true);
        let can = passes(&file);
        let appender = Appender::new(open(&path), 0).unwrap();
        assert_eq!(passes(&appender.file), can);
        // No disk takes these: neither their place nor their length is that of a block.
        octets.rotate_right(1);
        write_at(&file, 3, &octets[1..100]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), [&[0; 3], &octets[1..100]].concat());
    }
}
