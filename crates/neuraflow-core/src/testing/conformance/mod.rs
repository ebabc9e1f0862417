//! The conformance kit: what every operator promises, checked on yours.
//!
//! The kit makes signals from a seed, drives an operator as the engine does, and reports every promise it breaks.
//! It needs only the public traits, so it works on any crate's operators. Enable the feature `testing` in
//! `[dev-dependencies]`, and write one test for each operator:
//!
//! ```
//! use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
//! use neuraflow_core::model::Chunk;
//! use neuraflow_core::operator::{Latency, Operator, OperatorError, SignalSpec};
//! use neuraflow_core::testing::conformance::signal_operator;
//!
//! /// Doubles every value.
//! #[derive(Default)]
//! struct Double { channels: usize }
//!
//! impl Operator for Double {
//!     type In = Chunk;
//!     type Out = Chunk;
//!     fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
//!         self.channels = spec.channels.len();
//!         Ok(spec.clone())
//!     }
//!     fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
//!         if input.channels() != self.channels {
//!             return Err(OperatorError::Input {
//!                 what: "channels",
//!                 expected: self.channels.to_string(),
//!                 found: input.channels().to_string(),
//!             });
//!         }
//!         out.extend(input.values());
//!         out.values_mut().iter_mut().for_each(|value| *value *= 2.0);
//!         Ok(())
//!     }
//!     fn reset(&mut self) {}
//!     fn latency(&self) -> Latency { Latency::default() }
//!     fn snapshot(&self, _: &mut SnapshotWriter) {}
//!     fn restore(&mut self, _: &mut SnapshotReader<'_>) -> Result<(), RestoreError> { Ok(()) }
//! }
//!
//! signal_operator(Double::default).run().assert_ok();
//! ```
//!
//! [`signal_operator`] takes stages (`Chunk → Chunk`), [`window_operator`] takes operators on windows, whatever they
//! give, if their output implements [`WindowOutput`]. Each [`Check`] runs on each spec: by default
//! [`default_specs`], of which an operator may refuse some (a 40 Hz low-pass has no business at 12.8 Hz) but not
//! all; specs named by the caller must be taken.
//!
//! What the kit does not judge: whether the numbers are right. That is for reference data.

mod delay;
mod feature;
mod harness;
mod material;
mod report;
mod stage;
mod state;
mod trace;

#[cfg(test)]
mod broken_features;
#[cfg(test)]
mod broken_stages;

use std::any::type_name;
use std::marker::PhantomData;

pub use material::{default_specs, default_window_specs};
pub use report::{Check, Difference, Fault, Outcome, Report, Verdict};
pub use trace::{Observed, WindowOutput};

use crate::model::{Chunk, Window};
use crate::operator::{Operator, SignalSpec, WindowSpec};
use crate::testing::Random;
use feature::Feature;
use harness::{Harness, prepare, verdict};
use material::{Cut, describe};
use stage::Stage;

/// Checks of a stage, an operator from chunks to chunks. `make` gives a fresh, unprepared instance.
pub fn signal_operator<O, F>(make: F) -> SignalConformance<O, F>
where
    O: Operator<In = Chunk, Out = Chunk>,
    F: Fn() -> O,
{
    SignalConformance {
        make,
        specs: default_specs(),
        named: false,
        settings: Settings::default(),
        delay_at: None,
        operator: PhantomData,
    }
}

/// Checks of an operator on windows. `make` gives a fresh, unprepared instance.
pub fn window_operator<O, F>(make: F) -> WindowConformance<O, F>
where
    O: Operator<In = Window, Out: WindowOutput>,
    F: Fn() -> O,
{
    WindowConformance {
        make,
        specs: default_window_specs(),
        named: false,
        settings: Settings::default(),
        operator: PhantomData,
    }
}

#[derive(Clone, Debug)]
struct Settings {
    seed: u64,
    without: Vec<(Check, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 0x6e65_7572, without: Vec::new() }
    }
}

impl Settings {
    /// Runs one check unless the caller has excused the operator from it.
    fn judge(&self, report: &mut Report, check: Check, spec: &str, run: impl FnOnce() -> Verdict) {
        let excused = self.without.iter().find(|(excused, _)| *excused == check);
        let found = excused.map_or_else(run, |(_, why)| Verdict::Skipped(format!("excused: {why}")));
        report.add(check, spec, found);
    }

    /// Each check of each spec has its own random numbers, so that leaving one out does not change the others.
    fn random(&self, check: Check, spec: &str) -> Random {
        let text = format!("{}{spec}", check.name());
        Random::new(self.seed ^ crate::model::stable_hash(text.as_bytes()) as u64)
    }
}

/// Checks of a stage, ready to [`run`](Self::run).
#[derive(Debug)]
#[must_use = "nothing is checked before run()"]
pub struct SignalConformance<O, F> {
    make: F,
    specs: Vec<SignalSpec>,
    named: bool,
    settings: Settings,
    delay_at: Option<f64>,
    operator: PhantomData<fn() -> O>,
}

impl<O: Operator<In = Chunk, Out = Chunk>, F: Fn() -> O> SignalConformance<O, F> {
    /// Checks on these specs, which the operator must take, in place of the default ones.
    pub fn specs(mut self, specs: impl IntoIterator<Item = SignalSpec>) -> Self {
        (self.specs, self.named) = (specs.into_iter().collect(), true);
        self
    }

    /// Other signals and cuts.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// Leaves one check out, for a reason that the report repeats.
    pub fn without(mut self, check: Check, why: impl Into<String>) -> Self {
        self.settings.without.push((check, why.into()));
        self
    }

    /// The frequency, in hertz, at which the group delay is declared. Without it the kit takes the geometric centre
    /// of the band within 3 dB of the greatest gain, or 0 Hz where that band reaches down to 0 Hz. A stage that is
    /// not linear should be excused from [`Check::Delay`].
    pub fn delay_at(mut self, hz: f64) -> Self {
        self.delay_at = Some(hz);
        self
    }

    /// Runs every check on every spec.
    pub fn run(&self) -> Report {
        let mut report = Report::new(type_name::<O>(), self.settings.seed);
        let mut taken = 0;
        for spec in &self.specs {
            let name = describe(spec);
            let Some(prepared) = prepare_or_report(&self.make, spec, &name, self.named, &mut report) else {
                continue;
            };
            taken += 1;
            let stage = Stage::<O, F> {
                make: &self.make,
                spec: spec.clone(),
                announced: prepared.spec.clone(),
                latency: prepared.operator.latency(),
                operator: PhantomData,
            };
            self.check(&stage, &name, &mut report);
        }
        must_take_one(taken, &mut report);
        report
    }

    fn check(&self, stage: &Stage<'_, O, F>, name: &str, report: &mut Report) {
        let random = |check| self.settings.random(check, name);
        let mut judge = |check, run: &dyn Fn() -> Verdict| self.settings.judge(report, check, name, run);
        judge(Check::Latency, &|| verdict(|| state::latency(&stage.latency)));
        judge(Check::ChunkInvariance, &|| {
            verdict(|| stage.chunk_invariance(&mut random(Check::ChunkInvariance)))
        });
        judge(Check::Gap, &|| match stage.too_long() {
            Some(why) => Verdict::Skipped(why),
            None => verdict(|| stage.gap(&mut random(Check::Gap))),
        });
        let pair = |check| {
            let mut random = random(check);
            let a = stage.gappy(stage.usual(), &mut random);
            let b = stage.gappy(stage.usual() / 2, &mut random);
            (stage.cut(&a, 0, Cut::Random(1)), stage.cut(&b, 0, Cut::Random(2)), random)
        };
        judge(Check::Reset, &|| {
            let (a, b, mut random) = pair(Check::Reset);
            verdict(|| state::reset(stage, &a, &b, &mut random))
        });
        judge(Check::Snapshot, &|| {
            let (a, b, mut random) = pair(Check::Snapshot);
            verdict(|| {
                state::round_trip(stage, &a, &b, &mut random)?;
                state::damaged(stage, &b, &mut random)
            })
        });
        judge(Check::Isolation, &|| {
            let (a, b, _) = pair(Check::Isolation);
            verdict(|| state::isolation(stage, &a, &b))
        });
        judge(Check::Causality, &|| verdict(|| stage.causality(&mut random(Check::Causality))));
        judge(Check::Finish, &|| verdict(|| stage.finish_check(&mut random(Check::Finish))));
        judge(Check::Shape, &|| verdict(|| stage.shape(&mut random(Check::Shape))));
        judge(Check::Delay, &|| {
            let mut measured = Verdict::Passed;
            let ran = verdict(|| {
                measured = stage.delay(self.delay_at)?;
                Ok(())
            });
            if ran == Verdict::Passed { measured } else { ran }
        });
    }
}

/// Checks of an operator on windows, ready to [`run`](Self::run).
#[derive(Debug)]
#[must_use = "nothing is checked before run()"]
pub struct WindowConformance<O, F> {
    make: F,
    specs: Vec<WindowSpec>,
    named: bool,
    settings: Settings,
    operator: PhantomData<fn() -> O>,
}

impl<O: Operator<In = Window, Out: WindowOutput>, F: Fn() -> O> WindowConformance<O, F> {
    /// Checks on these specs, which the operator must take, in place of the default ones.
    pub fn specs(mut self, specs: impl IntoIterator<Item = WindowSpec>) -> Self {
        (self.specs, self.named) = (specs.into_iter().collect(), true);
        self
    }

    /// Other signals and cuts.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// Leaves one check out, for a reason that the report repeats.
    pub fn without(mut self, check: Check, why: impl Into<String>) -> Self {
        self.settings.without.push((check, why.into()));
        self
    }

    /// Runs every check on every spec.
    pub fn run(&self) -> Report {
        let mut report = Report::new(type_name::<O>(), self.settings.seed);
        let mut taken = 0;
        for spec in &self.specs {
            let name = describe(&spec.signal);
            let Some(prepared) = prepare_or_report(&self.make, spec, &name, self.named, &mut report) else {
                continue;
            };
            taken += 1;
            let feature = Feature::<O, F> {
                make: &self.make,
                spec: spec.clone(),
                latency: prepared.operator.latency(),
                operator: PhantomData,
            };
            self.check(&feature, &name, &mut report);
        }
        must_take_one(taken, &mut report);
        report
    }

    fn check(&self, feature: &Feature<'_, O, F>, name: &str, report: &mut Report) {
        let random = |check| self.settings.random(check, name);
        let mut judge = |check, run: &dyn Fn() -> Verdict| self.settings.judge(report, check, name, run);
        judge(Check::Latency, &|| verdict(|| state::latency(&feature.latency)));
        if let Some(why) = feature.too_long() {
            for check in [
                Check::Gap,
                Check::Reset,
                Check::Snapshot,
                Check::Isolation,
                Check::Causality,
                Check::Finish,
                Check::Shape,
            ] {
                judge(check, &|| Verdict::Skipped(why.clone()));
            }
            return;
        }
        let pair = |check| {
            let mut random = random(check);
            (feature.material(&mut random), feature.material(&mut random), random)
        };
        judge(Check::Gap, &|| verdict(|| feature.gap(&mut random(Check::Gap))));
        judge(Check::Reset, &|| {
            let (a, b, mut random) = pair(Check::Reset);
            verdict(|| state::reset(feature, &a, &b, &mut random))
        });
        judge(Check::Snapshot, &|| {
            let (a, b, mut random) = pair(Check::Snapshot);
            verdict(|| {
                state::round_trip(feature, &a, &b, &mut random)?;
                state::damaged(feature, &b, &mut random)
            })
        });
        judge(Check::Isolation, &|| {
            let (a, b, _) = pair(Check::Isolation);
            verdict(|| state::isolation(feature, &a, &b))
        });
        judge(Check::Causality, &|| verdict(|| feature.causality(&mut random(Check::Causality))));
        judge(Check::Finish, &|| {
            verdict(|| {
                let mut unfed = feature.fresh()?;
                feature.finish(&mut unfed, &mut trace::Trace::default())
            })
        });
        judge(Check::Shape, &|| verdict(|| feature.shape(&mut random(Check::Shape))));
    }
}

fn prepare_or_report<O: Operator>(
    make: &impl Fn() -> O,
    spec: &<O::In as crate::operator::Item>::Spec,
    name: &str,
    named: bool,
    report: &mut Report,
) -> Option<harness::Prepared<O>> {
    let outcome = harness::no_panic("prepare", || prepare(make, spec));
    let found = match outcome {
        Ok(Ok(prepared)) => {
            report.add(Check::Prepare, name, Verdict::Passed);
            return Some(prepared);
        }
        Ok(Err(error)) if named => Verdict::Failed(Fault::new(format!("prepare refused it: {error}"))),
        Ok(Err(error)) => Verdict::Skipped(format!("prepare refused it: {error}")),
        Err(fault) => Verdict::Failed(fault),
    };
    report.add(Check::Prepare, name, found);
    None
}

fn must_take_one(taken: usize, report: &mut Report) {
    if taken == 0 {
        let what = "no spec was taken, so nothing was checked; name specs that the operator takes";
        report.add(Check::Prepare, "all specs", Verdict::Failed(Fault::new(what)));
    }
}
