//! Signals for drawing: the lowest and the highest value of each part of a window.

use std::sync::Arc;

use neuraflow_core::model::{Channel, Span, StreamHeader, Unit, Window};

use super::message::{Grid, SignalBody, Stamp};

/// Cuts the windows of one worker's streams.
pub(super) struct Decimator {
    name: Arc<str>,
    points: usize,
    /// Names and unit of the stream that was seen last.
    known: Option<Layout>,
}

/// How a stream's signals are labelled.
struct Layout {
    stream: Arc<StreamHeader>,
    names: Arc<[String]>,
    unit: Arc<str>,
}

impl Decimator {
    pub(super) fn new(name: Arc<str>, points: usize) -> Self {
        Self { name, points: points.max(1), known: None }
    }

    /// A window in parts of equal length in time; fewer than asked for where it expects fewer samples.
    pub(super) fn cut(&mut self, window: &Window, now: u64) -> SignalBody {
        let info = &window.info;
        let (channels, unit) = self.layout(&info.stream, window.samples.channels());
        let points = self.points.min(info.expected as usize);
        let width = window.samples.channels();
        let mut min = Grid { width: points, rows: width, values: vec![f32::NAN; points * width] };
        let mut max = min.clone();
        let hop = i128::from((info.end - info.start).as_nanos());
        let part_end = |part: usize| {
            // Ceiling, so that a sample is in the part that its time is in.
            let nanos = (hop * (part as i128 + 1) + points as i128 - 1) / (points as i128).max(1);
            let end = info.start + Span::nanos(i64::try_from(nanos).unwrap_or(i64::MAX));
            info.stream.first_at_or_after(end)
        };
        let (mut part, mut end) = (0, part_end(0));
        for (number, sample) in (window.samples.first()..).zip(window.samples.samples()) {
            while number >= end && part + 1 < points {
                part += 1;
                end = part_end(part);
            }
            if points == 0 {
                break;
            }
            for (channel, value) in sample.iter().enumerate() {
                let at = channel * points + part;
                // `min` and `max` of f32 ignore NaN.
                min.values[at] = min.values[at].min(*value);
                max.values[at] = max.values[at].max(*value);
            }
        }
        SignalBody {
            window: Stamp::of(info, now),
            name: Arc::clone(&self.name),
            channels,
            unit,
            start_ns: info.start.as_nanos(),
            points,
            min,
            max,
        }
    }

    fn layout(&mut self, stream: &Arc<StreamHeader>, width: usize) -> (Arc<[String]>, Arc<str>) {
        let known = self.known.take().filter(|l| Arc::ptr_eq(&l.stream, stream) && l.names.len() == width);
        let layout = known.unwrap_or_else(|| Layout::of(stream, width));
        let answer = (Arc::clone(&layout.names), Arc::clone(&layout.unit));
        self.known = Some(layout);
        answer
    }
}

impl Layout {
    fn of(stream: &Arc<StreamHeader>, width: usize) -> Self {
        // A stage may have made other channels than the stream's: those have numbers only.
        let names: Arc<[String]> = if stream.channels.len() == width {
            stream.channels.iter().map(|channel| channel.name().to_owned()).collect()
        } else {
            (1..=width).map(|number| number.to_string()).collect()
        };
        Self { stream: Arc::clone(stream), names, unit: unit(&stream.channels).into() }
    }
}

fn unit(channels: &[Channel]) -> String {
    let Some(first) = channels.first() else { return String::new() };
    match first.unit() {
        unit if channels.iter().any(|channel| channel.unit() != unit) => String::new(),
        Unit::Microvolt => "µV".into(),
        Unit::Other(unit) => unit.clone(),
        _ => String::new(),
    }
}
