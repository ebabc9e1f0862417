//! Rational resampling: another sampling rate, with the filter against aliases that it needs.

use ndarray::{Array2, ArrayRef2};
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{ChannelKind, Chunk, SamplingRate, Span};
use neuraflow_core::operator::{Latency, Missing, Operator, OperatorError, SignalSpec};

use super::refusal::{Names, refusal};
use super::stage::{not_restored, unprepared};
use crate::kernel::{Histories, HistoriesState, Response, Value, dot, kaiser, windowed_sinc};
use crate::shape::same_channels;

/// Changes the sampling rate by a rational factor, decimation included, and takes out what would alias.
///
/// ```text
/// y[m] = Σ h[m·down − k·up] x[k],    h a sinc of cut-off 1 / max(up, down), Kaiser 5.0, of 20 · max(up, down) + 1 taps
/// ```
///
/// The filter is that of `scipy.signal.resample_poly(x, up, down)`. SciPy centres it on each output, and so looks ahead; this
/// is its causal part: the same numbers, `10 · max(up, down) / up` input samples late, which is the group delay at every
/// frequency. Output sample m lies at the time of input sample m · down / up of the stream, so that streams resampled to one
/// rate lie on one grid.
///
/// Channels are kept, and so is their unit. A channel starts in the steady state of its first value. A missing value gives NaN
/// at the outputs that fall onto it, and never enters the state; after it a channel starts again or goes on, as the stream's
/// [`Missing`] says. A trigger is not filtered: an output has the word of the input sample at or before it, so a word shorter
/// than an output's period may be lost. State: the input under the filter. Cost grows with `20 · max(up, down) / up` taps an
/// output.
///
/// ```
/// use neuraflow_core::model::{Channel, SamplingRate};
/// use neuraflow_core::operator::{Missing, Operator, SignalSpec};
/// use neuraflow_ops::filter::Resample;
/// let mut resample = Resample::to(SamplingRate::hz(256)?);
/// let channels = [Channel::new("Cz")].into();
/// let announced = resample.prepare(&SignalSpec { channels, rate: SamplingRate::hz(250)?, missing: Missing::Restart })?;
/// assert_eq!(announced.rate, SamplingRate::hz(256)?);
/// assert_eq!(resample.latency().group_delay.as_millis_f64(), 40.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `prepare`: a factor of 0; a ratio whose parts exceed 8192 in lowest terms; a rate beyond the greatest that a stream may
/// have; only no channel. `process`: another number of channels than prepared.
#[derive(Debug, Clone)]
pub struct Resample {
    to: Target,
    running: Option<Running>,
}

#[derive(Debug, Clone, Copy)]
enum Target {
    Rate(SamplingRate),
    Factor { up: u64, down: u64 },
}

/// Greatest factor in lowest terms: its filter has 163,841 taps.
const GREATEST: u64 = 8192;

/// Most values that it remembers over all channels.
const MOST: usize = 1 << 24;

#[derive(Debug, Clone)]
struct Running {
    phases: Phases,
    histories: Histories,
    missing: Missing,
    triggers: Vec<bool>,
    latency: Latency,
}

/// The filter, taken apart by where an output falls between two inputs.
#[derive(Debug, Clone)]
struct Phases {
    up: u64,
    down: u64,
    /// Inputs that an output is made of.
    width: usize,
    /// `[phase][input]`, oldest input first.
    taps: Vec<f64>,
}

impl Resample {
    /// To this sampling rate, whatever the stream's is.
    pub fn to(rate: SamplingRate) -> Self {
        Self { to: Target::Rate(rate), running: None }
    }

    /// To every `factor`-th sample.
    pub fn decimate(factor: u64) -> Self {
        Self::ratio(1, factor)
    }

    /// To `up / down` of the stream's sampling rate.
    pub fn ratio(up: u64, down: u64) -> Self {
        Self { to: Target::Factor { up, down }, running: None }
    }

    /// Resamples a whole recording `[sample][channel]` in `f32` or `f64`: as many samples as lie within it, all channels
    /// alike. As a stage that starts with it.
    ///
    /// # Errors
    /// As `prepare`.
    ///
    /// ```
    /// use ndarray::Array2;
    /// use neuraflow_core::model::SamplingRate;
    /// use neuraflow_ops::filter::Resample;
    /// let constant = Array2::from_elem((1_000, 2), 10.0); // µV
    /// let slower = Resample::decimate(4).filter(&constant, SamplingRate::hz(1_000)?)?;
    /// assert_eq!(slower.dim(), (250, 2));
    /// assert!(slower.iter().all(|value: &f64| (value - 10.0).abs() < 1e-12));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter<T: Value>(
        &self,
        signal: &ArrayRef2<T>,
        rate: SamplingRate,
    ) -> Result<Array2<T>, OperatorError> {
        let channels = signal.ncols();
        let (phases, _) = self.design(rate, channels)?;
        let mut running = Running::new(phases, Missing::Restart, vec![false; channels]);
        let signal = signal.as_standard_layout();
        let mut out = Vec::new();
        for (k, sample) in signal.rows().into_iter().enumerate() {
            let sample = sample.to_slice().unwrap_or(&[]);
            running.push(k as u64, sample, |value| out.push(value));
        }
        let samples = out.len() / channels;
        Array2::from_shape_vec((samples, channels), out).map_err(|error| OperatorError::Input {
            what: "values",
            expected: format!("samples of {channels} channels"),
            found: error.to_string(),
        })
    }

    /// The filter, and the rate that comes out.
    fn design(&self, rate: SamplingRate, channels: usize) -> Result<(Phases, SamplingRate), OperatorError> {
        let refused =
            |expected: String, found: String| OperatorError::Spec { what: "resampling", expected, found };
        let (up, down) = match self.to {
            Target::Factor { up, down } => (u128::from(up), u128::from(down)),
            Target::Rate(to) => {
                (u128::from(to.num()) * u128::from(rate.den()), u128::from(to.den()) * u128::from(rate.num()))
            }
        };
        let factor = format!("{up}/{down} of {rate}");
        if up == 0 || down == 0 {
            return Err(refused("two factors of 1 or more".to_owned(), factor));
        }
        let common = gcd(up, down);
        let (up, down) = (up / common, down / common);
        if up.max(down) > u128::from(GREATEST) {
            let expected =
                format!("a ratio whose parts are at most {GREATEST} in lowest terms; go by a rate between");
            return Err(refused(expected, factor));
        }
        let (up, down) = (up as u64, down as u64);
        let num = rate.num().checked_mul(up).zip(rate.den().checked_mul(down));
        let out = num.and_then(|(num, den)| SamplingRate::ratio(num, den).ok()).ok_or_else(|| {
            refused(format!("a rate of at most {} Hz", SamplingRate::MAX_HZ), factor.clone())
        })?;
        let phases = Phases::new(up, down)?;
        if channels == 0 || phases.width.saturating_mul(channels) > MOST {
            let expected =
                format!("at least one channel, and {MOST} values under the filter over all channels");
            return Err(refused(expected, format!("{channels} channels of {} values", phases.width)));
        }
        Ok((phases, out))
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Phases {
    fn new(up: u64, down: u64) -> Result<Self, OperatorError> {
        let most = up.max(down) as usize;
        let filter = if most == 1 {
            vec![1.0]
        } else {
            // At a rate of 2 the edge is in units of Nyquist.
            let taper = kaiser(20 * most + 1, 5.0);
            let edge = 1.0 / most as f64;
            windowed_sinc(&taper, Response::Lowpass(edge), 2.0)
                .map_err(|error| refusal(error, &Names::of_edge("cut-off", edge)))?
        };
        let phases = up as usize;
        let width = filter.len().div_ceil(phases);
        let mut taps = vec![0.0; phases * width];
        for (place, tap) in filter.iter().enumerate() {
            let (phase, age) = (place % phases, place / phases);
            taps[phase * width + width - 1 - age] = tap * up as f64;
        }
        Ok(Self { up, down, width, taps })
    }

    /// The first output at or after input `k`.
    fn first_output(&self, k: u64) -> u64 {
        let output = (u128::from(k) * u128::from(self.up)).div_ceil(u128::from(self.down));
        u64::try_from(output).unwrap_or(u64::MAX)
    }

    /// What output `m` weighs its inputs with.
    fn of_output(&self, m: u64) -> &[f64] {
        let phase = (u128::from(m) * u128::from(self.down) % u128::from(self.up)) as usize;
        &self.taps[phase * self.width..][..self.width]
    }

    /// How many input samples an output is late.
    fn delay(&self) -> f64 {
        let most = self.up.max(self.down);
        if most == 1 { 0.0 } else { 10.0 * most as f64 / self.up as f64 }
    }
}

impl Running {
    fn new(phases: Phases, missing: Missing, triggers: Vec<bool>) -> Self {
        let histories = Histories::new(phases.width, triggers.len());
        Self { phases, histories, missing, triggers, latency: Latency::default() }
    }

    /// Takes in input sample `k`, and gives the values of the outputs that fall onto it or before the next.
    fn push<T: Value>(&mut self, k: u64, sample: &[T], mut out: impl FnMut(T)) {
        for (channel, value) in sample.iter().enumerate().filter(|(channel, _)| !self.triggers[*channel]) {
            let value = value.to_f64();
            if value.abs() <= 1e100 {
                if !self.histories.has_started(channel) {
                    self.histories.start(channel, value);
                }
                self.histories.push(channel, value);
            } else if self.missing == Missing::Restart {
                self.histories.stop(channel);
            }
        }
        for m in self.phases.first_output(k)..self.phases.first_output(k + 1) {
            let taps = self.phases.of_output(m);
            for (channel, value) in sample.iter().enumerate() {
                out(if self.triggers[channel] {
                    *value
                } else if value.to_f64().abs() <= 1e100 {
                    T::from_f64(dot(taps, self.histories.past(channel)))
                } else {
                    T::from_f64(f64::NAN)
                });
            }
        }
    }
}

impl Operator for Resample {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        let (phases, rate) = self.design(spec.rate, spec.channels.len())?;
        let delay = Span::from_secs_f64(phases.delay() / spec.rate.as_hz()).unwrap_or_default();
        let latency = Latency {
            group_delay: delay,
            group_delay_max: delay,
            warm_up: spec.rate.offset(phases.width as u64 - 1),
            ..Latency::default()
        };
        let triggers = spec.channels.iter().map(|c| c.kind() == ChannelKind::Trigger).collect();
        self.running = Some(Running { latency, ..Running::new(phases, spec.missing, triggers) });
        Ok(SignalSpec { rate, ..spec.clone() })
    }

    fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        let Some(running) = &mut self.running else { return Err(unprepared()) };
        let channels = running.triggers.len();
        same_channels(channels, input.channels())?;
        let first = running.phases.first_output(input.first());
        let samples = running.phases.first_output(input.end()) - first;
        out.restart(first, channels);
        let mut values = out.extend_missing(samples as usize).iter_mut();
        for (k, sample) in (input.first()..).zip(input.samples()) {
            running.push(k, sample, |value| {
                if let Some(place) = values.next() {
                    *place = value;
                }
            });
        }
        Ok(())
    }

    fn reset(&mut self) {
        if let Some(running) = &mut self.running {
            running.histories.reset();
        }
    }

    fn latency(&self) -> Latency {
        self.running.as_ref().map(|running| running.latency).unwrap_or_default()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        if let Some(running) = &self.running {
            writer.put(&running.histories.state());
        }
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let Some(running) = &mut self.running else {
            return Err(RestoreError::Encoding { reason: "the filter has not been prepared".to_owned() });
        };
        running.histories.set_state(&reader.take::<HistoriesState>()?).map_err(not_restored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ramp comes out as late as the contract says, at any ratio.
    #[test]
    fn the_declared_delay_is_the_measured_one() {
        for (hz, up, down) in [(1_000, 1, 4), (250, 128, 125), (160, 8, 5), (100, 3, 1)] {
            let rate = SamplingRate::hz(hz).unwrap();
            let mut resample = Resample::ratio(up, down);
            let channels = [neuraflow_core::model::Channel::new("Cz")].into();
            let spec = SignalSpec { channels, rate, missing: Missing::Restart };
            let announced = resample.prepare(&spec).unwrap();
            let declared = resample.latency().group_delay.as_secs_f64();
            let seconds = Array2::from_shape_fn((2 * hz as usize, 1), |(n, _)| n as f64 / hz as f64);
            let late = resample.filter(&seconds, rate).unwrap();
            for m in late.nrows() / 2..late.nrows() {
                let now = m as f64 / announced.rate.as_hz();
                let measured = now - late[(m, 0)];
                // The taper lets a thousandth of the images between samples through.
                assert!(
                    (measured - declared).abs() < 2e-3 * now.max(1.0),
                    "{up}/{down}: {measured} for {declared}"
                );
            }
        }
    }

    #[test]
    fn triggers_keep_their_words() {
        let channels = ["Cz", "Status"].map(neuraflow_core::model::Channel::new).to_vec().into();
        let spec = SignalSpec { channels, rate: SamplingRate::hz(1_000).unwrap(), missing: Missing::Restart };
        let mut resample = Resample::decimate(4);
        resample.prepare(&spec).unwrap();
        let (mut input, mut out) = (Chunk::new(6, 2), Chunk::new(6, 2));
        (6..15).for_each(|n| _ = input.extend(&[1.0, n as f32]));
        resample.process(&input, &mut out).unwrap();
        let words: Vec<f32> = out.samples().map(|sample| sample[1]).collect();
        assert_eq!((out.first(), words), (2, vec![8.0, 12.0]));
    }
}
