//! Band power by filters: an envelope that is never older than it must be.

use std::ops::Range;
use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};
use serde::{Deserialize, Serialize};

use super::band_passes::band_passes;
use crate::kernel::{KernelError, SosFilter, SosState};
use crate::shape::{Rows, same_channels, same_length};

/// Power of each channel in frequency bands, in µV², by band-pass filters and a running mean of their squares.
///
/// ```text
/// b = Butterworth band-pass of x,    p[n] = p[n−1] + α (b[n]² − p[n−1]),    α = 1 − exp(−1 / (τ · rate)),    at the window's end
/// ```
///
/// That is `scipy.signal.sosfilt` from the steady state and `lfilter([α], [1, α − 1], b²)` from `b[0]²`. Against
/// [`BandPower`](super::BandPower) it needs no look-back and no transform: samples are filtered as they come, and the delay is that
/// of the filter and τ, both of which the latency tells. Powers of adjoining bands do not add up to the variance.
///
/// Input: windows of any number of samples, also none. Output: one row for each channel that is not a trigger, one column for each
/// band. NaN for a channel whose latest value is missing; after it filter and mean start anew or go on, as the stream's
/// [`Missing`](neuraflow_core::operator::Missing) says. Settled after the warm-up that the latency tells. State: the filters', and
/// a number for each channel and band.
///
/// Source: G. Pfurtscheller and F. H. Lopes da Silva (1999), Clin. Neurophysiol. 110:1842–1857 (band-pass, square, smooth).
///
/// # Errors
/// `prepare`: no band, one without a name or two of one name; a band that cannot be designed at this rate; a τ of less than a sample;
/// only trigger channels. `process`: another number of channels than prepared.
///
/// ```
/// use neuraflow_ops::feature::EnvelopePower;
/// // In a pipeline: .feature(…)
/// let power = EnvelopePower::bands([("mu", 8.0..13.0), ("beta", 13.0..30.0)]).order(2).smoothed_millis(250);
/// # let _ = power;
/// ```
#[derive(Clone, Debug)]
pub struct EnvelopePower {
    bands: Vec<(String, Range<f64>)>,
    order: usize,
    smoothed: Span,
    running: Option<Running>,
}

#[derive(Clone, Debug)]
struct Running {
    rows: Arc<Rows>,
    alpha: f64,
    restarts: bool,
    filters: Vec<SosFilter>,
    /// `[band][row]`: the running mean of squares; none before the first value and after a missing one.
    power: Vec<Option<f64>>,
    /// For each row, whether its latest value was there.
    present: Vec<bool>,
    samples: Vec<f64>,
    filtered: Vec<f64>,
    latency: Latency,
}

#[derive(Serialize, Deserialize)]
struct State {
    filters: Vec<SosState>,
    power: Vec<Option<f64>>,
    present: Vec<bool>,
}

impl EnvelopePower {
    /// Bands by name, with their edges in hertz; filters of order 4, smoothed over 250 ms.
    pub fn bands<N: Into<String>>(bands: impl IntoIterator<Item = (N, Range<f64>)>) -> Self {
        Self {
            bands: bands.into_iter().map(|(name, edges)| (name.into(), edges)).collect(),
            order: 4,
            smoothed: Span::millis(250),
            running: None,
        }
    }

    /// With filters of this order.
    #[must_use]
    pub fn order(mut self, order: usize) -> Self {
        self.order = order;
        self
    }

    /// Smoothed with a time constant τ of this many milliseconds.
    #[must_use]
    pub fn smoothed_millis(mut self, millis: i64) -> Self {
        self.smoothed = Span::millis(millis);
        self
    }
}

fn refused(error: &KernelError) -> OperatorError {
    OperatorError::Input {
        what: "values",
        expected: "whole samples of the prepared channels".to_owned(),
        found: error.to_string(),
    }
}

impl Running {
    fn take(&mut self, input: &Window) -> Result<(), OperatorError> {
        let rows = self.rows.len();
        self.samples.clear();
        for sample in input.samples.samples() {
            self.samples.extend(self.rows.channels.iter().map(|channel| f64::from(sample[*channel])));
        }
        self.filtered.resize(self.samples.len(), 0.0);
        for (filter, power) in self.filters.iter_mut().zip(self.power.chunks_exact_mut(rows)) {
            filter.process(&self.samples, &mut self.filtered).map_err(|error| refused(&error))?;
            for sample in self.filtered.chunks_exact(rows) {
                for (power, value) in power.iter_mut().zip(sample) {
                    if value.is_finite() {
                        let square = value * value;
                        *power = Some(power.map_or(square, |power| power + self.alpha * (square - power)));
                    } else if self.restarts {
                        *power = None;
                    }
                }
            }
        }
        if let Some(last) = self.filtered.chunks_exact(rows).next_back() {
            self.present.iter_mut().zip(last).for_each(|(present, value)| *present = value.is_finite());
        }
        Ok(())
    }
}

impl Operator for EnvelopePower {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        let rows = Rows::of(&spec.signal.channels)?;
        let rate = spec.signal.rate;
        let tau = self.smoothed.as_secs_f64() * rate.as_hz();
        if !(tau >= 1.0 && tau.is_finite()) {
            return Err(OperatorError::Spec {
                what: "smoothing of the envelope power",
                expected: format!("at least a sample, {} ms", 1e3 / rate.as_hz()),
                found: format!("{} ms", self.smoothed.as_millis_f64()),
            });
        }
        let (filters, slowest) = band_passes(&self.bands, self.order, rows.len(), &spec.signal)?;
        let smoothing = Latency {
            group_delay: self.smoothed,
            group_delay_max: self.smoothed,
            // What an exponential mean holds of its past is a thousandth after 6.9 τ.
            warm_up: Span::from_secs_f64(self.smoothed.as_secs_f64() * libm::log(1000.0)).unwrap_or_default(),
            ..Latency::default()
        };
        let layout = FeatureSpec {
            rows: rows.names.clone(),
            columns: self.bands.iter().map(|(name, _)| name.clone()).collect(),
            unit: "µV²".to_owned(),
        };
        self.running = Some(Running {
            alpha: -libm::expm1(-1.0 / tau),
            restarts: spec.signal.missing == neuraflow_core::operator::Missing::Restart,
            power: vec![None; filters.len() * rows.len()],
            present: vec![false; rows.len()],
            filters,
            rows,
            samples: Vec::new(),
            filtered: Vec::new(),
            latency: slowest.then(smoothing),
        });
        Ok(Arc::new(layout))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        same_channels(running.rows.width, input.samples.channels())?;
        running.take(input)?;
        let (bands, rows) = (running.filters.len(), running.rows.len());
        for (row, values) in out.values.chunks_exact_mut(bands.max(1)).enumerate() {
            for (band, value) in values.iter_mut().enumerate().filter(|_| running.present[row]) {
                *value = running.power[band * rows + row].unwrap_or(f64::NAN);
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        if let Some(running) = &mut self.running {
            running.filters.iter_mut().for_each(SosFilter::reset);
            running.power.fill(None);
            running.present.fill(false);
        }
    }

    fn latency(&self) -> Latency {
        self.running.as_ref().map(|running| running.latency).unwrap_or_default()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        if let Some(running) = &self.running {
            writer.put(&State {
                filters: running.filters.iter().map(SosFilter::state).collect(),
                power: running.power.clone(),
                present: running.present.clone(),
            });
        }
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let state: State = reader.take()?;
        same_length("filters of the envelope power", running.filters.len(), state.filters.len())?;
        same_length("powers of the envelope power", running.power.len(), state.power.len())?;
        same_length("channels of the envelope power", running.present.len(), state.present.len())?;
        for (filter, state) in running.filters.iter_mut().zip(&state.filters) {
            filter.set_state(state).map_err(crate::filter::not_restored)?;
        }
        if state.power.iter().flatten().any(|power| !power.is_finite()) {
            return Err(RestoreError::Encoding { reason: "a power that no signal has".to_owned() });
        }
        (running.power, running.present) = (state.power, state.present);
        Ok(())
    }
}
