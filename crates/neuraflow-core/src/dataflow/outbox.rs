//! What the chains of a worker share: outboxes, where they leave what they put out until the activation is over; items that
//! they compute into in turn; and the specs of streams that are alike.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::chain::{Event, Node, Sections, SectionsReader, Step};
use super::error::RestoreFault;

/// Items kept for their memory, at most: as many as a busy activation puts out.
const SPARE: usize = 4_096;

/// What waits to leave for one sink, and items that came back from it to be used again.
pub(super) struct Outbox<T> {
    items: Vec<T>,
    spare: Vec<T>,
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self { items: Vec::new(), spare: Vec::new() }
    }
}

impl<T> Outbox<T> {
    pub(super) fn push(&mut self, item: T) {
        self.items.push(item);
    }

    /// Puts in a copy, in the memory of an item that came back if there is one.
    fn push_copy(&mut self, item: &T)
    where
        T: Clone,
    {
        let copy = match self.spare.pop() {
            Some(mut spare) => {
                spare.clone_from(item);
                spare
            }
            None => item.clone(),
        };
        self.items.push(copy);
    }

    /// Puts an item in, for one that came back.
    fn swap(&mut self, item: T) -> Option<T> {
        self.items.push(item);
        self.spare.pop()
    }

    /// Takes items back that a sink has seen.
    pub(super) fn take_back(&mut self, spent: &mut Vec<T>) {
        // Whichever are fewer are moved.
        if self.spare.len() < spent.len() {
            std::mem::swap(&mut self.spare, spent);
        }
        self.spare.append(spent);
        self.spare.truncate(SPARE);
    }

    /// Takes the memory back that items left in.
    pub(super) fn take_memory(&mut self, memory: Vec<T>) {
        if self.items.capacity() == 0 {
            self.items = memory;
        }
    }

    /// What waits.
    pub(super) fn items(&mut self) -> &mut Vec<T> {
        &mut self.items
    }
}

/// Specs that a worker remembers: a graph has some, for devices of some kinds.
const SPECS: usize = 64;

/// Items of one type that chains compute into in turn.
pub(super) type Pool<T> = Rc<RefCell<Vec<T>>>;

/// A worker's outboxes: one for each outlet of the graph, filled by its chains and emptied after each activation.
#[derive(Default)]
pub(super) struct Outboxes {
    boxes: RefCell<Vec<Option<Rc<dyn Any>>>>,
    /// One for each type.
    pools: RefCell<Vec<Rc<dyn Any>>>,
    specs: RefCell<VecDeque<Box<dyn Any>>>,
    flushed: Rc<Cell<u64>>,
}

impl Outboxes {
    /// The outbox of an outlet. An outlet has one item type, so the types agree.
    pub(super) fn of<T: 'static>(&self, outlet: usize) -> Rc<RefCell<Outbox<T>>> {
        let mut boxes = self.boxes.borrow_mut();
        if boxes.len() <= outlet {
            boxes.resize(outlet + 1, None);
        }
        let existing = boxes[outlet].clone().and_then(|any| any.downcast::<RefCell<Outbox<T>>>().ok());
        existing.unwrap_or_else(|| {
            let fresh = Rc::new(RefCell::new(Outbox::<T>::default()));
            boxes[outlet] = Some(Rc::clone(&fresh) as Rc<dyn Any>);
            fresh
        })
    }

    /// The items of a type that chains compute into. A chain takes one and puts it back when it has passed it on.
    pub(super) fn pool<T: 'static>(&self) -> Pool<T> {
        let mut pools = self.pools.borrow_mut();
        let existing = pools.iter().find_map(|any| Rc::clone(any).downcast::<RefCell<Vec<T>>>().ok());
        existing.unwrap_or_else(|| {
            let fresh = Rc::new(RefCell::new(Vec::<T>::new()));
            pools.push(Rc::clone(&fresh) as Rc<dyn Any>);
            fresh
        })
    }

    /// The same spec as another stream already has, if there is one: then they share its memory.
    pub(super) fn share<S: Clone + PartialEq + 'static>(&self, spec: S) -> S {
        let mut specs = self.specs.borrow_mut();
        let known = specs.iter().filter_map(|any| any.downcast_ref::<S>()).find(|known| **known == spec);
        if let Some(known) = known {
            return known.clone();
        }
        specs.truncate(SPECS - 1);
        specs.push_front(Box::new(spec.clone()));
        spec
    }

    /// When they were last emptied, in nanoseconds of the pipeline's clock.
    pub(super) fn flushed(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.flushed)
    }
}

/// The end of a branch: items wait here until the activation is over, then leave for the sink together.
pub(super) struct OutletNode<T> {
    pub(super) outbox: Rc<RefCell<Outbox<T>>>,
}

impl<T: Clone> Node<T> for OutletNode<T> {
    fn push(&mut self, item: &T, _: &mut Step) {
        self.outbox.borrow_mut().push_copy(item);
    }

    fn give(&mut self, item: T, _: &mut Step) -> Option<T> {
        self.outbox.borrow_mut().swap(item)
    }

    fn event(&mut self, _: &Event, _: &mut Step) {}

    fn snapshot(&self, _: &mut Sections) {}

    fn restore(&mut self, _: &mut SectionsReader<'_>) -> Result<(), RestoreFault> {
        Ok(())
    }
}
