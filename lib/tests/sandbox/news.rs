//! What the page asks for each second stays small, however many devices there are.

use c8y_pki_sandbox::Sandbox;
use serde_json::Value;

use crate::client::*;
use crate::faults::page;

/// What the page is answered: how many bytes, and the JSON.
fn ask(sandbox: &Sandbox, path: &str) -> (usize, Value) {
    let answer = page(sandbox, path);
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (answer.len(), serde_json::from_str(body).unwrap())
}

#[test]
fn it_does_not_grow_with_the_devices_and_comes_once() {
    let sandbox = start();
    let rows: String = (0..5_000).map(|n| format!("gw-{n};CERTIFICATES;t;n\n")).collect();
    register(&sandbox, &format!("ID;AUTH_TYPE;TYPE;NAME\n{rows}"));
    let (all, _) = ask(&sandbox, "/state.json");
    let (first, news) = ask(&sandbox, "/news.json");
    assert!(first < 40_000 && first * 10 < all, "{first} bytes of {all}");
    let tenant = &news["state"]["tenants"]["t1001"];
    assert_eq!(tenant["totals"]["devices"], 5_000);
    assert_eq!(tenant["devices"].as_array().map(Vec::len), Some(50));
    let last = news["connections"].as_array().unwrap().last().unwrap()["number"].clone();
    assert_eq!(last, news["requests"]);
    let had = format!("/news.json?after={last}&mark={}", news["mark"].as_str().unwrap());
    let (second, nothing) = ask(&sandbox, &had);
    assert!(second < 1_000, "{second} bytes for nothing new");
    assert_eq!(
        (&nothing["state"], nothing["connections"].as_array().map(Vec::len)),
        (&Value::Null, Some(0))
    );
    // One more device is told, and the request that brought it.
    register(&sandbox, "ID;AUTH_TYPE;TYPE;NAME\ngw-x;CERTIFICATES;t;n\n");
    let (_, more) = ask(&sandbox, &had);
    assert_eq!(more["state"]["tenants"]["t1001"]["totals"]["devices"], 5_001);
    assert_eq!(more["connections"].as_array().map(Vec::len), Some(1));
}
