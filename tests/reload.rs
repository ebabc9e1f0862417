//! A running decoder is given another model: on a real recording, pushed by a host, logged, and replayed to the same bits.

#![cfg(feature = "linalg")]

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use neuraflow::dataflow::{Checkpointing, ControlError, StreamControl};
use neuraflow::model::{Control, Decision};
use neuraflow::operator::OperatorError;
use neuraflow::ops::decode::{Decoder, Mdm, Model, Trials};
use neuraflow::ops::feature::Covariance;
use neuraflow::prelude::*;
use neuraflow::sources::device::{DeviceConfig, DeviceHandle};
use neuraflow::sources::log::PacketLog;
use neuraflow::sources::recording::{Block, Recording};
use neuraflow::testing::MemoryStore;
use neuraflow::testing::data::recording;
use neuraflow::window::EpochConfig;

/// What a run put out: the trial's number, and the class with the bits of its confidence.
type Decided = Vec<(i64, Option<(String, u64)>)>;

fn epochs() -> EpochConfig {
    EpochConfig::new(Span::millis(-500), Span::millis(3_500)).with_labels(["T1", "T2"])
}

fn fit(file: &Path, band: std::ops::Range<f64>, classes: [(&str, &str); 2]) -> Model {
    let (collected, covariances) = channel();
    let edges = band.clone();
    Pipeline::from(Replay::open(file).unwrap())
        .stage(move || Butterworth::bandpass(4, edges.clone()))
        .epochs(epochs())
        .feature(Covariance::oas)
        .sink(Callback::new(move |covariance: &Features| collected.send(covariance.clone()).unwrap()))
        .build()
        .unwrap()
        .run()
        .unwrap();
    let covariances: Vec<Features> = covariances.into_iter().collect();
    Mdm::new().fit(&Trials::of(&covariances, classes).unwrap().band(band)).unwrap()
}

const CLASSES: [(&str, &str); 2] = [("T1", "T1"), ("T2", "T2")];

/// A pipeline that decodes, and what it puts out.
fn pipeline(source: impl Source, model: &Model) -> (Pipeline, Receiver<Decided>, Receiver<StreamControl>) {
    let ((decided, decisions), (became, outcomes)) = (channel(), channel());
    let model = model.clone();
    let pipeline = Pipeline::from(source)
        .controls(Callback::new(move |control: &StreamControl| drop(became.send(control.clone()))))
        .stage(|| Butterworth::bandpass(4, 8.0..30.0))
        .epochs(epochs())
        .feature(Covariance::oas)
        .decode(move || model.decoder())
        .sink(Callback::new(move |decision: &Decision<String>| {
            let outcome = decision.outcome.clone().ok().map(|(class, sure)| (class, sure.to_bits()));
            let _ = decided.send(vec![(decision.info.index, outcome)]);
        }))
        .build()
        .unwrap();
    (pipeline, decisions, outcomes)
}

/// What a recording's host pushes: its samples and markers, and controls after so many samples.
struct Host {
    header: StreamHeader,
    values: Vec<f32>,
    markers: Vec<Marker>,
    controls: Vec<(u64, Control)>,
}

impl Host {
    fn of(file: &Path) -> Self {
        let mut recording = Recording::open(file).unwrap();
        let (mut block, mut values) = (Block::default(), Vec::new());
        while recording.next_block(&mut block).unwrap() {
            values.extend_from_slice(block.chunks()[0].values());
        }
        let (header, markers) = (recording.streams()[0].clone(), recording.markers().to_vec());
        Self { header, values, markers, controls: Vec::new() }
    }

    fn push(&self, handle: &DeviceHandle, packet: usize) {
        let (key, width) = (self.header.key, self.header.channels.len());
        let (mut markers, mut controls) = (self.markers.iter().peekable(), self.controls.iter().peekable());
        for (number, values) in self.values.chunks(packet * width).enumerate() {
            let first = (number * packet) as u64;
            while let Some((_, control)) = controls.next_if(|(after, _)| *after <= first) {
                handle.control(&key, control.clone()).unwrap();
            }
            while let Some(marker) = markers.next_if(|marker| marker.time <= self.header.time_of(first)) {
                handle.marker(&key, marker.clone()).unwrap();
            }
            handle.push(&key, first, values).unwrap();
        }
        markers.for_each(|marker| handle.marker(&key, marker.clone()).unwrap());
        handle.end(&key).unwrap();
    }

    /// Decodes while it is pushed, into a log if there is to be one.
    fn live(&self, model: &Model, packet: usize, log: Option<&Path>) -> (Decided, Vec<StreamControl>) {
        let (handle, source) = device::channel(DeviceConfig::default());
        handle.open(self.header.clone()).unwrap();
        let (pipeline, decisions, outcomes) = match log {
            Some(path) => pipeline(PacketLog::record(source, path).unwrap(), model),
            None => pipeline(source, model),
        };
        let running = pipeline.spawn(Workers::new(1)).unwrap();
        self.push(&handle, packet);
        drop(handle);
        running.join().unwrap();
        (decisions.into_iter().flatten().collect(), outcomes.into_iter().collect())
    }
}

fn files() -> Option<[std::path::PathBuf; 3]> {
    let file = |name| recording(&format!("edf/{name}.edf"));
    Some([file("S001R06")?, file("S001R04")?, file("S001R10")?])
}

#[test]
fn it_decides_from_its_window_on_and_a_replay_decides_the_same() {
    let Some([fists_feet, left_right, stream]) = files() else { return };
    let models = [&fists_feet, &left_right].map(|file| fit(file, 8.0..30.0, CLASSES));
    let mut host = Host::of(&stream);
    let [(before, none), (after, _)] = [0, 1].map(|model| host.live(&models[model], 16, None));
    assert!(none.is_empty() && before.len() == 15);
    assert!(before.iter().zip(&after).all(|(before, after)| before != after), "two models, two opinions");

    // Sent at 50 s, to hold from 60 s on: the trials' epochs begin half a second after their cues.
    let at = host.header.t0 + Span::secs(60);
    host.controls.push((8_000, models[1].reload(at, Decoder::NAME).unwrap()));
    let cues = host.markers.iter().filter(|marker| marker.label != "T0");
    let first = cues.take_while(|cue| cue.time + Span::millis(500) < at).count();
    assert!(first > 3 && first < 12, "{first}");
    let expected: Decided = before[..first].iter().chain(&after[first..]).cloned().collect();

    let log = std::env::temp_dir().join(format!("neuraflow-reload-{}.nflog", std::process::id()));
    for packet in [1_600, 7, 16] {
        let (decided, outcomes) = host.live(&models[0], packet, Some(&log));
        assert_eq!(decided, expected, "{packet} samples a packet");
        let [StreamControl { stage: Some(stage), outcome: Ok(from), .. }] = &outcomes[..] else {
            panic!("{outcomes:?}")
        };
        assert!(stage.contains("Decoder") && *from >= at, "{stage} {from:?}");
    }
    for workers in [1, 2, 3] {
        let (pipeline, decisions, outcomes) = pipeline(PacketLog::open(&log).unwrap(), &models[0]);
        pipeline.spawn(Workers::new(workers)).unwrap().join().unwrap();
        let decided: Decided = decisions.into_iter().flatten().collect();
        assert_eq!((decided, outcomes.into_iter().count()), (expected.clone(), 1), "{workers} workers");
    }
    // Left at a checkpoint after some trials, and gone on with by another number of workers.
    // It may be over before it can be left; that what waits and what was told survives any checkpoint, core's own storms show.
    let mut suspended = 0;
    for (leave, workers) in [(1, 1), (2, 3), (first - 1, 1), (first, 2), (first + 1, 3)] {
        let store = Arc::new(MemoryStore::default());
        let resume = || {
            let (pipeline, decisions, outcomes) = pipeline(PacketLog::open(&log).unwrap(), &models[0]);
            let checkpointing = Checkpointing::new(store.clone());
            let running = pipeline.checkpoints(checkpointing).unwrap().spawn(Workers::new(workers)).unwrap();
            (running, decisions, outcomes)
        };
        let (running, decisions, _outcomes) = resume();
        let mut decided: Decided = (0..leave).flat_map(|_| decisions.recv().unwrap()).collect();
        let left = running.suspend().unwrap().checkpoints.suspended;
        decided.extend(decisions.into_iter().flatten());
        if left {
            let (running, decisions, _outcomes) = resume();
            running.join().unwrap();
            decided.extend(decisions.into_iter().flatten());
        }
        suspended += usize::from(left);
        assert_eq!(decided, expected, "left after {leave} trials, {workers} workers");
    }
    assert!(suspended > 0, "all runs were over before they could be left");
    std::fs::remove_file(log).unwrap();
}

#[test]
fn a_model_of_something_else_is_refused_and_the_old_one_goes_on() {
    let Some([fists_feet, left_right, stream]) = files() else { return };
    let model = fit(&fists_feet, 8.0..30.0, CLASSES);
    let mut host = Host::of(&stream);
    let (expected, _) = host.live(&model, 16, None);
    let other = |channels: &[&str], hz, classes: [&str; 2]| {
        let mut trials = Trials::new(channels.iter().copied(), SamplingRate::hz(hz).unwrap(), classes)
            .unwrap()
            .band(8.0..30.0);
        for class in 0..2 {
            let unit: Vec<f64> = (0..channels.len() * channels.len())
                .map(|at| if at % (channels.len() + 1) == 0 { 1.0 } else { 0.0 })
                .collect();
            trials.push(class, &unit).unwrap();
        }
        Mdm::new().fit(&trials).unwrap()
    };
    let names: Vec<&str> = model.montage().iter().map(String::as_str).collect();
    let at = host.header.t0;
    let said = [
        (other(&["C3", "C4"], 160, ["T1", "T2"]), "montage of a reloaded model"),
        (other(&names, 250, ["T1", "T2"]), "sampling rate of a reloaded model: expected 160 Hz"),
        (other(&names, 160, ["T1", "T3"]), "classes of a reloaded model: expected T2 as class 2"),
        (fit(&left_right, 8.0..13.0, CLASSES), "band of a reloaded model: expected 8 to 30 Hz"),
    ];
    for (wrong, _) in &said {
        host.controls.push((1_600, wrong.reload(at, Decoder::NAME).unwrap()));
    }
    host.controls.push((1_600, Control::new(at, Decoder::NAME, *b"no model")));
    let (decided, outcomes) = host.live(&model, 16, None);
    assert_eq!(decided, expected);
    assert_eq!(outcomes.len(), 5);
    for (outcome, (_, what)) in outcomes.iter().zip(&said) {
        let Err(ControlError::Refused(error @ OperatorError::Spec { .. })) = &outcome.outcome else {
            panic!("{outcome:?}")
        };
        assert!(error.to_string().contains(what), "{error}");
    }
    let garbage = outcomes[4].outcome.as_ref().unwrap_err().to_string();
    assert!(garbage.contains("as Model::reload gives them"), "{garbage}");
}

#[test]
fn another_rate_is_refused_when_the_pipeline_is_built() {
    let Some([fists_feet, ..]) = files() else { return };
    let model = fit(&fists_feet, 8.0..30.0, CLASSES);
    let channels = model.montage().iter().map(Channel::new).collect();
    let key = StreamKey::of_names("session", "headset");
    let header = StreamHeader::new(key, "headset", SamplingRate::hz(250).unwrap(), channels);
    let (handle, source) = device::channel(DeviceConfig::default());
    handle.open(header).unwrap();
    let built = Pipeline::from(source)
        .epochs(epochs())
        .feature(Covariance::oas)
        .decode(move || model.decoder())
        .sink(Callback::new(|_: &Decision<String>| {}))
        .build();
    let error = built.map(drop).unwrap_err().to_string();
    assert!(
        error.contains("expected 160 Hz, as the model was fitted") && error.contains("found 250 Hz"),
        "{error}"
    );
}
