use super::*;
use crate::crypto::{KeyType, RsaKeys};

#[test]
fn all_built_in_profiles_are_whole() {
    for (name, text) in BUILT_IN {
        let profile = Profile::parse(name, text).unwrap();
        assert!(!profile.description.is_empty(), "{name}");
        assert_eq!(
            profile.kind.is_ca(),
            !name.ends_with("device") && !name.ends_with("server"),
            "{name}"
        );
    }
}

#[test]
fn classic_profiles_are_the_recipe() {
    let device = Profile::built_in("classic-device").unwrap();
    assert_eq!((device.key, device.validity_days), (KeyType::Rsa4096, 365));
    let root = Profile::built_in("classic-root").unwrap();
    assert_eq!((root.validity_days, root.path_length), (7300, PathLength::Exactly(10)));
}

#[test]
fn a_profile_says_who_makes_rsa_keys() {
    let of = |name: &str, line: &str| {
        let (_, text) = BUILT_IN.iter().find(|(n, _)| *n == name).unwrap();
        Profile::parse("my.toml", &format!("{line}\n{text}"))
    };
    assert_eq!(of("classic-device", "").unwrap().rsa_keys, RsaKeys::Own);
    let backend = "rsa_keys = \"backend\"";
    assert_eq!(of("classic-device", backend).unwrap().rsa_keys, RsaKeys::Backend);
    // A CA has no choice.
    assert_eq!(of("root", "").unwrap().rsa_keys, RsaKeys::Backend);
    assert_eq!(of("root", backend).unwrap().rsa_keys, RsaKeys::Backend);
    let error = of("root", "rsa_keys = \"own\"").unwrap_err();
    assert_eq!(error.line, 1);
    assert!(error.problem.to_string().contains("contradicts kind = \"root\""), "{error}");
}

#[test]
fn faults_name_file_and_line() {
    let device = BUILT_IN[2].1;
    let faults = [
        (
            "kind = \"device\"",
            "kind = \"gadget\"",
            "`kind` cannot be \"gadget\": allowed are root,",
        ),
        ("key = \"ec-p256\"", "key = \"ec-p255\"", "is not one of"),
        ("key = \"ec-p256\"", "rsa_keys = \"openssl\"\nkey = \"ec-p256\"", "`rsa_keys` cannot be"),
        ("validity_days = 365", "validity_days = 0", "not between 1"),
        ("validity_days = 365", "validity = 365", "there is no key `validity`"),
        ("backdate_minutes = 60", "path_length = 1\nbackdate_minutes = 60", "contradicts kind"),
        ("\"digitalSignature\"", "\"digitalSignature\", \"keyCertSign\"", "cannot hold"),
        ("\"digitalSignature\"", "\"digitalSignature\", \"keyEncipherment\"", "contradicts key"),
        ("\"digitalSignature\"", "\"signature\"", "is not one of"),
        ("\"clientAuth\"", "\"serverAuth\"", "must hold"),
        ("\"clientAuth\"", "\"client\"", "neither clientAuth"),
        ("[\"clientAuth\"]", "[\"clientAuth\"]\n[subject]\nC = \"Germany\"", "country code"),
    ];
    for (old, new, expected) in faults {
        let text = device.replace(old, new);
        assert_ne!(text, device, "{old}");
        let error = Profile::parse("my.toml", &text).unwrap_err();
        assert!(error.problem.to_string().contains(expected), "{new}: {error}");
        let changed = device.lines().position(|l| l.contains(old)).unwrap() + 1;
        // The serde error of a missing field has no better place than the file's start.
        let line = if new.starts_with("[\"clientAuth\"]\n") { changed + 2 } else { changed };
        assert!(error.line == line || error.line == 1, "{new}: {error}");
    }
}

#[test]
fn a_flag_may_change_the_key_within_reason() {
    let classic = Profile::built_in("classic-device").unwrap();
    assert!(classic.clone().with_key(KeyType::Rsa2048).is_ok());
    assert!(classic.with_key(KeyType::EcP256).unwrap_err().contains("keyEncipherment"));
}
