//! A decision: what a decoder makes of a window.

use serde::{Deserialize, Serialize};

use super::window::WindowInfo;

/// What a decoder concludes from a window: an intent with its confidence, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision<I> {
    /// The window it was decided on.
    pub info: WindowInfo,
    /// The intent and the decoder's confidence in [0, 1], or the reason for none.
    pub outcome: Result<(I, f64), NoDecision>,
}

/// Why a decoder gave no intent. An honest answer, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NoDecision {
    /// Filters or look-back are not filled yet.
    WarmUp,
    /// Less than the needed share of samples is valid.
    Gap,
    /// The signal is dominated by an artifact.
    Artifact,
    /// The numbers admit no answer: too few samples, a singular covariance.
    Degenerate,
    /// The evidence is not enough yet, or was not enough in time.
    Undecided,
    /// No trial is on: there is nothing to decide.
    Idle,
}
