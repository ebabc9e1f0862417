//! Recalibration while it runs: covariances recentred around their running mean.

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Control, FeatureSpec, Features, Timestamp};
use neuraflow_core::operator::{Latency, Operator, OperatorError};
use serde::{Deserialize, Serialize};

use crate::kernel::linalg::{LinalgError, TangentSpace, geodesic, riemann_mean};

/// Which mean covariances are recentred around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Centre {
    /// The Riemannian (geometric) mean. Running, it goes 1 / n of the shortest way to each new covariance, which is the mean exactly for
    /// two, and close to it for more.
    Riemann,
    /// The arithmetic mean, updated as by Welford: exact at every step.
    Euclid,
}

impl Centre {
    /// The mean of covariances `[row][column]`, of all at once.
    pub(super) fn of(self, covariances: &[Vec<f64>]) -> Result<Vec<f64>, LinalgError> {
        if self == Self::Riemann {
            return riemann_mean(covariances);
        }
        let Some((first, others)) = covariances.split_first() else {
            return Err(LinalgError::TooFew { what: "covariances", needed: 1, found: 0 });
        };
        let mut mean = first.clone();
        for (count, covariance) in others.iter().enumerate() {
            welford(&mut mean, covariance, 1.0 / (count + 2) as f64);
        }
        Ok(mean)
    }

    /// Moves a mean by this share of the way to a covariance.
    fn step(self, mean: &mut Vec<f64>, covariance: &[f64], share: f64) -> Result<(), LinalgError> {
        match self {
            Self::Riemann => *mean = geodesic(mean, covariance, share)?,
            Self::Euclid => welford(mean, covariance, share),
        }
        Ok(())
    }
}

/// `mean += share · (value − mean)`: B. P. Welford (1962), Technometrics 4(3):419–420.
fn welford(mean: &mut [f64], values: &[f64], share: f64) {
    mean.iter_mut().zip(values).for_each(|(mean, value)| *mean += share * (value - *mean));
}

/// Recentres covariances around the running mean of all so far: `M^−½ C M^−½`. What differs between sessions, heads and caps and is the
/// same for all classes is taken away, and a model that was fitted to [recentred trials](super::Trials::recentred) of one session
/// decodes another.
///
/// Each covariance is taken into the mean first, then recentred: no label is needed, and nothing of the future. Until
/// [`after`](Self::after) of them have been taken in, the output is marked as warm-up, and the decoder says so. It may be
/// [frozen](Self::frozen_after) from some number on, or while it runs by a [control](Self::freeze).
///
/// Sources: P. Zanini, M. Congedo, C. Jutten, S. Said and Y. Berthoumieu (2018), IEEE Trans. Biomed. Eng. 65(5):1107–1116 (Riemannian); H. He
/// and D. Wu (2020), IEEE Trans. Biomed. Eng. 67(2):399–410 (arithmetic). Of all at once it is `pyriemann.transfer.TLCenter`. The running
/// geometric mean: J. Ho, G. Cheng, H. Salehian and B. Vemuri (2013), AISTATS, PMLR 31:325–332.
///
/// Input: the output of [`Covariance`](crate::feature::Covariance), of full rank, best of epochs. Output: as many numbers without a unit; NaN where a covariance is
/// NaN or singular, which is not taken in. State: the mean, how many there were, whether it is frozen. A gap that restarts the stream's operators
/// restarts it too: take a gap policy that masks.
///
/// # Errors
/// `prepare`: what is no covariance; a reference of another size. `control`: what is neither [freeze](Self::freeze) nor [adapt](Self::adapt).
///
/// ```
/// use neuraflow_ops::decode::{Centre, Recentre};
/// // In a pipeline: .feature(Covariance::oas).decode(|| Recentre::around(Centre::Riemann).after(4)).decode(move || model.decoder())
/// let recentre = Recentre::around(Centre::Riemann).after(4).frozen_after(40);
/// # let _ = recentre;
/// ```
#[derive(Clone, Debug)]
pub struct Recentre {
    centre: Centre,
    reference: Option<(Vec<f64>, u64)>,
    after: u64,
    frozen_after: u64,
    most: u64,
    name: String,
    channels: usize,
    state: State,
    space: Option<TangentSpace>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    mean: Vec<f64>,
    count: u64,
    /// What it was told since it runs: frozen or not.
    frozen: Option<bool>,
}

impl Recentre {
    /// The name that it listens to unless it is [named](Self::named).
    pub const NAME: &str = "recentre";

    /// Around this mean.
    pub fn around(centre: Centre) -> Self {
        Self {
            centre,
            reference: None,
            after: 1,
            frozen_after: u64::MAX,
            most: u64::MAX,
            name: Self::NAME.to_owned(),
            channels: 0,
            state: State::default(),
            space: None,
        }
    }

    /// Begins with this mean, as if it were of so many covariances: what a calibration or an earlier session gave.
    #[must_use]
    pub fn starting_at(mut self, reference: &[f64], count: u64) -> Self {
        self.reference = Some((reference.to_vec(), count.max(1)));
        self
    }

    /// Output is warm-up until so many covariances have been taken in (1 by default: recentred around itself, the first is the unit matrix).
    #[must_use]
    pub fn after(mut self, covariances: u64) -> Self {
        self.after = covariances;
        self
    }

    /// After so many covariances the mean stays as it is.
    #[must_use]
    pub fn frozen_after(mut self, covariances: u64) -> Self {
        self.frozen_after = covariances;
        self
    }

    /// Each new covariance weighs at least as if there had been no more than so many: the mean follows what drifts.
    #[must_use]
    pub fn following(mut self, covariances: u64) -> Self {
        self.most = covariances.max(1);
        self
    }

    /// Listens to this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What stops the one of this name in a running stream from adapting, from `at` on.
    pub fn freeze(at: Timestamp, target: &str) -> Control {
        Control::new(at, target, *b"freeze")
    }

    /// What lets it adapt, from `at` on.
    pub fn adapt(at: Timestamp, target: &str) -> Control {
        Control::new(at, target, *b"adapt")
    }

    /// The mean so far, `[row][column]`, and of how many; empty before the first.
    pub fn mean(&self) -> (&[f64], u64) {
        (&self.state.mean, self.state.count)
    }

    fn is_frozen(&self) -> bool {
        self.state.frozen.unwrap_or(self.state.count >= self.frozen_after)
    }

    /// Takes a covariance into the mean.
    fn take_in(&mut self, covariance: &[f64]) -> Result<(), LinalgError> {
        let mut mean = self.state.mean.clone();
        if self.state.count == 0 {
            mean = covariance.to_vec();
        } else {
            let share = 1.0 / self.state.count.saturating_add(1).min(self.most) as f64;
            self.centre.step(&mut mean, covariance, share)?;
        }
        self.space = Some(TangentSpace::at(&mean)?);
        (self.state.mean, self.state.count) = (mean, self.state.count.saturating_add(1));
        Ok(())
    }

    fn begin(&mut self) -> Result<(), LinalgError> {
        let frozen = self.state.frozen;
        (self.state, self.space) = (State { frozen, ..State::default() }, None);
        if let Some((reference, count)) = &self.reference {
            self.space = Some(TangentSpace::at(reference)?);
            (self.state.mean, self.state.count) = (reference.clone(), *count);
        }
        Ok(())
    }
}

impl Operator for Recentre {
    type In = Features;
    type Out = Features;

    fn prepare(&mut self, spec: &Arc<FeatureSpec>) -> Result<Arc<FeatureSpec>, OperatorError> {
        let refused = |what, expected: &str, found: String| OperatorError::Spec {
            what,
            expected: expected.to_owned(),
            found,
        };
        if spec.rows != spec.columns || spec.is_empty() {
            let found = format!("{} rows and {} columns", spec.rows.len(), spec.columns.len());
            return Err(refused("recentring", "covariances, from feature::Covariance", found));
        }
        self.channels = spec.rows.len();
        if let Some((reference, _)) = self.reference.as_ref().filter(|(r, _)| r.len() != spec.len()) {
            let expected = format!("{} × {} numbers", self.channels, self.channels);
            return Err(refused("reference of recentring", &expected, reference.len().to_string()));
        }
        self.begin()
            .map_err(|e| refused("reference of recentring", "a covariance of full rank", e.to_string()))?;
        Ok(Arc::new(FeatureSpec { unit: String::new(), ..(**spec).clone() }))
    }

    fn process(&mut self, input: &Features, out: &mut Features) -> Result<(), OperatorError> {
        let expected = self.channels * self.channels;
        if input.values.len() != expected {
            let (expected, found) = (expected.to_string(), input.values.len().to_string());
            return Err(OperatorError::Input { what: "numbers of a covariance", expected, found });
        }
        // A window of filters that have not settled, or of a gap, says nothing of the session.
        let whole = input.values.iter().all(|value| value.is_finite());
        let counts = whole && !input.info.warm_up && !self.is_frozen();
        if counts && self.take_in(&input.values).is_err() {
            return Ok(()); // singular: its numbers stay NaN
        }
        if let Some(space) = self.space.as_ref().filter(|_| whole)
            && let Ok(recentred) = space.recentred(&input.values)
        {
            out.values.copy_from_slice(&recentred);
        }
        out.info.warm_up |= self.state.count < self.after;
        Ok(())
    }

    fn reset(&mut self) {
        // The reference was seen to be of full rank when it was prepared.
        let _ = self.begin();
    }

    fn latency(&self) -> Latency {
        Latency::default()
    }

    fn listens_to(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn control(&mut self, payload: &[u8]) -> Result<(), OperatorError> {
        self.state.frozen = Some(match payload {
            b"freeze" => true,
            b"adapt" => false,
            _ => {
                let (expected, found) =
                    ("freeze or adapt".to_owned(), format!("{} other bytes", payload.len()));
                return Err(OperatorError::Spec { what: "control of recentring", expected, found });
            }
        });
        Ok(())
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&self.state);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let state: State = reader.take()?;
        let failed = |reason: String| RestoreError::Encoding { reason };
        let expected = if state.count == 0 { 0 } else { self.channels * self.channels };
        if state.mean.len() != expected {
            return Err(failed(format!("a mean of {expected} numbers expected, found {}", state.mean.len())));
        }
        self.space = match state.count {
            0 => None,
            _ => Some(TangentSpace::at(&state.mean).map_err(|error| failed(error.to_string()))?),
        };
        self.state = state;
        Ok(())
    }
}
