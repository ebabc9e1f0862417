//! A channel: one recorded signal, as its file or device names it.

use serde::{Deserialize, Serialize};

/// One recorded signal of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    label: String,
    ten_twenty: Option<String>,
    kind: ChannelKind,
    unit: Unit,
}

/// What a channel records. Spatial references average over [`Eeg`](ChannelKind::Eeg) channels only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChannelKind {
    /// Scalp EEG, or any other electrode signal that shares the montage's reference.
    Eeg,
    /// Eye movements.
    Eog,
    /// Heart.
    Ecg,
    /// Muscle.
    Emg,
    /// A digital trigger or status word.
    Trigger,
    /// Anything else: respiration, temperature, accelerometers.
    Other,
}

/// What a channel's numbers mean. Voltages always travel in microvolts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Unit {
    /// Microvolts.
    Microvolt,
    /// Not a voltage: numbers travel as recorded, in this unit (possibly empty).
    Other(String),
}

impl Channel {
    /// A channel in microvolts; its kind and 10-20 name are read from the label.
    ///
    /// ```
    /// use neuraflow_core::model::{Channel, ChannelKind};
    /// let channel = Channel::new("Fc5.");
    /// assert_eq!((channel.label(), channel.name()), ("Fc5.", "FC5"));
    /// assert_eq!(Channel::new("Status").kind(), ChannelKind::Trigger);
    /// ```
    pub fn new(label: impl Into<String>) -> Self {
        let label = label.into();
        let ten_twenty = ten_twenty_name(&label);
        let kind = if ten_twenty.is_some() { ChannelKind::Eeg } else { kind_of(&label) };
        Self { label, ten_twenty, kind, unit: Unit::Microvolt }
    }

    /// A channel computed from others, of the kind and unit of `like`: its name is `label` as it stands. No 10-20 name is
    /// read from it, since `Fp1-F7` lies at neither electrode.
    ///
    /// ```
    /// use neuraflow_core::model::Channel;
    /// let derived = Channel::derived("Fp1-F7", &Channel::new("Fp1"));
    /// assert_eq!((derived.name(), derived.ten_twenty()), ("Fp1-F7", None));
    /// ```
    pub fn derived(label: impl Into<String>, like: &Channel) -> Self {
        Self { label: label.into(), ten_twenty: None, kind: like.kind, unit: like.unit.clone() }
    }

    /// The same channel with another kind.
    #[must_use]
    pub fn with_kind(mut self, kind: ChannelKind) -> Self {
        self.kind = kind;
        self
    }

    /// The same channel with another unit.
    #[must_use]
    pub fn with_unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// The label exactly as written in the file or given by the device.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The 10-20 (10-10, 10-5) name, if the label carries one.
    pub fn ten_twenty(&self) -> Option<&str> {
        self.ten_twenty.as_deref()
    }

    /// The 10-20 name if there is one, else the label.
    pub fn name(&self) -> &str {
        self.ten_twenty.as_deref().unwrap_or(&self.label)
    }

    /// What it records.
    pub fn kind(&self) -> ChannelKind {
        self.kind
    }

    /// What its numbers mean.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }
}

/// The 10-20 name inside a label: `Fc5.` → `FC5`, `EEG Fp1-REF` → `Fp1`, `Status` → none.
///
/// Accepts the extended 10-10 and 10-5 grids: a row (`Fp`, `AF`, `F`, `FT`, `FC`, `T`, `C`, `TP`, `CP`, `P`, `PO`,
/// `O`, `I` and their half rows, or mastoids `A`, `M`) and a position `z` or 1 to 10 (half positions end in `h`).
pub fn ten_twenty_name(label: &str) -> Option<String> {
    const ROWS: [&str; 24] = [
        "AFF", "AFp", "FFC", "FFT", "FCC", "FTT", "CCP", "TTP", "CPP", "TPP", "PPO", "POO", "Fp", "AF", "FT",
        "FC", "TP", "CP", "PO", "OI", "N", "F", "T", "C",
    ];
    const SHORT: [&str; 5] = ["P", "O", "I", "A", "M"];
    let trimmed = label.trim();
    let bare = trimmed
        .get(..3)
        .filter(|p| p.eq_ignore_ascii_case("EEG"))
        .map_or(trimmed, |_| trimmed[3..].trim_start());
    let bare = bare.split(['-', ' ']).next()?.trim_end_matches('.');
    let row_len = bare.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (mut row, mut position) = bare.split_at(row_len);
    if position.is_empty() {
        // A midline name ends in z: the z is the position.
        let cut = row.len().checked_sub(1)?;
        (row, position) = (bare.get(..cut)?, bare.get(cut..)?);
        if !position.eq_ignore_ascii_case("z") {
            return None;
        }
        position = "z";
    }
    let row = ROWS.iter().chain(&SHORT).find(|known| known.eq_ignore_ascii_case(row))?;
    let half = position.strip_suffix(['h', 'H']);
    let number = half.unwrap_or(position);
    let in_grid = number == "z" || matches!(number.parse::<u8>(), Ok(1..=10));
    let plain_digits = number == "z" || number.bytes().all(|b| b.is_ascii_digit());
    (in_grid && plain_digits).then(|| format!("{row}{number}{}", if half.is_some() { "h" } else { "" }))
}

fn kind_of(label: &str) -> ChannelKind {
    let lower = label.trim().to_ascii_lowercase();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|p| lower.starts_with(p));
    if starts(&["status", "trigger", "stim", "sti ", "marker", "event"]) {
        ChannelKind::Trigger
    } else if lower.contains("eog") {
        ChannelKind::Eog
    } else if lower.contains("ecg") || lower.contains("ekg") {
        ChannelKind::Ecg
    } else if lower.contains("emg") {
        ChannelKind::Emg
    } else if starts(&["eeg", "ecog", "seeg", "lfp", "ch", "exg"]) {
        ChannelKind::Eeg
    } else {
        ChannelKind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_ten_twenty_names_and_nothing_else() {
        for (label, name) in [
            ("Fc5.", "FC5"),
            ("Fcz.", "FCz"),
            ("Cz..", "Cz"),
            ("Fp1.", "Fp1"),
            ("FPZ", "Fpz"),
            ("Af7.", "AF7"),
            ("T10.", "T10"),
            ("EEG Fp1-REF", "Fp1"),
            ("EEG O2", "O2"),
            ("Iz..", "Iz"),
            ("P9", "P9"),
            ("M1", "M1"),
            ("CCP5h", "CCP5h"),
        ] {
            assert_eq!(ten_twenty_name(label).as_deref(), Some(name), "{label}");
        }
        for label in [
            "Status",
            "EXG1",
            "REOG",
            "C11",
            "Z",
            "",
            "EEG",
            "Fp",
            "C+3",
            "µ1",
            "squarewave",
            "EDF Annotations",
            "Resp 1",
        ] {
            assert_eq!(ten_twenty_name(label), None, "{label}");
        }
    }
}
