//! Planted bugs: what a checker of checkpoints must catch. Off unless a test switches one on; without the feature `testing`
//! there is no way to.

use std::sync::atomic::{AtomicU64, Ordering};

/// A bug in the making or restoring of checkpoints, of the kinds that such code is known for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "testing"), allow(dead_code, unreachable_pub))]
pub enum Planted {
    /// A reader's position is told one poll too late: what came with that poll is in no state and never read again.
    PositionTooLate,
    /// A stream is not copied before a packet from beyond the cut changes it.
    NoCopyOnTouch,
    /// Of so many items, one never reaches its sink's queue.
    DropOneIn(u64),
    /// A window is closed by the clock now and then.
    WallClock,
    /// A sink writes what lies beyond a cut before it makes durable what does not.
    NoAlignment,
    /// The state of one stream is restored as that of another.
    WrongKey,
    /// Key groups are dealt to workers in another way when they are restored than when they are read.
    Salted,
    /// In a cluster: the readers of process 0 cross a cut before the other processes know of it.
    CrossesEarly,
    /// The same, and no worker notices that it has taken in what lies beyond a cut before it knew of that.
    CrossesUnnoticed,
}

/// The bug of one run, if there is one.
#[derive(Debug, Default)]
pub(super) struct Plot {
    #[cfg_attr(not(feature = "testing"), allow(dead_code))]
    bug: Option<Planted>,
    count: AtomicU64,
}

impl Plot {
    pub(super) fn new(bug: Option<Planted>) -> Self {
        Self { bug, count: AtomicU64::new(0) }
    }

    /// Whether it is this one.
    #[cfg(feature = "testing")]
    pub(super) fn is(&self, bug: Planted) -> bool {
        self.bug == Some(bug)
    }

    /// Whether it is this one: never.
    #[cfg(not(feature = "testing"))]
    pub(super) fn is(&self, _: Planted) -> bool {
        false
    }

    /// Whether this item is the one that is lost.
    pub(super) fn drops(&self) -> bool {
        #[cfg(feature = "testing")]
        if let Some(Planted::DropOneIn(every)) = self.bug {
            return (self.count.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(every);
        }
        false
    }

    /// Whether `now` is on another side of a boundary of `nanos` than when it was last asked.
    pub(super) fn strikes(&self, now: u64, nanos: u64) -> bool {
        self.is(Planted::WallClock) && self.count.swap(now / nanos, Ordering::Relaxed) != now / nanos
    }
}
