//! The nodes of a place side by side, one for each stream of a worker.
//!
//! Streams take turns, and mostly in the order in which they were opened. What lies in that order the processor fetches before it
//! is asked for; scattered over the heap, each node of each stream would be waited for.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::{Children, Event, Node, Sections, SectionsReader, Step};
use crate::dataflow::ahead;
use crate::dataflow::error::RestoreFault;
use crate::model::Chunk;

/// Nodes that lie in one piece of memory.
const RUN: usize = 64;

/// What the nodes of all streams at one place have in common.
pub(in crate::dataflow) struct Fixture<T> {
    pub(in crate::dataflow) stage: Arc<str>,
    pub(in crate::dataflow) children: Children<T>,
}

/// All nodes at a place on a worker.
struct Shelf<N, T> {
    fixture: Fixture<T>,
    runs: RefCell<Vec<Vec<Option<N>>>>,
}

impl<N, T> Shelf<N, T> {
    fn put(&self, at: usize, node: N) {
        let mut runs = self.runs.borrow_mut();
        while runs.len() <= at / RUN {
            runs.push(Vec::new());
        }
        let run = &mut runs[at / RUN];
        if run.is_empty() {
            run.reserve_exact(RUN);
            run.resize_with(RUN, || None);
        }
        run[at % RUN] = Some(node);
    }
}

#[inline]
fn place<N>(runs: &mut [Vec<Option<N>>], at: usize) -> Option<&mut Option<N>> {
    runs.get_mut(at / RUN)?.get_mut(at % RUN)
}

/// A place of a graph where items of one type come. Streams are told apart by their number on the worker.
pub(in crate::dataflow) trait Places<T> {
    fn push(&self, item: &T, step: &mut Step<'_>);

    fn event(&self, event: &Event, step: &mut Step<'_>);

    /// Asks for the memory of a stream's nodes here and behind, see [`ahead`].
    fn fetch(&self, at: usize);

    /// Asks for the memory that these nodes have elsewhere.
    fn fetch_memory(&self, at: usize);

    fn snapshot(&self, at: usize, sections: &mut Sections);

    fn restore(&self, at: usize, sections: &mut SectionsReader<'_>) -> Result<(), RestoreFault>;
}

impl<T, N: Node<T>> Places<T> for Shelf<N, N::Out>
where
    N::Out: Clone,
{
    fn push(&self, item: &T, step: &mut Step<'_>) {
        if let Some(Some(node)) = place(&mut self.runs.borrow_mut(), step.at) {
            node.push(item, &self.fixture, step);
        }
    }

    fn event(&self, event: &Event, step: &mut Step<'_>) {
        if let Some(Some(node)) = place(&mut self.runs.borrow_mut(), step.at) {
            node.event(event, &self.fixture, step);
        }
    }

    fn fetch(&self, at: usize) {
        if let Some(node) = place(&mut self.runs.borrow_mut(), at) {
            ahead::fetch(node);
        }
        self.fixture.children.fetch(at);
    }

    fn fetch_memory(&self, at: usize) {
        if let Some(Some(node)) = place(&mut self.runs.borrow_mut(), at) {
            ahead::fetch_range(node.memory());
        }
        self.fixture.children.fetch_memory(at);
    }

    fn snapshot(&self, at: usize, sections: &mut Sections) {
        if let Some(Some(node)) = place(&mut self.runs.borrow_mut(), at) {
            node.snapshot(&self.fixture, at, sections);
        }
    }

    fn restore(&self, at: usize, sections: &mut SectionsReader<'_>) -> Result<(), RestoreFault> {
        // A stream that has ended has none.
        match place(&mut self.runs.borrow_mut(), at) {
            Some(Some(node)) => node.restore(&self.fixture, at, sections),
            _ => Ok(()),
        }
    }
}

/// A shelf, whatever is on it.
trait AnyShelf {
    fn as_any(self: Rc<Self>) -> Rc<dyn Any>;

    fn clear(&self, at: usize);
}

impl<N: 'static, T: 'static> AnyShelf for Shelf<N, T> {
    fn as_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }

    fn clear(&self, at: usize) {
        if let Some(node) = place(&mut self.runs.borrow_mut(), at) {
            *node = None;
        }
    }
}

/// All shelves of a worker.
#[derive(Default)]
pub(in crate::dataflow) struct Shelves {
    /// One for each place, in the order in which a stream's nodes are made.
    shelves: RefCell<Vec<Rc<dyn AnyShelf>>>,
    root: RefCell<Option<Rc<Children<Chunk>>>>,
    /// Numbers of streams that are gone, and the first that no stream ever had.
    free: RefCell<Vec<usize>>,
    fresh: Cell<usize>,
}

impl Shelves {
    /// A number for a stream.
    pub(in crate::dataflow) fn berth(self: &Rc<Self>) -> Berth {
        let at = self.free.borrow_mut().pop().unwrap_or_else(|| self.fresh.replace(self.fresh.get() + 1));
        Berth { at, shelves: Rc::clone(self) }
    }

    /// Puts a stream's node at the place with this number, where all streams have nodes of one type.
    pub(in crate::dataflow) fn put<T, N>(
        &self,
        number: usize,
        at: usize,
        fixture: Fixture<N::Out>,
        node: N,
    ) -> Rc<dyn Places<T>>
    where
        T: 'static,
        N: Node<T> + 'static,
        N::Out: Clone + 'static,
    {
        let mut shelves = self.shelves.borrow_mut();
        let known = shelves.get(number).map(|shelf| Rc::clone(shelf).as_any());
        let shelf = known.and_then(|any| any.downcast::<Shelf<N, N::Out>>().ok()).unwrap_or_else(|| {
            let shelf = Rc::new(Shelf { fixture, runs: RefCell::default() });
            shelves.truncate(number);
            shelves.push(Rc::clone(&shelf) as Rc<dyn AnyShelf>);
            shelf
        });
        shelf.put(at, node);
        shelf
    }

    /// The root of the graph: the first stream's, as those of all others are alike.
    pub(in crate::dataflow) fn root(&self, own: Children<Chunk>) -> Rc<Children<Chunk>> {
        Rc::clone(self.root.borrow_mut().get_or_insert_with(|| Rc::new(own)))
    }
}

/// A stream's place on all shelves, which is another's once this is dropped.
pub(in crate::dataflow) struct Berth {
    pub(in crate::dataflow) at: usize,
    shelves: Rc<Shelves>,
}

impl Berth {
    /// Lets go of the stream's nodes.
    pub(in crate::dataflow) fn clear(&self) {
        self.shelves.shelves.borrow().iter().for_each(|shelf| shelf.clear(self.at));
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        self.clear();
        self.shelves.free.borrow_mut().push(self.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node that shows whether it is still there.
    struct Present {
        _present: Rc<()>,
    }

    impl Node<Chunk> for Present {
        type Out = Chunk;

        fn push(&mut self, _: &Chunk, _: &Fixture<Chunk>, _: &mut Step<'_>) {}

        fn event(&mut self, _: &Event, _: &Fixture<Chunk>, _: &mut Step<'_>) {}

        fn snapshot(&self, _: &Fixture<Chunk>, _: usize, _: &mut Sections) {}

        fn restore(
            &mut self,
            _: &Fixture<Chunk>,
            _: usize,
            _: &mut SectionsReader<'_>,
        ) -> Result<(), RestoreFault> {
            Ok(())
        }
    }

    #[test]
    fn what_a_stream_leaves_is_gone_and_its_number_is_another_s() {
        let (shelves, present) = (Rc::new(Shelves::default()), Rc::new(()));
        let put = |at| {
            for place in 0..3 {
                let fixture = Fixture { stage: "stage".into(), children: Children::default() };
                shelves.put::<Chunk, _>(place, at, fixture, Present { _present: Rc::clone(&present) });
            }
        };
        let mut berths: Vec<Berth> = (0..200).map(|_| shelves.berth()).collect();
        berths.iter().enumerate().for_each(|(number, berth)| assert_eq!(berth.at, number));
        berths.iter().for_each(|berth| put(berth.at));
        assert_eq!(Rc::strong_count(&present), 1 + 3 * 200);
        berths[7].clear();
        assert_eq!(Rc::strong_count(&present), 1 + 3 * 199);
        drop(berths.swap_remove(70));
        assert_eq!(Rc::strong_count(&present), 1 + 3 * 198);
        let again = shelves.berth();
        assert_eq!((again.at, shelves.berth().at), (70, 200));
        put(again.at);
        assert_eq!(Rc::strong_count(&present), 1 + 3 * 199);
        drop((berths, again));
        assert_eq!(Rc::strong_count(&present), 1);
        assert_eq!(shelves.shelves.borrow().len(), 3);
    }
}
