//! `charloom generate`.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, IsTerminal, Write};

use charloom_infer::{GenerateConfig, GenerateError, Generator, generate_many};

use super::model::Chosen;
use crate::args::{GenerateArgs, SampleArgs};
use crate::report::{Failure, Result, say};
use crate::settings;
use crate::threads;

/// Writes text to standard output.
pub fn run(args: &GenerateArgs) -> Result<()> {
    let GenerateArgs { model, sample, device } = args;
    threads::limit(device.threads)?;
    let device = device.backend.open(device.device)?;
    let chosen = Chosen::load(model, &device)?;
    let config = generate_config(sample, &chosen)?;
    match sample.samples {
        1 => one(&chosen, &config),
        samples => many(&chosen, &config, samples as usize),
    }
}

/// Writes a text, each character as soon as it is made.
fn one(chosen: &Chosen, config: &GenerateConfig) -> Result<()> {
    let generator = Generator::new(&chosen.model, config).map_err(|error| failure(&error))?;
    introduce(chosen, config.seed);
    let mut text = Text::new();
    text.write(&config.prompt)?;
    for char in generator {
        text.write(char.map_err(|error| failure(&error))?.encode_utf8(&mut [0; 4]))?;
    }
    text.end(text.is_terminal)
}

/// Computes all samples side by side, and writes them in order, each as soon as it and those before it are whole.
fn many(chosen: &Chosen, config: &GenerateConfig, samples: usize) -> Result<()> {
    let mut text = Text::new();
    let mut waiting: Vec<Option<String>> = vec![None; samples];
    let mut next = 0;
    let mut written = Ok(());
    let done = generate_many(&chosen.model, config, samples, &mut |number, sample| {
        waiting[number] = Some(sample.to_owned());
        while let Some(sample) = waiting.get_mut(next).and_then(Option::take) {
            if next == 0 {
                introduce(chosen, config.seed);
            }
            next += 1;
            if written.is_ok() {
                written = text.sample(next, &config.prompt, &sample);
            }
        }
    });
    // A reader who went away is told first: it is what stopped the rest.
    written?;
    done.map(drop).map_err(|error| failure(&error))
}

fn generate_config(args: &SampleArgs, chosen: &Chosen) -> Result<GenerateConfig> {
    let layers = chosen.settings()?.over_flags(&args.flags())?;
    let sample = settings::sample(&layers)?;
    Ok(GenerateConfig {
        sampling: sample.sampling(),
        prompt: sample.prompt,
        length: sample.length,
        seed: args.seed.unwrap_or_else(any_seed),
        stop: args.stop.as_deref().map(unescaped),
    })
}

/// A number short enough to be typed again.
fn any_seed() -> u64 {
    // The standard library seeds its hash maps with what the system holds for random.
    RandomState::new().build_hasher().finish() % 1_000_000
}

/// `\n`, `\t` and `\\` as the characters that they stand for: few shells let one type those.
pub(super) fn unescaped(typed: &str) -> String {
    let mut text = String::new();
    let mut chars = typed.chars();
    while let Some(char) = chars.next() {
        match (char, chars.clone().next()) {
            ('\\', Some(escaped @ ('n' | 't' | '\\'))) => {
                chars.next();
                text.push(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                });
            }
            _ => text.push(char),
        }
    }
    text
}

/// Says which model writes, and how to have the same text again.
fn introduce(chosen: &Chosen, seed: u64) {
    let dim = anstyle::Style::new().dimmed();
    let summary = &chosen.model.summary;
    let loss =
        summary.valid_loss.map(|loss| format!(", validation loss {loss:.3}")).unwrap_or_default();
    say!(
        "{dim}{} (epoch {}{loss}), `--seed {seed}` writes this again{dim:#}",
        chosen.path.display(),
        summary.epoch
    );
}

/// What is written to standard output.
struct Text {
    out: io::StdoutLock<'static>,
    /// Someone watches: each character is shown as soon as it is generated.
    is_terminal: bool,
    line_ended: bool,
}

impl Text {
    fn new() -> Self {
        let out = io::stdout().lock();
        Self { is_terminal: out.is_terminal(), out, line_ended: true }
    }

    /// Writes `part`; to a terminal at once.
    fn write(&mut self, part: &str) -> Result<()> {
        if let Some(last) = part.chars().last() {
            self.line_ended = last == '\n';
        }
        self.out.write_all(part.as_bytes()).map_err(Failure::output)?;
        if self.is_terminal { self.out.flush().map_err(Failure::output) } else { Ok(()) }
    }

    /// Ends the last line if `wanted`, and flushes. In a file or a pipe the text stays what was generated, to
    /// the byte.
    fn end(&mut self, wanted: bool) -> Result<()> {
        if wanted && !self.line_ended {
            self.write("\n")?;
        }
        self.out.flush().map_err(Failure::output)
    }

    fn sample(&mut self, number: usize, prompt: &str, sample: &str) -> Result<()> {
        self.write(&format!("--- sample {number} ---\n"))?;
        self.write(prompt)?;
        self.write(sample)?;
        self.end(true)
    }
}

pub(super) fn failure(error: &GenerateError) -> Failure {
    match error {
        GenerateError::UnknownCharacters { .. } | GenerateError::Sampling(_) => {
            Failure::request_error(error)
        }
        GenerateError::NonFiniteLogits(_) | GenerateError::Device(_) => Failure::work_error(error),
    }
    .maybe_hint(error.hint())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_text_may_be_typed_with_escapes() {
        for (typed, text) in
            [("\\n", "\n"), ("a\\tb", "a\tb"), ("\\\\n", "\\n"), ("\\x", "\\x"), ("end\\", "end\\")]
        {
            assert_eq!(unescaped(typed), text);
        }
    }
}
