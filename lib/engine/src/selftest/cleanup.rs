//! Everything that was begun is removed, and looked for afterwards.

use super::report::{Leftover, StepName};
use super::steps::{Seen, Test, Trouble};
use crate::platform::blocking::Client;
use crate::platform::{PlatformError, Request, bare_host, probe, trusted};
use crate::shown::Foreign;

impl Test<'_> {
    /// Removes the CA first: without it nobody gets in with its key.
    pub(super) fn clean_up(&mut self) {
        if self.begun.upload {
            let removed = self.step(
                StepName::RemoveCa,
                "it is removed and no longer listed",
                Self::remove_ca,
            );
            if !removed {
                let fingerprint = self.made.fingerprint();
                self.leftovers.push(Leftover {
                    what: format!(
                        "the trusted certificate {:?}, if it was uploaded",
                        self.made.name()
                    ),
                    command: (self.plan.removal)(&fingerprint),
                });
            }
        }
        if self.begun.device {
            let expected = "its object and its user are removed, and it is no longer known";
            if !self.step(StepName::RemoveDevice, expected, Self::remove_device) {
                let command = self.removal_of_device();
                let what = format!("the device {:?}, if it was registered", self.made.id.as_str());
                self.leftovers.push(Leftover { what, command });
            }
        }
    }

    fn remove_ca(&mut self) -> Result<Seen, Trouble> {
        let (client, fingerprint) = (self.plan.client, self.made.fingerprint());
        let was_there = client.wait(trusted::remove(client, &fingerprint))?;
        if client.wait(trusted::find(client, &fingerprint))?.is_some() {
            return Err(Trouble::differs("it was removed, and the tenant still shows it"));
        }
        // After a lost answer the second request finds nothing.
        Ok(Seen::of(if was_there { "removed" } else { "it is not there" }))
    }

    fn remove_device(&mut self) -> Result<Seen, Trouble> {
        let (client, id) = (self.plan.client, &self.made.id);
        let object = match client.wait(probe::object_of(client, id)) {
            Ok(object) => object,
            Err(e) => {
                // The user alone is worth removing: with it goes the right to connect.
                self.remove_user()?;
                return Err(e.into());
            }
        };
        if let Some(object) = &object {
            self.object = Some(Foreign::beginning(object));
            client.wait(probe::remove(client, &probe::remove_object_request(object)))?;
        }
        self.remove_user()?;
        match client.wait(probe::object_of(client, id))? {
            None => Ok(Seen::of(match object {
                Some(_) => "object and user removed",
                None => "there was no object; user removed",
            })),
            Some(_) => Err(Trouble::differs("it was removed, and the tenant still knows it")),
        }
    }

    fn remove_user(&self) -> Result<bool, PlatformError> {
        let request = probe::remove_user_request(self.tenant(), &self.made.id);
        self.plan.client.wait(probe::remove(self.plan.client, &request))
    }

    /// What a person types to remove the device.
    fn removal_of_device(&self) -> String {
        let curl = |request: &Request| curl(self.plan.client, request);
        let user = curl(&probe::remove_user_request(self.tenant(), &self.made.id));
        match &self.object {
            Some(object) => {
                let object = curl(&probe::remove_object_request(object.as_received()));
                format!("{object} && {user}")
            }
            None => {
                format!("{user}; and if Device management lists {}, delete it there", self.made.id)
            }
        }
    }
}

/// A request without body as a command line; everything in it is percent-encoded, so that quotes hold it.
fn curl(client: &Client, request: &Request) -> String {
    let query: Vec<String> = request.query.iter().map(|(k, v)| format!("{k}={v}")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let host = client.host();
    // Port 443 is that of https.
    let host = host.strip_suffix(":443").map_or(host, bare_host);
    format!(
        "curl --user \"$C8Y_USER:$C8Y_PASSWORD\" -X {} 'https://{host}{}{query}'",
        request.method, request.path
    )
}
