//! What kind of signal a stream carries.

use neuraflow_core::model::{Channel, ChannelKind, StreamHeader};

/// What labels say where no stream is meant.
pub(super) const ANY: &str = "any";

/// The kind of most of its channels, triggers left aside; the first of them where several are equally many.
pub(super) fn signal_type(header: &StreamHeader) -> &'static str {
    const KINDS: [(ChannelKind, &str); 5] = [
        (ChannelKind::Eeg, "eeg"),
        (ChannelKind::Eog, "eog"),
        (ChannelKind::Ecg, "ecg"),
        (ChannelKind::Emg, "emg"),
        (ChannelKind::Other, "other"),
    ];
    let count = |kind: ChannelKind| header.channels.iter().map(Channel::kind).filter(|k| *k == kind).count();
    let most = KINDS.iter().rev().max_by_key(|(kind, _)| count(*kind)).filter(|(kind, _)| count(*kind) > 0);
    most.map_or("trigger", |(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuraflow_core::model::{SamplingRate, StreamKey};

    #[test]
    fn a_stream_is_what_most_of_its_channels_are() {
        for (labels, expected) in [
            (&["Fp1", "Fp2", "EOG", "Status"][..], "eeg"),
            (&["ECG", "Cz"], "eeg"),
            (&["ECG", "Status", "Status"], "ecg"),
            (&["Status"], "trigger"),
            (&["resp", "temp", "Cz"], "other"),
        ] {
            let channels = labels.iter().map(|label| Channel::new(*label)).collect();
            let rate = SamplingRate::hz(250).unwrap();
            let header = StreamHeader::new(StreamKey::of_names("s", "d"), "d", rate, channels);
            assert_eq!(signal_type(&header), expected, "{labels:?}");
        }
    }
}
