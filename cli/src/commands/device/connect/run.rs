//! The command: connects, and passes lines and messages on until its end.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use c8y_pki_core::client_id::DeviceId;
use c8y_pki_engine::device::connection::{self, Connection, ConnectionError, Event, Greeting};
use c8y_pki_engine::device::connection::{Outgoing, Policy};
use c8y_pki_engine::device::link::{Identity, Link};
use c8y_pki_engine::device::mqtt::{ConnectOptions, Message, MqttError, Qos, Session, Will};
use c8y_pki_engine::device::service::Service;
use c8y_pki_engine::device::smartrest::message::{MQTT_DEVICE, Upstream};
use c8y_pki_engine::device::smartrest::{self, ERRORS, OPERATIONS, PUBLISH};
use c8y_pki_engine::platform::blocking::Inquiry;
use c8y_pki_engine::platform::standing::ID_TYPE;
use clap::Args;

use super::super::at_service::ServiceArgs;
use super::super::connecting::{FilesArgs, Ready};
use super::super::endpoint::EndpointArgs;
use super::lines::{self, Line, MOST_WAITING};
use super::show::{self, Screen};
use crate::failure::{Failure, Outcome, Result};
use crate::old_ids;
use crate::output::Output;
use crate::stop;
use crate::tenant::{LoginArgs, WayArgs};
use crate::values;

/// Arguments of `device connect`.
#[derive(Debug, Args)]
#[command(after_help = "\
Registers the device (100) and its children (101), subscribes to s/ds and s/e, and stays connected.
Each operation is printed on a line; messages on s/e are warnings. Each line of standard input that
is not blank is published on --topic. When standard input ends, the command continues. With
--exit-at-eof it ends when all lines are acknowledged and no error has come for a second.

If the connection is lost, the command connects again after 1 to 60 seconds. Until then up to 1000
lines wait, then no more are read. With QoS 1 and 2 no line is lost, but one may arrive twice. If
the device is refused, the command tries four times, then ends with the likely causes. With a login
(C8Y_USER and C8Y_PASSWORD, or C8Y_TOKEN) it also asks the tenant. Ctrl-C disconnects: the last
will, event c8y_ConnectionEvent, is published only if the connection is lost.

At the MQTT Service (--mqtt-service) SmartREST messages (registration, children, last will) are
sent only if SmartREST is on. Without it, lines go to a topic of your own, with QoS 0 or 1.

Examples:
  c8y-pki device connect gw-0001 --host acme.eu-latest.cumulocity.com
  c8y-pki device connect gw-0001 --child pump-1 --child valve-1 --name 'Gateway 1' --json
  echo '400,c8y_Start,Started' | c8y-pki device connect gw-0001 --exit-at-eof
  echo 21.5 | c8y-pki device connect gw-0001 --mqtt-service --topic plant/hall-3 --exit-at-eof

Exit codes: 0 ended by Ctrl-C, or all was sent; 1 refused by the platform, lines were not sent, or
with --exit-at-eof something came on s/e; 2 wrong use or input; 3 not reached (--no-reconnect).")]
pub(crate) struct ConnectArgs {
    /// The device's id; its directory is in --out
    #[arg(value_name = "ID", required_unless_present_any = ["bundle", "keystore"])]
    id: Option<String>,
    #[command(flatten)]
    files: FilesArgs,
    /// Name of the device, if it is not there yet; its id by default
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Type of the device and its children, if they are not there yet
    #[arg(long = "type", value_name = "TYPE", default_value = MQTT_DEVICE)]
    device_type: String,
    /// A child of the device, by its id; may be repeated
    #[arg(long = "child", value_name = "ID")]
    children: Vec<String>,
    /// Where lines of standard input go; s/us/CHILD for a child
    #[arg(long, value_name = "TOPIC", default_value = PUBLISH)]
    topic: String,
    /// Quality of delivery in both directions: 0 at most once, 1 at least once, 2 exactly once while the connection
    /// lasts
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,
    /// Seconds between signs of life
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..))]
    keep_alive: u16,
    /// End when standard input ends and all is sent
    #[arg(long)]
    exit_at_eof: bool,
    /// End when the connection is lost, or there is none
    #[arg(long)]
    no_reconnect: bool,
    #[command(flatten)]
    endpoint: EndpointArgs,
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    login: LoginArgs,
    #[command(flatten)]
    way: WayArgs,
}

/// MQTT's qualities of service by their numbers.
fn qos(number: u8) -> Qos {
    match number {
        0 => Qos::AtMostOnce,
        1 => Qos::AtLeastOnce,
        _ => Qos::ExactlyOnce,
    }
}

/// How long the connection may be listened to before standard input is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// Whether a message tells of an error.
fn is_error(message: &Message) -> bool {
    let text = String::from_utf8_lossy(&message.payload);
    message.topic == ERRORS && text.lines().any(smartrest::tells_an_error)
}

/// How long errors may take to come, after the last line.
const SILENCE: Duration = Duration::from_secs(1);

pub(in super::super) fn run(args: &ConnectArgs, pki: &Path, out: Output) -> Result {
    check_topic(&args.topic)?;
    for (option, value) in [("--name", args.name.as_ref()), ("--type", Some(&args.device_type))] {
        check_not_empty(option, value)?;
    }
    let client = args.endpoint.client(&args.login, &args.way)?;
    let service = args.service.service(&args.endpoint, args.login.tenant(), client.as_ref())?;
    check_service(args, service.as_ref())?;
    let at = (&args.service, service);
    let ready = Ready::new(&args.files, &args.endpoint, args.id.as_ref(), at)?;
    old_ids::warn_of(&ready.device, out);
    let longest = values::longest_chain(None, pki)?;
    let policy = Policy {
        greeting: match speaks_smart_rest(ready.service.as_ref()) {
            true => greeting(args, &ready.device)?,
            false => Vec::new(),
        },
        reconnect: !args.no_reconnect,
        ..Policy::default()
    };
    show::check_files(&ready, longest, out)?;
    // The last will is a message of SmartREST.
    let will = speaks_smart_rest(ready.service.as_ref()).then(will).transpose()?;
    let options = ConnectOptions { keep_alive: args.keep_alive, will, ..ready.options() };
    let identity = Identity::Certificate(&ready.credentials);
    let open = || connection::open(&ready.target, identity, &options);
    let stop = stop::on_interrupt();
    let lines = lines::of_stdin(&args.topic);
    let mut talk = Talk {
        connection: Connection::new(open, policy),
        screen: Screen::new(&ready, out),
        topic: &args.topic,
        qos: qos(args.qos),
        lines: Some(lines),
        unsent: 0,
        errors: false,
        rivals: Rivals::default(),
    };
    let ended = talk.run(&stop, args.exit_at_eof);
    let errors = talk.errors;
    let all_sent = talk.end();
    match ended? {
        Ended::Lost(error) => {
            let inquiry = client.as_ref().map(|client| Inquiry::new(client, ID_TYPE));
            Err(show::refusal(error, ready, inquiry.as_ref(), longest, out))
        }
        Ended::Unread => Ok(Outcome::Done),
        Ended::Stopped => Ok(Outcome::of(all_sent)),
        Ended::AllSent => Ok(Outcome::of(all_sent && !errors)),
    }
}

/// A topic that a message can go to.
fn check_topic(topic: &str) -> Result<()> {
    if !topic.is_empty() && !topic.contains(['+', '#', '\0']) {
        // With room for something to say.
        return Ok(smartrest::check_length(topic, 1)?);
    }
    Err(Failure::usage(
        format!("{topic:?} is not a topic to publish on"),
        "for example s/us, or s/us/CHILD; without wildcards",
    ))
}

/// The platform refuses messages with a value that is empty.
fn check_not_empty(option: &str, value: Option<&String>) -> Result<()> {
    if value.is_none_or(|value| !value.trim().is_empty()) {
        return Ok(());
    }
    Err(Failure::usage(format!("{option} is empty"), "leave it out, or give it a text"))
}

/// Whether SmartREST is there: always, but for the MQTT Service.
fn speaks_smart_rest(service: Option<&Service>) -> bool {
    service.is_none_or(Service::expects_smart_rest)
}

/// Holds what is to be sent to the rules of the MQTT Service, before it is connected to.
fn check_service(args: &ConnectArgs, service: Option<&Service>) -> Result<()> {
    let Some(service) = service else { return Ok(()) };
    service.check(&args.topic, qos(args.qos))?;
    let registers = !args.children.is_empty() || args.name.is_some();
    if registers && !service.expects_smart_rest() {
        return Err(Failure::usage(
            "--child and --name are messages of SmartREST, which the MQTT Service has only where it was switched on",
            "leave them out, or give --smartrest if the tenant has the feature mqtt-service.smartrest",
        ));
    }
    Ok(())
}

fn will() -> Result<Will> {
    let payload = smartrest::write(&[Upstream::connection_lost().row()])?;
    Ok(Will {
        topic: PUBLISH.to_owned(),
        payload: payload.trim_end().to_owned(),
        qos: Qos::AtLeastOnce,
    })
}

/// Errors are subscribed first, so that those of the registration come; operations last, when the device
/// is there.
fn greeting(args: &ConnectArgs, device: &DeviceId) -> Result<Vec<Greeting>> {
    let name = args.name.clone().unwrap_or_else(|| device.to_string());
    let device_type = args.device_type.clone();
    let mut rows = vec![Upstream::Device { name, device_type }.row()];
    let mut seen = BTreeSet::new();
    for child in &args.children {
        let id = DeviceId::parse(child)?;
        if id == *device {
            return Err(Failure::usage(
                format!("{id} is the device, and cannot be its own child"),
                "give the ids of its children",
            ));
        }
        let (name, device_type) = (id.to_string(), args.device_type.clone());
        if seen.insert(id.clone()) {
            rows.push(Upstream::Child { id, name, device_type }.row());
        }
    }
    let qos = qos(args.qos);
    let mut greeting = vec![Greeting::Subscribe(vec![(ERRORS.to_owned(), qos)])];
    for payload in smartrest::payloads(PUBLISH, &rows)? {
        let (topic, payload) = (PUBLISH.to_owned(), payload.into_bytes());
        greeting.push(Greeting::Publish(Outgoing { topic, payload, qos: Qos::AtLeastOnce }));
    }
    greeting.push(Greeting::Subscribe(vec![(OPERATIONS.to_owned(), qos)]));
    Ok(greeting)
}

/// Whether another program seems to connect as the same device: the platform keeps one connection a
/// ClientId, so each of them ends the other's soon after it has begun.
#[derive(Default)]
struct Rivals {
    since: Option<Instant>,
    ended: u32,
}

impl Rivals {
    /// Sessions that the server ends soon, until it is said.
    const SUSPICIOUS: u32 = 2;
    /// What is soon: the longest pause of another program like this one.
    const SOON: Duration = Duration::from_secs(60);

    /// Whether it is to be said now: once.
    fn show_up(&mut self, event: &Event) -> bool {
        match event {
            Event::Connected => self.since = Some(Instant::now()),
            Event::Lost { error, .. } => {
                let Some(since) = self.since.take() else { return false };
                let closed = matches!(error, ConnectionError::Mqtt(MqttError::Closed { .. }));
                if !closed || since.elapsed() >= Self::SOON {
                    self.ended = 0;
                    return false;
                }
                self.ended += 1;
                return self.ended == Self::SUSPICIOUS;
            }
            _ => {}
        }
        false
    }
}

/// How it ended.
enum Ended {
    /// By Ctrl-C.
    Stopped,
    /// Standard input is over, and all is sent.
    AllSent,
    /// Nobody reads what it prints.
    Unread,
    /// There is no connection, and no prospect of one.
    Lost(ConnectionError),
}

struct Talk<'a, F> {
    connection: Connection<Link, F>,
    screen: Screen,
    topic: &'a str,
    qos: Qos,
    /// None when standard input has ended.
    lines: Option<Receiver<Line>>,
    /// Lines that were refused or given up.
    unsent: usize,
    /// Whether the platform has told an error.
    errors: bool,
    rivals: Rivals,
}

impl<F> Talk<'_, F>
where
    F: FnMut() -> std::result::Result<Session<Link>, ConnectionError>,
{
    fn run(&mut self, stop: &AtomicBool, exit_at_eof: bool) -> Result<Ended> {
        while !stop.load(Ordering::Relaxed) {
            self.take_lines();
            let last = exit_at_eof && self.lines.is_none() && self.is_idle();
            let event = match self.connection.next(if last { SILENCE } else { GLANCE }) {
                Ok(event) => event,
                Err(error) => return Ok(Ended::Lost(error)),
            };
            if last && event == Event::Idle && self.is_idle() {
                return Ok(Ended::AllSent);
            }
            if self.rivals.show_up(&event) {
                self.screen.rival();
            }
            self.errors |= matches!(&event, Event::Message(message) if is_error(message));
            if let Event::Unsent { message, error } = &event {
                self.unsent += 1;
                self.screen.unsent(&message.payload, error);
            } else if !self.screen.show(&event, self.connection.waiting())? {
                return Ok(Ended::Unread);
            }
        }
        Ok(Ended::Stopped)
    }

    /// Connected, with nothing left to send.
    fn is_idle(&self) -> bool {
        self.connection.is_up() && self.connection.waiting() == 0
    }

    /// Hands over lines that have come, as many as may wait.
    fn take_lines(&mut self) {
        while self.connection.waiting() < MOST_WAITING
            && let Some(lines) = &self.lines
        {
            let fault = match lines.try_recv() {
                Ok(Line::Text(payload)) => {
                    let topic = self.topic.to_owned();
                    self.connection.publish(Outgoing { topic, payload, qos: self.qos });
                    continue;
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.lines = None;
                    return;
                }
                Ok(fault) => fault,
            };
            self.unsent += 1;
            self.screen.refused(&fault);
        }
    }

    /// Says goodbye; whether all lines were sent.
    fn end(self) -> bool {
        let left = self.connection.waiting();
        if left > 0 {
            self.screen.left(left);
        }
        // A connection that is gone by now needs no goodbye.
        let _ = self.connection.disconnect();
        self.unsent == 0 && left == 0
    }
}
