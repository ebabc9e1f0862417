//! Which channels a synthetic headset has, and how strongly each picks up what.

use neuraflow_core::model::{Channel, ChannelKind};

/// Eight electrodes of a common headset, the rest of the 10-20 system, then the 10-10 positions up to 64.
const NAMES: [&str; 64] = [
    "Fp1", "Fp2", "C3", "C4", "P7", "P8", "O1", "O2", "F7", "F3", "Fz", "F4", "F8", "T7", "Cz", "T8", "P3",
    "Pz", "P4", "AF7", "AF3", "AFz", "AF4", "AF8", "Fpz", "F5", "F1", "F2", "F6", "FT7", "FC5", "FC3", "FC1",
    "FCz", "FC2", "FC4", "FC6", "FT8", "C5", "C1", "C2", "C6", "TP7", "CP5", "CP3", "CP1", "CPz", "CP2",
    "CP4", "CP6", "TP8", "P5", "P1", "P2", "P6", "PO7", "PO3", "POz", "PO4", "PO8", "Oz", "Iz", "T9", "T10",
];

/// The first `count` channels; beyond the 10-10 list they are called `E65`, `E66`, …
pub(super) fn channels(count: usize) -> Vec<Channel> {
    (0..count)
        .map(|i| match NAMES.get(i) {
            Some(name) => Channel::new(*name),
            None => Channel::new(format!("E{}", i + 1)).with_kind(ChannelKind::Eeg),
        })
        .collect()
}

/// How much of the posterior alpha rhythm a channel sees, 0 to 1.
pub(super) fn alpha_gain(name: &str) -> f64 {
    match row(name) {
        "O" | "I" => 1.0,
        "PO" => 0.9,
        "P" => 0.7,
        "CP" | "TP" => 0.5,
        "C" | "T" => 0.3,
        "FC" | "FT" => 0.15,
        _ => 0.08,
    }
}

/// How much of a blink a channel sees, 0 to 1.
pub(super) fn blink_gain(name: &str) -> f64 {
    match row(name) {
        "Fp" => 1.0,
        "AF" => 0.7,
        "F" => 0.35,
        "FC" | "FT" => 0.12,
        _ => 0.02,
    }
}

fn row(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == 'z')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_on_the_grid_once_and_the_rest_are_eeg() {
        let all = channels(66);
        for (i, channel) in all.iter().enumerate() {
            assert_eq!(channel.kind(), ChannelKind::Eeg);
            assert_eq!(channel.ten_twenty().is_some(), i < 64, "{channel:?}");
            assert!(all[..i].iter().all(|other| other.label() != channel.label()), "{channel:?}");
        }
        assert_eq!(all[65].label(), "E66");
    }
}
