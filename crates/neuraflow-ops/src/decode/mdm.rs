//! Minimum distance to mean.

use super::classifier::Classifier;
use super::{FitError, Model, Trials};
use crate::kernel::linalg::{TangentSpace, riemann_mean};

/// Minimum distance to mean: a trial belongs to the class whose mean covariance is nearest, in Riemannian distance. For any
/// number of classes.
///
/// The confidence is the softmax of the negative squared distances (`pyriemann.classification.MDM`). For covariances of
/// full rank, as [`Covariance::oas`](crate::feature::Covariance::oas) gives. Source: A. Barachant, S. Bonnet, M. Congedo
/// and C. Jutten (2012), IEEE Trans. Biomed. Eng. 59(4):920–928.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::decode::{Mdm, Trials};
/// let mut trials = Trials::new(["C3", "C4"], SamplingRate::hz(160)?, ["left", "right", "rest"])?;
/// trials.push(0, &[1.0, 0.0, 0.0, 4.0])?;
/// trials.push(1, &[4.0, 0.0, 0.0, 1.0])?;
/// trials.push(2, &[4.0, 0.0, 0.0, 4.0])?;
/// let model = Mdm::new().fit(&trials)?;
/// assert_eq!(model.decide(&[3.5, 0.1, 0.1, 5.0])?.0, "rest");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mdm;

impl Mdm {
    /// There is nothing to set.
    pub fn new() -> Self {
        Self
    }

    /// Fits a mean to each class.
    ///
    /// # Errors
    /// A class without a trial; a singular covariance.
    pub fn fit(&self, trials: &Trials) -> Result<Model, FitError> {
        trials.at_least(1)?;
        trials.covariances()?;
        let means = trials.classes.iter().enumerate().map(|(class, name)| {
            riemann_mean(&trials.of_class(class))
                .and_then(|mean| TangentSpace::at(&mean))
                .map_err(FitError::numbers(format!("mean covariance of {name}")))
        });
        Ok(Model::new(trials, Classifier::Mdm { means: means.collect::<Result<_, _>>()? }))
    }
}
