//! The last step: whether the devices connect, each with its own files, as it would itself.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Run;
use super::diff::Finding;
use super::spec::Spec;
use super::step::{Action, Step};
use crate::cert::Certificate;
use crate::client_id::DeviceId;
use crate::device::check::{Check, Pace, Report, StepName, begin, many, spread};
use crate::device::credentials::{Credentials, Files, Place, Trusted};
use crate::device::diagnosis::Cause;
use crate::platform::blocking::Inquiry;
use crate::provision::Progress;
use crate::secret::Password;
use crate::shown;

/// The key of the file about which it is told.
pub(super) const KEY: &str = "tenant.mqtt_port";

/// How often progress is told.
const TOLD: Duration = Duration::from_millis(250);

/// Which devices connect, where to, and how.
#[derive(Debug, Clone)]
pub struct Connecting {
    /// How each is checked. Which device it is, the time, the uploaded CAs and who is asked are filled in.
    pub check: Check<'static>,
    /// Whom they trust there in place of what their truststores say.
    pub trusted: Option<Trusted>,
    /// Connect only so many of them, spread evenly over the list.
    pub sample: Option<usize>,
    /// How fast.
    pub pace: Pace,
}

/// Which devices connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Connected {
    /// Host and port.
    pub target: String,
    /// Whether that is the MQTT Service.
    pub mqtt_service: bool,
    /// How many were to connect.
    pub devices: usize,
    /// How many were not tried, since a sample was asked for.
    pub not_tried: usize,
    /// How many did.
    pub connected: usize,
    /// Those that did.
    #[serde(skip)]
    pub ids: Vec<DeviceId>,
    /// Those that did not, and why.
    pub failed: Vec<NotConnected>,
    /// Whether it was interrupted before the last one.
    pub stopped: bool,
}

impl Connected {
    /// Where they connected to, for people.
    pub fn place(&self) -> String {
        match self.mqtt_service {
            true => format!("the MQTT Service at {}", self.target),
            false => self.target.clone(),
        }
    }
}

/// A device that does not connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotConnected {
    /// The device.
    pub id: String,
    /// The step at which it ended.
    pub step: StepName,
    /// What was seen there.
    pub detail: String,
    /// The likeliest cause.
    pub cause: Option<Cause>,
}

pub(super) fn step(wanted: &Connecting, all: usize) -> Step {
    let count = wanted.sample.unwrap_or(all).min(all);
    let by = if wanted.check.service.is_some() { "the MQTT Service" } else { "MQTT" };
    let detail =
        format!("{count} of {} over {by}, with their own files", shown::count(all, "device"));
    Step::new(Action::Connect, "connect", wanted.check.target.to_string(), detail).of(count)
}

/// A plan tells of it what is to be done: nothing was tried yet.
pub(super) fn to_be_tried(step: &Step) -> Finding {
    Finding { detail: format!("to be tried: {}", step.detail), ..step.finding(KEY) }
}

/// Connects the devices; the tenant is asked why one is refused.
pub(super) fn apply(
    spec: &Spec,
    wanted: &Connecting,
    inquiry: Option<&Inquiry<'_>>,
    devices: Vec<DeviceId>,
    uploaded: &[Certificate],
    store_password: Option<&Password>,
    run: &Run<'_>,
) -> Connected {
    let all = devices.len();
    let ids = spread(devices, wanted.sample);
    let one = |index: usize| {
        let id = &ids[index];
        let dir = spec.devices.out.join(id.file_name());
        let files = Files {
            place: Place::Bundle(&dir),
            truststore: None,
            store_password,
            key_password: None,
        };
        let mut read = Credentials::read(&files);
        if let (Ok(credentials), Some(trusted)) = (&mut read, &wanted.trusted) {
            credentials.trusted = Some(trusted.clone());
        }
        let how =
            Check { device: Some(id.clone()), uploaded, tenant: inquiry, ..wanted.check.clone() };
        begin(how, read)
    };
    let total = ids.len();
    let mut connected = Vec::new();
    let mut failed = Vec::new();
    let mut stopped = false;
    (run.progress)("connect", Progress::of(0, total));
    let mut told = Instant::now();
    many(total, wanted.pace, one, |index, report| {
        let id = &ids[index];
        match not_connected(id, report) {
            None => connected.push(id.clone()),
            Some(why) => failed.push(why),
        }
        let done = index + 1;
        if told.elapsed() >= TOLD || done == total {
            told = Instant::now();
            (run.progress)("connect", Progress::of(done, total));
        }
        stopped = run.stop.load(Ordering::Relaxed) && index + 1 < total;
        !stopped
    });
    Connected {
        target: wanted.check.target.to_string(),
        mqtt_service: wanted.check.service.is_some(),
        devices: total,
        not_tried: all - total,
        connected: connected.len(),
        ids: connected,
        failed,
        stopped,
    }
}

fn not_connected(id: &DeviceId, report: Report) -> Option<NotConnected> {
    let failed = report.failed()?;
    let (id, step, detail) = (id.to_string(), failed.step, failed.detail.clone());
    Some(NotConnected { id, step, detail, cause: report.causes.into_iter().next() })
}
