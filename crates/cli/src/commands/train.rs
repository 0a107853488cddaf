//! `charloom train`.

use std::path::Path;

use burn::train::Interrupter;
use charloom_data::{BatchError, Corpus};
use charloom_train::{
    CheckpointError, EvalInterval, Observer, Outcome, RunConfig, RunError, RunFolder, TrainConfig,
    TrainError, Trainer,
};

use super::model::{find_run, load, run_failure};
use super::start::FirstModel;
use super::text::{corpus_failure, fitting};
use crate::args::{DeviceArgs, RunsDir, TrainArgs};
use crate::dashboard;
use crate::device::Backend;
use crate::interrupt;
use crate::progress::{Progress, RunBanner};
use crate::report::{Failure, Result, command, counted, grouped, quoted, say};
use crate::settings::{self, Flag, Layer, Layers, SettingsFlags};
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
            Layers::new().over(Layer::saved(&run.config())?).over_flags(&settings.flags)?
        }
        (None, Some(first)) => Layers::new().over(first.settings()?).over_settings(&settings)?,
        (None, None) => Layers::from_settings(&settings)?,
    };
    let config = settings::resolve(&layers)?;
    let corpus = Corpus::read(&config.data.text).map_err(|error| corpus_failure(&error))?;
    if let Some(first) = &first {
        first.check(&config.model)?;
    }

    let mut skipped = Vec::new();
    let trainer = match (&resumed, &first) {
        (Some(run), _) => Trainer::resume(config.clone(), &corpus, &device, &run.checkpoints())
            .map(|(trainer, errors)| {
                skipped = errors;
                trainer
            }),
        (None, Some(first)) => Trainer::from_model(config.clone(), &corpus, &device, &first.model),
        (None, None) => Trainer::new(config.clone(), &corpus, &device),
    };
    let trainer =
        trainer.map_err(|error| train_failure(&error, resumed.as_ref(), &corpus, &config))?;
    let mut trainer = trainer.with_config_toml(settings::show(&config, &layers));
    let nothing_is_left = trainer.is_finished();

    let run = match resumed {
        Some(run) => run,
        None => new_run(&runs_dir, run.as_deref(), &config.data.text)?,
    };
    if let Some(first) = &first {
        first.tell(corpus.vocab());
    }
    let with_dashboard = !plain && dashboard::is_possible();
    let interrupter = Interrupter::new();
    interrupt::listen(interrupter.clone(), with_dashboard)?;
    let banner = RunBanner { samples: true, ..banner(&config, &run, &machine) };
    let mut progress = Progress::new(banner, with_dashboard.then(|| interrupter.clone()));
    skipped.iter().for_each(|error| progress.skipped_checkpoint(error));
    let done = trainer.run(&run, &interrupter, &mut progress);
    progress.close();

    let outcome = done.map_err(|error| train_failure(&error, Some(&run), &corpus, &config))?;
    let resume = resume_line(&run, &runs_dir, &machine);
    tell(&outcome, &run, &runs_dir, &resume);
    if nothing_is_left {
        let TrainConfig { epochs, max_steps, .. } = config.train;
        tell_how_to_continue(&outcome, &run, &resume, epochs, max_steps);
    }
    match outcome {
        Outcome::Interrupted { .. } => Err(Failure::interrupted()),
        _ => Ok(()),
    }
}

/// The keys that a resumed run may change, besides those of its samples.
const RESUMABLE: [&str; 5] =
    ["data.text", "train.epochs", "train.max_steps", "train.patience", "train.step_log"];

/// The run to resume. What decides which training it is stays as it was.
fn resumed(settings: &SettingsFlags, runs_dir: &Path, name: Option<&str>) -> Result<RunFolder> {
    let may_change = |Flag { path, .. }: &&Flag| {
        RESUMABLE.contains(&path.as_str()) || path.starts_with("sample.")
    };
    let changed = settings.flags.iter().filter(|flag| !may_change(flag));
    let mut changed: Vec<_> = changed.map(|flag| flag.typed.as_str()).collect();
    if settings.config.is_some() {
        changed.push("--config");
    }
    if !settings.set.is_empty() {
        changed.push("--set");
    }
    if let Some(flag) = changed.first() {
        return Err(Failure::request(format!("`{flag}` can't be given with `--resume`")).hint(
            "a run is resumed with the settings it started with; only its length (`--epochs`, `--max-steps`, `--patience`), its samples and the path of its text may change",
        ));
    }
    let run = find_run(runs_dir, name)?;
    if !run.has_checkpoint() {
        return Err(Failure::request(format!(
            "the run `{}` has no checkpoint to resume from",
            run.name()
        ))
        .hint(format!(
            "`{} train --config {}` starts it again, under another name",
            command(),
            quoted(&run.config().to_string_lossy())
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

/// What is printed before a training starts.
pub fn banner(config: &RunConfig, run: &RunFolder, machine: &DeviceArgs) -> RunBanner {
    let threads = match machine.backend {
        Backend::Flex | Backend::NdArray => format!(", {}", counted(threads::count(), "thread")),
        _ => String::new(),
    };
    let model = &config.model;
    RunBanner {
        text: format!("`{}`", config.data.text.display()),
        network: format!(
            "{}, {} of {}",
            model.cell,
            counted(model.layers, "layer"),
            model.hidden_size
        ),
        machine: format!("on {}{threads}", machine.backend),
        run: format!("`{}`", run.path().display()),
        chars_per_batch: config.data.batch_size * config.data.seq_length,
        max_steps: config.train.max_steps,
        evaluates_by_steps: matches!(config.train.eval_every, EvalInterval::Steps(_)),
        samples: false,
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

/// What the user types to resume it.
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
                "stopped early after epoch {epoch}, step {}: the validation loss has stopped improving",
                grouped(step as u64)
            ),
            best_valid_loss,
        ),
        Outcome::Interrupted { step } => {
            say!("stopped after step {}; everything is saved", grouped(step as u64));
            say!("\nto resume:  {resume}");
            return;
        }
    };
    let best = best.map(|loss| format!(", best validation loss {loss:.4}")).unwrap_or_default();
    say!("{what}{best}: `{}`", run.model().display());
    say!("\nto generate text:  {}", line("generate", run, runs_dir));
}

/// A resumed run had nothing left to do: says how to train it further.
fn tell_how_to_continue(
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
    say!("to train further:  {more}");
}

/// A training that failed, with what would help.
fn train_failure(
    error: &TrainError,
    run: Option<&RunFolder>,
    corpus: &Corpus,
    config: &RunConfig,
) -> Failure {
    match error {
        TrainError::Run(error) => run_failure(error),
        TrainError::Batches(BatchError::TooShort(_)) => {
            Failure::request_error(error).maybe_hint(fitting(corpus.chars(), &config.data))
        }
        TrainError::Prompt(_) => Failure::request_error(error)
            .hint("`--prompt TEXT` sets another one, and `--prompt ''` none"),
        TrainError::Settings(_)
        | TrainError::Network(_)
        | TrainError::Batches(BatchError::Zero(_))
        | TrainError::NothingToValidate { .. }
        | TrainError::Fractions(_)
        | TrainError::InitFrom(_)
        | TrainError::Checkpoint(
            CheckpointError::None { .. }
            | CheckpointError::OtherText { .. }
            | CheckpointError::OtherSettings { .. },
        ) => Failure::request_error(error),
        TrainError::NotFinite { .. } => {
            let model = run.map(RunFolder::model).filter(|model| model.exists());
            let kept = model
                .map(|model| format!("the best model so far is kept in `{}`; ", model.display()));
            Failure::work_error(error).hint(format!(
                "{}a smaller learning rate (`--lr`) or `--clip '{{norm=1}}'` may help",
                kept.unwrap_or_default()
            ))
        }
        TrainError::Checkpoint(_)
        | TrainError::Model(_)
        | TrainError::Evaluate(_)
        | TrainError::Sample(_) => Failure::work_error(error),
    }
}
