//! What waits in outboxes, and where their breakers are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use neuraflow_core::resilience::BreakerState;

use super::Metrics;
use super::family::{Family, Kind, Labels, Writer};
use crate::layer::{OutboxStats, OutboxWatch};

/// Outboxes by their names.
#[derive(Debug, Default)]
pub(super) struct Outboxes(Mutex<BTreeMap<String, OutboxWatch>>);

impl Metrics {
    /// Tells what waits in an outbox, as that of `name`.
    pub fn outbox(&self, name: impl Into<String>, watch: OutboxWatch) {
        self.0.outboxes.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), watch);
    }
}

type Write = fn(&mut Family, Labels<'_>, &OutboxStats);

/// Name, help, kind, and what writes the lines of one outbox.
const METRICS: [(&str, &str, Kind, Write); 8] = [
    (
        "neuraflow_breaker_state",
        "1 for the state that a breaker is in",
        Kind::Largest,
        |family, who, stats| {
            for state in [BreakerState::Closed, BreakerState::Open, BreakerState::HalfOpen] {
                family.tell(who, &[("state", state.name())], f64::from(u8::from(stats.breaker == state)));
            }
        },
    ),
    (
        "neuraflow_breaker_transitions",
        "How often a breaker changed to a state",
        Kind::Counter,
        |family, who, stats| {
            let to = stats.transitions;
            for (state, count) in [("open", to.opened), ("half_open", to.half_opened), ("closed", to.closed)]
            {
                family.tell(who, &[("to", state)], count as f64);
            }
        },
    ),
    (
        "neuraflow_outbox_waiting_bytes",
        "Bytes that wait to be handed on",
        Kind::Largest,
        |family, who, stats| family.tell(who, &[], stats.waiting_bytes as f64),
    ),
    (
        "neuraflow_outbox_age_seconds",
        "How long the oldest item has waited",
        Kind::Largest,
        |family, who, stats| family.tell(who, &[], stats.age.as_secs_f64()),
    ),
    ("neuraflow_outbox_handed_on", "Items that the sink behind took", Kind::Counter, |family, who, stats| {
        family.tell(who, &[], stats.handed_on as f64)
    }),
    (
        "neuraflow_outbox_failures",
        "Writes that failed, and were tried again",
        Kind::Counter,
        |family, who, stats| family.tell(who, &[], stats.failures as f64),
    ),
    (
        "neuraflow_outbox_refused",
        "Items that the sink behind refused for good",
        Kind::Counter,
        |family, who, stats| family.tell(who, &[], stats.refused as f64),
    ),
    (
        "neuraflow_outbox_damaged_bytes",
        "Bytes that were damaged on the disk, and lost",
        Kind::Counter,
        |family, who, stats| family.tell(who, &[], stats.damaged_bytes as f64),
    ),
];

impl Outboxes {
    pub(super) fn write(&self, out: &mut Writer<'_>) -> fmt::Result {
        let outboxes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stats: Vec<_> = outboxes.iter().map(|(name, watch)| (name, watch.stats())).collect();
        for (name, help, kind, write) in METRICS {
            out.family(name, help, kind, |family| {
                stats.iter().for_each(|(outbox, stats)| write(family, &[("outbox", outbox)], stats));
            })?;
        }
        Ok(())
    }
}
