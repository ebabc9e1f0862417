//! Streams of files; and of formats whose signals say how many samples they have in a record, where those of equal rate are one.

use neuraflow_core::model::{
    Channel, ChannelKind, SamplingRate, SequenceBits, StreamHeader, StreamKey, Timestamp,
};
use neuraflow_core::source::SourceError;

use super::calibration::Calibration;
use super::reader::About;
use super::warning::malformed;

/// A stream that is read from a file.
pub(super) fn of_file(
    key: StreamKey,
    name: &str,
    rate: SamplingRate,
    channels: Vec<Channel>,
    t0: Timestamp,
) -> StreamHeader {
    let mut stream = StreamHeader::new(key, name, rate, channels);
    stream.t0 = t0;
    // A file has no counter to wrap, and holes of any length.
    stream.sequence = SequenceBits::new(63).unwrap_or_default();
    stream
}

/// A signal as its file describes it.
pub(super) trait Signal {
    fn label(&self) -> &str;

    /// Its samples in a data record; none where it is not one that streams have.
    fn samples(&self) -> u32;

    /// How its values are made, if that could be used.
    fn calibration(&self) -> (&Calibration, bool);
}

/// The signals of equal rate, in order of first appearance; those without samples are in none.
pub(super) fn by_rate(signals: &[impl Signal]) -> Vec<Vec<usize>> {
    let mut streams: Vec<Vec<usize>> = Vec::new();
    for (index, signal) in signals.iter().enumerate().filter(|(_, signal)| signal.samples() > 0) {
        match streams.iter_mut().find(|stream| signals[stream[0]].samples() == signal.samples()) {
            Some(stream) => stream.push(index),
            None => streams.push(vec![index]),
        }
    }
    streams
}

/// The streams of these signals, of which a record of so many seconds (a ratio) has its samples.
pub(super) fn headers(
    signals: &[impl Signal],
    streams: &[Vec<usize>],
    record_seconds: (u64, u64),
    t0: Timestamp,
    about: &About,
) -> Result<Vec<StreamHeader>, SourceError> {
    let (num, den) = record_seconds;
    let header = |(index, of): (usize, &Vec<usize>)| {
        let first = &signals[of[0]];
        let rate = SamplingRate::ratio(u64::from(first.samples()).saturating_mul(den), num);
        let rate = rate.map_err(|error| {
            let field = format!("signal {} {:?}: sampling rate", of[0], first.label());
            let found = format!("{} samples in {num}/{den} s", first.samples());
            malformed(&about.target, field, error.to_string(), found)
        })?;
        let channels = of.iter().map(|signal| channel(&signals[*signal])).collect();
        let key = about.key.with_signal(u16::try_from(index).unwrap_or(u16::MAX));
        let several = format!("{} {rate}", about.name);
        Ok(of_file(key, if streams.len() > 1 { &several } else { &about.name }, rate, channels, t0))
    };
    streams.iter().enumerate().map(header).collect()
}

fn channel(signal: &impl Signal) -> Channel {
    let (calibration, usable) = signal.calibration();
    let channel = Channel::new(signal.label()).with_unit(calibration.unit().clone());
    if usable { channel } else { channel.with_kind(ChannelKind::Other) }
}
