//! NPY files: a matrix for NumPy, with its names and times beside it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;

use neuraflow_core::model::{FeatureSpec, Features, StreamKey, WindowInfo};
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};

use super::csv::QUEUE;
use super::csv_item::{Row, info_header, info_row};
use super::file::{OpenFiles, Place, Records, Target};

const NAME: &str = "npy";
/// Bytes of the header, so that any number of rows fits in it later.
const HEADER: usize = 128;

/// Writes features to `.npy` files (version 1.0), one for each stream: a matrix `[window][row · columns + column]` of
/// `f64`, in the layout of [`Features::values`]. Beside `x.npy` lie `x.windows.csv` (one row for each window: start,
/// end, status, counts) and `x.columns.csv` (row, column and unit of each matrix column).
///
/// `np.load` opens the file at any time, also after a crash or on a full disk: the number of rows in its header
/// is brought up to date after the rows themselves, and never counts a row that is not whole.
///
/// A path that ends with `.npy` is the one file of a single stream; any other is a directory (made if missing) with
/// a file `<stream name>-<hash of its key>.npy` for each. Files that are there are replaced. At most 256 are open at a
/// time, however many streams there are.
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

    fn open(&self, _: &SinkContext) -> Result<NpyWriter, SinkError> {
        Ok(NpyWriter { target: self.target.clone(), files: BTreeMap::new(), open: OpenFiles::default() })
    }
}

/// Writes the files of an [`Npy`].
#[derive(Debug)]
pub struct NpyWriter {
    target: Target,
    files: BTreeMap<StreamKey, Matrix>,
    open: OpenFiles,
}

#[derive(Debug)]
struct Matrix {
    spec: Arc<FeatureSpec>,
    marked: bool,
    data: Records,
    windows: Records,
    rows: u64,
    /// Rows that are not in the files yet: how many, their numbers, their lines.
    pending: (u64, Vec<u8>, Vec<u8>),
}

impl Matrix {
    fn create(place: &Place, first: &Features, open: &mut OpenFiles) -> Result<Self, SinkError> {
        let mut columns = Vec::new();
        let mut row = Row::new(&mut columns);
        row.text("index").text("row").text("column").text("unit").end();
        let names = first.spec.rows.iter().flat_map(|r| first.spec.columns.iter().map(move |c| (r, c)));
        for (index, (name, column)) in names.enumerate() {
            row.count(index as u64).text(name).text(column).text(&first.spec.unit).end();
        }
        let mut file = Records::create(NAME, place.beside(".columns.csv"), open)?;
        file.append(&columns, open)?;
        file.finish(open)?;
        let mut lines = Vec::new();
        let mut row = Row::new(&mut lines);
        info_header(&first.info, &mut row);
        row.end();
        let mut windows = Records::create(NAME, place.beside(".windows.csv"), open)?;
        windows.append(&lines, open)?;
        let mut data = Records::create(NAME, place.data(".npy"), open)?;
        data.append(&header(0, first.spec.len()), open)?;
        let marked = first.info.marker.is_some();
        Ok(Self {
            spec: Arc::clone(&first.spec),
            marked,
            data,
            windows,
            rows: 0,
            pending: (0, Vec::new(), Vec::new()),
        })
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
        let (stream, known) = (&item.info.stream, self.files.len());
        match self.files.entry(stream.key) {
            Entry::Occupied(matrix) => Ok(matrix.into_mut()),
            Entry::Vacant(vacant) => {
                let place = self.target.place(NAME, stream, known)?;
                Ok(vacant.insert(Matrix::create(&place, item, &mut self.open)?))
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

    fn finish(&mut self) -> Result<(), SinkError> {
        self.files.values_mut().try_for_each(|matrix| {
            matrix.windows.finish(&mut self.open)?;
            matrix.data.finish(&mut self.open)
        })
    }
}
