//! Directories that change places, and files that take the place of others: with their owner and their mode.

use std::fs;
use std::io;
use std::path::Path;

use super::{FileError, fail, list_dir, rename};

/// Lets two directories change places in one step. False where the file system or the system cannot do it:
/// nothing was changed then.
pub(crate) fn exchange(one: &Path, other: &Path) -> Result<bool, FileError> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
            Err(e) => Err(fail("exchange", one)(e.into())),
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (one, other);
        Ok(false)
    }
}

/// Gives `new` owner, group and mode of `former`, if that is there.
pub(crate) fn like(former: &Path, new: &Path) -> Result<(), FileError> {
    let take = || -> io::Result<()> {
        let wanted = match fs::metadata(former) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, chown};
            let now = fs::metadata(new)?;
            if (now.uid(), now.gid()) != (wanted.uid(), wanted.gid()) {
                chown(new, Some(wanted.uid()), Some(wanted.gid()))?;
            }
        }
        fs::set_permissions(new, wanted.permissions())
    };
    take().map_err(fail("set owner and mode of", new))
}

/// Copies what is in a directory into another one, with owner and mode; not what is called like one of
/// `except`, nor what writers leave that are killed. A copy that is there already is made anew.
pub(crate) fn copy_others(from: &Path, to: &Path, except: &[&str]) -> Result<(), FileError> {
    for path in list_dir(from)? {
        let Some(name) = path.file_name() else { continue };
        let text = name.to_string_lossy();
        if except.contains(&text.as_ref()) || text.ends_with(".tmp") {
            continue;
        }
        copy(&path, &to.join(name))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), FileError> {
    let kind = fs::symlink_metadata(from).map_err(fail("read", from))?.file_type();
    if kind.is_dir() {
        super::create_private_dir(to)?;
        copy_others(from, to, &[])?;
        return like(from, to);
    }
    #[cfg(unix)]
    if kind.is_symlink() {
        let link = || {
            let _ = fs::remove_file(to);
            std::os::unix::fs::symlink(fs::read_link(from)?, to)
        };
        return link().map_err(fail("copy", from));
    }
    // Under another name until it is whole and has its mode.
    let aside = to.with_extension("copy.tmp");
    let _ = fs::remove_file(&aside);
    super::write_new(&aside, &super::read(from)?, super::Access::Private)?;
    like(from, &aside)?;
    rename(&aside, to)
}
