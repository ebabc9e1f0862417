//! Files on this machine, for people to open: CSV for any table program, NPY for NumPy.

mod csv;
mod csv_item;
mod file;
mod npy;

pub use csv::{Csv, CsvWriter};
pub use csv_item::{CsvItem, Row};
pub use npy::{Npy, NpyWriter};
