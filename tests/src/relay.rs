//! A way between a client and a server that can be cut, as a network is.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Connections that go on, and whether new ones are let through.
#[derive(Debug)]
struct Way {
    open: bool,
    streams: Vec<TcpStream>,
}

/// Passes bytes from a port of its own to another one of this machine.
#[derive(Debug)]
pub struct Relay {
    /// Where it listens, on localhost.
    pub port: u16,
    way: Arc<Mutex<Way>>,
}

impl Relay {
    /// A way to a port that is open.
    ///
    /// # Panics
    ///
    /// When there is no port to listen on.
    pub fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let way = Arc::new(Mutex::new(Way { open: true, streams: Vec::new() }));
        let shared = Arc::clone(&way);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let mut way = shared.lock().expect("nobody panics with it");
                // A connection that is dropped is closed.
                if way.open
                    && let Ok(server) = TcpStream::connect(("127.0.0.1", target))
                {
                    way.join(client, server);
                }
            }
        });
        Self { port, way }
    }

    /// Ends all connections, and lets none through until [`Relay::mend`].
    ///
    /// # Panics
    ///
    /// When a thread of its own has panicked.
    pub fn cut(&self) {
        let mut way = self.way.lock().expect("nobody panics with it");
        way.open = false;
        for stream in way.streams.drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections through again.
    ///
    /// # Panics
    ///
    /// As [`Relay::cut`].
    pub fn mend(&self) {
        self.way.lock().expect("nobody panics with it").open = true;
    }
}

impl Way {
    fn join(&mut self, client: TcpStream, server: TcpStream) {
        let both = [(&client, &server), (&server, &client)];
        for (from, to) in both {
            let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
            thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
                let _ = from.shutdown(Shutdown::Both);
            });
        }
        self.streams.extend([client, server]);
    }
}
