//! Defaults of validities that do not contradict each other.

use c8y_pki_tests::cli::{CA_PW, Cli};

#[test]
fn a_validity_that_nobody_asked_for_gives_way_to_the_issuers_end() {
    let cli = Cli::new();
    cli.ok(&format!("ca init --subject CN=Root --key-type ec-p256 {CA_PW} --days 3650"));
    let add = |name: &str, parent: &str, more: &str| {
        format!(
            "ca add {name} --parent {parent} --subject CN={name} --key-type ec-p256 {CA_PW} {more}"
        )
    };
    cli.ok(&add("i1", "root", ""));
    let said = cli.run(&add("i2", "i1", "--days 3651")).expect(2).stderr;
    assert!(said.contains("after its issuer"), "{said}");
    let said = cli.run(&add("i2", "i1", "")).expect(0).stderr;
    assert!(said.contains("is shortened: its issuer CN=i1 ends on"), "{said}");
    cli.ok(&add("short", "root", "--days 30"));
    let said = cli.run(&format!("device issue d --ca short --out out {CA_PW}")).expect(0).stderr;
    assert!(said.contains("365 days is shortened"), "{said}");
    cli.ok("cert verify --trust pki/ca/root/cert.pem out/d/chain.pem");
}
