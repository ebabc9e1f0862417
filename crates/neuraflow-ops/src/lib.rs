//! Signal operators of NeuraFlow: filters, references, artifacts, quality, features.

pub mod artifact;
pub mod feature;
pub mod filter;
pub mod kernel;
pub mod quality;
pub mod spatial;

mod shape;
