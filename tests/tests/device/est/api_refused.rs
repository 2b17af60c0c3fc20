//! What the API refuses: who is not known, what a token is not for, and what is no request.

use serde_json::json;

use super::Site;

#[test]
fn who_has_no_token_learns_nothing() {
    let Some(mut site) = Site::new() else { return };
    let token = site.token("mes --role read");
    let paths = ["/v1/devices/gw-1", "/v1/devices/nobody", "/v1/nothing", "/v1/", "/metrics"];
    for path in paths {
        let refused = site.curl(path, &[]).expect(401);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"c8y-pki\""));
        refused.problem();
        // What a device may show is not for the API, and no method tells what there is.
        site.curl(path, &["--user", "gw-1:Once-4711-1"]).expect(401);
        site.curl(path, &["--request", "DELETE"]).expect(401);
    }
    let wrong = site.api("c8y-pki-token-00", paths[0], &[]).expect(401);
    assert!(
        wrong.header("www-authenticate").is_some_and(|text| text.ends_with("\"invalid_token\""))
    );
    site.api(&token[..token.len() - 1], paths[0], &[]).expect(401);
    site.api("", paths[0], &[]).expect(401);
    site.api(&token, paths[0], &[]).expect(200);

    // One that has ended, one that is removed, a file that is damaged.
    let kept = site.cli.text("pki/service-tokens.json");
    let ended = kept.replace("\"expires\": null", "\"expires\": \"2026-01-01T00:00:00Z\"");
    site.cli.write("pki/service-tokens.json", ended);
    let why = site.api(&token, paths[0], &[]).expect(401).problem();
    assert_eq!(why, "the token has ended on 2026-01-01T00:00:00Z");
    site.cli.write("pki/service-tokens.json", "{");
    site.api(&token, paths[0], &[]).expect(503).problem();
    site.cli.write("pki/service-tokens.json", kept);
    site.api(&token, paths[0], &[]).expect(200);
    site.cli.ok("serve token remove mes");
    site.api(&token, paths[0], &[]).expect(401);
    let (code, log) = site.stop();
    assert_eq!(code, 0);
    assert!(log.contains("service-tokens.json: ") && !log.contains(&token), "{log}");
}

#[test]
fn a_token_is_good_for_its_roles_cas_and_orders() {
    let Some(mut site) = Site::new() else { return };
    site.enrolled(1, "a");
    site.cli.write("x.csv", "id\nx-1\n");
    site.cli.ok("order create other --from x.csv --ca line");
    let forbidden = |token: &str, path: &str| site.api(token, path, &[]).expect(403).problem();
    let body = json!({"reason": "superseded"});

    let reads = site.token("reads --role read");
    site.issue(&reads, "/v1/orders/acme/devices/gw-1", "a").expect(403);
    site.send(&reads, "/v1/devices/gw-1/revoke", &body).expect(403);
    site.api(&reads, "/v1/devices/nobody", &[]).expect(404);
    let issues = site.token("issues --role issue");
    let why = forbidden(&issues, "/v1/devices/gw-1");
    assert_eq!(why, "the token issues does not have the role read");
    for path in ["/v1/orders/acme", "/v1/cas/line", "/v1/cas/line/crl", "/metrics"] {
        forbidden(&issues, path);
    }

    // What a token is not for looks as what there is not.
    let all = "--role read --role issue --role revoke";
    let other = site.token(&format!("other {all} --order other"));
    site.api(&other, "/v1/devices/x-1", &[]).expect(200);
    site.api(&other, "/v1/orders/other", &[]).expect(200);
    for path in ["/v1/devices/gw-1", "/v1/devices/nobody", "/v1/orders/acme", "/v1/orders/none"] {
        forbidden(&other, path);
    }
    site.issue(&other, "/v1/orders/acme/devices/gw-1", "a").expect(403);
    site.send(&other, "/v1/devices/gw-1/revoke", &body).expect(403);
    // A device of another order, in the path of its own.
    site.issue(&other, "/v1/orders/other/devices/gw-1", "a").expect(404);
    let root = site.token(&format!("root {all} --ca root"));
    site.api(&root, "/v1/cas/root", &[]).expect(200);
    for path in
        ["/v1/cas/line", "/v1/cas/none", "/v1/orders/acme", "/v1/devices/gw-1", "/v1/devices/x-1"]
    {
        forbidden(&root, path);
    }
    site.issue(&root, "/v1/orders/acme/devices/gw-1", "a").expect(403);
    site.send(&root, "/v1/devices/gw-1/revoke", &body).expect(403);

    // An order that was taken back.
    site.cli.ok("order revoke other --yes");
    site.request("x", "x-1");
    let why = site.issue(&issues, "/v1/orders/other/devices/x-1", "x").expect(409).problem();
    assert!(why.contains("other") && why.contains("taken back"), "{why}");
    assert_eq!(site.stop().0, 0);
    site.cli.ok("registry check");
}

#[test]
fn what_is_no_request_of_the_api_is_refused() {
    let Some(mut site) = Site::new() else { return };
    let token = site.token("all --role issue --role read --role revoke");
    for path in
        ["/v1/nothing", "/v1/devices", "/v1/devices/", "/v1/devices/gw-1/", "/v1/openapi.json/"]
    {
        site.api(&token, path, &[]).expect(404).problem();
    }
    for (path, method, allowed) in [
        ("/v1/devices/gw-1", "DELETE", "GET"),
        ("/v1/devices/gw-1", "POST", "GET"),
        ("/v1/devices/gw-1/revoke", "GET", "POST"),
        ("/v1/orders/acme/devices/gw-1", "PUT", "POST, GET"),
        ("/v1/openapi.json", "POST", "GET"),
    ] {
        let refused = site.api(&token, path, &["--request", method]).expect(405);
        assert_eq!(refused.header("allow"), Some(allowed), "{method} {path}");
        refused.problem();
    }
    let path = "/v1/orders/acme/devices/gw-1";
    site.api(&token, path, &["--data-binary", "{}"]).expect(415).problem();
    site.cli.write("large", "[".repeat(70_000));
    let json = ["--header", "Content-Type: application/json"];
    site.api(&token, path, &[&json[..], &["--data-binary", "@large"]].concat())
        .expect(413)
        .problem();
    site.cli.write("deep", "[".repeat(60_000));
    site.cli.write("odd", [0xff, 0x00, 0x1b]);
    for file in ["@deep", "@odd", "", "null", "{\"request\": \"\\u001b]0;owned\\u0007\"}"] {
        let words = [&json[..], &["--data-binary", file]].concat();
        let why = site.api(&token, path, &words).expect(400).problem();
        assert!(!why.contains('\u{1b}'), "{why}");
    }
    site.api(&token, "/v1/devices/%FF", &[]).expect(400).problem();
    let why = site.api(&token, "/v1/devices/%1B%5D0;x%07", &[]).expect(404).problem();
    assert!(!why.contains('\u{1b}'), "{why}");

    // Too many tokens that are none. Who has one is let in all the same.
    let wrong = |n: u32| site.api(&format!("c8y-pki-token-{n}"), "/v1/cas/line", &[]);
    let answers: Vec<_> = (0..11).map(wrong).collect();
    assert!(answers[..10].iter().all(|answer| answer.status == 401), "{answers:?}");
    assert_eq!(answers[10].status, 429);
    let seconds = answers[10].header("retry-after").and_then(|text| text.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| (1..=61).contains(&seconds)), "{}", answers[10].head);
    answers[10].problem();
    site.api(&token, "/v1/cas/line", &[]).expect(200);
    let (code, log) = site.stop();
    assert_eq!(code, 0);
    assert!(!log.contains('\u{1b}') && !log.contains("panicked"), "{log}");
}
