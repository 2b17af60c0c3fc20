//! EST (RFC 7030) for devices of one CA of the PKI directory: a service that signs over TLS.
//!
//! A device that has a one-time password, of its order or of a file, gets its first certificate with it. A device that
//! has a live certificate renews with that. Who asks is judged after the handshake, against the registry, where the
//! answer can be a sentence; [`Pki::issue`](crate::pki::Pki::issue) decides the rest and records each certificate
//! before it is answered. HTTP/1.1 only; not served are CMC, keys made by the server, SCEP, CMP and BRSKI.
//!
//! | file | for |
//! | --- | --- |
//! | `limits` | how large, how long, how many |
//! | `error` | why the service does not start |
//! | `log` | what it tells of each request |
//! | `answer` | answers and refusals |
//! | `call` | a request, read whole |
//! | `token` | a bearer token of the API, or a client certificate in place of one: what it is good for |
//! | `client` | which client certificates are taken |
//! | `tokens` | the file that keeps what tells them |
//! | `passwords` | one-time passwords of a file |
//! | `identity` | its own certificate and key |
//! | `clients` | client certificates in the handshake |
//! | `tls` | TLS, made anew when other CAs are to be named |
//! | `usual` | how certificates are made where no order says something else |
//! | `counts` | what it has done, as numbers |
//! | `strangers` | addresses that show tokens that are none |
//! | `state` | what all requests share |
//! | `terms` | how one device's certificate is made |
//! | `auth` | who asks |
//! | `sign` | a request is signed, from EST and from the API |
//! | `enrol` | first and further certificates over EST |
//! | `api` | the same, and more, as JSON |
//! | `page` | a page for the person at the line, which asks the API |
//! | `route` | which request is for what |
//! | `watch` | files that are replaced while it runs |
//! | `listen` | connections, and how an answer leaves |
//! | `service` | starts and stops all of it |

mod answer;
mod api;
mod auth;
mod call;
mod client;
mod clients;
mod counts;
mod enrol;
mod error;
mod identity;
mod limits;
mod listen;
mod log;
mod page;
mod passwords;
mod route;
mod service;
mod sign;
mod state;
mod strangers;
mod terms;
mod tls;
mod token;
mod tokens;
mod usual;
mod watch;

pub use error::ServeError;
pub use identity::Identity;
pub use log::Entry;
pub use service::{Service, Settings};
pub use token::{NewToken, Token, TokenRole};
pub use tokens::{add_token, remove_token, tokens};
pub use usual::Usual;
