//! How large, how long, how many. All are ours unless they name a source.

use std::time::Duration;

/// Bytes of a body: the request of an ML-DSA-87 key in base64 has some 10,000 (FIPS 204, table 2).
pub(super) const BODY: usize = 64 * 1024;

/// Bytes of a body that is too large, which are read and thrown away: a client that is still sending when the connection
/// is closed does not get the answer.
pub(super) const THROWN_AWAY: usize = 1 << 20;

/// Bytes of the head of a request, the largest buffer of a connection: names and passwords are short.
pub(super) const HEAD: usize = 16 * 1024;

/// Header fields of a request.
pub(super) const FIELDS: usize = 64;

/// Connections at the same time. Those that come beyond it wait in the system's queue.
pub(super) const CONNECTIONS: usize = 256;

/// Requests that are worked on at the same time: each has a thread, and each thread a connection to the registry.
pub(super) const TURNS: usize = 16;

/// How long a request waits for its turn; then the answer is 503.
pub(super) const TURN: Duration = Duration::from_secs(10);

/// How many seconds a client is to wait after a 503.
pub(super) const RETRY_AFTER: u32 = 5;

/// For a handshake.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(10);

/// For the head of a request, from the end of the one before.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(15);

/// For a body.
pub(super) const BODY_TIME: Duration = Duration::from_secs(15);

/// For a connection as a whole, however many requests it carries; one that is worked on is still answered.
pub(super) const CONNECTION: Duration = Duration::from_secs(120);

/// For what is under way when the service stops, or a connection comes to its end.
pub(super) const FINISH: Duration = Duration::from_secs(10);

/// How long a wrong password is pondered: with all connections, some 500 guesses a second, where a password made here
/// has 116 bits.
pub(super) const WRONG: Duration = Duration::from_millis(500);

/// Tokens that are none, of one address within [`STRANGER`]; further ones are answered 429.
pub(super) const WRONG_TOKENS: u32 = 10;

/// How long an address is remembered that has shown a token that is none.
pub(super) const STRANGER: Duration = Duration::from_secs(60);

/// Addresses that are remembered. One more takes the place of all that are remembered: guesses cost half a second
/// all the same, and a token has 256 bits.
pub(super) const STRANGERS: usize = 10_000;

/// For how many seconds at most a revocation list may be kept by who has fetched it: a newer one may be made before the
/// next one is due.
pub(super) const LIST_KEPT: i64 = 300;

/// How often files are looked at that may be replaced.
pub(super) const LOOK: Duration = Duration::from_secs(2);

/// Lines of the log that wait for their reader; then requests wait too.
pub(super) const LINES: usize = 1024;
