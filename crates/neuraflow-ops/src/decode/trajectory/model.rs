//! A fitted decoder of trajectories with what it was fitted to, and the file it is kept in.

use std::path::Path;
use std::sync::Arc;

use neuraflow_core::checkpoint::{SnapshotReader, SnapshotWriter};
use neuraflow_core::model::Span;
use serde::{Deserialize, Serialize};

use super::bayes::Maps;
use super::decoder::{State, TrajectoryDecoder};
use super::kalman::Filter;
use super::training::Trajectory;
use super::wiener::Weights;
use crate::decode::model::damaged;
use crate::decode::{ModelError, envelope};
use crate::kernel::linalg::LinalgError;

/// A decision on each window: the values and the confidence, or none.
type Decided = Vec<Option<(Vec<f64>, f64)>>;

/// What a fitted decoder computes with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Method {
    Bayes(Maps),
    Wiener(Weights),
    Kalman(Filter),
}

/// A fitted decoder of trajectories, and what it was fitted to: units, length of a window, and the names of the values.
///
/// Cheap to clone. In a pipeline, behind a [`SpikeCounts`](crate::feature::SpikeCounts) over windows as in training:
/// `.decode(move || model.decoder())`. On a file it is a versioned envelope with a checksum; what is read is checked, and
/// takes no more memory than the file is long.
///
/// ```
/// use neuraflow_core::model::Span;
/// use neuraflow_ops::decode::{PoissonBayes, Trajectory, TrajectoryModel};
/// let mut trajectory = Trajectory::new(["unit 0"], Span::millis(50), ["position"])?;
/// for window in 0..100 {
///     trajectory.push(window, &[(window % 4) as f64], Some(&[window as f64]))?;
/// }
/// let model = PoissonBayes::new().fit(&trajectory)?;
/// let again = TrajectoryModel::from_bytes(&model.to_bytes()?)?; // or save and load, with a path
/// assert_eq!(again, model);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TrajectoryModel(Arc<Fitted>);

#[derive(Debug, PartialEq)]
struct Fitted {
    units: Arc<[String]>,
    hop: Span,
    names: Arc<[String]>,
    /// Windows of the look-back.
    windows: usize,
    /// How far off counts as right, for each value: a twentieth of its range.
    within: Vec<f64>,
    method: Method,
}

/// What is written down.
#[derive(Serialize, Deserialize)]
struct Body {
    units: Vec<Vec<u8>>,
    hop: i64,
    names: Vec<Vec<u8>>,
    windows: u64,
    within: Vec<f64>,
    method: Method,
}

impl TrajectoryModel {
    pub(super) fn new(
        trajectory: &Trajectory,
        windows: usize,
        ranges: &[(f64, f64)],
        method: Method,
    ) -> Self {
        Self(Arc::new(Fitted {
            units: Arc::clone(&trajectory.units),
            hop: trajectory.hop,
            names: Arc::clone(&trajectory.names),
            windows,
            within: ranges.iter().map(|(low, high)| (high - low) / 20.0).collect(),
            method,
        }))
    }

    /// The operator that decides with it, for [`decode`](neuraflow_core::dataflow::Flow::decode).
    pub fn decoder(&self) -> TrajectoryDecoder {
        TrajectoryDecoder::new(self.clone())
    }

    /// Names of the units it was fitted to, in their order.
    pub fn units(&self) -> &Arc<[String]> {
        &self.0.units
    }

    /// How long a window is.
    pub fn hop(&self) -> Span {
        self.0.hop
    }

    /// Windows of the look-back; 1 for one that remembers by itself.
    pub fn windows(&self) -> usize {
        self.0.windows
    }

    /// Names of the values it decodes.
    pub fn names(&self) -> &Arc<[String]> {
        &self.0.names
    }

    /// How far off a value may be and count as right in a decision's confidence: a twentieth of its range in training.
    pub fn within(&self) -> &[f64] {
        &self.0.within
    }

    /// What kind of decoder it is, for people.
    pub fn method(&self) -> &'static str {
        match self.0.method {
            Method::Bayes(_) => "Poisson Bayes",
            Method::Wiener(_) => "Wiener filter",
            Method::Kalman(_) => "Kalman filter",
        }
    }

    pub(super) fn kind(&self) -> &Method {
        &self.0.method
    }

    /// Decides on windows that follow each other, `[window][unit]`, without a pipeline; from the first on, so that the same windows
    /// in a pipeline give the same bits. Where the look-back is not filled, or has a count that is not finite, there is no decision.
    ///
    /// # Errors
    /// A number of counts that is no multiple of the units.
    pub fn decode(&self, counts: &[f64]) -> Result<Decided, LinalgError> {
        let units = self.0.units.len();
        let windows = counts.len() / units.max(1);
        if windows * units != counts.len() {
            let expected = windows.max(1) * units;
            return Err(LinalgError::Length { what: "spike counts", expected, found: counts.len() });
        }
        let mut state = State::of(self);
        let decide = |(window, counts): (usize, &[f64])| {
            let usable = counts.iter().all(|count| count.is_finite());
            state.step(self, window as i64, usable.then_some(counts)).ok()
        };
        Ok(counts.chunks_exact(units.max(1)).enumerate().map(decide).collect())
    }

    /// Its bytes: an envelope with version and checksum.
    ///
    /// # Errors
    /// [`ModelError::Damaged`] for one that is too large to be read again.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let Fitted { units, hop, names, windows, within, method } = &*self.0;
        let mut writer = SnapshotWriter::default();
        writer.put(&Body {
            units: envelope::to_bytes(units),
            hop: hop.as_nanos(),
            names: envelope::to_bytes(names),
            windows: *windows as u64,
            within: within.clone(),
            method: method.clone(),
        });
        envelope::seal(envelope::TRAJECTORY, &writer.into_bytes().map_err(damaged)?)
    }

    /// The model of these bytes.
    ///
    /// # Errors
    /// Bytes that are no model of trajectories, are damaged, or of a newer version; parts that do not fit each other.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut reader = SnapshotReader::new(envelope::open(envelope::TRAJECTORY, bytes)?);
        let body: Body = reader.take().map_err(damaged)?;
        reader.finish().map_err(damaged)?;
        let units = envelope::to_names("units", body.units)?;
        let names = envelope::to_names("names", body.names)?;
        let invalid = |what, expected: String, found: String| ModelError::Invalid { what, expected, found };
        let trajectory = Trajectory::new(units, Span::nanos(body.hop), names).map_err(|error| {
            invalid("units and names", "those of a trajectory".to_owned(), error.to_string())
        })?;
        let (units, names) = (trajectory.units.len(), trajectory.names.len());
        if !(1..=10_000).contains(&body.windows) {
            return Err(invalid("look-back", "1 to 10,000 windows".to_owned(), body.windows.to_string()));
        }
        same("tolerances", names, body.within.len())?;
        finite("tolerances", &body.within)?;
        body.method.check(units, names, body.windows as usize)?;
        Ok(Self(Arc::new(Fitted {
            units: trajectory.units,
            hop: trajectory.hop,
            names: trajectory.names,
            windows: body.windows as usize,
            within: body.within,
            method: body.method,
        })))
    }

    /// Writes it to a file, whole or not at all.
    ///
    /// # Errors
    /// [`ModelError::Io`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        envelope::save(path.as_ref(), &self.to_bytes()?)
    }

    /// Reads it from a file.
    ///
    /// # Errors
    /// [`ModelError::Io`]; what [`from_bytes`](Self::from_bytes) refuses.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::from_bytes(&envelope::load(path.as_ref())?)
    }
}

impl Method {
    /// Checks what was read against the units and names that came with it.
    fn check(&self, units: usize, names: usize, windows: usize) -> Result<(), ModelError> {
        match self {
            Self::Wiener(Weights { weights, offsets, deviations }) => {
                same("rows of weights", names, weights.len())?;
                same("offsets", names, offsets.len())?;
                same("deviations", names, deviations.len())?;
                finite("offsets", offsets)?;
                finite("deviations", deviations)?;
                for weights in weights {
                    same("weights of the look-back", units * windows, weights.len())?;
                    finite("weights", weights)?;
                }
                Ok(())
            }
            Self::Kalman(filter) => {
                same("windows of a Kalman filter", 1, windows)?;
                let square = names * names;
                for (what, length, values) in [
                    ("means", names, &filter.mean),
                    ("rates", units, &filter.rates),
                    ("transition", square, &filter.transition),
                    ("covariance of movement", square, &filter.wander),
                    ("weights", names * units, &filter.weights),
                    ("information", square, &filter.information),
                    ("covariance to begin with", square, &filter.initial),
                ] {
                    same(what, length, values.len())?;
                    finite(what, values)?;
                }
                Ok(())
            }
            Self::Bayes(Maps { low, high, log_rates, silence }) => {
                same("values of a Bayesian decoder", 1, names)?;
                same("rate maps", units, log_rates.len())?;
                finite("range", &[*low, *high, high - low])?;
                for rates in log_rates {
                    same("bins of a rate map", silence.len(), rates.len())?;
                    finite("rates", rates)?;
                }
                let somewhere = silence.iter().any(|value| value.is_finite());
                let sound = |value: &f64| value.is_finite() || *value == f64::NEG_INFINITY;
                if !somewhere || !silence.iter().all(sound) || low >= high {
                    let expected = "a place that is possible".to_owned();
                    return Err(ModelError::Invalid { what: "prior", expected, found: "none".to_owned() });
                }
                Ok(())
            }
        }
    }
}

pub(super) fn same(what: &'static str, expected: usize, found: usize) -> Result<(), ModelError> {
    if expected == found {
        return Ok(());
    }
    Err(ModelError::Invalid { what, expected: expected.to_string(), found: found.to_string() })
}

pub(super) fn finite(what: &'static str, values: &[f64]) -> Result<(), ModelError> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(found) => {
            let (expected, found) = ("finite numbers".to_owned(), found.to_string());
            Err(ModelError::Invalid { what, expected, found })
        }
        None => Ok(()),
    }
}
