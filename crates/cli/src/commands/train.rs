//! `charloom train`.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use burn::train::Interrupter;
use burn::train::renderer::MetricsRenderer;
use charloom_data::{BatchConfig, BatchError, Corpus, Fractions};
use charloom_train::{
    CheckpointError, EvalEvery, Job, Outcome, RunError, RunFolder, SampleConfig, Silent, Start,
    TrainConfig, TrainError,
};

use super::model::{find_run, load, run_failure};
use super::start::FirstModel;
use super::text::{corpus_failure, fitting};
use crate::args::{DeviceArgs, RunsDir, Settings, TrainArgs};
use crate::config::{self, Layer, Layers, Resolved};
use crate::dashboard::{self, Dashboard};
use crate::device::Backend;
use crate::interrupt;
use crate::progress::{Held, Introduction, Progress};
use crate::report::{Failure, Result, command, counted, grouped, quoted, say};
use crate::threads;

/// Trains a model.
pub fn run(args: TrainArgs) -> Result<()> {
    let TrainArgs {
        settings,
        device: machine,
        runs: RunsDir { runs_dir },
        run,
        resume,
        init_from,
        plain,
    } = args;
    let resumed = match resume {
        true => Some(resumed(&settings, &runs_dir, run.as_deref())?),
        false => None,
    };
    threads::limit(machine.threads)?;
    let device = machine.backend.open(machine.device)?;
    let first = match &init_from {
        Some(path) => Some(FirstModel { path, model: load(path, &device)? }),
        None => None,
    };
    let layers = match (&resumed, &first) {
        (Some(run), _) => {
            Layers::new().over(Layer::saved(&run.config())?).over_flags(settings.flags())?
        }
        (None, Some(first)) => Layers::new().over(first.settings()?).over_settings(&settings)?,
        (None, None) => Layers::from_settings(&settings)?,
    };
    let resolved = config::resolve(&layers)?;
    let corpus = Corpus::read(&resolved.text).map_err(|error| corpus_failure(&error))?;
    let (start, run) = match (resumed, first) {
        (Some(run), _) => (Start::Resume, run),
        (None, Some(first)) => {
            first.check(&resolved.model)?;
            let run = new_run(&runs_dir, run.as_deref(), &resolved.text)?;
            first.tell(corpus.vocab());
            (Start::From(Box::new(first.model)), run)
        }
        (None, None) => (Start::Fresh, new_run(&runs_dir, run.as_deref(), &resolved.text)?),
    };
    let toml = config::show(&resolved, &layers);
    Training { resolved, toml, device, corpus, start, run, runs_dir, machine, plain }.go()
}

/// The run to go on with. What decides what is trained stays as it was.
fn resumed(settings: &Settings, runs_dir: &Path, name: Option<&str>) -> Result<RunFolder> {
    let changes_nothing = ["--epochs", "--max-steps"];
    let mut changed: Vec<_> = settings.flags().into_iter().map(|(flag, ..)| flag).collect();
    changed.retain(|flag| !changes_nothing.contains(flag));
    if settings.config.is_some() {
        changed.push("--config");
    }
    if !settings.set.is_empty() {
        changed.push("--set");
    }
    if let Some(flag) = changed.first() {
        return Err(Failure::request(format!("`{flag}` can't be given with `--resume`")).hint(
            "a run goes on with the settings that it began with; only `--epochs` and `--max-steps` may be others",
        ));
    }
    let run = find_run(runs_dir, name)?;
    if !run.checkpoint_exists() {
        return Err(Failure::request(format!(
            "the run `{}` has no checkpoint to go on from",
            run.name()
        ))
        .hint(format!(
            "`{} train --config {}` begins it anew, under another name",
            command(),
            run.config().display()
        )));
    }
    Ok(run)
}

/// The folder of a new run: of that name, or of the text's with the next free number.
fn new_run(runs_dir: &Path, name: Option<&str>, text: &Path) -> Result<RunFolder> {
    if let Some(name) = name {
        return RunFolder::create(runs_dir, name).map_err(|error| run_failure(&error));
    }
    let stem = text.file_stem().unwrap_or_default().to_string_lossy();
    let stem: String = stem
        .chars()
        .map(|char| if char.is_alphanumeric() || char == '_' { char } else { '-' })
        .collect();
    let stem = match stem.trim_matches('-') {
        "" => "run",
        stem => stem,
    };
    for number in 1.. {
        match RunFolder::create(runs_dir, &format!("{stem}-{number}")) {
            Err(RunError::Exists { .. }) => {}
            Err(error) => return Err(run_failure(&error)),
            Ok(run) => return Ok(run),
        }
    }
    unreachable!("some number is free")
}

/// All that a training needs.
struct Training {
    resolved: Resolved,
    toml: String,
    device: Device,
    corpus: Corpus,
    start: Start,
    run: RunFolder,
    runs_dir: PathBuf,
    machine: DeviceArgs,
    plain: bool,
}

impl Training {
    fn go(self) -> Result<()> {
        let Self { resolved, toml, device, corpus, start, run, runs_dir, machine, plain } = self;
        let with_dashboard = !plain && dashboard::is_possible();
        let interrupter = Interrupter::new();
        interrupt::listen(interrupter.clone(), with_dashboard)?;

        let introduction = introduction(&resolved, &run, &machine);
        let (renderer, held): (Box<dyn MetricsRenderer>, _) = match with_dashboard {
            true => (Box::new(Dashboard::new(interrupter.clone())), Some(Held::default())),
            false => (Box::new(Silent), None),
        };
        let fresh = !matches!(start, Start::Resume);
        let (chars, fractions, batch) = (corpus.chars(), resolved.fractions, resolved.batch);
        let config = train_config(resolved, toml);
        let (epochs, max_steps) = (config.epochs, config.max_steps);
        let had_ended = !fresh && matches!(run.has_ended(&config, corpus.sha256()), Ok(true));
        let done = charloom_train::train(Job {
            run: run.clone(),
            corpus,
            config,
            device,
            start,
            interrupter,
            renderer,
            observer: Box::new(Progress::new(introduction, held.clone())),
        });
        // The dashboard is gone with the job: what it hid can be told.
        if let Some(held) = held {
            held.release();
        }
        match done {
            Ok(outcome) => {
                let resume = resume_line(&run, &runs_dir, &machine);
                tell(&outcome, &run, &runs_dir, &resume);
                if had_ended {
                    tell_how_to_go_on(&outcome, &run, &resume, epochs, max_steps);
                }
                Ok(())
            }
            Err(error) => {
                if fresh && !run.config().exists() {
                    // It was refused before it began: the name is free again.
                    let _ = std::fs::remove_dir_all(run.path());
                }
                Err(train_failure(&error, &run, chars, fractions, batch))
            }
        }
    }
}

/// What [`charloom_train`] takes: settings, and `toml` to be kept beside them.
pub fn train_config(resolved: Resolved, toml: String) -> TrainConfig {
    let Resolved {
        text,
        fractions,
        batch,
        model,
        epochs,
        max_steps,
        patience,
        seed,
        eval_every,
        optimizer,
        clip,
        schedule,
        loss,
        state,
        sample,
    } = resolved;
    TrainConfig {
        model,
        batch,
        fractions,
        epochs,
        max_steps,
        seed,
        optimizer,
        schedule,
        clip,
        loss,
        state,
        eval_every,
        patience,
        sample: SampleConfig {
            sampling: sample.sampling(),
            prime: sample.prime,
            length: sample.length,
        },
        text_name: text.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        toml,
    }
}

/// What is told before a training begins.
pub fn introduction(resolved: &Resolved, run: &RunFolder, machine: &DeviceArgs) -> Introduction {
    let threads = match machine.backend {
        Backend::Flex | Backend::NdArray => format!(", {}", counted(threads::count(), "thread")),
        _ => String::new(),
    };
    let model = &resolved.model;
    Introduction {
        text: format!("`{}`", resolved.text.display()),
        network: format!(
            "{}, {} of {}",
            model.cell,
            counted(model.layers, "layer"),
            model.hidden_size
        ),
        machine: format!("on {}{threads}", machine.backend),
        run: format!("`{}`", run.path().display()),
        chars_per_batch: resolved.batch.batch_size * resolved.batch.seq_length,
        max_steps: resolved.max_steps,
        epochs: resolved.epochs,
        by_steps: matches!(resolved.eval_every, EvalEvery::Steps(_)),
    }
}

/// What the user types to do something with the run.
pub fn line(what: &str, run: &RunFolder, runs_dir: &Path) -> String {
    let mut line = format!("{} {what} --run {}", command(), quoted(run.name()));
    if runs_dir != Path::new("runs") {
        line += &format!(" --runs-dir {}", quoted(&runs_dir.to_string_lossy()));
    }
    line
}

/// What the user types to go on.
fn resume_line(run: &RunFolder, runs_dir: &Path, machine: &DeviceArgs) -> String {
    line("train --resume", run, runs_dir) + &machine_flags(machine)
}

/// The flags that choose the same device again.
pub fn machine_flags(machine: &DeviceArgs) -> String {
    let DeviceArgs { backend, device, threads: _ } = machine;
    let mut flags = String::new();
    if *backend != Backend::default() {
        flags += &format!(" --backend {backend}");
    }
    if let Some(device) = device {
        flags += &format!(" --device {device}");
    }
    flags
}

/// Says how a training ended, and what to do next.
fn tell(outcome: &Outcome, run: &RunFolder, runs_dir: &Path, resume: &str) {
    let (what, best) = match *outcome {
        Outcome::Finished { best_valid_loss, step } => {
            (format!("done after {}", counted(step, "step")), best_valid_loss)
        }
        Outcome::StoppedEarly { best_valid_loss, epoch, step } => (
            format!(
                "stopped early after epoch {epoch}, step {}: the validation loss falls no more",
                grouped(step as u64)
            ),
            best_valid_loss,
        ),
        Outcome::Interrupted { step } => {
            say!("stopped after step {}; everything is saved", grouped(step as u64));
            say!("\nto go on:  {resume}");
            return;
        }
    };
    let best = best.map(|loss| format!(", best validation loss {loss:.4}")).unwrap_or_default();
    say!("{what}{best}: `{}`", run.model().display());
    say!("\nto write with it:  {}", line("generate", run, runs_dir));
}

/// A resumed run had nothing left to do: says what would give it something.
fn tell_how_to_go_on(
    outcome: &Outcome,
    run: &RunFolder,
    resume: &str,
    epochs: usize,
    max_steps: usize,
) {
    let more = match *outcome {
        Outcome::Finished { step, .. } if max_steps > 0 && step >= max_steps => {
            format!("{resume} --max-steps {}", 2 * max_steps)
        }
        Outcome::Finished { .. } => format!("{resume} --epochs {}", 2 * epochs),
        Outcome::StoppedEarly { .. } => {
            let [config, model] =
                [run.config(), run.model()].map(|path| quoted(&path.to_string_lossy()));
            format!("{} train --config {config} --init-from {model}", command())
        }
        Outcome::Interrupted { .. } => return,
    };
    say!("to train on:       {more}");
}

/// A training that failed, with what would help.
fn train_failure(
    error: &TrainError,
    run: &RunFolder,
    chars: usize,
    fractions: Fractions,
    batch: BatchConfig,
) -> Failure {
    match error {
        TrainError::Run(error) => run_failure(error),
        TrainError::Batches(BatchError::TooShort(_)) => {
            Failure::request_error(error).maybe_hint(fitting(chars, fractions, batch))
        }
        TrainError::Prime(_) => Failure::request_error(error).hint(
            "`--set sample.prime=TEXT` takes another one, and `--set sample.prime=\"\"` none",
        ),
        TrainError::Batches(BatchError::Zero(_))
        | TrainError::Start(_)
        | TrainError::Checkpoint(
            CheckpointError::None { .. }
            | CheckpointError::OtherText { .. }
            | CheckpointError::OtherSettings { .. },
        ) => Failure::request_error(error),
        TrainError::NotFinite { .. } => {
            let model = run.model();
            let kept = if model.exists() {
                format!("the best model so far is kept in `{}`; ", model.display())
            } else {
                String::new()
            };
            Failure::work_error(error).hint(format!(
                "{kept}a smaller learning rate (`--lr`) or `--set train.clip={{norm=1}}` may help"
            ))
        }
        TrainError::Checkpoint(CheckpointError::Read { path, .. }) => {
            let folder = path.parent().unwrap_or(path).display();
            Failure::work_error(error).hint(format!(
                "without the folder `{folder}`, `--resume` takes the checkpoint before it, if there is one"
            ))
        }
        TrainError::Checkpoint(_)
        | TrainError::Model(_)
        | TrainError::Sample(_)
        | TrainError::Burn(_) => Failure::work_error(error),
    }
}
