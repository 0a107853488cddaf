//! `charloom generate`.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, IsTerminal, Write};

use charloom_data::{END_MARK, Vocab};
use charloom_infer::{
    BatchGenerator, GenerateConfig, GenerateError, Generator, LanguageModel, RowOutput,
};

use crate::args::{GenerateArgs, SampleArgs};
use crate::escapes::unescaped;
use crate::loaded_ensemble::LoadedEnsemble;
use crate::loaded_model::LoadedModel;
use crate::read_text::{known_prompt, read_prompt};
use crate::report::{Failure, Result, print_status};
use crate::settings;
use crate::threads;

/// Generates text to standard output.
pub fn run(args: &GenerateArgs) -> Result<()> {
    let GenerateArgs { models, sample, device } = args;
    threads::limit(device.threads)?;
    let device = device.backend.open(device.device)?;
    let loaded = LoadedEnsemble::load(models, &device)?;
    let config = generate_config(sample, &loaded)?;
    match sample.samples {
        1 => generate_one(&loaded, &config),
        samples => generate_several(&loaded, &config, samples as usize),
    }
}

/// Writes a sample, each character as soon as it is generated.
fn generate_one(loaded: &LoadedEnsemble, config: &GenerateConfig) -> Result<()> {
    let generator = Generator::new(&loaded.ensemble, config).map_err(|error| failure(&error))?;
    print_models(loaded, config.seed);
    let mut text = Text::new(loaded.ensemble.vocab());
    text.write(&config.prompt)?;
    for char in generator {
        text.write(char.map_err(|error| failure(&error))?.encode_utf8(&mut [0; 4]))?;
    }
    text.end(text.is_terminal || text.one_line_each)
}

/// Generates all samples in one batch and writes them in order: the first as it is generated, each other one as soon as it and
/// those before it are complete. Ends early when nobody reads the output any more.
fn generate_several(
    loaded: &LoadedEnsemble,
    config: &GenerateConfig,
    samples: usize,
) -> Result<()> {
    let mut batch = BatchGenerator::new(&loaded.ensemble);
    let rows = batch.add_samples(config, samples).map_err(|error| failure(&error))?;
    print_models(loaded, config.seed);
    let mut out = Text::new(loaded.ensemble.vocab());
    // What is generated of the samples that can't be written yet, and whether they are complete.
    let mut waiting: Vec<(String, bool)> = vec![Default::default(); samples];
    let mut next = 0;
    out.start_sample(1, &config.prompt)?;
    while !batch.is_empty() {
        for RowOutput { row, text, finished } in batch.step().map_err(|error| failure(&error))? {
            let Ok(number) = rows.binary_search(&row) else { continue };
            waiting[number].0 += &text;
            waiting[number].1 = finished;
        }
        while next < samples {
            out.write(&std::mem::take(&mut waiting[next].0))?;
            if !waiting[next].1 {
                break;
            }
            out.end(true)?;
            next += 1;
            if next < samples {
                out.start_sample(next + 1, &config.prompt)?;
            }
        }
        out.flush()?;
    }
    Ok(())
}

fn generate_config(args: &SampleArgs, loaded: &LoadedEnsemble) -> Result<GenerateConfig> {
    let layers = loaded.settings()?.over_flags(&args.flags())?;
    let sample = settings::sample(&layers)?;
    let prompt = match &args.prompt_file {
        Some(file) => read_prompt(loaded, file)?,
        None => sample.prompt.clone(),
    };
    let prompt = known_prompt(prompt, loaded.ensemble.vocab(), args.unknown)?;
    let stop = args.stop.as_deref().map(|typed| unescaped("`--stop`", typed));
    Ok(GenerateConfig {
        sampling: sample.sampling(),
        prompt,
        length: sample.length,
        seed: args.seed.unwrap_or_else(random_seed),
        stop: stop.transpose()?,
    })
}

/// A random seed, short enough to be typed.
fn random_seed() -> u64 {
    // The standard library keys its hash maps with random numbers from the system.
    RandomState::new().build_hasher().finish() % 1_000_000
}

/// Prints which models generate, and with which seed.
fn print_models(loaded: &LoadedEnsemble, seed: u64) {
    let dim = anstyle::Style::new().dimmed();
    let models = loaded.models.iter().map(|LoadedModel { model, path, .. }| {
        let loss = model.summary.valid_loss.map(|loss| format!(", validation loss {loss:.3}"));
        let loss = loss.unwrap_or_default();
        format!("{} (epoch {}{loss})", path.display(), model.summary.epoch)
    });
    let models = models.collect::<Vec<_>>().join(" + ");
    print_status!("{dim}{models}, `--seed {seed}` repeats this text{dim:#}");
}

/// Standard output, for generated text.
struct Text {
    out: io::StdoutLock<'static>,
    /// On a terminal each character is shown as soon as it is generated.
    is_terminal: bool,
    line_ended: bool,
    /// Whether each text is one line, so that nothing else need stand between them.
    one_line_each: bool,
}

impl Text {
    fn new(vocab: &Vocab) -> Self {
        let out = io::stdout().lock();
        let one_line_each = vocab.id(END_MARK).is_some() && vocab.id('\n').is_none();
        Self { is_terminal: out.is_terminal(), out, line_ended: true, one_line_each }
    }

    /// Writes `part`; on a terminal without buffering.
    fn write(&mut self, part: &str) -> Result<()> {
        if let Some(last) = part.chars().last() {
            self.line_ended = last == '\n';
        }
        self.out.write_all(part.as_bytes()).map_err(Failure::output)?;
        if self.is_terminal { self.out.flush().map_err(Failure::output) } else { Ok(()) }
    }

    /// Flushes, after a newline if `newline` is set and the text doesn't end with one. In a file or a pipe a single
    /// sample stays what was generated, to the byte.
    fn end(&mut self, newline: bool) -> Result<()> {
        if newline && !self.line_ended {
            self.write("\n")?;
        }
        self.out.flush().map_err(Failure::output)
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(Failure::output)
    }

    fn start_sample(&mut self, number: usize, prompt: &str) -> Result<()> {
        if !self.one_line_each {
            self.write(&format!("--- sample {number} ---\n"))?;
        }
        self.write(prompt)
    }
}

pub(super) fn failure(error: &GenerateError) -> Failure {
    match error {
        GenerateError::UnknownCharacters { .. } => {
            let known = error.hint().unwrap_or_default();
            return Failure::request_error(error)
                .hint(format!("`--unknown skip` leaves them out; {known}"));
        }
        GenerateError::Sampling(_) => Failure::request_error(error),
        GenerateError::NonFiniteLogits(_) | GenerateError::Device(_) => Failure::work_error(error),
    }
    .maybe_hint(error.hint())
}
