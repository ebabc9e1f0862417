//! Thousands of crashes, each with the seed that makes it happen again.

use crate::world::{Planted, Tally, World};

/// Runs scenarios from `first` until that many crashes have happened.
fn crash(first: u64, crashes: usize, planted: Planted) -> Result<Tally, String> {
    let mut all = Tally::default();
    for seed in first.. {
        if all.crashes >= crashes {
            break;
        }
        let one = World::run(seed, planted)?;
        all.crashes += one.crashes;
        all.commits += one.commits;
        all.failed_commits += one.failed_commits;
        all.rewritten += one.rewritten;
        all.newest += one.newest;
        all.older += one.older;
        all.refused += one.refused;
    }
    Ok(all)
}

#[test]
fn every_crash_ends_at_a_checkpoint_or_in_a_typed_error() {
    let tally = crash(0, 10_000, Planted::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{tally:?}");
    // The scenarios are worth something only if all of this happens.
    assert!(tally.newest > 1_000 && tally.older > 50 && tally.refused > 10, "{tally:?}");
    assert!(tally.commits > 1_000 && tally.failed_commits > 500 && tally.rewritten > 100_000, "{tally:?}");
}

#[test]
fn a_rename_that_is_not_synced_is_noticed() {
    let planted = Planted { unsynced_rename: true, ..Planted::default() };
    let wrong: Vec<String> = (0..1_000).filter_map(|seed| World::run(seed, planted).err()).collect();
    println!("{} of 1000 scenarios: {}", wrong.len(), wrong.first().unwrap());
    assert!(wrong.iter().any(|wrong| wrong.contains("is lost, and nobody said so")));
    assert!(wrong.iter().any(|wrong| wrong.contains("which is not the newest")));
}

#[test]
fn a_state_under_a_wrong_key_is_noticed() {
    let planted = Planted { wrong_key: true, ..Planted::default() };
    let wrong = crash(0, 1_000, planted).unwrap_err();
    assert!(wrong.contains("streams: expected"), "{wrong}");
}
