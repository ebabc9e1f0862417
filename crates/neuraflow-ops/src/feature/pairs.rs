//! Pairs of channels, for features of how two channels go together.

use std::sync::Arc;

use neuraflow_core::model::Channel;
use neuraflow_core::operator::OperatorError;

use crate::shape::Rows;
use crate::spatial::find;

/// Pairs by name, and, once prepared, by place.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs {
    names: Vec<(String, String)>,
    /// The channels that are in a pair, each once.
    pub(super) rows: Rows,
    /// Each pair as two places among `rows`.
    pub(super) places: Vec<(usize, usize)>,
}

impl Pairs {
    pub(super) fn of<A: Into<String>, B: Into<String>>(pairs: impl IntoIterator<Item = (A, B)>) -> Self {
        let names = pairs.into_iter().map(|(one, other)| (one.into(), other.into())).collect();
        Self { names, ..Self::default() }
    }

    /// Finds the channels. What the pairs are called.
    pub(super) fn prepare(&mut self, channels: &[Channel]) -> Result<Arc<[String]>, OperatorError> {
        let refused = |expected: &str, found: String| OperatorError::Spec {
            what: "pairs of channels",
            expected: expected.to_owned(),
            found,
        };
        if self.names.is_empty() {
            return Err(refused("at least one", "none".to_owned()));
        }
        let all = Rows::of(channels)?;
        let mut used: Vec<usize> = Vec::new();
        let mut row_of = |channel: usize| match used.iter().position(|known| *known == channel) {
            Some(row) => row,
            None => {
                used.push(channel);
                used.len() - 1
            }
        };
        self.places.clear();
        for (one, other) in &self.names {
            let (a, b) =
                (find(channels, one, "channel of a pair")?, find(channels, other, "channel of a pair")?);
            if a == b || ![a, b].iter().all(|place| all.channels.contains(place)) {
                return Err(refused("two different channels that are no triggers", format!("{one}-{other}")));
            }
            self.places.push((row_of(a), row_of(b)));
        }
        let name = |channel: usize| {
            let row = all.channels.iter().position(|known| *known == channel);
            row.map_or_else(String::new, |row| all.names[row].clone())
        };
        let names =
            self.places.iter().map(|(a, b)| format!("{}-{}", name(used[*a]), name(used[*b]))).collect();
        self.rows = Rows {
            width: channels.len(),
            names: used.iter().map(|channel| name(*channel)).collect(),
            microvolts: vec![true; used.len()],
            channels: used,
        };
        Ok(names)
    }
}
