//! Signal quality: one number for each channel that says how far to trust it.

mod operator;
mod score;

pub use operator::SignalQuality;
pub use score::{Quality, assess};
