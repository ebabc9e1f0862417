//! Files that are not what was written: any bytes anywhere, and bytes whose checksums are right all the same.

use std::collections::BTreeMap;

use neuraflow_core::checkpoint::{CheckpointError, CheckpointStore, StreamSnapshot};
use neuraflow_core::model::StreamKey;
use neuraflow_core::testing::MemoryStore;
use proptest::prelude::*;

use crate::parts::{KEYS, answer, checkpoint, expected, open, state};

type Streams = BTreeMap<StreamKey, StreamSnapshot>;

/// Three checkpoints and what each holds.
fn written() -> (MemoryStore, BTreeMap<u64, Streams>) {
    let store = MemoryStore::default();
    let (mut checkpoints, _) = open(store.clone()).unwrap();
    let (mut streams, mut committed) = (Streams::new(), BTreeMap::new());
    for round in 0..3 {
        let busy: Vec<_> = (round..round + 4).map(|n| state(KEYS[n], vec![round as u8; 100 * n])).collect();
        checkpoint(&mut checkpoints, &busy.iter().collect::<Vec<_>>()).unwrap();
        streams.extend(busy.into_iter().map(|snapshot| (snapshot.header.key, snapshot)));
        committed.insert(round as u64 + 1, streams.clone());
    }
    (store, committed)
}

/// Puts the checksums right, so that only the contents are wrong.
fn sign(file: &mut [u8]) {
    if file.len() >= 44 {
        let length = (file.len() - 44) as u64;
        file[28..36].copy_from_slice(&length.to_le_bytes());
        let body = crc32c::crc32c(&file[44..]);
        file[36..40].copy_from_slice(&body.to_le_bytes());
        let header = crc32c::crc32c(&file[..40]);
        file[40..44].copy_from_slice(&header.to_le_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_damaged_store_gives_what_was_committed_or_an_error(
        damages in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..40usize, prop::collection::vec(any::<u8>(), 0..40)),
            1..4,
        ),
    ) {
        let (store, committed) = written();
        for (file, at, cut, over) in damages {
            let names = store.list("").unwrap();
            let name = file.get(&names);
            let mut bytes = store.get(name).unwrap();
            let from = at.index(bytes.len() + 1);
            bytes.splice(from..(from + cut).min(bytes.len()), over);
            store.tamper(name, bytes);
        }
        match open(store) {
            Ok((_, restored)) => {
                let restored = restored.unwrap();
                prop_assert!(restored.number == 3 || !restored.skipped.is_empty());
                prop_assert_eq!(&restored.streams, &committed[&restored.number]);
            }
            Err(error) => prop_assert!(matches!(error, CheckpointError::NothingUsable { .. }), "{}", error),
        }
    }

    /// Nobody is protected from a forger, but no bytes may bring the process down or make it ask for all memory.
    #[test]
    fn a_forged_store_brings_nothing_down(
        part: bool,
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        over in prop::collection::vec(any::<u8>(), 1..24),
    ) {
        let (store, _) = written();
        let names = store.list(if part { "part-" } else { "manifest-" }).unwrap();
        let name = file.get(&names);
        let mut bytes = store.get(name).unwrap();
        let from = 44 + at.index(bytes.len() - 44);
        for (byte, over) in bytes[from..].iter_mut().zip(over) {
            *byte = over;
        }
        sign(&mut bytes);
        store.tamper(name, bytes);
        if let Ok((mut checkpoints, _)) = open(store) {
            let all: Vec<_> = KEYS.iter().map(|key| state(*key, vec![1; 2_000])).collect();
            for snapshot in &all {
                let _ = checkpoint(&mut checkpoints, &[snapshot]);
            }
        }
    }
}

#[test]
fn other_peoples_files_are_left_alone() {
    let (store, committed) = written();
    for name in ["manifest-backup", "manifest-7", "part-1", "notes"] {
        store.put_if_absent(name, b"mine").unwrap();
    }
    let (mut checkpoints, restored) = open(store.clone()).unwrap();
    let restored = restored.unwrap();
    assert_eq!((&restored.streams, restored.skipped.len()), (&committed[&3], 0));
    checkpoint(&mut checkpoints, &[]).unwrap();
    for name in ["manifest-backup", "manifest-7", "part-1", "notes"] {
        assert_eq!(store.get(name).unwrap(), b"mine");
    }
}

#[test]
fn what_decays_while_the_workers_have_it_is_written_anew() {
    let store = MemoryStore::default();
    let (mut checkpoints, _) = open(store.clone()).unwrap();
    // Two streams of one key group.
    let key = KEYS[1..].iter().find(|key| key.group() == KEYS[0].group()).unwrap();
    let streams = [state(KEYS[0], vec![1; 1_000]), state(*key, vec![2; 1_000])];
    checkpoint(&mut checkpoints, &streams.iter().collect::<Vec<_>>()).unwrap();
    let part = store.list("part-").unwrap().pop().unwrap();
    let mut bytes = store.get(&part).unwrap();
    bytes[600] ^= 1;
    store.tamper(&part, bytes);
    // The first needs nothing that is old; the second should be merged with it.
    checkpoint(&mut checkpoints, &[&streams[0]]).unwrap();
    assert!(!checkpoints.wants_all_streams());
    let error = checkpoint(&mut checkpoints, &[&streams[0]]).unwrap_err();
    assert!(matches!(&error, CheckpointError::Damaged { file, .. } if *file == part), "{error}");
    assert!(checkpoints.wants_all_streams());
    let number = checkpoints.begin(expected()).unwrap();
    for snapshot in &streams {
        checkpoints.stream(number, snapshot.header.key, snapshot.encode().unwrap());
    }
    answer(&mut checkpoints, number, 9);
    checkpoints.commit().unwrap();
    assert!(!checkpoints.wants_all_streams());
    let restored = open(store).unwrap().1.unwrap();
    assert_eq!((restored.number, restored.streams.len(), restored.skipped.len()), (number, 2, 0));
}
