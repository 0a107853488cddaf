use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use super::super::buffer::Buffer;
use super::super::threads::{Shape, for_each_row_range, for_each_share, for_each_task};
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

/// A layer whose units are divided for almost any number of threads.
const WIDE: Shape = Shape { rows: 17, panels: 5, products: 4 << 20, bytes: 16 << 20 };

#[test]
fn units_are_divided_where_a_thread_would_have_few_rows_or_many_weights() {
    let lstm =
        |rows, h: usize| Shape { rows, panels: h / 64, products: 4 * h * h, bytes: 16 * h * h };
    // The classic network has enough rows for eight threads.
    assert_eq!([2, 8, 16].map(|threads| lstm(128, 256).unit_parts(threads)), [1, 1, 2]);
    // One of 1,024 reads 16 MB at each step.
    assert_eq!([1, 2, 8].map(|threads| lstm(128, 1024).unit_parts(threads)), [1, 2, 4]);
    assert_eq!([2, 8, 64].map(|threads| lstm(32, 512).unit_parts(threads)), [1, 4, 8]);
    // Steps too short to wait for others.
    assert_eq!([2, 8].map(|threads| lstm(16, 64).unit_parts(threads)), [1, 1]);
}

#[test]
fn shares_cover_every_unit_of_every_row_once() {
    let small = Shape { products: 100, ..WIDE };
    let narrow = Shape { panels: 1, ..WIDE };
    let short = Shape { rows: 1, ..WIDE };
    for shape in [WIDE, small, narrow, short] {
        for threads in [1, 2, 3, 5, 8] {
            let seen = Mutex::new(vec![0; shape.rows * shape.panels]);
            with_threads(threads, || {
                for_each_share(shape, |share| {
                    let mut seen = seen.lock().expect("no panic");
                    for row in share.rows.clone() {
                        for panel in share.panels(shape.panels) {
                            seen[row * shape.panels + panel] += 1;
                        }
                    }
                });
            });
            let seen = seen.into_inner().expect("no panic");
            assert!(seen.iter().all(|&times| times == 1), "{shape:?} {threads} {seen:?}");
        }
    }
}

#[test]
fn threads_with_the_same_rows_see_each_others_steps() {
    // Each unit of a step is one more than the largest of its row in the step before.
    let steps = 200;
    let Shape { rows, panels, .. } = WIDE;
    for threads in [2, 3, 5] {
        let values: Vec<_> =
            (0..(steps + 1) * rows * panels).map(|_| AtomicUsize::new(0)).collect();
        let of_row = |step: usize, row: usize| &values[(step * rows + row) * panels..][..panels];
        with_threads(threads, || {
            for_each_share(WIDE, |share| {
                for step in 0..steps {
                    for row in share.rows.clone() {
                        let before = of_row(step, row).iter().map(|x| x.load(Relaxed)).max();
                        for panel in share.panels(panels) {
                            of_row(step + 1, row)[panel].store(before.unwrap_or(0) + 1, Relaxed);
                        }
                    }
                    share.wait();
                }
            });
        });
        let last = (0..rows).flat_map(|row| of_row(steps, row));
        assert!(last.into_iter().all(|x| x.load(Relaxed) == steps), "{threads} threads");
    }
}

#[test]
fn layers_at_the_same_time_in_one_pool_all_end() {
    with_threads(3, || {
        for_each_task(6, |_| {
            for _ in 0..20 {
                for_each_share(WIDE, |share| (0..10).for_each(|_| share.wait()));
            }
        });
    });
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
