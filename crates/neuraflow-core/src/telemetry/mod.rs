//! Measures of a run: so far, the digest of its output.

mod digest;

pub use digest::OutputDigest;
