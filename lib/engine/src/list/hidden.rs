//! Which rows of a sheet are hidden, by a filter or by hand: the reader of cells does not tell.

use std::collections::HashSet;
use std::io::{BufReader, Cursor};

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::failure::Underlying;

type Book<'b> = zip::ZipArchive<Cursor<&'b [u8]>>;

/// The hidden rows of a sheet, from 0. Of a workbook whose parts are not found by their relations, none.
pub(super) fn rows(bytes: &[u8], sheet: &str) -> Result<HashSet<u32>, Underlying> {
    let mut book = zip::ZipArchive::new(Cursor::new(bytes)).map_err(Underlying::of)?;
    let (mut hidden, mut next) = (HashSet::new(), 0);
    let Some(part) = part_of(&mut book, sheet)? else { return Ok(hidden) };
    each(&mut book, &part, "row", |row| {
        let number = attribute(row, "r").and_then(|text| text.parse::<u32>().ok());
        let at = number.and_then(|number| number.checked_sub(1)).unwrap_or(next);
        next = at.saturating_add(1);
        if attribute(row, "hidden").is_some_and(|value| value == "1" || value == "true") {
            hidden.insert(at);
        }
    })?;
    Ok(hidden)
}

/// The part of the archive that is a sheet, by its name (ECMA-376-2, 9).
fn part_of(book: &mut Book<'_>, sheet: &str) -> Result<Option<String>, Underlying> {
    let Some(main) = target(book, "_rels/.rels", "", |relation| {
        attribute(relation, "Type").is_some_and(|text| text.ends_with("/officeDocument"))
    })?
    else {
        return Ok(None);
    };
    let mut id = None;
    each(book, &main, "sheet", |element| {
        if attribute(element, "name").as_deref() == Some(sheet) {
            id = attribute(element, "id");
        }
    })?;
    let (dir, name) = main.rsplit_once('/').unwrap_or(("", &main));
    let relations = format!("{dir}/_rels/{name}.rels");
    target(book, relations.trim_start_matches('/'), dir, |one| {
        id.is_some() && attribute(one, "Id") == id
    })
}

/// Where the relation leads that is meant, seen from a directory.
fn target(
    book: &mut Book<'_>,
    relations: &str,
    dir: &str,
    is_meant: impl Fn(&BytesStart<'_>) -> bool,
) -> Result<Option<String>, Underlying> {
    let mut found = None;
    each(book, relations, "Relationship", |relation| {
        if is_meant(relation) {
            found = attribute(relation, "Target");
        }
    })?;
    Ok(found.map(|target| match target.strip_prefix('/') {
        Some(whole) => whole.to_owned(),
        None => format!("{dir}/{target}").trim_start_matches('/').to_owned(),
    }))
}

/// Visits the elements of a part that have this name; none if there is no such part.
fn each(
    book: &mut Book<'_>,
    part: &str,
    name: &str,
    mut visit: impl FnMut(&BytesStart<'_>),
) -> Result<(), Underlying> {
    let Ok(file) = book.by_name(part) else { return Ok(()) };
    let mut reader = Reader::from_reader(BufReader::new(file));
    // As the reader of cells: what that can read is not refused here.
    reader.config_mut().check_end_names = false;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(Underlying::of)? {
            Event::Start(element) | Event::Empty(element)
                if element.local_name().as_ref() == name =>
            {
                visit(&element);
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// An attribute, whatever its namespace is called.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = element.attributes().flatten().find(|one| one.key.local_name().as_ref() == name)?;
    found.normalized_value(XmlVersion::Implicit1_0).ok().map(std::borrow::Cow::into_owned)
}
