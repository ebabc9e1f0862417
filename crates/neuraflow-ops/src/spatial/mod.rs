//! Spatial operators: references and derivations, which combine channels within one sample.

mod average;
mod bipolar;

pub use average::CommonAverage;
pub use bipolar::Bipolar;
