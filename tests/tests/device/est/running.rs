//! The service itself: its certificate, its start and its end.

use c8y_pki_tests::cli::CA_PW;

use super::Site;

#[test]
fn its_certificate_is_replaced_without_a_stop() {
    let Some(mut site) = Site::new() else { return };
    let own = site.cli.read("servers/est/key.pem");
    // A key that is not that of the certificate: what it has is used further.
    site.cli.ok("key new --type ec-p256 --plain --out other.key");
    site.cli.write("servers/est/key.pem", site.cli.read("other.key"));
    let entry = site.entry();
    assert_eq!((&entry["event"], &entry["what"]), (&"not-reloaded".into(), &"certificate".into()));
    assert!(
        entry["reason"].as_str().is_some_and(|why| why.contains("is not the key of")),
        "{entry}"
    );
    site.curl("/healthz", &[]).expect(200);
    assert_eq!(site.entry()["path"], "/healthz");
    site.cli.write("servers/est/key.pem", own);
    assert_eq!(site.entry()["event"], "reloaded");

    let serial = |site: &Site| {
        let connect =
            format!("s_client -connect {} -servername localhost -showcerts", site.address);
        let shown = site.openssl.run(&connect);
        site.openssl.write("shown.pem", shown);
        site.openssl.run("x509 -in @shown.pem -noout -serial")
    };
    let before = serial(&site);
    site.cli.ok(&format!("server renew est {CA_PW}"));
    while site.entry()["event"] != "reloaded" {}
    assert_ne!(serial(&site), before);
}

#[test]
fn it_says_when_it_is_ready_and_ends_when_it_is_told() {
    let Some(mut site) = Site::new() else { return };
    let taken = site.address.clone();
    let line = |with: &str| format!("serve --ca line {with} {CA_PW}");
    let busy = site.cli.run(&line(&format!("--server est --listen {taken}"))).expect(3);
    assert!(busy.error().starts_with(&format!("cannot listen on {taken}: ")), "{busy:?}");
    assert_eq!(site.stop().0, 0);
    site.start("--ready-file ready");
    let ready = site.cli.path("ready");
    site.service().until("the ready file", || ready.exists());
    assert_eq!(site.stop().0, 0);
    assert!(!site.cli.path("ready").exists());

    // What cannot be the service's certificate, or its passwords.
    site.cli.write("none.csv", "id\ngw-1\n");
    site.cli.ok(&format!("device issue gw-1 --ca line --out out {CA_PW}"));
    for (with, said) in [
        ("", "the service's own certificate is not named"),
        ("--server nobody", "the registry has no live certificate of the server \"nobody\""),
        ("--tls-cert out/gw-1/cert.pem --tls-key out/gw-1/key.pem", "is not for TLS servers"),
        ("--tls-cert out/gw-1/cert.pem --tls-key servers/est/key.pem", "is not the key of"),
        ("--tls-cert out/gw-1/cert.pem --tls-key pki/ca/root/key.pem", "password"),
        ("--server est --passwords order.csv --subject CN=x", "a device's common name is its id"),
        ("--server est --passwords none.csv", "no device in none.csv has a one-time password"),
        ("--server est --profile server", "profile \"server\" is for a server, not for a device"),
    ] {
        let refused = site.cli.run(&line(with)).expect(2);
        assert!(refused.error().contains(said), "{with}: {refused:?}");
    }

    // What is advised is what this command has.
    for (with, advised) in [
        ("--tls-cert servers/est/chain.pem --tls-key pki/ca/root/key.pem", "key passwd --plain"),
        ("--tls-cert servers/est/chain.pem --tls-key servers/est/chain.pem", "--tls-key FILE"),
        ("--tls-cert servers/est/chain.pem --tls-key gone.pem", "--tls-key FILE"),
        ("--tls-cert servers/est/chain.pem --tls-key out/gw-1/key.pem", "--tls-cert FILE"),
        ("--tls-cert servers/est/key.pem --tls-key servers/est/key.pem", "--tls-cert FILE"),
        ("--tls-cert gone.pem --tls-key servers/est/key.pem", "--tls-cert FILE"),
    ] {
        let refused = site.cli.run(&line(with));
        let hint = refused.stderr.lines().find_map(|line| line.strip_prefix("hint: "));
        assert!(hint.is_some_and(|hint| hint.contains(advised)), "{with}: {refused:?}");
    }
}
