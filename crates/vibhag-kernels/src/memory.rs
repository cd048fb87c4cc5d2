//! Large buffers on huge pages.
//!
//! A training step allocates and frees gigabytes of maps. On pages of 4 KiB a quarter of the time went into page
//! faults; on pages of 2 MiB there are 512 times fewer.

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, which asks for huge pages under large buffers where the system has them (Linux).
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

/// Buffers from this size on are worth a system call.
const LARGE: usize = 4 << 20;

/// Asks for huge pages under `size` bytes at `start`. Advice that the system does not take changes nothing.
#[allow(unsafe_code)]
fn advise(start: *mut u8, size: usize) {
    #[cfg(target_os = "linux")]
    if size >= LARGE && !start.is_null() {
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

// SAFETY: every call is passed on to the system's allocator with the caller's arguments; `advise` reads and writes no
// memory.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        let start = unsafe { System.alloc(layout) };
        advise(start, layout.size());
        start
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        let start = unsafe { System.alloc_zeroed(layout) };
        advise(start, layout.size());
        start
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(start, layout) };
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: passed on.
        let start = unsafe { System.realloc(start, layout, size) };
        advise(start, size);
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code, clippy::unwrap_used)]
    fn large_buffers_are_zeroed_grow_and_keep_their_contents() {
        let layout = Layout::from_size_align(LARGE + 12_345, 64).unwrap();
        // SAFETY: the layout is not empty; the buffer is used within its size and freed with its layout.
        unsafe {
            let start = HugePages.alloc_zeroed(layout);
            assert!(!start.is_null());
            assert!((0..layout.size()).step_by(1000).all(|i| *start.add(i) == 0));
            start.add(layout.size() - 1).write(7);
            let grown = HugePages.realloc(start, layout, 3 * LARGE);
            assert_eq!(*grown.add(layout.size() - 1), 7);
            HugePages.dealloc(grown, Layout::from_size_align(3 * LARGE, 64).unwrap());
        }
    }
}
