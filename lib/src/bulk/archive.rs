//! A device's folder as it stands in a tar archive (POSIX ustar; GNU's entry for names that are longer
//! than ustar holds).

use std::io;

use super::bundle::BundleFile;
use crate::files::Access;

/// What ends an archive: two blocks of zeros.
pub(super) const END: [u8; 1024] = [0; 1024];

/// The entries of a device's folder.
pub(super) fn entries(folder: &str, files: &[BundleFile], now: u64) -> io::Result<Vec<u8>> {
    let size: usize = files.iter().map(|file| file.bytes.len() + 1024).sum();
    let mut archive = tar::Builder::new(Vec::with_capacity(size + 512 + END.len()));
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_mode(0o700);
    header.set_mtime(now);
    header.set_size(0);
    archive.append_data(&mut header, format!("{folder}/"), io::empty())?;
    for file in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(if file.access == Access::Private { 0o600 } else { 0o644 });
        header.set_mtime(now);
        header.set_size(file.bytes.len() as u64);
        archive.append_data(
            &mut header,
            format!("{folder}/{}", file.name),
            file.bytes.as_slice(),
        )?;
    }
    let mut octets = archive.into_inner()?;
    // The end comes once, behind the last device.
    octets.truncate(octets.len() - END.len());
    Ok(octets)
}
