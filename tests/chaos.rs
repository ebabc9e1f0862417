//! `cargo test --release --all-features --test chaos -- --ignored --nocapture`: a storm over the whole path from Kafka to Bigtable.
//!
//! The storm is a package of its own, tests/chaos/, whose dependencies nobody else should have to build; this only runs it. Its
//! short version runs with the other tests of the workspace.

use std::process::Command;

#[test]
#[ignore = "takes a quarter of an hour"]
fn a_long_storm_leaves_nothing_out() {
    let storm = ["test", "--release", "--package", "neuraflow-chaos", "--test", "storm"];
    let shown = ["--", "--ignored", "--nocapture", "a_long_storm_leaves_nothing_out"];
    let done =
        Command::new(env!("CARGO")).args(storm).args(shown).current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(done.unwrap().success());
}
