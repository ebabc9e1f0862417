//! Canonical correlation in sub-bands: harmonics too weak for the whole band count in their own.

use std::ops::Range;
use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Chunk, Decision, NoDecision, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::made_up::MadeUp;
use super::targets::Targets;
use crate::feature::{LookBack, Segment};
use crate::filter::{Butterworth, slowest};
use crate::shape::{Rows, same_channels};

/// Order of each sub-band's filter.
const ORDER: usize = 4;

/// Decides which of several flickers is looked at, by [`Cca`](super::Cca) in several sub-bands of the EEG.
///
/// ```text
/// score(class) = Σ w(n) · ρ(n, class)²,  w(n) = n^−1.25 + 0.25,  n = 1, 2, … the sub-bands in their order
/// decision = the class with the greatest score;  confidence = score / Σ scores
/// ```
///
/// Sub-bands usually begin at higher and higher frequencies and all end at the same one. Each has a causal Butterworth
/// filter of order 4 in here, so put no narrower filter ahead. Source: X. Chen, Y. Wang, S. Gao, T.-P. Jung and X. Gao (2015), J.
/// Neural Eng. 12(4):046008.
///
/// Input: windows of EEG that follow each other, of any number of samples; where they do not, as epochs do not, it starts anew.
/// Output, default and no decision: as of [`Cca`](super::Cca), over a look-back of one second unless set. State: the filters, and
/// the samples of the look-back in every sub-band.
///
/// # Errors
/// `prepare`: as of [`Cca`](super::Cca); no sub-band; one that [`Butterworth`] refuses. `process`: another number of channels.
///
/// ```
/// use neuraflow_ops::decode::Fbcca;
/// let classes = [("left", 13.0), ("right", 17.0)];
/// let decoder = move || Fbcca::new(classes, [10.0..80.0, 22.0..80.0, 34.0..80.0]).harmonics(3).over_millis(2_000);
/// // In a pipeline: .window(Tumbling::millis(50)).feature(decoder)
/// # let _ = decoder();
/// ```
#[derive(Clone, Debug)]
pub struct Fbcca {
    targets: Targets,
    bands: Vec<Range<f64>>,
    over: Span,
    rows: Arc<Rows>,
    filters: Vec<SubBand>,
    filtered: Chunk,
    made_up: MadeUp,
    segment: Segment,
    /// Samples until filters have settled and look-backs are full.
    settling: u64,
    place: Place,
}

/// A sub-band: its filter, and what has come out of it.
#[derive(Clone, Debug)]
struct SubBand {
    weight: f64,
    filter: Butterworth,
    look_back: LookBack,
}

/// Where in the stream it is: the next sample, and how many there were since the last start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    next: Option<u64>,
    seen: u64,
}

impl Fbcca {
    /// Tells classes apart, each with a name and the frequency of its flicker in Hz, in sub-bands with these edges in Hz.
    pub fn new<N: Into<String>>(
        classes: impl IntoIterator<Item = (N, f64)>,
        bands: impl IntoIterator<Item = Range<f64>>,
    ) -> Self {
        Self {
            targets: Targets::new(classes),
            bands: bands.into_iter().collect(),
            over: Span::secs(1),
            rows: Arc::default(),
            filters: Vec::new(),
            filtered: Chunk::default(),
            made_up: MadeUp::default(),
            segment: Segment::default(),
            settling: 0,
            place: Place::default(),
        }
    }

    /// Counts the first so many harmonics of each flicker, the frequency itself being the first.
    #[must_use]
    pub fn harmonics(mut self, harmonics: usize) -> Self {
        self.targets.harmonics = harmonics;
        self
    }

    /// Looks back over this many milliseconds that end with the window.
    #[must_use]
    pub fn over_millis(mut self, millis: i64) -> Self {
        self.over = Span::millis(millis);
        self
    }

    /// Looks at these channels, by name or label, and at no other.
    #[must_use]
    pub fn channels<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.targets.channels = names.into_iter().map(Into::into).collect();
        self
    }

    fn decide(&mut self) -> Result<(String, f64), NoDecision> {
        let mut scores = vec![0.0; self.targets.names.len()];
        for SubBand { weight, look_back, .. } in &self.filters {
            self.segment.of_look_back(look_back, self.made_up.count(), &self.rows);
            let correlations = self.targets.correlations(&self.segment, self.rows.len())?;
            scores.iter_mut().zip(correlations).for_each(|(score, rho)| *score += weight * rho * rho);
        }
        self.targets.decide(&scores)
    }
}

impl Operator for Fbcca {
    type In = Window;
    type Out = Decision<String>;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<[String]>, OperatorError> {
        self.rows = self.targets.prepare(&spec.signal.channels, spec.signal.rate)?;
        if self.bands.is_empty() {
            let expected = "at least one; a single one is plain correlation".to_owned();
            return Err(OperatorError::Spec { what: "sub-bands", expected, found: "none".to_owned() });
        }
        let sub_band = |(n, edges): (usize, &Range<f64>)| {
            let mut filter = Butterworth::bandpass(ORDER, edges.clone());
            filter.prepare(&spec.signal)?;
            let look_back = LookBack::new(self.over, &self.rows, &spec.signal)?;
            Ok(SubBand { weight: libm::pow((n + 1) as f64, -1.25) + 0.25, filter, look_back })
        };
        self.filters = self.bands.iter().enumerate().map(sub_band).collect::<Result<_, OperatorError>>()?;
        let rate = spec.signal.rate;
        self.made_up = MadeUp::over(self.filters.first().map_or(0, |band| band.look_back.length()));
        self.settling = rate.samples_in(self.over) + rate.first_at_or_after(self.latency().warm_up);
        self.place = Place::default();
        Ok(Arc::clone(&self.targets.names))
    }

    fn process(&mut self, input: &Window, out: &mut Decision<String>) -> Result<(), OperatorError> {
        let samples = &input.samples;
        same_channels(self.rows.width, samples.channels())?;
        if !samples.is_empty() && self.place.next.is_some_and(|next| next != samples.first()) {
            self.reset();
        }
        for SubBand { filter, look_back, .. } in &mut self.filters {
            self.filtered.restart(samples.first(), samples.channels());
            filter.process(samples, &mut self.filtered)?;
            look_back.push(&self.filtered, &self.rows);
        }
        self.made_up.push(input);
        if !samples.is_empty() {
            self.place = Place { next: Some(samples.end()), seen: self.place.seen + samples.len() as u64 };
        }
        let settled = self.place.seen >= self.settling && !out.info.warm_up;
        out.outcome = if settled { self.decide() } else { Err(NoDecision::WarmUp) };
        Ok(())
    }

    fn reset(&mut self) {
        for SubBand { filter, look_back, .. } in &mut self.filters {
            filter.reset();
            look_back.reset();
        }
        self.made_up.reset();
        self.place = Place::default();
    }

    /// That of the sub-band which is slowest.
    fn latency(&self) -> Latency {
        let filters = self.filters.iter().map(|band| band.filter.latency());
        Latency { look_back: self.over, ..slowest(filters) }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&(self.place.next, self.place.seen));
        self.made_up.snapshot(writer);
        for SubBand { filter, look_back, .. } in &self.filters {
            filter.snapshot(writer);
            look_back.snapshot(writer);
        }
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let (next, seen) = reader.take()?;
        self.place = Place { next, seen };
        self.made_up.restore(reader)?;
        for SubBand { filter, look_back, .. } in &mut self.filters {
            filter.restore(reader)?;
            look_back.restore(reader)?;
        }
        Ok(())
    }
}
