//! Where the real recordings are, and what a test does when they are not there.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

/// The folder of the recordings: the environment's `NEURAFLOW_DATA`, else `../shared/data` beside the workspace.
pub fn folder() -> PathBuf {
    match env::var_os("NEURAFLOW_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
    }
}

/// The recording (or folder) `name`, for example `edf/S001R04.edf`.
///
/// Where it is absent the calling test is listed on standard error as not run, and should return: a stranger's
/// machine has no recordings. With `CI=true` in the environment it fails instead.
///
/// ```
/// use neuraflow_core::testing::data;
/// # fn example() {
/// let Some(path) = data::recording("edf/S001R04.edf") else { return };
/// assert!(path.exists());
/// # }
/// ```
pub fn recording(name: &str) -> Option<PathBuf> {
    let path = folder().join(name);
    if path.exists() {
        return Some(path);
    }
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let missing = format!("{test} needs the recording {name}, which is not in {}", folder().display());
    let strict = env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!strict, "{missing}; set NEURAFLOW_DATA to the folder that holds DATASETS.md");
    // Straight to the stream: the test harness swallows `eprintln!` of tests that pass.
    let _ = writeln!(
        std::io::stderr(),
        "not run: {missing}; its DATASETS.md says where the recordings come from (NEURAFLOW_DATA)"
    );
    None
}
