//! Why a matrix admits no answer, and what to do.

use thiserror::Error;

/// A matrix, or samples to make one of, that a kernel of linear algebra cannot work on.
///
/// ```
/// use neuraflow_ops::kernel::linalg::{LinalgError, TangentSpace};
/// // The covariance of two channels of which one is the other's copy.
/// let error = TangentSpace::at(&[1.0, 1.0, 1.0, 1.0]).unwrap_err();
/// assert!(matches!(error, LinalgError::Rank { rank: 1, order: 2 }));
/// ```
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum LinalgError {
    /// The number of values is no square, or not that of the other matrix.
    #[error("expected {expected} values in {what}, found {found}; pass a square matrix, row by row")]
    Length {
        /// Which slice.
        what: &'static str,
        /// How many values it should have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// A value is NaN or infinite.
    #[error("expected finite numbers in {what}, found {found}; leave out what holds missing values")]
    NotFinite {
        /// Which slice.
        what: &'static str,
        /// The value in it.
        found: f64,
    },
    /// Too few samples, trials or matrices.
    #[error("expected at least {needed} {what}, found {found}; record more")]
    TooFew {
        /// Of what.
        what: &'static str,
        /// How many are needed.
        needed: usize,
        /// How many there are.
        found: usize,
    },
    /// A covariance that is singular: some combination of channels carries no signal of its own.
    #[error(
        "expected a covariance of full rank {order}, found rank {rank}: a channel is flat, doubled or computed from the \
         others (an average reference takes one rank); leave such channels out, or use a shrinkage estimator (Ledoit-Wolf, OAS)"
    )]
    Rank {
        /// Eigenvalues that are not zero to working precision.
        rank: usize,
        /// Rows of the matrix.
        order: usize,
    },
    /// An iteration did not come to its end.
    #[error(
        "expected {what} to converge, still {residual:e} off after {iterations} iterations; look for outliers in the input"
    )]
    NotConverged {
        /// What was computed.
        what: &'static str,
        /// Iterations made.
        iterations: usize,
        /// What was left to go.
        residual: f64,
    },
}
