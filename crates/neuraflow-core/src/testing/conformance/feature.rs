//! Checks of operators from windows to features, windows or anything else.

use super::harness::{Harness, OtherShape, Prepared, feed_window, no_panic, prepare, refused};
use super::material::{make_missing, signal, windows, with_channels};
use super::report::Fault;
use super::stage::{must_be_finite_where, of_channel};
use super::trace::{Trace, WindowOutput};
use crate::model::{Chunk, Recovery, Window};
use crate::operator::{Latency, Missing, Operator, OperatorError, WindowSpec};
use crate::testing::Random;

/// Windows in a usual run.
const USUAL: usize = 24;

/// The most samples a check makes.
const LONGEST: usize = 1 << 21;

pub(super) struct Feature<'a, O: Operator, F> {
    pub(super) make: &'a F,
    pub(super) spec: WindowSpec,
    pub(super) latency: Latency,
    pub(super) operator: std::marker::PhantomData<O>,
}

impl<O: Operator<In = Window, Out: WindowOutput>, F: Fn() -> O> Harness for Feature<'_, O, F> {
    type Op = O;

    fn fresh(&self) -> Result<Prepared<O>, Fault> {
        prepare(self.make, &self.spec)
            .map_err(|e| Fault::new(format!("a second instance refused the spec: {e}")))
    }

    fn feed(
        &self,
        prepared: &mut Prepared<O>,
        input: &Window,
        trace: &mut Trace,
    ) -> Result<Result<(), OperatorError>, Fault> {
        feed_window(prepared, input, trace)
    }

    fn finish(&self, prepared: &mut Prepared<O>, _trace: &mut Trace) -> Result<(), Fault> {
        // Nothing is announced of what may come after the last window; it must not fail.
        if let Some(window) = self.windows(&signal(&self.spec.signal, 64, &mut Random::new(0)), 0).first() {
            let mut out = O::Out::blank(&prepared.spec, &window.info);
            prepared.operator.finish(&mut out).map_err(|e| refused("finish", &e))?;
        }
        Ok(())
    }

    fn other_shapes(&self) -> Vec<OtherShape<O>> {
        let width = self.spec.signal.channels.len();
        [width.saturating_sub(1).max(1), width + 1, width + 3]
            .into_iter()
            .filter(|other| *other != width)
            .filter_map(|other| {
                let spec = WindowSpec { signal: with_channels(&self.spec.signal, other), hop: self.spec.hop };
                let values =
                    signal(&spec.signal, self.samples(self.settle() + USUAL) / 2, &mut Random::new(1));
                Some((prepare(self.make, &spec).ok()?, windows(&spec, &values, 0)))
            })
            .collect()
    }
}

impl<O: Operator<In = Window, Out: WindowOutput>, F: Fn() -> O> Feature<'_, O, F> {
    fn width(&self) -> usize {
        self.spec.signal.channels.len()
    }

    fn windows(&self, values: &[f32], first: usize) -> Vec<Window> {
        windows(&self.spec, values, first)
    }

    /// Windows until the look-back and the warm-up have passed.
    fn settle(&self) -> usize {
        let span = (self.latency.look_back + self.latency.warm_up).as_nanos();
        let period = (1e9 / self.spec.signal.rate.as_hz()) as i64 + 1;
        ((span + period) / self.spec.hop.as_nanos().max(1)) as usize + 1
    }

    fn samples(&self, windows: usize) -> usize {
        let span = crate::model::Span::nanos(self.spec.hop.as_nanos().saturating_mul(windows as i64));
        self.spec.signal.rate.first_at_or_after(span) as usize
    }

    /// Why the checks cannot run, if they cannot.
    pub(super) fn too_long(&self) -> Option<String> {
        let samples = self.samples(self.settle() * 2 + USUAL).saturating_mul(self.width());
        (samples > LONGEST)
            .then(|| format!("look-back and warm-up need {samples} values, more than the kit feeds"))
    }

    /// Windows of a fresh signal, long enough for the look-back to fill, with gaps towards the end.
    pub(super) fn material(&self, random: &mut Random) -> Vec<Window> {
        let count = self.samples(self.settle() + USUAL);
        let mut values = signal(&self.spec.signal, count, random);
        let gap = |part: usize| count * part / 20..count * part / 20 + 1 + count / 40;
        make_missing(&mut values, self.width(), gap(15), None, f32::NAN);
        make_missing(&mut values, self.width(), gap(17), Some(0), f32::NAN);
        make_missing(&mut values, self.width(), gap(19), Some(self.width() - 1), f32::INFINITY);
        self.windows(&values, 0)
    }

    pub(super) fn causality(&self, random: &mut Random) -> Result<(), Fault> {
        let one = self.material(random);
        let unchanged = self.run(&one)?;
        for _ in 0..2 {
            let at = random.below(one.len());
            let mut two = one.clone();
            for window in &mut two[at..] {
                window.samples.values_mut().iter_mut().for_each(|value| *value = 3.0 - 7.0 * *value);
            }
            let what = format!("changing windows from {at} on must not change earlier output");
            unchanged.must_agree(&self.run(&two)?, 0..at as u64, None, &what)?;
        }
        Ok(())
    }

    pub(super) fn gap(&self, random: &mut Random) -> Result<(), Fault> {
        let settle = self.settle();
        let total = settle * 2 + USUAL;
        let clean = signal(&self.spec.signal, self.samples(total), random);
        let reference = self.run(&self.windows(&clean, 0))?;
        let (early, long, short) = ((0, 2), (settle + 2, settle + 5), (settle + 2, settle + 3));
        let last = Some(self.width() - 1);
        for ((start, end), channel, by) in [
            (long, None, f32::NAN),
            (long, Some(0), f32::NAN),
            (long, last, f32::INFINITY),
            (short, None, f32::NAN),
            (short, last, f32::NAN),
            (early, None, f32::INFINITY),
            (early, Some(0), f32::NAN),
        ] {
            let mut values = clean.clone();
            make_missing(&mut values, self.width(), self.samples(start)..self.samples(end), channel, by);
            let found = self.run(&self.windows(&values, 0))?;
            let what = format!("{by} in windows {start}..{end} of {}", of_channel(channel));
            let settled = (end + settle) as u64..reference.end();
            must_be_finite_where(&reference, &found, settled.clone(), &what)?;
            if self.spec.signal.missing == Missing::Restart && channel.is_none() {
                let fresh = self.run(&self.windows(&clean, end))?;
                let what = format!("{what}: once settled it must equal a fresh start at {end}");
                fresh.must_agree(&found, settled, None, &what)?;
            }
        }
        let mut nothing = clean;
        nothing.fill(f32::NAN);
        self.run(&self.windows(&nothing, 0)).map(|_| ())
    }

    pub(super) fn shape(&self, random: &mut Random) -> Result<(), Fault> {
        let inputs = self.material(random);
        let expected = self.run(&inputs)?;
        for wrong in [self.width() + 1, self.width() - 1] {
            if wrong == 0 {
                continue;
            }
            let (mut prepared, mut trace) = (self.fresh()?, Trace::default());
            self.feed_all(&mut prepared, &inputs[..3], &mut trace)?;
            let mut bad = inputs[3].clone();
            bad.samples = Chunk::new(bad.samples.first(), wrong);
            bad.samples.extend(&vec![1.0; wrong * 3]);
            let what = format!("a window of {wrong} channels where {} were prepared", self.width());
            match no_panic(&what, || self.feed(&mut prepared, &bad, &mut Trace::default()))?? {
                Ok(()) => return Err(Fault::new(format!("{what} must be an error"))),
                Err(error) if error.recovery() == Recovery::Skip => {
                    self.feed_all(&mut prepared, &inputs[3..], &mut trace)?;
                    expected.must_equal(&trace, &format!("{what}, left out, must not change the rest"))?;
                }
                Err(_) => {}
            }
        }
        let mut none = self.spec.clone();
        none.signal.channels = [].into();
        no_panic("prepare for no channel", || prepare(self.make, &none).is_ok()).map(|_| ())
    }
}
