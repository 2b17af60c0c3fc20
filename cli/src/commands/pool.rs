//! `key pool`: keys made ahead of time.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use c8y_pki_core::crypto::{KeyType, RsaKeys};
use c8y_pki_engine::pki::Pki;
use c8y_pki_engine::provision::Progress;
use clap::{Args, Subcommand};
use serde::Serialize;
use time::OffsetDateTime;

use crate::clock;
use crate::commands::ml_dsa;
use crate::failure::{Outcome, Result};
use crate::hint;
use crate::output::Output;
use crate::progress::Line;
use crate::render::{as_line, count, table};
use crate::secrets::known;
use crate::stop;
use crate::values::{self, threads};

/// Commands about the key pool.
#[derive(Debug, Subcommand)]
pub(crate) enum PoolCommand {
    /// Make keys until so many wait in the pool
    #[command(after_help = "\
The keys are in PKI/key-pool, each encrypted with the pool's password (PKCS#8, mode 0600). If it is
interrupted, the keys that were made stay: run the same command again. `device issue --key-pool`
uses each key once.

Examples:
  c8y-pki key pool fill --type rsa-4096 --count 5000
  c8y-pki key pool fill --type rsa-4096 --count 5000 --rsa-keys backend
  c8y-pki key pool fill --type rsa-2048 --count 1000 --pool-password-file pool.pw")]
    Fill(FillArgs),
    /// Show how many keys wait
    #[command(after_help = "\
Examples:
  c8y-pki key pool show
  c8y-pki key pool show --json")]
    Show,
}

/// Arguments of `key pool fill`.
#[derive(Debug, Args)]
pub(crate) struct FillArgs {
    /// rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384, ec-p521, ed25519,
    /// ml-dsa-44, ml-dsa-65 or ml-dsa-87
    #[arg(long = "type", value_name = "TYPE")]
    key_type: KeyType,
    /// Who makes RSA keys: own, the search of this program (fast; while it runs, a program that shares this
    /// computer's processor could learn something about the key), or backend, the crypto library, which takes
    /// about 1.6 times as long
    #[arg(long, value_name = "MAKER", default_value = "own", value_parser = values::rsa_keys)]
    rsa_keys: RsaKeys,
    /// How many keys are to wait in the end
    #[arg(long, value_name = "N")]
    count: usize,
    /// File with the password of the key pool [env: C8Y_PKI_POOL_PASSWORD]
    #[arg(long, value_name = "FILE")]
    pool_password_file: Option<PathBuf>,
    /// Number of threads; by default one per processor
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

#[derive(Serialize)]
struct Pool {
    #[serde(rename = "type")]
    key_type: &'static str,
    waiting: usize,
}

#[derive(Serialize)]
struct Filled {
    #[serde(flatten)]
    pool: Pool,
    made: usize,
    stopped: bool,
}

pub(crate) fn run(command: &PoolCommand, dir: &Path, out: Output) -> Result {
    match command {
        PoolCommand::Fill(args) => fill(args, &clock::open(dir, OffsetDateTime::now_utc())?, out),
        PoolCommand::Show => show(&clock::open_to_read(dir, out)?, out),
    }
}

fn fill(args: &FillArgs, pki: &Pki, out: Output) -> Result {
    args.key_type.check_available_by(args.rsa_keys)?;
    ml_dsa::warn(ml_dsa::of_new(args.key_type), out);
    let pool = pki.key_pool(args.key_type).made_by(args.rsa_keys);
    let source = known::pool(args.pool_password_file.as_ref());
    let password = if pool.is_new()? { source.new_one()? } else { source.existing()? };
    let line = Line::of(out, "keys");
    let stop = stop::on_interrupt();
    let threads = threads(args.threads);
    let registry = pki.registry();
    let made = pool.fill(registry, args.count, &password, threads, &stop, &|done, total| {
        // Keys come one by one. Each moves the bar; a few at a time are worth a line.
        if line.is_bar() || done.is_multiple_of(16) || done == total {
            line.set(Progress::of(done, total));
        }
    });
    line.finish();
    let stopped = stop.load(Ordering::Relaxed);
    let pool = Pool { key_type: args.key_type.name(), waiting: pool.len()? };
    let filled = Filled { pool, made: made?, stopped };
    out.result(&filled, |f| {
        let Pool { key_type, waiting } = f.pool;
        format!("{} of type {key_type} made; {waiting} in the pool\n", count(f.made, "key"))
    })?;
    if stopped && filled.pool.waiting < args.count {
        out.warning("interrupted; run the same command again to finish");
        return Ok(Outcome::Stopped);
    }
    Ok(Outcome::Done)
}

fn show(pki: &Pki, out: Output) -> Result {
    let mut pools = Vec::new();
    for key_type in KeyType::ALL {
        let waiting = pki.key_pool(key_type).len()?;
        if waiting > 0 {
            pools.push(Pool { key_type: key_type.name(), waiting });
        }
    }
    out.results(&pools, |pools| match pools {
        [] => as_line(&format!(
            "There is no key in the pool. `{}` makes some.",
            hint::with_pki("key pool fill --type TYPE --count N")
        )),
        pools => {
            let row = |p: &Pool| vec![p.key_type.to_owned(), p.waiting.to_string()];
            table(&["type", "waiting"], pools.iter().map(row).collect())
        }
    })?;
    Ok(Outcome::Done)
}
