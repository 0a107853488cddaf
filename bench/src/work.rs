//! The pieces of work that are measured: one row of the table each.

use burn::tensor::Device;
use charloom_model::{Cell, CharRnnConfig};

/// Characters that the networks know, V.
pub const VOCAB_SIZE: usize = 83;

/// A network, and the batches that it is given.
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
}

impl Size {
    /// Two layers of 256, dropout 0.5, N = 128, T = 100.
    const fn classic(cell: Cell) -> Self {
        Self { cell, layers: 2, hidden_size: 256, dropout: 0.5, batch_size: 128, seq_length: 100 }
    }

    const fn small(layers: usize, hidden_size: usize, batch_size: usize) -> Self {
        Self { cell: Cell::Lstm, layers, hidden_size, dropout: 0.0, batch_size, seq_length: 50 }
    }

    pub fn model(&self) -> CharRnnConfig {
        let Self { cell, layers, hidden_size, dropout, batch_size: _, seq_length: _ } = *self;
        CharRnnConfig { cell, layers, hidden_size, dropout, ..CharRnnConfig::default() }
    }
}

/// What is done.
#[derive(Clone, Copy, Debug)]
pub enum Task {
    /// Steps of charloom's training, everything in them.
    Train(Size),
    /// The same with the layers, the loss, the clipping and the optimizer that come with Burn.
    TrainWithBurn(Size),
    /// Forward passes over a text, with the loss.
    Evaluate(Size),
    /// Texts generated in parallel.
    Generate(Size, usize),
    /// The first steps on a text of a billion bytes; its memory is what counts.
    LargeText(Size),
}

/// Where it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Cpu,
    Wgpu,
}

impl Place {
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
            Self::Wgpu => unreachable!("lines of backends that are not built in are not run"),
        }
    }
}

/// What a line is held against.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// So many times as fast as the fastest of these lines of `peer.py`.
    Peer(f64, &'static [&'static str]),
    /// So many times as fast as another line here.
    Line(f64, &'static str),
    /// At most so many megabytes.
    Megabytes(f64),
    /// At most as much memory as this line of `peer.py`.
    PeerMemory(&'static str),
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub name: &'static str,
    pub task: Task,
    pub place: Place,
    pub targets: &'static [Target],
}

const LSTM: Size = Size::classic(Cell::Lstm);
const ON_GPU: Size = Size::small(1, 128, 32);

const fn line(name: &'static str, task: Task, targets: &'static [Target]) -> Line {
    Line { name, task, place: Place::Cpu, targets }
}

/// All lines. A target's line stands before the line that has the target.
pub const LINES: [Line; 12] = [
    line("burn-lstm-2x256", Task::TrainWithBurn(LSTM), &[]),
    line(
        "train-lstm-2x256",
        Task::Train(LSTM),
        &[
            Target::Peer(2.0, &["train-lstm-2x256"]),
            Target::Line(12.0, "burn-lstm-2x256"),
            Target::PeerMemory("train-lstm-2x256"),
        ],
    ),
    line(
        "train-gru-2x256",
        Task::Train(Size::classic(Cell::Gru)),
        &[Target::Peer(1.5, &["train-gru-2x256"])],
    ),
    line(
        "train-tanh-2x256",
        Task::Train(Size::classic(Cell::Tanh)),
        &[Target::Peer(1.5, &["train-tanh-2x256"])],
    ),
    line(
        "train-lstm-1x128",
        Task::Train(Size::small(1, 128, 50)),
        &[Target::Peer(1.5, &["train-lstm-1x128"])],
    ),
    line(
        "train-lstm-2x512",
        Task::Train(Size::small(2, 512, 50)),
        &[Target::Peer(1.3, &["train-lstm-2x512"])],
    ),
    line("eval-lstm-2x256", Task::Evaluate(LSTM), &[Target::Peer(1.3, &["eval-lstm-2x256"])]),
    line(
        "generate-1",
        Task::Generate(LSTM, 1),
        &[Target::Peer(8.0, &["generate-1", "generate-1-no-onednn"])],
    ),
    line(
        "generate-64",
        Task::Generate(LSTM, 64),
        &[Target::Peer(3.0, &["generate-64", "generate-64-no-onednn"])],
    ),
    line("text-of-1-gb", Task::LargeText(LSTM), &[Target::Megabytes(2500.0)]),
    Line {
        name: "wgpu-burn-lstm-1x128",
        task: Task::TrainWithBurn(ON_GPU),
        place: Place::Wgpu,
        targets: &[],
    },
    Line {
        name: "wgpu-train-lstm-1x128",
        task: Task::Train(ON_GPU),
        place: Place::Wgpu,
        targets: &[Target::Line(3.0, "wgpu-burn-lstm-1x128")],
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
        for (place, line) in LINES.iter().enumerate() {
            for target in line.targets {
                match target {
                    Target::Line(_, other) => {
                        assert!(LINES[..place].iter().any(|line| line.name == *other), "{other}");
                    }
                    Target::Peer(_, names) => names.iter().for_each(|name| peer_has(name)),
                    Target::PeerMemory(name) => peer_has(name),
                    Target::Megabytes(_) => {}
                }
            }
        }
    }
}
