//! `charloom train`.

mod followers;

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use burn::train::Interrupter;
use charloom_data::{BatchError, Corpus, TextPaths};
use charloom_model::Precision;
use charloom_train::{
    CheckpointError, Observer, Outcome, RunConfig, RunError, RunFolder, TrainConfig, TrainError,
    Trainer,
};

use super::plan;
use crate::args::{RunsDir, TrainArgs};
use crate::corpus_hints::smaller_batches;
use crate::dashboard;
use crate::fit;
use crate::init_from::InitModel;
use crate::interrupt;
use crate::loaded_model::load;
use crate::memory_limit;
use crate::preflight;
use crate::progress::{Progress, RunBanner};
use crate::ranks::Ranks;
use crate::read_text::read_corpus;
use crate::recipe;
use crate::report::{
    Failure, Result, command, pluralize, print_status, quoted_path, shell_quoted, with_thousands,
};
use crate::run_banner::banner;
use crate::run_commands::{resume_command, run_command, runs_dir_flag};
use crate::runs::{find_run, place, run_failure};
use crate::settings::{self, Layer, Layers, SettingsFlags};
use crate::threads;

/// Trains a model, or the members of an ensemble.
pub fn run(args: TrainArgs, ranks: &Ranks) -> Result<()> {
    if args.dry_run {
        return match ranks.rank() {
            0 => plan::plan(&args.settings, &args.device),
            _ => Ok(()),
        };
    }
    threads::limit(args.device.threads)?;
    if ranks.rank() > 0 {
        return followers::follow(ranks, &args.device, &Interrupter::new());
    }
    if ranks.size() > 1 && args.members.is_some() {
        return Err(Failure::request("`--members` can't be given to several processes")
            .hint("`charloom sweep` with `--only` trains models in parallel"));
    }
    let with_dashboard = !args.plain && dashboard::is_possible();
    let interrupter = Interrupter::new();
    match args.members {
        Some(members) => train_members(&args, members.into(), with_dashboard, &interrupter, ranks),
        None => train(args, with_dashboard, &interrupter, ranks),
    }
}

/// Trains the members that aren't trained yet, one after the other.
fn train_members(
    args: &TrainArgs,
    members: usize,
    with_dashboard: bool,
    interrupter: &Interrupter,
    ranks: &Ranks,
) -> Result<()> {
    let TrainArgs { settings, runs: RunsDir { runs_dir }, run, .. } = args;
    let base = run.as_deref().unwrap_or_default();
    let layers = Layers::from_settings(settings)?;
    let config = settings::resolve(&layers)?;
    let TrainConfig { seed, minutes, .. } = config.train;
    let by_recipe = recipe::applies(&layers, &config)?;
    let mut names = Vec::new();
    for member in 1..=members {
        let name = format!("{base}-{member}");
        print_status!("\nmember {member}/{members}  `{name}`");
        let mut args = TrainArgs { run: Some(name.clone()), members: None, ..args.clone() };
        let (folder, file) = place(runs_dir, &name);
        match RunFolder::open(folder, file).is_ok_and(|run| run.has_checkpoint()) {
            true => (args.resume, args.settings) = (true, SettingsFlags::default()),
            false => {
                let seed = seed.saturating_add(member as u64 - 1);
                args.settings.override_key("train.seed", seed.to_string());
                if by_recipe {
                    let minutes = minutes / members as f64;
                    args.settings.override_key("train.minutes", minutes.to_string());
                }
            }
        }
        train(args, with_dashboard, interrupter, ranks)?;
        names.push(format!(" --run {}", shell_quoted(&name)));
    }
    print_status!(
        "\nto evaluate the ensemble:  {} eval --average{}{} --split valid",
        command(),
        names.concat(),
        runs_dir_flag(runs_dir)
    );
    Ok(())
}

/// Trains a model.
fn train(
    args: TrainArgs,
    with_dashboard: bool,
    interrupter: &Interrupter,
    ranks: &Ranks,
) -> Result<()> {
    let TrainArgs {
        settings,
        device: machine,
        runs: RunsDir { runs_dir },
        run,
        resume,
        init_from,
        members: _,
        dry_run: _,
        plain: _,
    } = args;
    let started = Instant::now();
    let resumed = match resume {
        true => Some(resumed(&settings, &runs_dir, run.as_deref())?),
        false => None,
    };
    let device = machine.backend.open(machine.device)?;
    let init = match &init_from {
        Some(path) => Some(InitModel { path, model: load(path, &device)? }),
        None => None,
    };
    let layers = match (&resumed, &init) {
        (Some(run), _) => {
            Layers::new().over(Layer::saved(&run.config())?).over_settings(&settings)?
        }
        (None, Some(init)) => Layers::new().over(init.settings()?).over_settings(&settings)?,
        (None, None) => Layers::from_settings(&settings)?,
    };
    let config = settings::resolve(&layers)?;
    let corpus = read_corpus(&config.data)?;
    if resumed.is_none()
        && let Ok(fractions) = config.data.fractions()
    {
        preflight::print(&corpus, fractions);
    }
    let by_recipe = resumed.is_none() && recipe::applies(&layers, &config)?;
    if by_recipe && ranks.size() > 1 {
        return Err(Failure::request(
            "the recipe fits a training to the speed of one process, not of several",
        )
        .hint("give the size and the length, as in `--hidden-size 512 --epochs 20`, or a settings file"));
    }
    let (layers, config) = fitted(layers, config, by_recipe, &corpus, &device, started)?;
    memory_limit::check(&config, &corpus, &device)?;
    let precision = config.train.precision.resolve(&device);
    let precision = precision.map_err(|error| Failure::request_error(&error))?;
    if precision == Precision::Bf16 && Precision::fastest(&device) == Precision::F32 {
        print_status!("note   this processor computes bf16 slower than f32 (`train.precision`)");
    }
    let precision = precision.into();
    let config = RunConfig { train: TrainConfig { precision, ..config.train }, ..config };
    if let Some(init) = &init {
        init.check(&config.model)?;
    }

    let mut skipped = Vec::new();
    let trainer = match (&resumed, &init) {
        (Some(run), _) => Trainer::resume(config.clone(), &corpus, &device, &run.checkpoints())
            .map(|(trainer, errors)| {
                skipped = errors;
                trainer
            }),
        (None, Some(init)) => Trainer::from_model(config.clone(), &corpus, &device, &init.model),
        (None, None) => Trainer::new(config.clone(), &corpus, &device),
    };
    let trainer =
        trainer.map_err(|error| train_failure(&error, resumed.as_ref(), &corpus, &config))?;
    followers::send(ranks, &config, &corpus);
    let trainer = trainer
        .with_group(ranks.group.clone())
        .map_err(|error| train_failure(&error, resumed.as_ref(), &corpus, &config))?;
    let config_toml = settings::show(&config, &layers) + &settings::show_changes(trainer.changes());
    let mut trainer = trainer.with_config_toml(config_toml);
    let already_finished = trainer.is_finished();

    let run = match resumed {
        Some(run) => run,
        None => new_run(&runs_dir, run.as_deref(), &config.data.text)?,
    };
    if let Some(init) = &init {
        init.print_vocab_diff(corpus.vocab());
    }
    interrupt::listen(interrupter, with_dashboard)?;
    if let Some(cores) = threads::cores_missed().filter(|_| ranks.size() > 1) {
        print_status!(
            "note   this process is pinned to {} of {cores} cores that it could use (`mpirun --bind-to none`)",
            threads::count()
        );
    }
    let banner =
        RunBanner { samples: true, ranks: ranks.size(), ..banner(&config, &run, &machine) };
    let mut progress = Progress::new(banner, with_dashboard.then(|| interrupter.clone()));
    skipped.iter().for_each(|error| progress.skipped_checkpoint(error));
    let done = trainer.run(&run, interrupter, &mut progress);
    progress.close();

    let outcome = done.map_err(|error| train_failure(&error, Some(&run), &corpus, &config))?;
    let resume = resume_command(&run, &machine);
    print_outcome(&outcome, &run, &resume);
    if already_finished {
        let TrainConfig { epochs, max_steps, .. } = config.train;
        print_how_to_continue(&outcome, &run, &resume, epochs, max_steps);
    }
    match outcome {
        Outcome::Interrupted { .. } => Err(Failure::interrupted()),
        _ => Ok(()),
    }
}

/// The settings with what the recipe chooses, or with batches that fit the text.
pub(super) fn fitted(
    layers: Layers,
    config: RunConfig,
    by_recipe: bool,
    corpus: &Corpus,
    device: &Device,
    started: Instant,
) -> Result<(Layers, RunConfig)> {
    if !by_recipe {
        return fit::batches(layers, config, corpus);
    }
    // The recipe measures steps of a network of the sizes that are given.
    memory_limit::check(&config, corpus, device)?;
    recipe::fitted(layers, &config, corpus, device, started)?
        .map_err(|error| train_failure(&error, None, corpus, &config))
}

/// The run to resume. What decides which training it is stays as it was.
fn resumed(settings: &SettingsFlags, runs_dir: &Path, name: Option<&str>) -> Result<RunFolder> {
    let typed = Layer::command_line(&settings.set, &settings.flags)?;
    let fixed = typed.iter().find(|setting| !RunConfig::is_resumable(&setting.key));
    let fixed = fixed.map(|setting| setting.source.place());
    if let Some(flag) = fixed.or(settings.config.as_ref().map(|_| "`--config`".to_owned())) {
        return Err(Failure::request(format!("{flag} can't be given with `--resume`")).hint(
            "a run keeps its text, its batches, and what its weights are; what it may change, such as `--lr`, `--schedule`, `--dropout` and `--epochs`, is in docs/runs.md",
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
            quoted_path(&run.config())
        )));
    }
    Ok(run)
}

/// The folder of a new run: of that name, or of the text's with the next free number.
fn new_run(runs_dir: &Path, name: Option<&str>, text: &TextPaths) -> Result<RunFolder> {
    if let Some(name) = name {
        let (folder, name) = place(runs_dir, name);
        return RunFolder::create(folder, name).map_err(|error| run_failure(&error));
    }
    let stem: String = (text.stem().chars())
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

/// Prints how a training ended, and what to do next.
fn print_outcome(outcome: &Outcome, run: &RunFolder, resume: &str) {
    let (what, best) = match *outcome {
        Outcome::Finished { best_valid_loss, step } => {
            (format!("done after {}", pluralize(step, "step")), best_valid_loss)
        }
        Outcome::StoppedEarly { best_valid_loss, epoch, step } => (
            format!(
                "stopped early after epoch {epoch}, step {}: the validation loss has stopped improving",
                with_thousands(step as u64)
            ),
            best_valid_loss,
        ),
        Outcome::Interrupted { step } => {
            print_status!(
                "stopped after step {}; everything is saved",
                with_thousands(step as u64)
            );
            print_status!("\nto resume:  {resume}");
            return;
        }
    };
    let best = best.map(|loss| format!(", best validation loss {loss:.4}")).unwrap_or_default();
    print_status!("{what}{best}: `{}`", run.model().display());
    print_status!("\nto generate text:  {}", run_command("generate", run));
}

/// Prints how to train a resumed run further that had already finished.
fn print_how_to_continue(
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
            let [config, model] = [run.config(), run.model()].map(|path| quoted_path(&path));
            format!("{} train --config {config} --init-from {model}", command())
        }
        Outcome::Interrupted { .. } => return,
    };
    print_status!("to train further:  {more}");
}

/// A training that failed, with what would help.
pub(super) fn train_failure(
    error: &TrainError,
    run: Option<&RunFolder>,
    corpus: &Corpus,
    config: &RunConfig,
) -> Failure {
    match error {
        TrainError::Run(error) => run_failure(error),
        TrainError::Batches(BatchError::TooShort(_)) => {
            Failure::request_error(error).maybe_hint(smaller_batches(corpus, &config.data))
        }
        TrainError::BatchSchedule { change, source } => {
            let sizes = [
                ("batch_size", source.batch_size_that_fits),
                ("seq_length", source.seq_length_that_fits),
            ];
            let fitting =
                sizes.into_iter().filter_map(|(key, size)| Some(format!("`{key} = {}`", size?)));
            let fitting = fitting.collect::<Vec<_>>().join(" or ");
            Failure::request_error(error).maybe_hint(
                (!fitting.is_empty())
                    .then(|| format!("{fitting} in `data.batch_schedule[{change}]` would fit")),
            )
        }
        TrainError::FewerRowsThanRanks { ranks, .. } => Failure::request_error(error)
            .hint(format!("`--batch-size {ranks}` or more, or fewer processes")),
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
