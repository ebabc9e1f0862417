//! Spatial operators: references and derivations, which combine channels within one sample.
//!
//! Channels are named by their labels or 10-20 names, old ones included. A missing value (NaN) is left out where a mean can do
//! without it, and makes a difference missing where it cannot: so [`BadChannels`] works with all of them.

mod average;
mod bad_channels;
mod bipolar;
mod laplacian;
mod local;
mod matrix;
mod montage;
mod position;

pub use average::CommonAverage;
pub use bad_channels::BadChannels;
pub use bipolar::Bipolar;
pub use laplacian::Laplacian;
pub use matrix::SpatialFilter;
pub use montage::Montage;
pub(crate) use position::find;
pub use position::position;
