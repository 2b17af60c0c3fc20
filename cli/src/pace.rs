//! How fast devices are connected, and how many files that may take.

use std::num::NonZeroU32;

use c8y_pki_engine::device::check::Pace;
use clap::Args;

/// How fast devices begin to connect.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct RateArgs {
    /// Most devices that begin to connect in a second, so that the tenant is not flooded. By default 100, and no limit
    /// if the host is this computer (localhost), where a sandbox runs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: Option<u32>,
}

impl RateArgs {
    /// How fast devices connect to that host.
    pub(crate) fn pace(self, host: &str) -> Pace {
        let pace = Pace::for_host(host);
        Pace { rate: self.rate.and_then(NonZeroU32::new).or(pace.rate), ..pace }
    }
}

/// Lets as many connections be open as the system allows this process files: what it starts with is often
/// 1024. Where that cannot be raised, fewer find room, which is no reason not to start.
pub(crate) fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let maximum = getrlimit(Resource::Nofile).maximum;
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}
