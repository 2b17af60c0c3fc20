//! A session against bytes that a server would send, one by one.

use std::collections::VecDeque;
use std::io::{Read, Write};

use super::*;
use crate::client_id::{ClientId, DeviceId};
use crate::device::mqtt::Will;
use crate::failure::{Failure, Fault};

/// A server on paper: what it answers, read by read, and what it got.
#[derive(Default)]
struct Paper {
    answers: VecDeque<io::Result<Vec<u8>>>,
    got: Vec<u8>,
    deaf: bool,
}

impl Read for Paper {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.answers.pop_front() {
            Some(answer) => answer.map(|bytes| {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                bytes.len()
            }),
            None => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.deaf {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.got.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Paper {
    fn set_deadline(&mut self, _: Deadline) {}
}

fn options() -> ConnectOptions {
    let id = DeviceId::parse("gw-1").unwrap();
    let timeout = Duration::from_millis(30);
    ConnectOptions { timeout, ..ConnectOptions::new(ClientId::of_device(id)) }
}

const ACCEPTED: [u8; 4] = [0x20, 2, 0, 0];

fn paper(answers: &[&[u8]]) -> Paper {
    Paper { answers: answers.iter().map(|a| Ok(a.to_vec())).collect(), ..Paper::default() }
}

fn session(answers: &[&[u8]]) -> Session<Paper> {
    let answers = [&[ACCEPTED.as_slice()], answers].concat();
    let mut session = Session::connect(paper(&answers), &options()).unwrap();
    session.transport.got.clear();
    session
}

#[test]
fn connect_is_what_the_standard_says() {
    let will =
        Will { topic: "s/us".to_owned(), payload: "400,a,b".to_owned(), qos: Qos::AtLeastOnce };
    let options = ConnectOptions { will: Some(will), ..options() };
    let session = Session::connect(paper(&[&ACCEPTED[..1], &ACCEPTED[1..]]), &options).unwrap();
    let wanted = b"\x10\x21\x00\x04MQTT\x04\x0e\x00\x3c\x00\x06d:gw-1\x00\x04s/us\x00\x07400,a,b";
    assert_eq!(session.transport.got, wanted);
}

#[test]
fn every_refusal_has_its_code() {
    for code in 1..=5 {
        let refused = Session::connect(paper(&[&[0x20, 2, 0, code]]), &options()).unwrap_err();
        assert_eq!(refused, MqttError::Refused { code });
        let fault = match code {
            3 => Fault::Busy,
            1 | 2 | 4 => Fault::Refusal,
            _ => Fault::Unclear,
        };
        assert_eq!(refused.fault(), fault);
    }
    // Later it means that the session is being closed.
    let late = session(&[&[0x20, 2, 0, 5]]).receive(Duration::from_secs(1)).unwrap_err();
    assert_eq!(late, MqttError::Refused { code: 5 });
}

#[test]
fn silence_and_hanging_up_are_told_apart() {
    let waiting = Waiting::Connack;
    let late = Session::connect(paper(&[]), &options()).unwrap_err();
    assert_eq!(late, MqttError::Timeout { waiting, seconds: 0 });
    let closed = Session::connect(paper(&[&[]]), &options()).unwrap_err();
    assert_eq!(closed, MqttError::Closed { waiting });
    let garbage = Session::connect(paper(&[b"HTTP/1.1 400 Bad"]), &options()).unwrap_err();
    assert!(matches!(garbage, MqttError::Protocol(_)), "{garbage}");
}

#[test]
fn the_reason_of_a_closed_connection_is_read_though_writing_failed() {
    let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
    let mut deaf = Paper { deaf: true, ..Paper::default() };
    deaf.answers.push_back(Err(io::Error::new(ErrorKind::InvalidData, alert)));
    let alert = crate::device::Alert::CERTIFICATE_REQUIRED;
    assert_eq!(Session::connect(deaf, &options()).unwrap_err(), MqttError::Alert { alert });
    let deaf = Paper { deaf: true, ..Paper::default() };
    let closed = MqttError::Closed { waiting: Waiting::Connack };
    assert_eq!(Session::connect(deaf, &options()).unwrap_err(), closed);
}

#[test]
fn messages_go_out_by_their_qos() {
    let mut session = session(&[&[0x40, 2, 0, 1], &[0x50, 2, 0, 1], &[0x70, 2, 0, 1]]);
    session.publish("s/us", b"100", Qos::AtMostOnce).unwrap();
    assert_eq!(session.transport.got, b"\x30\x09\0\x04s/us100");
    session.transport.got.clear();
    session.publish("s/us", b"1", Qos::AtLeastOnce).unwrap();
    session.publish("s/us", b"2", Qos::ExactlyOnce).unwrap();
    let wanted = b"\x32\x09\0\x04s/us\0\x011\x34\x09\0\x04s/us\0\x012\x62\x02\0\x01";
    assert_eq!(session.transport.got, wanted);
    let silent = session.publish("s/us", b"3", Qos::AtLeastOnce).unwrap_err();
    assert!(matches!(silent, MqttError::Timeout { waiting: Waiting::Acknowledgement, .. }));
    for (topic, bytes) in [("s/us", 20_000), ("s/+", 1), ("s/#", 1)] {
        let refused = session.publish(topic, &vec![b'x'; bytes], Qos::AtMostOnce).unwrap_err();
        assert!(matches!(refused, MqttError::Unsendable { .. }), "{topic} {refused}");
    }
}

#[test]
fn subscriptions_are_granted_or_refused_one_by_one() {
    let topics = [("s/e", Qos::AtMostOnce), ("s/ds", Qos::AtLeastOnce)];
    let mut good = session(&[&[0x90, 3, 0, 1, 0], &[0x90, 3, 0, 1, 1]]);
    assert_eq!(good.subscribe(&topics).unwrap(), [Qos::AtMostOnce, Qos::AtLeastOnce]);
    assert_eq!(good.transport.got, b"\x82\x08\0\x01\0\x03s/e\0\x82\x09\0\x01\0\x04s/ds\x01");
    let refused = [&[0x90, 3, 0, 1, 0][..], &[0x90, 3, 0, 1, 0x80]];
    let refused = session(&refused).subscribe(&topics).unwrap_err();
    assert_eq!(refused, MqttError::NotSubscribed { topic: "s/ds".to_owned() });
    let short = session(&[&[0x90, 4, 0, 1, 0, 0]]).subscribe(&topics).unwrap_err();
    assert!(matches!(short, MqttError::Protocol(_)), "{short}");
}

#[test]
fn messages_come_in_and_are_acknowledged() {
    // A message before the answer to the subscription, and two in one read.
    let early = b"\x30\x08\0\x04s/ds51";
    let two = b"\x32\x09\0\x03s/e\0\x07hi\x30\x08\0\x04s/ds52";
    let mut session = session(&[early, &[0x90, 3, 0, 1, 0], two]);
    session.subscribe(&[("s/ds", Qos::AtMostOnce)]).unwrap();
    session.transport.got.clear();
    let wait = Duration::from_millis(20);
    let mut next = || session.receive(wait).unwrap().map(|m| (m.topic, m.payload));
    assert_eq!(next(), Some(("s/ds".to_owned(), b"51".to_vec())));
    assert_eq!(next(), Some(("s/e".to_owned(), b"hi".to_vec())));
    assert_eq!(next(), Some(("s/ds".to_owned(), b"52".to_vec())));
    assert_eq!(next(), None);
    assert_eq!(session.transport.got, [0x40, 2, 0, 7]);
}

#[test]
fn secrets_that_come_do_not_show() {
    for (topic, shows) in [("s/ds", true), ("s/dat", false), ("s/dcr", false)] {
        let (topic, payload) = (topic.to_owned(), b"71,secret".to_vec());
        let shown = format!("{:?}", Message { topic, payload, qos: Qos::AtMostOnce });
        assert_eq!(shown.contains("71,secret"), shows, "{shown}");
    }
}

#[test]
fn a_session_keeps_itself_alive_and_notices_silence() {
    let options = ConnectOptions { keep_alive: 1, ..options() };
    let mut session = Session::connect(paper(&[&ACCEPTED]), &options).unwrap();
    session.transport.got.clear();
    let lost = session.receive(Duration::from_secs(5)).unwrap_err();
    assert_eq!(lost, MqttError::Timeout { waiting: Waiting::Pingresp, seconds: 0 });
    assert_eq!(session.transport.got, [0xc0, 0]);
}

#[test]
fn a_packet_that_has_begun_has_to_end() {
    let mut whole = session(&[b"\x30\x08\0\x04s/", b"ds51", &[]]);
    let message = whole.receive(Duration::from_secs(5)).unwrap().unwrap();
    assert_eq!(message.payload, b"51");
    assert_eq!(whole.rest_due, None);
    // In a session without signs of life, which may be silent for as long as it likes.
    let options = ConnectOptions { keep_alive: 0, ..options() };
    let answers = [ACCEPTED.as_slice(), b"\x30\x08\0\x04s/"];
    let mut half = Session::connect(paper(&answers), &options).unwrap();
    let lost = half.receive(Duration::from_secs(5)).unwrap_err();
    assert_eq!(lost, MqttError::Timeout { waiting: Waiting::Rest, seconds: 0 });
    let mut silent = Session::connect(paper(&answers[..1]), &options).unwrap();
    assert_eq!(silent.receive(Duration::from_millis(100)).unwrap(), None);
}

#[test]
fn messages_before_an_answer_are_bounded() {
    let mut one = vec![0x30, 0xe8, 0x07, 0, 4];
    one.extend_from_slice(b"s/ds");
    one.resize(1003, b'x');
    let pieces: Vec<Vec<u8>> = (0..5000).map(|_| one.repeat(4)).collect();
    let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    let options = ConnectOptions { timeout: Duration::from_secs(60), ..options() };
    let answers = [&[ACCEPTED.as_slice()], &pieces[..]].concat();
    let mut session = Session::connect(paper(&answers), &options).unwrap();
    let flooded = session.subscribe(&[("s/ds", Qos::AtMostOnce)]).unwrap_err();
    assert!(
        matches!(flooded, MqttError::Flooded { waiting: Waiting::Suback, messages: 10_001, .. }),
        "{flooded}"
    );
    assert_eq!(flooded.fault(), Fault::Lost);
}

#[test]
fn what_has_come_is_taken_in_without_waiting_for_more() {
    let soon = || Deadline::after(Duration::from_secs(60));
    let mut silent = session(&[]);
    assert!(!silent.take_in(soon()).unwrap());
    // Two messages in three pieces.
    let mut session = session(&[b"\x30\x06\0\x03s/e1\x30", b"\x06\0\x03s/", b"e2"]);
    assert!(session.take_in(soon()).unwrap());
    let mut next = || session.receive(Duration::ZERO).unwrap().map(|m| m.payload);
    assert_eq!([next(), next(), next()], [Some(b"1".to_vec()), Some(b"2".to_vec()), None]);
    // One that hangs up meanwhile has hung up.
    let mut gone = self::session(&[b"\x30\x06\0\x03s/e1", b""]);
    let closed = MqttError::Closed { waiting: Waiting::Message };
    assert_eq!(gone.take_in(soon()).unwrap_err(), closed);
}
