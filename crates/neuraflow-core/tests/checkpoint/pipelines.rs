//! Checkpoints of another pipeline and of another release.

use std::sync::Arc;

use neuraflow_core::checkpoint::{
    CheckpointError, CheckpointStore, Checkpoints, Fingerprint, Migration, Section,
};
use neuraflow_core::testing::MemoryStore;

use crate::parts::{KEYS, checkpoint, open, pipeline, state};

fn written() -> MemoryStore {
    let store = MemoryStore::default();
    let (mut checkpoints, _) = open(store.clone()).unwrap();
    let states: Vec<_> = (0..3).map(|n| state(KEYS[n], vec![n as u8; 50])).collect();
    checkpoint(&mut checkpoints, &states.iter().collect::<Vec<_>>()).unwrap();
    store
}

fn changed() -> Fingerprint {
    Fingerprint::new(["butterworth: 1-40 Hz", "smoothing: 100 ms", "window: 50 ms", "sink csv"])
}

#[test]
fn a_changed_pipeline_is_told_by_its_first_stage_that_differs() {
    let error = Checkpoints::open(Arc::new(written()), changed(), None).unwrap_err();
    let CheckpointError::ChangedPipeline { stage, expected, found } = &error else { panic!("{error}") };
    assert_eq!(
        (stage.as_str(), expected.as_str(), found.as_str()),
        ("smoothing", "smoothing: 100 ms", "window: 50 ms")
    );
    let shorter = Fingerprint::new(["butterworth: 1-40 Hz", "window: 50 ms"]);
    let error = Checkpoints::open(Arc::new(written()), shorter, None).unwrap_err().to_string();
    assert!(error.contains("stage sink csv differs: expected nothing, found sink csv"), "{error}");
}

#[test]
fn a_refused_pipeline_leaves_the_checkpoint_as_it_was() {
    let store = written();
    Checkpoints::open(Arc::new(store.clone()), changed(), None).unwrap_err();
    let (checkpoints, restored) = open(store).unwrap();
    assert_eq!((checkpoints.generation(), restored.unwrap().streams.len()), (2, 3));
}

#[test]
fn a_migration_brings_the_states_into_the_new_shape() {
    let store = written();
    let migration = Migration::new(|written, mut snapshot| {
        assert_eq!(written, &pipeline());
        if snapshot.header.key == KEYS[1] {
            return None; // starts afresh
        }
        snapshot.sections.insert(1, Section { stage: "smoothing".into(), bytes: vec![7] });
        Some(snapshot)
    });
    let opened = Checkpoints::open(Arc::new(store.clone()), changed(), Some(migration));
    let (mut checkpoints, restored) = opened.unwrap();
    let migrated = restored.unwrap();
    assert_eq!(migrated.streams.keys().copied().collect::<Vec<_>>(), {
        let mut keys = vec![KEYS[0], KEYS[2]];
        keys.sort();
        keys
    });
    assert!(migrated.streams.values().all(|snapshot| snapshot.sections[1].stage == "smoothing"));
    // Nothing was touched since, and all of it is in the next one all the same.
    assert_eq!(checkpoint(&mut checkpoints, &[]).unwrap().streams, 2);
    let restored = Checkpoints::open(Arc::new(store), changed(), None).unwrap().1.unwrap();
    assert_eq!(restored.streams, migrated.streams);
}

#[test]
fn a_migration_is_not_asked_where_nothing_has_changed() {
    let migration = Migration::new(|_, _| panic!("it was asked"));
    let restored = Checkpoints::open(Arc::new(written()), pipeline(), Some(migration)).unwrap().1;
    assert_eq!(restored.unwrap().streams.len(), 3);
}

#[test]
fn a_newer_release_is_not_mistaken_for_damage() {
    for prefix in ["manifest-", "part-"] {
        let store = written();
        let (mut checkpoints, _) = open(store.clone()).unwrap();
        checkpoint(&mut checkpoints, &[&state(KEYS[0], vec![9])]).unwrap();
        let newest = store.list(prefix).unwrap().pop().unwrap();
        let mut bytes = store.get(&newest).unwrap();
        bytes[8..10].copy_from_slice(&7u16.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..40]);
        bytes[40..44].copy_from_slice(&checksum.to_le_bytes());
        store.tamper(&newest, bytes);
        // There is an older one that could be read, but going back to it unasked would be to lose data.
        let error = open(store).unwrap_err();
        let CheckpointError::UnsupportedVersion { file, found, supported } = &error else {
            panic!("{error}")
        };
        assert_eq!((file, *found, *supported), (&newest, 7, 1));
    }
}
