//! Speed measurements, and their summary.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The result of a benchmark, of this program or of `peer.py`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub name: String,
    /// Median of the samples.
    #[serde(default)]
    pub chars_per_second: Option<f64>,
    /// (largest − smallest) / median.
    #[serde(default)]
    pub spread: Option<f64>,
    /// Number of samples.
    #[serde(default)]
    pub n: usize,
    /// Peak memory of the process, in units of 2^20 bytes; not known on every system.
    #[serde(default)]
    pub peak_megabytes: Option<f64>,
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub samples: usize,
    /// Minimum length of a sample. The first sample is for warming up and doesn't count.
    pub seconds: f64,
}

/// Divides a stream of work items into samples.
pub struct Stopwatch {
    plan: Plan,
    began: Instant,
    chars: usize,
    warm: bool,
    rates: Vec<f64>,
}

impl Stopwatch {
    pub fn start(plan: Plan) -> Self {
        Self { plan, began: Instant::now(), chars: 0, warm: false, rates: Vec::new() }
    }

    /// Records a work item of `chars` characters; returns whether there are enough samples.
    pub fn lap(&mut self, chars: usize) -> bool {
        self.chars += chars;
        let elapsed = self.began.elapsed();
        if elapsed >= Duration::from_secs_f64(self.plan.seconds) {
            if self.warm {
                self.rates.push(self.chars as f64 / elapsed.as_secs_f64());
            }
            self.warm = true;
            (self.began, self.chars) = (Instant::now(), 0);
        }
        self.rates.len() >= self.plan.samples
    }

    pub fn rates(&self) -> &[f64] {
        &self.rates
    }
}

impl Measured {
    /// The summary of a benchmark's samples, in characters per second.
    pub fn new(name: &str, rates: &[f64]) -> Self {
        let median = median(rates);
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let most = rates.iter().copied().fold(0.0, f64::max);
        Self {
            name: name.to_string(),
            chars_per_second: median,
            spread: median.map(|median| (most - least) / median),
            n: rates.len(),
            peak_megabytes: peak_megabytes(),
        }
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        len if len % 2 == 1 => Some(sorted[half]),
        _ => Some((sorted[half - 1] + sorted[half]) / 2.0),
    }
}

/// Peak memory of this process, on systems that report it in `/proc`.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kilobytes / 1024.0 * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[9.0, 1.0, 5.0, 6.0]), Some(5.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn the_first_sample_is_for_warming_up() {
        let mut watch = Stopwatch::start(Plan { samples: 2, seconds: 0.0 });
        assert!(!watch.lap(1));
        assert!(!watch.lap(1));
        assert!(watch.lap(1));
        assert_eq!(watch.rates().len(), 2);
    }

    #[test]
    fn a_result_of_the_peer_is_parsed() {
        let line = r#"{"name": "generate-1", "chars_per_second": 1200.5, "spread": 0.02, "n": 5, "peak_megabytes": 300.1}"#;
        let read: Measured = serde_json::from_str(line).unwrap();
        assert_eq!((read.chars_per_second, read.n), (Some(1200.5), 5));
    }
}
