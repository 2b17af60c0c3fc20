//! The devices of a run, wherever their list is.

use std::borrow::Cow;

use super::device::{Device, DeviceKey};
use super::error::Result;
use super::fault::BadRows;
use super::file::{ListFile, Reading};
use super::whole::DeviceList;
use crate::client_id::DeviceId;

/// The devices of a run: at hand, or in a file.
#[derive(Debug)]
pub enum Devices {
    /// At hand.
    List(DeviceList),
    /// In a file.
    File(ListFile),
}

impl From<DeviceList> for Devices {
    fn from(list: DeviceList) -> Self {
        Self::List(list)
    }
}

impl From<ListFile> for Devices {
    fn from(file: ListFile) -> Self {
        Self::File(file)
    }
}

impl Devices {
    /// How many devices it has, without those with faults.
    pub fn len(&self) -> usize {
        match self {
            Self::List(list) => list.devices.len(),
            Self::File(file) => file.devices(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Who they are, in the order of the list, without those with faults.
    pub fn ids(&self) -> Vec<DeviceId> {
        self.each_id().collect()
    }

    /// The same, one after the other.
    pub fn each_id(&self) -> impl Iterator<Item = DeviceId> + '_ {
        (0..self.len()).map(|index| self.outline(index).id.clone())
    }

    /// The columns of a list in a file, beside that of the ids; none where the devices are at hand with all that is
    /// said of them.
    pub(crate) fn columns(&self) -> Option<&[String]> {
        match self {
            Self::List(_) => None,
            Self::File(file) => Some(file.columns()),
        }
    }

    /// BadRows of single devices.
    pub fn faults(&self) -> Cow<'_, BadRows> {
        match self {
            Self::List(list) => Cow::Owned(list.faults.clone().into()),
            Self::File(file) => Cow::Borrowed(file.faults()),
        }
    }

    /// Whether some devices get a key here, or bring one along.
    pub fn has_keys(&self) -> bool {
        self.any_key(|key| !matches!(key, DeviceKey::Requested(_)))
    }

    /// Whether some devices get a new key here.
    pub fn has_new_keys(&self) -> bool {
        self.any_key(|key| *key == DeviceKey::New)
    }

    /// Whether any device has such a key; those of a list in a file get new ones.
    fn any_key(&self, is_such: impl Fn(&DeviceKey) -> bool) -> bool {
        match self {
            Self::List(list) => list.devices.iter().any(|device| is_such(&device.key)),
            Self::File(_) => is_such(&DeviceKey::New),
        }
    }

    /// The device at a position; of a list in a file, without its details.
    pub(crate) fn outline(&self, index: usize) -> Cow<'_, Device> {
        match self {
            Self::List(list) => Cow::Borrowed(&list.devices[index]),
            Self::File(file) => Cow::Owned(file.outline(index)),
        }
    }

    /// Begins to read its devices.
    pub(crate) fn reader(&self) -> Result<Reader<'_>> {
        Ok(match self {
            Self::List(list) => Reader::List(&list.devices),
            Self::File(file) => Reader::File(file.reading()?),
        })
    }
}

/// Reads the devices of a list in their order, with all that it says of them.
pub(crate) enum Reader<'a> {
    List(&'a [Device]),
    File(Reading<'a>),
}

impl Reader<'_> {
    /// The device at a position, which is behind the one that was read last.
    pub(crate) fn read(&mut self, index: usize) -> Result<Device> {
        match self {
            Self::List(devices) => Ok(devices[index].clone()),
            Self::File(reading) => reading.read(index),
        }
    }
}
