//! Ports for servers that have to be told one.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that systems give to those who ask for any (Linux: 32768 to 60999), so that no other test gets it
/// between the moment when it was found free and the moment when the server listens.
const FIRST: u16 = 20_000;

/// How many ports there are from [`FIRST`] on.
const MANY: u16 = 12_000;

/// A port of this computer that nobody listens on, another one each time.
///
/// # Panics
///
/// When there is none.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Tests are many processes: each begins somewhere else.
    let own = std::process::id() % u32::from(MANY);
    for _ in 0..MANY {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from((own * 61 + step) % u32::from(MANY)).expect("small");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {FIRST} on is free");
}
