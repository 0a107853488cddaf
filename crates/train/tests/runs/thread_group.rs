//! A process group whose ranks are threads, for tests.

use std::sync::mpsc::{Receiver, Sender, channel};

use charloom_train::ProcessGroup;

/// A rank, with a channel to each rank and from each. One that leaves closes its channels, so the others panic.
pub struct ThreadGroup {
    rank: usize,
    to: Vec<Sender<Vec<u8>>>,
    from: Vec<Receiver<Vec<u8>>>,
}

/// The ranks of a group.
pub fn of_size(size: usize) -> Vec<ThreadGroup> {
    let mut ranks: Vec<_> =
        (0..size).map(|rank| ThreadGroup { rank, to: Vec::new(), from: Vec::new() }).collect();
    for from in 0..size {
        for to in 0..size {
            let (sender, receiver) = channel();
            ranks[from].to.push(sender);
            ranks[to].from.push(receiver);
        }
    }
    ranks
}

impl ThreadGroup {
    /// What all ranks give, in order.
    fn exchange(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        for to in &self.to {
            to.send(bytes.to_vec()).expect("another rank has left");
        }
        self.from.iter().map(|from| from.recv().expect("another rank has left")).collect()
    }
}

/// The sum over all ranks, in their order.
macro_rules! sum {
    ($group:expr, $values:expr, $number:ty) => {{
        let bytes: Vec<u8> = $values.iter().flat_map(|value| value.to_le_bytes()).collect();
        $values.fill(0.0);
        for part in $group.exchange(&bytes) {
            let numbers = part.chunks_exact(size_of::<$number>());
            for (value, bytes) in $values.iter_mut().zip(numbers) {
                *value += <$number>::from_le_bytes(bytes.try_into().unwrap());
            }
        }
    }};
}

impl ProcessGroup for ThreadGroup {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn all_reduce(&self, values: &mut [f32]) {
        sum!(self, values, f32);
    }

    fn all_reduce_f64(&self, values: &mut [f64]) {
        sum!(self, values, f64);
    }

    fn broadcast(&self, bytes: &mut Vec<u8>) {
        *bytes = self.exchange(bytes).swap_remove(0);
    }

    fn gather(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let parts = self.exchange(bytes);
        if self.rank == 0 { parts } else { Vec::new() }
    }
}
