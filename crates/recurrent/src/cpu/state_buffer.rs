//! Where a state (h, or c of an LSTM) lies before and after each step.

use super::send_ptr::SendPtr;

/// A `[T, N, H]` sequence of states whose element before the first, the initial state, lies elsewhere.
#[derive(Clone, Copy)]
pub struct StateBuffer<'a> {
    /// `[N, H]`, before the first step; only read.
    pub initial: SendPtr<'a, f32>,
    /// `[N, H]`, after the first step.
    pub first: SendPtr<'a, f32>,
    /// From one step to the next: N · H, or 0 to update one `[N, H]` in place.
    pub stride: usize,
}

impl StateBuffer<'_> {
    /// The `[N, H]` before step `t`.
    #[inline(always)]
    pub fn before(self, t: usize) -> *const f32 {
        if t == 0 { self.initial.at(0) } else { self.first.at((t - 1) * self.stride) }
    }

    /// The `[N, H]` after step `t`.
    #[inline(always)]
    pub fn after(self, t: usize) -> *mut f32 {
        self.first.at(t * self.stride)
    }
}
