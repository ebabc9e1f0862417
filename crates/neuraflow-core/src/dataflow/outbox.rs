//! What the chains of a worker share: outboxes, where they leave what they put out until the activation is over; the item that
//! a stage computes into; and the specs of streams that are alike.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use super::chain::{Event, Node, Sections, SectionsReader, Step};
use super::error::RestoreFault;

/// Items kept for their memory, at most: as many as a busy activation puts out.
const SPARE: usize = 4_096;

/// What waits to leave for one sink, and items that came back from it to be used again.
pub(super) struct Outbox<T> {
    /// First what waits, then what came back, in one piece: an item that is put in trades places with one that came back, and
    /// none is moved about.
    items: Vec<T>,
    waiting: usize,
    /// What came back and was not needed for as long as more waited.
    spare: Vec<T>,
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self { items: Vec::new(), waiting: 0, spare: Vec::new() }
    }
}

impl<T> Outbox<T> {
    /// The place of the next item: what came back lies there, if anything did.
    fn place(&mut self) -> Option<&mut T> {
        if self.waiting == self.items.len() {
            self.items.push(self.spare.pop()?);
        }
        let place = self.items.get_mut(self.waiting);
        self.waiting += 1;
        place
    }

    pub(super) fn push(&mut self, item: T) {
        match self.place() {
            Some(place) => *place = item,
            None => self.append(item),
        }
    }

    /// Puts in a copy, in the memory of an item that came back if there is one.
    fn push_copy(&mut self, item: &T)
    where
        T: Clone,
    {
        match self.place() {
            Some(place) => place.clone_from(item),
            None => self.append(item.clone()),
        }
    }

    /// Puts an item in, and leaves one that came back in its place; a copy, if none did.
    fn swap(&mut self, item: &mut T)
    where
        T: Clone,
    {
        match self.place() {
            Some(place) => std::mem::swap(place, item),
            None => self.append(item.clone()),
        }
    }

    /// Puts an item behind all others, of which none came back.
    #[cold]
    fn append(&mut self, item: T) {
        self.items.push(item);
        self.waiting += 1;
    }

    /// Takes items back that a sink has seen.
    pub(super) fn take_back(&mut self, spent: &mut Vec<T>) {
        if self.items.is_empty() {
            std::mem::swap(&mut self.items, spent);
        } else {
            self.spare.append(spent);
        }
        self.items.truncate(self.waiting.max(SPARE));
        self.spare.truncate(SPARE);
    }

    /// Takes the memory back that items left in.
    pub(super) fn take_memory(&mut self, memory: Vec<T>) {
        if self.items.capacity() == 0 {
            self.items = memory;
        }
    }

    /// Takes out what waits: gives it to `leave`, and drops what that leaves of it.
    pub(super) fn leave(&mut self, leave: impl FnOnce(&mut Vec<T>)) {
        if self.waiting > 0 {
            self.spare.extend(self.items.drain(self.waiting..));
            self.waiting = 0;
            leave(&mut self.items);
            self.items.clear();
        }
    }
}

/// Specs that a worker remembers: a graph has some, for devices of some kinds.
const SPECS: usize = 64;

/// What a stage's nodes compute into, one stream after the other: it keeps its shape from one to the next that is alike.
pub(super) type Scratch<T> = Rc<RefCell<Option<T>>>;

/// A worker's outboxes: one for each outlet of the graph, filled by its chains and emptied after each activation.
#[derive(Default)]
pub(super) struct Outboxes {
    boxes: RefCell<Vec<Option<Rc<dyn Any>>>>,
    /// One for each stage.
    scratches: RefCell<BTreeMap<Arc<str>, Rc<dyn Any>>>,
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

    /// What a stage computes into. A stage has one item type, so the types agree.
    pub(super) fn scratch<T: 'static>(&self, stage: &Arc<str>) -> Scratch<T> {
        let mut scratches = self.scratches.borrow_mut();
        let existing =
            scratches.get(stage).and_then(|any| Rc::clone(any).downcast::<RefCell<Option<T>>>().ok());
        existing.unwrap_or_else(|| {
            let fresh = Rc::new(RefCell::new(None::<T>));
            scratches.insert(Arc::clone(stage), Rc::clone(&fresh) as Rc<dyn Any>);
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

    fn give(&mut self, item: &mut T, _: &mut Step) {
        self.outbox.borrow_mut().swap(item);
    }

    fn event(&mut self, _: &Event, _: &mut Step) {}

    fn snapshot(&self, _: &mut Sections) {}

    fn restore(&mut self, _: &mut SectionsReader<'_>) -> Result<(), RestoreFault> {
        Ok(())
    }
}
