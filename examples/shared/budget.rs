//! How late a decision is, part by part.

use std::fmt;

use neuraflow::prelude::Latency;
use serde_json::{Value, json};

/// In milliseconds.
#[derive(Clone, Copy)]
pub struct Budget {
    /// The longest that a sample waits for its packet to fill, or its window to close.
    pub wait: f64,
    pub group_delay: f64,
    pub group_delay_max: f64,
    /// It is no delay of the answer, but the answer is about all of it.
    pub look_back: f64,
    pub compute: f64,
}

impl Budget {
    pub fn new(wait: f64, contract: Latency, compute: f64) -> Self {
        Self {
            wait,
            group_delay: contract.group_delay.as_millis_f64(),
            group_delay_max: contract.group_delay_max.as_millis_f64(),
            look_back: contract.look_back.as_millis_f64(),
            compute,
        }
    }

    fn parts(&self) -> [(&'static str, f64); 4] {
        let Self { wait, group_delay, look_back, compute, .. } = *self;
        [("wait", wait), ("group delay", group_delay), ("look back", look_back), ("compute", compute)]
    }

    pub fn total(&self) -> f64 {
        self.wait + self.group_delay + self.look_back + self.compute
    }

    /// The part that follows a trial's last sample.
    pub fn after_last_sample(&self) -> f64 {
        self.wait + self.group_delay + self.compute
    }

    /// Line by line, for decisions about trials.
    pub fn of_trial(&self) -> String {
        let line = |(part, millis): (&str, f64)| format!("\n{part:>18} {millis:9.2} ms");
        let parts: String = self.parts().map(line).concat();
        let together = line(("together", self.after_last_sample()));
        format!("latency budget{parts}{together} after a trial's last sample")
    }

    /// As name and value.
    pub fn results(&self) -> [(&'static str, String); 4] {
        self.parts().map(|(part, millis)| (part, format!("{millis:.2} ms")))
    }

    pub fn to_json(self) -> Value {
        json!({
            "wait": self.wait, "group_delay": self.group_delay, "group_delay_max": self.group_delay_max,
            "look_back": self.look_back, "compute": self.compute,
            "after_last_sample": self.after_last_sample(), "total": self.total(),
        })
    }
}

/// In one line, for decisions that come all the time.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wait, group_delay, group_delay_max, look_back, compute } = self;
        write!(f, "{wait:.0} ms wait + {group_delay:.1} ms group delay (at most {group_delay_max:.1}) + ")?;
        write!(f, "{look_back:.0} ms look-back + {compute:.2} ms compute = {:.0} ms", self.total())
    }
}
