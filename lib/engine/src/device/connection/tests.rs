//! A connection against sessions on paper: what each of them answers, read by read, and what was sent.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;

use super::*;
use crate::client_id::{ClientId, DeviceId};

/// What a server says; nothing means that it closes.
type Answers = &'static [&'static [u8]];

struct Paper {
    answers: VecDeque<&'static [u8]>,
    got: Rc<RefCell<Vec<u8>>>,
}

impl Read for Paper {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let answer = self.answers.pop_front().ok_or(ErrorKind::WouldBlock)?;
        buffer[..answer.len()].copy_from_slice(answer);
        Ok(answer.len())
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.got.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Paper {
    fn set_deadline(&mut self, _: Deadline) {}
}

const ACCEPTED: &[u8] = &[0x20, 2, 0, 0];
const REFUSED: &[u8] = &[0x20, 2, 0, 5];
const SUBSCRIBED: &[u8] = &[0x90, 3, 0, 1, 1];
const PUBLISHED: &[u8] = &[0x40, 2, 0, 1];
const CLOSED: &[u8] = &[];
const WAIT: Duration = Duration::from_millis(2);

fn options() -> ConnectOptions {
    let id = DeviceId::parse("gw-1").unwrap();
    let timeout = Duration::from_secs(10);
    ConnectOptions { timeout, ..ConnectOptions::new(ClientId::of_device(id)) }
}

fn policy() -> Policy {
    let backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(4));
    Policy { backoff, ..Policy::default() }
}

type Open = Box<dyn FnMut() -> Result<Session<Paper>, ConnectionError>>;
type Sent = Rc<RefCell<Vec<u8>>>;

/// A connection over these sessions, one after the other, and all that it sends.
fn over(sessions: &[Answers], policy: Policy) -> (Connection<Paper, Open>, Sent) {
    let mut sessions: VecDeque<Answers> = sessions.iter().copied().collect();
    let got = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&got);
    let open: Open = Box::new(move || {
        let nobody = LinkError::NothingListens { target: "h:1".to_owned() };
        let answers = sessions.pop_front().ok_or(nobody)?.iter().copied().collect();
        let paper = Paper { answers, got: Rc::clone(&got) };
        Ok(Session::connect(paper, &options())?)
    });
    (Connection::new(open, policy), kept)
}

fn message(payload: &str) -> Outgoing {
    let (topic, payload) = ("s/us".to_owned(), payload.as_bytes().to_vec());
    Outgoing { topic, payload, qos: Qos::AtLeastOnce }
}

/// The next event that is one.
fn event(connection: &mut Connection<Paper, Open>) -> Result<Event, ConnectionError> {
    let mut events = std::iter::repeat_with(|| connection.next(WAIT)).take(1000);
    events.find(|event| *event != Ok(Event::Idle)).expect("something happens")
}

/// What was lost, and why.
fn lost(event: Result<Event, ConnectionError>) -> ConnectionError {
    match event {
        Ok(Event::Lost { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

fn closed(waiting: Waiting) -> ConnectionError {
    MqttError::Closed { waiting }.into()
}

fn times(got: &RefCell<Vec<u8>>, text: &str) -> usize {
    got.borrow().windows(text.len()).filter(|w| *w == text.as_bytes()).count()
}

#[test]
fn every_session_begins_with_the_greeting() {
    let greeting = vec![
        Greeting::Subscribe(vec![("s/e".to_owned(), Qos::AtLeastOnce)]),
        Greeting::Publish(message("100,a,b")),
    ];
    let session: Answers = &[ACCEPTED, SUBSCRIBED, PUBLISHED, CLOSED];
    let (mut connection, got) = over(&[session, session], Policy { greeting, ..policy() });
    assert_eq!(event(&mut connection), Ok(Event::Connected));
    assert!(connection.is_up());
    assert_eq!(lost(event(&mut connection)), closed(Waiting::Message));
    assert!(!connection.is_up());
    assert_eq!(event(&mut connection), Ok(Event::Connected));
    assert_eq!((times(&got, "d:gw-1"), times(&got, "s/e"), times(&got, "100,a,b")), (2, 2, 2));
    connection.disconnect().unwrap();
    assert!(got.borrow().ends_with(&[0xe0, 0]));
}

#[test]
fn what_is_not_acknowledged_is_sent_again() {
    let sessions: [Answers; 2] =
        [&[ACCEPTED, PUBLISHED, CLOSED], &[ACCEPTED, PUBLISHED, PUBLISHED]];
    let (mut connection, got) = over(&sessions, policy());
    for text in ["one", "two", "three"] {
        connection.publish(message(text));
    }
    assert_eq!(event(&mut connection), Ok(Event::Connected));
    assert_eq!(lost(event(&mut connection)), closed(Waiting::Acknowledgement));
    assert_eq!(connection.waiting(), 2);
    assert_eq!(event(&mut connection), Ok(Event::Connected));
    connection.next(WAIT).unwrap();
    assert_eq!(connection.waiting(), 0);
    assert_eq!((times(&got, "one"), times(&got, "two"), times(&got, "three")), (1, 2, 1));
}

#[test]
fn a_message_at_which_the_server_closes_is_given_up() {
    let bad: Answers = &[ACCEPTED, CLOSED];
    let (mut connection, got) = over(&[bad, bad, bad, &[ACCEPTED, PUBLISHED]], policy());
    connection.publish(message("poison"));
    connection.publish(message("good"));
    for _ in 0..STRIKES {
        assert_eq!(event(&mut connection), Ok(Event::Connected));
        assert_eq!(lost(event(&mut connection)), closed(Waiting::Acknowledgement));
    }
    let Ok(Event::Unsent { message: given_up, .. }) = event(&mut connection) else { panic!() };
    assert_eq!(given_up, message("poison"));
    assert_eq!(event(&mut connection), Ok(Event::Connected));
    connection.next(WAIT).unwrap();
    assert_eq!((connection.waiting(), times(&got, "good")), (0, 1));
}

#[test]
fn a_message_that_cannot_be_sent_ends_nothing() {
    let (mut connection, _) = over(&[&[ACCEPTED, PUBLISHED]], policy());
    connection.publish(message(&"x".repeat(17_000)));
    connection.publish(message("good"));
    assert_eq!(event(&mut connection), Ok(Event::Connected));
    assert!(matches!(event(&mut connection), Ok(Event::Unsent { .. })));
    assert_eq!(connection.next(WAIT), Ok(Event::Idle));
    assert_eq!(connection.waiting(), 0);
}

#[test]
fn messages_come_while_others_go() {
    const OPERATION: &[u8] = b"\x40\x02\0\x01\x30\x08\0\x04s/ds51";
    let (mut connection, _) = over(&[&[ACCEPTED, OPERATION]], policy());
    connection.publish(message("one"));
    assert_eq!(event(&mut connection), Ok(Event::Connected));
    let Ok(Event::Message(message)) = event(&mut connection) else { panic!() };
    assert_eq!((message.topic.as_str(), &message.payload[..]), ("s/ds", &b"51"[..]));
}

#[test]
fn what_came_before_the_end_is_told_before_it() {
    const OPERATION: &[u8] = b"\x30\x08\0\x04s/ds51";
    let came = |event: Result<Event, ConnectionError>| match event {
        Ok(Event::Message(message)) => message.payload,
        other => panic!("{other:?}"),
    };
    // While another message waits for its acknowledgement; while the session is greeted.
    let (mut connection, _) = over(&[&[ACCEPTED, OPERATION, OPERATION, CLOSED]], policy());
    connection.publish(message("one"));
    assert_eq!(event(&mut connection), Ok(Event::Connected));
    assert_eq!([event(&mut connection), event(&mut connection)].map(came), [b"51", b"51"]);
    assert_eq!(lost(event(&mut connection)), closed(Waiting::Acknowledgement));
    assert_eq!(connection.waiting(), 1);
    let greeting = vec![Greeting::Publish(message("100,a,b"))];
    let once = Policy { greeting, reconnect: false, ..policy() };
    let (mut connection, _) = over(&[&[ACCEPTED, OPERATION, CLOSED]], once);
    assert_eq!(came(event(&mut connection)), b"51");
    assert_eq!(event(&mut connection), Err(closed(Waiting::Acknowledgement)));
}

#[test]
fn refusals_end_it_and_absence_does_not() {
    let refused: Answers = &[REFUSED];
    let (mut connection, got) = over(&[refused; 9], Policy { refusals: 3, ..policy() });
    let no = ConnectionError::from(MqttError::Refused { code: 5 });
    for _ in 0..2 {
        assert_eq!(lost(event(&mut connection)), no);
    }
    assert_eq!(event(&mut connection), Err(no.clone()));
    assert_eq!(times(&got, "d:gw-1"), 3);
    // One that is accepted in between makes them begin anew.
    let mixed = [refused, refused, &[ACCEPTED, CLOSED], refused, refused, refused];
    let (mut connection, _) = over(&mixed, Policy { refusals: 3, ..policy() });
    let outcomes: Vec<bool> = (0..6).map(|_| event(&mut connection).is_ok()).collect();
    assert_eq!(outcomes, [true; 6]);
    assert_eq!(event(&mut connection), Err(no));
    // Of other codes it is enough to hear them once.
    let (mut connection, _) = over(&[&[&[0x20, 2, 0, 4]]], policy());
    assert_eq!(event(&mut connection), Err(MqttError::Refused { code: 4 }.into()));
    let (mut connection, _) = over(&[], policy());
    let nobody = ConnectionError::from(LinkError::NothingListens { target: "h:1".to_owned() });
    for _ in 0..20 {
        assert_eq!(lost(event(&mut connection)), nobody);
    }
    let (mut connection, _) = over(&[], Policy { reconnect: false, ..policy() });
    assert_eq!(event(&mut connection), Err(nobody));
}

#[test]
fn pauses_grow_until_a_session_has_lasted() {
    let brief: Answers = &[ACCEPTED, CLOSED];
    let longest = Duration::from_secs(3600);
    let backoff = Backoff::new(Duration::from_millis(1), longest);
    let (mut connection, _) = over(&[brief; 5], Policy { backoff, ..policy() });
    for failures in 1..=5 {
        assert_eq!(event(&mut connection), Ok(Event::Connected));
        lost(event(&mut connection));
        assert_eq!(connection.policy.backoff.failures(), failures);
    }
    let backoff = Backoff::new(Duration::ZERO, Duration::ZERO);
    let (mut connection, _) = over(&[brief; 5], Policy { backoff, ..policy() });
    for _ in 0..5 {
        assert_eq!(event(&mut connection), Ok(Event::Connected));
        lost(event(&mut connection));
        assert_eq!(connection.policy.backoff.failures(), 1);
    }
}
