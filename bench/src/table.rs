//! The table of results.

use std::fmt::Write;

use serde::Serialize;

use crate::measure::Measured;
use crate::work::{Benchmark, Target};

/// A benchmark's results, its peers' and the outcomes of its targets.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub ours: Measured,
    pub peers: Vec<Measured>,
    pub targets: Vec<Outcome>,
}

/// The outcome of a target that could be measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// What the benchmark is compared with.
    pub against: String,
    /// The minimum speed ratio, or the maximum of megabytes.
    pub target: f64,
    pub reached: f64,
    pub met: bool,
}

impl Row {
    pub fn new(
        benchmark: &Benchmark,
        ours: Measured,
        peers: Vec<Measured>,
        before: &[Row],
    ) -> Self {
        let ratio = |against: &str, target: f64, theirs: Option<f64>| {
            let reached = ours.chars_per_second? / theirs?;
            Some(Outcome { against: against.to_string(), target, reached, met: reached >= target })
        };
        let at_most = |target: f64| {
            let reached = ours.peak_megabytes?;
            let against = "MB".to_string();
            Some(Outcome { against, target, reached, met: reached <= target })
        };
        let targets = benchmark.targets.iter().filter_map(|target| match *target {
            Target::Peer(target, names) => {
                let of_target = peers.iter().filter(|peer| names.contains(&peer.name.as_str()));
                let fastest =
                    of_target.filter_map(|peer| peer.chars_per_second).max_by(f64::total_cmp);
                ratio("PyTorch", target, fastest)
            }
            Target::Benchmark(target, name) => {
                let other = before.iter().find(|row| row.ours.name == name)?;
                ratio(name, target, other.ours.chars_per_second)
            }
            Target::Megabytes(target) => at_most(target),
            Target::PeerMemory(name) => {
                at_most(peers.iter().find(|peer| peer.name == name)?.peak_megabytes?)
            }
        });
        Self { targets: targets.collect(), ours: ours.clone(), peers }
    }
}

/// The table as text: a row for each benchmark and each of its peers.
pub fn show(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<34} {:>12} {:>8} {:>9}  {}\n",
        "work", "characters/s", "spread", "peak, MB", "targets"
    );
    for row in rows {
        let targets: Vec<String> = row.targets.iter().map(Outcome::show).collect();
        write_row(&mut text, &row.ours.name, &row.ours, &targets.join("; "));
        for peer in &row.peers {
            write_row(&mut text, &format!("  PyTorch, {}", peer.name), peer, "");
        }
    }
    text
}

impl Outcome {
    fn show(&self) -> String {
        let Self { against, target, reached, met } = self;
        let verdict = if *met { "met" } else { "missed" };
        format!("{reached:.2} ({against}), target {target}: {verdict}")
    }
}

fn write_row(text: &mut String, name: &str, measured: &Measured, targets: &str) {
    let shown = |number: Option<f64>, decimals: usize| {
        number.map_or("-".to_string(), |number| format!("{number:.decimals$}"))
    };
    let spread =
        measured.spread.map_or("-".to_string(), |spread| format!("{:.1} %", 100.0 * spread));
    let speed = shown(measured.chars_per_second, 0);
    let memory = shown(measured.peak_megabytes, 0);
    let row = format!("{name:<34} {speed:>12} {spread:>8} {memory:>9}  {targets}");
    _ = writeln!(text, "{}", row.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::BENCHMARKS;

    fn measured(name: &str, speed: f64) -> Measured {
        Measured {
            name: name.to_string(),
            chars_per_second: Some(speed),
            spread: Some(0.012),
            n: 5,
            peak_megabytes: Some(321.4),
        }
    }

    fn benchmark(name: &str) -> &'static Benchmark {
        BENCHMARKS.iter().find(|benchmark| benchmark.name == name).unwrap()
    }

    #[test]
    fn a_target_is_met_by_its_ratio_to_the_fastest_peer() {
        let peers = vec![measured("generate-1", 1000.0), measured("generate-1-no-onednn", 1250.0)];
        let row = Row::new(benchmark("generate-1"), measured("generate-1", 11_250.0), peers, &[]);
        assert_eq!(row.targets.len(), 1);
        assert_eq!((row.targets[0].reached, row.targets[0].met), (9.0, true));
    }

    #[test]
    fn a_target_that_was_not_measured_is_left_out() {
        let row =
            Row::new(benchmark("train-lstm-2x256"), measured("train-lstm-2x256", 1.0), vec![], &[]);
        assert!(row.targets.is_empty());
    }

    #[test]
    fn the_table_shows_missed_targets() {
        let burn = Row::new(
            benchmark("burn-lstm-2x256"),
            measured("burn-lstm-2x256", 2000.0),
            vec![],
            &[],
        );
        let peers = vec![measured("train-lstm-2x256", 10_000.0)];
        let name = "train-lstm-2x256";
        let row = Row::new(benchmark(name), measured(name, 22_000.0), peers, &[burn]);
        assert_eq!(
            show(&[row]),
            "work                               characters/s   spread  peak, MB  targets\n\
             train-lstm-2x256                          22000    1.2 %       321  2.20 (PyTorch), target 2: met; 11.00 (burn-lstm-2x256), target 12: missed; 321.40 (MB), target 321.4: met\n  \
             PyTorch, train-lstm-2x256               10000    1.2 %       321\n"
        );
    }
}
