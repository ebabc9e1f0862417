//! What a decoder of trajectories is fitted to.

use std::sync::Arc;

use neuraflow_core::model::{Features, Span, WindowInfo, WindowStatus};

use crate::decode::FitError;

/// Spikes of windows on a grid, and the values, such as a position, of those windows in which they are known.
///
/// The spikes come out of the very pipeline that will decode, up to and including its
/// [`SpikeCounts`](crate::feature::SpikeCounts). Where the animal was is for the host to know: a camera, a joystick. Windows
/// without a value still count: they are what a decoder with a look-back sees before one with a value.
///
/// ```
/// use neuraflow_core::model::Span;
/// use neuraflow_ops::decode::{PoissonBayes, Trajectory};
/// // Two units on a track of 1 m: one fires at its beginning, the other at its end.
/// let mut trajectory = Trajectory::new(["unit 0", "unit 1"], Span::millis(50), ["position"])?;
/// for window in 0..200 {
///     let position = 0.5 - 0.5 * (window as f64 / 10.0).cos();
///     let counts = if position < 0.5 { [2.0, 0.0] } else { [0.0, 2.0] };
///     trajectory.push(window, &counts, Some(&[position]))?;
/// }
/// let model = PoissonBayes::new().bins(10).fit(&trajectory)?;
/// let decoded = model.decode(&[3.0, 0.0, 3.0, 0.0, 2.0, 0.0, 2.0, 1.0, 1.0, 0.0])?;
/// let (position, confidence) = decoded[4].as_ref().ok_or("no decision")?;
/// assert!(position[0] < 0.5 && *confidence > 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trajectory {
    pub(super) units: Arc<[String]>,
    pub(super) hop: Span,
    pub(super) names: Arc<[String]>,
    /// The number of each window on the grid, ascending.
    pub(super) windows: Vec<i64>,
    /// `[window][unit]`.
    pub(super) counts: Vec<f64>,
    /// `[window][name]`, NaN where nothing is known.
    pub(super) values: Vec<f64>,
}

impl Trajectory {
    /// No windows yet, of these units, length, and names of what is decoded.
    ///
    /// # Errors
    /// [`FitError::Setting`] for no unit or more than 1,024, no name or more than 64, or windows that are not longer than 0.
    pub fn new<U: Into<String>, N: Into<String>>(
        units: impl IntoIterator<Item = U>,
        hop: Span,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, FitError> {
        let units: Arc<[String]> = units.into_iter().map(Into::into).collect();
        let names: Arc<[String]> = names.into_iter().map(Into::into).collect();
        let within = |setting, most: usize, found: usize| {
            if (1..=most).contains(&found) {
                return Ok(());
            }
            Err(FitError::Setting {
                setting,
                expected: format!("from 1 to {most}"),
                found: found.to_string(),
            })
        };
        within("units", 1_024, units.len())?;
        within("values to decode", 64, names.len())?;
        if hop <= Span::ZERO {
            let found = format!("{} ms", hop.as_millis_f64());
            return Err(FitError::Setting { setting: "window", expected: "longer than 0".to_owned(), found });
        }
        Ok(Self { units, hop, names, windows: Vec::new(), counts: Vec::new(), values: Vec::new() })
    }

    /// The windows that a pipeline put out as counts; `known` says what the values were in one, if that is known. Windows
    /// in warm-up, with a gap, or cut off by the stream's ends are left out.
    ///
    /// # Errors
    /// No window at all, or what [`new`](Self::new) and [`push`](Self::push) refuse; windows of several streams.
    pub fn of<N: Into<String>>(
        features: &[Features],
        names: impl IntoIterator<Item = N>,
        mut known: impl FnMut(&WindowInfo) -> Option<Vec<f64>>,
    ) -> Result<Self, FitError> {
        let Some(first) = features.first() else {
            return Err(FitError::TooFewWindows { what: "spike counts".to_owned(), needed: 1, found: 0 });
        };
        let mut trajectory =
            Self::new(first.spec.rows.iter().cloned(), first.info.end - first.info.start, names)?;
        for window in features {
            let differs = |what, expected: String, found: String| {
                Err(FitError::Window { window: window.info.index, what, expected, found })
            };
            if window.spec.columns.len() != 1 {
                let found = window.spec.columns.join(", ");
                return differs("columns", "one, from feature::SpikeCounts".to_owned(), found);
            }
            if window.spec.rows != trajectory.units {
                return differs("units", trajectory.units.join(", "), window.spec.rows.join(", "));
            }
            if window.info.stream.key != first.info.stream.key {
                return differs("stream", first.info.stream.name.clone(), window.info.stream.name.clone());
            }
            if usable(&window.info) && window.values.iter().all(|count| count.is_finite()) {
                trajectory.push(window.info.index, &window.values, known(&window.info).as_deref())?;
            }
        }
        Ok(trajectory)
    }

    /// Takes on a window: its number on the grid, the spikes of each unit, and the values if they are known.
    ///
    /// # Errors
    /// [`FitError::Window`] for a window that is not later than the one before, another number of counts or values, counts below
    /// 0, or numbers that are not finite.
    pub fn push(&mut self, window: i64, counts: &[f64], values: Option<&[f64]>) -> Result<(), FitError> {
        let differs =
            |what, expected: String, found: String| Err(FitError::Window { window, what, expected, found });
        if let Some(last) = self.windows.last().filter(|last| **last >= window) {
            return differs("place", format!("one after {last}"), window.to_string());
        }
        if counts.len() != self.units.len() {
            return differs("number of counts", self.units.len().to_string(), counts.len().to_string());
        }
        if let Some(found) = counts.iter().find(|count| !(**count >= 0.0 && count.is_finite())) {
            return differs("count", "0 or more".to_owned(), found.to_string());
        }
        if let Some(values) = values {
            if values.len() != self.names.len() {
                return differs("number of values", self.names.len().to_string(), values.len().to_string());
            }
            if let Some(found) = values.iter().find(|value| !value.is_finite()) {
                return differs("value", "finite numbers".to_owned(), found.to_string());
            }
        }
        self.windows.push(window);
        self.counts.extend_from_slice(counts);
        match values {
            Some(values) => self.values.extend_from_slice(values),
            None => self.values.extend(self.names.iter().map(|_| f64::NAN)),
        }
        Ok(())
    }

    /// How long a window is.
    pub fn hop(&self) -> Span {
        self.hop
    }

    /// Windows of which the values are known.
    pub fn known(&self) -> usize {
        (0..self.windows.len()).filter(|at| self.values_of(*at).is_some()).count()
    }

    /// All windows.
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// The spikes of each unit in a window, by its place.
    pub(super) fn counts_of(&self, at: usize) -> &[f64] {
        let width = self.units.len();
        &self.counts[at * width..(at + 1) * width]
    }

    /// The values of a window, by its place, if they are known.
    pub(super) fn values_of(&self, at: usize) -> Option<&[f64]> {
        let width = self.names.len();
        let values = &self.values[at * width..(at + 1) * width];
        values.iter().all(|value| value.is_finite()).then_some(values)
    }

    /// Places of the windows whose values are known and that have so many windows right before them.
    pub(super) fn with_before(&self, before: usize) -> Vec<usize> {
        let follows = |at: &usize| {
            let first = at.checked_sub(before);
            first.is_some_and(|first| self.windows[*at] - self.windows[first] == before as i64)
        };
        (0..self.len()).filter(follows).filter(|at| self.values_of(*at).is_some()).collect()
    }

    /// Least and greatest of each value.
    ///
    /// # Errors
    /// Fewer known windows than needed; a value that never changes.
    pub(super) fn ranges(&self, needed: usize) -> Result<Vec<(f64, f64)>, FitError> {
        let found = self.known();
        if found < needed.max(2) {
            return Err(FitError::TooFewWindows {
                what: self.names.join(" and "),
                needed: needed.max(2),
                found,
            });
        }
        let range = |(place, name): (usize, &String)| {
            let all = (0..self.len()).filter_map(|at| self.values_of(at)).map(|values| values[place]);
            let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
            if high > low && (high - low).is_finite() {
                return Ok((low, high));
            }
            let what = format!("a {name} other than {low}");
            Err(FitError::TooFewWindows { what, needed: 1, found: 0 })
        };
        self.names.iter().enumerate().map(range).collect()
    }
}

/// Whether a window's spikes are those of its whole interval.
pub(super) fn usable(info: &WindowInfo) -> bool {
    !info.warm_up
        && info.status != WindowStatus::Partial
        && u64::from(info.received) * 10 >= u64::from(info.expected) * 9
}
