//! What comes out of `ssvep`: trials, running decisions, and how late one is.

use std::time::Duration;

use neuraflow::model::{Decision, WindowStatus};
use neuraflow::prelude::*;
use serde_json::{Value, json};

/// A class by its frequency.
pub fn name(hz: f64) -> String {
    format!("{hz} Hz")
}

/// What was looked at, and what was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    pub truth: String,
    /// A class, or in lower case why there is none.
    pub label: String,
}

impl Trial {
    /// The trial that a decision about an epoch is of; an epoch that the recording cuts off is none.
    pub fn of(decision: &Decision<String>, classes: &[(String, f64)]) -> Option<Self> {
        let marker = decision.info.marker.as_ref()?;
        let (_, hz) = classes.iter().find(|(code, _)| *code == marker.label)?;
        if decision.info.status == WindowStatus::Partial {
            return None;
        }
        let label = match &decision.outcome {
            Ok((class, _)) => class.clone(),
            Err(reason) => format!("{reason:?}").to_lowercase(),
        };
        Some(Self { truth: name(*hz), label })
    }

    pub fn right(&self) -> bool {
        self.truth == self.label
    }
}

/// The decisions that come every 50 ms, whoever looks where.
pub struct Running {
    pub windows: usize,
    pub decided: usize,
    /// Of every window and its label.
    pub digest: u128,
}

/// How late a running decision is, part by part, in ms.
#[derive(Clone, Copy)]
pub struct Budget {
    /// The longest that a sample waits for its window to close.
    pub wait: f64,
    pub group_delay: f64,
    pub group_delay_max: f64,
    pub look_back: f64,
    /// The run's time for each decision, everything included: at full speed windows are computed many at once, and the time
    /// that one takes is not seen alone.
    pub compute: f64,
}

impl Budget {
    pub fn new(hop: Span, contract: Latency, elapsed: Duration, decisions: usize) -> Self {
        Self {
            wait: hop.as_millis_f64(),
            group_delay: contract.group_delay.as_millis_f64(),
            group_delay_max: contract.group_delay_max.as_millis_f64(),
            look_back: contract.look_back.as_millis_f64(),
            compute: 1e3 * elapsed.as_secs_f64() / decisions.max(1) as f64,
        }
    }

    pub fn total(&self) -> f64 {
        self.wait + self.group_delay + self.look_back + self.compute
    }

    pub fn to_json(self) -> Value {
        json!({
            "wait": self.wait, "group_delay": self.group_delay, "group_delay_max": self.group_delay_max,
            "look_back": self.look_back, "compute": self.compute, "total": self.total(),
        })
    }
}

impl std::fmt::Display for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { wait, group_delay, group_delay_max, look_back, compute } = self;
        write!(f, "{wait:.0} ms wait + {group_delay:.1} ms group delay (at most {group_delay_max:.1}) + ")?;
        write!(f, "{look_back:.0} ms look-back + {compute:.2} ms compute = {:.0} ms", self.total())
    }
}
