//! `charloom score --labels`: how many texts are likeliest under the model that their label names.

use std::path::Path;

use charloom_infer::{ConfusionMatrix, Score, best_model};

use super::models::Named;
use super::{score_all, summary, visible};
use crate::report::{Failure, Result, answer, counted, grouped, say};

/// Prints the accuracy, and which texts were taken for which.
pub fn run(models: &[Named], files: &[(&Path, String)]) -> Result<()> {
    if models.len() < 2 {
        return Err(Failure::request("labels need several models to tell apart, not one")
            .hint("`--run NAME` and `--model FILE` may be repeated"));
    }
    let mut labels = Vec::new();
    let mut texts = Vec::new();
    for (path, content) in files {
        for (number, line) in content.lines().enumerate() {
            // Such as at the end of a file.
            if line.is_empty() {
                continue;
            }
            let (label, text) = labelled(models, line, path, number + 1)?;
            labels.push(label);
            texts.push(text);
        }
    }
    let scores = score_all(models, &texts)?;
    let mut confusion = ConfusionMatrix::new(models.len());
    for (place, &label) in labels.iter().enumerate() {
        let under: Vec<Score> = scores.iter().map(|scores| scores[place]).collect();
        if let Some(best) = best_model(&under) {
            confusion.add(label, best);
        }
    }
    let Some(accuracy) = confusion.accuracy() else {
        return Err(Failure::request("there is no labelled text that has a character"));
    };
    summary(models, &scores);
    let left_out = labels.len() - confusion.total();
    if left_out > 0 {
        say!("{} without characters left out", counted(left_out, "text"));
    }
    answer!(
        "accuracy  {:.2} %, {} of {}",
        100.0 * accuracy,
        grouped(confusion.correct() as u64),
        counted(confusion.total(), "text")
    )?;
    table(models, &confusion)
}

/// The place of the model that a line's label names, and the line's text.
fn labelled<'a>(
    models: &[Named],
    line: &'a str,
    path: &Path,
    number: usize,
) -> Result<(usize, &'a str)> {
    let place = format!("line {number} of `{}`", path.display());
    let Some((label, text)) = line.split_once('\t') else {
        return Err(Failure::request(format!("{place} has no tab"))
            .hint("with `--labels`, a line is a label, a tab and a text"));
    };
    let names = || models.iter().map(|model| format!("`{}`", model.name)).collect::<Vec<_>>();
    let model = models.iter().position(|model| model.name == label).ok_or_else(|| {
        Failure::request(format!(
            "{place} has the label `{}`, which names no model",
            visible(label)
        ))
        .hint(format!("the models are {}", names().join(", ")))
    })?;
    Ok((model, text))
}

/// A row for each label, a column for each model that its texts were taken for.
fn table(models: &[Named], confusion: &ConfusionMatrix) -> Result<()> {
    const CORNER: &str = "label / likeliest";
    let width = |name: &str| name.chars().count();
    let first = models.iter().map(|model| width(&model.name)).max().unwrap_or(0);
    let first = first.max(width(CORNER));
    let cells = |is: usize| confusion.row(is).iter().map(|&count| grouped(count as u64));
    let widths: Vec<usize> = (models.iter().enumerate())
        .map(|(column, model)| {
            let counts = (0..models.len()).filter_map(|is| cells(is).nth(column));
            counts.map(|count| width(&count)).max().unwrap_or(0).max(width(&model.name))
        })
        .collect();
    let line = |head: &str, cells: &mut dyn Iterator<Item = String>| {
        let cells = cells.zip(&widths).map(|(cell, &width)| format!("  {cell:>width$}"));
        answer!("{head:<first$}{}", cells.collect::<String>())
    };
    answer!("")?;
    line(CORNER, &mut models.iter().map(|model| model.name.clone()))?;
    for (is, model) in models.iter().enumerate() {
        line(&model.name, &mut cells(is))?;
    }
    Ok(())
}
