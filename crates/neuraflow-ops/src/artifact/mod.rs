//! Artifacts: found on the raw signal, since a flat or railed channel disappears once it has been filtered, and, for the eyes, taken
//! off.

mod blink;
mod detector;
mod eog_regression;
mod flags;
mod kurtosis;

pub use blink::Blinks;
pub use detector::Flags;
pub use eog_regression::{EogRegression, EogWeights};
pub use flags::ArtifactFlags;
pub use kurtosis::Kurtosis;
