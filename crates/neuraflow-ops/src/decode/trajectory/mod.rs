//! Decoders of trajectories: where an animal or a hand is, from how often units fire.
//!
//! | decoder | decides by | values |
//! |---|---|---|
//! | [`PoissonBayes`] | the likelihood of the spikes at each place, by Poisson's law | 1 |
//! | [`Wiener`] | a weighted sum of the last windows' spikes | any |
//! | [`Kalman`] | where it was, how it moves, and the spikes it would cause | any |
//!
//! One pipeline trains and decodes; up to its counts nothing differs:
//!
//! ```text
//! spike trains → windows → SpikeCounts ─┬─► collected ─► Trajectory ─► PoissonBayes, Wiener or Kalman ─► TrajectoryModel
//!                                       └─► TrajectoryModel::decoder ─► Decision<Vec<f64>>
//! ```

mod bayes;
mod decoder;
mod history;
mod kalman;
mod model;
mod training;
mod wiener;

pub use bayes::PoissonBayes;
pub use decoder::TrajectoryDecoder;
pub use kalman::Kalman;
pub use model::TrajectoryModel;
pub use training::Trajectory;
pub use wiener::Wiener;
