//! Decoders: from what was recorded to what was intended.
//!
//! | decoder | decides by | classes |
//! |---|---|---|
//! | [`Cca`] | correlation with sines of each flicker's frequency | any |
//! | [`Fbcca`] | the same in several sub-bands | any |
//! | [`Csp`] | variance through spatial filters, and a linear discriminant | 2 |
//! | [`FilterBankCsp`] | the same in several bands | 2 |
//! | [`Mdm`] | the nearest mean covariance | any |
//! | [`TangentLogistic`] | logistic regression in the tangent space | 2 |
//! | [`XdawnLda`] | evoked responses through spatial filters, and a linear discriminant | any |
//! | [`XdawnTangent`] | their covariances with what they should be, in the tangent space | 2 |
//!
//! | decoder | decides from spikes by | values |
//! |---|---|---|
//! | [`PoissonBayes`] | the place at which they are most probable | 1 |
//! | [`Wiener`] | a weighted sum of the last windows | any |
//! | [`Kalman`] | where it was, how it moves, and the spikes that it would cause | any |
//!
//! [`Evidence`] adds up what they make of the windows of a trial; [`Recentre`] takes away what differs between sessions; and while it
//! runs, a decoder may be given another model ([`Model::reload`]).
//!
//! `Cca` and `Fbcca` need no training. For the others one pipeline trains and decodes; up to its covariances nothing differs:
//!
//! ```text
//! filter → epochs → Covariance ─┬─► collected ─► Trials ─► Csp, Mdm or TangentLogistic ─► Model   (training)
//!                               └─► Model::decoder ─► Decision                                    (decoding)
//! ```
//!
//! `FilterBankCsp` has a [`FilterBank`](crate::filter::FilterBank) for the filter, and [`Covariance::by_band`](crate::feature::Covariance::by_band) behind it.
//! Those of evoked responses have [`Samples`](crate::feature::Samples) in the place of `Covariance`.
//!
//! Spikes are decoded likewise: windows and [`SpikeCounts`](crate::feature::SpikeCounts) or
//! [`ThresholdCrossings`](crate::spike::ThresholdCrossings) in place of epochs and covariances, a [`Trajectory`] in place of trials, and a
//! [`TrajectoryModel`] whose decisions are numbers. Example `position`.
//!
//! `docs/tutorials/ssvep.md`, `docs/tutorials/motor_imagery.md` and `docs/tutorials/p300.md` lead from a recording to a decoder.

mod cca;
mod classifier;
mod csp;
mod decoder;
mod envelope;
mod error;
mod evidence;
mod fbcca;
mod filter_bank_csp;
mod layout;
mod lda;
mod logistic;
mod made_up;
mod mdm;
mod model;
mod recentre;
mod tangent;
mod targets;
mod trajectory;
mod trials;
mod xdawn;
mod xdawn_lda;
mod xdawn_tangent;

pub use cca::Cca;
pub use csp::{Csp, SpatialPatterns};
pub use decoder::Decoder;
pub use error::{FitError, ModelError};
pub use evidence::Evidence;
pub use fbcca::Fbcca;
pub use filter_bank_csp::FilterBankCsp;
pub use mdm::Mdm;
pub use model::Model;
pub use recentre::{Centre, Recentre};
pub use tangent::TangentLogistic;
pub use trajectory::{Kalman, PoissonBayes, Trajectory, TrajectoryDecoder, TrajectoryModel, Wiener};
pub use trials::Trials;
pub use xdawn::{EvokedFilters, Xdawn};
pub use xdawn_lda::XdawnLda;
pub use xdawn_tangent::XdawnTangent;
