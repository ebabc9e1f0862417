//! Asks the processor for the memory that the next packets need, while it works on this one.
//!
//! The state of many streams does not fit into the caches near a core, and a packet touches some 35 lines of its stream's. By the
//! time its turn comes they are there.

use std::ops::Range;
use std::ptr;
use std::sync::Arc;

/// With fewer streams than this on a worker the caches hold them all, and asking costs more than it gains.
pub(super) const MANY: usize = 1_536;

/// How many packets ahead of its turn each part of a stream is asked for, the outermost first: its seat, its nodes, and the memory
/// that its operators have elsewhere. A part is found through the one before, which must have arrived.
pub(super) const TURNS: [usize; 3] = [3, 2, 1];

/// Values of the next packet that are asked for, at most. Longer ones are fetched by the processor's own sense of what comes next.
pub(super) const VALUES: usize = 256;

/// Bytes that are asked for at most, of a value or a range.
const MOST: usize = 2_048;

/// Bytes that are fetched at a time.
const LINE: usize = 64;

/// Asks for the memory of a value, without waiting for it.
#[inline(always)]
pub(super) fn fetch<T: ?Sized>(value: &T) {
    let first = ptr::from_ref(value).cast::<u8>();
    fetch_range(first..first.wrapping_add(size_of_val(value)));
}

/// Asks for where a value is counted: just ahead of it.
#[inline(always)]
pub(super) fn fetch_count<T>(shared: &Arc<T>) {
    line(Arc::as_ptr(shared).cast::<u8>().wrapping_sub(2 * size_of::<usize>()));
}

/// Asks for what lies in a range of memory, whatever that is; of much for the beginning only.
#[inline(always)]
pub(super) fn fetch_range(Range { start, end }: Range<*const u8>) {
    for at in (0..end.addr().saturating_sub(start.addr()).min(MOST)).step_by(LINE) {
        line(start.wrapping_add(at));
    }
}

/// Measured, as nothing safe asks for memory: 10,000 devices take a fifth less time (docs/reference/performance.md).
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
#[inline(always)]
fn line(at: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: the instruction is part of SSE, which every x86-64 processor has. It reads and writes nothing that a program could
    // see, and no address makes it fail.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
}

#[cfg(not(target_arch = "x86_64"))]
fn line(_: *const u8) {}
