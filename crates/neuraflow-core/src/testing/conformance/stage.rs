//! Checks of stages: operators from chunks to chunks.

use super::delay::ImpulseResponse;
use super::harness::{Harness, OtherShape, Prepared, feed_chunk, finish_chunk, no_panic, prepare};
use super::material::{Cut, chunks, make_missing, signal, with_channels};
use super::report::{Fault, Verdict};
use super::trace::Trace;
use crate::model::{Chunk, Recovery, SamplingRate, Span};
use crate::operator::{Latency, Operator, OperatorError, SignalSpec};
use crate::testing::Random;

/// The longest signal a check makes. Warm-ups beyond it are reported as not checked.
const LONGEST: u64 = 1 << 19;

pub(super) struct Stage<'a, O: Operator, F> {
    pub(super) make: &'a F,
    pub(super) spec: SignalSpec,
    pub(super) announced: SignalSpec,
    pub(super) latency: Latency,
    pub(super) operator: std::marker::PhantomData<O>,
}

impl<O: Operator<In = Chunk, Out = Chunk>, F: Fn() -> O> Harness for Stage<'_, O, F> {
    type Op = O;

    fn fresh(&self) -> Result<Prepared<O>, Fault> {
        prepare(self.make, &self.spec)
            .map_err(|e| Fault::new(format!("a second instance refused the spec: {e}")))
    }

    fn feed(
        &self,
        prepared: &mut Prepared<O>,
        input: &Chunk,
        trace: &mut Trace,
    ) -> Result<Result<(), OperatorError>, Fault> {
        feed_chunk(prepared, input, trace)
    }

    fn finish(&self, prepared: &mut Prepared<O>, trace: &mut Trace) -> Result<(), Fault> {
        finish_chunk(prepared, trace)
    }

    fn other_shapes(&self) -> Vec<OtherShape<O>> {
        let width = self.spec.channels.len();
        [width.saturating_sub(1).max(1), width + 1, width + 3]
            .into_iter()
            .filter(|other| *other != width)
            .filter_map(|other| {
                let spec = with_channels(&self.spec, other);
                let values = signal(&spec, self.usual() / 2, &mut Random::new(1));
                let prepared = prepare(self.make, &spec).ok()?;
                Some((prepared, chunks(&values, other, 0, Cut::Every(64))))
            })
            .collect()
    }
}

/// Samples that `span` covers, rounded up.
pub(super) fn samples_of(rate: SamplingRate, span: Span) -> u64 {
    rate.first_at_or_after(span)
}

impl<O: Operator<In = Chunk, Out = Chunk>, F: Fn() -> O> Stage<'_, O, F> {
    fn width(&self) -> usize {
        self.spec.channels.len()
    }

    /// A signal's usual length: enough for every chunk size.
    pub(super) fn usual(&self) -> usize {
        (self.spec.rate.as_hz() as usize).clamp(400, 3_000)
    }

    pub(super) fn material(&self, samples: usize, random: &mut Random) -> Vec<f32> {
        signal(&self.spec, samples, random)
    }

    pub(super) fn gappy(&self, samples: usize, random: &mut Random) -> Vec<f32> {
        let mut values = self.material(samples, random);
        let at = |part: usize| samples * part / 10;
        make_missing(&mut values, self.width(), at(3)..at(3) + 9, None, f32::NAN);
        make_missing(&mut values, self.width(), at(5)..at(5) + 1, Some(0), f32::NAN);
        make_missing(&mut values, self.width(), at(7)..at(7) + 20, Some(self.width() - 1), f32::NAN);
        values
    }

    pub(super) fn cut(&self, values: &[f32], first: u64, cut: Cut) -> Vec<Chunk> {
        chunks(values, self.width(), first, cut)
    }

    pub(super) fn chunk_invariance(&self, random: &mut Random) -> Result<(), Fault> {
        for values in [self.material(self.usual(), random), self.gappy(self.usual(), random)] {
            let whole = self.run(&self.cut(&values, 0, Cut::Whole))?;
            let sizes = [1, 2, 3, 7, 13, 64, 160].map(Cut::Every);
            let randoms = [Cut::Random(random.next()), Cut::Random(random.next())];
            for cut in sizes.into_iter().chain(randoms) {
                let mut cuts = self.cut(&values, 0, cut);
                if matches!(cut, Cut::Random(_)) {
                    cuts.insert(0, Chunk::new(0, self.width()));
                    cuts.push(Chunk::new(cuts.last().map_or(0, Chunk::end), self.width()));
                }
                let found = self.run(&cuts).map_err(|fault| fault.during(format!("chunks {cut:?}")))?;
                whole.must_equal(&found, &format!("chunks {cut:?} must give the bits of one whole chunk"))?;
            }
        }
        Ok(())
    }

    pub(super) fn finish_check(&self, random: &mut Random) -> Result<(), Fault> {
        let samples = self.usual() as u64;
        let values = self.material(self.usual(), random);
        let (mut prepared, mut trace) = (self.fresh()?, Trace::default());
        let cuts = self.cut(&values, 5, Cut::Every(13));
        self.feed_all(&mut prepared, &cuts, &mut trace)?;
        let held = samples_of(self.spec.rate, self.latency.look_ahead);
        let before = trace.len() as u64;
        if self.announced.rate == self.spec.rate {
            if before + held < samples || before > samples {
                return Err(Fault::new(format!(
                    "of {samples} samples {before} came out before finish; a look-ahead of {held} allows {} to {samples}",
                    samples.saturating_sub(held)
                )));
            }
            self.finish(&mut prepared, &mut trace)?;
            if (trace.first(), trace.len() as u64) != (5, samples) {
                return Err(Fault::new(format!(
                    "samples 5..{} went in, {}..{} came out with finish",
                    5 + samples,
                    trace.first(),
                    trace.end()
                )));
            }
        }
        let (mut unfed, mut trace) = (self.fresh()?, Trace::default());
        self.finish(&mut unfed, &mut trace)?;
        if trace.len() > 0 {
            return Err(Fault::new(format!("finish without input put out {} samples", trace.len())));
        }
        Ok(())
    }

    pub(super) fn causality(&self, random: &mut Random) -> Result<(), Fault> {
        let samples = self.usual();
        let ahead = samples_of(self.spec.rate, self.latency.look_ahead);
        let scale = self.announced.rate.as_hz() / self.spec.rate.as_hz();
        let one = self.gappy(samples, random);
        for _ in 0..4 {
            let at = 1 + random.below(samples - 1);
            let same = ((at as u64).saturating_sub(ahead) as f64 * scale) as u64;
            let mut two = one.clone();
            for (i, value) in two[at * self.width()..].iter_mut().enumerate() {
                *value = if i % 11 == 0 { f32::NAN } else { 3.0 - 7.0 * *value };
            }
            let what = format!("changing samples from {at} on must not change output before {same}");
            for cut in [Cut::Whole, Cut::Every(64)] {
                let a = self.run(&self.cut(&one, 0, cut))?;
                let b = self.run(&self.cut(&two, 0, cut))?;
                a.must_agree(&b, 0..same, None, &what)?;
            }
        }
        Ok(())
    }

    pub(super) fn gap(&self, random: &mut Random) -> Result<(), Fault> {
        let rate = self.spec.rate;
        let settle = samples_of(rate, self.latency.warm_up + self.latency.look_back);
        let before = self.usual();
        let samples = before + 40 + settle as usize + self.usual();
        if self.announced.rate != rate {
            return self.run(&self.cut(&self.gappy(samples, random), 0, Cut::Every(64))).map(|_| ());
        }
        let clean = self.material(samples, random);
        let reference = self.run(&self.cut(&clean, 0, Cut::Every(160)))?;
        let same_layout = self.announced.channels == self.spec.channels;
        let channels = [None, Some(0), Some(self.width() - 1)];
        for (start, length) in [(before, 20), (before, 1), (0, 5)] {
            let end = start + length;
            for channel in channels {
                for by in [f32::NAN, f32::INFINITY] {
                    let mut values = clean.clone();
                    make_missing(&mut values, self.width(), start..end, channel, by);
                    let found = self.run(&self.cut(&values, 0, Cut::Every(64)))?;
                    let what = format!("{by} in samples {start}..{end} of {}", of_channel(channel));
                    let settled = (end as u64 + settle)..samples as u64;
                    must_be_finite_where(&reference, &found, settled.clone(), &what)?;
                    if by.is_nan() && (same_layout || channel.is_none()) {
                        self.must_be_missing(&found, start as u64..end as u64, channel, &what)?;
                    }
                    let restarts = self.spec.missing == crate::operator::Missing::Restart;
                    if restarts && (same_layout || channel.is_none()) {
                        let rest = &clean[end * self.width()..];
                        let fresh = self.run(&self.cut(rest, end as u64, Cut::Every(64)))?;
                        let what = format!("{what}: after the warm-up it must equal a fresh start at {end}");
                        fresh.must_agree(&found, settled, channel, &what)?;
                    }
                }
            }
        }
        let mut nothing = clean;
        make_missing(&mut nothing, self.width(), 0..samples, None, f32::NAN);
        self.run(&self.cut(&nothing, 0, Cut::Every(64))).map(|_| ())
    }

    /// Missing in is missing out, in the same channel and the same sample.
    fn must_be_missing(
        &self,
        found: &Trace,
        range: std::ops::Range<u64>,
        channel: Option<usize>,
        what: &str,
    ) -> Result<(), Fault> {
        for number in range {
            let row = found.row(number).unwrap_or(&[]);
            for (column, value) in row.iter().enumerate() {
                if channel.is_none_or(|only| only == column) && !value.is_nan() {
                    return Err(Fault::new(format!(
                        "{what} must come out as NaN; sample {number} channel {column} is {value:?}"
                    )));
                }
            }
        }
        Ok(())
    }

    pub(super) fn shape(&self, random: &mut Random) -> Result<(), Fault> {
        let values = self.material(self.usual(), random);
        let cuts = self.cut(&values, 0, Cut::Every(37));
        let expected = self.run(&cuts)?;
        for wrong in [self.width() + 1, self.width() - 1, self.width() + 7] {
            if wrong == 0 {
                continue;
            }
            let (mut prepared, mut trace) = (self.fresh()?, Trace::default());
            self.feed_all(&mut prepared, &cuts[..2], &mut trace)?;
            let mut bad = Chunk::new(cuts[2].first(), wrong);
            bad.extend(&vec![1.0; wrong * 3]);
            let what = format!("a chunk of {wrong} channels where {} were prepared", self.width());
            let mut spare = Trace::default();
            match no_panic(&what, || self.feed(&mut prepared, &bad, &mut spare))?? {
                Ok(()) => return Err(Fault::new(format!("{what} must be an error"))),
                Err(error) if error.recovery() == Recovery::Skip => {
                    self.feed_all(&mut prepared, &cuts[2..], &mut trace)?;
                    self.finish(&mut prepared, &mut trace)?;
                    expected.must_equal(&trace, &format!("{what}, left out, must not change the rest"))?;
                }
                Err(_) => {}
            }
        }
        let empty = SignalSpec { channels: [].into(), ..self.spec.clone() };
        no_panic("prepare for no channel", || prepare(self.make, &empty).is_ok()).map(|_| ())
    }

    /// Whether the declared group delay is the measured one, at `hz` or at the pass band's geometric centre.
    pub(super) fn delay(&self, hz: Option<f64>) -> Result<Verdict, Fault> {
        let rate = self.spec.rate;
        let settle = samples_of(rate, self.latency.warm_up + self.latency.look_back);
        if settle > LONGEST || self.announced.rate != rate {
            return Ok(Verdict::Skipped("warm-up too long, or the rate changes".to_owned()));
        }
        let start = 16;
        let samples = start + 2 * settle as usize + self.usual();
        let mut values = vec![0.0; samples * self.width()];
        values[start * self.width()] = 1.0;
        let trace = self.run(&self.cut(&values, 0, Cut::Every(160)))?;
        let column = |column: usize| -> Vec<f64> {
            let rows = start as u64..trace.end();
            rows.map(|n| trace.row(n).and_then(|row| row.get(column)).copied().unwrap_or(0.0)).collect()
        };
        let energy = |values: &Vec<f64>| values.iter().map(|v| v * v).sum::<f64>();
        let greatest = (0..self.announced.channels.len())
            .map(column)
            .max_by(|a, b| energy(a).total_cmp(&energy(b)))
            .unwrap_or_default();
        let response = ImpulseResponse { values: greatest, rate: rate.as_hz() };
        let Some(hz) = hz.filter(|hz| *hz < rate.as_hz() / 2.0).or_else(|| response.pass_band_centre())
        else {
            return Ok(Verdict::Skipped("an impulse gives no response".to_owned()));
        };
        let Some(measured) = response.group_delay(hz) else {
            return Ok(Verdict::Skipped(format!("nothing passes at {hz} Hz")));
        };
        let declared = self.latency.group_delay.as_secs_f64() * rate.as_hz();
        if (declared - measured).abs() > 1.0 {
            return Err(Fault::new(format!(
                "group delay at {hz:.3} Hz: declared {declared:.3} samples, measured {measured:.3}"
            )));
        }
        Ok(Verdict::Passed)
    }

    /// Why the gap check cannot run, if it cannot.
    pub(super) fn too_long(&self) -> Option<String> {
        let settle = samples_of(self.spec.rate, self.latency.warm_up + self.latency.look_back);
        (settle > LONGEST).then(|| format!("a warm-up of {settle} samples is more than the kit feeds"))
    }
}

pub(super) fn of_channel(channel: Option<usize>) -> String {
    channel.map_or("all channels".to_owned(), |c| format!("channel {c}"))
}

/// Where the undisturbed run is finite, `found` must be.
pub(super) fn must_be_finite_where(
    reference: &Trace,
    found: &Trace,
    range: std::ops::Range<u64>,
    what: &str,
) -> Result<(), Fault> {
    for number in range {
        let (expected, row) = (reference.row(number).unwrap_or(&[]), found.row(number).unwrap_or(&[]));
        for (column, expected) in expected.iter().enumerate() {
            let value = row.get(column).copied().unwrap_or(f64::NAN);
            if expected.is_finite() && !value.is_finite() {
                return Err(Fault::new(format!(
                    "{what} must not outlast the warm-up; at {number} column {column} expected a finite number, found {value:?}"
                )));
            }
        }
    }
    Ok(())
}
