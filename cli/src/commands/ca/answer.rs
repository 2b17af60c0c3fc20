//! `ca add --certificate`: a CA that waits takes the certificate for its request, and one that has a certificate takes
//! the next one.

use std::path::Path;

use c8y_pki_core::cert::Certificate;
use c8y_pki_core::crypto::KeyPolicy;
use time::OffsetDateTime;

use super::args::AddArgs;
use super::import;
use crate::clock;
use crate::failure::Result;
use crate::output::Output;
use crate::protocol::Protocol;
use crate::values;

pub(super) fn run(args: &AddArgs, dir: &Path, out: Output) -> Result {
    args.protocol.check()?;
    let keys = KeyPolicy { allow_exponent_3: args.allow_exponent_3 };
    let mut heap: Vec<Certificate> = Vec::new();
    for path in &args.certificate {
        heap.extend(values::certificates(path)?);
    }
    let now = OffsetDateTime::now_utc();
    let mut pki = clock::open(dir, now)?;
    if pki.waiting_ca(&args.name)?.is_none() {
        drop(pki);
        return import::again(args, &heap, keys, dir, out);
    }
    let answered = pki.take_answer(&args.name, &heap, keys, now)?;
    if let Some(asked) = &answered.asked {
        out.warning(&format!(
            "the certificate is for {}, and the request asked for {asked}",
            answered.ca.certificate().subject
        ));
    }
    let ca = &answered.ca;
    let out = out.beside(args.protocol.protocol.as_deref());
    let outcome = import::tell(ca, None, (None, None), now, out)?;
    let mut protocol =
        Protocol::new("a CA takes the certificate that was made for its request", now);
    for path in &args.certificate {
        protocol = protocol.file(path);
    }
    protocol.ca(ca).write(&args.protocol, out)?;
    Ok(outcome)
}
