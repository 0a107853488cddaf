//! Checkpoints: all that resuming exactly needs.
//!
//! A checkpoint is a folder `checkpoints/step-00000042/`: the weights and the optimizer's state as Burn's records, the
//! carried hidden state, and `progress.json`. It is written under another name and renamed when it is whole. One that is
//! written again at the same step gets a number: `step-00000042-2/`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::OptimizerRecord;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Device, Tensor, TensorData};
use charloom_model::{CharRnn, State};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::progress::TrainProgress;
use crate::setting_change::Difference;
use crate::{CheckpointError, NormHistory, RunConfig, SettingChange};

mod format1;
mod message;

/// How many checkpoints stay on disk, besides the one that a diverging training goes back to.
const KEPT: usize = 2;
/// The version of the format that is written; version 1 is read too.
const FORMAT_VERSION: u32 = 2;

const MODEL: &str = "model.bpk";
/// The moving average of the weights, where there is one.
const AVERAGE: &str = "average.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.safetensors";
const PROGRESS: &str = "progress.json";

/// `progress.json`: which training a checkpoint is of, and how far it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Info {
    format_version: u32,
    text_sha256: String,
    /// The settings; version 1 stored none that can be compared.
    config: Option<RunConfig>,
    pub progress: TrainProgress,
    /// Norms of the last steps' gradients, where clipping depends on them.
    #[serde(default, skip_serializing_if = "NormHistory::is_empty")]
    pub gradient_norms: NormHistory,
    /// What was changed when the run was resumed, in the order of the steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<SettingChange>,
}

impl Info {
    pub fn new(
        text_sha256: &str,
        config: &RunConfig,
        progress: &TrainProgress,
        norms: &NormHistory,
        changes: &[SettingChange],
    ) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            text_sha256: text_sha256.to_owned(),
            config: Some(config.clone()),
            progress: *progress,
            gradient_norms: norms.clone(),
            changes: changes.to_vec(),
        }
    }

    /// Reads the `progress.json` of a checkpoint.
    pub fn read(checkpoint: &Path) -> Result<Self, CheckpointError> {
        let path = checkpoint.join(PROGRESS);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return format1::read_info(checkpoint);
            }
            text => text.map_err(unreadable(&path))?,
        };
        let mut value: serde_json::Value =
            serde_json::from_str(&text).map_err(unreadable(&path))?;
        if let Some(data) = value.pointer_mut("/config/data").and_then(|data| data.as_object_mut())
        {
            // Where a checkpoint doesn't say it, it was before there was more than one way.
            data.entry("newlines").or_insert_with(|| "keep".into());
        }
        serde_json::from_value(value).map_err(unreadable(&path))
    }

    /// Checks that the checkpoint is of this text, and of settings that make it the same training.
    pub fn check(
        &self,
        checkpoint: &Path,
        text_sha256: &str,
        config: &RunConfig,
    ) -> Result<(), CheckpointError> {
        self.check_text(checkpoint, text_sha256)?;
        let differs = self.differences(config).into_iter();
        let mut other = differs.filter(|Difference { key, .. }| !RunConfig::is_incidental(key));
        other.next().map_or(Ok(()), |difference| Err(difference.refused(checkpoint)))
    }

    /// What a resumed run changes of the settings, from the step of the checkpoint on.
    ///
    /// # Errors
    /// If the checkpoint is of another text, or a setting differs that must stay.
    pub fn changes(
        &self,
        checkpoint: &Path,
        text_sha256: &str,
        config: &RunConfig,
    ) -> Result<Vec<SettingChange>, CheckpointError> {
        self.check_text(checkpoint, text_sha256)?;
        let mut changes = Vec::new();
        for difference in self.differences(config) {
            if !RunConfig::is_resumable(&difference.key) {
                return Err(difference.refused(checkpoint));
            }
            if RunConfig::is_recorded(&difference.key) {
                changes.push(difference.since(self.progress.step));
            }
        }
        Ok(changes)
    }

    fn check_text(&self, checkpoint: &Path, text_sha256: &str) -> Result<(), CheckpointError> {
        match self.text_sha256 == text_sha256 {
            true => Ok(()),
            false => Err(CheckpointError::OtherText { path: checkpoint.to_owned() }),
        }
    }

    fn differences(&self, config: &RunConfig) -> Vec<Difference> {
        self.config.as_ref().map(|then| then.differences(config)).unwrap_or_default()
    }
}

/// What is in a checkpoint.
pub(crate) struct Checkpoint {
    pub info: Info,
    pub model: ModuleRecord,
    /// The average of the weights, if the run has one.
    pub average: Option<ModuleRecord>,
    pub optimizer: OptimizerRecord,
    /// The carried hidden state, unless it is zero.
    pub state: Option<State>,
}

impl Checkpoint {
    pub fn read(path: &Path, device: &Device) -> Result<Self, CheckpointError> {
        let info = Info::read(path)?;
        let optimizer = path.join(OPTIMIZER);
        let weights = |name| {
            let path = path.join(name);
            ModuleRecord::load(&path).map_err(unreadable(&path))
        };
        let is_averaged = info.config.as_ref().is_some_and(|config| config.train.ema > 0.0);
        Ok(Self {
            info,
            model: weights(MODEL)?,
            average: is_averaged.then(|| weights(AVERAGE)).transpose()?,
            optimizer: OptimizerRecord::load(&optimizer).map_err(unreadable(&optimizer))?,
            state: read_state(path, device)?,
        })
    }
}

/// The module under whose names the weights are recorded.
#[derive(Module, Debug)]
struct Recorded {
    network: CharRnn,
}

fn record_of(network: &CharRnn) -> ModuleRecord {
    Recorded { network: network.clone() }.into_record()
}

/// `network` with recorded weights.
pub(crate) fn with_weights(
    network: CharRnn,
    record: ModuleRecord,
    checkpoint: &Path,
) -> Result<CharRnn, CheckpointError> {
    let recorded = Recorded { network }.try_load_record(record);
    Ok(recorded.map_err(unreadable(&checkpoint.join(MODEL)))?.network)
}

/// The checkpoints in a folder, the newest first.
pub(crate) fn list(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = named(folder).collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

/// The last checkpoint of a step in a folder.
pub(crate) fn of_step(folder: &Path, step: usize) -> Option<PathBuf> {
    named(folder).filter(|((of, _), _)| *of == step).max().map(|(_, path)| path)
}

/// Removes the checkpoints of later steps than `step`.
pub(crate) fn remove_after(folder: &Path, step: usize) {
    for (_, path) in named(folder).filter(|((of, _), _)| *of > step) {
        // One that stays is of the same training: what it is resumed from leads to the same recovery.
        _ = fs::remove_dir_all(path);
    }
}

/// Step and rewrite of each checkpoint in a folder, and its path.
fn named(folder: &Path) -> impl Iterator<Item = ((usize, usize), PathBuf)> {
    fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|entry| {
        let name = entry.file_name();
        let name = name.to_str()?.strip_prefix("step-")?;
        let (step, rewrite) = name.split_once('-').unwrap_or((name, "1"));
        Some(((step.parse().ok()?, rewrite.parse().ok()?), entry.path()))
    })
}

/// Removes what a crash left of a checkpoint that was being written.
pub(crate) fn remove_drafts(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(".step-") && name.ends_with(".tmp")) {
            // What can't be removed is in nobody's way.
            _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// What a checkpoint is made of, besides [`Info`].
pub(crate) struct Contents<'a> {
    pub model: &'a CharRnn,
    pub average: Option<&'a CharRnn>,
    pub optimizer: OptimizerRecord,
    pub state: Option<&'a State>,
}

/// Writes a checkpoint into `folder`, and removes all but the newest ones.
pub(crate) fn write(
    folder: &Path,
    info: &Info,
    contents: Contents<'_>,
) -> Result<PathBuf, CheckpointError> {
    let TrainProgress { step, recovery_step, .. } = info.progress;
    let last = named(folder).filter(|((of, _), _)| *of == step).map(|((_, n), _)| n).max();
    let name = match last {
        None => format!("step-{step:08}"),
        Some(rewrite) => format!("step-{step:08}-{}", rewrite + 1),
    };
    let (draft, path) = (folder.join(format!(".{name}.tmp")), folder.join(name));
    let written = write_files(&draft, info, contents).and_then(|()| {
        fs::rename(&draft, &path)?;
        sync_folder(folder);
        Ok(())
    });
    if let Err(source) = written {
        _ = fs::remove_dir_all(&draft);
        return Err(CheckpointError::Write { path, source });
    }
    let recovery = recovery_step.and_then(|step| of_step(folder, step));
    for old in list(folder).into_iter().skip(KEPT).filter(|old| Some(old) != recovery.as_ref()) {
        _ = fs::remove_dir_all(old);
    }
    Ok(path)
}

fn write_files(draft: &Path, info: &Info, contents: Contents<'_>) -> io::Result<()> {
    let Contents { model, average, optimizer, state } = contents;
    // A draft of the same name is left of a crash.
    _ = fs::remove_dir_all(draft);
    // Where the run's folder is gone, it isn't made again: the rest of it would be missing.
    if let Some(checkpoints) = draft.parent().filter(|folder| !folder.exists()) {
        fs::create_dir(checkpoints)?;
    }
    fs::create_dir(draft)?;
    let record = |error: RecordError| io::Error::other(error);
    for (name, network) in [(MODEL, Some(model)), (AVERAGE, average)] {
        if let Some(network) = network {
            record_of(network).save(draft.join(name)).map_err(record)?;
        }
    }
    optimizer.save(draft.join(OPTIMIZER)).map_err(record)?;
    if let Some(state) = state {
        fs::write(draft.join(STATE), state_to_bytes(state).map_err(io::Error::other)?)?;
    }
    fs::write(draft.join(PROGRESS), serde_json::to_vec_pretty(info)?)?;
    for file in [MODEL, AVERAGE, OPTIMIZER, STATE, PROGRESS] {
        // Some systems sync only what is open for writing.
        match File::options().write(true).open(draft.join(file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            file => file?.sync_all()?,
        }
    }
    Ok(())
}

/// A rename is on disk when the folder is; where folders can't be synced there is nothing to do.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        _ = folder.sync_all();
    }
}

fn read_state(checkpoint: &Path, device: &Device) -> Result<Option<State>, CheckpointError> {
    let path =
        [STATE, format1::STATE].map(|name| checkpoint.join(name)).into_iter().find(|p| p.exists());
    let Some(path) = path else { return Ok(None) };
    let bytes = fs::read(&path).map_err(unreadable(&path))?;
    state_from_bytes(&bytes, device).map(Some).map_err(unreadable(&path))
}

/// The state in a file's bytes.
pub(crate) fn state_from_bytes(bytes: &[u8], device: &Device) -> Result<State, ReadProblem> {
    let file = SafeTensors::deserialize(bytes)?;
    let layer = |index: usize| -> Option<Result<Tensor<3>, ReadProblem>> {
        let view = file.tensor(&format!("layer_{index}")).ok()?;
        let &[s, n, h] = view.shape() else {
            return Some(Err(format!("`layer_{index}` has shape {:?}", view.shape()).into()));
        };
        if view.dtype() != Dtype::F32 {
            let problem = format!("`layer_{index}` has elements of type {}", view.dtype());
            return Some(Err(problem.into()));
        }
        let words = view.data().chunks_exact(4);
        let values: Vec<f32> =
            words.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        Some(Ok(Tensor::from_data(TensorData::new(values, [s, n, h]), device)))
    };
    Ok(State((0..).map_while(layer).collect::<Result<_, _>>()?))
}

/// The bytes of the file that a state is written to.
pub(crate) fn state_to_bytes(state: &State) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let layers: Vec<(Vec<usize>, Vec<u8>)> = (state.0.iter())
        .map(|layer| {
            let bytes = layer.to_data().iter::<f32>().flat_map(f32::to_le_bytes).collect();
            (layer.dims().to_vec(), bytes)
        })
        .collect();
    let views = (layers.iter().enumerate())
        .map(|(index, (shape, bytes))| {
            Ok((format!("layer_{index}"), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
        })
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    safetensors::serialize(views, None)
}

/// Why something can't be read.
pub(crate) type ReadProblem = Box<dyn std::error::Error + Send + Sync>;

/// An error of reading `path`.
fn unreadable<E: Into<ReadProblem>>(path: &Path) -> impl Fn(E) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::Read { path: path.clone(), source: source.into() }
}
