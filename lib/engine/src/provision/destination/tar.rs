//! A device's directory as it stands in a tar archive (POSIX ustar; GNU's entry for names that are longer
//! than ustar holds).
//!
//! The library's builder lays a header out anew for each entry, which for a million devices costs more than
//! writing them: headers are laid out once, and get what differs, which is name, size and sum.

use std::io;

use time::OffsetDateTime;

use crate::files::Access;
use crate::provision::bundle::BundleFile;
use crate::provision::error::{ProvisionError, Result};
use crate::provision::made::Made;

/// Everything in an archive comes in blocks.
const BLOCK: usize = 512;

/// How long a name can be that stands in one field of a header.
const NAME: usize = 100;

/// What ends an archive: two blocks of zeros.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// What the headers of all entries have in common.
pub(super) struct Headers {
    folder: tar::Header,
    private: tar::Header,
    public: tar::Header,
}

impl Headers {
    /// For entries that are from `now`.
    pub(super) fn new(now: OffsetDateTime) -> Self {
        let now = u64::try_from(now.unix_timestamp()).unwrap_or(0);
        let header = |kind, mode| {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_mtime(now);
            header
        };
        Self {
            folder: header(tar::EntryType::Directory, 0o700),
            private: header(tar::EntryType::Regular, 0o600),
            public: header(tar::EntryType::Regular, 0o644),
        }
    }

    /// The entries of a device's directory.
    pub(super) fn entries(&self, folder: &str, files: &[BundleFile]) -> Result<Vec<u8>> {
        let size: usize = files.iter().map(|file| file.bytes.len() + 2 * BLOCK).sum();
        let mut bytes = Vec::with_capacity(BLOCK + size);
        let mut entry = |header: &tar::Header, name: String, contents: &[u8]| {
            entry(&mut bytes, header, &name, contents).map_err(ProvisionError::Write)
        };
        entry(&self.folder, [folder, "/"].concat(), &[])?;
        for file in files {
            let header = match file.access {
                Access::Private => &self.private,
                Access::Public => &self.public,
            };
            entry(header, [folder, "/", file.name].concat(), &file.bytes)?;
        }
        Ok(bytes)
    }
}

/// The entries of devices, in their order.
pub(super) fn entries_of(made: &[Made]) -> impl Iterator<Item = &[u8]> {
    made.iter().map(|made| made.entries.as_slice())
}

/// Adds an entry. A name that the header does not hold is left to the library.
fn entry(bytes: &mut Vec<u8>, header: &tar::Header, name: &str, contents: &[u8]) -> io::Result<()> {
    let mut header = header.clone();
    header.set_size(contents.len() as u64);
    if name.len() > NAME {
        let mut archive = tar::Builder::new(std::mem::take(bytes));
        archive.append_data(&mut header, name, contents)?;
        *bytes = archive.into_inner()?;
        // The end comes once, behind the last device.
        bytes.truncate(bytes.len() - END.len());
        return Ok(());
    }
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_cksum();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(contents);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_are_those_of_the_library(
            folder in "[a-z%0-9-]{1,260}", order in Just(vec![
                ("keystore.p12", 900), ("key.pem", 241), ("cert.pem", 512), ("chain.pem", 0),
            ]).prop_shuffle()
        ) {
            let files = order.iter().map(|(name, size)| {
                let access = if *size == 241 { Access::Private } else { Access::Public };
                BundleFile { name, bytes: vec![b'x'; *size], access }
            });
            let files: Vec<BundleFile> = files.collect();
            let mut archive = tar::Builder::new(Vec::new());
            let mut append = |name: String, mode, kind, bytes: &[u8]| {
                let mut header = tar::Header::new_ustar();
                header.set_entry_type(kind);
                header.set_mode(mode);
                header.set_mtime(1_764_111_111);
                header.set_size(bytes.len() as u64);
                archive.append_data(&mut header, name, bytes).unwrap();
            };
            append(format!("{folder}/"), 0o700, tar::EntryType::Directory, &[]);
            for file in &files {
                let mode = if file.access == Access::Private { 0o600 } else { 0o644 };
                let name = format!("{folder}/{}", file.name);
                append(name, mode, tar::EntryType::Regular, &file.bytes);
            }
            let expected = archive.into_inner().unwrap();
            let now = OffsetDateTime::from_unix_timestamp(1_764_111_111).unwrap();
            let written = Headers::new(now).entries(&folder, &files).unwrap();
            prop_assert!([written, END.to_vec()].concat() == expected);
        }
    }
}
