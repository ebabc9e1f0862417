//! Devices: of what model they are, how long they stay connected, and how often that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use neuraflow_core::model::Id;

use super::Metrics;
use super::family::{Bounded, Kind, OTHER, Writer};
use super::histogram::Histogram;

/// A second to a day.
const BOUNDS: &[f64] = &[1.0, 10.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];
const UNKNOWN: &str = "unknown";

#[derive(Debug)]
pub(super) struct Devices {
    limit: usize,
    models: RwLock<Models>,
    /// How often a model was told.
    told: AtomicU64,
    durations: Mutex<Bounded<1, Histogram>>,
    errors: Mutex<Bounded<2, u64>>,
}

#[derive(Debug, Default)]
struct Models {
    of: BTreeMap<Id, Arc<str>>,
    names: BTreeSet<Arc<str>>,
}

impl Devices {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            models: RwLock::default(),
            told: AtomicU64::new(0),
            durations: Mutex::new(Bounded::new(limit, 1)),
            errors: Mutex::new(Bounded::new(limit, 2)),
        }
    }

    pub(super) fn model(&self, device: Id) -> Arc<str> {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        models.of.get(&device).cloned().unwrap_or_else(|| UNKNOWN.into())
    }

    /// Changes whenever a device may have become of another model.
    pub(super) fn version(&self) -> u64 {
        self.told.load(Ordering::Acquire)
    }

    pub(super) fn write(&self, out: &mut Writer<'_>) -> fmt::Result {
        let durations = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
        let series = durations
            .entries
            .iter()
            .map(|([model], histogram)| (vec![("device_model", model.as_str())], histogram.buckets()));
        out.histogram("device_connection_duration_seconds", "How long devices stayed connected", series)?;
        out.folded.insert("device_connection_duration_seconds", durations.folded());
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        out.family("device_connection_errors", "Connections that failed", Kind::Counter, |family| {
            for ([error_type, model], count) in &errors.entries {
                let labels = [("error_type", error_type.as_str()), ("device_model", model.as_str())];
                family.tell(&[], &labels, *count as f64);
            }
        })?;
        out.folded.insert("device_connection_errors", errors.folded());
        Ok(())
    }
}

impl Metrics {
    /// Says of what model a device is, for the label `device_model`: `unknown` until then. Models are few; ids need not be.
    pub fn device(&self, device: Id, model: impl AsRef<str>) {
        let devices = &self.0.devices;
        let mut models = devices.models.write().unwrap_or_else(PoisonError::into_inner);
        let model = match models.names.get(model.as_ref()) {
            Some(known) => Arc::clone(known),
            None if models.names.len() < devices.limit => model.as_ref().into(),
            None => OTHER.into(),
        };
        models.names.insert(Arc::clone(&model));
        models.of.insert(device, model);
        devices.told.fetch_add(1, Ordering::Release);
    }

    /// A device has connected: how long it stayed is told once the answer is dropped.
    pub fn connected(&self, device: Id) -> Connection {
        Connection { metrics: self.clone(), device, since: self.0.clock.now() }
    }

    /// A device could not be connected, or was lost. `error_type` is one of a few: `refused`, `timeout`, `lost`.
    pub fn connection_failed(&self, device: Id, error_type: &str) {
        let model = self.0.devices.model(device);
        let mut errors = self.0.devices.errors.lock().unwrap_or_else(PoisonError::into_inner);
        *errors.entry([error_type, &model], || 0) += 1;
    }
}

/// A device that is connected, until this is dropped.
#[derive(Debug)]
#[must_use = "the connection ends when this is dropped"]
pub struct Connection {
    metrics: Metrics,
    device: Id,
    since: u64,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let inside = &self.metrics.0;
        let duration = Duration::from_nanos(inside.clock.now().saturating_sub(self.since));
        let model = inside.devices.model(self.device);
        let mut durations = inside.devices.durations.lock().unwrap_or_else(PoisonError::into_inner);
        durations.entry([&model], || Histogram::new(BOUNDS)).record(duration);
    }
}
