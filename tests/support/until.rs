//! Waiting for what another process or thread does. Included by the tests of several crates with `#[path]`.

use std::thread;
use std::time::{Duration, Instant};

/// Asks again and again until `met` says yes. A test that has waited for `patience` in vain says for what.
///
/// Patience is for machines that are slow, not for the code: what is waited for usually takes a fraction of it.
#[track_caller]
pub fn until(what: &str, patience: Duration, mut met: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !met() {
        assert!(begun.elapsed() < patience, "waited {patience:?} in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
