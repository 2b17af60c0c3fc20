//! Merged cells: a spreadsheet keeps their value in the first of them only, and shows it beside all of their rows.

use std::collections::{BTreeMap, VecDeque};

use calamine::Dimensions;

/// What merged cells say in the rows below their first.
pub(super) struct Merged {
    /// Cells that begin further down, the next first.
    ahead: VecDeque<Dimensions>,
    /// By column: the last row, and the value.
    open: BTreeMap<usize, (u32, String)>,
}

impl Merged {
    /// Those that are higher than one row and begin within so many columns.
    pub(super) fn new(mut all: Vec<Dimensions>, columns: usize) -> Self {
        all.retain(|one| one.end.0 > one.start.0 && (one.start.1 as usize) < columns);
        all.sort_unstable_by_key(|one| one.start.0);
        Self { ahead: all.into(), open: BTreeMap::new() }
    }

    /// Gives a row what begins above it, and takes from it what begins in it. Rows have to come in order.
    pub(super) fn fill(&mut self, row: u32, cells: &mut Vec<String>) {
        self.open.retain(|_, (last, _)| *last >= row);
        for (column, (_, value)) in &self.open {
            if cells.len() <= *column {
                cells.resize(column + 1, String::new());
            }
            if cells[*column].is_empty() {
                cells[*column].clone_from(value);
            }
        }
        while let Some(one) = self.ahead.front().filter(|one| one.start.0 <= row) {
            let column = one.start.1 as usize;
            if let Some(value) = cells.get(column).filter(|_| one.start.0 == row) {
                self.open.insert(column, (one.end.0, value.clone()));
            }
            self.ahead.pop_front();
        }
    }
}
