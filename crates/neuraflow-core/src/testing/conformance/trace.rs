//! Everything an operator put out in a run, comparable bit by bit.

use std::fmt::Debug;

use super::report::{Difference, Fault};
use crate::model::{Chunk, Decision, Features, Window, WindowInfo};
use crate::operator::{Item, WindowItem};

/// What an output says, in a form that can be compared.
#[derive(Clone, Debug)]
pub enum Observed {
    /// Numbers, compared by their bits (every NaN is the same NaN).
    Numbers(Vec<f64>),
    /// Text, for outputs that are not numbers: `format!("{:?}", …)` will do.
    Text(String),
}

/// What the kit needs to know of an operator's output when the input is a window. Implement it for your own item.
pub trait WindowOutput: Item {
    /// The empty output that the engine hands to `process`.
    fn blank(spec: &Self::Spec, info: &WindowInfo) -> Self;
    /// What it says. Leave out arrival times and the like: they are no part of a result.
    fn observe(&self) -> Observed;
    /// Whether it has the shape that `prepare` announced.
    fn fits(&self, spec: &Self::Spec) -> bool {
        let _ = spec;
        true
    }
}

impl WindowOutput for Features {
    fn blank(spec: &Self::Spec, info: &WindowInfo) -> Self {
        Self { info: info.clone(), spec: spec.clone(), values: vec![f64::NAN; spec.len()] }
    }

    fn observe(&self) -> Observed {
        Observed::Numbers(self.values.clone())
    }

    fn fits(&self, spec: &Self::Spec) -> bool {
        self.values.len() == spec.len()
    }
}

impl WindowOutput for Window {
    fn blank(spec: &Self::Spec, info: &WindowInfo) -> Self {
        let first = info.stream.first_at_or_after(info.start);
        Self { info: info.clone(), samples: Chunk::new(first, spec.signal.channels.len()) }
    }

    fn observe(&self) -> Observed {
        Observed::Numbers(self.samples.values().iter().copied().map(f64::from).collect())
    }

    fn fits(&self, spec: &Self::Spec) -> bool {
        self.samples.channels() == spec.signal.channels.len()
    }
}

impl<I: Clone + Debug + Send + 'static> WindowOutput for Decision<I> {
    fn blank(spec: &Self::Spec, info: &WindowInfo) -> Self {
        <Self as WindowItem>::blank(info.clone(), spec)
    }

    fn observe(&self) -> Observed {
        Observed::Text(format!("{:?}", self.outcome))
    }
}

/// The output of one run. Rows are samples or windows, with the numbers they have in the stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    first: Option<u64>,
    ends: Vec<usize>,
    values: Vec<f64>,
    texts: Vec<(usize, String)>,
}

impl Trace {
    /// Appends a chunk, which must begin where the last one ended.
    pub(super) fn push_chunk(&mut self, chunk: &Chunk, width: usize) -> Result<(), Fault> {
        if chunk.channels() != width {
            return Err(Fault::new(format!(
                "output has {} channels, prepare announced {width}",
                chunk.channels()
            )));
        }
        if chunk.is_empty() {
            return Ok(());
        }
        if !self.ends.is_empty() && chunk.first() != self.end() {
            return Err(Fault::new(format!(
                "output must continue at sample {}, a chunk starts at {}",
                self.end(),
                chunk.first()
            )));
        }
        self.first.get_or_insert(chunk.first());
        for sample in chunk.samples() {
            self.push_row(sample.iter().copied().map(f64::from));
        }
        Ok(())
    }

    /// Appends what came of window `index`.
    pub(super) fn push_observed(&mut self, observed: Observed, index: i64) {
        self.first.get_or_insert(index.unsigned_abs());
        match observed {
            Observed::Numbers(numbers) => self.push_row(numbers.into_iter()),
            Observed::Text(text) => {
                self.texts.push((self.ends.len(), text));
                self.push_row(std::iter::empty());
            }
        }
    }

    fn push_row(&mut self, row: impl Iterator<Item = f64>) {
        self.values.extend(row);
        self.ends.push(self.values.len());
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Number of its first row.
    pub(super) fn first(&self) -> u64 {
        self.first.unwrap_or(0)
    }

    /// One past the number of its last row.
    pub(super) fn end(&self) -> u64 {
        self.first() + self.ends.len() as u64
    }

    /// The row with this number; none if it is not in the trace.
    pub(super) fn row(&self, number: u64) -> Option<&[f64]> {
        let i = usize::try_from(number.checked_sub(self.first())?).ok()?;
        let from = if i == 0 { 0 } else { *self.ends.get(i - 1)? };
        self.values.get(from..*self.ends.get(i)?)
    }

    fn text(&self, number: u64) -> Option<&str> {
        let i = usize::try_from(number.checked_sub(self.first())?).ok()?;
        let at = self.texts.binary_search_by_key(&i, |(row, _)| *row).ok()?;
        self.texts.get(at).map(|(_, text)| text.as_str())
    }

    /// What came after the first `rows` rows.
    pub(super) fn tail(&self, rows: usize) -> Trace {
        let mut tail = Trace { first: Some(self.first() + rows as u64), ..Trace::default() };
        for number in self.first() + rows as u64..self.end() {
            if let Some(text) = self.text(number) {
                tail.texts.push((tail.ends.len(), text.to_owned()));
            }
            tail.push_row(self.row(number).unwrap_or(&[]).iter().copied());
        }
        tail
    }

    /// The same rows numbered from `first`.
    pub(super) fn renumbered(mut self, first: u64) -> Trace {
        self.first = Some(first);
        self
    }

    /// Every row of `self` must be in `found` with the same bits, and nothing else.
    pub(super) fn must_equal(&self, found: &Trace, what: &str) -> Result<(), Fault> {
        if (self.len(), self.len().min(1) as u64 * self.first())
            != (found.len(), found.len().min(1) as u64 * found.first())
        {
            return Err(Fault::new(format!(
                "{what}: expected rows {}..{}, found {}..{}",
                self.first(),
                self.end(),
                found.first(),
                found.end()
            )));
        }
        self.must_agree(found, self.first()..self.end(), None, what)
    }

    /// The rows of `self` and `found` in `range` must have the same bits, in one column or in all.
    pub(super) fn must_agree(
        &self,
        found: &Trace,
        range: std::ops::Range<u64>,
        column: Option<usize>,
        what: &str,
    ) -> Result<(), Fault> {
        let differs = |position, column, expected: String, found: String| Fault {
            what: what.to_owned(),
            difference: Some(Difference { position, column, expected, found }),
        };
        for number in range {
            let (a, b) = (self.row(number).unwrap_or(&[]), found.row(number).unwrap_or(&[]));
            if a.len() != b.len() {
                let numbers = |row: &[f64]| format!("{} numbers", row.len());
                return Err(differs(number, 0, numbers(a), numbers(b)));
            }
            for (c, (x, y)) in a.iter().zip(b).enumerate() {
                if column.is_none_or(|only| only == c) && bits(*x) != bits(*y) {
                    return Err(differs(number, c, number_text(*x), number_text(*y)));
                }
            }
            let (a, b) = (self.text(number), found.text(number));
            if a != b {
                return Err(differs(number, 0, format!("{a:?}"), format!("{b:?}")));
            }
        }
        Ok(())
    }
}

fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

fn number_text(value: f64) -> String {
    format!("{value:?} ({:#018x})", bits(value))
}
