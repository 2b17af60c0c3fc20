//! Rows there and back, the platform's own examples, and what is refused.

use proptest::prelude::*;

use super::message::{Downstream, Upstream};
use super::text::needs_quotes;
use super::*;
use crate::secret::Password;

#[test]
fn values_are_quoted_where_the_rule_says_so() {
    for (value, written) in [
        ("plain", "plain"),
        ("two words", "two words"),
        ("a,b", "\"a,b\""),
        ("say \"hi\"", "\"say \\\"hi\\\"\""),
        (" lead", "\" lead\""),
        ("trail ", "\"trail \""),
        ("tab\there", "\"tab\there\""),
        ("line\nend", "\"line\nend\""),
        ("line\rend", "\"line\rend\""),
        ("back\\slash", "back\\slash"),
        ("end\\", "end\\"),
        ("", ""),
    ] {
        assert_eq!(write(&[["400", value]]).unwrap(), format!("400,{written}\n"), "{value:?}");
    }
}

#[test]
fn the_platforms_examples_come_out_and_go_in() {
    let will = Upstream::connection_lost().row();
    let text = write(&[&will]).unwrap();
    assert_eq!(text, "400,c8y_ConnectionEvent,Device connection was lost.\n");
    // The platform writes it with quotes that it does not need.
    let theirs = "400,c8y_ConnectionEvent,\"Device connection was lost.\"";
    assert_eq!(parse(theirs).unwrap(), [will]);

    let id = DeviceId::parse("child-1").unwrap();
    assert_eq!(child_topic(&id), "s/us/child-1");
    let (name, device_type) = ("Child, one".to_owned(), "c8y_MQTTChildDevice".to_owned());
    let child = Upstream::Child { id, name, device_type };
    assert_eq!(write(&[child.row()]).unwrap(), "101,child-1,\"Child, one\",c8y_MQTTChildDevice\n");
}

#[test]
fn credentials_and_tokens_are_secrets() {
    let payload = b"70,t12345,device_gw-1,pass-word\r\n71,ey.J.x\n\n510,gw-1\n";
    let found = Downstream::read(payload).unwrap();
    let credentials = Downstream::Credentials {
        tenant: "t12345".to_owned(),
        user: "device_gw-1".to_owned(),
        password: Password::new("pass-word"),
    };
    let other = Downstream::Other(vec!["510".to_owned(), "gw-1".to_owned()]);
    assert_eq!(found, [credentials, Downstream::Token(Password::new("ey.J.x")), other]);
    let shown = format!("{found:?}");
    assert!(!shown.contains("pass-word") && !shown.contains("ey.J"), "{shown}");

    let short = Downstream::read(b"70,t12345,user\n").unwrap_err();
    assert_eq!(short, SmartRestError::Values { number: "70", wanted: 4, found: 3 });
    assert_eq!(Downstream::read(b"71\n").unwrap_err().to_string().matches("71").count(), 1);
    assert_eq!(Downstream::read(b"\xff"), Err(SmartRestError::NotText));
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let ends = write(&[["400", "a,\\"]]).unwrap_err();
    assert_eq!(ends, SmartRestError::Backslash { value: "a,\\".to_owned() });
    assert_eq!(write(&[vec!["100"], vec![]]), Err(SmartRestError::NoNumber { row: 2 }));
    assert_eq!(write(&[["", "x"]]), Err(SmartRestError::NoNumber { row: 1 }));

    // 1 + 2 + 2 + 4 + 2 in front of the payload.
    let most = MAX_PACKET - 11;
    let value = "x".repeat(most - "400,t,\n".len());
    assert_eq!(payloads(PUBLISH, &[["400", "t", &value]]).unwrap()[0].len(), most);
    let longer = payloads(PUBLISH, &[["400", "t", &format!("{value}x")]]).unwrap_err();
    let bytes = MAX_PACKET + 1;
    assert_eq!(longer, SmartRestError::TooLong { topic: "s/us".to_owned(), bytes });
}

#[test]
fn what_cannot_be_read_is_refused() {
    for (text, error) in [
        ("100,\"open\n", SmartRestError::Unclosed { row: 1 }),
        ("100\n100,\"open\\\"", SmartRestError::Unclosed { row: 2 }),
        ("100,a\"b\n", SmartRestError::StrayQuote { row: 1 }),
        ("100,\"a\"b\n", SmartRestError::AfterQuote { row: 1, found: 'b' }),
        ("100,\"a\"\"b\"\n", SmartRestError::AfterQuote { row: 1, found: '"' }),
        (",a\n", SmartRestError::NoNumber { row: 1 }),
    ] {
        assert_eq!(parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn many_rows_share_payloads_in_their_order() {
    let rows: Vec<[String; 2]> =
        (0..3000).map(|n| ["400".to_owned(), format!("event {n}")]).collect();
    let payloads = payloads(PUBLISH, &rows).unwrap();
    assert_eq!(payloads.len(), write(&rows).unwrap().len().div_ceil(MAX_PACKET - 11));
    assert!(payloads.iter().all(|p| packet_length(PUBLISH, p.len()) <= MAX_PACKET));
    let read: Vec<_> = payloads.iter().flat_map(|p| parse(p).unwrap()).collect();
    assert_eq!(read, rows);
}

#[test]
fn a_device_that_exists_is_no_error() {
    for line in ["", " ", "41,100,Device already existing", "41,100,\"Device already existing\"\r"]
    {
        assert!(!tells_an_error(line), "{line}");
    }
    for line in
        ["41,100,No right", "40,999,There is no such template", "41,101,Device already existing"]
    {
        assert!(tells_an_error(line), "{line}");
    }
}

/// Values of what matters to the rules, and of anything.
fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[ ,\"\\\\\r\n\ta-c]{0,8}", any::<String>()]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        rows in prop::collection::vec(("[0-9]{1,4}", prop::collection::vec(value(), 0..5)), 0..6)
    ) {
        let rows: Vec<Vec<String>> =
            rows.into_iter().map(|(number, values)| [vec![number], values].concat()).collect();
        match write(&rows) {
            Ok(text) => prop_assert_eq!(parse(&text).unwrap(), rows),
            Err(SmartRestError::Backslash { value }) => {
                prop_assert!(value.ends_with('\\') && needs_quotes(&value));
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn anything_is_read_or_refused(text in any::<String>()) {
        if let Ok(rows) = parse(&text) {
            prop_assert!(rows.iter().all(|row| !row[0].is_empty()));
        }
    }
}
