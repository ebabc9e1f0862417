//! Outboxes: where a worker's chains leave what they put out, until the activation is over.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::chain::{Event, Node, Step};

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
    pub(super) fn push_copy(&mut self, item: &T)
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

    /// Takes items back that a sink has seen.
    pub(super) fn take_back(&mut self, spent: &mut Vec<T>) {
        spent.truncate(SPARE.saturating_sub(self.spare.len()));
        self.spare.append(spent);
    }

    /// What waits.
    pub(super) fn items(&mut self) -> &mut Vec<T> {
        &mut self.items
    }
}

/// A worker's outboxes: one for each outlet of the graph, filled by its chains and emptied after each activation.
#[derive(Default)]
pub(super) struct Outboxes {
    boxes: RefCell<Vec<Option<Rc<dyn Any>>>>,
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

/// The end of a branch: items wait here until the activation is over, then leave for the sink together.
pub(super) struct OutletNode<T> {
    pub(super) outbox: Rc<RefCell<Outbox<T>>>,
}

impl<T: Clone> Node<T> for OutletNode<T> {
    fn push(&mut self, item: &T, _: &mut Step) {
        self.outbox.borrow_mut().push_copy(item);
    }

    fn event(&mut self, _: &Event, _: &mut Step) {}
}
