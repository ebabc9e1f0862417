//! Linear algebra of covariances (feature `linalg`): estimators, eigenvalues, Riemannian geometry.
//!
//! Matrices are slices `[row][column]`. Decompositions are nalgebra's, built without its platform-dependent products;
//! products are our own, in a fixed order. The references are SciPy, scikit-learn and pyRiemann.

mod covariance;
mod dense;
mod eigen;
mod error;
mod riemann;

pub use covariance::{Estimator, covariance, covariance_into};
pub(crate) use dense::{congruence, dot, multiply};
pub use eigen::solve;
pub use error::LinalgError;
pub use riemann::{TangentSpace, geodesic, riemann_mean};

/// Eigenvalues of a symmetric matrix, and the vectors that go with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// The eigenvalues, smallest first.
    pub values: Vec<f64>,
    /// `[value][component]`: the vector of each eigenvalue. Its sign is arbitrary.
    pub vectors: Vec<f64>,
}
