//! Evidence: when it is enough, when it is left, and what begins it anew.

use std::sync::Arc;

use neuraflow_core::checkpoint::{SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Decision, Marker, NoDecision, Span};
use neuraflow_core::operator::{Operator, WindowItem};
use neuraflow_ops::decode::Evidence;

use super::headset::info;
use super::{at, classes};

fn prepared(mut evidence: Evidence) -> Evidence {
    evidence.prepare(&classes(&["a", "b", "c"])).unwrap();
    evidence
}

/// The decision of the window of 50 ms that begins then.
fn window(millis: i64, outcome: Result<(&str, f64), NoDecision>) -> Decision<String> {
    let mut info = info();
    (info.index, info.start, info.end) = (millis / 50, at(millis), at(millis + 50));
    Decision { info, outcome: outcome.map(|(class, sure)| (class.to_owned(), sure)) }
}

/// What comes out for decisions of windows from the beginning on.
fn out(evidence: &mut Evidence, inputs: &[Decision<String>]) -> Vec<Decision<String>> {
    let each = inputs.iter().map(|input| {
        let mut out = Decision::blank(input.info.clone(), &classes(&[]));
        evidence.process(input, &mut out).unwrap();
        out
    });
    each.collect()
}

#[test]
fn evidence_adds_up_to_the_posterior_and_decides_once_it_is_enough() {
    let mut evidence = prepared(Evidence::new(0.9, Span::secs(1)));
    let before = out(&mut evidence, &[window(0, Ok(("a", 0.99)))]);
    assert_eq!(before[0].outcome, Err(NoDecision::Idle), "no trial is on");
    evidence.marker(&Marker::new(at(50), "cue"));
    // Of a, b, c: [0.6 0.2 0.2], [0.25 0.5 0.25], [0.6 0.2 0.2]²: products 0.6·0.25·0.36 = 0.054, 0.2·0.5·0.04 = 0.004, 0.002.
    let given = [("a", 0.6), ("b", 0.5), ("a", 0.6), ("a", 0.6)];
    let inputs: Vec<_> =
        given.iter().enumerate().map(|(n, one)| window(50 + 50 * n as i64, Ok(*one))).collect();
    let found = out(&mut evidence, &inputs);
    assert!(found[..3].iter().all(|one| one.outcome == Err(NoDecision::Undecided)));
    let (class, sure) = found[3].outcome.clone().unwrap();
    assert!(class == "a" && (sure - 0.054 / 0.060).abs() < 1e-12, "{class} {sure}");
    assert_eq!(found[3].info.marker.as_ref().unwrap().label, "cue");
    let after = out(&mut evidence, &[window(250, Ok(("a", 0.99)))]);
    assert_eq!(after[0].outcome, Err(NoDecision::Idle), "it is decided");
}

#[test]
fn at_the_deadline_it_decides_or_leaves_it() {
    let cue = Marker::new(at(0), "cue");
    let inputs: Vec<_> = (0..6).map(|n| window(50 * n, Ok(("b", 0.36)))).collect();
    let mut forced = prepared(Evidence::new(0.99, Span::millis(200)));
    forced.marker(&cue);
    let found = out(&mut forced, &inputs);
    assert!(found[2].outcome.is_err() && found[4].outcome == Err(NoDecision::Idle));
    assert!(found[3].outcome.as_ref().is_ok_and(|(class, sure)| class == "b" && *sure < 0.5));
    let mut left = prepared(Evidence::new(0.99, Span::millis(200)).or_nothing());
    left.marker(&cue);
    let found = out(&mut left, &inputs);
    assert_eq!(found[3].outcome, Err(NoDecision::Undecided));
    assert_eq!((found[3].info.marker.is_some(), &found[4].outcome), (true, &Err(NoDecision::Idle)));
    // Nothing to decide by.
    let mut blind = prepared(Evidence::new(0.99, Span::millis(200)));
    blind.marker(&cue);
    let inputs: Vec<_> = (0..4).map(|n| window(50 * n, Err(NoDecision::Artifact))).collect();
    assert_eq!(out(&mut blind, &inputs)[3].outcome, Err(NoDecision::Artifact));
}

#[test]
fn gaps_markers_and_the_delay_begin_anew() {
    let mut evidence = prepared(Evidence::new(0.8, Span::secs(9)).after(Span::millis(100)).at(["cue"]));
    evidence.marker(&Marker::new(at(0), "rest"));
    assert_eq!(out(&mut evidence, &[window(0, Ok(("a", 0.7)))])[0].outcome, Err(NoDecision::Idle));
    evidence.marker(&Marker::new(at(50), "cue"));
    // The window from 50 ms ends within the delay; that from 100 ms counts; the gap takes it away.
    let inputs = [
        window(50, Ok(("b", 0.99))),
        window(100, Ok(("a", 0.7))),
        window(150, Err(NoDecision::Gap)),
        window(200, Ok(("a", 0.7))),
        window(250, Ok(("a", 0.7))),
    ];
    let found = out(&mut evidence, &inputs);
    assert_eq!(found[2].outcome, Err(NoDecision::Gap));
    assert!(found[3].outcome.is_err());
    // 0.7² against 0.15² twice.
    let sure = 0.49 / (0.49 + 2.0 * 0.0225);
    assert!((found[4].outcome.as_ref().unwrap().1 - sure).abs() < 1e-12);
    // A marker within a trial begins another, a reset ends it, and what is not finite is no evidence.
    evidence.marker(&Marker::new(at(300), "cue"));
    out(&mut evidence, &[window(400, Ok(("a", 0.7)))]);
    evidence.marker(&Marker::new(at(450), "cue"));
    let found = out(&mut evidence, &[window(550, Ok(("b", f64::NAN))), window(600, Ok(("b", 0.7)))]);
    assert!(found.iter().all(|one| one.outcome == Err(NoDecision::Undecided)));
    evidence.reset();
    assert_eq!(out(&mut evidence, &[window(650, Ok(("b", 0.7)))])[0].outcome, Err(NoDecision::Idle));
}

#[test]
fn settings_of_evidence_that_make_no_sense_are_refused() {
    let three = classes(&["a", "b", "c"]);
    let says = |mut evidence: Evidence, classes: &Arc<[String]>, what: &str| {
        let error = evidence.prepare(classes).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    let second = Span::secs(1);
    says(Evidence::new(0.9, second), &classes(&["a"]), "at least two");
    for threshold in [0.3, 1.0, f64::NAN] {
        says(Evidence::new(threshold, second), &three, "above chance, 0.333");
    }
    says(Evidence::new(0.9, second).weight(0.0), &three, "above 0, found 0");
    says(Evidence::new(0.9, second).after(second), &three, "more than the 1000 ms after which");
    says(Evidence::new(0.9, second).after(Span::secs(-1)), &three, "0 ms or more");
}

#[test]
fn a_trial_goes_on_over_a_restart() {
    let inputs: Vec<_> = (0..12).map(|n| window(50 * n, Ok((["a", "b"][n as usize % 2], 0.6)))).collect();
    let fresh = || prepared(Evidence::new(0.999, Span::millis(600)));
    let mut whole = fresh();
    whole.marker(&Marker::new(at(0), "cue"));
    let expected = out(&mut whole, &inputs);
    for cut in 0..=inputs.len() {
        let mut first = fresh();
        first.marker(&Marker::new(at(0), "cue"));
        let mut found = out(&mut first, &inputs[..cut]);
        let mut writer = SnapshotWriter::default();
        first.snapshot(&mut writer);
        let bytes = writer.into_bytes().unwrap();
        let mut second = fresh();
        second.restore(&mut SnapshotReader::new(&bytes)).unwrap();
        found.extend(out(&mut second, &inputs[cut..]));
        assert_eq!(found, expected, "cut at {cut}");
        let mut other = Evidence::new(0.9, Span::secs(1));
        other.prepare(&classes(&["a", "b"])).unwrap();
        assert_eq!(other.restore(&mut SnapshotReader::new(&bytes)).is_err(), cut < inputs.len());
    }
}
