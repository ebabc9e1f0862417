//! Files on this machine, for people to open: CSV for any table program, NPY for NumPy.
//!
//! With checkpoints they hold each result exactly once, whatever happens in between: a barrier makes the files durable and
//! tells their lengths; a run that goes on from a checkpoint cuts them to these lengths and appends. The files are then the
//! same, byte for byte, as those of a run that was never interrupted.

mod csv;
mod csv_item;
mod durable;
mod file;
mod npy;

pub use csv::{Csv, CsvWriter};
pub use csv_item::{CsvItem, Row};
pub use npy::{Npy, NpyWriter};
