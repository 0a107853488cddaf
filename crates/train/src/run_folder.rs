//! [`RunFolder`]: where everything that a training writes is found.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use charloom_data::{Corpus, atomic};

use crate::batch_phases::BatchPhases;
use crate::checkpoint::{self, Info};
use crate::{CheckpointError, RunConfig, RunError};

/// `runs/<name>/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
    name: String,
}

impl RunFolder {
    /// Creates the folder of a new run.
    pub fn create(runs: &Path, name: &str) -> Result<Self, RunError> {
        let run = Self::at(runs, name)?;
        fs::create_dir_all(runs).map_err(failed("create", runs))?;
        fs::create_dir(&run.path).map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => {
                RunError::Exists { name: name.to_string(), folder: runs.to_path_buf() }
            }
            _ => RunError::Io { action: "create", path: run.path.clone(), source },
        })?;
        for folder in ["checkpoints", "samples"] {
            let folder = run.path.join(folder);
            fs::create_dir(&folder).map_err(failed("create", &folder))?;
        }
        Ok(run)
    }

    /// The folder of an existing run.
    pub fn open(runs: &Path, name: &str) -> Result<Self, RunError> {
        let run = Self::at(runs, name)?;
        if !run.config().is_file() && !run.model().is_file() {
            let (name, folder) = (name.to_string(), runs.to_path_buf());
            return Err(RunError::Missing { name, folder });
        }
        Ok(run)
    }

    /// The run that was trained last, if there is one.
    pub fn newest(runs: &Path) -> Result<Option<Self>, RunError> {
        let entries = match fs::read_dir(runs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", runs)(error)),
        };
        let mut newest: Option<(SystemTime, Self)> = None;
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Ok(run) = Self::open(runs, &name) else { continue };
            let changed = run.changed();
            if newest.as_ref().is_none_or(|(time, _)| changed > *time) {
                newest = Some((changed, run));
            }
        }
        Ok(newest.map(|(_, run)| run))
    }

    fn at(runs: &Path, name: &str) -> Result<Self, RunError> {
        let plain = Path::new(name).file_name().is_some_and(|file| file == name);
        if !plain || name.starts_with('.') {
            return Err(RunError::Name { name: name.to_string() });
        }
        Ok(Self { path: runs.join(name), name: name.to_string() })
    }

    fn changed(&self) -> SystemTime {
        let files = [self.config(), self.model(), self.checkpoints()];
        let times = files.iter().filter_map(|file| fs::metadata(file).ok()?.modified().ok());
        times.max().unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// Keeps other processes from training the run for as long as the file is open; the system releases it when this
    /// process ends, however it does.
    pub(crate) fn lock(&self) -> Result<fs::File, RunError> {
        let path = self.path.join(".lock");
        let file = fs::File::create(&path).map_err(failed("create", &path))?;
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => Err(RunError::Busy {
                name: self.name.clone(),
                folder: self.path.parent().unwrap_or(Path::new("")).to_path_buf(),
            }),
            // Some file systems have no locks.
            Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(file),
        }
    }

    /// The name of the run.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `config.toml`: the resolved configuration, written before training starts.
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// `model.safetensors`: the model with the lowest validation loss so far.
    pub fn model(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// `metrics.csv`: one row per evaluation.
    pub fn metrics(&self) -> PathBuf {
        self.path.join("metrics.csv")
    }

    /// Whether the run can be resumed.
    pub fn has_checkpoint(&self) -> bool {
        !checkpoint::list(&self.checkpoints()).is_empty()
    }

    /// Whether nothing is left to do of the run with these settings, of this text. A run without a checkpoint has
    /// everything before it.
    ///
    /// # Errors
    /// If the newest checkpoint can't be read, or belongs to another text or other settings.
    pub fn is_finished(
        &self,
        config: &RunConfig,
        corpus: &Corpus,
    ) -> Result<bool, CheckpointError> {
        let Some(path) = checkpoint::list(&self.checkpoints()).into_iter().next() else {
            return Ok(false);
        };
        let info = Info::read(&path)?;
        info.check(&path, corpus.sha256(), config)?;
        // Where the settings don't fit the text, the trainer says so.
        Ok(BatchPhases::of_corpus(&config.data, corpus).is_ok_and(|phases| {
            info.progress.is_finished(&config.train, phases.total_steps(&config.train))
        }))
    }

    /// `checkpoints/`: what [`Trainer::resume`](crate::Trainer::resume) takes.
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// `steps.csv`: one row per step, if the settings ask for it.
    pub fn steps(&self) -> PathBuf {
        self.path.join("steps.csv")
    }

    pub(crate) fn write_config(&self, toml: &str) -> Result<(), RunError> {
        write(&self.config(), toml.as_bytes())
    }

    /// Writes `samples/<name>.txt`.
    pub(crate) fn write_sample(&self, name: &str, text: &str) -> Result<(), RunError> {
        let file = self.path.join("samples").join(format!("{name}.txt"));
        write(&file, text.as_bytes())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    atomic::write(path, bytes).map_err(failed("write", path))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> RunError {
    let path = path.to_path_buf();
    move |source| RunError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_trained_by_one_process_at_a_time() {
        let runs = tempfile::tempdir().unwrap();
        let run = RunFolder::create(runs.path(), "a").unwrap();
        let lock = run.lock().unwrap();
        let error = run.lock().unwrap_err();
        assert!(matches!(error, RunError::Busy { .. }), "{error}");
        assert!(error.to_string().contains("the run `a`"), "{error}");
        drop(lock);
        run.lock().unwrap();
    }
}
