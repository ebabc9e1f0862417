//! NPY files: a matrix for NumPy, with its names and times beside it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use neuraflow_core::model::{FeatureSpec, Features, Positions, StreamKey, WindowInfo};
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::csv::{QUEUE, begins_with};
use super::csv_item::{Row, info_header, info_row};
use super::durable::{Durable, misplaced};
use super::file::{OpenFiles, Place, Records, Target};

const NAME: &str = "npy";
/// Bytes of the header, so that any number of rows fits in it later.
const HEADER: usize = 128;
const DATA: &str = ".npy";
const WINDOWS: &str = ".windows.csv";
const COLUMNS: &str = ".columns.csv";

/// Writes features to `.npy` files (version 1.0), one for each stream: a matrix `[window][row · columns + column]` of
/// `f64`, in the layout of [`Features::values`]. Beside `x.npy` lie `x.windows.csv` (one row for each window: start,
/// end, status, counts) and `x.columns.csv` (row, column and unit of each matrix column).
///
/// `np.load` opens the file at any time, also after a crash or on a full disk: the number of rows in its header
/// is brought up to date after the rows themselves, and never counts a row that is not whole.
///
/// A path that ends with `.npy` is the one file of a single stream; any other is a directory (made if missing) with
/// a file `<stream name>-<hash of its key>.npy` for each. Files that are there are replaced. At most 256 are open at a
/// time, however many streams there are. A run that goes on from a checkpoint appends to the files of that checkpoint.
///
/// ```no_run
/// use neuraflow_sinks::local::Npy;
/// let sink = Npy::create("results")?; // results/headset-0-1b2c3d4e.npy, …
/// # Ok::<(), neuraflow_core::sink::SinkError>(())
/// ```
#[derive(Debug)]
pub struct Npy {
    target: Target,
}

impl Npy {
    /// Files in the directory `path`, or the file `path` if it ends with `.npy`.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, SinkError> {
        Ok(Self { target: Target::new(NAME, path.as_ref(), "npy")? })
    }
}

impl Sink for Npy {
    type Item = Features;
    type Writer = NpyWriter;

    fn name(&self) -> String {
        format!("{NAME} {}", self.target.path().display())
    }

    fn placement(&self) -> Placement {
        Placement::Thread { capacity: QUEUE, overflow: Overflow::Block }
    }

    fn open(&self, context: &SinkContext) -> Result<NpyWriter, SinkError> {
        let suffixes = [DATA, WINDOWS, COLUMNS];
        let durable = Durable::restore(NAME, &self.target, &suffixes, context.from.as_ref())?;
        let mut open = OpenFiles::default();
        for (path, length) in durable.paths().filter(|(path, _)| is_data(path)) {
            count_again(path, length, &mut open)?;
        }
        Ok(NpyWriter { target: self.target.clone(), durable, files: BTreeMap::new(), open })
    }
}

/// Writes the files of an [`Npy`].
#[derive(Debug)]
pub struct NpyWriter {
    target: Target,
    durable: Durable,
    files: BTreeMap<StreamKey, Matrix>,
    open: OpenFiles,
}

#[derive(Debug)]
struct Matrix {
    spec: Arc<FeatureSpec>,
    marked: bool,
    data: Records,
    windows: Records,
    columns: Records,
    rows: u64,
    /// Rows that are not in the files yet: how many, their numbers, their lines.
    pending: (u64, Vec<u8>, Vec<u8>),
}

impl Matrix {
    /// The files of a stream: new ones, or those that a checkpoint left, to be gone on with.
    fn open(
        place: &Place,
        first: &Features,
        durable: &mut Durable,
        open: &mut OpenFiles,
    ) -> Result<Self, SinkError> {
        let columns = begin(durable.records(place.beside(COLUMNS), open)?, &columns_of(&first.spec), open)?;
        let mut lines = Vec::new();
        let mut row = Row::new(&mut lines);
        info_header(&first.info, &mut row);
        row.end();
        let windows = begin(durable.records(place.beside(WINDOWS), open)?, &lines, open)?;
        let mut data = durable.records(place.data(DATA), open)?;
        let width = first.spec.len();
        let rows = match data.whole().checked_sub(HEADER as u64) {
            Some(bytes) => bytes / (8 * width.max(1) as u64),
            None => {
                data.append(&header(0, width), open)?;
                0
            }
        };
        let marked = first.info.marker.is_some();
        let (spec, pending) = (Arc::clone(&first.spec), (0, Vec::new(), Vec::new()));
        Ok(Self { spec, marked, data, windows, columns, rows, pending })
    }

    fn push(&mut self, features: &Features) -> Result<(), SinkError> {
        let (rows, columns) = (self.spec.rows.len(), self.spec.columns.len());
        let layout = |what, expected: String, found: String| {
            Err(SinkError::Layout { sink: NAME.into(), what, expected, found })
        };
        if self.spec != features.spec {
            let names = |spec: &FeatureSpec| format!("{:?} × {:?}", spec.rows, spec.columns);
            return layout("features", names(&self.spec), names(&features.spec));
        }
        if features.values.len() != rows * columns {
            return layout("values", format!("{rows} × {columns}"), features.values.len().to_string());
        }
        if self.marked != features.info.marker.is_some() {
            let what = |marked| if marked { "epochs of markers" } else { "windows without markers" };
            return layout("windows", what(self.marked).into(), what(!self.marked).into());
        }
        self.pending.0 += 1;
        self.pending.1.extend(features.values.iter().flat_map(|value| value.to_le_bytes()));
        line(&features.info, &mut self.pending.2);
        Ok(())
    }

    /// Numbers first, then the lines that date them, then the count that makes them visible.
    fn flush(&mut self, open: &mut OpenFiles) -> Result<(), SinkError> {
        let (rows, numbers, lines) = &mut self.pending;
        if *rows == 0 {
            return Ok(());
        }
        self.data.append(numbers, open)?;
        numbers.clear();
        self.windows.append(lines, open)?;
        lines.clear();
        self.rows += std::mem::take(rows);
        self.data.overwrite(0, &header(self.rows, self.spec.len()), open)
    }
}

/// Row, column and unit of each matrix column.
fn columns_of(spec: &FeatureSpec) -> Vec<u8> {
    let mut columns = Vec::new();
    let mut row = Row::new(&mut columns);
    row.text("index").text("row").text("column").text("unit").end();
    let names = spec.rows.iter().flat_map(|r| spec.columns.iter().map(move |c| (r, c)));
    for (index, (name, column)) in names.enumerate() {
        row.count(index as u64).text(name).text(column).text(&spec.unit).end();
    }
    columns
}

/// A file that begins with `header`: it is written into a new one, and looked for in one that is there.
fn begin(mut records: Records, header: &[u8], open: &mut OpenFiles) -> Result<Records, SinkError> {
    if records.whole() == 0 {
        records.append(header, open)?;
    } else {
        begins_with(header, &records)?;
    }
    Ok(records)
}

fn is_data(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

/// Brings the header of a file that was cut to `length` bytes up to date: it may count rows that are gone.
fn count_again(path: PathBuf, length: u64, open: &mut OpenFiles) -> Result<(), SinkError> {
    let mut records = Records::resume(NAME, path, length, open);
    let found = records.read(HEADER)?;
    let columns = columns_in(&found).filter(|columns| {
        let row = 8 * *columns as u64;
        length.checked_sub(HEADER as u64).is_some_and(|bytes| bytes == 0 || (row > 0 && bytes % row == 0))
    });
    let Some(columns) = columns else {
        let expected = format!("a matrix of its own in {length} bytes, a header of {HEADER} and whole rows");
        let found = String::from_utf8_lossy(&found).trim_end().escape_debug().to_string();
        return Err(misplaced(NAME, records.path(), expected, format!("the header {found:?}")));
    };
    let rows = (length - HEADER as u64) / (8 * columns.max(1) as u64);
    let counted = header(rows, columns);
    if counted != found {
        records.overwrite(0, &counted, open)?;
    }
    Ok(())
}

/// How many columns a header written by [`header`] has.
fn columns_in(found: &[u8]) -> Option<usize> {
    let shape = std::str::from_utf8(found.get(10..)?).ok()?.split(['(', ')']).nth(1)?;
    let (rows, columns) = shape.split_once(", ")?;
    let (rows, columns) = (rows.parse().ok()?, columns.parse().ok()?);
    (header(rows, columns) == found).then_some(columns)
}

fn line(info: &WindowInfo, lines: &mut Vec<u8>) {
    let mut row = Row::new(lines);
    info_row(info, &mut row);
    row.end();
}

/// Magic, version 1.0, and a dictionary padded with spaces: always [`HEADER`] bytes.
fn header(rows: u64, columns: usize) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(((HEADER - 10) as u16).to_le_bytes());
    let shape = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    bytes.extend(shape.as_bytes());
    bytes.resize(HEADER - 1, b' ');
    bytes.push(b'\n');
    bytes
}

impl NpyWriter {
    /// The matrix of an item's stream.
    fn matrix(&mut self, item: &Features) -> Result<&mut Matrix, SinkError> {
        let stream = &item.info.stream;
        match self.files.entry(stream.key) {
            Entry::Occupied(matrix) => Ok(matrix.into_mut()),
            Entry::Vacant(vacant) => {
                let place = self.durable.place(&self.target, stream)?;
                Ok(vacant.insert(Matrix::open(&place, item, &mut self.durable, &mut self.open)?))
            }
        }
    }
}

impl SinkWriter for NpyWriter {
    type Item = Features;

    /// Items that do not fit are left in `items` and the first of them is reported; all others are written.
    fn write(&mut self, items: &mut Vec<Features>) -> Result<(), SinkError> {
        let mut refused = Ok(());
        items.retain(|item| match self.matrix(item).and_then(|matrix| matrix.push(item)) {
            Ok(()) => false,
            Err(error) => {
                if refused.is_ok() {
                    refused = Err(error);
                }
                true
            }
        });
        self.files.values_mut().try_for_each(|matrix| matrix.flush(&mut self.open))?;
        refused
    }

    /// The number of bytes in each file. The rows that a header counts follow from them.
    fn barrier(&mut self, _: u64) -> Result<Positions, SinkError> {
        let Self { durable, files, open, .. } = self;
        files.values_mut().try_for_each(|matrix| {
            durable.sync(&mut matrix.columns, open)?;
            durable.sync(&mut matrix.windows, open)?;
            durable.sync(&mut matrix.data, open)
        })?;
        durable.positions()
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.files.values_mut().try_for_each(|matrix| {
            matrix.columns.finish(&mut self.open)?;
            matrix.windows.finish(&mut self.open)?;
            matrix.data.finish(&mut self.open)
        })
    }
}
