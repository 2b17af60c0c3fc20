//! A network that can be cut: one of the kernel's namespaces with a cable to this one, or, where that is not allowed, a
//! relay that passes nothing on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// A network with one machine in it.
#[derive(Debug)]
pub struct Network {
    way: Way,
    cut: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Way {
    /// Its name, which this side of the cable has too.
    Namespace(String),
    Relay,
}

/// The addresses of the cable's two ends.
const HERE: &str = "10.231.77.1";
const THERE: &str = "10.231.77.2";

impl Network {
    /// Makes one.
    pub fn new() -> Self {
        let name = format!("c8y{}", std::process::id());
        let there = format!("{name}b");
        let lines = [
            format!("netns add {name}"),
            format!("link add {name} type veth peer name {there} netns {name}"),
            format!("addr add {HERE}/30 dev {name}"),
            format!("link set {name} up"),
            format!("-n {name} addr add {THERE}/30 dev {there}"),
            format!("-n {name} link set {there} up"),
        ];
        let cut = Arc::default();
        match lines.iter().all(|line| ip(line)) {
            true => Self { way: Way::Namespace(name), cut },
            false => {
                ip(&format!("netns del {name}"));
                Self { way: Way::Relay, cut }
            }
        }
    }

    /// What a server has to listen to.
    pub fn host(&self) -> &'static str {
        match self.way {
            Way::Namespace(_) => HERE,
            Way::Relay => "127.0.0.1",
        }
    }

    /// The port by which a server's port is reached from within.
    ///
    /// # Panics
    ///
    /// When there is no port for the relay.
    pub fn port(&self, server: u16) -> u16 {
        match self.way {
            Way::Namespace(_) => server,
            Way::Relay => relay(server, &self.cut),
        }
    }

    /// What stands before a command that runs in it.
    pub fn words(&self) -> Vec<String> {
        match &self.way {
            Way::Namespace(name) => ["ip", "netns", "exec", name].map(str::to_owned).to_vec(),
            Way::Relay => Vec::new(),
        }
    }

    /// Cuts it: what is sent does not arrive, and nobody says so.
    ///
    /// # Panics
    ///
    /// When that is not possible.
    pub fn cut(&self) {
        self.set(true);
    }

    /// Puts it together again.
    ///
    /// # Panics
    ///
    /// When that is not possible.
    pub fn join(&self) {
        self.set(false);
    }

    fn set(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
        if let Way::Namespace(name) = &self.way {
            let state = if cut { "down" } else { "up" };
            assert!(ip(&format!("-n {name} link set {name}b {state}")));
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Way::Namespace(name) = &self.way {
            // The cable goes with it.
            ip(&format!("netns del {name}"));
        }
    }
}

fn ip(line: &str) -> bool {
    let said = Command::new("ip").args(line.split(' ')).output();
    said.is_ok_and(|said| said.status.success())
}

/// Passes on what is sent to the port that it returns, unless the network is cut. A connection that was there then is
/// closed when it is put together again.
fn relay(server: u16, cut: &Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let cut = Arc::clone(cut);
    spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
            let twins = (client.try_clone(), server.try_clone());
            let (Ok(client_2), Ok(server_2)) = twins else { continue };
            for (from, to) in [(client, server_2), (server, client_2)] {
                let cut = Arc::clone(&cut);
                spawn(move || pump(from, to, &cut));
            }
        }
    });
    port
}

fn pump(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let mut bytes = [0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        let is_lost = cut.load(Ordering::SeqCst);
        while cut.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(20));
        }
        if is_lost || to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
