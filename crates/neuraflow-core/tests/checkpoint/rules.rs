//! What holds when nothing fails: who may write, what is kept, and how much of it.

use std::fs;
use std::io;
use std::sync::Arc;

use neuraflow_core::checkpoint::{
    CheckpointError, CheckpointStore, Checkpoints, Expected, LocalStore, StoreError, StreamSnapshot,
};
use neuraflow_core::model::{Recovery, StreamKey};
use neuraflow_core::testing::{MemoryStore, Random, Scratch, SimulatedDisk};

use crate::parts::{KEYS, answer, checkpoint, expected, open, pipeline, random_state, state};

#[test]
fn a_directory_has_one_owner_at_a_time() {
    let scratch = Scratch::new().unwrap();
    let store = LocalStore::open(scratch.path()).unwrap();
    let refused = LocalStore::open(scratch.path()).unwrap_err();
    assert!(matches!(&refused, StoreError::Locked { directory } if directory == scratch.path()), "{refused}");
    assert_eq!(refused.recovery(), Recovery::Stop);
    drop(store);
    LocalStore::open(scratch.path()).unwrap();
}

#[test]
fn what_was_put_once_stays() {
    let scratch = Scratch::new().unwrap();
    let store = LocalStore::open(scratch.path()).unwrap();
    store.put_if_absent("manifest-1", b"first").unwrap();
    let refused = store.put_if_absent("manifest-1", b"second").unwrap_err();
    assert!(matches!(&refused, StoreError::Exists { name } if name == "manifest-1"), "{refused}");
    assert_eq!(store.get("manifest-1").unwrap(), b"first");
    assert_eq!(store.get_range("manifest-1", 3, 100).unwrap(), b"st");
    assert!(matches!(store.get("manifest-2"), Err(StoreError::Missing { .. })));
}

#[test]
fn a_state_filed_under_another_stream_is_refused() {
    let store = MemoryStore::default();
    let (mut checkpoints, _) = open(store.clone()).unwrap();
    checkpoint(&mut checkpoints, &[&state(KEYS[0], vec![1])]).unwrap();
    let number = checkpoints.begin(expected()).unwrap();
    checkpoints.stream(number, KEYS[0], state(KEYS[1], vec![2]).encode().unwrap());
    answer(&mut checkpoints, number, 1);
    checkpoints.commit().unwrap();
    let restored = open(store).unwrap().1.unwrap();
    assert_eq!((restored.number, restored.skipped.len()), (1, 1));
    assert!(restored.skipped[0].reason.contains("stream of a state"), "{:?}", restored.skipped);
}

#[test]
fn what_was_not_finished_is_swept_up() {
    let scratch = Scratch::new().unwrap();
    fs::write(scratch.file("part-7.tmp"), "half of it").unwrap();
    let store = LocalStore::open(scratch.path()).unwrap();
    assert_eq!(store.list("").unwrap(), Vec::<String>::new());
    assert!(!scratch.file("part-7.tmp").exists());
}

#[test]
fn what_a_full_disk_cuts_short_takes_no_room() {
    let disk = Arc::new(SimulatedDisk::new(1));
    let store = LocalStore::on(disk.clone()).unwrap();
    store.put_if_absent("part-1", &[1; 1_000]).unwrap();
    disk.fill_up_after(500);
    let refused = store.put_if_absent("part-2", &[2; 1_000]).unwrap_err();
    let full = |source: &io::Error| source.kind() == io::ErrorKind::StorageFull;
    assert!(matches!(&refused, StoreError::Io { source, .. } if full(source)), "{refused}");
    assert_eq!(refused.recovery(), Recovery::Retry);
    assert_eq!(disk.used(), 1_000);
    store.put_if_absent("part-2", &[2; 500]).unwrap();
}

#[test]
fn names_lead_nowhere_else() {
    let scratch = Scratch::new().unwrap();
    let store = LocalStore::open(scratch.path().join("inner")).unwrap();
    for name in ["", "../outside", "a/b", "Upper", ".hidden", "a\0b"] {
        let refused = store.put_if_absent(name, b"x").unwrap_err();
        assert!(matches!(refused, StoreError::Name { .. }), "{name:?}: {refused}");
        assert!(matches!(store.get(name), Err(StoreError::Name { .. })), "{name:?}");
    }
}

#[test]
fn one_checkpoint_is_in_flight() {
    let (mut checkpoints, _) = open(MemoryStore::default()).unwrap();
    assert!(matches!(checkpoints.commit(), Err(CheckpointError::Incomplete { .. })));
    let number = checkpoints.begin(expected()).unwrap();
    let refused = checkpoints.begin(expected()).unwrap_err();
    assert!(matches!(refused, CheckpointError::InFlight { number: found } if found == number));
    let missing = checkpoints.commit().unwrap_err().to_string();
    assert!(missing.contains("0 of 2 readers, 0 of 2 workers, sink csv"), "{missing}");
    checkpoints.worker_done(number, 0);
    checkpoints.worker_done(number, 0); // says it twice, and is still one
    let missing = checkpoints.commit().unwrap_err().to_string();
    assert!(missing.contains("1 of 2 workers"), "{missing}");
    answer(&mut checkpoints, number, 1);
    assert_eq!(checkpoints.commit().unwrap().number, number);
    assert_eq!(checkpoints.begin(expected()).unwrap(), number + 1);
    checkpoints.abandon(number); // of the past: ignored
    assert!(matches!(checkpoints.begin(expected()), Err(CheckpointError::InFlight { .. })));
}

#[test]
fn a_source_that_cannot_read_again_has_no_position() {
    let store = MemoryStore::default();
    let (mut checkpoints, _) = open(store.clone()).unwrap();
    let number = checkpoints.begin(Expected { readers: 1, workers: 0, sinks: Vec::new() }).unwrap();
    checkpoints.source(number, 0, "headset", None);
    checkpoints.commit().unwrap();
    let restored = open(store).unwrap().1.unwrap();
    assert!(restored.sources.is_empty() && restored.sinks.is_empty() && restored.streams.is_empty());
}

#[test]
fn the_last_three_are_kept_and_pin_their_parts() {
    let store = MemoryStore::default();
    let (mut checkpoints, _) = open(store.clone()).unwrap();
    let states: Vec<_> = (0..10).map(|n| state(KEYS[n % 2], vec![n as u8; 100])).collect();
    for snapshot in &states {
        checkpoint(&mut checkpoints, &[snapshot]).unwrap();
    }
    let manifests = store.list("manifest-").unwrap();
    assert_eq!(manifests.len(), 3);
    assert_eq!(store.list("generation-").unwrap().len(), 1);
    // Each can be restored once the newer ones are damaged.
    for (age, manifest) in manifests.iter().rev().enumerate() {
        let restored = open(store.clone()).unwrap().1.unwrap();
        assert_eq!((restored.number, restored.skipped.len()), (10 - age as u64, age));
        assert_eq!(restored.streams[&KEYS[(9 - age) % 2]], states[9 - age]);
        assert_eq!(restored.streams[&KEYS[(8 - age) % 2]], states[8 - age]);
        let mut bytes = store.get(manifest).unwrap();
        bytes.truncate(60);
        store.tamper(manifest, bytes);
    }
    // Silently starting afresh would be to lose all.
    let error = open(store).unwrap_err();
    assert!(matches!(&error, CheckpointError::NothingUsable { tried } if tried.len() == 3), "{error}");
    assert_eq!(error.recovery(), Recovery::Stop);
}

#[test]
fn old_states_are_rewritten_before_they_outgrow_the_new() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let store = MemoryStore::default();
        let (mut checkpoints, _) = open(store.clone()).unwrap();
        let mut live = KEYS.iter().map(|key| random_state(*key, 4_000, &mut random)).collect::<Vec<_>>();
        checkpoint(&mut checkpoints, &live.iter().collect::<Vec<_>>()).unwrap();
        let (mut new, mut rewritten) = (0, 0);
        for round in 0..200 {
            // A few streams are busy, most are silent.
            let busy = random.below(if round % 20 == 0 { live.len() } else { 3 });
            live[busy] = random_state(KEYS[busy], 4_000, &mut random);
            let committed = checkpoint(&mut checkpoints, &[&live[busy]]).unwrap();
            assert_eq!(committed.streams, 1, "seed {seed}");
            new += committed.bytes;
            rewritten += committed.rewritten;
        }
        let size: usize = live.iter().map(|snapshot| snapshot.encode().unwrap().len()).sum();
        let (parts, files) = (store.size("part-"), store.list("part-").unwrap().len());
        // Twice for extents below others, twice for parts half in use, and what three manifests pin.
        assert!(parts < 5 * size, "seed {seed}: {parts} bytes in parts for {size} bytes of state");
        assert!(files < 40, "seed {seed}: {files} parts");
        assert!(rewritten < 8 * new, "seed {seed}: {rewritten} bytes rewritten for {new} new ones");
        let restored = open(store).unwrap().1.unwrap();
        assert!(restored.streams.into_values().eq(sorted(live)), "seed {seed}");
    }
}

fn sorted(mut live: Vec<StreamSnapshot>) -> Vec<StreamSnapshot> {
    live.sort_by_key(|snapshot| snapshot.header.key);
    live
}

#[test]
fn a_silent_stream_does_not_keep_the_file_it_was_written_in() {
    let store = MemoryStore::default();
    let (mut checkpoints, _) = open(store.clone()).unwrap();
    let silent =
        (0..200).map(|n| state(StreamKey::of_names("session", &format!("silent {n}")), vec![1; 100]));
    let silent: Vec<_> = silent.collect();
    let busy = StreamKey::of_names("session", "busy");
    let mut rewritten = 0;
    for (n, snapshot) in silent.iter().enumerate() {
        // Each of these parts is nearly all of the busy stream's, and soon of no use but for the silent one.
        let committed =
            checkpoint(&mut checkpoints, &[snapshot, &state(busy, vec![n as u8; 50_000])]).unwrap();
        rewritten += committed.rewritten;
    }
    let (size, files) = (store.size("part-"), store.list("part-").unwrap().len());
    assert!(size < 8 * 100_000, "{size} bytes in parts for 100000 bytes of state");
    assert!(files < 20, "{files} parts");
    assert!(rewritten < 200 * 50_000, "{rewritten} bytes rewritten for 10 million new ones");
    assert_eq!(open(store).unwrap().1.unwrap().streams.len(), 201);
}

#[test]
fn a_stream_that_ended_for_good_leaves_nothing() {
    let store = MemoryStore::default();
    let (mut checkpoints, _) = open(store.clone()).unwrap();
    let states: Vec<_> = KEYS.iter().map(|key| state(*key, vec![1; 1_000])).collect();
    checkpoint(&mut checkpoints, &states.iter().collect::<Vec<_>>()).unwrap();
    let number = checkpoints.begin(expected()).unwrap();
    for key in &KEYS[1..] {
        checkpoints.forget(number, *key);
    }
    answer(&mut checkpoints, number, 1);
    checkpoints.commit().unwrap();
    for _ in 0..4 {
        checkpoint(&mut checkpoints, &[&states[0]]).unwrap();
    }
    let restored = open(store.clone()).unwrap().1.unwrap();
    assert_eq!(restored.streams.into_values().collect::<Vec<_>>(), states[..1]);
    let parts = store.size("part-");
    assert!(parts < 4 * 1_500, "{parts} bytes in parts for one stream of 1000");
}

#[test]
fn two_processes_cannot_both_go_on_from_one_checkpoint() {
    let store = MemoryStore::default();
    let (mut first, _) = open(store.clone()).unwrap();
    checkpoint(&mut first, &[&state(KEYS[0], vec![1])]).unwrap();
    // Nothing but put-if-absent keeps them apart here.
    let (mut second, restored) = open(store.clone()).unwrap();
    assert_eq!(restored.unwrap().number, 1);
    checkpoint(&mut second, &[&state(KEYS[0], vec![2])]).unwrap();
    let _ = first.begin(expected()).unwrap();
    first.abandon(2); // another number does not help
    let error = checkpoint(&mut first, &[&state(KEYS[0], vec![3])]).unwrap_err();
    assert!(matches!(error, CheckpointError::Overtaken { .. }), "{error}");
    assert_eq!(error.recovery(), Recovery::Stop);
    let restored = open(store).unwrap().1.unwrap();
    assert_eq!(restored.streams[&KEYS[0]], state(KEYS[0], vec![2]));
}

#[test]
fn what_was_abandoned_goes_into_the_next_one() {
    let store = MemoryStore::default();
    let (mut checkpoints, _) = open(store.clone()).unwrap();
    let states: Vec<_> = (0..4).map(|n| state(KEYS[n], vec![n as u8])).collect();
    let number = checkpoints.begin(expected()).unwrap();
    for snapshot in &states {
        checkpoints.stream(number, snapshot.header.key, snapshot.encode().unwrap());
    }
    checkpoints.abandon(number);
    // One has changed again; the others have not, and nobody sends them again.
    let newer = state(KEYS[3], vec![33]);
    let committed = checkpoint(&mut checkpoints, &[&newer]).unwrap();
    assert_eq!((committed.number, committed.streams), (2, 4));
    // A straggler of a checkpoint that is history changes nothing.
    checkpoints.stream(number, KEYS[0], state(KEYS[0], vec![99]).encode().unwrap());
    assert_eq!(checkpoint(&mut checkpoints, &[]).unwrap().streams, 0);
    let (store, pipeline) = (Arc::new(store), pipeline());
    let restored = Checkpoints::open(store, pipeline, None).unwrap().1.unwrap();
    assert_eq!(restored.streams.len(), 4);
    assert_eq!(restored.streams[&KEYS[0]], states[0]);
    assert_eq!(restored.streams[&KEYS[3]], newer);
}
