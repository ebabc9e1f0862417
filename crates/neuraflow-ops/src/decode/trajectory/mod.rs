//! Decoders of trajectories: where an animal or a hand is, from how often units fire.
//!
//! | decoder | decides by | values |
//! |---|---|---|
//! | [`PoissonBayes`] | the likelihood of the spikes at each place, by Poisson's law | 1 |
//!
//! One pipeline trains and decodes; up to its counts nothing differs:
//!
//! ```text
//! spike trains → windows → SpikeCounts ─┬─► collected ─► Trajectory ─► PoissonBayes ─► TrajectoryModel
//!                                       └─► TrajectoryModel::decoder ─► Decision<Vec<f64>>
//! ```

mod bayes;
mod decoder;
mod history;
mod model;
mod training;

pub use bayes::PoissonBayes;
pub use decoder::TrajectoryDecoder;
pub use model::TrajectoryModel;
pub use training::Trajectory;
