//! The bad-channel mask: channels that nothing after it shall use.

use neuraflow_core::model::Chunk;
use neuraflow_core::operator::{Operator, OperatorError, SignalSpec};

use super::position::find;
use crate::shape::{no_state, same_channels};

/// Masks bad channels: all their values become missing (NaN), and the layout stays.
///
/// Everything after it knows what missing means: [`CommonAverage`](super::CommonAverage), [`Laplacian`](super::Laplacian) and
/// [`Montage`](super::Montage) leave a masked channel out of their means, [`Bipolar`](super::Bipolar) and
/// [`SpatialFilter`](super::SpatialFilter) give NaN where they need one, features give NaN for it. Put it **behind** the
/// filters, so that they keep their steady pace, and ahead of the reference. Names are labels exactly as recorded, or 10-20
/// names in any case. No state, no latency.
///
/// # Errors
/// `prepare`: a name that no channel has (the error lists those there are). `process`: another number of channels than prepared.
///
/// ```
/// use neuraflow_core::model::{Channel, Chunk, SamplingRate};
/// use neuraflow_core::operator::{Missing, Operator, SignalSpec};
/// use neuraflow_ops::spatial::{BadChannels, CommonAverage};
/// let channels = ["C3", "Cz", "C4"].map(Channel::new).to_vec().into();
/// let spec = SignalSpec { channels, rate: SamplingRate::hz(250)?, missing: Missing::Restart };
/// let (mut mask, mut average) = (BadChannels::of(["Cz"]), CommonAverage::new());
/// average.prepare(&mask.prepare(&spec)?)?;
/// let (mut input, mut masked, mut output) = (Chunk::new(0, 3), Chunk::new(0, 3), Chunk::new(0, 3));
/// input.extend(&[10.0, 8_000.0, 20.0]);
/// mask.process(&input, &mut masked)?;
/// average.process(&masked, &mut output)?;
/// assert_eq!((output.values()[0], output.values()[2]), (-5.0, 5.0)); // without the 8 mV
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct BadChannels {
    names: Vec<String>,
    channels: usize,
    places: Vec<usize>,
}

impl BadChannels {
    /// Masks these channels; none is no mask.
    pub fn of<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        Self { names: names.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

impl Operator for BadChannels {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        let places = self.names.iter().map(|name| find(&spec.channels, name, "bad channel"));
        self.places = places.collect::<Result<_, _>>()?;
        self.channels = spec.channels.len();
        Ok(spec.clone())
    }

    fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        same_channels(self.channels, input.channels())?;
        let before = out.values().len();
        out.extend(input.values());
        for sample in out.values_mut()[before..].chunks_exact_mut(self.channels.max(1)) {
            for place in &self.places {
                sample[*place] = f32::NAN;
            }
        }
        Ok(())
    }

    no_state!();
}
