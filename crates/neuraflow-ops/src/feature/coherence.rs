//! Coherence: how much of two channels' power in a band is one and the same.

use std::ops::Range;
use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::LookBack;
use super::band_power::check_names;
use super::pairs::Pairs;
use crate::kernel::{Band, Complex64, RealDft, Window as Taper, stats};
use crate::shape::same_channels;

/// Magnitude-squared coherence of pairs of channels, as the mean over the bins of each band: from 0 to 1, without unit.
///
/// ```text
/// C(f) = |Σ X(f) Y*(f)|² / (Σ |X(f)|² · Σ |Y(f)|²)    over segments that overlap by half, mean taken off, Hann
/// ```
///
/// `scipy.signal.coherence(x, y, fs, nperseg=…)`. What a lag or a gain does between the two does not matter; what both have from a
/// common reference does, so put a [`Laplacian`](crate::spatial::Laplacian) or bipolar derivations ahead of it. With k segments two
/// channels without anything in common have about 1 / k: take many.
///
/// Input: windows of any number of samples. Output: one row for each pair, named `A-B`, one column for each band. NaN until the look-back
/// has been filled once, and where no segment is complete in both. State: the samples of the look-back, by default four seconds in
/// segments of half a second.
///
/// Source: P. D. Welch (1967); P. L. Nunez et al. (1997), Electroencephalogr. Clin. Neurophysiol. 103:499–515.
///
/// # Errors
/// `prepare`: no pair; a name that no channel has, a channel with itself, or a trigger; no band, one without a name, two of one name, or
/// one without a bin; a segment longer than the look-back; a look-back of more than 2¹⁷ samples. `process`: another number of channels
/// than prepared.
///
/// ```
/// use neuraflow_ops::feature::Coherence;
/// // In a pipeline: .feature(…)
/// let coherence = Coherence::of([("C3", "C4"), ("F3", "P3")], [("alpha", 8.0..13.0)]).over_millis(4_000);
/// # let _ = coherence;
/// ```
#[derive(Clone, Debug)]
pub struct Coherence {
    pairs: Pairs,
    bands: Vec<(String, Range<f64>)>,
    over: Span,
    segment: Span,
    running: Option<Running>,
}

#[derive(Clone, Debug)]
struct Running {
    look_back: LookBack,
    bins: Vec<Band>,
    spectra: Spectra,
    /// The samples of each row.
    samples: Vec<Vec<f64>>,
}

/// The longest look-back that is planned for.
const MOST: usize = 1 << 17;

/// Spectra of segments, and their sums.
#[derive(Clone, Debug)]
struct Spectra {
    taper: Vec<f64>,
    hop: usize,
    transform: RealDft,
    tapered: Vec<f64>,
    one: Vec<Complex64>,
    other: Vec<Complex64>,
    /// For each bin: both powers, and the cross-spectrum.
    sums: Vec<(f64, f64, Complex64)>,
}

impl Coherence {
    /// Of these pairs of channels in these bands, by name, with edges in hertz.
    pub fn of<A: Into<String>, B: Into<String>, N: Into<String>>(
        pairs: impl IntoIterator<Item = (A, B)>,
        bands: impl IntoIterator<Item = (N, Range<f64>)>,
    ) -> Self {
        Self {
            pairs: Pairs::of(pairs),
            bands: bands.into_iter().map(|(name, edges)| (name.into(), edges)).collect(),
            over: Span::secs(4),
            segment: Span::millis(500),
            running: None,
        }
    }

    /// Over a look-back of this many milliseconds that ends with the window.
    #[must_use]
    pub fn over_millis(mut self, millis: i64) -> Self {
        self.over = Span::millis(millis);
        self
    }

    /// Over segments of this many milliseconds that overlap by half.
    #[must_use]
    pub fn segment_millis(mut self, millis: i64) -> Self {
        self.segment = Span::millis(millis);
        self
    }
}

impl Spectra {
    fn new(segment: usize) -> Result<Self, crate::kernel::KernelError> {
        let transform = RealDft::new(segment)?;
        let bins = transform.bins();
        Ok(Self {
            taper: Taper::Hann.values(segment),
            hop: (segment - segment / 2).max(1),
            transform,
            tapered: vec![0.0; segment],
            one: vec![Complex64::default(); bins],
            other: vec![Complex64::default(); bins],
            sums: vec![(0.0, 0.0, Complex64::default()); bins],
        })
    }

    /// Sums the spectra of all segments that are complete in both; how many there were.
    fn add(&mut self, x: &[f64], y: &[f64]) -> usize {
        self.sums.fill((0.0, 0.0, Complex64::default()));
        let length = self.taper.len();
        let pairs = x.windows(length).step_by(self.hop).zip(y.windows(length).step_by(self.hop));
        let mut segments = 0;
        for (x, y) in pairs {
            if x.iter().chain(y).all(|value| value.is_finite())
                && transform(&mut self.transform, &self.taper, x, &mut self.tapered, &mut self.one)
                && transform(&mut self.transform, &self.taper, y, &mut self.tapered, &mut self.other)
            {
                for ((a, b, cross), (x, y)) in self.sums.iter_mut().zip(self.one.iter().zip(&self.other)) {
                    *a += x.norm_sqr();
                    *b += y.norm_sqr();
                    *cross += x * y.conj();
                }
                segments += 1;
            }
        }
        segments
    }

    /// Mean coherence over some bins.
    fn coherence(&self, band: &Band) -> f64 {
        let bins = &self.sums[band.bins()];
        let sum = bins.iter().fold(0.0, |sum, (a, b, cross)| sum + cross.norm_sqr() / (a * b));
        let mean = sum / bins.len() as f64;
        if mean.is_finite() { mean } else { f64::NAN }
    }
}

/// The spectrum of a segment without its mean.
fn transform(
    plan: &mut RealDft,
    taper: &[f64],
    segment: &[f64],
    tapered: &mut [f64],
    out: &mut [Complex64],
) -> bool {
    let mean = stats::sum(segment) / segment.len() as f64;
    for ((tapered, value), weight) in tapered.iter_mut().zip(segment).zip(taper) {
        *tapered = (value - mean) * weight;
    }
    plan.forward(tapered, out).is_ok()
}

impl Operator for Coherence {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        let names = self.pairs.prepare(&spec.signal.channels)?;
        check_names(&self.bands)?;
        let rate = spec.signal.rate;
        let (samples, segment) =
            (rate.samples_in(self.over) as usize, rate.samples_in(self.segment) as usize);
        if segment == 0 || segment > samples || samples > MOST {
            return Err(OperatorError::Spec {
                what: "segment of the coherence",
                expected: format!("1 to {samples} samples, and a look-back of at most {MOST}, at {rate}"),
                found: format!("{segment} samples in {samples}; change the segment or the look-back"),
            });
        }
        let bins = self
            .bands
            .iter()
            .map(|(name, edges)| super::band_power::band(name, edges, segment, rate.as_hz()));
        let bins = bins.collect::<Result<_, _>>()?;
        let spectra = Spectra::new(segment).map_err(|error| super::welch::refused(&error))?;
        let look_back = LookBack::new(self.over, &self.pairs.rows, &spec.signal)?;
        let samples = vec![Vec::new(); self.pairs.rows.len()];
        self.running = Some(Running { look_back, bins, spectra, samples });
        Ok(Arc::new(FeatureSpec {
            rows: names,
            columns: self.bands.iter().map(|(name, _)| name.clone()).collect(),
            unit: String::new(),
        }))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        let Some(Running { look_back, bins, spectra, samples }) = &mut self.running else { return Ok(()) };
        same_channels(self.pairs.rows.width, input.samples.channels())?;
        look_back.push(&input.samples, &self.pairs.rows);
        if !look_back.is_full() {
            return Ok(());
        }
        for (row, samples) in samples.iter_mut().enumerate() {
            look_back.copy(row, samples);
        }
        for ((one, other), values) in
            self.pairs.places.iter().zip(out.values.chunks_exact_mut(bins.len().max(1)))
        {
            if spectra.add(&samples[*one], &samples[*other]) > 0 {
                for (value, band) in values.iter_mut().zip(&*bins) {
                    *value = spectra.coherence(band);
                }
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        if let Some(running) = &mut self.running {
            running.look_back.reset();
        }
    }

    fn latency(&self) -> Latency {
        Latency { look_back: self.over, ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        if let Some(running) = &self.running {
            running.look_back.snapshot(writer);
        }
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.running.as_mut().map_or(Ok(()), |running| running.look_back.restore(reader))
    }
}
