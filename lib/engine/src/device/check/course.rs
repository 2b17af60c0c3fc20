//! A check on its course: attempts, until one is heard out or the last has failed. While a device is only listened
//! to, the check can be put aside, and nobody waits.

use std::time::Instant;

use super::super::credentials::{CredentialError, Credentials, Trusted};
use super::listening::Open;
use super::{Check, EarlyEnd, Ended, PAUSES, Report, Run, StepName};
use crate::client_id::DeviceId;

/// How far a check is.
#[derive(Debug)]
pub enum Stage<'a> {
    /// The device was accepted, and is listened to.
    Listens(Box<Listening<'a>>),
    /// It is over.
    Ended(Box<Report>),
}

/// A device that was accepted and is listened to. It is to be [looked](Self::look) at when that is due.
pub struct Listening<'a> {
    course: Course<'a>,
    open: Open,
}

impl std::fmt::Debug for Listening<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening").field("device", &self.course.device).finish_non_exhaustive()
    }
}

/// Begins to check a device whose files were read, or not: all steps up to the last.
pub fn begin<'a>(check: Check<'a>, read: Result<Credentials, CredentialError>) -> Stage<'a> {
    let mut run = Run::new(check);
    let trusted = read.as_ref().ok().and_then(|credentials| credentials.trusted.clone());
    let ready = run.files(read).and_then(|credentials| {
        run.presented.clone_from(&credentials.chain);
        let device = run.judge(&credentials)?;
        Ok((credentials, device))
    });
    match ready {
        Ok((credentials, device)) => {
            let kept = (run.steps.len(), run.notes.len());
            Course { run, credentials, device, kept, first_refusal: None }.attempt()
        }
        Err(failure) => end(run, trusted.as_ref(), Err(failure)),
    }
}

/// What is known from one attempt to the next.
struct Course<'a> {
    run: Run<'a>,
    credentials: Credentials,
    device: DeviceId,
    /// Steps and notes of the device's own files.
    kept: (usize, usize),
    first_refusal: Option<String>,
}

impl<'a> Course<'a> {
    /// Connects, again if that is worth it.
    fn attempt(mut self) -> Stage<'a> {
        loop {
            self.run.attempts += 1;
            match self.run.attempt(&self.credentials, &self.device) {
                Ok(Some(open)) => {
                    return Stage::Listens(Box::new(Listening { course: self, open }));
                }
                Ok(None) => return self.accepted(),
                Err(failure) => {
                    if let Err(failure) = self.is_tried_again(failure) {
                        return self.end(Err(failure));
                    }
                }
            }
        }
    }

    /// Makes ready for another attempt, or says why there is none.
    fn is_tried_again(&mut self, failure: Box<EarlyEnd>) -> Ended {
        let run = &mut self.run;
        if run.untold.is_none() {
            run.ask_tenant(&failure, &self.credentials.chain, &self.device);
        }
        if !run.is_worth_another(&failure) {
            return Err(failure);
        }
        run.steps.truncate(self.kept.0);
        run.notes.truncate(self.kept.1);
        self.first_refusal.get_or_insert(failure.detail);
        std::thread::sleep(PAUSES.after(run.attempts));
        Ok(())
    }

    fn accepted(mut self) -> Stage<'a> {
        if let Some(detail) = self.first_refusal.take() {
            self.run.notes.push(format!(
                "attempt {} was accepted after this: {detail}; the platform was probably \
                 overloaded, so the device should try again too, with growing pauses",
                self.run.attempts
            ));
        }
        self.end(Ok(()))
    }

    fn end(self, ended: Ended) -> Stage<'a> {
        end(self.run, self.credentials.trusted.as_ref(), ended)
    }
}

fn end<'a>(mut run: Run<'a>, trusted: Option<&Trusted>, ended: Ended) -> Stage<'a> {
    run.ask_at_the_end(&ended);
    let failure = ended.err();
    if let Some(login) = run.check.login.clone() {
        run.beside(&login, failure.as_deref(), trusted);
    }
    Stage::Ended(Box::new(run.report(failure)))
}

impl<'a> Listening<'a> {
    /// When it is to be looked at again.
    pub fn due(&self) -> Instant {
        self.open.due()
    }

    /// Looks at what has come. Another attempt, if one is worth it, is made in this call.
    pub fn look(mut self: Box<Self>) -> Stage<'a> {
        match self.open.look() {
            Ok(None) => Stage::Listens(self),
            Ok(Some(said)) => self.heard(Ok(said)),
            Err(failure) => self.heard(Err(failure)),
        }
    }

    /// Waits until it is silent.
    pub fn wait(mut self: Box<Self>) -> Stage<'a> {
        let said = self.open.wait();
        self.heard(said)
    }

    /// Says goodbye, without a report.
    pub fn leave(self: Box<Self>) {
        self.open.leave();
    }

    fn heard(self: Box<Self>, said: Ended<String>) -> Stage<'a> {
        let Self { mut course, open } = *self;
        match said {
            Ok(said) => {
                course.run.ok(StepName::Receive, said);
                open.leave();
                course.accepted()
            }
            Err(failure) => match course.is_tried_again(failure) {
                Ok(()) => course.attempt(),
                Err(failure) => course.end(Err(failure)),
            },
        }
    }
}
