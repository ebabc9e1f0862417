//! Artifact detection on the raw signal: a flat or railed channel disappears once it has been filtered.

mod detector;
mod flags;

pub use detector::Flags;
pub use flags::ArtifactFlags;
