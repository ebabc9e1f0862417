//! The running z-score: each sample in standard deviations from the mean, which follow the signal or are frozen.

use ndarray::{Array2, ArrayRef2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{ChannelKind, Chunk, SamplingRate, Span};
use neuraflow_core::operator::{Latency, Missing, OperatorError, SignalSpec};
use serde::{Deserialize, Serialize};

use super::stage::{stage_operator, unprepared};
use crate::kernel::Value;
use crate::shape::{same_channels, same_length};

/// Standardises each channel: `z = (x − mean) / standard deviation`, without unit, so that channels, sessions and people
/// compare. Mean and deviation include the sample itself, and never a later one.
///
/// - [`running`](Self::running): they follow the signal with a time constant τ, by D. H. D. West's update (1979, CACM 22:532):
///   with `α = 1 − exp(−1 / (τ · rate))` and `d = x − m`, `m ← m + α d` and `v ← (1 − α)(v + α d²)`;
/// - [`calibrated`](Self::calibrated): they are those of the first seconds, by B. P. Welford's update (1962), and **frozen** from
///   then on. Until then z is that of what has come, `scipy.stats.zscore(x[..=n])[n]`.
///
/// With [`freeze_beyond`](Self::freeze_beyond) samples far out do not move them: an artifact does not make what follows look
/// small. Where the deviation is 0 a value at the mean is 0, and any other NaN.
///
/// Input and output `[sample][channel]`; triggers pass unchanged, and so does the unit that the channels announce. A missing
/// value comes out as NaN and moves nothing; after it a channel starts anew, calibration included, or goes on, as the
/// stream's [`Missing`] says. Not linear; no delay. Settled after 6.9 τ, or the calibration. State: three numbers a channel.
///
/// ```
/// use ndarray::Array2;
/// use neuraflow_ops::filter::ZScore;
/// let quiet = |n: usize| if n % 2 == 0 { 90.0 } else { 110.0 };
/// let signal = Array2::from_shape_fn((501, 1), |(n, _)| if n < 500 { quiet(n) } else { 150.0 }); // µV
/// let z = ZScore::calibrated(1_000).filter(&signal, 250.0)?;
/// assert_eq!((z[(499, 0)], z[(500, 0)]), (1.0, 5.0)); // mean 100 µV, deviation 10 µV
/// # Ok::<(), neuraflow_core::operator::OperatorError>(())
/// ```
///
/// # Errors
/// `prepare`: a time constant or calibration of less than a sample; a limit that is not above 0. `process`: another number of
/// channels than prepared.
#[derive(Debug, Clone)]
pub struct ZScore {
    follow: Follow,
    limit: f64,
    stage: Running,
}

/// How mean and deviation come about.
#[derive(Debug, Clone, Copy)]
enum Follow {
    Forgetting(Span),
    Calibrated(Span),
}

/// The update at one sampling rate.
#[derive(Debug, Clone, Copy)]
struct Update {
    /// Weight of a new sample; none where all weigh the same.
    alpha: Option<f64>,
    /// Samples until they are settled.
    settling: u64,
    /// Whether they stay as they are then.
    frozen: bool,
    limit: f64,
}

/// Mean and deviation of one channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Moments {
    count: u64,
    mean: f64,
    variance: f64,
}

#[derive(Debug, Clone, Default)]
struct Running {
    update: Option<Update>,
    missing: Missing,
    passes: Vec<bool>,
    moments: Vec<Moments>,
    latency: Latency,
}

impl ZScore {
    /// Mean and deviation follow the signal with a time constant of this many milliseconds.
    pub fn running(millis: i64) -> Self {
        Self {
            follow: Follow::Forgetting(Span::millis(millis)),
            limit: f64::INFINITY,
            stage: Running::default(),
        }
    }

    /// Mean and deviation of the first this many milliseconds, frozen from then on.
    pub fn calibrated(millis: i64) -> Self {
        Self {
            follow: Follow::Calibrated(Span::millis(millis)),
            limit: f64::INFINITY,
            stage: Running::default(),
        }
    }

    /// Once settled, leaves samples out of mean and deviation whose `|z|`, by what was known before them, is beyond this: 5 is
    /// usual. A signal that has moved there for good stays there.
    #[must_use]
    pub fn freeze_beyond(mut self, z: f64) -> Self {
        self.limit = z;
        self
    }

    /// Standardises a whole recording `[sample][channel]` in `f32` or `f64`, all channels alike, and keeps its shape.
    ///
    /// # Errors
    /// As `prepare`.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use neuraflow_ops::filter::ZScore;
    /// let square = Array2::from_shape_fn((5_000, 1), |(n, _)| if n % 2 == 0 { -3.0_f64 } else { 3.0 });
    /// let z = ZScore::running(1_000).filter(&square, 250.0)?;
    /// assert!((z[(4_999, 0)] - 1.0).abs() < 0.01);
    /// # Ok::<(), neuraflow_core::operator::OperatorError>(())
    /// ```
    pub fn filter<T: Value>(
        &self,
        signal: &ArrayRef2<T>,
        sampling_rate: f64,
    ) -> Result<Array2<T>, OperatorError> {
        let update = self.update(sampling_rate)?;
        let mut moments = vec![Moments::default(); signal.ncols()];
        let mut out = signal.to_owned();
        for mut sample in out.rows_mut() {
            for (value, moments) in sample.iter_mut().zip(&mut moments) {
                *value = T::from_f64(moments.step(value.to_f64(), &update, Missing::Restart));
            }
        }
        Ok(out)
    }

    fn update(&self, sampling_rate: f64) -> Result<Update, OperatorError> {
        let (Follow::Forgetting(span) | Follow::Calibrated(span)) = self.follow;
        let samples = span.as_secs_f64() * sampling_rate;
        if !(samples >= 1.0 && samples.is_finite()) {
            return Err(OperatorError::Spec {
                what: "time constant or calibration of the z-score",
                expected: format!("at least a sample, {} ms", 1e3 / sampling_rate),
                found: format!("{} ms", span.as_millis_f64()),
            });
        }
        if self.limit.is_nan() || self.limit <= 0.0 {
            return Err(OperatorError::Spec {
                what: "limit beyond which the z-score is frozen",
                expected: "above 0; 5 is usual".to_owned(),
                found: self.limit.to_string(),
            });
        }
        let frozen = matches!(self.follow, Follow::Calibrated(_));
        let settled = if frozen { samples } else { samples * libm::log(1000.0) };
        Ok(Update {
            alpha: (!frozen).then(|| -libm::expm1(-1.0 / samples)),
            settling: libm::ceil(settled) as u64,
            frozen,
            limit: self.limit,
        })
    }

    fn prepare_stage(&mut self, spec: &SignalSpec) -> Result<(), OperatorError> {
        let update = self.update(spec.rate.as_hz())?;
        self.stage = Running {
            update: Some(update),
            missing: spec.missing,
            passes: spec.channels.iter().map(|c| c.kind() == ChannelKind::Trigger).collect(),
            moments: vec![Moments::default(); spec.channels.len()],
            latency: latency(&update, spec.rate),
        };
        Ok(())
    }
}

fn latency(update: &Update, rate: SamplingRate) -> Latency {
    Latency { warm_up: rate.offset(update.settling), ..Latency::default() }
}

impl Moments {
    /// Takes in a value, and gives its z.
    fn step(&mut self, value: f64, update: &Update, missing: Missing) -> f64 {
        // Squares of what is beyond would overflow, and no signal gets there.
        if value.is_nan() || value.abs() > 1e100 {
            if missing == Missing::Restart {
                *self = Self::default();
            }
            return f64::NAN;
        }
        let settled = self.count >= update.settling;
        let held = settled && (update.frozen || self.z(value).abs() > update.limit);
        if !held {
            self.take(value, update.alpha);
        }
        self.z(value)
    }

    fn take(&mut self, value: f64, alpha: Option<f64>) {
        self.count += 1;
        let distance = value - self.mean;
        match alpha {
            _ if self.count == 1 => self.mean = value,
            Some(alpha) => {
                self.mean += alpha * distance;
                self.variance = (1.0 - alpha) * (self.variance + alpha * distance * distance);
            }
            None => {
                let count = self.count as f64;
                self.mean += distance / count;
                self.variance += (distance * (value - self.mean) - self.variance) / count;
            }
        }
    }

    fn z(&self, value: f64) -> f64 {
        let distance = value - self.mean;
        match (distance == 0.0, self.variance > 0.0) {
            (true, _) => 0.0,
            (false, true) => distance / self.variance.sqrt(),
            (false, false) => f64::NAN,
        }
    }
}

impl Running {
    fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        let Some(update) = &self.update else { return Err(unprepared()) };
        same_channels(self.passes.len(), input.channels())?;
        for (z, sample) in
            out.extend_missing(input.len()).chunks_exact_mut(self.passes.len().max(1)).zip(input.samples())
        {
            let channels = self.moments.iter_mut().zip(&self.passes);
            for ((z, value), (moments, passes)) in z.iter_mut().zip(sample).zip(channels) {
                *z = if *passes {
                    *value
                } else {
                    moments.step(f64::from(*value), update, self.missing) as f32
                };
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.moments.fill(Moments::default());
    }

    fn latency(&self) -> Latency {
        self.latency
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&self.moments);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let moments: Vec<Moments> = reader.take()?;
        same_length("channels of the z-score", self.moments.len(), moments.len())?;
        let sound = |m: &Moments| m.mean.is_finite() && m.variance.is_finite() && m.variance >= 0.0;
        if !moments.iter().all(sound) {
            let reason = "a mean or variance that no signal has".to_owned();
            return Err(RestoreError::Encoding { reason });
        }
        self.moments = moments;
        Ok(())
    }
}

stage_operator!(ZScore);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_far_out_moves_nothing_once_settled() {
        let value = |n: usize| if n == 3_000 { 500.0 } else { (n % 2) as f64 * 20.0 };
        let signal = Array2::from_shape_fn((3_002, 1), |(n, _)| value(n));
        let held = ZScore::running(1_000).freeze_beyond(5.0).filter(&signal, 250.0).unwrap();
        let moved = ZScore::running(1_000).filter(&signal, 250.0).unwrap();
        assert!(held[(3_000, 0)] > 40.0 && moved[(3_000, 0)] < 40.0);
        assert!((held[(3_001, 0)] - held[(2_999, 0)]).abs() < 0.02);
        assert!((moved[(3_001, 0)] - moved[(2_999, 0)]).abs() > 0.1);
    }

    #[test]
    fn a_flat_channel_is_zero_and_then_unknown() {
        let flat = Array2::from_shape_fn((20, 1), |(n, _)| if n < 15 { 7.0 } else { 9.0 });
        let z = ZScore::calibrated(10).filter(&flat, 1000.0).unwrap();
        assert!(z.iter().take(15).all(|z| *z == 0.0) && z.iter().skip(15).all(|z: &f64| z.is_nan()));
    }
}
