//! The steps over the network, up to the subscription. What comes then is [listened to](super::listening).

use std::sync::Arc;

use super::super::credentials::Credentials;
use super::super::link::{self, Deadline, Link};
use super::super::mqtt::{ConnectOptions, MqttError, Qos, Session};
use super::super::smartrest::message::{MQTT_DEVICE, Upstream};
use super::super::smartrest::{self, ERRORS, OPERATIONS, PUBLISH};
use super::accepted::{self, AcceptedCas};
use super::listening::Open;
use super::{Ended, Run, StepName, file_cause, no_link, no_session, wrong_files};
use crate::client_id::{ClientId, DeviceId};
use crate::failure::Failure;

const WITHOUT_CERTIFICATE: &str = "the server did not ask for the certificate, and accepted the \
                                   device without it: so nothing is known about the certificate; the platform's port 8883 asks for it";

impl Run<'_> {
    /// One attempt. If none, it ends with the connection, since nothing is to be heard.
    pub(super) fn attempt(
        &mut self,
        credentials: &Credentials,
        device: &DeviceId,
    ) -> Ended<Option<Open>> {
        let deadline = Deadline::after(self.check.timeout);
        let link = self.connect_tls(credentials, deadline)?;
        self.speak(link, device, deadline)
    }

    /// Up to a TLS connection. Whether TLS holds is known later: see [`Link::secure`].
    fn connect_tls(&mut self, credentials: &Credentials, deadline: Deadline) -> Ended<Link> {
        let check = Arc::clone(&self.check);
        let target = &check.target;
        let addresses = link::resolve(target, deadline).map_err(|e| no_link(StepName::Name, &e))?;
        let shown: Vec<String> = addresses.iter().map(|a| a.ip().to_string()).collect();
        self.ok(StepName::Name, format!("{} is {}", target.host, shown.join(", ")));
        let stream =
            link::dial(target, &addresses, deadline).map_err(|e| no_link(StepName::Tcp, &e))?;
        self.ok(StepName::Tcp, format!("connected to {target}"));
        let mut facts = link::Facts::default();
        let secured = Link::secure(stream, target, credentials, &mut facts);
        let reached = !facts.server.is_empty();
        let (server, own) = (facts.server.iter(), credentials.leaf());
        let expired = server.map(|c| c.not_after).min();
        self.facts.server_expired_before =
            own.zip(expired).is_some_and(|(own, expired)| expired < own.not_before);
        self.facts.asked = reached.then_some(facts.asked);
        self.facts.key_suits = facts.key_suits;
        self.accepted = accepted::read(&facts.accepted, &credentials.chain);
        self.notes.extend(self.accepted.as_ref().and_then(|list| list.note(&credentials.chain)));
        self.facts.listed = self.accepted.as_ref().is_some_and(|list| list.listed.is_some());
        self.facts.unlisted = self.accepted.as_ref().and_then(AcceptedCas::lacks_ours);
        let link = secured.map_err(|e| no_link(StepName::Tls, &e))?;
        let by = match &credentials.trusted {
            Some(trusted) => trusted.from.display().to_string(),
            None => "the system".to_owned(),
        };
        let server = facts.server.first().map(|c| c.subject.to_string());
        let server = server.unwrap_or_else(|| "the server".to_owned());
        self.ok(StepName::Tls, format!("{}; {server} is trusted by {by}", link.version()));
        Ok(link)
    }

    /// MQTT, from CONNECT until there is only to listen.
    ///
    /// An error goes to the clients that have subscribed when it happens: so the first message is sent once more,
    /// which changes nothing at the platform.
    fn speak(&mut self, link: Link, device: &DeviceId, deadline: Deadline) -> Ended<Option<Open>> {
        let mut options = ConnectOptions::new(ClientId::of_device(device.clone()));
        options.timeout = self.check.timeout;
        options.user = self.user();
        let mut session = match Session::connect_by(link, &options, deadline) {
            Ok(session) => session,
            Err(e @ MqttError::Alert { .. }) => {
                // With TLS 1.3 the server judges the certificate when TLS stands on this side.
                self.steps.pop();
                return Err(no_session(StepName::Tls, &e));
            }
            Err(e) => return Err(no_session(StepName::Connect, &e)),
        };
        self.ok(StepName::Connect, format!("accepted as {}", options.client_id));
        if self.facts.asked == Some(false) {
            self.notes.push(WITHOUT_CERTIFICATE.to_owned());
        }
        if !self.speaks_smart_rest(&mut session)? {
            let _ = session.disconnect();
            return Ok(None);
        }
        let registration = self.register(&mut session, device)?;
        let topics = [(ERRORS, Qos::AtMostOnce), (OPERATIONS, Qos::AtMostOnce)];
        session.subscribe(&topics).map_err(|e| no_session(StepName::Subscribe, &e))?;
        self.ok(StepName::Subscribe, format!("{ERRORS} and {OPERATIONS}"));
        session
            .publish(PUBLISH, registration.as_bytes(), Qos::AtLeastOnce)
            .map_err(|e| no_session(StepName::Receive, &e))?;
        // A server that sends something again and again is not listened to for longer than for an answer.
        let longest = Deadline::after(self.check.timeout.max(self.check.silence));
        Ok(Some(Open::new(session, self.check.silence, longest)))
    }

    fn register(&mut self, session: &mut Session<Link>, device: &DeviceId) -> Ended<String> {
        let name = device.to_string();
        let row = Upstream::Device { name, device_type: MQTT_DEVICE.to_owned() }.row();
        let text = smartrest::write(&[row]).map_err(|e| {
            let hint = e.hint().unwrap_or_else(|| "give the device another name".into());
            let cause = file_cause("message", e.to_string(), hint);
            wrong_files(StepName::Publish, e.to_string(), vec![cause])
        })?;
        session
            .publish(PUBLISH, text.as_bytes(), Qos::AtLeastOnce)
            .map_err(|e| no_session(StepName::Publish, &e))?;
        self.ok(StepName::Publish, format!("{} on {PUBLISH}", text.trim_end()));
        Ok(text)
    }
}
