use super::*;
use crate::failure::Failure;

fn problem(text: &str) -> String {
    text.parse::<AltName>().unwrap_err().to_string()
}

#[test]
fn good_names_of_every_form_are_shown_as_they_were_written() {
    for text in [
        "DNS:broker.example.com",
        "DNS:localhost",
        "DNS:*.plant-7.example.com",
        "DNS:xn--bcher-kva.example",
        "IP:192.0.2.7",
        "IP:2001:db8::7",
        "URI:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        "URI:https://user@broker.example.com:8883/a?b=%20,c#d",
        "URI:opc.tcp://[2001:db8::7]:4840/",
        "email:line.7@example.com",
        "hardwareModuleName:1.3.6.1.4.1.32473.7:SN:7",
    ] {
        let name: AltName = text.parse().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(name.to_string(), text);
    }
    let shown = "dns:A.example.com".parse::<AltName>().unwrap().to_string();
    assert_eq!(shown, "DNS:A.example.com");
}

#[test]
fn malformed_names_are_refused_with_the_rule() {
    for (text, rule) in [
        ("broker.example.com", "does not begin with DNS:"),
        ("RID:1.2.3", "none of DNS, IP, URI"),
        ("DNS:", "empty label"),
        ("DNS:a..b", "empty label"),
        ("DNS:my_host.example.com", "letters, digits and hyphens, not '_'"),
        ("DNS:a b", "not ' '"),
        ("DNS:-a.com", "hyphen"),
        ("DNS:a-.com", "hyphen"),
        ("DNS:ab--c.com", "RFC 5890, 2.3.1"),
        ("DNS:xn--a.com", "no A-label"),
        ("DNS:bücher.example", "A-labels"),
        ("DNS:192.0.2.7", "as in an address"),
        ("DNS:a.com.", "ends with a dot"),
        ("DNS:*", "wildcard"),
        ("DNS:*.com", "top-level domain"),
        ("DNS:f*.example.com", "RFC 6125"),
        ("DNS:a.*.example.com", "RFC 6125"),
        ("DNS:*.*.example.com", "RFC 6125"),
        ("IP:192.0.2.0/24", "no address"),
        ("IP:10.1", "no address"),
        ("IP:fe80::1%eth0", "no address"),
        ("IP:::ffff:192.0.2.7", "IPv4 address in the form of IPv6"),
        ("IP:0.0.0.0", "no server"),
        ("URI:/relative", "has a scheme"),
        ("URI:1a:b", "no scheme"),
        ("URI:urn:", "behind its scheme"),
        ("URI:urn:a b", "percent-encoded"),
        ("URI:urn:ü", "percent-encoded"),
        ("URI:urn:a%2", "two hex digits"),
        ("URI:https:///path", "its host \"\""),
        ("URI:https://a_b/path", "its host \"a_b\""),
        ("email:line", "has an @"),
        ("email:a b@example.com", "local part"),
        ("email:a@b@example.com", "its domain"),
        ("hardwareModuleName:SN-7", "OID:SERIAL"),
        ("hardwareModuleName:1:SN-7", "no object identifier"),
        ("hardwareModuleName:1.3.6.1:", "serial number"),
    ] {
        let error = problem(text);
        assert!(error.contains(rule), "{text}: {error}");
        assert!(error.starts_with(&format!("{text:?} is no name")), "{error}");
    }
    let long = format!("DNS:{}.com", "a".repeat(64));
    assert!(problem(&long).contains("at most 63"));
    let long = format!("DNS:{}com", "abcdefgh.".repeat(30));
    assert!(problem(&long).contains("at most 253"));
}

#[test]
fn a_hint_gives_the_name_that_was_meant() {
    let hint = |text: &str| text.parse::<AltName>().unwrap_err().hint().unwrap().to_string();
    assert_eq!(hint("192.0.2.7"), "write IP:192.0.2.7");
    assert_eq!(hint("broker"), "write DNS:broker");
    assert_eq!(hint("DNS:192.0.2.7"), "write IP:192.0.2.7");
    assert_eq!(hint("DNS:bücher.example"), "write DNS:xn--bcher-kva.example");
    assert_eq!(hint("IP:::ffff:192.0.2.7"), "write IP:192.0.2.7");
}

#[test]
fn lists_are_split_where_a_name_begins() {
    let names = AltName::parse_list("DNS:a.com, IP:192.0.2.7,URI:https://a.com/x,y,ip:2001:db8::1");
    let shown: Vec<String> = names.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["DNS:a.com", "IP:192.0.2.7", "URI:https://a.com/x,y", "IP:2001:db8::1"]);
    assert!(AltName::parse_list("DNS:a.com,b.com").is_err());
    assert!(AltName::parse_list("").is_err());
}

#[test]
fn what_was_written_is_read_from_the_extension_again() {
    let list = "DNS:*.a.com,IP:192.0.2.7,IP:2001:db8::7,URI:urn:x:1,email:a@b.com";
    let names = AltName::parse_list(list).unwrap();
    assert_eq!(AltName::all_of_extension(&extension_value(&names)).unwrap(), names);
    let hardware: AltName = "hardwareModuleName:1.3.6.1.4.1.32473.7:SN-7".parse().unwrap();
    let error = AltName::all_of_extension(&extension_value(&[hardware])).unwrap_err();
    assert!(error.to_string().contains("otherName"), "{error}");
    assert!(AltName::all_of_extension(&[0x30, 0]).is_err());
}

#[test]
fn patterns_hold_the_identifier() {
    let fill = |pattern: &str, id: &str| AltNamePattern::parse(pattern).unwrap().fill(id);
    let uri = fill("URI:urn:example:{id}", "gw ü/7").unwrap().to_string();
    assert_eq!(uri, "URI:urn:example:gw%20%C3%BC%2F7");
    let hardware = fill("hardwareModuleName:1.3.6.1.4.1.32473.7:{id}", "gw ü").unwrap();
    assert_eq!(hardware.to_string(), "hardwareModuleName:1.3.6.1.4.1.32473.7:gw ü");
    assert_eq!(fill("DNS:{id}.plant", "gw-7").unwrap().to_string(), "DNS:gw-7.plant");
    assert!(fill("DNS:{id}.plant", "gw_7").unwrap_err().problem.contains("not '_'"));
    for bad in ["IP:{id}", "DNS:{name}.plant", "{id}", "URI:{id}"] {
        assert!(AltNamePattern::parse(bad).is_err(), "{bad}");
    }
}
