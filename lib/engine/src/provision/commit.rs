//! One thread commits chunks: a chunk is durable before the registry records it, and the registry decides what of it
//! counts. A directory is renamed into place then, an archive's length is remembered.

use super::context::Context;
use super::destination::Writer;
use super::error::Result;
use super::kept::Kept;
use super::made::Made;
use crate::cert::Certificate;
use crate::files::growing::Growing;
use crate::files::{self, Mark};
use crate::pki::Drawing;
use crate::registry::{Hold, NewRecord, Newcomers, OrderRecord, Registry, RegistryError, With};
use crate::secret::SecretBytes;

/// The first line of the file with the devices' passwords ([`Job::secrets`](super::Job::secrets)).
pub const SECRETS_HEADER: &str = "id,serial,store_password\n";

/// Records chunks and lets them count.
pub(super) struct Committer<'a> {
    pub(super) registry: &'a Registry,
    pub(super) writer: &'a dyn Writer,
    /// Whether what was written can be taken back.
    pub(super) can_undo: bool,
    /// The devices' passwords.
    pub(super) ledger: Option<Growing>,
    pub(super) pool: Option<&'a Drawing<'a>>,
    /// What the list does not say of its devices.
    pub(super) kept: Option<Kept>,
    pub(super) batch: &'a str,
    /// For which order, and under which CAs: both may end while the run works.
    pub(super) order: Option<&'a OrderRecord>,
    pub(super) issuers: &'a [Certificate],
    /// Whose keys those from outside are held against again.
    pub(super) newcomers: Newcomers,
    pub(super) context: Context<'a>,
}

impl Committer<'_> {
    /// Commits a chunk, all of which the writer has taken; returns what of it was issued. Devices that another
    /// process has issued or replaced in the meantime are left out; and all of them, if they are of a `range` of a shared
    /// list that another run has taken over.
    pub(super) fn commit(
        &mut self,
        chunk: usize,
        mut made: Vec<Made>,
        range: Option<&(Hold, bool)>,
    ) -> Result<Vec<Made>> {
        if !self.can_undo {
            // So it is asked before.
            made = self.still_due(made)?;
        }
        if let Some(kept) = &self.kept {
            for made in &mut made {
                kept.add(self.registry, &made.id, &mut made.record.details)?;
            }
        }
        let mut first = true;
        loop {
            let (archive, passwords) = self.write(chunk, &made, first)?;
            if let Some(pool) = self.pool {
                pool.make_durable()?;
            }
            let records: Vec<&NewRecord> = made.iter().map(|made| &made.record).collect();
            let marks: Vec<Mark> = archive.iter().chain(&passwords).cloned().collect();
            let (now, newcomers) = (self.context.now, Some(&self.newcomers));
            let range = range.map(|(hold, done)| (hold, *done));
            let with = With {
                marks: &marks,
                range,
                order: self.order,
                issuers: self.issuers,
                ..With::default()
            };
            match self.registry.record_with(self.batch, now, &records, with, newcomers) {
                Ok(()) => {
                    archive.iter().for_each(|mark| self.writer.confirm(mark));
                    self.ledger
                        .iter_mut()
                        .zip(&passwords)
                        .for_each(|(file, mark)| file.confirm(mark));
                    break;
                }
                Err(RegistryError::Conflict) if self.can_undo => {
                    let before = made.len();
                    first = false;
                    made = self.still_due(made)?;
                    if made.len() == before {
                        return Err(RegistryError::Conflict.into());
                    }
                }
                Err(RegistryError::RangeLost) => {
                    made = Vec::new();
                    break;
                }
                Err(e) => return Err(e.into()),
            }
        }
        for file in made.iter().filter_map(|made| made.drawn.as_ref()) {
            files::remove_file(file)?;
        }
        self.writer.publish(chunk, &made, self.registry)?;
        Ok(made)
    }

    /// Writes a chunk, and the passwords in it: how far an archive and the list of passwords have come.
    fn write(
        &mut self,
        chunk: usize,
        made: &[Made],
        first: bool,
    ) -> Result<(Option<Mark>, Option<Mark>)> {
        let archive = self.writer.write(chunk, made, first)?;
        let Some(ledger) = &mut self.ledger else { return Ok((archive, None)) };
        let header = ledger.is_empty().then_some(SECRETS_HEADER.as_bytes());
        let lines = made.iter().filter_map(|made| made.secrets.as_ref());
        let passwords = ledger.add(header.into_iter().chain(lines.map(SecretBytes::expose)))?;
        Ok((archive, Some(passwords)))
    }

    /// Those whose live certificate is still the one that they are to replace, or none.
    fn still_due(&self, made: Vec<Made>) -> Result<Vec<Made>> {
        let mut due = Vec::with_capacity(made.len());
        for made in made {
            let live = self.registry.live_device(&made.id)?.map(|live| live.row);
            if live == made.record.replaces.map(|replaced| replaced.row) {
                due.push(made);
            }
        }
        Ok(due)
    }
}
