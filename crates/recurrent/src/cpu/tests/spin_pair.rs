use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::super::spin_pair::SpinPair;

#[test]
fn every_part_of_every_task_is_done_once_before_the_next() {
    let mut pair = SpinPair::start().expect("a thread");
    let counts: Vec<AtomicUsize> = (0..19).map(|_| AtomicUsize::new(0)).collect();
    for task in 0..20_000 {
        let parts = task % 19 + 1;
        pair.run(parts, &|part| {
            counts[part].fetch_add(1, Ordering::Relaxed);
        });
        for (part, count) in counts.iter().enumerate() {
            let done = count.swap(0, Ordering::Relaxed);
            assert_eq!(done, usize::from(part < parts), "task {task}, part {part}");
        }
    }
}

#[test]
fn a_parked_helper_is_woken_or_not_waited_for() {
    let mut pair = SpinPair::start().expect("a thread");
    let count = AtomicUsize::new(0);
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(30));
        pair.run(7, &|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
    }
    assert_eq!(count.into_inner(), 35);
}

#[test]
fn a_parked_helper_comes_when_there_is_enough_to_do() {
    let mut pair = SpinPair::start().expect("a thread");
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(50));
        let begun = [AtomicUsize::new(0), AtomicUsize::new(0)];
        // Each part waits for the other to begin: one thread alone never ends the first.
        let met = AtomicUsize::new(0);
        pair.run(2, &|part| {
            begun[part].store(1, Ordering::SeqCst);
            let since = Instant::now();
            while begun[1 - part].load(Ordering::SeqCst) == 0 {
                if since.elapsed() > Duration::from_secs(20) {
                    return;
                }
                std::thread::yield_now();
            }
            met.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(met.into_inner(), 2);
    }
}

#[test]
fn a_task_without_parts_is_over_at_once() {
    SpinPair::start().expect("a thread").run(0, &|_| unreachable!("there is no part"));
}
