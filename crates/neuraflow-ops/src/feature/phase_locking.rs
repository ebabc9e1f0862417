//! The phase-locking value: whether two channels keep their distance in phase.

use std::ops::Range;
use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Chunk, FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::LookBack;
use super::band_passes::band_passes;
use super::pairs::Pairs;
use crate::kernel::{Analytic, Complex64, SosFilter, SosState};
use crate::shape::{Rows, same_channels, same_length};

/// Phase-locking value of pairs of channels in frequency bands: from 0, any phase, to 1, always the same; without unit.
///
/// ```text
/// PLV = |mean over the look-back of exp(j (φ_a − φ_b))|,    φ the phase of the analytic signal of the band-passed channel
/// ```
///
/// Samples pass a causal Butterworth band-pass as they come; over the look-back, phases are those of `scipy.signal.hilbert`. Amplitudes
/// do not enter. A common reference or source locks everything to everything, at lag 0: put a
/// [`Laplacian`](crate::spatial::Laplacian) ahead of it. n independent cycles have about 1 / √n by chance.
///
/// Input: windows of any number of samples. Output: one row for each pair, named `A-B`, one column for each band. NaN until the look-back
/// has been filled once, and while a value in it is missing. State: the filters', and the filtered samples of the look-back, by
/// default one second.
///
/// Source: J.-P. Lachaux et al. (1999), Hum. Brain Mapp. 8:194–208.
///
/// # Errors
/// `prepare`: no pair; a name that no channel has, a channel with itself, or a trigger; no band, one without a name, two of one name, or
/// one that cannot be designed at this rate; a look-back of less than two samples, or of more than 2¹⁷. `process`: another number of
/// channels than prepared.
///
/// ```
/// use neuraflow_ops::feature::PhaseLocking;
/// // In a pipeline: .feature(…)
/// let locking = PhaseLocking::of([("C3", "C4")], [("mu", 8.0..13.0)]).over_millis(2_000);
/// # let _ = locking;
/// ```
#[derive(Clone, Debug)]
pub struct PhaseLocking {
    pairs: Pairs,
    bands: Vec<(String, Range<f64>)>,
    order: usize,
    over: Span,
    running: Option<Running>,
}

#[derive(Clone, Debug)]
struct Running {
    /// For each band its filter, and the filtered samples of the look-back.
    bands: Vec<(SosFilter, LookBack)>,
    /// The channels as they lie in the filtered samples: each a row.
    rows: Rows,
    analytic: Analytic,
    gathered: Vec<f32>,
    filtered: Chunk,
    samples: Vec<f64>,
    /// The phases of each row, as numbers of modulus 1.
    phases: Vec<Vec<Complex64>>,
    latency: Latency,
}

/// The longest look-back that is planned for.
const MOST: u64 = 1 << 17;

impl PhaseLocking {
    /// Of these pairs of channels in these bands, by name, with edges in hertz.
    pub fn of<A: Into<String>, B: Into<String>, N: Into<String>>(
        pairs: impl IntoIterator<Item = (A, B)>,
        bands: impl IntoIterator<Item = (N, Range<f64>)>,
    ) -> Self {
        Self {
            pairs: Pairs::of(pairs),
            bands: bands.into_iter().map(|(name, edges)| (name.into(), edges)).collect(),
            order: 4,
            over: Span::secs(1),
            running: None,
        }
    }

    /// Over a look-back of this many milliseconds that ends with the window.
    #[must_use]
    pub fn over_millis(mut self, millis: i64) -> Self {
        self.over = Span::millis(millis);
        self
    }

    /// With band-passes of this order; 4 without it.
    #[must_use]
    pub fn order(mut self, order: usize) -> Self {
        self.order = order;
        self
    }
}

impl Running {
    /// Gives the phases of all rows in one band; false where the look-back is not full.
    fn find_phases(&mut self, band: usize) -> bool {
        let (_, look_back) = &self.bands[band];
        if !look_back.is_full() {
            return false;
        }
        for (row, phases) in self.phases.iter_mut().enumerate() {
            let samples = look_back.copy(row, &mut self.samples);
            self.analytic.process(samples, phases);
            for phase in phases {
                *phase /= libm::hypot(phase.re, phase.im);
            }
        }
        true
    }

    fn locking(&self, one: usize, other: usize) -> f64 {
        let pairs = self.phases[one].iter().zip(&self.phases[other]);
        let sum = pairs.fold(Complex64::default(), |sum, (a, b)| sum + a * b.conj());
        let value = libm::hypot(sum.re, sum.im) / self.phases[one].len() as f64;
        if value.is_finite() { value } else { f64::NAN }
    }
}

impl Operator for PhaseLocking {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        let names = self.pairs.prepare(&spec.signal.channels)?;
        let rate = spec.signal.rate;
        let samples = rate.samples_in(self.over);
        if !(2..=MOST).contains(&samples) {
            return Err(OperatorError::Spec {
                what: "look-back of the phase-locking value",
                expected: format!("2 to {MOST} samples; change it, or lower the sampling rate first"),
                found: format!("{samples} samples at {rate}"),
            });
        }
        let channels = self.pairs.rows.len();
        let rows = Rows { width: channels, channels: (0..channels).collect(), ..self.pairs.rows.clone() };
        let (filters, slowest) = band_passes(&self.bands, self.order, channels, &spec.signal)?;
        let look_back = LookBack::new(self.over, &rows, &spec.signal)?;
        let bands = filters.into_iter().map(|filter| (filter, look_back.clone())).collect();
        self.running = Some(Running {
            bands,
            analytic: Analytic::new(samples as usize),
            gathered: Vec::new(),
            filtered: Chunk::new(0, channels),
            samples: Vec::new(),
            phases: vec![Vec::new(); channels],
            rows,
            latency: Latency { look_back: self.over, ..slowest },
        });
        Ok(Arc::new(FeatureSpec {
            rows: names,
            columns: self.bands.iter().map(|(name, _)| name.clone()).collect(),
            unit: String::new(),
        }))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        same_channels(self.pairs.rows.width, input.samples.channels())?;
        running.gathered.clear();
        for sample in input.samples.samples() {
            running.gathered.extend(self.pairs.rows.channels.iter().map(|channel| sample[*channel]));
        }
        let columns = running.bands.len();
        for band in 0..columns {
            let (filter, look_back) = &mut running.bands[band];
            running.filtered.restart(0, running.rows.width);
            let filtered = running.filtered.extend_missing(input.samples.len());
            filter.process(&running.gathered, filtered).map_err(|error| super::welch::refused(&error))?;
            look_back.push(&running.filtered, &running.rows);
            if running.find_phases(band) {
                for (pair, (one, other)) in self.pairs.places.iter().enumerate() {
                    out.values[pair * columns + band] = running.locking(*one, *other);
                }
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        for (filter, look_back) in self.running.iter_mut().flat_map(|running| &mut running.bands) {
            filter.reset();
            look_back.reset();
        }
    }

    fn latency(&self) -> Latency {
        self.running.as_ref().map(|running| running.latency).unwrap_or_default()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        if let Some(running) = &self.running {
            let states: Vec<SosState> = running.bands.iter().map(|(filter, _)| filter.state()).collect();
            writer.put(&states);
            running.bands.iter().for_each(|(_, look_back)| look_back.snapshot(writer));
        }
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let states: Vec<SosState> = reader.take()?;
        same_length("filters of the phase-locking value", running.bands.len(), states.len())?;
        for ((filter, look_back), state) in running.bands.iter_mut().zip(&states) {
            filter.set_state(state).map_err(crate::filter::not_restored)?;
            look_back.restore(reader)?;
        }
        Ok(())
    }
}
