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
//! The first two need no training. For the others one pipeline trains and decodes; up to its covariances nothing differs:
//!
//! ```text
//! filter → epochs → Covariance ─┬─► collected ─► Trials ─► Csp, Mdm or TangentLogistic ─► Model   (training)
//!                               └─► Model::decoder ─► Decision                                    (decoding)
//! ```
//!
//! `FilterBankCsp` has a [`FilterBank`](crate::filter::FilterBank) for the filter, and [`Covariance::by_band`](crate::feature::Covariance::by_band) behind it.
//! Those of evoked responses, the last two, have [`Samples`](crate::feature::Samples) in the place of `Covariance`.
//!
//! `docs/tutorials/ssvep.md`, `docs/tutorials/motor_imagery.md` and `docs/tutorials/p300.md` lead from a recording to a decoder.

mod cca;
mod classifier;
mod csp;
mod decoder;
mod envelope;
mod error;
mod fbcca;
mod filter_bank_csp;
mod layout;
mod lda;
mod logistic;
mod made_up;
mod mdm;
mod model;
mod segment;
mod tangent;
mod targets;
mod trials;
mod xdawn;
mod xdawn_lda;
mod xdawn_tangent;

pub use cca::Cca;
pub use csp::{Csp, SpatialPatterns};
pub use decoder::Decoder;
pub use error::{FitError, ModelError};
pub use fbcca::Fbcca;
pub use filter_bank_csp::FilterBankCsp;
pub use mdm::Mdm;
pub use model::Model;
pub use tangent::TangentLogistic;
pub use trials::Trials;
pub use xdawn::{EvokedFilters, Xdawn};
pub use xdawn_lda::XdawnLda;
pub use xdawn_tangent::XdawnTangent;
