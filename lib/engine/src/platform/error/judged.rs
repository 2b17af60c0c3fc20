//! Whose fault each failure is, and what to do about it.

use super::PlatformError;
use crate::failure::{Failure, Fault, Hint, Setting, Task};

impl Failure for PlatformError {
    fn fault(&self) -> Fault {
        match self {
            Self::Resolve { .. } | Self::Connect { .. } | Self::Proxy { .. } => Fault::Unreached,
            Self::Timeout { .. }
            | Self::Broken { .. }
            | Self::EnrolmentLost { .. }
            | Self::Unavailable { status: 502 | 504, .. } => Fault::Lost,
            Self::Unavailable { .. } => Fault::Busy,
            Self::Runtime(_) | Self::Stopped { .. } | Self::Refused { status: 500.., .. } => {
                Fault::Environment
            }
            Self::Tls { .. } | Self::Answer { .. } => Fault::Stranger,
            Self::Untrusted { fault, .. } => fault.fault(),
            Self::DeviceCertificate { .. } => Fault::Unclear,
            Self::Refused { .. }
            | Self::NotProven { .. }
            | Self::Code { .. }
            | Self::AuthorityOff
            | Self::NoAuthorityFeature { .. }
            | Self::NoAuthority
            | Self::AuthorityNotRenewed { .. }
            | Self::NotRegistered { .. }
            | Self::ChainUnread { .. }
            | Self::NoTokens { .. }
            | Self::NotAutoRegistered { .. }
            | Self::OtherOfCa { .. }
            | Self::InAnotherTenant { .. } => Fault::Refusal,
            Self::Csr(e) => e.fault(),
            Self::Crypto(e) => e.fault(),
            Self::BadHost { .. }
            | Self::BadRoots(_)
            | Self::BadProxy { .. }
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::BadLogin { .. }
            | Self::OtherTenant { .. }
            | Self::NotThere { .. }
            | Self::OtherKey { .. }
            | Self::OneTimePassword { .. }
            | Self::DeviceToken { .. } => Fault::Input,
        }
    }

    fn hint(&self) -> Option<Hint> {
        let hint = match self {
            Self::BadHost { .. } => "for example https://acme.eu-latest.cumulocity.com",
            Self::BadRoots(_) => "give a PEM file with the CA that signed the server's certificate",
            Self::BadProxy { .. } => "for example http://proxy.example.com:3128",
            Self::Resolve { .. } => {
                return Some(
                    Hint::give("is the host spelled right?", Setting::Host)
                        .then("does this machine reach a DNS?"),
                );
            }
            Self::Connect { .. } => {
                "check the port, and whether there is a firewall or a proxy (HTTPS_PROXY) in between"
            }
            Self::Proxy { .. } => "check HTTPS_PROXY; hosts in NO_PROXY are reached directly",
            Self::Timeout { .. } => {
                return Some(Hint::give("try again, or give it more time", Setting::Timeout));
            }
            Self::Untrusted { fault, .. } if fault.fault() == Fault::Untrusted => {
                let task = Task::FetchServer { address: Some("HOST:443".to_owned()) };
                return Some(
                    Hint::give("if it is your own or your proxy's CA, give it", Setting::ServerCas)
                        .then(Hint::run("see what is presented", task)),
                );
            }
            Self::Unauthorized { .. } => {
                return Some(
                    Hint::give("check the login (tokens expire)", Setting::Login).then(Hint::give(
                        "the tenant's id has to be of this host",
                        Setting::Tenant,
                    )),
                );
            }
            Self::Forbidden { role: Some(role), .. } => {
                return Some(format!("ask an administrator of the tenant for {role}").into());
            }
            Self::Forbidden { role: None, .. } => {
                "ask an administrator of the tenant for the right"
            }
            Self::Tls { .. } => "is it the address and the port of a tenant?",
            Self::DeviceToken { .. } => {
                "a device gets its token with its certificate; it is good for an hour and for this \
                 device only"
            }
            Self::DeviceCertificate { .. } => {
                return Some(Hint::run("see the likely causes, step by step", Task::CheckDevice));
            }
            Self::ChainUnread { .. } => {
                "check whether a proxy in between changes header fields; if the device's issuer is \
                 uploaded, present the certificate alone"
            }
            Self::NoTokens { .. } => {
                return Some(
                    Hint::say("the feature may be off: ask the operator of the platform")
                        .then(Hint::omit("or let the device ask over MQTT", Setting::Https)),
                );
            }
            Self::NotAutoRegistered { .. } => {
                return Some(Hint::run("register the device", Task::UploadRegistration).then(
                    Hint::run(
                        "or switch auto-registration on",
                        Task::AllowAutoRegistration { name: None },
                    ),
                ));
            }
            Self::Answer { .. } => "is it the address of a tenant, and not of a proxy or portal?",
            Self::Code { .. } => {
                return Some(
                    Hint::say("check that the address is that of your tenant")
                        .then(Hint::run("ask for another code", Task::NewCode))
                        .then("if that is refused too, ask the operator of the tenant"),
                );
            }
            Self::Unavailable { .. } => "try again later",
            Self::OtherOfCa { .. } => {
                return Some(Hint::run("upload the new one beside it", Task::UploadCa));
            }
            Self::NotThere { .. } => return Some(Hint::run("upload it first", Task::UploadCa)),
            Self::InAnotherTenant { .. } => "remove it there, or give this tenant a CA of its own",
            Self::OtherKey { .. } => "give the key of the CA whose certificate is proven",
            Self::BadLogin { .. } => "is there a line end or a control character in it?",
            Self::OtherTenant { .. } => {
                return Some(Hint::give(
                    "correct the tenant's id, or leave it out",
                    Setting::Tenant,
                ));
            }
            Self::Stopped { .. } => "run the same command again",
            Self::NotProven { .. } => {
                return Some(Hint::run("see it", Task::ListTrusted).then("and try once more"));
            }
            Self::OneTimePassword { .. } => {
                return Some(one_time_password());
            }
            Self::AuthorityOff => {
                return Some(
                    Hint::run("switch it on", Task::EnableAuthority)
                        .then("whether the platform allows it to a tenant is up to its operator"),
                );
            }
            Self::NoAuthorityFeature { .. } => {
                return Some(
                    Hint::say("ask the operator whether this platform is new enough")
                        .then(Hint::run("a CA of your own needs no such feature", Task::InitCa)),
                );
            }
            Self::NoAuthority => return Some(Hint::run("make it", Task::CreateAuthority)),
            Self::AuthorityNotRenewed { .. } => {
                "it is renewed only when less than 18 months are left; the platform does so by itself each \
                 2 October"
            }
            Self::NotRegistered { .. } => {
                let delete = "if it is registered already, delete the device and its user device_ID at the tenant first";
                return Some(
                    Hint::say(delete)
                        .then(Hint::run("see the requests that are open", Task::ListRegistrations)),
                );
            }
            Self::EnrolmentLost { .. } => {
                let add = "if the one-time password is used up by then, register the device with a new one";
                return Some(Hint::say("run it again").then(Hint::run(add, Task::AddRegistration)));
            }
            Self::Csr(e) => return e.hint(),
            Self::Crypto(e) => return e.hint(),
            _ => return None,
        };
        Some(hint.into())
    }
}

/// What to do where an enrolment was refused.
fn one_time_password() -> Hint {
    Hint::say("a one-time password is good for one enrolment, and the device has to be registered with it")
        .then(Hint::run("see what is open or BLOCKED", Task::ListRegistrations))
        .then(Hint::run("make a new one", Task::AddRegistration))
        .then("a device that was enrolled before has to be deleted at the tenant first, with its user")
}
