//! The aperiodic slope: how a spectrum falls beside its rhythms.

use std::ops::Range;

use neuraflow_core::model::{SamplingRate, Span};
use neuraflow_core::operator::OperatorError;

use super::over::{Columns, Over, Statistic, look_back_feature};
use crate::kernel::{Detrend, Psd, Window};

/// Offset and exponent of the 1/f part of each channel's spectrum, over a look-back that ends with the window.
///
/// ```text
/// log₁₀ P(f) = offset − exponent · log₁₀ f    by least squares over the bins of the range, but for those left out
/// ```
///
/// P is Welch's density as [`Spectrum`](super::Spectrum) has it (segments that overlap by half, mean taken off, Hann), in
/// µV²/Hz. The straight line is `numpy.polyfit` of degree 1. Rhythms bend it: leave the alpha band out with
/// [`without`](Self::without). It does not fit peaks as specparam (FOOOF) does.
///
/// Input: windows of any number of samples. Output: one row for each channel that is not a trigger, columns `offset` and `exponent`;
/// exponents of EEG lie between 1 and 2. NaN until the look-back has been filled once, and while every segment has a missing value.
/// State: the samples of the look-back, by default four seconds in segments of one.
///
/// Source: B. J. He (2014), Trends Cogn. Sci. 18:480–487; T. Donoghue et al. (2020), Nat. Neurosci. 23:1655–1665, the fixed mode.
///
/// # Errors
/// `prepare`: a range that is not above 0 Hz, not increasing or beyond Nyquist; fewer than three bins in it; a segment longer
/// than the look-back; a look-back of more than 2¹⁷ samples; only trigger channels. `process`: another number of channels than
/// prepared.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::feature::Aperiodic;
/// // A random walk falls with f⁻².
/// let (mut walk, mut seed) = (vec![0.0], 1_u64);
/// for n in 1..5_000 {
///     seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
///     walk.push(walk[n - 1] + (seed >> 40) as f64 / f64::from(1 << 23) - 1.0);
/// }
/// let fit = Aperiodic::between(2.0..40.0).over_millis(20_000).of_samples(&walk, 1, SamplingRate::hz(250)?)?;
/// assert!((fit[1] - 2.0).abs() < 0.2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Aperiodic {
    over: Over<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    range: Range<f64>,
    without: Vec<Range<f64>>,
    segment: Span,
    plan: Option<Plan>,
}

#[derive(Clone, Debug)]
struct Plan {
    psd: Psd,
    density: Vec<f64>,
    /// Bins of the fit, each with the logarithm of its frequency.
    bins: Vec<(usize, f64)>,
}

impl Aperiodic {
    /// Fits the bins from one frequency to another, in Hz, both included.
    pub fn between(hz: Range<f64>) -> Self {
        let line = Line { range: hz, without: Vec::new(), segment: Span::secs(1), plan: None };
        let mut over = Over::new(line);
        over.span = Span::secs(4);
        Self { over }
    }

    /// Leaves out the bins between two frequencies, in Hz, both included.
    #[must_use]
    pub fn without(mut self, hz: Range<f64>) -> Self {
        self.over.statistic.without.push(hz);
        self
    }

    /// Averages over segments of this many milliseconds that overlap by half.
    #[must_use]
    pub fn segment_millis(mut self, millis: i64) -> Self {
        self.over.statistic.segment = Span::millis(millis);
        self
    }
}

impl Statistic for Line {
    fn plan(&mut self, rate: SamplingRate, samples: usize) -> Result<Columns, OperatorError> {
        let (hz, segment) = (rate.as_hz(), rate.samples_in(self.segment) as usize);
        let refused =
            |expected: String, found: String| OperatorError::Spec { what: "aperiodic fit", expected, found };
        if segment == 0 || segment > samples {
            let expected = format!("a segment of 1 to {samples} samples, the look-back at {rate}");
            return Err(refused(expected, format!("{segment} samples; change the segment or the look-back")));
        }
        let (low, high) = (self.range.start, self.range.end);
        if !(low > 0.0 && low < high && high <= hz / 2.0) {
            let expected = format!("a range above 0 Hz, increasing, up to Nyquist {} Hz", hz / 2.0);
            return Err(refused(expected, format!("{low} to {high} Hz")));
        }
        let overlap = if segment == samples { 0 } else { segment / 2 };
        let psd = Psd::new(segment, overlap, Window::Hann, Detrend::Constant, hz)
            .map_err(|error| refused("a spectrum that can be computed".to_owned(), error.to_string()))?;
        let within = |range: &Range<f64>, f: f64| (range.start..=range.end).contains(&f);
        let bins: Vec<(usize, f64)> = (0..psd.bins())
            .map(|bin| (bin, psd.frequency(bin)))
            .filter(|(_, f)| within(&self.range, *f) && !self.without.iter().any(|range| within(range, *f)))
            .map(|(bin, f)| (bin, libm::log10(f)))
            .collect();
        if bins.len() < 3 {
            let expected = "at least three bins in the range; widen it or lengthen the segment".to_owned();
            return Err(refused(expected, format!("{} bins, {} Hz apart", bins.len(), hz / segment as f64)));
        }
        self.plan = Some(Plan { density: vec![0.0; psd.bins()], psd, bins });
        Ok(Columns::of(&["offset", "exponent"], ""))
    }

    fn compute(&mut self, samples: &[f64], out: &mut [f64]) {
        let Some(Plan { psd, density, bins }) = &mut self.plan else { return };
        if !psd.process(samples, density).is_ok_and(|segments| segments > 0) {
            return;
        }
        let count = bins.len() as f64;
        let mean_x = bins.iter().map(|(_, x)| x).sum::<f64>() / count;
        for (bin, _) in &*bins {
            density[*bin] = libm::log10(density[*bin]);
        }
        let mean_y = bins.iter().map(|(bin, _)| density[*bin]).sum::<f64>() / count;
        let (mut both, mut square) = (0.0, 0.0);
        for (bin, x) in &*bins {
            both += (x - mean_x) * (density[*bin] - mean_y);
            square += (x - mean_x) * (x - mean_x);
        }
        let slope = both / square;
        if slope.is_finite() {
            out.copy_from_slice(&[mean_y - slope * mean_x, -slope]);
        }
    }
}

look_back_feature!(Aperiodic);
