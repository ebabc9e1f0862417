//! Rows out of the pieces in which they arrive.
//!
//! A cell may come in several pieces, and a row in several messages. `bigtable_rs` decodes each message by itself, and so cannot read
//! rows that span two; this keeps what is begun.

use bigtable_rs::google::bigtable::v2::read_rows_response::CellChunk;
use bigtable_rs::google::bigtable::v2::read_rows_response::cell_chunk::RowStatus;

use crate::table::{Cell, Family, Row};

/// The state between two pieces.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    row: Option<Row>,
    /// The family of the cells that come; none for one that is not ours.
    family: Option<Family>,
    qualifier: Vec<u8>,
    /// The cell that is not whole yet.
    partial: Option<(i64, Vec<u8>)>,
}

impl Assembler {
    /// Takes a piece, and gives the row that it ends.
    ///
    /// # Errors
    /// It does not follow what came before; says what is wrong with it.
    pub(super) fn push(&mut self, chunk: CellChunk) -> Result<Option<Row>, &'static str> {
        if let Some(RowStatus::ResetRow(true)) = chunk.row_status {
            *self = Self::default(); // it is sent again from its beginning
            return Ok(None);
        }
        match &self.row {
            None if chunk.row_key.is_empty() => return Err("a cell without a row"),
            None => self.row = Some(Row { key: chunk.row_key, cells: Vec::new() }),
            Some(row) if !chunk.row_key.is_empty() && chunk.row_key != row.key => {
                return Err("a row within another");
            }
            Some(_) => {}
        }
        let (timestamp, mut value) = match self.partial.take() {
            Some(partial) => partial,
            None => {
                if let Some(name) = &chunk.family_name {
                    self.family = Family::of_name(name);
                }
                if let Some(qualifier) = chunk.qualifier {
                    self.qualifier = qualifier;
                } else if chunk.family_name.is_some() {
                    return Err("a family without a qualifier");
                }
                (chunk.timestamp_micros, Vec::new())
            }
        };
        value.extend_from_slice(&chunk.value);
        let commit = chunk.row_status == Some(RowStatus::CommitRow(true));
        if chunk.value_size > 0 {
            self.partial = Some((timestamp, value));
            return if commit { Err("a row that ends within a cell") } else { Ok(None) };
        }
        let Some(row) = &mut self.row else { return Ok(None) };
        if let Some(family) = self.family {
            row.cells.push(Cell { family, qualifier: self.qualifier.clone(), timestamp, value });
        }
        if !commit {
            return Ok(None);
        }
        row.cells.sort_by(|a, b| (a.family, &a.qualifier).cmp(&(b.family, &b.qualifier)));
        let row = self.row.take();
        *self = Self::default();
        Ok(row)
    }

    /// Whether a row is begun and not ended.
    pub(super) fn within_row(&self) -> bool {
        self.row.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    /// Family and qualifier, value.
    type Cells = BTreeMap<(usize, Vec<u8>), Vec<u8>>;

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let place = (0usize..4, proptest::collection::vec(any::<u8>(), 1..4));
        let cells =
            proptest::collection::btree_map(place, proptest::collection::vec(any::<u8>(), 0..40), 1..6);
        proptest::collection::vec(cells, 1..5).prop_map(|rows| {
            let row = |(number, cells): (usize, Cells)| {
                let cells = cells.into_iter().map(|((family, qualifier), value)| Cell {
                    family: Family::ALL[family],
                    qualifier,
                    timestamp: 1_000,
                    value,
                });
                Row { key: vec![number as u8 + 1], cells: cells.collect() }
            };
            rows.into_iter().enumerate().map(row).collect()
        })
    }

    /// As a server may send it: names only where they change, values in pieces of at most `piece` bytes.
    fn chunks(rows: &[Row], piece: usize) -> Vec<CellChunk> {
        let mut chunks = Vec::new();
        for row in rows {
            let mut family = None;
            for (number, cell) in row.cells.iter().enumerate() {
                let pieces: Vec<&[u8]> =
                    if cell.value.is_empty() { vec![&[]] } else { cell.value.chunks(piece).collect() };
                for (at, value) in pieces.iter().enumerate() {
                    let (first, last) = (at == 0, at + 1 == pieces.len());
                    let named = first && family != Some(cell.family);
                    chunks.push(CellChunk {
                        row_key: if number == 0 && first { row.key.clone() } else { Vec::new() },
                        family_name: named.then(|| cell.family.name().to_owned()),
                        qualifier: first.then(|| cell.qualifier.clone()),
                        timestamp_micros: if first { cell.timestamp } else { 0 },
                        value: value.to_vec(),
                        value_size: if last { 0 } else { cell.value.len() as i32 },
                        row_status: (last && number + 1 == row.cells.len())
                            .then_some(RowStatus::CommitRow(true)),
                        ..CellChunk::default()
                    });
                    family = Some(cell.family);
                }
            }
        }
        chunks
    }

    proptest! {
        #[test]
        fn rows_come_back_whatever_pieces_they_come_in(rows in rows(), piece in 1usize..50, reset in any::<Option<usize>>()) {
            let mut sent = chunks(&rows, piece);
            if let Some(at) = reset.map(|at| at % sent.len()) {
                // The row under way is dropped there and sent again.
                let begin = sent[..=at].iter().rposition(|chunk| !chunk.row_key.is_empty()).unwrap();
                let ended = sent[at].row_status.is_some();
                if !ended {
                    let again: Vec<CellChunk> = sent[begin..].to_vec();
                    sent.truncate(at + 1);
                    sent.push(CellChunk { row_status: Some(RowStatus::ResetRow(true)), ..CellChunk::default() });
                    sent.extend(again);
                }
            }
            let mut assembler = Assembler::default();
            let mut found = Vec::new();
            for chunk in sent {
                found.extend(assembler.push(chunk).unwrap());
            }
            prop_assert_eq!(found, rows);
            prop_assert!(!assembler.within_row());
        }
    }

    #[test]
    fn what_does_not_follow_is_told() {
        let mut assembler = Assembler::default();
        assert!(assembler.push(CellChunk::default()).is_err());
        let first = CellChunk {
            row_key: vec![1],
            family_name: Some("f".into()),
            qualifier: Some(vec![1]),
            ..CellChunk::default()
        };
        assert_eq!(assembler.push(first.clone()), Ok(None));
        assert!(assembler.push(CellChunk { row_key: vec![2], ..first }).is_err());
    }
}
