//! Driving an operator as the engine does, whatever it takes and gives.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::report::{Fault, Verdict};
use super::trace::{Trace, WindowOutput};
use crate::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::model::{Chunk, Window};
use crate::operator::{Item, Operator, OperatorError};

/// An instance that has been prepared, and what it announced.
pub(super) struct Prepared<O: Operator> {
    pub(super) operator: O,
    pub(super) spec: <O::Out as Item>::Spec,
    /// Where the next output would begin, were there no look-ahead.
    next: u64,
}

/// An instance prepared for another number of channels, and input for it.
pub(super) type OtherShape<O> = (Prepared<O>, Vec<<O as Operator>::In>);

/// How to make an operator and how to feed it.
pub(super) trait Harness {
    type Op: Operator;

    /// A fresh, prepared instance.
    fn fresh(&self) -> Result<Prepared<Self::Op>, Fault>;

    /// One call of `process`. The outer error is a fault of the operator, the inner one its answer.
    fn feed(
        &self,
        prepared: &mut Prepared<Self::Op>,
        input: &<Self::Op as Operator>::In,
        trace: &mut Trace,
    ) -> Result<Result<(), OperatorError>, Fault>;

    /// One call of `finish`.
    fn finish(&self, prepared: &mut Prepared<Self::Op>, trace: &mut Trace) -> Result<(), Fault>;

    /// Fresh instances prepared for other numbers of channels, as far as the operator takes them, each with
    /// input of its own shape.
    fn other_shapes(&self) -> Vec<OtherShape<Self::Op>>;

    /// Feeds inputs that the operator must take.
    fn feed_all(
        &self,
        prepared: &mut Prepared<Self::Op>,
        inputs: &[<Self::Op as Operator>::In],
        trace: &mut Trace,
    ) -> Result<(), Fault> {
        for input in inputs {
            self.feed(prepared, input, trace)?.map_err(|e| refused("process", &e))?;
        }
        Ok(())
    }

    /// A whole run of a fresh instance, with its end.
    fn run(&self, inputs: &[<Self::Op as Operator>::In]) -> Result<Trace, Fault> {
        let (mut prepared, mut trace) = (self.fresh()?, Trace::default());
        self.feed_all(&mut prepared, inputs, &mut trace)?;
        self.finish(&mut prepared, &mut trace)?;
        Ok(trace)
    }
}

pub(super) fn refused(call: &str, error: &OperatorError) -> Fault {
    Fault::new(format!("{call} refused good input: {error}"))
}

/// Makes and prepares an instance.
pub(super) fn prepare<O: Operator>(
    make: &impl Fn() -> O,
    spec: &<O::In as Item>::Spec,
) -> Result<Prepared<O>, OperatorError> {
    let mut operator = make();
    let spec = operator.prepare(spec)?;
    Ok(Prepared { operator, spec, next: 0 })
}

pub(super) fn feed_chunk<O: Operator<In = Chunk, Out = Chunk>>(
    prepared: &mut Prepared<O>,
    input: &Chunk,
    trace: &mut Trace,
) -> Result<Result<(), OperatorError>, Fault> {
    let width = prepared.spec.channels.len();
    let mut out = Chunk::new(input.first(), width);
    if let Err(error) = prepared.operator.process(input, &mut out) {
        return Ok(Err(error));
    }
    prepared.next = input.end();
    trace.push_chunk(&out, width).map(Ok)
}

pub(super) fn finish_chunk<O: Operator<In = Chunk, Out = Chunk>>(
    prepared: &mut Prepared<O>,
    trace: &mut Trace,
) -> Result<(), Fault> {
    let width = prepared.spec.channels.len();
    let mut out = Chunk::new(prepared.next, width);
    prepared.operator.finish(&mut out).map_err(|e| refused("finish", &e))?;
    trace.push_chunk(&out, width)
}

pub(super) fn feed_window<O: Operator<In = Window, Out: WindowOutput>>(
    prepared: &mut Prepared<O>,
    input: &Window,
    trace: &mut Trace,
) -> Result<Result<(), OperatorError>, Fault> {
    let mut out = O::Out::blank(&prepared.spec, &input.info);
    if let Err(error) = prepared.operator.process(input, &mut out) {
        return Ok(Err(error));
    }
    if !out.fits(&prepared.spec) {
        return Err(Fault::new("output does not have the shape that prepare announced"));
    }
    trace.push_observed(out.observe(), input.info.index);
    Ok(Ok(()))
}

pub(super) fn snapshot<O: Operator>(operator: &O) -> Result<Vec<u8>, Fault> {
    let mut writer = SnapshotWriter::default();
    operator.snapshot(&mut writer);
    writer.into_bytes().map_err(|e| Fault::new(format!("snapshot cannot be encoded: {e}")))
}

pub(super) fn restore<O: Operator>(operator: &mut O, bytes: &[u8]) -> Result<(), RestoreError> {
    let mut reader = SnapshotReader::new(bytes);
    operator.restore(&mut reader)?;
    reader.finish()
}

/// Runs a check; a panic in it is a fault.
pub(super) fn verdict(check: impl FnOnce() -> Result<(), Fault>) -> Verdict {
    match catch_unwind(AssertUnwindSafe(check)) {
        Ok(Ok(())) => Verdict::Passed,
        Ok(Err(fault)) => Verdict::Failed(fault),
        Err(payload) => Verdict::Failed(Fault::new(format!("panicked: {}", panic_text(payload.as_ref())))),
    }
}

/// Runs one step; a panic in it is a fault that says what was being done.
pub(super) fn no_panic<T>(doing: &str, step: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(step))
        .map_err(|payload| Fault::new(format!("{doing} panicked: {}", panic_text(payload.as_ref()))))
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "(no message)".to_owned())
}
