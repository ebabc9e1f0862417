//! Recentred covariances on real recordings: a decoder fitted to one run, live on another.
//!
//! `cargo test --test recentring -- --nocapture` prints how many trials were right with and without.

#![cfg(feature = "linalg")]

use std::path::Path;
use std::sync::mpsc::channel;

use neuraflow::dataflow::{Complete, Flow};
use neuraflow::model::Decision;
use neuraflow::ops::decode::{Centre, Mdm, Model, Recentre, TangentLogistic, Trials};
use neuraflow::ops::feature::Covariance;
use neuraflow::prelude::*;
use neuraflow::testing::data::recording;
use neuraflow::window::EpochConfig;

/// Trials that the mean has taken in before it speaks.
const AFTER: u64 = 3;

fn trials(file: &Path, packet: usize) -> Flow<Features, Complete> {
    let cues = EpochConfig::new(Span::millis(-500), Span::millis(3_500)).with_labels(["T1", "T2"]);
    Pipeline::from(Replay::open(file).unwrap().speed(Speed::Max).packet(packet))
        .stage(|| Butterworth::bandpass(4, 8.0..30.0))
        .epochs(cues)
        .feature(Covariance::oas)
}

fn collect(file: &Path) -> Trials {
    let (sender, covariances) = channel();
    let sink = Callback::new(move |covariance: &Features| sender.send(covariance.clone()).unwrap());
    trials(file, 16).sink(sink).build().unwrap().run().unwrap();
    let covariances: Vec<Features> = covariances.into_iter().collect();
    Trials::of(&covariances, [("T1", "T1"), ("T2", "T2")]).unwrap().band(8.0..30.0)
}

/// Each trial's label, and the class with the bits of its confidence.
type Decided = Vec<(String, Option<(String, u64)>)>;

fn decide(file: &Path, model: &Model, recentre: Option<&Recentre>, packet: usize, workers: usize) -> Decided {
    let (sender, decided) = channel();
    let sink = Callback::new(move |decision: &Decision<String>| {
        let label = decision.info.marker.as_ref().map_or_else(String::new, |marker| marker.label.clone());
        let outcome = decision.outcome.clone().ok().map(|(class, sure)| (class, sure.to_bits()));
        sender.send((label, outcome)).unwrap();
    });
    let model = model.clone();
    let covariances = trials(file, packet);
    let covariances = match recentre.cloned() {
        Some(recentre) => covariances.decode(move || recentre.clone()),
        None => covariances,
    };
    let pipeline = covariances.decode(move || model.decoder()).sink(sink).build().unwrap();
    pipeline.spawn(Workers::new(workers)).unwrap().join().unwrap();
    decided.into_iter().collect()
}

/// Those right, of those that the running mean speaks of.
fn right(decided: &Decided) -> (usize, usize) {
    let counted = &decided[AFTER as usize - 1..];
    let right =
        counted.iter().filter(|(label, outcome)| outcome.as_ref().is_some_and(|(class, _)| class == label));
    (right.count(), counted.len())
}

#[test]
fn a_run_is_decoded_around_its_own_mean() {
    let file = |name| recording(&format!("edf/{name}.edf"));
    let (Some(six), Some(ten)) = (file("S001R06"), file("S001R10")) else { return };
    for (train, test) in [(&six, &ten), (&ten, &six)] {
        let plain = collect(train);
        for centre in [Centre::Riemann, Centre::Euclid] {
            let (around, _) = plain.recentred(centre).unwrap();
            let recentre = Recentre::around(centre).after(AFTER);
            type Fit = fn(&Trials) -> Model;
            let fits: [(&str, Fit); 2] = [
                ("Mdm", |trials| Mdm::new().fit(trials).unwrap()),
                ("TangentLogistic", |trials| TangentLogistic::new().fit(trials).unwrap()),
            ];
            for (name, fit) in fits {
                let without = decide(test, &fit(&plain), None, 16, 1);
                let with = decide(test, &fit(&around), Some(&recentre), 16, 1);
                let ((a, n), (b, _)) = (right(&without), right(&with));
                println!("{:?}, {name}, {centre:?}: {a} of {n} without, {b} of {n} with", train.file_stem());
                assert!(with[..AFTER as usize - 1].iter().all(|(_, outcome)| outcome.is_none()));
                assert_eq!((without.len(), n), (15, 13));
                for (packet, workers) in [(1, 2), (480, 3)] {
                    assert_eq!(decide(test, &fit(&around), Some(&recentre), packet, workers), with);
                }
            }
        }
    }
}
