//! A device that sends user and password beside its certificate (platform: "A device that sends user and password
//! and a certificate"): the platform judges it by the certificate. What it says to user and password alone is
//! asked in a connection of its own, so that each of the four cases is seen and not guessed.

use super::super::connection::{self, ConnectionError};
use super::super::credentials::Trusted;
use super::super::diagnosis::{Cause, Certainty};
use super::super::link::Identity;
use super::super::mqtt::{ConnectOptions, MqttError};
use super::{EarlyEnd, Run, StepName, Verdict, Why};
use crate::client_id::{ClientId, DeviceId};
use crate::secret::Password;

/// User and password of a device over MQTT.
#[derive(Debug, Clone)]
pub struct PasswordLogin {
    /// `tenant/user`.
    pub user: String,
    /// Its password.
    pub password: Password,
}

/// What the platform says to user and password without a certificate.
enum Alone {
    Accepted,
    Refused(u8),
    Unknown(String),
}

impl Run<'_> {
    /// Says what became of user and password; `trusted` is whom the device trusts.
    pub(super) fn beside(
        &mut self,
        login: &PasswordLogin,
        failure: Option<&EarlyEnd>,
        trusted: Option<&Trusted>,
    ) {
        let Some(device) = self.device.clone() else { return };
        if !failure.is_none_or(is_of_the_certificate) {
            return;
        }
        if self.facts.asked == Some(false) {
            if failure.is_none() {
                let judged = "the server did not ask for a certificate: it accepted the device by user and password";
                self.notes.push(judged.to_owned());
            }
            return;
        }
        let alone = self.alone(login, device, trusted);
        let judged = match failure.map(|failure| failure.verdict) {
            None => {
                "the platform accepted the device by its certificate; with a certificate user and password \
                 do not count"
            }
            Some(Verdict::WrongFiles) => {
                "with a certificate user and password do not count: the platform judges the device by the certificate"
            }
            Some(_) => {
                "with a certificate user and password do not count, and the platform refuses the device"
            }
        };
        self.notes.push(format!("{judged}; {}", alone.text()));
        if let (Some(failure), Alone::Accepted) = (failure, &alone) {
            // What the files show comes first.
            let behind = usize::from(failure.verdict == Verdict::WrongFiles);
            self.spoiled = Some((spoiled(), behind));
        }
    }

    /// Connects with user and password, and without the certificate.
    fn alone(&self, login: &PasswordLogin, device: DeviceId, trusted: Option<&Trusted>) -> Alone {
        let mut options = ConnectOptions::new(ClientId::of_device(device));
        options.timeout = self.check.timeout;
        options.user = Some((login.user.clone(), Some(login.password.clone())));
        match connection::open(&self.check.target, Identity::Password(trusted), &options) {
            Ok(session) => {
                // It was accepted: nothing depends on the goodbye.
                let _ = session.disconnect();
                Alone::Accepted
            }
            Err(ConnectionError::Mqtt(MqttError::Refused { code })) => Alone::Refused(code),
            Err(e) => Alone::Unknown(e.to_string()),
        }
    }
}

/// Whether what failed may be the certificate: what did not get as far as that says nothing about it.
fn is_of_the_certificate(failure: &EarlyEnd) -> bool {
    match (&failure.why, failure.verdict) {
        (Why::Symptom(symptom), Verdict::Refused | Verdict::NotReached) => {
            failure.step <= StepName::Connect && symptom.is_for_the_tenant()
        }
        (Why::Shown(_), Verdict::WrongFiles) => {
            matches!(failure.step, StepName::Chain | StepName::Validity)
        }
        _ => false,
    }
}

impl Alone {
    fn text(&self) -> String {
        let what = "user and password alone, without the certificate, are";
        match self {
            Self::Accepted => format!("{what} accepted"),
            Self::Refused(code) => format!("{what} refused with CONNACK {code}"),
            Self::Unknown(reason) => {
                format!("what it says to user and password alone is not known: {reason}")
            }
        }
    }
}

/// The cause of a refusal that user and password alone do not have.
fn spoiled() -> Cause {
    Cause {
        code: "certificate-beside-password",
        cause: "the device connects with user and password alone, but not with the certificate: the \
                platform judges a device that sends both by its certificate"
            .to_owned(),
        remedy: "do not give the device's MQTT client the certificate and its key, or replace the \
                 certificate by a good one. Many clients do not send a certificate whose root is not in the server's list of CAs, but do not rely on that: Java 11 sends it, and the list may have another tenant's CA of the same name"
            .into(),
        certainty: Certainty::Likely,
    }
}
