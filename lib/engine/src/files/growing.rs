//! A file that grows chunk by chunk, and is under its name only when it is whole.
//!
//! Until then it is called `<name>.part`. Somebody else remembers its [`Mark`] after each chunk, in the
//! transaction that makes the chunk count; what stands behind the last mark is cut off when the file
//! is opened again.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{
    Access, FileError, WRITE, fail, followed, open_private, parent, protection, regular,
    rename_new, sync_dir,
};
use crate::crypto::sha256;
use crate::failure::{Failure, Fault, Hint};

/// How much of its end a mark looks at, in bytes. Registries have digests of so many.
const TAIL: usize = 4096;

/// So many bytes are collected before they are written.
const AT_ONCE: usize = 1 << 20;

/// How far a file has come: what must be in it, and is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The file as it is called until it is whole; absolute.
    pub path: PathBuf,
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of its last 4,096 bytes, or of all of it.
    pub tail: [u8; 32],
}

/// Why a growing file cannot be resumed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrowError {
    /// Another process is writing it.
    #[error("{} is being written by another process", .0.display())]
    Busy(PathBuf),
    /// It is shorter than its mark, or has another end.
    #[error("{} is not as it was left: {problem}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What is different.
        problem: &'static str,
    },
    /// The file system.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Failure for GrowError {
    fn fault(&self) -> Fault {
        match self {
            Self::Busy(_) => Fault::Environment,
            Self::Changed { .. } => Fault::Input,
            Self::File(e) => e.fault(),
        }
    }

    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Busy(_) => Some("wait until it is finished".into()),
            Self::Changed { .. } => Some("restore the right one, or move this one away".into()),
            Self::File(e) => e.hint(),
        }
    }
}

/// An open growing file, locked against other processes.
#[derive(Debug)]
pub(crate) struct Growing {
    path: PathBuf,
    part: PathBuf,
    end: End,
    /// The length up to which it counts.
    length: u64,
}

/// Why a growing file is a file.
pub(crate) const GROWS: &str = "it grows with the run, and a later run adds to it";

/// What an unfinished file is called. It stands beside the file that a link leads to.
pub fn part_of(path: &Path) -> PathBuf {
    let path = followed(path);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    // One file has one name, however people spell the way to it.
    match fs::canonicalize(parent(&path)) {
        Ok(folder) => folder.join(name),
        Err(_) => path.with_file_name(name),
    }
}

/// Refuses an unfinished file that is not as its mark says.
fn check_mark(file: &File, part: &Path, mark: Option<&Mark>) -> Result<(), GrowError> {
    let found = file.metadata().map_err(fail("read", part))?.len();
    let problem = match mark {
        None if found > 0 => "the registry does not know it",
        Some(mark) if found < mark.length => "it is shorter",
        Some(mark) if tail_of(file, mark.length).map_err(fail("read", part))? != mark.tail => {
            "its contents are others"
        }
        _ => return Ok(()),
    };
    Err(GrowError::Changed { path: part.to_owned(), problem })
}

impl Growing {
    /// Refuses an unfinished file that [`open`](Self::open) would refuse, if there is one. Nothing is changed.
    pub(crate) fn check(path: &Path, mark: Option<&Mark>) -> Result<(), GrowError> {
        let part = part_of(&regular(path, GROWS)?);
        if !part.exists() {
            return Ok(());
        }
        let file = File::open(&part).map_err(fail("read", &part))?;
        check_mark(&file, &part, mark)
    }

    /// Opens the unfinished file, or begins one; what stands behind the mark goes. One with contents and
    /// without a mark is somebody else's: the [first mark](Self::first_mark) has to be remembered before
    /// anything is added.
    pub(crate) fn open(path: &Path, mark: Option<&Mark>) -> Result<Self, GrowError> {
        let path = regular(path, GROWS)?;
        let part = part_of(&path);
        protection::check(Access::Private).map_err(fail(WRITE, &part))?;
        let file = open_private(&part).map_err(fail(WRITE, &part))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(GrowError::Busy(part)),
            Err(fs::TryLockError::Error(e)) => return Err(fail("lock", &part)(e).into()),
        }
        // The process that held the lock may have finished the file in the meantime.
        if !part.exists() {
            return Err(GrowError::Busy(part));
        }
        check_mark(&file, &part, mark)?;
        let length = mark.map_or(0, |mark| mark.length);
        let end = End::new(file, length).map_err(fail(WRITE, &part))?;
        sync_dir(parent(&part))?;
        Ok(Self { path, part, end, length })
    }

    /// The mark of a file that has nothing yet.
    pub(crate) fn first_mark(&self) -> Mark {
        Mark { path: self.part.clone(), length: 0, tail: sha256(&[]) }
    }

    /// What it is called until it is whole.
    pub(crate) fn part(&self) -> &Path {
        &self.part
    }

    /// Whether nothing counts yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds a chunk behind what counts, and makes it durable. It counts when it is
    /// [confirmed](Self::confirm).
    pub(crate) fn add<'a>(
        &mut self,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Mark, FileError> {
        self.cut()?;
        pieces.into_iter().try_for_each(|piece| self.push(piece))?;
        self.seal()
    }

    /// Adds a piece behind what was added before.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), FileError> {
        self.end.push(piece).map_err(fail(WRITE, &self.part))
    }

    /// Makes durable what was pushed. It counts when it is [confirmed](Self::confirm).
    pub(crate) fn seal(&mut self) -> Result<Mark, FileError> {
        let tail = self.end.seal().map_err(fail(WRITE, &self.part))?;
        Ok(Mark { path: self.part.clone(), length: self.end.length(), tail })
    }

    /// Makes what was added last count.
    pub(crate) fn confirm(&mut self, mark: &Mark) {
        self.length = mark.length;
    }

    /// Adds the last bytes and gives the file its name.
    pub(crate) fn finish(mut self, end: &[u8]) -> Result<(), FileError> {
        self.cut()?;
        self.push(end)?;
        self.end.finish().map_err(fail(WRITE, &self.part))?;
        rename_new(&self.part, &self.path).map_err(fail(WRITE, &self.path))?;
        sync_dir(parent(&self.path))
    }

    /// Leaves the file with what counts, to be resumed; removes it if nothing does.
    pub(crate) fn leave(mut self) -> Result<(), FileError> {
        if self.length == 0 {
            return super::remove_file(&self.part);
        }
        self.end.cut(self.length).map_err(fail(WRITE, &self.part))
    }

    /// Cuts off what does not count.
    fn cut(&mut self) -> Result<(), FileError> {
        if self.end.length() == self.length {
            return Ok(());
        }
        self.end.cut(self.length).map_err(fail(WRITE, &self.part))
    }
}

/// The end of the file, and what is to be written behind it.
struct End {
    file: File,
    /// How many bytes are in the file.
    written: u64,
    /// What comes behind them; keys are among it. Never longer than [`AT_ONCE`], so that it is never copied.
    pending: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "End({} bytes)", self.length())
    }
}

impl End {
    /// Of a file whose first `length` bytes stay.
    fn new(file: File, length: u64) -> io::Result<Self> {
        let pending = Zeroizing::new(Vec::with_capacity(AT_ONCE));
        let mut end = Self { file, written: 0, pending };
        end.cut(length)?;
        Ok(end)
    }

    /// How long the file is when everything is written.
    fn length(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    /// Cuts the file to a length that it had when it was sealed.
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.pending.clear();
        self.file.set_len(length)?;
        self.written = self.file.seek(SeekFrom::Start(length))?;
        Ok(())
    }

    fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.pending.len() == AT_ONCE {
                self.flush()?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(AT_ONCE - self.pending.len()));
            self.pending.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.pending)?;
        self.written = self.length();
        self.pending.clear();
        Ok(())
    }

    /// Makes everything durable; returns the digest of the end.
    fn seal(&mut self) -> io::Result<[u8; 32]> {
        self.flush()?;
        self.file.sync_data()?;
        let tail = tail_of(&self.file, self.written)?;
        self.file.seek(SeekFrom::Start(self.written))?;
        Ok(tail)
    }

    /// Makes everything durable, the length too.
    fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.sync_all()
    }
}

/// SHA-256 of the bytes before `length`, 4,096 at most.
fn tail_of(mut file: &File, length: u64) -> io::Result<[u8; 32]> {
    let mut bytes = Vec::new();
    let tail = length.min(TAIL as u64);
    file.seek(SeekFrom::Start(length - tail))?;
    file.take(tail).read_to_end(&mut bytes)?;
    Ok(sha256(&bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Push(usize),
        Seal,
        Cut(prop::sample::Index),
        Open(prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => prop_oneof![0..20usize, 4090..4100usize, 0..(AT_ONCE + 9000)].prop_map(Step::Push),
            2 => Just(Step::Seal),
            1 => any::<prop::sample::Index>().prop_map(Step::Cut),
            1 => any::<prop::sample::Index>().prop_map(Step::Open),
        ]
    }

    fn open(path: &Path) -> File {
        File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_file_is_what_was_pushed(steps in prop::collection::vec(step(), 1..24)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            let mut end = End::new(open(&path), 0).unwrap();
            let mut expected: Vec<u8> = Vec::new();
            // What is in the file for certain, and can be cut to.
            let mut sealed = 0;
            for step in steps {
                match step {
                    Step::Push(count) => {
                        let from = expected.len();
                        expected.extend((b'a'..=b'z').cycle().skip(from % 26).take(count));
                        end.push(&expected[from..]).unwrap();
                    }
                    Step::Seal => {
                        let tail = end.seal().unwrap();
                        sealed = expected.len();
                        prop_assert!(fs::read(&path).unwrap() == expected, "not what was pushed");
                        prop_assert_eq!(tail, sha256(&expected[sealed.saturating_sub(TAIL)..]));
                    }
                    Step::Cut(index) => {
                        sealed = index.index(sealed + 1);
                        expected.truncate(sealed);
                        end.cut(sealed as u64).unwrap();
                    }
                    Step::Open(index) => {
                        sealed = index.index(sealed + 1);
                        expected.truncate(sealed);
                        end = End::new(open(&path), sealed as u64).unwrap();
                    }
                }
                prop_assert_eq!(end.length(), expected.len() as u64);
            }
            end.finish().unwrap();
            prop_assert!(fs::read(&path).unwrap() == expected);
        }
    }

    /// An earlier form filled the last block up with zeros.
    #[test]
    fn zeros_behind_the_mark_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut file = Growing::open(&path, None).unwrap();
        let mark = file.add([b"contents".as_slice()]).unwrap();
        drop(file);
        fs::write(part_of(&path), [b"contents".as_slice(), &[0; 4088]].concat()).unwrap();
        Growing::open(&path, Some(&mark)).unwrap().finish(b".").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"contents.");
    }

    #[test]
    fn what_does_not_count_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut file = Growing::open(&path, None).unwrap();
        let mark = file.add([b"one".as_slice(), b"two"]).unwrap();
        file.confirm(&mark);
        file.push(b"never sealed").unwrap();
        file.add([b"never counted".as_slice()]).unwrap();
        assert!(matches!(Growing::open(&path, None), Err(GrowError::Busy(_))));
        drop(file);
        assert!(matches!(Growing::open(&path, None), Err(GrowError::Changed { .. })));
        assert!(!path.exists(), "the file has its name before it is whole");
        let file = Growing::open(&path, Some(&mark)).unwrap();
        file.finish(b".").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"onetwo.");
        let mut again = Growing::open(&path, None).unwrap();
        again.add([b"other".as_slice()]).unwrap();
        assert!(again.finish(b"").is_err(), "a file that is there is replaced");
        assert_eq!(fs::read(&path).unwrap(), b"onetwo.");
        fs::remove_file(part_of(&path)).unwrap();
        assert!(!part_of(&path).exists());
    }

    #[test]
    fn another_file_is_not_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut file = Growing::open(&path, None).unwrap();
        let mark = file.add([b"contents".as_slice()]).unwrap();
        drop(file);
        for other in ["CONTENTS and more", "cont"] {
            fs::write(part_of(&path), other).unwrap();
            let refused = Growing::open(&path, Some(&mark));
            assert!(matches!(refused, Err(GrowError::Changed { .. })), "{refused:?}");
            assert_eq!(fs::read_to_string(part_of(&path)).unwrap(), other, "it was touched");
        }
        fs::write(part_of(&path), "contents and more").unwrap();
        assert!(Growing::open(&path, Some(&mark)).is_ok());
    }
}
