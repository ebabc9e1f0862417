//! The operator trait: one transform of signals, windows or features.

mod shared;

use std::ops::Range;
use std::ptr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::model::{
    Channel, Chunk, Decision, FeatureSpec, Features, Marker, NoDecision, Recovery, SamplingRate, Span,
    StreamHeader, Window, WindowInfo,
};

pub use shared::shared;

/// Data that flows between operators. Its [`Spec`](Item::Spec) is what `prepare` needs to know of it.
pub trait Item: Clone + Send + 'static {
    /// Shape and meaning, fixed for the life of a stream.
    type Spec: Clone + PartialEq + Send + Sync + 'static;

    /// The window it was computed from, if it was.
    fn info(&self) -> Option<&WindowInfo> {
        None
    }
}

/// An item computed from a window: features, a decision, or a type of your own.
pub trait WindowItem: Item {
    /// An item without results yet.
    fn blank(info: WindowInfo, spec: &Self::Spec) -> Self;

    /// Takes on the shape of another stream's items, keeping its memory: streams take turns with the same item.
    fn reshape(&mut self, spec: &Self::Spec);

    /// Empties it for the next window, keeping its memory.
    fn begin(&mut self, info: &WindowInfo);
}

/// What a [`Chunk`] of a stream looks like.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalSpec {
    /// The channels, in the order of each sample's values.
    pub channels: Arc<[Channel]>,
    /// Samples per second.
    pub rate: SamplingRate,
    /// What a filter does with a channel after values were missing.
    pub missing: Missing,
}

/// What a filter does with a channel's state when its values are missing (NaN). NaN never enters the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missing {
    /// Start again from the steady state of the first value after the gap (the default).
    #[default]
    Restart,
    /// Keep the state as it was before the gap.
    Freeze,
}

/// What a [`Window`] of a stream looks like.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowSpec {
    /// The signal in it.
    pub signal: SignalSpec,
    /// Its length in event time. Its number of samples may vary from window to window.
    pub hop: Span,
}

impl Item for Chunk {
    type Spec = SignalSpec;
}

impl Item for Window {
    type Spec = WindowSpec;

    fn info(&self) -> Option<&WindowInfo> {
        Some(&self.info)
    }
}

impl Item for Features {
    type Spec = Arc<FeatureSpec>;

    fn info(&self) -> Option<&WindowInfo> {
        Some(&self.info)
    }
}

impl WindowItem for Features {
    fn blank(info: WindowInfo, spec: &Arc<FeatureSpec>) -> Self {
        Self { info, spec: Arc::clone(spec), values: vec![f64::NAN; spec.len()] }
    }

    #[inline]
    fn reshape(&mut self, spec: &Arc<FeatureSpec>) {
        if !Arc::ptr_eq(&self.spec, spec) {
            self.spec = Arc::clone(spec);
        }
        if self.values.len() != spec.len() {
            self.values.resize(spec.len(), f64::NAN);
        }
    }

    #[inline]
    fn begin(&mut self, info: &WindowInfo) {
        self.info.clone_from(info);
        self.values.fill(f64::NAN);
    }
}

impl<I: Clone + Send + 'static> Item for Decision<I> {
    /// Names of the classes.
    type Spec = Arc<[String]>;

    fn info(&self) -> Option<&WindowInfo> {
        Some(&self.info)
    }
}

impl<I: Clone + Send + 'static> WindowItem for Decision<I> {
    fn blank(info: WindowInfo, _: &Arc<[String]>) -> Self {
        Self { info, outcome: Err(NoDecision::WarmUp) }
    }

    fn reshape(&mut self, _: &Arc<[String]>) {}

    fn begin(&mut self, info: &WindowInfo) {
        self.info.clone_from(info);
        self.outcome = Err(NoDecision::WarmUp);
    }
}

/// The latency contract of an operator: how far its output trails the signal. All in event time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Group delay at the geometric centre of the pass band.
    pub group_delay: Span,
    /// The largest group delay within the pass band.
    pub group_delay_max: Span,
    /// How much of the future it waits for before it puts out a sample.
    pub look_ahead: Span,
    /// How much of the past one output covers.
    pub look_back: Span,
    /// After a start or reset, how long until its output is settled (its look-back not included).
    pub warm_up: Span,
}

impl Latency {
    /// The contract of two operators in series.
    #[must_use]
    pub fn then(self, next: Latency) -> Latency {
        Latency {
            group_delay: self.group_delay + next.group_delay,
            group_delay_max: self.group_delay_max + next.group_delay_max,
            look_ahead: self.look_ahead + next.look_ahead,
            look_back: self.look_back + next.look_back,
            warm_up: self.warm_up + next.warm_up,
        }
    }
}

/// Why an operator refused its configuration or an input.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// The operator cannot work on this kind of input, or its settings do not fit it.
    #[error("{what}: expected {expected}, found {found}")]
    Spec {
        /// Which setting or property.
        what: &'static str,
        /// What would be accepted, and so what to do.
        expected: String,
        /// What was given.
        found: String,
    },
    /// One input has another shape than was prepared for.
    #[error("input {what}: expected {expected}, found {found}")]
    Input {
        /// Which property of the input.
        what: &'static str,
        /// What `prepare` announced.
        expected: String,
        /// What arrived.
        found: String,
    },
}

impl OperatorError {
    /// What to do after it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Spec { .. } => Recovery::Stop,
            Self::Input { .. } => Recovery::Skip,
        }
    }
}

/// One transform of one stream.
///
/// `Chunk → Chunk` operators are stages (filters, references), `Window → Features` are features,
/// `Features → Decision` are decoders. An instance belongs to one stream and keeps that stream's state.
///
/// What an implementation promises, and [`testing::conformance`](crate::testing) checks: cutting the input into other
/// chunks does not change the output's bits; the future never changes the past; `reset` equals a fresh instance;
/// `restore` of a `snapshot` continues with the same bits; NaN in the input never enters the state; the
/// declared group delay is the measured one.
pub trait Operator: Send + 'static {
    /// What it takes.
    type In: Item;
    /// What it gives.
    type Out: Item;

    /// Checks the input's spec, allocates everything, and says what will come out. Called once, before `process`.
    fn prepare(
        &mut self,
        spec: &<Self::In as Item>::Spec,
    ) -> Result<<Self::Out as Item>::Spec, OperatorError>;

    /// Told once, after `prepare`, whose signal it gets: the stream as it is there, behind stages that give another rate. Not
    /// called without a pipeline.
    ///
    /// # Errors
    /// A stream that it was not made for: the pipeline is not built then.
    fn open(&mut self, stream: &StreamHeader) -> Result<(), OperatorError> {
        let _ = stream;
        Ok(())
    }

    /// Transforms one input. Allocates nothing in steady state.
    ///
    /// For a `Chunk` output, `out` arrives empty, starting at the input's first sample with the prepared number
    /// of channels: append samples. An operator that looks ahead restarts it at the first sample it really puts out. One that
    /// announced another sampling rate restarts it at the first sample of that rate which lies at or after the input's first, and
    /// puts out all up to the one at or after the input's end: sample m of a rate lies `m / rate` after the stream's start.
    /// For `Features`, `out.values` arrives filled with NaN in the prepared layout, and `out.info` is the window's.
    ///
    /// An operator on windows that declares a look-ahead keeps the `out.info` that came with each window, and puts out
    /// the item of an earlier one: [`begin`](WindowItem::begin) with what it kept, then the results. As long as it leaves
    /// `out.info` as it came, it holds back, and nothing leaves.
    fn process(&mut self, input: &Self::In, out: &mut Self::Out) -> Result<(), OperatorError>;

    /// Puts out what a look-ahead still holds, at the end of the stream and before a reset after a gap. `out` arrives
    /// as for `process`.
    ///
    /// An operator on windows is asked if it declares a look-ahead. It puts out one item at a time, in order, and is called until it
    /// leaves `out.info` as it came: an instant after the last window.
    fn finish(&mut self, out: &mut Self::Out) -> Result<(), OperatorError> {
        let _ = out;
        Ok(())
    }

    /// The memory outside of the operator itself that `process` begins with, as [`as_ptr_range`](slice::as_ptr_range) gives it.
    /// Where a worker has thousands of streams it is asked for while packets before are computed. A hint: nothing is read through
    /// it, and without it all is the same but slower.
    fn memory(&self) -> Range<*const u8> {
        ptr::null()..ptr::null()
    }

    /// Forgets the signal: the state is that of a freshly prepared instance.
    fn reset(&mut self);

    /// Whether it is told of [markers](Self::marker); fixed from `prepare` on. Only operators on windows are.
    fn minds_markers(&self) -> bool {
        false
    }

    /// An experiment event. Told ahead of the first window that begins at or after it, or of the next one where the marker
    /// came later than that.
    fn marker(&mut self, marker: &Marker) {
        let _ = marker;
    }

    /// The name under which it takes [controls](crate::model::Control), if it takes any; fixed from `prepare` on. Only operators on
    /// windows are told any.
    fn listens_to(&self) -> Option<&str> {
        None
    }

    /// Takes what a host tells it, between two windows. It may allocate. What it was told is no part of the signal: it outlives
    /// `reset`, and is in the `snapshot`. An error changes nothing.
    ///
    /// # Errors
    /// What the operator cannot go on with, said as for a pipeline that is built.
    fn control(&mut self, payload: &[u8]) -> Result<(), OperatorError> {
        let _ = payload;
        let expected = "an operator that takes controls".to_owned();
        Err(OperatorError::Spec { what: "control", expected, found: "one that takes none".to_owned() })
    }

    /// The latency contract. Valid after `prepare`.
    fn latency(&self) -> Latency;

    /// Writes the state that `process` depends on (not the configuration).
    fn snapshot(&self, writer: &mut SnapshotWriter);

    /// Takes back a state written by `snapshot` of an equally configured and prepared instance.
    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError>;
}
