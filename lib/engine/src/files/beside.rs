//! The file that is written beside another one, and then takes its name.
//!
//! It is called `<name>.<slot>.tmp`, and its writer holds a lock on it. The process that writes the same file next
//! takes the first slot that no live process holds: what a killed one has left there goes. So no directory
//! has to be searched, and there is never more than one for each process that writes at the same time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::lock::is_at;
use super::{Access, open_new};

/// How many processes and threads can write one file at the same time.
const SLOTS: u32 = 1000;

/// The end of the name of a file that is being written.
const END: &str = ".tmp";

/// Makes the file beside `path`, which must have a name; locked until it is dropped.
pub(super) fn create(path: &Path, access: Access) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    for slot in 0..SLOTS {
        let mut own = name.to_owned();
        own.push(format!(".{slot}{END}"));
        let own = path.with_file_name(own);
        if let Some(file) = take(&own, access)? {
            return Ok((file, own));
        }
    }
    Err(io::Error::other(format!("{SLOTS} others are writing it")))
}

/// Makes the file of a slot; none if another writer holds it.
fn take(path: &Path, access: Access) -> io::Result<Option<File>> {
    loop {
        match open_new(path, access) {
            Ok(file) => match file.try_lock() {
                // Somebody may have taken it for a left one before it was locked, and removed it.
                Ok(()) if !is_at(&file, path) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                // Without locks on this file system it is ours all the same: it was made anew.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(Some(file)),
            },
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                if !remove_left(path)? {
                    return Ok(None);
                }
            }
            Err(e) => return Err(e),
        }
    }
}

/// Removes a file of a slot that nobody writes any more; false if it is in use, or cannot be told.
fn remove_left(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(_) => return Ok(false),
        Ok(file) => file,
    };
    if file.try_lock().is_err() {
        return Ok(false);
    }
    // It may have taken its name in the meantime.
    match is_at(&file, path).then(|| fs::remove_file(path)) {
        Some(Err(e)) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(true),
    }
}

/// Whether a name is that of a file that is being written beside another one, by this version or a former
/// one (`<name>.<process>-<number>.tmp`).
fn is_one(name: &str) -> bool {
    let slot = name.strip_suffix(END).and_then(|rest| rest.rsplit_once('.'));
    slot.is_some_and(|(name, slot)| {
        !name.is_empty() && slot.starts_with(|c: char| c.is_ascii_digit()) && {
            slot.bytes().all(|b| b.is_ascii_digit() || b == b'-')
        }
    })
}

/// The files in a directory that killed processes have left there, sorted.
pub(crate) fn left_in(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_one));
    let mut left: Vec<PathBuf> = named
        .map(|entry| entry.path())
        .filter(|path| File::open(path).is_ok_and(|file| file.try_lock().is_ok()))
        .collect();
    left.sort();
    left
}

/// Removes the files in a directory that killed processes have left there: those of a former version, and those that
/// nobody will write again. All others go when the same file is written again.
pub(crate) fn sweep(dir: &Path) {
    for path in left_in(dir) {
        // What cannot be removed is told by `registry check`.
        let _ = remove_left(&path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Existing, write};

    #[test]
    fn what_a_killed_writer_has_left_goes_and_a_live_ones_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        let left = dir.path().join("key.pem.0.tmp");
        fs::write(&left, "half of a ke").unwrap();
        assert_eq!(left_in(dir.path()), std::slice::from_ref(&left));
        write(&path, b"whole", Access::Private, Existing::Refuse).unwrap();
        assert_eq!((left.exists(), fs::read(&path).unwrap()), (false, b"whole".to_vec()));
        // A live one has the first slot, and keeps it.
        let (held, own) = create(&path, Access::Private).unwrap();
        assert_eq!(own, left);
        assert!(left_in(dir.path()).is_empty());
        write(&path, b"other", Access::Private, Existing::Replace).unwrap();
        assert!(left.exists());
        drop(held);
        assert_eq!(left_in(dir.path()), [left]);
        sweep(dir.path());
        assert_eq!(left_in(dir.path()), Vec::<PathBuf>::new());
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_private_though_another_file_was_left_in_its_place() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        let left = dir.path().join("key.pem.0.tmp");
        fs::write(&left, "").unwrap();
        fs::set_permissions(&left, fs::Permissions::from_mode(0o666)).unwrap();
        write(&path, b"secret", Access::Private, Existing::Refuse).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn only_our_own_names_are_looked_at() {
        for ours in ["a.0.tmp", "failed.csv.4711-0.tmp", "x.y.12.tmp"] {
            assert!(is_one(ours), "{ours}");
        }
        for other in ["a.tmp", ".0.tmp", "a.b.tmp", "a.0.tmp.x", "a.-1.tmp", "tmp", "a..tmp"] {
            assert!(!is_one(other), "{other}");
        }
    }

    #[test]
    fn many_threads_write_one_file_and_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list");
        std::thread::scope(|scope| {
            for thread in 0..8u8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..50 {
                        write(path, &[thread; 9], Access::Public, Existing::Replace).unwrap();
                    }
                });
            }
        });
        let whole = fs::read(&path).unwrap();
        assert!(whole.len() == 9 && whole.iter().all(|octet| *octet == whole[0]));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "something is left");
    }
}
