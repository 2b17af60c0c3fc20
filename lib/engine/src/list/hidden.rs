//! Which rows and columns of a sheet are hidden, by a filter or by hand: the reader of cells does not tell.

use std::collections::HashSet;
use std::io::{BufReader, Cursor};
use std::ops::RangeInclusive;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::failure::Underlying;

type Book<'b> = zip::ZipArchive<Cursor<&'b [u8]>>;

/// What is hidden of a sheet, each counted from 0.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    pub(super) rows: HashSet<u32>,
    pub(super) columns: Vec<RangeInclusive<usize>>,
}

/// What is hidden of a sheet. Of a workbook whose parts are not found by their relations, nothing.
pub(super) fn of(bytes: &[u8], sheet: &str) -> Result<Hidden, Underlying> {
    let mut book = zip::ZipArchive::new(Cursor::new(bytes)).map_err(Underlying::of)?;
    let (mut hidden, mut next) = (Hidden::default(), 0);
    let Some(part) = part_of(&mut book, sheet)? else { return Ok(hidden) };
    each(&mut book, &part, &["row", "col"], |element| {
        let is_hidden = attribute(element, "hidden").is_some_and(|is| is == "1" || is == "true");
        let number = |name| attribute(element, name).and_then(|text| text.parse::<u32>().ok());
        if element.local_name().as_ref() == "col" {
            let ends = number("min").zip(number("max")).filter(|(min, _)| is_hidden && *min > 0);
            let columns =
                ends.map(|(min, max)| min as usize - 1..=(max as usize).saturating_sub(1));
            hidden.columns.extend(columns);
            return;
        }
        let at = number("r").and_then(|number| number.checked_sub(1)).unwrap_or(next);
        next = at.saturating_add(1);
        if is_hidden {
            hidden.rows.insert(at);
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
    each(book, &main, &["sheet"], |element| {
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
    each(book, relations, &["Relationship"], |relation| {
        if is_meant(relation) {
            found = attribute(relation, "Target");
        }
    })?;
    Ok(found.map(|target| match target.strip_prefix('/') {
        Some(whole) => whole.to_owned(),
        None => format!("{dir}/{target}").trim_start_matches('/').to_owned(),
    }))
}

/// Visits the elements of a part that have one of these names; none if there is no such part.
fn each(
    book: &mut Book<'_>,
    part: &str,
    names: &[&str],
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
                if names.contains(&element.local_name().as_ref()) =>
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
