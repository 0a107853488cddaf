//! Checkpoints: all that going on exactly where a run stopped needs.
//!
//! A checkpoint is a folder `checkpoints/step-00000042/` with the parameters, the state of the
//! optimizer and of the schedule (burn-train's records), the carried state of the network, and the
//! place in the run. It is written under another name and renamed when whole.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use burn::optim::OptimizerRecord;
use burn::optim::lr_scheduler::LrSchedulerRecord;
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::checkpoint::{
    Checkpoint as Record, Checkpointer, CheckpointerError, CheckpointingAction,
    CheckpointingStrategy,
};
use burn::train::metric::store::EventStoreClient;
use charloom_data::atomic;
use charloom_model::State;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::schedule::Plateau;
use crate::{CheckpointError, exact};

/// How many checkpoints stay on disk.
const KEPT: usize = 2;
const PARTS: [&str; 3] = ["model", "optimizer", "schedule"];
const PLACE: &str = "place.json";
const CARRY: &str = "carry.safetensors";
/// Where a checkpoint of the same step stands while a new one takes its place.
const OLD: &str = ".old.tmp";

/// Where in a run a checkpoint was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The epoch under way, from 1.
    pub epoch: usize,
    /// Batches of it that are done.
    pub batch: usize,
    /// Steps taken in the whole run.
    pub step: usize,
    /// What has been trained since the last evaluation that counts.
    pub since: Since,
    /// Evaluations that count, those that the settings ask for.
    pub evaluations: usize,
    /// The step of the last of them.
    pub evaluated: usize,
    /// The step of the last evaluation of all. One that training ends with between two others is
    /// not repeated, and decides nothing when training goes on, but that a better model is kept.
    pub measured: usize,
    /// Learning rate of the last step.
    #[serde(with = "exact")]
    pub learning_rate: f64,
    /// What the schedule remembers.
    pub plateau: Plateau,
    /// The loss as min-char-rnn smooths it.
    #[serde(with = "exact")]
    pub smooth_loss: f64,
    /// Time that the run took.
    pub seconds: f64,
    /// Lowest validation loss: that of the model that is kept.
    #[serde(with = "exact::option")]
    pub best: Option<f64>,
    /// Lowest of the evaluations that count.
    #[serde(with = "exact::option")]
    pub counted_best: Option<f64>,
    /// Evaluations that count since then.
    pub stale: usize,
    /// Of the text.
    pub text_sha256: String,
    /// The settings that must stay, by name.
    pub settings: Vec<(String, String)>,
}

/// Some of a run's steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Since {
    /// How many.
    pub steps: usize,
    /// Sum of their losses.
    #[serde(with = "exact")]
    pub loss_sum: f64,
    /// Time that they took.
    pub seconds: f64,
}

impl Place {
    /// The start, where each of V characters seems as likely as another.
    pub fn start(text_sha256: &str, vocab_size: usize, settings: Vec<(String, String)>) -> Self {
        Self {
            epoch: 1,
            batch: 0,
            step: 0,
            since: Since::default(),
            evaluations: 0,
            evaluated: 0,
            measured: 0,
            learning_rate: 0.0,
            plateau: Plateau::default(),
            smooth_loss: (vocab_size as f64).ln(),
            seconds: 0.0,
            best: None,
            counted_best: None,
            stale: 0,
            text_sha256: text_sha256.to_string(),
            settings,
        }
    }

    /// Epochs that are finished, of so many batches each.
    pub fn epochs_done(&self, batches: usize) -> usize {
        if self.batch == batches { self.epoch } else { self.epoch - 1 }
    }

    pub fn epoch_of_last_step(&self) -> usize {
        if self.batch == 0 { self.epoch - 1 } else { self.epoch }
    }
}

/// A checkpoint on disk.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub path: PathBuf,
    pub place: Place,
}

impl Saved {
    /// The newest in a folder of checkpoints.
    pub fn newest(folder: &Path) -> Result<Option<Self>, CheckpointError> {
        // A crash between two renames leaves the old one under this name.
        let old = Some(folder.join(OLD)).filter(|old| old.join(PLACE).exists());
        let Some(path) = list(folder).pop().map(|(_, path)| path).or(old) else { return Ok(None) };
        let file = path.join(PLACE);
        let read = |problem: String| CheckpointError::Read { path: file.clone(), problem };
        let text = fs::read_to_string(&file).map_err(|error| read(error.to_string()))?;
        let place = serde_json::from_str(&text).map_err(|error| read(error.to_string()))?;
        Ok(Some(Self { path, place }))
    }

    /// The carried state, if the epoch had begun.
    pub fn carry(&self, device: &Device) -> Result<Option<State>, CheckpointError> {
        let path = self.path.join(CARRY);
        if !path.exists() {
            return Ok(None);
        }
        let wrong = |problem: String| CheckpointError::Read { path: path.clone(), problem };
        let bytes = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
        let layer = |index: usize| -> Option<Result<Tensor<3>, CheckpointError>> {
            let view = file.tensor(&format!("layer_{index}")).ok()?;
            let &[s, n, h] = view.shape() else {
                return Some(Err(wrong(format!("layer {index} has shape {:?}", view.shape()))));
            };
            let words = view.data().chunks_exact(4);
            let values: Vec<f32> =
                words.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            Some(Ok(Tensor::from_data(TensorData::new(values, [s, n, h]), device)))
        };
        let layers = (0..).map_while(layer).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(State(layers)))
    }

    /// The records of parameters, optimizer and schedule, found whole.
    pub fn records(
        &self,
    ) -> Result<(ModuleRecord, OptimizerRecord, LrSchedulerRecord), CheckpointError> {
        Ok((self.record(PARTS[0])?, self.record(PARTS[1])?, self.record(PARTS[2])?))
    }

    fn record<R: Record>(&self, part: &str) -> Result<R, CheckpointError> {
        let path = self.path.join(format!("{part}.bpk"));
        R::load(path.clone())
            .map_err(|error| CheckpointError::Read { path, problem: error.to_string() })
    }
}

/// The checkpoints in a folder by step.
fn list(folder: &Path) -> Vec<(usize, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<(usize, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let step = name.to_str()?.strip_prefix("step-")?.parse().ok()?;
            Some((step, entry.path()))
        })
        .collect();
    found.sort();
    found
}

/// Writes checkpoints. burn-train hands each record to a [`Part`], on threads of its own; the
/// writer waits for all of them.
pub(crate) struct Writer {
    folder: PathBuf,
    draft: Arc<Mutex<PathBuf>>,
    done: mpsc::Receiver<Result<(), String>>,
}

/// Writes one kind of record to the checkpoint that is being made.
pub(crate) struct Part {
    name: &'static str,
    draft: Arc<Mutex<PathBuf>>,
    done: mpsc::Sender<Result<(), String>>,
}

impl Writer {
    /// A writer into `folder`, and its parts for parameters, optimizer and schedule.
    pub fn new(folder: PathBuf) -> (Self, [Part; 3]) {
        let draft = Arc::new(Mutex::new(PathBuf::new()));
        let (sender, done) = mpsc::channel();
        let parts = PARTS.map(|name| Part { name, draft: draft.clone(), done: sender.clone() });
        (Self { folder, draft, done }, parts)
    }

    /// Makes a checkpoint; `hand_out` has burn-train give the records to the parts.
    pub fn write(
        &self,
        place: &Place,
        carry: Option<&State>,
        hand_out: impl FnOnce(),
    ) -> Result<PathBuf, CheckpointError> {
        let name = format!("step-{:08}", place.step);
        let draft = self.folder.join(format!(".{name}.tmp"));
        let path = self.folder.join(name);
        let written = self.write_draft(&draft, place, carry, hand_out).and_then(|()| {
            // The place after an epoch's validation differs from the one before at the same step.
            let old = self.folder.join(OLD);
            if path.exists() {
                let _ = fs::remove_dir_all(&old);
                fs::rename(&path, &old).map_err(|error| error.to_string())?;
            }
            fs::rename(&draft, &path).map_err(|error| error.to_string())?;
            let _ = fs::remove_dir_all(&old);
            sync_folder(&self.folder);
            Ok(())
        });
        if let Err(problem) = written {
            let _ = fs::remove_dir_all(&draft);
            return Err(CheckpointError::Write { path, problem });
        }
        let all = list(&self.folder);
        for (_, old) in all.iter().rev().skip(KEPT) {
            let _ = fs::remove_dir_all(old);
        }
        Ok(path)
    }

    fn write_draft(
        &self,
        draft: &Path,
        place: &Place,
        carry: Option<&State>,
        hand_out: impl FnOnce(),
    ) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        let _ = fs::remove_dir_all(draft);
        fs::create_dir_all(draft).map_err(text)?;
        *self.draft.lock().unwrap_or_else(PoisonError::into_inner) = draft.to_path_buf();
        hand_out();
        for _ in PARTS {
            self.done.recv().map_err(|_| "the writing thread has ended".to_string())??;
        }
        for part in PARTS {
            // Some systems sync only what is open for writing.
            let file = draft.join(format!("{part}.bpk"));
            let file = File::options().write(true).open(file).map_err(text)?;
            file.sync_all().map_err(text)?;
        }
        if let Some(carry) = carry {
            let bytes = carry_bytes(carry).map_err(|error| error.to_string())?;
            atomic::write(&draft.join(CARRY), &bytes).map_err(text)?;
        }
        let place = serde_json::to_vec_pretty(place).map_err(|error| error.to_string())?;
        atomic::write(&draft.join(PLACE), &place).map_err(text)
    }
}

/// A rename is on disk when the folder is; where folders can't be synced there is nothing to do.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

fn carry_bytes(carry: &State) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let layers: Vec<(Vec<usize>, Vec<u8>)> = carry
        .0
        .iter()
        .map(|layer| {
            let bytes = layer.to_data().iter::<f32>().flat_map(f32::to_le_bytes).collect();
            (layer.dims().to_vec(), bytes)
        })
        .collect();
    let views = layers
        .iter()
        .enumerate()
        .map(|(index, (shape, bytes))| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes)?;
            Ok((format!("layer_{index}"), view))
        })
        .collect::<Result<HashMap<_, _>, safetensors::SafeTensorError>>()?;
    safetensors::serialize(views, None)
}

impl<R: Record> Checkpointer<R> for Part {
    fn save(&self, _step: usize, record: R) -> Result<(), CheckpointerError> {
        let draft = self.draft.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let saved = record.save(draft.join(self.name)).map_err(|error| error.to_string());
        // Nobody waits any more when training has ended.
        let _ = self.done.send(saved);
        Ok(())
    }

    fn delete(&self, _step: usize) -> Result<(), CheckpointerError> {
        Ok(())
    }

    /// Runs are resumed from [`Saved::records`], where what is broken can be said.
    fn restore(&self, _step: usize) -> Result<R, CheckpointerError> {
        Err(CheckpointerError::Unknown("a part is written only".into()))
    }
}

/// The training loop decides when to save; then everything is saved.
pub(crate) struct Always;

impl CheckpointingStrategy for Always {
    fn checkpointing(&mut self, _: usize, _: &EventStoreClient) -> Vec<CheckpointingAction> {
        vec![CheckpointingAction::Save]
    }
}
