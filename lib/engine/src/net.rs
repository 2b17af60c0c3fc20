//! TCP with a deadline: name, connection, and each byte afterwards; and how long to wait before another
//! attempt. Nothing is refused here.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::crypto::fill_random;
use crate::failure::Underlying;

/// When a whole exchange has to be over, however many steps and reads it takes: a server that sends a byte
/// a second does not get more time with each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    end: Instant,
    whole: Duration,
}

impl Deadline {
    /// The end of an exchange that begins now.
    pub fn after(whole: Duration) -> Self {
        Self { end: after(whole), whole }
    }

    /// What is left of it; nothing when it is over.
    pub fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// The seconds that the exchange had from its beginning, for messages.
    pub fn seconds(&self) -> u64 {
        self.whole.as_secs()
    }

    /// What is left of it.
    ///
    /// Errors: [`ErrorKind::TimedOut`] when it is over.
    fn remaining(&self) -> io::Result<Duration> {
        match self.left() {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => Ok(left),
        }
    }
}

/// A TCP connection whose reads and writes end at a deadline.
#[derive(Debug)]
pub struct Timed {
    stream: TcpStream,
    deadline: Deadline,
}

impl Timed {
    /// The end of what is read and written.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// The next exchange begins.
    pub fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }
}

/// The system says "would block" of a read that waited too long.
fn late(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.deadline.remaining()?))?;
        self.stream.read(buffer).map_err(late)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.deadline.remaining()?))?;
        self.stream.write(bytes).map_err(late)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// What the resolver said, or that it said nothing by the deadline.
pub(crate) fn unresolved(error: io::Error, deadline: Deadline) -> Underlying {
    match error.kind() {
        ErrorKind::TimedOut => {
            let words = format!("no answer within {} seconds", deadline.seconds());
            Underlying::worded(words, error)
        }
        _ => Underlying::of(error),
    }
}

/// Looks up the addresses of a host.
///
/// `localhost` is this computer, which needs no resolver (RFC 6761, 6.3): a container may have none, nor `/etc/hosts`.
/// The system's resolver cannot be given a time. So it is asked in a thread of its own; one that answers too
/// late is not waited for, and its thread ends when the resolver does.
///
/// Errors: [`ErrorKind::TimedOut`]; what the resolver says; a name without an address.
pub(crate) fn resolve(host: &str, port: u16, deadline: &Deadline) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    deadline.remaining()?;
    let (sender, answer) = channel();
    in_background(host.to_owned(), port, move |found| {
        // Nobody waits any more when it is late.
        let _ = sender.send(found);
    })?;
    match answer.recv_timeout(deadline.left()) {
        Ok(found) => found,
        Err(RecvTimeoutError::Timeout) => Err(ErrorKind::TimedOut.into()),
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the resolver gave up")),
    }
}

/// Whether a name is that of this computer (RFC 6761, 6.3), with or without the dot of the root.
fn is_localhost(host: &str) -> bool {
    host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case("localhost")
}

/// The addresses of this computer, in the order of resolvers. What is said of the last one is what people read.
fn loopback(port: u16) -> Vec<SocketAddr> {
    vec![(Ipv6Addr::LOCALHOST, port).into(), (Ipv4Addr::LOCALHOST, port).into()]
}

/// Asks the system's resolver in a thread of its own, and hands its answer over there.
pub(crate) fn in_background(
    host: String,
    port: u16,
    told: impl FnOnce(io::Result<Vec<SocketAddr>>) + Send + 'static,
) -> io::Result<()> {
    let ask = move || {
        if is_localhost(&host) {
            return told(Ok(loopback(port)));
        }
        let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        told(match found {
            Ok(addresses) if addresses.is_empty() => Err(io::Error::other("it has no address")),
            other => other,
        });
    };
    thread::Builder::new().name("resolver".to_owned()).spawn(ask).map(drop)
}

/// Connects to the first address that answers; those that are left share the time. The error is that of the
/// last address.
pub(crate) fn connect(addresses: &[SocketAddr], deadline: Deadline) -> io::Result<Timed> {
    let mut last = io::Error::from(ErrorKind::NotFound);
    for (tried, address) in addresses.iter().enumerate() {
        let others = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        // The system takes a time of nothing for a mistake.
        let share = (deadline.remaining()? / others).max(Duration::from_millis(1));
        let attempt = TcpStream::connect_timeout(address, share).and_then(|stream| {
            stream.set_nodelay(true)?;
            Ok(Timed { stream, deadline })
        });
        match attempt {
            Ok(stream) => return Ok(stream),
            Err(e) => last = late(e),
        }
    }
    Err(last)
}

/// Pauses between attempts: each is twice the one before, up to the longest, and a random half of it
/// keeps many clients apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pauses {
    /// After the first attempt.
    pub(crate) first: Duration,
    /// However many there were.
    pub(crate) longest: Duration,
}

impl Pauses {
    /// The pause after the attempt of that number, from 1.
    pub(crate) fn after(&self, attempt: u32) -> Duration {
        self.spread(attempt, random())
    }

    /// `random` is from 0 to 1.
    pub(crate) fn spread(&self, attempt: u32, random: f64) -> Duration {
        let doubled = self.first.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        doubled.min(self.longest).mul_f64(0.5 + random / 2.0)
    }
}

/// A random number from 0 to 1.
pub(crate) fn random() -> f64 {
    let mut octet = [0];
    // Without randomness the pause is only less spread.
    let _ = fill_random(&mut octet);
    f64::from(octet[0]) / 255.0
}

/// The end of a wait that begins now; one without end lasts a century.
pub(crate) fn after(wait: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    Instant::now() + wait.min(CENTURY)
}

/// How often a wait looks whether it is to stop.
const GLANCE: Duration = Duration::from_millis(100);

/// As [`sleep_until`], on a runtime.
pub(crate) async fn pause_until(end: Instant, stop: &AtomicBool) -> bool {
    while !stop.load(Ordering::Relaxed) {
        match end.saturating_duration_since(Instant::now()) {
            Duration::ZERO => return true,
            left => tokio::time::sleep(left.min(GLANCE)).await,
        }
    }
    false
}

/// Waits; false if it is to stop.
pub(crate) fn sleep_until(end: Instant, stop: &AtomicBool) -> bool {
    while !stop.load(Ordering::Relaxed) {
        match end.checked_duration_since(Instant::now()) {
            None | Some(Duration::ZERO) => return true,
            Some(left) => std::thread::sleep(left.min(GLANCE)),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let pauses = Pauses { first: Duration::from_millis(200), longest: Duration::from_secs(20) };
        let most: Vec<u128> = (1..=9).map(|n| pauses.spread(n, 1.0).as_millis()).collect();
        assert_eq!(most, [200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000]);
        assert_eq!(pauses.spread(1, 0.0).as_millis(), 100);
        assert_eq!(pauses.spread(u32::MAX, 0.0).as_millis(), 10_000);
        assert_eq!(pauses.spread(0, 0.0).as_millis(), 100);
        assert!((0.0..=1.0).contains(&random()));
    }

    /// A server that sends a byte now and then, as long as somebody listens.
    fn dripping() -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            while stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        address
    }

    #[test]
    fn a_deadline_does_not_start_anew_with_each_octet() {
        let deadline = Deadline::after(Duration::from_millis(300));
        let mut stream = connect(&[dripping()], deadline).unwrap();
        let (mut got, mut octet) = (0, [0]);
        let error = loop {
            match stream.read(&mut octet) {
                Ok(count) => got += count,
                Err(e) => break e,
            }
            assert!(got < 1000, "it goes on and on");
        };
        assert_eq!((error.kind(), deadline.is_over()), (ErrorKind::TimedOut, true));
        assert!(got > 0);
        assert_eq!(stream.write(b"x").unwrap_err().kind(), ErrorKind::TimedOut);
        stream.set_deadline(Deadline::after(Duration::from_secs(60)));
        assert_eq!(stream.read(&mut octet).unwrap(), 1);
        let over = Deadline::after(Duration::ZERO);
        let address = "127.0.0.1:1".parse().unwrap();
        assert_eq!(connect(&[address], over).unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn names_are_looked_up_until_the_deadline() {
        let soon = Deadline::after(Duration::from_secs(60));
        assert_eq!(resolve("::1", 7, &soon).unwrap(), ["[::1]:7".parse().unwrap()]);
        let here = ["[::1]:7".parse().unwrap(), "127.0.0.1:7".parse().unwrap()];
        assert_eq!(resolve("localhost", 7, &soon).unwrap(), here);
        assert_eq!(resolve("LocalHost.", 7, &soon).unwrap(), here);
        assert!(!is_localhost("localhost.example.com") && !is_localhost("localhost.."));
        assert!(resolve("no-such-host.invalid", 7, &soon).is_err());
        let over = Deadline::after(Duration::ZERO);
        assert_eq!(resolve("localhost", 7, &over).unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn waiting_ends_at_its_time_or_when_told() {
        assert!(after(Duration::MAX) > after(Duration::from_secs(3600)));
        let stop = AtomicBool::new(false);
        assert!(sleep_until(Instant::now(), &stop));
        stop.store(true, Ordering::Relaxed);
        assert!(!sleep_until(Instant::now() + Duration::from_secs(3600), &stop));
    }
}
