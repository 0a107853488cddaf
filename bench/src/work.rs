//! The benchmarks: one row of the table each.

use burn::tensor::Device;
use charloom_model::{Cell, CharRnnConfig, Precision};

/// Vocabulary size of the networks, V.
pub const VOCAB_SIZE: usize = 83;

/// Sizes of a network and its batches.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub cell: Cell,
    pub layers: usize,
    pub hidden_size: usize,
    pub dropout: f64,
    /// N
    pub batch_size: usize,
    /// T
    pub seq_length: usize,
    pub precision: Precision,
}

impl Size {
    /// Two layers of 256, dropout 0.5, N = 128, T = 100.
    const fn classic(cell: Cell) -> Self {
        Self {
            cell,
            layers: 2,
            hidden_size: 256,
            dropout: 0.5,
            batch_size: 128,
            seq_length: 100,
            precision: Precision::F32,
        }
    }

    const fn small(layers: usize, hidden_size: usize, batch_size: usize) -> Self {
        Self {
            cell: Cell::Lstm,
            layers,
            hidden_size,
            dropout: 0.0,
            batch_size,
            seq_length: 50,
            precision: Precision::F32,
        }
    }

    /// The same with products in bf16.
    const fn bf16(self) -> Self {
        Self { precision: Precision::Bf16, ..self }
    }

    pub fn model(&self) -> CharRnnConfig {
        let Self { cell, layers, hidden_size, dropout, .. } = *self;
        CharRnnConfig { cell, layers, hidden_size, dropout, ..CharRnnConfig::default() }
    }
}

/// What a benchmark does.
#[derive(Clone, Copy, Debug)]
pub enum Task {
    /// Whole training steps of charloom.
    Train(Size),
    /// The same with the layers, the loss, the clipping and the optimizer that come with Burn.
    TrainWithBurn(Size),
    /// Forward passes over a text, with the loss.
    Evaluate(Size),
    /// Generation of this number of texts in parallel.
    Generate(Size, usize),
    /// The first steps on a text of a billion bytes; measures the memory.
    LargeText(Size),
}

/// The hardware that a benchmark runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hardware {
    Cpu,
    Wgpu,
}

impl Hardware {
    pub fn is_built_in(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::Wgpu => cfg!(feature = "wgpu"),
        }
    }

    pub fn device(self) -> Device {
        match self {
            Self::Cpu => Device::flex(),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
            #[cfg(not(feature = "wgpu"))]
            Self::Wgpu => unreachable!("benchmarks of backends that are not built in are not run"),
        }
    }
}

/// The target of a benchmark.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// At least this speed, relative to the fastest of these benchmarks of `peer.py`.
    Peer(f64, &'static [&'static str]),
    /// At least this speed, relative to another benchmark here.
    Benchmark(f64, &'static str),
    /// At most this much memory, in megabytes.
    Megabytes(f64),
    /// At most as much memory as this benchmark of `peer.py`.
    PeerMemory(&'static str),
}

/// A benchmark, with its targets.
#[derive(Clone, Copy, Debug)]
pub struct Benchmark {
    pub name: &'static str,
    pub task: Task,
    pub hardware: Hardware,
    pub targets: &'static [Target],
}

const LSTM: Size = Size::classic(Cell::Lstm);
const WIDE: Size = Size::small(2, 512, 50);
const ON_GPU: Size = Size::small(1, 128, 32);

const fn on_cpu(name: &'static str, task: Task, targets: &'static [Target]) -> Benchmark {
    Benchmark { name, task, hardware: Hardware::Cpu, targets }
}

/// All benchmarks. One that a target refers to comes before the benchmark that has the target.
pub const BENCHMARKS: [Benchmark; 19] = [
    on_cpu("burn-lstm-2x256", Task::TrainWithBurn(LSTM), &[]),
    on_cpu(
        "train-lstm-2x256",
        Task::Train(LSTM),
        &[
            Target::Peer(2.0, &["train-lstm-2x256"]),
            Target::Benchmark(12.0, "burn-lstm-2x256"),
            Target::PeerMemory("train-lstm-2x256"),
        ],
    ),
    on_cpu(
        "train-gru-2x256",
        Task::Train(Size::classic(Cell::Gru)),
        &[Target::Peer(1.5, &["train-gru-2x256"])],
    ),
    on_cpu(
        "train-tanh-2x256",
        Task::Train(Size::classic(Cell::Tanh)),
        &[Target::Peer(1.5, &["train-tanh-2x256"])],
    ),
    on_cpu(
        "train-lstm-1x128",
        Task::Train(Size::small(1, 128, 50)),
        &[Target::Peer(1.5, &["train-lstm-1x128"])],
    ),
    on_cpu("train-lstm-2x512", Task::Train(WIDE), &[Target::Peer(1.3, &["train-lstm-2x512"])]),
    on_cpu(
        "train-lstm-2x256-bf16",
        Task::Train(LSTM.bf16()),
        &[Target::Peer(2.0, &["train-lstm-2x256", "train-lstm-2x256-bf16"])],
    ),
    on_cpu(
        "train-lstm-2x512-bf16",
        Task::Train(WIDE.bf16()),
        &[Target::Peer(1.7, &["train-lstm-2x512", "train-lstm-2x512-bf16"])],
    ),
    on_cpu("eval-lstm-2x256", Task::Evaluate(LSTM), &[Target::Peer(1.3, &["eval-lstm-2x256"])]),
    on_cpu("eval-lstm-2x512", Task::Evaluate(WIDE), &[Target::Peer(1.3, &["eval-lstm-2x512"])]),
    on_cpu(
        "eval-lstm-2x256-bf16",
        Task::Evaluate(LSTM.bf16()),
        &[Target::Peer(1.3, &["eval-lstm-2x256", "eval-lstm-2x256-bf16"])],
    ),
    on_cpu(
        "eval-lstm-2x512-bf16",
        Task::Evaluate(WIDE.bf16()),
        &[Target::Peer(1.3, &["eval-lstm-2x512", "eval-lstm-2x512-bf16"])],
    ),
    on_cpu(
        "generate-1",
        Task::Generate(LSTM, 1),
        &[Target::Peer(8.0, &["generate-1", "generate-1-no-onednn"])],
    ),
    on_cpu(
        "generate-64",
        Task::Generate(LSTM, 64),
        &[Target::Peer(3.0, &["generate-64", "generate-64-no-onednn"])],
    ),
    on_cpu(
        "generate-1-bf16",
        Task::Generate(LSTM.bf16(), 1),
        &[Target::Benchmark(1.7, "generate-1")],
    ),
    on_cpu(
        "generate-64-bf16",
        Task::Generate(LSTM.bf16(), 64),
        &[Target::Benchmark(1.5, "generate-64")],
    ),
    on_cpu("text-of-1-gb", Task::LargeText(LSTM), &[Target::Megabytes(2500.0)]),
    Benchmark {
        name: "wgpu-burn-lstm-1x128",
        task: Task::TrainWithBurn(ON_GPU),
        hardware: Hardware::Wgpu,
        targets: &[],
    },
    Benchmark {
        name: "wgpu-train-lstm-1x128",
        task: Task::Train(ON_GPU),
        hardware: Hardware::Wgpu,
        targets: &[Target::Benchmark(3.0, "wgpu-burn-lstm-1x128")],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn peer_has(name: &str) {
        assert!(include_str!("../peer.py").contains(&format!("\"{name}\": Work(")), "{name}");
    }

    #[test]
    fn what_a_target_is_measured_by_is_measured_before() {
        for (index, benchmark) in BENCHMARKS.iter().enumerate() {
            for target in benchmark.targets {
                match target {
                    Target::Benchmark(_, other) => {
                        assert!(
                            BENCHMARKS[..index].iter().any(|earlier| earlier.name == *other),
                            "{other}"
                        );
                    }
                    Target::Peer(_, names) => names.iter().for_each(|name| peer_has(name)),
                    Target::PeerMemory(name) => peer_has(name),
                    Target::Megabytes(_) => {}
                }
            }
        }
    }
}
