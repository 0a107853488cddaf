//! `charloom score`.

mod labels;
mod models;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use charloom_data::{CorpusError, EscapedChar, Origin};
use charloom_infer::{Score, best_model, score, unknown_char_nll};
use indicatif::{ProgressBar, ProgressStyle};

use self::models::{Named, load_all};
use super::text::corpus_failure;
use crate::args::ScoreArgs;
use crate::report::{Failure, Result, counted, grouped, say};
use crate::threads;

/// Scores lines or files under one model or several.
pub fn run(args: &ScoreArgs) -> Result<()> {
    let ScoreArgs { files, lines, labels, models, device } = args;
    threads::limit(device.threads)?;
    let device = device.backend.open(device.device)?;
    let models = load_all(models, &device)?;
    let texts = files.iter().map(|path| Ok((path.as_path(), read(path)?)));
    let texts: Vec<(&Path, String)> = texts.collect::<Result<_>>()?;
    if *labels {
        return labels::run(&models, &texts);
    }
    let (scored, named): (Vec<&str>, Vec<String>) = if *lines {
        texts.iter().flat_map(|(_, text)| text.lines()).map(|line| (line, visible(line))).unzip()
    } else {
        texts.iter().map(|(path, text)| (text.as_str(), path.display().to_string())).unzip()
    };
    let scores = score_all(&models, &scored)?;
    rows(&models, &named, &scores).map_err(Failure::output)?;
    summary(&models, &scores);
    Ok(())
}

/// A whole text file. What is in it that a model doesn't know is no matter here.
fn read(path: &Path) -> Result<String> {
    let owned = || path.to_owned();
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => CorpusError::Missing(owned()),
        _ => CorpusError::Unreadable { path: owned(), source },
    };
    let read = || {
        // Before reading, because to open a named pipe is to wait for its writer.
        let metadata = fs::metadata(path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(CorpusError::NotAFile { path: owned(), folder: metadata.is_dir() });
        }
        let text = String::from_utf8(fs::read(path).map_err(failed)?).map_err(|error| {
            let offset = error.utf8_error().valid_up_to() as u64;
            CorpusError::NotUtf8 { path: owned(), offset }
        })?;
        if text.is_empty() {
            return Err(CorpusError::Empty(Origin::File(owned())));
        }
        Ok(text)
    };
    read().map_err(|error| corpus_failure(&error))
}

/// The scores of all texts under each model: `[models][texts]`.
fn score_all(models: &[Named], texts: &[&str]) -> Result<Vec<Vec<Score>>> {
    let style = ProgressStyle::with_template("[{bar:30}] {pos} of {len} characters, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let mut scores = Vec::with_capacity(models.len());
    for Named { model, .. } in models {
        let bar = ProgressBar::new(0).with_style(style.clone());
        let found = score(model, texts, &mut |done, total| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        scores.push(found.map_err(|error| Failure::work_error(&error))?);
    }
    Ok(scores)
}

/// A line for each text: with several models the likeliest of them, the nats per character under each, the text.
fn rows(models: &[Named], named: &[String], scores: &[Vec<Score>]) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for (place, text) in named.iter().enumerate() {
        let under: Vec<Score> = scores.iter().map(|scores| scores[place]).collect();
        if models.len() > 1 {
            let name = best_model(&under).map_or("-", |best| models[best].name.as_str());
            write!(out, "{name}\t")?;
        }
        for score in &under {
            match score.nll_per_char() {
                Some(nats) => write!(out, "{nats:.4}\t")?,
                None => write!(out, "-\t")?,
            }
        }
        writeln!(out, "{text}")?;
    }
    out.flush()
}

/// Tells of all texts together.
fn summary(models: &[Named], scores: &[Vec<Score>]) {
    for (Named { name, .. }, scores) in models.iter().zip(scores) {
        let all: Score = scores.iter().copied().sum();
        let mean = match all.nll_per_char() {
            Some(nats) => format!(", {nats:.4} nats per character"),
            None => String::new(),
        };
        let unknown = match all.unknown {
            0 => String::new(),
            unknown => format!(
                ", {} of them unknown to it, at {:.2} nats each",
                grouped(unknown as u64),
                unknown_char_nll()
            ),
        };
        say!("{name}: {}{mean}{unknown}", counted(all.chars, "character"));
    }
}

/// A line in which nothing steers the terminal, and a byte-order mark is seen.
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
