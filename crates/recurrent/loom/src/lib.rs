//! Model checks of `crates/recurrent/src/cpu/spin_pair.rs` and `team.rs`.
#![cfg(test)]

#[path = "../../src/cpu/spin.rs"]
mod spin;
#[path = "../../src/cpu/spin_pair.rs"]
mod spin_pair;
mod sync;
#[path = "../../src/cpu/team.rs"]
mod team;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread::{spawn, yield_now};

use spin_pair::SpinPair;
use team::{Barrier, Roster};

/// Something that loom lets several threads access only if it sees that the accesses are ordered.
#[derive(Default)]
struct Unsynchronized(UnsafeCell<usize>);

// SAFETY: loom panics where two accesses race.
unsafe impl Sync for Unsynchronized {}

impl Unsynchronized {
    fn get(&self) -> usize {
        // SAFETY: as above.
        self.0.with(|value| unsafe { *value })
    }

    fn set(&self, new: usize) {
        // SAFETY: as above.
        self.0.with_mut(|value| unsafe { *value = new });
    }
}

/// Explores `run` with at most three preemptions, beyond which two tasks in a row take hours and few bugs need more.
fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

#[test]
fn every_part_is_done_once_and_the_leader_sees_what_it_wrote() {
    model(|| {
        let mut pair = SpinPair::start().expect("loom has threads");
        let done = [Unsynchronized::default(), Unsynchronized::default()];
        pair.run(2, &|part| done[part].set(done[part].get() + 1));
        assert_eq!(done.each_ref().map(Unsynchronized::get), [1, 1]);
    });
}

#[test]
fn a_task_sees_what_the_leader_and_the_parts_of_the_task_before_wrote() {
    model(|| {
        let mut pair = SpinPair::start().expect("loom has threads");
        let [input, first, second] = std::array::from_fn(|_| Unsynchronized::default());
        input.set(1);
        pair.run(1, &|_| first.set(input.get() + 1));
        input.set(5);
        pair.run(1, &|_| second.set(input.get() + first.get()));
        assert_eq!(second.get(), 7);
    });
}

#[test]
fn a_parked_helper_is_woken_by_a_task() {
    model(|| {
        let mut pair = SpinPair::start().expect("loom has threads");
        // Each part waits for the other to begin: one thread alone never ends the first.
        let begun = [AtomicBool::new(false), AtomicBool::new(false)];
        pair.run(2, &|part| {
            begun[part].store(true, Ordering::Release);
            while !begun[1 - part].load(Ordering::Acquire) {
                yield_now();
            }
        });
    });
}

#[test]
fn a_task_without_parts_is_over_at_once() {
    model(|| {
        SpinPair::start().expect("loom has threads").run(0, &|_| unreachable!("there is no part"));
    });
}

#[test]
fn a_team_has_a_member_for_each_index_and_late_threads_stay_out() {
    model(|| {
        let roster = Arc::new(Roster::new());
        let other = roster.clone();
        let helper = spawn(move || other.join().map(|index| (index, other.size())));
        let index = roster.join().expect("nobody has started the team");
        let size = roster.start(2);
        match helper.join().expect("no panic") {
            Some((other, seen)) => assert_eq!((other + index, seen, size), (1, 2, 2)),
            None => assert_eq!((index, size), (0, 1)),
        }
    });
}

#[test]
fn threads_see_after_a_barrier_what_others_wrote_before_it() {
    model(|| {
        let shared = Arc::new((Barrier::new(), [(); 4].map(|()| Unsynchronized::default())));
        let other = shared.clone();
        // Two rounds: each thread writes a value of its own, and then one that depends on the other's.
        let run = |(barrier, values): &(Barrier, [Unsynchronized; 4]), thread: usize| {
            values[thread].set(thread + 1);
            barrier.wait(2);
            values[2 + thread].set(values[1 - thread].get() + 1);
            barrier.wait(2);
            values[3 - thread].get()
        };
        let helper = spawn(move || run(&other, 1));
        assert_eq!(run(&shared, 0), 2);
        assert_eq!(helper.join().expect("no panic"), 3);
    });
}
