//! How often which class was decided for which.

use std::fmt::Write;

use serde_json::{Value, json};

pub struct Confusion {
    classes: Vec<String>,
    /// The classes, then what stands for no decision.
    labels: Vec<String>,
    /// `[class][label]`.
    counts: Vec<Vec<usize>>,
}

impl Confusion {
    /// Of trials, each with the number of its class and the label that was decided for it. `others` are labels that have a column
    /// also if there is none of them; more get one as they come.
    pub fn of(
        classes: &[String],
        others: &[&str],
        trials: impl IntoIterator<Item = (usize, String)>,
    ) -> Self {
        let mut labels = classes.to_vec();
        labels.extend(others.iter().map(|label| (*label).to_owned()));
        let mut counts = vec![vec![0; labels.len()]; classes.len()];
        for (class, label) in trials {
            let column = labels.iter().position(|known| *known == label).unwrap_or_else(|| {
                labels.push(label);
                counts.iter_mut().for_each(|row| row.push(0));
                labels.len() - 1
            });
            counts[class][column] += 1;
        }
        Self { classes: classes.to_vec(), labels, counts }
    }

    /// A table, with this in its corner.
    pub fn table(&self, corner: &str) -> String {
        let mut text = format!("{corner:<18}");
        self.labels.iter().for_each(|label| _ = write!(text, " {label:>10}"));
        for (class, row) in self.classes.iter().zip(&self.counts) {
            let _ = write!(text, "\n{class:<18}");
            row.iter().for_each(|count| _ = write!(text, " {count:>10}"));
        }
        text
    }

    /// As name and value, a class each.
    pub fn results(&self) -> Vec<(String, String)> {
        let row = |(class, row): (&String, &Vec<usize>)| {
            let each: Vec<String> =
                row.iter().zip(&self.labels).map(|(count, label)| format!("{label}: {count}")).collect();
            (format!("{class}, decided as"), each.join(", "))
        };
        self.classes.iter().zip(&self.counts).map(row).collect()
    }

    pub fn counts(&self) -> &[Vec<usize>] {
        &self.counts
    }

    pub fn to_json(&self) -> Value {
        json!({ "classes": self.classes, "labels": self.labels, "counts": self.counts })
    }
}
