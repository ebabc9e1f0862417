//! Memory stays within 16 MiB + 4 × the file's size, whatever the file claims. Measured by the system's own count,
//! where it has one; alone in its process, so that nobody else's memory is in it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // helpers outside #[test]

mod support;

use std::fs;
use std::path::Path;

use neuraflow_core::testing::data;
use neuraflow_sources::recording::{Block, Recording};
use support::{File, Signal, Temporary};

/// A line of `/proc/self/status`, in bytes.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Opens and reads it to the end; what it makes of it is other tests' concern.
fn read(path: &Path) {
    if let Ok(mut recording) = Recording::open(path) {
        let mut block = Block::default();
        while recording.next_block(&mut block).unwrap_or(false) {}
    }
}

#[test]
fn memory_is_bounded_by_the_file_and_not_by_its_claims() {
    // As many annotations as two bytes each can make, and a signal whose only record is the whole file.
    let dense = [b"+1".as_slice(), &b"\x14x".repeat(2 << 20), b"\x14\0\0\0"].concat();
    let dense =
        File::new("EDF+C", vec![Signal::annotations("EDF Annotations", dense.len(), false, &[&dense])]);
    let vast = File::new("", vec![Signal::new("Cz", 3 << 20).filled(1, |n| (n % 999) as i32)]);
    let many = (0..2000).map(|n| Signal::new(&format!("ch{n}"), 1).filled(200, |n| n as i32)).collect();
    let many = File::new("", many);
    let mut claims = File::new("", vec![Signal::new("Cz", 10).filled(10, |n| n as i32)]);
    claims.record_count = Some("99999999".to_owned());
    let mut signals = claims.bytes();
    signals[252..256].copy_from_slice(b"9999");
    let mut samples = claims.clone();
    samples.signals[0].claimed = Some("99999999".to_owned());
    let written = [dense.bytes(), vast.bytes(), many.bytes(), claims.bytes(), signals, samples.bytes()];
    let written: Vec<Temporary> = written.iter().map(|bytes| Temporary::with(bytes)).collect();
    let mut paths: Vec<_> = written.iter().map(|file| file.0.clone()).collect();
    for folder in ["malformed", "edf", "bdf", "gdf", "muse/SSVEP_subject1_session1"] {
        let entries = data::recording(folder).into_iter().flat_map(|folder| fs::read_dir(folder).unwrap());
        paths.extend(entries.map(|entry| entry.unwrap().path()));
    }
    drop((dense, vast, many));
    // The peaks only ever grow: the smallest file first, each against its own bound.
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    paths.sort_by_key(|path| size(path));
    let peak_restarted = fs::write("/proc/self/clear_refs", "5").is_ok();
    let (resident, reserved) = (status("VmRSS"), status("VmSize"));
    for path in paths {
        read(&path);
        let bound = (16 << 20) + 4 * size(&path);
        let touched = status("VmHWM").saturating_sub(resident);
        assert!(
            !peak_restarted || touched <= bound,
            "{}: {touched} bytes in use, bound {bound}",
            path.display()
        );
        // Address space that was claimed and never used shows here; the allocator's own arenas are allowed for.
        let claimed = status("VmPeak").saturating_sub(reserved);
        assert!(
            claimed <= bound + (128 << 20),
            "{}: {claimed} bytes reserved, bound {bound}",
            path.display()
        );
    }
}
