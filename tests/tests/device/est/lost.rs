//! A service that is killed while a device asks.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{OTP, Site};

/// As many kills. Each falls where it falls: before the certificate is recorded, between that and the answer, or
/// after it.
const KILLS: u32 = 3;

#[test]
fn a_request_whose_answer_was_lost_gets_one_certificate() {
    let Some(mut site) = Site::new() else { return };
    for number in 1..=KILLS {
        let name = format!("k{number}");
        site.request(&name, &format!("gw-{number}"));
        let wal = site.cli.path("pki/registry.sqlite-wal");
        let before = std::fs::metadata(&wal).map_or(0, |file| file.len());
        let mut client = Command::new(site.curl.path())
            .current_dir(site.cli.path(""))
            .args(["--silent", "--max-time", "30", "--cacert", "pki/ca/root/cert.pem"])
            .args(["--user", &format!("gw-{number}:{OTP}{number}")])
            .args(["--header", "Content-Type: application/pkcs10"])
            .args(["--data-binary", &format!("@{name}.b64")])
            .arg(format!("{}/.well-known/est/simpleenroll", site.url()))
            .stdout(Stdio::null())
            .spawn()
            .expect("curl starts");
        // The moment at which something is written to the registry.
        let end = Instant::now() + Duration::from_secs(30);
        while std::fs::metadata(&wal).map_or(0, |file| file.len()) == before
            && client.try_wait().expect("a child").is_none()
            && Instant::now() < end
        {}
        site.service.take().expect("it runs").kill();
        client.wait().expect("it ends");

        site.start("");
        let first = site.enrol(number, &format!("{name}.b64")).expect(200);
        let again = site.enrol(number, &format!("{name}.b64")).expect(200);
        assert_eq!(first.body, again.body);
        let listed = site.cli.ok("device list --json");
        let own = listed.lines().filter(|line| line.contains(&format!("\"gw-{number}\""))).count();
        assert_eq!(own, 1, "{listed}");
    }
    assert_eq!(site.stop().0, 0);
    site.cli.ok("registry check");
}
