//! Configurations that people have.

use super::*;
use crate::profile::PathLength;

fn wanted(text: &str) -> Wanted {
    Wanted::of(&Conf::parse(text).unwrap())
}

const RECIPE: &str = include_str!("../../../testdata/caConfig.cnf");

#[test]
fn the_recipe_becomes_its_classic_profiles() {
    let wanted = wanted(RECIPE);
    let names: Vec<&str> = wanted.profiles.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["v3_ca", "v3_ca-root", "v3_signed"]);
    let device = &wanted.profiles[2].profile;
    let classic = Profile::built_in("classic-device").unwrap();
    assert_eq!((device.kind, device.key), (Kind::Device, classic.key));
    assert_eq!((device.validity_days, device.extended_key_usage.len()), (375, 0));
    assert_eq!(device.key_usage, classic.key_usage);
    let line = &wanted.profiles[0].profile;
    assert_eq!((line.kind, line.path_length), (Kind::Intermediate, PathLength::Exactly(10)));
    assert_eq!(wanted.profiles[1].profile.kind, Kind::Root);
    let policy = "[policy.plant]\nC = \"optional\"\nCN = \"supplied\"\nO = \"optional\"\nOU = \"optional\"\n\
                  ST = \"optional\"\nemailAddress = \"optional\"\n";
    assert_eq!(wanted.policy_table("plant").as_deref(), Some(policy));
    assert_eq!((wanted.days, wanted.digest.as_deref()), (Some(375), Some("sha256")));
    // The recipe has no localityName in its policy: OpenSSL drops L, and that is said.
    let unmet: Vec<&str> = wanted.unmet.iter().map(|one| one.what.as_str()).collect();
    assert!(
        unmet.iter().any(|what| what.starts_with("[signing_policy]: `openssl ca` leaves")),
        "{unmet:?}"
    );
    assert!(!unmet.iter().any(|what| what.contains("cannot be imported")), "{unmet:?}");
}

#[test]
fn what_has_no_counterpart_is_named_with_its_line() {
    let text = "[ca]\ndefault_ca = x\n[x]\ndefault_md = sha1\ncopy_extensions = copy\ndefault_crl_days = 7\n\
        policy = p\nx509_extensions = dev\n[p]\nname = supplied\nC = sometimes\n[dev]\n\
        basicConstraints = CA:false\nkeyUsage = critical, digitalSignature\nextendedKeyUsage = serverAuth\n\
        subjectAltName = email:copy\n[odd]\na = 1\n";
    let wanted = wanted(text);
    assert!(wanted.profiles.is_empty(), "{:?}", wanted.profiles);
    let unmet: Vec<(usize, &str)> =
        wanted.unmet.iter().map(|one| (one.line, one.what.as_str())).collect();
    for (line, part) in [
        (4, "default_md = sha1: it is broken"),
        (5, "copy_extensions = copy: it cannot be imported"),
        (6, "default_crl_days = 7; say so for each list"),
        (10, "the policy's field name cannot be imported"),
        (11, "none of optional, supplied and match"),
        (12, "must hold \"clientAuth\""),
        (13, "basicConstraints is marked as critical"),
        (16, "subjectAltName (= email:copy) is not imported: write subject_alt_name"),
        (17, "the section [odd] cannot be imported"),
    ] {
        assert!(
            unmet.iter().any(|(at, what)| *at == line && what.contains(part)),
            "{part}: {unmet:?}"
        );
    }
}

#[test]
fn defaults_and_fixed_values_are_fields_of_the_subject() {
    let asked = "[req]\ndistinguished_name = d\n[d]\ncountryName = Country\ncountryName_default = DE\n\
        0.organizationName_default = A \\\"B\\\" GmbH\norganizationalUnitName_default =\n\
        commonName_default = x\ncountryName_max = 2\n[dev]\nkeyUsage = digitalSignature\n";
    let wanted = wanted(asked);
    assert_eq!(wanted.subject, [("C", "DE".to_owned()), ("O", "A \"B\" GmbH".to_owned())]);
    let profile = &wanted.profiles[0].profile;
    assert!(profile.subject.contains(&("O".to_owned(), "A \"B\" GmbH".to_owned())), "{profile:?}");
    assert!(wanted.unmet.iter().any(|one| one.what.starts_with("commonName_default")));
    let fixed = "[req]\nprompt = no\ndistinguished_name = d\n[d]\nC = Germany\nOU.1 = A\nO = B\n";
    let wanted = super::Wanted::of(&Conf::parse(fixed).unwrap());
    assert_eq!(wanted.subject, [("O", "B".to_owned())]);
    assert!(wanted.unmet.iter().any(|one| one.what.contains("Germany")), "{:?}", wanted.unmet);
}

#[test]
fn values_of_the_environment_are_named() {
    let text = "[ca]\ndefault_ca = x\n[x]\ndefault_days = $ENV::DAYS\nx509_extensions = dev\n[dev]\n\
        basicConstraints = critical, CA:FALSE\n";
    let wanted = wanted(text);
    assert_eq!(wanted.days, None);
    assert!(wanted.unmet.iter().any(|one| one.line == 4 && one.what.contains("${ENV::DAYS}")));
    assert_eq!(wanted.profiles[0].profile.key_usage, ["digitalSignature"]);
}
