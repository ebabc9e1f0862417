//! Signal quality: one number for each channel that says how far to trust it.

mod line_noise;
mod operator;
mod railed;
mod score;

pub use line_noise::LineNoise;
pub use operator::SignalQuality;
pub use railed::Railed;
pub use score::{Quality, assess};
