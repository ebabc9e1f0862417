//! Where a covariance lies in the tangent space.

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowItem, WindowSpec};

use super::Covariance;
use crate::kernel::linalg::TangentSpace;

/// Covariances as vectors in the [tangent space](TangentSpace) at a reference: where distances are nearly those of covariances, and
/// linear methods apply.
///
/// One row; a column for each channel, `C3`, and for each two of them, `C3·C4`, in the order of the covariance's upper triangle,
/// row by row (`pyriemann.geometry.tangentspace.tangent_space`). No unit.
///
/// Input and state: those of the covariance, any but one [by band](Covariance::by_band). NaN where that is NaN or singular. The reference is
/// usually the [mean](crate::kernel::linalg::riemann_mean) of covariances of training.
///
/// Source: A. Barachant, S. Bonnet, M. Congedo and C. Jutten (2013), Neurocomputing 112:172–178.
///
/// # Errors
/// `prepare`: what [`Covariance`] refuses; another number of channels than the reference has. `process`: another number of channels.
///
/// ```
/// use neuraflow_ops::feature::{Covariance, Tangent};
/// use neuraflow_ops::kernel::linalg::{TangentSpace, riemann_mean};
/// let training = [vec![4.0, 0.5, 0.5, 2.0], vec![3.0, 0.1, 0.1, 5.0]];
/// let space = TangentSpace::at(&riemann_mean(&training)?)?;
/// // In a pipeline: .window(Tumbling::millis(50)).feature(tangent)
/// let tangent = || Tangent::new(space.clone(), Covariance::oas().over_millis(2_000));
/// # let _ = tangent();
/// # Ok::<(), neuraflow_ops::kernel::linalg::LinalgError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tangent {
    space: TangentSpace,
    covariance: Covariance,
    /// What comes out of the covariance.
    between: Option<Features>,
    layout: Option<Arc<FeatureSpec>>,
}

impl Tangent {
    /// In this space, of these covariances.
    pub fn new(space: TangentSpace, covariance: Covariance) -> Self {
        Self { space, covariance, between: None, layout: None }
    }
}

impl Operator for Tangent {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        let layout = self.covariance.prepare(spec)?;
        let order = self.space.order();
        if (layout.rows.len(), layout.columns.len()) != (order, order) {
            return Err(OperatorError::Spec {
                what: "covariance for the tangent space",
                expected: format!(
                    "{order} channels, as its reference has; choose them, or take another reference"
                ),
                found: format!("{} rows of {} channels", layout.rows.len(), layout.columns.len()),
            });
        }
        let pair = |(at, first): (usize, &String)| {
            let others = layout.rows[at + 1..].iter().map(move |other| format!("{first}·{other}"));
            std::iter::once(first.clone()).chain(others).collect::<Vec<String>>()
        };
        let columns = layout.rows.iter().enumerate().flat_map(pair).collect();
        self.between = None;
        self.layout = Some(Arc::clone(&layout));
        Ok(Arc::new(FeatureSpec { rows: ["tangent".to_owned()].into(), columns, unit: String::new() }))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        let Some(layout) = &self.layout else {
            let expected = "prepare before it".to_owned();
            return Err(OperatorError::Input { what: "call of process", expected, found: "none".to_owned() });
        };
        let between = self.between.get_or_insert_with(|| Features::blank(input.info.clone(), layout));
        between.begin(&input.info);
        self.covariance.process(input, between)?;
        // A singular covariance has no logarithm: it stays NaN.
        if let Ok(vector) = self.space.vector(&between.values) {
            out.values.copy_from_slice(&vector);
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.covariance.reset();
    }

    fn latency(&self) -> Latency {
        self.covariance.latency()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.covariance.snapshot(writer);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.covariance.restore(reader)
    }
}
