//! One device after the other: the tool is run, and what succeeded is kept. That begins with the first chunk of devices
//! that is issued, so that a run that is stopped has handed over what it has made.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_engine::list::Devices;
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::provision::bundle::Bundle;
use c8y_pki_engine::registry::{Registry, Status, Step};
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use super::tool::Tool;
use crate::failure::{Failure, Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::render::count;
use crate::secrets::is_secret_variable;
use crate::stop;

/// Devices that are to be handed over, and the tool that does it.
pub(in super::super) struct HandOver {
    tool: Tool,
    devices: Vec<DeviceId>,
    out: PathBuf,
    /// Whether other stations make and hand over some of the devices: those have no directory here.
    is_shared: bool,
    /// Whether the tool may read what is typed.
    reads_stdin: bool,
    /// The directory, apart from that of the run that issues.
    pki: Pki,
    stop: Arc<AtomicBool>,
    output: Output,
    so_far: Mutex<SoFar>,
}

/// What was tried, chunk by chunk.
#[derive(Debug, Default)]
struct SoFar {
    tried: HashSet<DeviceId>,
    done: HandedOver,
    /// Why nothing more is tried.
    failure: Option<Failure>,
}

/// How it went.
#[derive(Debug, Default, Serialize)]
struct HandedOver {
    /// For which the tool has just ended with 0.
    handed_over: usize,
    /// For which it had before.
    before: usize,
    failed: Vec<Failed>,
    /// Revoked on purpose: there is nothing to hand over.
    revoked: usize,
    /// Not handed over, since the run was interrupted or failed, or the tool could not be started.
    left: usize,
}

#[derive(Debug, Serialize)]
struct Failed {
    id: DeviceId,
    reason: String,
}

impl HandOver {
    /// Reads the command line, and refuses what cannot be handed over, before anything is made.
    pub(in super::super) fn prepare(
        text: &str,
        (bundle, out): (&[Bundle], &Path),
        devices: &Devices,
        (registry, pki): (&Registry, Pki),
        (is_shared, reads_stdin): (bool, bool),
        output: Output,
    ) -> Result<Self> {
        let tool = Tool::parse(text, bundle)?;
        let devices = devices.ids();
        for id in &devices {
            if registry.is_handed_over(id)?.is_none() {
                return Err(Failure::usage(
                    format!(
                        "{id} belongs to no order, so nothing can keep that it was handed over"
                    ),
                    format!(
                        "make an order of the list first: `{}`",
                        hint::with_pki("order create NAME --from FILE --ca NAME")
                    ),
                ));
            }
        }
        let (stop, so_far) = (stop::on_interrupt(), Mutex::default());
        Ok(Self {
            tool,
            devices,
            out: out.to_owned(),
            is_shared,
            reads_stdin,
            pki,
            stop,
            output,
            so_far,
        })
    }

    /// Runs the tool for devices that were just issued, while the run makes others.
    pub(in super::super) fn chunk(&self, ids: &[DeviceId]) {
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        self.all(ids, &mut so_far);
    }

    /// Runs the tool for each device that is left: those that were issued before. `issued` is how the run has ended.
    /// What was handed over is told however that was.
    pub(in super::super) fn finish(mut self, issued: Result) -> Result {
        if self.is_shared {
            // The stations that made the others hand them over.
            self.devices.retain(|id| self.out.join(id.file_name()).is_dir());
        }
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(issued, Err(_) | Ok(Outcome::Stopped)) {
            self.all(&self.devices, &mut so_far);
        }
        let was_tried = !so_far.tried.is_empty();
        let failure = so_far.failure.take();
        let done = &mut so_far.done;
        let settled = done.handed_over + done.before + done.revoked + done.failed.len();
        done.left = self.devices.len() - settled;
        if was_tried || issued.is_ok() {
            self.output.result(done, HandedOver::text)?;
        }
        let issued = issued?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        if issued == Outcome::Stopped {
            // That was said.
            return Ok(issued);
        }
        if done.left > 0 {
            self.output.warning(super::super::issued::INTERRUPTED);
            return Ok(Outcome::Stopped);
        }
        Ok(if done.failed.is_empty() { issued } else { Outcome::NO })
    }

    /// One after the other, until it is interrupted or something fails that is not about one device.
    fn all(&self, ids: &[DeviceId], so_far: &mut SoFar) {
        let (total, registry) = (self.devices.len(), self.pki.registry());
        for id in ids {
            if so_far.failure.is_some() || self.stop.load(Ordering::Relaxed) {
                return;
            }
            if so_far.tried.contains(id) {
                continue;
            }
            let ended = self.one(id, registry);
            let done = &mut so_far.done;
            match ended {
                Err(failure) => {
                    // Making the others may take hours.
                    self.output.warning(&format!(
                        "{}; nothing more is handed over, the devices are made all the same",
                        failure.message()
                    ));
                    so_far.failure = Some(failure);
                }
                Ok(Ended::Before) => done.before += 1,
                Ok(Ended::Revoked) => done.revoked += 1,
                Ok(Ended::Done) => {
                    done.handed_over += 1;
                    tell(id, so_far.tried.len() + 1, total, self.output);
                }
                // The tool heard Ctrl-C too.
                Ok(Ended::Failed(_)) if self.stop.load(Ordering::Relaxed) => return,
                Ok(Ended::Failed(reason)) => {
                    self.output.warning(&format!("{id} was not handed over: {reason}"));
                    done.failed.push(Failed { id: id.clone(), reason });
                }
            }
            so_far.tried.insert(id.clone());
        }
    }

    fn one(&self, id: &DeviceId, registry: &Registry) -> Result<Ended> {
        let failed = |reason: &str| Ok(Ended::Failed(reason.to_owned()));
        let Some(live) = registry.live_device(id)? else {
            let last = registry.history(id)?.pop();
            return match last.is_some_and(|last| last.status == Status::Revoked) {
                true => Ok(Ended::Revoked),
                false => failed("it has no live certificate"),
            };
        };
        match registry.is_handed_over(id)? {
            Some(true) => return Ok(Ended::Before),
            Some(false) => {}
            None => return failed("its order was taken back"),
        }
        let dir = self.out.join(id.file_name());
        if !dir.is_dir() {
            return failed(&format!("its directory {} is not there", dir.display()));
        }
        let here = std::path::absolute(&dir).ok();
        if let Some(other) = live.location.as_ref().filter(|place| Some(*place) != here.as_ref()) {
            return failed(&format!("the files of its certificate went to {}", other.display()));
        }
        let arguments = match self.tool.arguments(id, &dir) {
            Ok(arguments) => arguments,
            Err(reason) => return Ok(Ended::Failed(reason)),
        };
        let status = self.command(&arguments).status().map_err(|e| self.not_started(&e))?;
        if !status.success() {
            return Ok(Ended::Failed(self.words(status)));
        }
        if registry.live_device(id)?.is_none_or(|now| now.row != live.row) {
            return failed("its certificate was replaced or revoked meanwhile");
        }
        registry.note_steps(&[(id.clone(), Step::HandedOver)], OffsetDateTime::now_utc())?;
        Ok(Ended::Done)
    }

    fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(self.tool.program());
        // Standard output is for results.
        command.args(arguments).stdout(Stdio::from(std::io::stderr()));
        if !self.reads_stdin {
            command.stdin(Stdio::null());
        }
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(is_secret_variable) {
                command.env_remove(name);
            }
        }
        command
    }

    fn not_started(&self, error: &std::io::Error) -> Failure {
        let program = self.tool.program().display();
        Failure::usage(
            format!(
                "the program {program} of --exec cannot be started: {}",
                c8y_pki_engine::files::reason(error)
            ),
            "start it by hand; then run the same command again",
        )
    }

    fn words(&self, status: ExitStatus) -> String {
        let program =
            self.tool.program().file_name().unwrap_or_default().to_string_lossy().into_owned();
        match status.code() {
            Some(code) => format!("{program} ended with exit code {code}"),
            None => format!("{program} was ended by a signal"),
        }
    }
}

/// How it ended for one device.
enum Ended {
    Done,
    /// It was handed over before.
    Before,
    /// Its last certificate was revoked, and it got no other one.
    Revoked,
    Failed(String),
}

fn tell(id: &DeviceId, number: usize, total: usize, out: Output) {
    if out.is_json() {
        out.aside("handed_over", &json!({ "id": id, "number": number, "total": total }));
    } else {
        out.note(&format!("{number} of {total}: {id} handed over"));
    }
}

impl HandedOver {
    fn text(&self) -> String {
        let mut text = format!("{} handed over\n", count(self.handed_over, "device"));
        let parts = [
            (self.before, "handed over before"),
            (self.revoked, "left out: revoked"),
            (self.failed.len(), "not handed over: the same command tries again"),
            (self.left, "left"),
        ];
        for (number, what) in parts.into_iter().filter(|(number, _)| *number > 0) {
            text.push_str(&format!("{number} {what}\n"));
        }
        text
    }
}
