//! What the operators of many streams have in common, kept once.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;

/// Values that a thread remembers: a graph has some, for devices of some kinds.
const KNOWN: usize = 64;

thread_local! {
    static REMEMBERED: RefCell<VecDeque<Box<dyn Any>>> = RefCell::default();
}

/// The same value as another operator on this thread already has, if there is one: then both share its memory.
///
/// Devices of one kind are prepared to the same coefficients, tables and names. What is an `Arc` of those and goes through here is
/// in memory once, and in the processor's caches once, however many streams there are. The last 64 values are remembered
/// on each thread, in use or not: nothing for what is large.
///
/// ```
/// use std::sync::Arc;
/// use neuraflow_core::operator::shared;
/// let first: Arc<[f64]> = shared([0.2, 0.6, 0.2].into());
/// let second: Arc<[f64]> = shared([0.2, 0.6, 0.2].into());
/// assert!(Arc::ptr_eq(&first, &second));
/// ```
pub fn shared<T: Clone + PartialEq + 'static>(value: T) -> T {
    let known = REMEMBERED.try_with(|remembered| {
        // A comparison that comes here again finds nothing.
        let mut remembered = remembered.try_borrow_mut().ok()?;
        let known =
            remembered.iter().filter_map(|any| any.downcast_ref::<T>()).find(|known| **known == value);
        if let Some(known) = known {
            return Some(known.clone());
        }
        remembered.truncate(KNOWN - 1);
        remembered.push_front(Box::new(value.clone()));
        None
    });
    // A thread that is ending remembers nothing any more.
    known.ok().flatten().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn remembers_the_latest_of_each_type() {
        let kept = shared(Arc::new(0_u32));
        assert!(!Arc::ptr_eq(&kept, &shared(Arc::new(1))));
        assert_eq!(*shared(Arc::new(0_i32)), 0); // of another type
        assert!(Arc::ptr_eq(&kept, &shared(Arc::new(0))));
        (2..2 + KNOWN as u32).for_each(|other| drop(shared(Arc::new(other))));
        assert_eq!(Arc::strong_count(&kept), 1);
        assert!(!Arc::ptr_eq(&kept, &shared(Arc::new(0))));
    }
}
