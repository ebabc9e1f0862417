//! What the tests are made of: streams, their states, and checkpoints of them.

use std::sync::{Arc, LazyLock};

use neuraflow_core::checkpoint::{
    CheckpointError, CheckpointStore, Checkpoints, Committed, Expected, Fingerprint, Restored, Section,
    StreamSnapshot,
};
use neuraflow_core::model::{Channel, Positions, SamplingRate, StreamHeader, StreamKey};
use neuraflow_core::testing::Random;

/// Streams that share few key groups, so that groups have several.
pub static KEYS: LazyLock<Vec<StreamKey>> = LazyLock::new(|| {
    let named = (0..).map(|n| StreamKey::of_names("session", &format!("device {n}")));
    named.filter(|key| key.group() < 4).take(16).collect()
});

pub fn pipeline() -> Fingerprint {
    Fingerprint::new(["butterworth: 1-40 Hz", "window: 50 ms", "sink csv"])
}

/// A state of `key` with these bytes.
pub fn state(key: StreamKey, bytes: Vec<u8>) -> StreamSnapshot {
    let rate = SamplingRate::hz(250).unwrap();
    let header = StreamHeader::new(key, "eeg", rate, vec![Channel::new("Cz"), Channel::new("Pz")]);
    let clock = Section { stage: "sequencer".into(), bytes: (bytes.len() as u64).to_le_bytes().to_vec() };
    StreamSnapshot { header, sections: vec![clock, Section { stage: "butterworth".into(), bytes }] }
}

/// A state with random bytes, up to `most`.
pub fn random_state(key: StreamKey, most: usize, random: &mut Random) -> StreamSnapshot {
    let length = random.below(most + 1);
    state(key, (0..length).map(|_| random.next() as u8).collect())
}

pub fn at(part: &str, at: u64) -> Positions {
    let mut positions = Positions::default();
    positions.set(part, at);
    positions
}

pub fn open(
    store: impl CheckpointStore + 'static,
) -> Result<(Checkpoints, Option<Restored>), CheckpointError> {
    Checkpoints::open(Arc::new(store), pipeline(), None)
}

/// Everybody that takes part in these checkpoints.
pub fn expected() -> Expected {
    Expected { readers: 2, workers: 2, sinks: vec!["csv".into()] }
}

/// Everybody but the streams answers to `number`; where they are is told by `position`.
pub fn answer(checkpoints: &mut Checkpoints, number: u64, position: u64) {
    checkpoints.source(number, 0, "replay", Some(at("S001R04", position)));
    checkpoints.source(number, 1, "replay", Some(at("S001R08", position ^ 1)));
    for worker in 0..2 {
        checkpoints.worker_done(number, worker);
    }
    checkpoints.sink(number, "csv", at("windows.csv", position / 2));
}

/// A checkpoint of these streams from begin to commit.
pub fn checkpoint(
    checkpoints: &mut Checkpoints,
    streams: &[&StreamSnapshot],
) -> Result<Committed, CheckpointError> {
    let number = checkpoints.begin(expected())?;
    for snapshot in streams {
        checkpoints.stream(number, snapshot.header.key, snapshot.encode().unwrap());
    }
    answer(checkpoints, number, number);
    checkpoints.commit()
}
