//! Large buffers on huge pages, used again.
//!
//! A training step allocates and frees gigabytes of maps, the same sizes in every step. Fresh memory costs a page
//! fault per page and a pass of the system that fills it with zeros; a buffer that was freed a moment ago costs
//! neither. So freed buffers are kept as long as they are asked for, within little more than the program
//! ever used at once, and fresh ones lie on pages of 2 MiB instead of 4 KiB.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The system's allocator, which keeps large buffers for the next request of their size and asks for huge pages under
/// them where the system has them (Linux).
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: vibhag_kernels::HugePages = vibhag_kernels::HugePages;
/// # fn main() {
/// assert!(vec![0u8; 1 << 24].iter().all(|&byte| byte == 0));
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct HugePages;

/// Buffers from this size on are kept.
const LARGE: usize = 1 << 20;
/// Large buffers have at least this alignment: one cache line.
const ALIGN: usize = 64;
/// Buffers that can be kept at once.
const SLOTS: usize = 128;
/// Large requests after which a kept buffer that none of them could use is given back.
const PATIENCE: u64 = 4096;

/// A buffer that nobody uses.
#[derive(Clone, Copy)]
struct Idle {
    start: usize,
    size: usize,
    since: u64,
}

/// The kept buffers, the oldest first.
struct Shelf {
    idle: [Idle; SLOTS],
    count: usize,
    idle_bytes: usize,
    used_bytes: usize,
    most_used: usize,
    requests: u64,
}

static SHELF: Mutex<Shelf> = Mutex::new(Shelf::EMPTY);

fn shelf() -> MutexGuard<'static, Shelf> {
    SHELF.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shelf {
    const EMPTY: Self = Self {
        idle: [Idle { start: 0, size: 0, since: 0 }; SLOTS],
        count: 0,
        idle_bytes: 0,
        used_bytes: 0,
        most_used: 0,
        requests: 0,
    };

    fn remove(&mut self, index: usize) -> Idle {
        let taken = self.idle[index];
        self.idle.copy_within(index + 1..self.count, index);
        self.count -= 1;
        self.idle_bytes -= taken.size;
        taken
    }

    /// A kept buffer of exactly this size, the one that was freed last.
    fn take(&mut self, size: usize) -> Option<usize> {
        self.requests += 1;
        self.used_bytes += size;
        self.most_used = self.most_used.max(self.used_bytes);
        let index = self.idle[..self.count].iter().rposition(|idle| idle.size == size)?;
        Some(self.remove(index).start)
    }

    /// The oldest buffer, if what is kept and used would exceed the most that was ever used by more than an eighth, or if
    /// nothing asked for its size for long.
    fn surplus(&mut self) -> Option<Idle> {
        let oldest = *self.idle[..self.count].first()?;
        let stale = oldest.since + PATIENCE < self.requests;
        let most = self.most_used + self.most_used / 8;
        (stale || self.idle_bytes + self.used_bytes > most).then(|| self.remove(0))
    }

    /// Keeps a buffer; `false` when there is no room.
    fn keep(&mut self, start: usize, size: usize) -> bool {
        self.used_bytes -= size;
        if self.count == SLOTS {
            return false;
        }
        self.idle[self.count] = Idle { start, size, since: self.requests };
        self.count += 1;
        self.idle_bytes += size;
        true
    }
}

/// The layout under which a buffer is kept: sizes are rounded up by at most an eighth, so that similar ones can stand
/// in for each other. `None` for buffers that are left to the system.
fn large(layout: Layout) -> Option<Layout> {
    if layout.size() < LARGE || layout.align() > ALIGN {
        return None;
    }
    let grain = (layout.size().next_power_of_two() / 16).max(1);
    let size = layout.size().checked_next_multiple_of(grain)?;
    Layout::from_size_align(size, ALIGN).ok()
}

/// Asks for huge pages under a buffer. Advice that the system does not take changes nothing.
#[allow(unsafe_code)]
fn advise(start: *mut u8, size: usize) {
    #[cfg(target_os = "linux")]
    if !start.is_null() {
        const PAGE: usize = 4096;
        let skip = start.align_offset(PAGE);
        if let Some(length) = size.checked_sub(skip).map(|rest| rest / PAGE * PAGE).filter(|&length| length > 0) {
            // SAFETY: the range lies inside the allocation of `size` bytes at `start`, which the caller just obtained;
            // MADV_HUGEPAGE changes how pages are backed, never what they hold.
            unsafe { libc::madvise(start.add(skip).cast(), length, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, size);
}

/// Gives buffers back that are no longer worth keeping.
#[allow(unsafe_code)]
fn give_back() {
    // One at a time, so that the lock is not held while the system works.
    while let Some(idle) = { shelf().surplus() } {
        if let Ok(layout) = Layout::from_size_align(idle.size, ALIGN) {
            // SAFETY: the buffer came from the system's allocator with this layout, nobody uses it, and it was just
            // taken off the shelf.
            unsafe { System.dealloc(idle.start as *mut u8, layout) };
        }
    }
}

/// A buffer of `layout`, which [`large`] made: kept contents, or fresh from `system`.
#[allow(unsafe_code)]
fn obtain(layout: Layout, system: unsafe fn(&System, Layout) -> *mut u8) -> (*mut u8, bool) {
    let kept = { shelf().take(layout.size()) };
    if let Some(start) = kept {
        return (start as *mut u8, true);
    }
    give_back();
    // SAFETY: the layout is not empty: it has at least `LARGE` bytes.
    let start = unsafe { system(&System, layout) };
    if start.is_null() {
        shelf().used_bytes -= layout.size();
    }
    advise(start, layout.size());
    (start, false)
}

// SAFETY: small requests are passed on to the system's allocator. A large one gets a buffer of at least its size and
// alignment, from the system or from the shelf; one lies on the shelf from when its owner freed it until it is taken
// off under the lock, so no two owners share it. `large` decides by the layout alone, which is the same when a buffer
// is freed.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match large(layout) {
            Some(layout) => obtain(layout, System::alloc).0,
            // SAFETY: passed on.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(kept) = large(layout) else {
            // SAFETY: passed on.
            return unsafe { System.alloc_zeroed(layout) };
        };
        let (start, used) = obtain(kept, System::alloc_zeroed);
        if used {
            // SAFETY: the buffer has at least `layout.size()` bytes and belongs to this request alone.
            unsafe { start.write_bytes(0, layout.size()) };
        }
        start
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        let Some(kept) = large(layout) else {
            // SAFETY: passed on.
            return unsafe { System.dealloc(start, layout) };
        };
        if !{ shelf().keep(start as usize, kept.size()) } {
            // SAFETY: a large buffer came from the system's allocator with this layout.
            unsafe { System.dealloc(start, kept) };
        }
        give_back();
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(new) = Layout::from_size_align(size, layout.align()) else { return std::ptr::null_mut() };
        match (large(layout), large(new)) {
            // SAFETY: passed on.
            (None, None) => unsafe { System.realloc(start, layout, size) },
            (Some(old), Some(new)) if old == new => start,
            // SAFETY: both buffers hold the bytes that are copied, and they are different ones; the old one is the
            // caller's, who does not use it any more.
            _ => unsafe {
                let moved = self.alloc(new);
                if !moved.is_null() {
                    moved.copy_from_nonoverlapping(start, layout.size().min(size));
                    self.dealloc(start, layout);
                }
                moved
            },
        }
    }
}

/// `len` floats of unspecified value, for results that are written in full: filling them with zeros first would cost a
/// pass over the memory.
#[allow(unsafe_code)]
pub fn unspecified(len: usize) -> Vec<f32> {
    #[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
    {
        let mut values = Vec::<f32>::with_capacity(len);
        // SAFETY: the capacity is `len`. The block of assembly gets the buffer's address, so for the compiler it may
        // have written any bytes there: from then on the floats are initialised, to values that nobody knows. Whatever
        // bytes are there form floats, and the memory is private to this vector, so that reading them twice gives the
        // same.
        unsafe {
            std::arch::asm!("/* {0} */", in(reg) values.as_mut_ptr(), options(nostack, preserves_flags));
            values.set_len(len);
        }
        values
    }
    #[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
    vec![0.0; len]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code, clippy::unwrap_used)]
    fn large_buffers_are_zeroed_grow_and_keep_their_contents() {
        let layout = Layout::from_size_align(4 * LARGE + 12_345, 64).unwrap();
        // Twice: the second buffer may be the first one again.
        for _ in 0..2 {
            // SAFETY: the layout is not empty; the buffer is used within its size and freed with its layout.
            unsafe {
                let start = HugePages.alloc_zeroed(layout);
                assert!(!start.is_null());
                assert!((0..layout.size()).all(|i| *start.add(i) == 0));
                start.write_bytes(9, layout.size());
                start.add(layout.size() - 1).write(7);
                let grown = HugePages.realloc(start, layout, 12 * LARGE);
                assert_eq!(*grown.add(layout.size() - 1), 7);
                let small = HugePages.realloc(grown, Layout::from_size_align(12 * LARGE, 64).unwrap(), 100);
                assert_eq!(*small.add(99), 9);
                HugePages.dealloc(small, Layout::from_size_align(100, 64).unwrap());
            }
        }
    }

    #[test]
    fn a_buffer_is_kept_within_the_most_that_was_used_and_for_a_while() {
        let mut shelf = Shelf::EMPTY;
        assert!(shelf.take(100).is_none() && shelf.take(300).is_none());
        assert!(shelf.keep(1, 100) && shelf.keep(2, 300));
        assert!(shelf.surplus().is_none(), "as much as was in use");
        assert!(shelf.take(200).is_none());
        assert_eq!(shelf.surplus().map(|idle| idle.start), Some(1));
        assert_eq!(shelf.surplus().map(|idle| idle.start), Some(2), "200 used and 300 kept are more than 450");
        assert!(shelf.keep(3, 200));
        assert_eq!(shelf.take(200), Some(3));
        assert!(shelf.keep(3, 200));
        for _ in 0..=PATIENCE {
            assert!(shelf.take(1).is_none() && shelf.surplus().is_none_or(|idle| idle.start == 3));
            shelf.used_bytes -= 1;
        }
        assert_eq!(shelf.count, 0, "nobody asked for it for long");
    }
}
