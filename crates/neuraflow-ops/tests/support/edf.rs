//! Just enough EDF to check operators on a recording: one rate, all signals but annotations.

use std::path::{Path, PathBuf};

use neuraflow_core::model::Channel;

pub struct Recording {
    pub channels: Vec<Channel>,
    /// `[sample][channel]` in µV.
    pub values: Vec<f32>,
}

/// Where the recordings are: `NEURAFLOW_DATA`, by default `shared/data` next to the repository.
fn data() -> PathBuf {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    std::env::var_os("NEURAFLOW_DATA").map_or_else(default, PathBuf::from)
}

/// A recording by its path below the data folder; none, with a word about it, where there are no recordings.
pub fn recording(name: &str) -> Option<Recording> {
    match std::fs::read(data().join(name)) {
        Ok(bytes) => Some(parse(&bytes)),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{name}: {error}; set NEURAFLOW_DATA");
            println!(
                "not run: {name} is not there ({error}); it is of PhysioNet's EEGMMIDB, see DATASETS.md"
            );
            None
        }
    }
}

fn parse(bytes: &[u8]) -> Recording {
    let text = |from: usize, length: usize| std::str::from_utf8(&bytes[from..from + length]).unwrap().trim();
    let signals: usize = text(252, 4).parse().unwrap();
    let field =
        |offset: usize, width: usize, signal: usize| text(256 + offset * signals + signal * width, width);
    let number = |offset, signal| field(offset, 8, signal).parse::<f64>().unwrap();
    let per_record: Vec<usize> = (0..signals).map(|s| number(216, s) as usize).collect();
    let kept: Vec<usize> = (0..signals).filter(|s| !field(0, 16, *s).contains("Annotations")).collect();
    let record: usize = per_record.iter().sum();
    let digital = bytes[256 * (signals + 1)..].as_chunks::<2>().0;
    let mut values = Vec::new();
    for record in digital.chunks_exact(record) {
        for n in 0..per_record[kept[0]] {
            for signal in &kept {
                let start: usize = per_record[..*signal].iter().sum();
                let value = f64::from(i16::from_le_bytes(record[start + n]));
                let (low, high) = (number(104, *signal), number(112, *signal));
                let (digital_low, digital_high) = (number(120, *signal), number(128, *signal));
                values
                    .push((low + (value - digital_low) * (high - low) / (digital_high - digital_low)) as f32);
            }
        }
    }
    Recording { channels: kept.iter().map(|s| Channel::new(field(0, 16, *s))).collect(), values }
}
