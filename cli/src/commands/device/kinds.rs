//! The kinds of files that the devices of a run get.

use std::path::Path;

use c8y_pki_core::failure::Task;
use c8y_pki_engine::list::Devices;
use c8y_pki_engine::provision::bundle::{self, Bundle};
use c8y_pki_engine::registry::{Record, Registry};

use crate::failure::{Failure, Result};
use crate::hint;

/// What files devices get.
pub(super) enum Kinds {
    /// Each of them these.
    These(Vec<Bundle>),
    /// Each what it had; all of them together had these.
    AsTheyHad(Vec<Bundle>),
}

impl Kinds {
    /// What is asked for, or PEM.
    pub(super) fn of(bundle: &[Bundle]) -> Self {
        Self::These(if bundle.is_empty() { vec![Bundle::Pem] } else { bundle.to_vec() })
    }

    /// What is asked for, or what each device had with its certificate.
    pub(super) fn kept<'r>(
        bundle: &[Bundle],
        records: impl IntoIterator<Item = &'r Record>,
        out: &Path,
    ) -> Self {
        if !bundle.is_empty() {
            return Self::These(bundle.to_vec());
        }
        let mut all: Vec<Bundle> = Vec::new();
        records.into_iter().for_each(|record| add(&mut all, record, out));
        if all.is_empty() {
            all.push(Bundle::Pem);
        }
        Self::AsTheyHad(all)
    }

    /// The same for devices of which some may have had none; if none of them had any, what is `usual`.
    pub(super) fn kept_of(
        bundle: &[Bundle],
        usual: &[Bundle],
        (devices, registry): (&Devices, &Registry),
        out: &Path,
    ) -> Result<Self> {
        if !bundle.is_empty() {
            return Ok(Self::These(bundle.to_vec()));
        }
        let mut all: Vec<Bundle> = Vec::new();
        for id in devices.each_id() {
            if let Some(last) = registry.history(id)?.pop() {
                add(&mut all, &last, out);
            }
        }
        Ok(if all.is_empty() { Self::of(usual) } else { Self::AsTheyHad(all) })
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Bundle] {
        match self {
            Self::These(kinds) | Self::AsTheyHad(kinds) => kinds,
        }
    }

    /// All kinds of a run's devices, and those of each of them: none if each gets what it had. A device that keeps its key
    /// gets certificates only.
    pub(super) fn of_run(&self, has_keys: bool) -> (&[Bundle], &[Bundle]) {
        match self {
            _ if !has_keys => (&[Bundle::Pem], &[Bundle::Pem]),
            Self::These(kinds) => (kinds, kinds),
            Self::AsTheyHad(kinds) => (kinds, &[]),
        }
    }
}

/// Refuses all files but certificates for who keeps a key that is not here: they would be left out without a word.
pub(crate) fn check_without_key(kinds: &[Bundle], whose: &str) -> Result<()> {
    let Some(kind) = kinds.iter().find(|kind| **kind != Bundle::Pem) else { return Ok(()) };
    let kind = kind.name();
    Err(Failure::usage(
        format!(
            "{whose} keeps its key, which is not here: it gets cert.pem and chain.pem, and no {kind}"
        ),
        format!(
            "leave {kind} out; where the key is, make it with {}",
            hint::run(&Task::CreateStore)
        ),
    ))
}

/// Adds the kinds that a device had with this certificate.
fn add(all: &mut Vec<Bundle>, record: &Record, out: &Path) {
    let folder = record.holder.device().map(|id| out.join(id.file_name()));
    for kind in bundle::had(record, folder.as_deref()) {
        if !all.contains(&kind) {
            all.push(kind);
        }
    }
}
