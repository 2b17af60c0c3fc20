//! A check at the MQTT Service: what is sent there, and whether SmartREST is (platform: "MQTT Service").

use super::super::link::Link;
use super::super::mqtt::{MqttError, Qos, Session};
use super::super::service::{REFUSES, Service};
use super::super::smartrest::ERRORS;
use super::{Ended, Run, StepName, no_session};
use crate::chain::DeviceFinding;
use crate::failure::{Hint, Setting};
use crate::secret::Password;

impl Run<'_> {
    /// The MQTT user that is sent.
    pub(super) fn user(&self) -> Option<(String, Option<Password>)> {
        match (&self.check.login, &self.check.service) {
            (Some(login), _) => Some((login.user.clone(), Some(login.password.clone()))),
            (None, service) => service.as_ref().and_then(Service::user),
        }
    }

    /// Leaves out what the MQTT Service takes: a common name with the connection type in front of it.
    pub(super) fn of_service(&mut self, findings: &mut Vec<DeviceFinding>, wanted: &str) {
        let prefixed = format!("d:{wanted}");
        let is_it = |finding: &DeviceFinding| match finding {
            DeviceFinding::Colon(found) | DeviceFinding::CommonName { found, .. } => {
                *found == prefixed
            }
            _ => false,
        };
        if self.check.service.is_none() || !findings.iter().any(is_it) {
            return;
        }
        findings.retain(|finding| !is_it(finding));
        self.notes.push(format!(
            "the common name is {prefixed:?}: the MQTT Service accepts it with the ClientId {prefixed}; \
             port 8883 does not accept it"
        ));
    }

    /// Whether the rest of the check speaks SmartREST: always, but for the MQTT Service, where it may be off.
    pub(super) fn speaks_smart_rest(&mut self, session: &mut Session<Link>) -> Ended<bool> {
        let Some(service) = &self.check.service else { return Ok(true) };
        self.notes
            .push(format!("of a device's own program the MQTT Service also refuses: {REFUSES}"));
        if service.tenant.is_none() {
            let give = Hint::give("give it", Setting::Tenant);
            self.notes
                .push(format!("no MQTT user was sent, since the tenant's id is not known; {give}"));
        }
        if service.expects_smart_rest() {
            return Ok(true);
        }
        let is_on = match service.feature {
            Some(on) => on,
            None => match session.subscribe(&[(ERRORS, Qos::AtMostOnce)]) {
                Ok(_) => true,
                Err(MqttError::NotSubscribed { .. }) => false,
                Err(e) => return Err(no_session(StepName::Subscribe, &e)),
            },
        };
        if !is_on {
            let why = match service.feature {
                Some(_) => "the tenant says that SmartREST is off for its MQTT Service",
                None => "the MQTT Service refuses a topic of SmartREST, which is probably off",
            };
            self.notes.push(format!(
                "{why}: the check ends with the connection, and no message was tried; {}",
                Hint::give("if the device speaks SmartREST, check it so", Setting::SmartRest)
            ));
        }
        Ok(is_on)
    }
}
