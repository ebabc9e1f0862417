//! Checks of the state, the same for every kind of operator: reset, snapshot and restore, isolation, latency.

use super::harness::{Harness, Prepared, no_panic, restore, snapshot};
use super::report::Fault;
use super::trace::Trace;
use crate::model::Span;
use crate::operator::{Latency, Operator};
use crate::testing::Random;

type In<H> = <<H as Harness>::Op as Operator>::In;

/// `reset` after any part of `before` equals a fresh instance on `after`.
pub(super) fn reset<H: Harness>(
    harness: &H,
    before: &[In<H>],
    after: &[In<H>],
    random: &mut Random,
) -> Result<(), Fault> {
    let expected = harness.run(after)?;
    for fed in [0, 1.min(before.len()), random.below(before.len()), before.len()] {
        let mut prepared = harness.fresh()?;
        harness.feed_all(&mut prepared, &before[..fed], &mut Trace::default())?;
        prepared.operator.reset();
        let found = rest_of_run(harness, &mut prepared, after)?;
        expected.must_equal(&found, &format!("reset after {fed} inputs must equal a fresh instance"))?;
    }
    let mut prepared = harness.fresh()?;
    harness.feed_all(&mut prepared, before, &mut Trace::default())?;
    harness.finish(&mut prepared, &mut Trace::default())?;
    prepared.operator.reset();
    let found = rest_of_run(harness, &mut prepared, after)?;
    expected.must_equal(&found, "reset after finish must equal a fresh instance")
}

/// A snapshot anywhere in `inputs` continues in a fresh instance, and in one that has seen `other`, with the same bits.
pub(super) fn round_trip<H: Harness>(
    harness: &H,
    inputs: &[In<H>],
    other: &[In<H>],
    random: &mut Random,
) -> Result<(), Fault> {
    let mut points = vec![0, 1.min(inputs.len()), inputs.len()];
    points.extend((0..3).map(|_| random.below(inputs.len())));
    points.sort_unstable();
    points.dedup();
    let (mut running, mut whole, mut saved) = (harness.fresh()?, Trace::default(), Vec::new());
    for at in 0..=inputs.len() {
        if points.contains(&at) {
            saved.push((at, whole.len(), snapshot(&running.operator)?));
        }
        if let Some(input) = inputs.get(at) {
            harness.feed_all(&mut running, std::slice::from_ref(input), &mut whole)?;
        }
    }
    harness.finish(&mut running, &mut whole)?;
    harness.run(inputs)?.must_equal(&whole, "taking snapshots must not change the run")?;
    for (at, rows, bytes) in saved {
        let expected = whole.tail(rows);
        for dirty in [false, true] {
            let what = format!(
                "restore of the snapshot after {at} inputs into {} instance",
                if dirty { "a used" } else { "a fresh" }
            );
            let mut prepared = harness.fresh()?;
            if dirty {
                let some = &other[..other.len().min(12)];
                harness.feed_all(&mut prepared, some, &mut Trace::default())?;
            }
            restore(&mut prepared.operator, &bytes)
                .map_err(|e| Fault::new(format!("{what} was refused: {e}")))?;
            if snapshot(&prepared.operator)? != bytes {
                return Err(Fault::new(format!("{what} must give the same snapshot again")));
            }
            // The stage's own numbering tells where its output goes on; an empty rest has no number.
            let mut found = rest_of_run(harness, &mut prepared, &inputs[at..])?;
            if found.len() == 0 {
                found = found.renumbered(expected.first());
            }
            expected.must_equal(&found, &format!("{what} must continue with the same bits"))?;
        }
    }
    Ok(())
}

/// Snapshots that do not fit or are damaged are errors, never panics, and the instance works after a reset.
pub(super) fn damaged<H: Harness>(harness: &H, inputs: &[In<H>], random: &mut Random) -> Result<(), Fault> {
    let mut prepared = harness.fresh()?;
    harness.feed_all(&mut prepared, &inputs[..inputs.len() / 2], &mut Trace::default())?;
    let bytes = snapshot(&prepared.operator)?;
    for (mut other, inputs_of_other) in harness.other_shapes() {
        let what = "restore into an instance prepared for another number of channels";
        let answer = no_panic(what, || restore(&mut other.operator, &bytes))?;
        other.operator.reset();
        harness.feed_all(&mut other, &inputs_of_other, &mut Trace::default())?;
        // A state that is as long for any number of channels may well fit.
        if answer.is_ok() && snapshot(&other.operator)?.len() != bytes.len() {
            return Err(Fault::new(format!("{what} must be an error")));
        }
    }
    let expected = harness.run(inputs)?;
    for round in 0..if bytes.is_empty() { 0 } else { 8 } {
        let cut = random.below(bytes.len());
        let mut prepared = harness.fresh()?;
        let what = format!("restore of {cut} of {} bytes", bytes.len());
        if no_panic(&what, || restore(&mut prepared.operator, &bytes[..cut]))?.is_ok() {
            return Err(Fault::new(format!("{what} must be an error")));
        }
        if round >= 2 {
            continue;
        }
        prepared.operator.reset();
        let found = rest_of_run(harness, &mut prepared, inputs)?;
        expected.must_equal(&found, &format!("reset after a refused {what} must equal a fresh instance"))?;
    }
    let first_inputs = &inputs[..inputs.len().min(8)];
    for round in 0..if bytes.is_empty() { 0 } else { 48 } {
        let mut damaged = bytes.clone();
        if round % 4 == 0 {
            damaged.iter_mut().for_each(|byte| *byte = random.next() as u8);
        } else {
            // The head and any place: lengths and positions are mostly in the head.
            let at = random.below(if round % 2 == 0 { bytes.len() } else { bytes.len().min(32) });
            damaged[at] ^= 1 << random.below(8);
        }
        let mut prepared = harness.fresh()?;
        no_panic("restore of damaged bytes", || restore(&mut prepared.operator, &damaged).is_ok())?;
        no_panic("process after a restore of damaged bytes", || {
            first_inputs.iter().try_for_each(|input| {
                harness.feed(&mut prepared, input, &mut Trace::default()).map(|_answer| ())
            })
        })??;
    }
    Ok(())
}

/// Two instances that take turns give what each gives alone.
pub(super) fn isolation<H: Harness>(harness: &H, a: &[In<H>], b: &[In<H>]) -> Result<(), Fault> {
    let (alone_a, alone_b) = (harness.run(a)?, harness.run(b)?);
    let (mut one, mut two) = (harness.fresh()?, harness.fresh()?);
    let (mut trace_one, mut trace_two) = (Trace::default(), Trace::default());
    for i in 0..a.len().max(b.len()) {
        harness.feed_all(&mut one, a.get(i..=i).unwrap_or(&[]), &mut trace_one)?;
        harness.feed_all(&mut two, b.get(i..=i).unwrap_or(&[]), &mut trace_two)?;
    }
    harness.finish(&mut one, &mut trace_one)?;
    harness.finish(&mut two, &mut trace_two)?;
    let what = "instances that take turns must give what each gives alone";
    alone_a.must_equal(&trace_one, what)?;
    alone_b.must_equal(&trace_two, what)
}

/// Nothing negative, the maximum not below the value at the centre.
pub(super) fn latency(latency: &Latency) -> Result<(), Fault> {
    let parts = [
        ("group_delay_max", latency.group_delay_max),
        ("look_ahead", latency.look_ahead),
        ("look_back", latency.look_back),
        ("warm_up", latency.warm_up),
        ("group_delay", latency.group_delay),
    ];
    for (name, span) in parts {
        if span < Span::ZERO {
            return Err(Fault::new(format!("latency().{name} must not be negative, found {span:?}")));
        }
    }
    if latency.group_delay_max < latency.group_delay {
        return Err(Fault::new(format!(
            "latency().group_delay_max {:?} must not be below group_delay {:?}",
            latency.group_delay_max, latency.group_delay
        )));
    }
    Ok(())
}

fn rest_of_run<H: Harness>(
    harness: &H,
    prepared: &mut Prepared<H::Op>,
    inputs: &[In<H>],
) -> Result<Trace, Fault> {
    let mut trace = Trace::default();
    harness.feed_all(prepared, inputs, &mut trace)?;
    harness.finish(prepared, &mut trace)?;
    Ok(trace)
}
