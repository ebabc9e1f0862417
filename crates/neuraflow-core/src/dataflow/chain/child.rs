//! What lies behind a place in a graph.

use std::cell::RefCell;
use std::rc::Rc;

use super::shelf::Places;
use super::{Event, Sections, SectionsReader, Step};
use crate::dataflow::error::RestoreFault;
use crate::dataflow::outbox::Outbox;

/// One of the things behind a place.
pub(in crate::dataflow) enum Child<T> {
    /// Another place.
    Places(Rc<dyn Places<T>>),
    /// The end of a branch: items wait here until the activation is over, then leave for the sink together.
    Outlet(Rc<RefCell<Outbox<T>>>),
}

/// All that lies behind a place, the same for all streams of a worker.
pub(in crate::dataflow) struct Children<T> {
    places: Vec<Rc<dyn Places<T>>>,
    outlets: Vec<Rc<RefCell<Outbox<T>>>>,
    /// What is computed into where no sink follows: the same item again and again, for one stream after the other.
    scratch: RefCell<Option<T>>,
}

impl<T> FromIterator<Child<T>> for Children<T> {
    fn from_iter<I: IntoIterator<Item = Child<T>>>(all: I) -> Self {
        let mut children = Self::default();
        for child in all {
            match child {
                Child::Places(places) => children.places.push(places),
                Child::Outlet(outbox) => children.outlets.push(outbox),
            }
        }
        children
    }
}

impl<T> Default for Children<T> {
    fn default() -> Self {
        Self { places: Vec::new(), outlets: Vec::new(), scratch: RefCell::new(None) }
    }
}

impl<T: Clone> Children<T> {
    /// Passes an item on to all of them.
    #[inline]
    pub(in crate::dataflow) fn push(&self, item: &T, step: &mut Step<'_>) {
        self.push_from(0, item, step);
    }

    /// Lets `fill` make the next item, in the memory of an earlier or a `blank` one, and passes it on if `fill` says so. It is
    /// made where it is to wait for the first sink.
    #[inline]
    pub(super) fn make(
        &self,
        step: &mut Step<'_>,
        blank: impl FnOnce() -> T,
        fill: impl FnOnce(&mut T, &mut Step<'_>) -> bool,
    ) {
        let outlet = self.outlets.first();
        let make = |item: &mut T| {
            let leaves = fill(item, step);
            if leaves {
                self.push_from(1, item, step);
            }
            leaves
        };
        match outlet {
            Some(outbox) => outbox.borrow_mut().make(blank, make),
            None => {
                make(self.scratch.borrow_mut().get_or_insert_with(blank));
            }
        }
    }

    /// Passes an item on to all of them but the first so many outlets.
    #[inline]
    fn push_from(&self, outlet: usize, item: &T, step: &mut Step<'_>) {
        self.outlets.iter().skip(outlet).for_each(|outbox| outbox.borrow_mut().push_copy(item));
        self.places.iter().for_each(|places| places.push(item, step));
    }
}

impl<T> Children<T> {
    pub(in crate::dataflow) fn event(&self, event: &Event, step: &mut Step<'_>) {
        self.places.iter().for_each(|places| places.event(event, step));
    }

    /// Asks for the memory of a stream's nodes, see [`ahead`](crate::dataflow::ahead).
    pub(in crate::dataflow) fn fetch(&self, at: usize) {
        self.places.iter().for_each(|places| places.fetch(at));
    }

    /// Asks for the memory that these nodes have elsewhere.
    pub(in crate::dataflow) fn fetch_memory(&self, at: usize) {
        self.places.iter().for_each(|places| places.fetch_memory(at));
    }

    /// Writes what a stream has to remember over a restart.
    pub(in crate::dataflow) fn snapshot(&self, at: usize, sections: &mut Sections) {
        self.places.iter().for_each(|places| places.snapshot(at, sections));
    }

    /// Takes that back, in the same order.
    pub(in crate::dataflow) fn restore(
        &self,
        at: usize,
        sections: &mut SectionsReader<'_>,
    ) -> Result<(), RestoreFault> {
        self.places.iter().try_for_each(|places| places.restore(at, sections))
    }
}
