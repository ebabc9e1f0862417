//! Memory follows the samples that come, and not the sampling rate that a header claims. Measured by the system's own
//! count, where it has one; alone in its process, so that nobody else's memory is in it.

#![cfg(target_os = "linux")]

use std::fs;

use neuraflow::prelude::*;

/// The most memory this process has used so far, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// An EDF file of 1760 samples whose records last a microsecond each: it claims 80 MHz.
fn claims_80_mhz() -> Vec<u8> {
    let fields = [
        ("0", 8),
        ("X", 80),
        ("X", 80),
        ("01.01.09", 8),
        ("00.00.00", 8),
        ("512", 8),
        ("", 44),
        ("22", 8),
        ("0.000001", 8),
        ("1", 4),
        ("Cz", 16),
        ("", 80),
        ("uV", 8),
        ("-3276.8", 8),
        ("3276.7", 8),
        ("-32768", 8),
        ("32767", 8),
        ("", 80),
        ("80", 8),
        ("", 32),
    ];
    let header: String = fields.iter().map(|(text, width)| format!("{text:<width$}")).collect();
    let samples = (0..22 * 80_i16).flat_map(|n| (n % 999).to_le_bytes());
    header.into_bytes().into_iter().chain(samples).collect()
}

#[test]
fn a_look_back_is_no_longer_than_what_has_come() {
    let path = std::env::temp_dir().join(format!("neuraflow-claims-{}.edf", std::process::id()));
    fs::write(&path, claims_80_mhz()).unwrap();
    let replay = Replay::open(&path).unwrap().speed(Speed::Max);
    let before = peak();
    let report = Pipeline::from(replay)
        .window(Tumbling::millis(50))
        .branch(|w| w.feature(SignalQuality::new).sink(Callback::new(|_: &Features| {})))
        .branch(|w| w.feature(|| Rms::new().over_millis(1_000)).sink(Callback::new(|_: &Features| {})))
        .branch(|w| w.feature(|| Spectrum::new().up_to_hz(60.0)).sink(Callback::new(|_: &Features| {})))
        .feature(|| BandPower::bands([("fast", 5e6..8e6)]).over_millis(1_000))
        .sink(Callback::new(|_: &Features| {}))
        .build()
        .unwrap()
        .run()
        .unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!((report.accounting().windowed, report.widest().unwrap().header.rate.as_hz()), (1_760, 8e7));
    let used = peak() - before;
    assert!(used < 32 << 20, "{} KiB for 4 KB", used >> 10);
}

#[test]
fn a_spectrum_of_millions_of_frequencies_is_refused_by_name() {
    let path = std::env::temp_dir().join(format!("neuraflow-claims-all-{}.edf", std::process::id()));
    fs::write(&path, claims_80_mhz()).unwrap();
    let flow = Pipeline::from(Replay::open(&path).unwrap()).window(Tumbling::millis(50));
    let built = flow.feature(Spectrum::new).sink(Callback::new(|_: &Features| {})).build();
    fs::remove_file(&path).unwrap();
    let error = built.err().unwrap().to_string();
    assert!(error.contains("frequencies of the spectrum: expected at most"), "{error}");
}
