//! The rules of the room, with a person and variables that are made up.

use std::cell::RefCell;
use std::path::PathBuf;

use c8y_pki_core::secret::Password;

use super::parent::{Above, KeyPlaces, above_or_own};
use super::source::Source;
use super::surroundings::Surroundings;
use super::weak::WeakArgs;
use super::{known, opening};
use crate::failure::{Failure, Result};
use crate::output::{Form, Output};

/// Variables, and what a person types; every question is kept.
#[derive(Debug, Default)]
struct Staged {
    variables: Vec<(&'static str, &'static str)>,
    typed: RefCell<Vec<&'static str>>,
    is_terminal: bool,
    asked: RefCell<Vec<String>>,
}

impl Staged {
    fn variable(name: &'static str, value: &'static str) -> Self {
        Self { variables: vec![(name, value)], ..Self::default() }
    }

    /// The last of them is typed first.
    fn person(typed: &[&'static str]) -> Self {
        Self { typed: RefCell::new(typed.to_vec()), is_terminal: true, ..Self::default() }
    }

    fn asked(&self) -> usize {
        self.asked.borrow().len()
    }
}

impl Surroundings for Staged {
    fn variable(&self, name: &str) -> Option<String> {
        let found = self.variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    }

    fn can_ask(&self) -> bool {
        self.is_terminal
    }

    fn ask(&self, question: &str) -> Result<Password> {
        self.asked.borrow_mut().push(question.to_owned());
        Ok(Password::new(self.typed.borrow_mut().pop().unwrap_or_default().to_owned()))
    }
}

fn within<'a>(source: Source<'a>, outside: &'a dyn Surroundings) -> Source<'a> {
    Source { outside, ..source }
}

fn file(dir: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = dir.path().join("secret");
    std::fs::write(&path, text).unwrap();
    path
}

fn hint(failure: &Failure) -> String {
    failure.hint().map(|hint| hint.to_string()).unwrap_or_default()
}

#[test]
fn a_file_comes_before_the_variable_and_that_before_a_person() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "of-file\nsecond line\n");
    let all = Staged {
        variables: vec![("C8Y_PKI_CA_PASSWORD", "of-variable\nmore")],
        ..Staged::person(&["typed"])
    };
    let taken = within(known::ca_key(Some(&path)), &all).existing().unwrap();
    assert_eq!(taken.expose(), "of-file");
    let taken = within(known::ca_key(None), &all).existing().unwrap();
    assert_eq!(taken.expose(), "of-variable");
    assert_eq!(all.asked(), 0);
    let person = Staged::person(&["typed"]);
    let taken = within(known::ca_key(None), &person).existing().unwrap();
    assert_eq!(taken.expose(), "typed");
    assert_eq!(*person.asked.borrow(), ["Password of the CA's key: "]);
}

#[test]
fn what_is_given_for_a_file_is_never_taken_for_a_token() {
    let passwords = Staged {
        variables: vec![("C8Y_PKI_CA_PASSWORD", "p"), ("C8Y_PKI_KEY_PASSWORD", "p")],
        ..Staged::default()
    };
    for pin in [known::ca_pin(None, "t"), known::key_pin(None), known::own_pin(None)] {
        assert!(within(pin, &passwords).given().unwrap().is_none());
    }
    let pin = Staged::variable("C8Y_PKI_TOKEN_PIN", "1234");
    for password in [known::ca_key(None), known::key(None, "k"), known::parent_key(None, "k")] {
        assert!(within(password, &pin).given().unwrap().is_none());
    }
    // Of two tokens the upper one has a variable of its own.
    assert!(within(known::second_pin(None, "t"), &pin).given().unwrap().is_none());
    assert!(within(known::parent_pin(None, "t"), &pin).given().unwrap().is_some());
}

#[test]
fn where_nobody_can_be_asked_the_ways_are_named() {
    let nobody = Staged::default();
    let needed = |source| hint(&within(source, &nobody).existing().unwrap_err());
    assert_eq!(
        needed(known::ca_key(None)),
        "give --ca-password-file FILE, or set C8Y_PKI_CA_PASSWORD"
    );
    assert_eq!(needed(known::store_of_certificates("a.p12")), "set C8Y_PKI_STORE_PASSWORD");
    assert_eq!(needed(known::registered_one_time(None, "gw-1")), "give --otp-file FILE");
    assert_eq!(nobody.asked(), 0);
}

#[test]
fn a_new_password_is_typed_twice() {
    let same = Staged::person(&["one", "one"]);
    assert_eq!(within(known::pool(None), &same).new_one().unwrap().expose(), "one");
    assert_eq!(same.asked(), 2);
    let other = Staged::person(&["two", "one"]);
    let failure = within(known::pool(None), &other).new_one().unwrap_err();
    assert_eq!(failure.message(), "the two passwords differ");
    let empty = Staged::person(&[""]);
    assert!(within(known::pool(None), &empty).new_one().is_err());
    // One that was given is not asked for again.
    let given = Staged::variable("C8Y_PKI_POOL_PASSWORD", "pool");
    assert!(within(known::pool(None), &given).new_one().is_ok());
}

#[test]
fn a_weak_password_is_refused_before_it_is_typed_again() {
    let weak = Staged::person(&["short", "short"]);
    let out = Output::new(Form::Table, true);
    let source = within(known::ca_key(None), &weak);
    assert!(source.chosen(WeakArgs { weak_password: false }, out).is_err());
    assert_eq!(weak.asked(), 1);
    let wanted = Staged::person(&["short", "short"]);
    let source = within(known::ca_key(None), &wanted);
    assert!(source.chosen(WeakArgs { weak_password: true }, out).is_ok());
}

#[test]
fn what_opens_without_a_password_asks_for_none() {
    let person = Staged::person(&["typed"]);
    let source = within(known::former_store(None, "old.p12"), &person);
    let open = opening(source, |_| Ok::<_, bool>(()), |_| true).unwrap();
    assert!(open.is_ok() && person.asked() == 0);
    // Another reason is no reason to ask.
    let damaged = opening(source, |_| Err::<(), _>(false), |needs| *needs).unwrap();
    assert!(damaged.is_err() && person.asked() == 0);
    let with = |password: Option<&Password>| password.map(|p| p.expose().to_owned()).ok_or(true);
    assert_eq!(opening(source, with, |needs| *needs).unwrap(), Ok("typed".to_owned()));
    assert_eq!(person.asked(), 1);
    // One that was given and is wrong is not asked for again.
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "wrong\n");
    let source = within(known::former_store(Some(&path), "old.p12"), &person);
    assert!(opening(source, |_| Err::<(), _>(true), |_| true).unwrap().is_err());
    assert_eq!(person.asked(), 1);
}

#[test]
fn an_empty_password_opens_stores_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "");
    assert!(known::former_store(Some(&path), "s").of_store().unwrap().is_some());
    assert!(known::ca_key(Some(&path)).given().is_err());
}

/// For each places: whether the upper key is opened by what was given for the lower one alone.
#[test]
fn the_lower_secret_opens_the_upper_key_in_files_and_in_one_token_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "lower\n");
    let bonds = [
        (KeyPlaces::Files, true),
        (KeyPlaces::OneToken, true),
        (KeyPlaces::TwoTokens, false),
        (KeyPlaces::UpperInToken, false),
        (KeyPlaces::LowerInToken, false),
    ];
    for (places, opens) in bonds {
        let above = Above::with(places, "the key of root");
        let person = Staged::person(&["upper"]);
        let source = within(above.source(None, Some(&path)), &person);
        let own = within(known::ca_key(Some(&path)), &person);
        let taken = above_or_own(source, own, places).unwrap();
        assert_eq!(taken.expose() == "lower", opens, "{places:?}");
        assert_eq!(person.asked(), usize::from(!opens), "{places:?}");
    }
}
