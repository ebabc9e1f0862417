//! Signal operators of NeuraFlow: filters, references, artifacts, quality, features.

pub mod filter;
pub mod kernel;
