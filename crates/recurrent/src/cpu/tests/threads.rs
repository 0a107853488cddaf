use std::sync::Mutex;

use super::super::buffer::Buffer;
use super::super::threads::{for_each_row_range, for_each_task};
use super::with_threads;

#[test]
fn ranges_cover_every_row_once() {
    for threads in [1, 2, 3, 8] {
        for rows in [1, 2, 5, 17, 64] {
            let seen = Mutex::new(vec![0; rows]);
            with_threads(threads, || {
                for_each_row_range(rows, |rows| {
                    let mut seen = seen.lock().expect("no panic");
                    rows.for_each(|row| seen[row] += 1);
                });
            });
            assert!(seen.into_inner().expect("no panic").iter().all(|&times| times == 1));
        }
    }
}

#[test]
fn every_task_runs_once() {
    let seen = Mutex::new(Vec::new());
    with_threads(3, || for_each_task(10, |task| seen.lock().expect("no panic").push(task)));
    let mut seen = seen.into_inner().expect("no panic");
    seen.sort_unstable();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
}

#[test]
fn buffers_start_on_a_cache_line_and_come_back() {
    // A size that no other test asks for.
    let len = 1_234_567;
    let first = Buffer::new(len);
    let start = first.as_ptr();
    assert_eq!(start.addr() % 64, 0);
    drop(first);
    assert_eq!(Buffer::new(len - 1000).as_ptr(), start);
    assert!(Buffer::zeros(len).iter().all(|&x| x == 0.0));
    assert!(Buffer::new(0).is_empty());
}
