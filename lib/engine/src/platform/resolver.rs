//! Names for reqwest, looked up so that nobody has to wait for a resolver that does not answer: reqwest's own
//! way would hold the end of its thread, and with it of the process, until the system's resolver is through.

use std::fmt;
use std::io;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::oneshot;

use crate::net;

/// Looks names up in threads of their own.
#[derive(Debug)]
pub(super) struct Resolver;

/// A name that does not resolve.
#[derive(Debug)]
pub(super) struct Unresolved(io::Error);

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Unresolved {}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (sender, answer) = oneshot::channel();
        // reqwest puts the port in.
        let begun = net::in_background(name.as_str().to_owned(), 0, move |found| {
            // Nobody waits any more when it is late.
            let _ = sender.send(found);
        });
        Box::pin(async move {
            begun.map_err(Unresolved)?;
            let gone = |_| Unresolved(io::Error::other("the resolver gave up"));
            let found = answer.await.map_err(gone)?.map_err(Unresolved)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
