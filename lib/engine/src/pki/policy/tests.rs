use super::*;
use proptest::prelude::*;

fn policy(text: &str) -> SigningPolicy {
    SigningPolicy::new("line", &toml::from_str(text).unwrap()).unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

#[test]
fn fields_are_supplied_match_or_free() {
    let own = name("CN=Line,OU=B,OU=A,O=Example,C=DE");
    let policy = policy("C = 'match'\nOU = 'match'\nO = 'supplied'\nL = 'optional'");
    assert_eq!(policy.to_string(), "C match, L optional, O supplied, OU match");
    let check = |subject| policy.check_subject(&own, &name(subject));
    assert_eq!(check("CN=d,OU=B,OU=A,O=Other,C=DE"), Ok(()));
    assert_eq!(check("CN=d,L=X,OU=B,OU=A,O=Other,C=DE"), Ok(()));
    let error = check("CN=d,OU=B,OU=A,O=Other,C=FR").unwrap_err().to_string();
    assert_eq!(error, "the policy of the CA line wants C \"DE\" as in its own subject, not \"FR\"");
    assert!(matches!(check("CN=d,OU=A,O=Other,C=DE"), Err(PolicyError::Differs { .. })));
    let error = check("CN=d,OU=B,OU=A,C=DE").unwrap_err().to_string();
    assert!(error.contains("wants O in the subject, and CN=d,OU=B,OU=A,C=DE has none"), "{error}");
}

#[test]
fn ids_fit_patterns_or_a_list() {
    let text = "ids = ['GW-*', 'SN00??']\nexact_ids = ['special-2']";
    let mut raw: RawPolicy = toml::from_str(text).unwrap();
    raw.list("# these too\nspecial-1\n\n");
    let policy = SigningPolicy::new("line", &raw).unwrap();
    let check = |id: &str| policy.check_id(&DeviceId::parse(id).unwrap());
    for good in ["GW-1", "GW-", "SN0042", "special-1", "special-2"] {
        assert_eq!(check(good), Ok(()), "{good}");
    }
    for bad in ["gw-1", "SN004", "SN00423", "special-3", "special-*", "XGW-1"] {
        let error = check(bad).unwrap_err().to_string();
        assert!(error.ends_with("it signs GW-*, SN00??, the 2 id(s) of its list"), "{error}");
    }
}

#[test]
fn unknown_fields_and_rules_are_refused() {
    let raw: RawPolicy = toml::from_str("X = 'match'").unwrap();
    assert!(SigningPolicy::new("line", &raw).unwrap_err().contains("\"X\""));
    assert!(toml::from_str::<RawPolicy>("C = 'sometimes'").is_err());
}

proptest! {
    #[test]
    fn patterns_agree_with_a_simple_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
        fn slow(p: &[u8], t: &[u8]) -> bool {
            match (p, t) {
                ([], []) => true,
                ([b'*', rest @ ..], _) =>
                    slow(rest, t) || (!t.is_empty() && slow(p, &t[1..])),
                ([c, p @ ..], [d, t @ ..]) => (*c == b'?' || c == d) && slow(p, t),
                _ => false,
            }
        }
        prop_assert_eq!(fits(&pattern, &text), slow(pattern.as_bytes(), text.as_bytes()));
    }
}
