//! `charloom score`.

mod labels;
mod models;

use std::io::{self, BufWriter, Write};
use std::path::Path;

use charloom_data::{DataConfig, Documents, EscapedChar};
use charloom_infer::{LanguageModel, Score, best_model, score};
use indicatif::{ProgressBar, ProgressStyle};

use self::models::{NamedModel, load_all};
use super::eval::of_them_unknown;
use crate::args::{ScoreArgs, UnknownArg};
use crate::read_text::{read_to_string, scored_texts};
use crate::report::{Failure, Result, pluralize, print_status};
use crate::settings::{self, Layers};
use crate::threads;

/// Scores lines or files under one model or several.
pub fn run(args: &ScoreArgs) -> Result<()> {
    let ScoreArgs { files, unknown, lines, labels, format, models, device } = args;
    threads::limit(device.threads)?;
    let device = device.backend.open(device.device)?;
    let models = load_all(models, &device)?;
    // Models that differ in how they read are compared on the same characters.
    let data = settings::data(&Layers::new().over_flags(format)?)?;
    let read = |path: &Path| {
        let documents = Documents::None;
        read_to_string(&DataConfig { text: path.into(), documents, ..data.clone() })
    };
    let texts = files.iter().map(|path| Ok((path.as_path(), read(path)?)));
    let texts: Vec<(&Path, String)> = texts.collect::<Result<_>>()?;
    if *labels {
        return labels::run(&models, &texts, *unknown);
    }
    let (scored, named): (Vec<&str>, Vec<String>) = if *lines {
        texts.iter().flat_map(|(_, text)| text.lines()).map(|line| (line, visible(line))).unzip()
    } else {
        texts.iter().map(|(path, text)| (text.as_str(), path.display().to_string())).unzip()
    };
    let scores = score_all(&models, &scored, *unknown)?;
    print_rows(&models, &named, &scores).map_err(Failure::output)?;
    print_summary(&models, &scores);
    Ok(())
}

/// The scores of all texts under each model: `[models][texts]`.
fn score_all(
    models: &[NamedModel],
    texts: &[&str],
    unknown: Option<UnknownArg>,
) -> Result<Vec<Vec<Score>>> {
    let style = ProgressStyle::with_template("[{bar:30}] {pos} of {len} characters, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let mut scores = Vec::with_capacity(models.len());
    for NamedModel { model, .. } in models {
        let texts = scored_texts(texts, model.vocab(), unknown)?;
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let bar = ProgressBar::new(0).with_style(style.clone());
        let found = score(model, &texts, &mut |done, total| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        scores.push(found.map_err(|error| Failure::work_error(&error))?);
    }
    Ok(scores)
}

/// Prints a row for each text: the name of the best model if there are several, the loss under each in nats per
/// character, the text.
fn print_rows(models: &[NamedModel], named: &[String], scores: &[Vec<Score>]) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for (index, text) in named.iter().enumerate() {
        let scores: Vec<Score> = scores.iter().map(|scores| scores[index]).collect();
        if models.len() > 1 {
            let name = best_model(&scores).map_or("-", |best| models[best].name.as_str());
            write!(out, "{name}\t")?;
        }
        for score in &scores {
            match score.nll_per_char() {
                Some(nats) => write!(out, "{nats:.4}\t")?,
                None => write!(out, "-\t")?,
            }
        }
        writeln!(out, "{text}")?;
    }
    out.flush()
}

/// Prints the loss over all texts under each model.
fn print_summary(models: &[NamedModel], scores: &[Vec<Score>]) {
    for (NamedModel { name, .. }, scores) in models.iter().zip(scores) {
        let all: Score = scores.iter().copied().sum();
        let mean = match all.nll_per_char() {
            Some(nats) => format!(", {nats:.4} nats per character"),
            None => String::new(),
        };
        let unknown = of_them_unknown(all.unknown);
        print_status!("{name}: {}{mean}{unknown}", pluralize(all.chars, "character"));
    }
}

/// `line` with control characters and byte-order marks escaped, so that it can't steer the terminal.
fn visible(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for char in line.chars() {
        if char.is_control() || char == '\u{feff}' {
            text += &EscapedChar(char).to_string();
        } else {
            text.push(char);
        }
    }
    text
}
