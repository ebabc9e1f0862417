//! What came of it: right and wrong decisions, and how late they are.

use std::fmt::Write;

use neuraflow::model::Decision;
use neuraflow::ops::decode::Model;
use serde_json::{Value, json};

use super::interval::wilson;
use super::options::Options;
use super::paradigm::Decoded;

pub struct Outcome {
    pub classes: Vec<String>,
    /// The class of each trial, and what was decided: a class, or none.
    pub trials: Vec<(usize, Option<usize>)>,
    confidences: Vec<Option<f64>>,
    /// How long a decision takes, in milliseconds.
    pub budget: Vec<(&'static str, f64)>,
    /// The part of it that follows the last sample of a trial.
    after: f64,
}

impl Outcome {
    pub fn new(options: &Options, model: &Model, decoded: &Decoded) -> Self {
        let Decoded { decisions, report, contract } = decoded;
        let classes = model.classes().to_vec();
        let place = |name: &str| classes.iter().position(|class| class == name);
        let truth = |decision: &Decision<String>| {
            let label = &decision.info.marker.as_ref()?.label;
            place(&options.classes.iter().find(|(known, _)| known == label)?.1)
        };
        let known = decisions.iter().filter_map(|decision| Some((truth(decision)?, &decision.outcome)));
        let (trials, confidences) = known
            .map(|(truth, outcome)| match outcome {
                Ok((name, confidence)) => ((truth, place(name)), Some(*confidence)),
                Err(_) => ((truth, None), None),
            })
            .unzip();
        // The sink of decisions stands last in the graph.
        let compute = report.sinks.last().and_then(|sink| sink.latency.max()).unwrap_or(0) as f64 / 1e6;
        let budget = vec![
            ("wait", 1e3 * f64::from(options.packet) / model.rate().as_hz()),
            ("group_delay", contract.group_delay.as_millis_f64()),
            ("look_back", contract.look_back.as_millis_f64()),
            ("compute", compute),
        ];
        let after = budget.iter().filter(|(part, _)| *part != "look_back").map(|(_, millis)| millis).sum();
        Self { classes, trials, confidences, budget, after }
    }

    pub fn correct(&self) -> usize {
        self.trials.iter().filter(|(truth, decided)| *decided == Some(*truth)).count()
    }

    pub fn to_text(&self) -> String {
        let (n, correct, [low, high]) = (self.trials.len(), self.correct(), self.interval());
        let chance = 1.0 / self.classes.len() as f64;
        let mut text = format!("\n{correct} of {n} right, 95 % interval {low:.2} to {high:.2}");
        if low <= chance {
            let _ = write!(text, ": not told apart from chance ({chance:.2})");
        }
        let _ = write!(text, "\n\nimagined \\ decided");
        for name in self.classes.iter().map(String::as_str).chain(["none"]) {
            let _ = write!(text, "{name:>10}");
        }
        for (truth, class) in self.classes.iter().enumerate() {
            let _ = write!(text, "\n{class:>18}");
            for decided in (0..self.classes.len()).map(Some).chain([None]) {
                let count = self.trials.iter().filter(|trial| **trial == (truth, decided)).count();
                let _ = write!(text, "{count:>10}");
            }
        }
        let _ = write!(text, "\n\nlatency budget");
        for (part, millis) in &self.budget {
            let _ = write!(text, "\n{:>18} {millis:9.2} ms", part.replace('_', " "));
        }
        let _ = write!(text, "\n{:>18} {:9.2} ms after a trial's last sample", "together", self.after);
        text
    }

    pub fn to_json(&self) -> Value {
        let n = self.trials.len();
        let name = |class: usize| self.classes[class].clone();
        let mut budget: serde_json::Map<String, Value> =
            self.budget.iter().map(|(part, millis)| ((*part).to_owned(), json!(millis))).collect();
        budget.insert("after_last_sample".to_owned(), json!(self.after));
        json!({
            "accuracy": if n == 0 { Value::Null } else { json!(self.correct() as f64 / n as f64) },
            "correct": self.correct(),
            "n": n,
            "ci95": self.interval(),
            "labels": self.trials.iter().map(|(_, decided)| decided.map(name)).collect::<Vec<_>>(),
            "truth": self.trials.iter().map(|(truth, _)| name(*truth)).collect::<Vec<_>>(),
            "confidences": self.confidences,
            "latency_budget_ms": budget,
        })
    }

    /// The 95 % interval of the accuracy.
    pub fn interval(&self) -> [f64; 2] {
        wilson(self.correct(), self.trials.len())
    }
}
