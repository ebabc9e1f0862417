//! What came of it: right and wrong decisions, and how late they are.

use std::fmt::Write;

use neuraflow::model::Decision;
use neuraflow::ops::decode::Model;
use serde_json::{Value, json};

use super::options::Options;
use super::paradigm::Decoded;
use super::shared::{Budget, Confusion, wilson};

pub struct Outcome {
    pub classes: Vec<String>,
    /// The class of each trial, and what was decided: a class, or none.
    pub trials: Vec<(usize, Option<usize>)>,
    confidences: Vec<Option<f64>>,
    pub budget: Budget,
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
        let wait = 1e3 * f64::from(options.packet) / model.rate().as_hz();
        Self { classes, trials, confidences, budget: Budget::new(wait, *contract, compute) }
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
        let _ = write!(text, "\n\n{}", self.confusion().table("imagined \\ decided"));
        let _ = write!(text, "\n\n{}", self.budget.of_trial());
        text
    }

    pub fn confusion(&self) -> Confusion {
        const NONE: &str = "no decision";
        let label = |decided: Option<usize>| decided.map_or(NONE, |class| &self.classes[class]).to_owned();
        let trials = self.trials.iter().map(|(truth, decided)| (*truth, label(*decided)));
        Confusion::of(&self.classes, &[NONE], trials)
    }

    pub fn to_json(&self) -> Value {
        let n = self.trials.len();
        let name = |class: usize| self.classes[class].clone();
        json!({
            "accuracy": if n == 0 { Value::Null } else { json!(self.correct() as f64 / n as f64) },
            "correct": self.correct(),
            "n": n,
            "ci95": self.interval(),
            "labels": self.trials.iter().map(|(_, decided)| decided.map(name)).collect::<Vec<_>>(),
            "truth": self.trials.iter().map(|(truth, _)| name(*truth)).collect::<Vec<_>>(),
            "confidences": self.confidences,
            "latency_budget_ms": self.budget.to_json(),
        })
    }

    /// The 95 % interval of the accuracy.
    pub fn interval(&self) -> [f64; 2] {
        let n = self.trials.len() as f64;
        wilson(self.correct() as f64 / n, n)
    }
}
