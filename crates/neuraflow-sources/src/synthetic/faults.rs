//! What can go wrong with a synthetic headset, by name.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// One kind of fault. Lengths and places are drawn from the seed, in event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// 20 to 300 ms of samples are never sent.
    Gap,
    /// 20 to 100 ms of samples are sent a second time, 20 to 300 ms later.
    Duplicate,
    /// In turn: two neighbouring runs of up to 4 ms are swapped (still in time for a lateness of 10 ms), or a
    /// run of 20 to 60 ms comes 200 to 400 ms after its neighbours (too late for 50 ms windows).
    Reorder,
    /// Packets are 1 to twice as many samples as usual, and arrive up to 30 ms after they should.
    Jitter,
    /// The link is lost for 0.5 to 3 s: nothing arrives, and what was sampled is lost.
    Dropout,
    /// The sample counter has 16 bits, and wraps for the first time half a second after the start.
    Wrap,
    /// One channel is NaN or infinite for 50 to 500 ms.
    Nan,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Gap, Self::Duplicate, Self::Reorder, Self::Jitter, Self::Dropout, Self::Wrap, Self::Nan];

    /// Its name in lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Jitter => "jitter",
            Self::Dropout => "dropout",
            Self::Wrap => "wrap",
            Self::Nan => "nan",
        }
    }
}

/// Which faults a synthetic headset has. Where they strike is defined on samples, not packets: the packet size
/// changes neither what is lost nor what is duplicated.
///
/// ```
/// use neuraflow_sources::synthetic::{Fault, FaultPlan};
/// let plan: FaultPlan = "gap, duplicate".parse()?;
/// assert!(plan.has(Fault::Gap) && !plan.has(Fault::Nan));
/// let error = "gap,spikes".parse::<FaultPlan>().unwrap_err();
/// assert!(error.to_string().contains("spikes") && error.to_string().contains("dropout"));
/// # Ok::<(), neuraflow_sources::synthetic::UnknownFault>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan(u8);

impl FaultPlan {
    /// No fault.
    pub const NONE: Self = Self(0);
    /// Every kind of fault.
    pub const ALL: Self = Self((1 << Fault::ALL.len()) - 1);

    /// The plan with one more kind.
    #[must_use]
    pub const fn with(self, fault: Fault) -> Self {
        Self(self.0 | 1 << fault as u8)
    }

    /// Whether it holds this kind.
    pub const fn has(self, fault: Fault) -> bool {
        self.0 & 1 << fault as u8 != 0
    }

    /// The kinds it holds, in a fixed order.
    pub fn faults(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.into_iter().filter(move |fault| self.has(*fault))
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return f.write_str("none");
        }
        let names: Vec<_> = self.faults().map(Fault::name).collect();
        f.write_str(&names.join(","))
    }
}

/// A list names a fault that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "faults: expected a list of gap, duplicate, reorder, jitter, dropout, wrap and nan, or all or none; found {found:?}"
)]
pub struct UnknownFault {
    /// The name that was not understood.
    pub found: String,
}

impl FromStr for FaultPlan {
    type Err = UnknownFault;

    /// A list such as `gap,duplicate`; `all` and `none` (or nothing) are understood as well.
    fn from_str(list: &str) -> Result<Self, UnknownFault> {
        match list.trim() {
            "all" => return Ok(Self::ALL),
            "" | "none" => return Ok(Self::NONE),
            _ => {}
        }
        list.split(',').map(str::trim).try_fold(Self::NONE, |plan, name| {
            let fault = Fault::ALL.into_iter().find(|fault| fault.name().eq_ignore_ascii_case(name));
            fault.map(|fault| plan.with(fault)).ok_or_else(|| UnknownFault { found: name.to_owned() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_round_trip() {
        for plan in [FaultPlan::NONE, FaultPlan::ALL, FaultPlan::NONE.with(Fault::Wrap).with(Fault::Gap)] {
            assert_eq!(plan.to_string().parse(), Ok(plan));
        }
        assert_eq!("gap,,nan".parse::<FaultPlan>(), Err(UnknownFault { found: String::new() }));
    }
}
