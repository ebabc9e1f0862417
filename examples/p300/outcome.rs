//! What came of it: how well targets are told from others, right and wrong decisions, and how late they are.

use neuraflow::model::Decision;

use super::folds::Plan;
use super::interval::wilson;
use super::options::Options;
use super::paradigm::Decoded;
use super::roc::Auc;
use super::trial::truth;

pub struct Trial {
    pub truth: usize,
    /// A class and the probability of a target, or in lower case why there is none.
    pub decided: Result<(usize, f64), String>,
    fold: usize,
}

pub struct Outcome {
    pub classes: Vec<String>,
    pub trials: Vec<Trial>,
    /// One for each fold.
    pub folds: Vec<Auc>,
    /// How long a decision takes, in milliseconds.
    pub budget: Vec<(&'static str, f64)>,
    /// The part of it that follows the last sample of a trial.
    pub after: f64,
}

impl Outcome {
    pub fn new(options: &Options, plan: &Plan, decoded: &Decoded) -> Self {
        let Decoded { decisions, report, contract, .. } = decoded;
        let classes: Vec<String> = plan.whole().classes().to_vec();
        let outcome = |decision: &Decision<String>| match &decision.outcome {
            Ok((name, confidence)) => match classes.iter().position(|class| class == name) {
                Some(0) => Ok((0, 1.0 - confidence)),
                Some(class) => Ok((class, *confidence)),
                None => Err("unknown".to_owned()),
            },
            Err(reason) => Err(format!("{reason:?}").to_lowercase()),
        };
        let trial = |(place, decision): &(_, Decision<String>)| {
            let truth = truth(&decision.info, options)?;
            Some(Trial { truth, decided: outcome(decision), fold: plan.fold(*place) })
        };
        let trials: Vec<Trial> = decisions.iter().filter_map(trial).collect();
        let area = |fold: usize| {
            let scores = |wanted: usize| -> Vec<f64> {
                let of = trials.iter().filter(|trial| trial.fold == fold && trial.truth == wanted);
                of.filter_map(|trial| Some(trial.decided.as_ref().ok()?.1)).collect()
            };
            Auc::of(&scores(1), &scores(0))
        };
        let folds = (0..plan.count()).filter_map(area).collect();
        // The sinks of decisions stand last in the graph.
        let slowest =
            report.sinks.iter().rev().take(plan.count()).filter_map(|sink| sink.latency.max()).max();
        let compute = slowest.unwrap_or(0) as f64 / 1e6;
        let budget = vec![
            ("wait", 1e3 * f64::from(options.packet) / plan.whole().rate().as_hz()),
            ("group_delay", contract.group_delay.as_millis_f64()),
            ("look_back", contract.look_back.as_millis_f64()),
            ("compute", compute),
        ];
        let after = budget.iter().filter(|(part, _)| *part != "look_back").map(|(_, millis)| millis).sum();
        Self { classes, trials, folds, budget, after }
    }

    pub fn correct(&self) -> usize {
        let right = |trial: &&Trial| trial.decided.as_ref().is_ok_and(|(class, _)| *class == trial.truth);
        self.trials.iter().filter(right).count()
    }

    pub fn interval(&self) -> [f64; 2] {
        wilson(self.correct(), self.trials.len())
    }

    /// The mean of the folds' areas.
    pub fn auc(&self) -> Option<Auc> {
        Auc::mean(&self.folds)
    }

    /// How many of a class were decided about.
    pub fn decided(&self, class: usize) -> usize {
        self.trials.iter().filter(|trial| trial.truth == class && trial.decided.is_ok()).count()
    }

    /// Classes, then reasons for no decision; and for each class how often it was decided as which.
    pub fn confusion(&self) -> (Vec<String>, Vec<Vec<usize>>) {
        let mut labels = self.classes.clone();
        for reason in self.trials.iter().filter_map(|trial| trial.decided.as_ref().err()) {
            if !labels.contains(reason) {
                labels.push(reason.clone());
            }
        }
        let count = |truth: usize, label: &String| {
            self.trials.iter().filter(|trial| trial.truth == truth && self.label(trial) == *label).count()
        };
        let row = |truth: usize| labels.iter().map(|label| count(truth, label)).collect();
        let counts = (0..self.classes.len()).map(row).collect();
        (labels, counts)
    }

    pub fn label(&self, trial: &Trial) -> String {
        trial.decided.as_ref().map_or_else(Clone::clone, |(class, _)| self.classes[*class].clone())
    }
}
