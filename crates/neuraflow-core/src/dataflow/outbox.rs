//! What the chains of a worker share: outboxes, where they leave what they put out until the activation is over, and shelves, on
//! which they are.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::chain::Shelves;

/// Items kept for their memory, at most: as many as a busy activation puts out.
const SPARE: usize = 4_096;

/// What waits to leave for one sink, and items that came back from it to be used again.
pub(super) struct Outbox<T> {
    /// First what waits, then what came back, in one piece: an item is made where one lies that came back, and none is moved
    /// about.
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
    pub(super) fn push_copy(&mut self, item: &T)
    where
        T: Clone,
    {
        match self.place() {
            Some(place) => place.clone_from(item),
            None => self.append(item.clone()),
        }
    }

    /// Lets `fill` make the next item where it is to wait, in the memory of one that came back or of a `blank` one. It is
    /// put in if `fill` says so.
    #[inline]
    pub(super) fn make(&mut self, blank: impl FnOnce() -> T, fill: impl FnOnce(&mut T) -> bool) {
        if self.waiting == self.items.len() {
            self.items.push(self.spare.pop().unwrap_or_else(blank));
        }
        if let Some(place) = self.items.get_mut(self.waiting)
            && fill(place)
        {
            self.waiting += 1;
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

/// A worker's outboxes: one for each outlet of the graph, filled by its chains and emptied after each activation.
#[derive(Default)]
pub(super) struct Outboxes {
    boxes: RefCell<Vec<Option<Rc<dyn Any>>>>,
    pub(super) shelves: Rc<Shelves>,
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

    /// When they were last emptied, in nanoseconds of the pipeline's clock.
    pub(super) fn flushed(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.flushed)
    }
}
