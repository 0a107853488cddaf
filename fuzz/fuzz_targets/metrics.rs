//! A `metrics.csv` of any bytes is read or refused.
#![no_main]

use std::sync::LazyLock;

use charloom_fuzz::folder;
use charloom_train::RunFolder;
use libfuzzer_sys::fuzz_target;

static RUN: LazyLock<RunFolder> =
    LazyLock::new(|| RunFolder::create(folder(), "run").expect("a run folder"));

fuzz_target!(|content: &[u8]| {
    std::fs::write(RUN.metrics(), content).expect("the file is written");
    drop(RUN.read_metrics());
});
