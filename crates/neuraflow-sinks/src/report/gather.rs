//! What the report keeps of a run, in memory that does not grow with its length.

use std::collections::BTreeMap;
use std::sync::Arc;

use neuraflow_core::dataflow::StreamMarker;
use neuraflow_core::model::{FeatureSpec, Features, Marker, StreamHeader, StreamKey};
use neuraflow_core::sink::SinkError;

use super::timeline::{Mean, Timeline};

/// Streams that are plotted: the first in the order of their names. All are in the tables.
pub(super) const STREAMS: usize = 8;
/// Markers of a stream that are kept with their times; all are counted.
pub(super) const MARKERS: usize = 2_000;
/// Different texts of markers that are counted apart, and characters of each.
const LABELS: usize = 200;
const LABEL_CHARS: usize = 80;

/// What a sink of the report takes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    BandPower,
    Spectrum,
    Quality,
    Flags,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::BandPower => "report band power",
            Self::Spectrum => "report spectrum",
            Self::Quality => "report quality",
            Self::Flags => "report flags",
        }
    }

    /// Whether features of windows in warm-up are left out, since they are not settled.
    const fn settled_only(self) -> bool {
        matches!(self, Self::BandPower | Self::Spectrum)
    }
}

/// Features of one stream.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) header: Arc<StreamHeader>,
    pub(super) spec: Arc<FeatureSpec>,
    /// `[row][column]` of band power, `[row]` of quality and flags, none of a spectrum.
    pub(super) timeline: Timeline,
    /// Over the whole run, `[row][column]`.
    totals: Vec<Mean>,
    pub(super) windows: u64,
    pub(super) warm_up: u64,
    /// For each column, windows in which it is above 0 in any row.
    pub(super) raised: Vec<u64>,
}

impl Series {
    fn new(kind: Kind, first: &Features) -> Self {
        let width = match kind {
            Kind::BandPower => first.spec.len(),
            Kind::Quality | Kind::Flags => first.spec.rows.len(),
            Kind::Spectrum => 0,
        };
        Self {
            header: Arc::clone(&first.info.stream),
            spec: Arc::clone(&first.spec),
            timeline: Timeline::new(width, &first.info),
            totals: vec![Mean::default(); first.spec.len()],
            windows: 0,
            warm_up: 0,
            raised: vec![0; first.spec.columns.len()],
        }
    }

    fn add(&mut self, kind: Kind, features: &Features) {
        self.windows += 1;
        self.warm_up += u64::from(features.info.warm_up);
        let used = !(kind.settled_only() && features.info.warm_up);
        let values = if used { features.values.as_slice() } else { &[] };
        self.totals.iter_mut().zip(values).for_each(|(total, value)| total.add(*value));
        let columns = self.spec.columns.len().max(1);
        let rows = values.chunks_exact(columns);
        match kind {
            Kind::BandPower | Kind::Spectrum => self.timeline.add(&features.info, values.iter().copied()),
            Kind::Quality => self.timeline.add(&features.info, rows.map(|row| row[0])),
            Kind::Flags => {
                let any = |row: &[f64]| f64::from(u8::from(row.iter().any(|flag| *flag > 0.0)));
                self.timeline.add(&features.info, rows.clone().map(any));
                for (column, raised) in self.raised.iter_mut().enumerate() {
                    *raised += u64::from(rows.clone().any(|row| row[column] > 0.0));
                }
            }
        }
    }

    /// The mean over the run of a row and a column.
    pub(super) fn total(&self, row: usize, column: usize) -> f64 {
        self.totals.get(row * self.spec.columns.len() + column).map_or(f64::NAN, Mean::value)
    }
}

/// Markers of one stream.
#[derive(Debug)]
pub(super) struct Marks {
    header: Arc<StreamHeader>,
    pub(super) first: Vec<Arc<Marker>>,
    pub(super) total: u64,
    pub(super) labels: BTreeMap<String, u64>,
}

/// Everything that is kept of the run.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) band_power: BTreeMap<StreamKey, Series>,
    pub(super) spectrum: BTreeMap<StreamKey, Series>,
    pub(super) quality: BTreeMap<StreamKey, Series>,
    pub(super) flags: BTreeMap<StreamKey, Series>,
    pub(super) markers: BTreeMap<StreamKey, Marks>,
}

/// Room for one stream more: the last by name makes room, unless that is the new one. So what is kept in the end
/// depends on the streams alone, not on the order in which workers come.
fn has_room<T>(
    map: &mut BTreeMap<StreamKey, T>,
    new: &StreamHeader,
    header: impl Fn(&T) -> &StreamHeader,
) -> bool {
    if map.contains_key(&new.key) || map.len() < STREAMS {
        return true;
    }
    let rank = |header: &StreamHeader| (header.name.clone(), header.key);
    match map.values().map(|kept| rank(header(kept))).max() {
        Some(last) if rank(new) < last => map.remove(&last.1).is_some(),
        _ => false,
    }
}

impl Gathered {
    pub(super) fn features(&mut self, kind: Kind, features: &Features) -> Result<(), SinkError> {
        let map = match kind {
            Kind::BandPower => &mut self.band_power,
            Kind::Spectrum => &mut self.spectrum,
            Kind::Quality => &mut self.quality,
            Kind::Flags => &mut self.flags,
        };
        let stream = &features.info.stream;
        if !has_room(map, stream, |series| &series.header) {
            return Ok(());
        }
        let series = map.entry(stream.key).or_insert_with(|| Series::new(kind, features));
        if series.spec != features.spec {
            let shape = |spec: &FeatureSpec| format!("{} × {}", spec.rows.len(), spec.columns.len());
            return Err(SinkError::Layout {
                sink: kind.name().into(),
                what: "layout of the features",
                expected: format!("{} as before; connect one operator to each sink", shape(&series.spec)),
                found: format!("{} with other names or another unit", shape(&features.spec)),
            });
        }
        series.add(kind, features);
        Ok(())
    }

    pub(super) fn marker(&mut self, item: &StreamMarker) {
        if !has_room(&mut self.markers, &item.stream, |marks| &marks.header) {
            return;
        }
        let marks = self.markers.entry(item.stream.key).or_insert_with(|| Marks {
            header: Arc::clone(&item.stream),
            first: Vec::new(),
            total: 0,
            labels: BTreeMap::new(),
        });
        marks.total += 1;
        let label: String = item.marker.label.chars().take(LABEL_CHARS).collect();
        if marks.first.len() < MARKERS {
            let kept = if label == item.marker.label {
                Arc::clone(&item.marker)
            } else {
                Arc::new(Marker { label: label.clone(), ..(*item.marker).clone() })
            };
            marks.first.push(kept);
        }
        if marks.labels.contains_key(&label) || marks.labels.len() < LABELS {
            *marks.labels.entry(label).or_default() += 1;
        }
    }

    /// The streams that something is kept of, in the order of their names.
    pub(super) fn streams(&self) -> Vec<Arc<StreamHeader>> {
        let series = [&self.band_power, &self.spectrum, &self.quality, &self.flags]
            .into_iter()
            .flat_map(|map| map.values());
        let mut all: Vec<_> =
            series.map(|s| &s.header).chain(self.markers.values().map(|m| &m.header)).collect();
        all.sort_by(|a, b| (&a.name, a.key).cmp(&(&b.name, b.key)));
        all.dedup_by_key(|header| header.key);
        all.into_iter().take(STREAMS).cloned().collect()
    }
}
