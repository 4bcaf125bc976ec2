//! A buffer that keeps little memory while nothing is in it.

use std::ops::{Deref, DerefMut};

/// Kept for the next time.
pub const KEPT: usize = 32 << 10;

/// malloc always makes a mapping of its own for more than 32 MiB (mallopt(3), `M_MMAP_THRESHOLD`): of it there is only
/// what is touched, and free gives that back to the kernel. Less might stay in the heap for ever.
const MAPPING: usize = 33 << 20;

/// Bytes: up to [`KEPT`] in memory that stays, more in a mapping until [`Buffer::give_back`].
#[derive(Default)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// Makes room for `more` bytes.
    pub fn reserve(&mut self, more: usize) {
        let need = self.0.len() + more;
        if need <= self.0.capacity() {
            return;
        }
        let capacity = if need <= KEPT { KEPT } else { MAPPING.max(need) };
        if self.0.try_reserve_exact(capacity - self.0.len()).is_err() {
            // Address space is limited (setrlimit(2), RLIMIT_AS).
            self.0.reserve(more);
        }
    }

    /// Empties it, and gives back what it need not keep.
    pub fn give_back(&mut self) {
        self.0.clear();
        if self.0.capacity() > KEPT {
            self.0 = Vec::new();
        }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}
