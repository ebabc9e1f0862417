//! What comes out of `ssvep`: trials, running decisions, and how late one is.

use neuraflow::model::{Decision, WindowStatus};

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
