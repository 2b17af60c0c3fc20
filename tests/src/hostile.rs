//! Servers that mean no good: slow ones, endless ones, and answers that nobody should believe. And a watch over
//! commands that meet them: that they end, and how much memory they take.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};

use crate::broker::{listen, server_config};
use crate::cli::{Cli, Outcome};

/// A command that takes longer is taken to hang; the time-outs in these tests are a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two bytes of a server that drips: far less than any time-out.
const DROP: Duration = Duration::from_millis(100);

/// A TLS connection, from the server's side.
pub type Stream = StreamOwned<ServerConnection, TcpStream>;

/// A TLS server that does one thing with each connection, which is closed afterwards. Returns its port.
///
/// # Panics
///
/// When it cannot be started with the certificate in the directory.
pub fn tls(cli: &Cli, each: impl Fn(&mut Stream) + Send + Sync + 'static) -> u16 {
    let (config, each) = (server_config(cli), Arc::new(each));
    listen(move |stream| {
        let (config, each) = (Arc::clone(&config), Arc::clone(&each));
        thread::spawn(move || {
            let connection = ServerConnection::new(config).expect("a connection");
            let mut stream = StreamOwned::new(connection, stream);
            each(&mut stream);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        });
    })
}

/// A web server: `answer` gets the first line of each request, and the connection. Returns its port.
///
/// # Panics
///
/// As [`tls`].
pub fn https(cli: &Cli, answer: impl Fn(&str, &mut Stream) + Send + Sync + 'static) -> u16 {
    https_heads(cli, move |head, stream| answer(head.lines().next().unwrap_or_default(), stream))
}

/// The same, but `answer` gets all header fields too.
///
/// # Panics
///
/// As [`tls`].
pub fn https_heads(cli: &Cli, answer: impl Fn(&str, &mut Stream) + Send + Sync + 'static) -> u16 {
    tls(cli, move |stream| {
        let (mut head, mut octet) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut octet) {
                Ok(1) => head.push(octet[0]),
                _ => return,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length = |line: &str| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        };
        // Closing with a request half read would throw the answer away.
        let mut body = vec![0; head.lines().find_map(length).unwrap_or(0)];
        let _ = stream.read_exact(&mut body);
        answer(&head, stream);
    })
}

/// A whole answer of JSON.
pub fn json(stream: &mut Stream, status: &str, body: &str) {
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.flush();
}

/// The beginning of an answer of JSON that ends with the connection.
pub fn begin(stream: &mut Stream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
    let _ = stream.flush();
}

/// Sends byte by byte, with pauses, as long as somebody listens; the last one again and again.
pub fn drip(stream: &mut impl Write, bytes: &[u8]) {
    let last = bytes.last().copied().unwrap_or(b' ');
    for octet in bytes.iter().copied().chain(std::iter::repeat(last)) {
        if stream.write_all(&[octet]).and_then(|()| stream.flush()).is_err() {
            return;
        }
        thread::sleep(DROP);
    }
}

/// Sends the same again and again, as fast as it is taken, as long as somebody listens.
pub fn pour(stream: &mut impl Write, piece: &[u8]) {
    while stream.write_all(piece).is_ok() {}
}

/// Sends bytes in one record of TLS, of which the last ones come in drops.
///
/// # Panics
///
/// When TLS does not take them.
pub fn drip_record(stream: &mut Stream, bytes: &[u8]) {
    let _ = stream.flush();
    stream.conn.writer().write_all(bytes).expect("it is short");
    let mut record = Vec::new();
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut record).expect("memory takes it");
    }
    for octet in record {
        if stream.sock.write_all(&[octet]).is_err() {
            return;
        }
        thread::sleep(DROP * 10);
    }
}

/// Runs a command against such a server: how it ended, and the most memory that it has had, in KiB; 0 where
/// the system does not tell.
///
/// # Panics
///
/// When it does not end, or not as a command should.
pub fn survive(cli: &Cli, line: &str) -> (Outcome, u64) {
    survive_with(cli, line, &[])
}

/// The same with variables.
///
/// # Panics
///
/// As [`survive`].
pub fn survive_with(cli: &Cli, line: &str, variables: &[(&str, &str)]) -> (Outcome, u64) {
    let [stdout, stderr] = ["survive.out", "survive.err"].map(|name| cli.path(name));
    let file = |path| Stdio::from(fs::File::create(path).expect("a file"));
    let mut command = cli.command(line);
    command.envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(file(&stdout)).stderr(file(&stderr));
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{line}: {e}"));
    let (end, mut most) = (Instant::now() + PATIENCE, 0);
    let status = loop {
        most = most.max(peak(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait().expect("the system knows its children") {
            break status;
        }
        if Instant::now() > end {
            let _ = child.kill();
            panic!("{line}: it does not end");
        }
        thread::sleep(Duration::from_millis(2));
    };
    let read = |path| fs::read(path).expect("what it said");
    let output = Output { status, stdout: read(&stdout), stderr: read(&stderr) };
    (Outcome::of(line, &output), most)
}

/// The most memory that a process has had, in KiB; none if it is over, or has not begun.
pub fn peak(pid: u32) -> Option<u64> {
    // Linux wakes the one who started a program just before the program gets a memory of its own (`exec_mmap`): until
    // then these are the figures of this test, with all that its servers pour.
    let program = |of: &str| fs::read_link(format!("/proc/{of}/exe")).ok();
    if program(&pid.to_string())? == program("self")? {
        return None;
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}
