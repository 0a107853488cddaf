//! A training told in plain lines on standard error.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use charloom_train::{EpochReport, Observer, Started, StepReport};

use crate::report::{counted, duration, grouped, say};

/// Often enough to see that it lives, seldom enough for a log file.
const EVERY: Duration = Duration::from_secs(5);

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();

/// What the training itself doesn't know to tell.
#[derive(Clone, Debug)]
pub struct Introduction {
    pub text: String,
    pub network: String,
    pub machine: String,
    pub run: String,
    /// N·T.
    pub chars_per_batch: usize,
    /// 0 for no limit.
    pub max_steps: usize,
    pub epochs: usize,
    /// Whether the model is evaluated after so many steps, not after epochs.
    pub by_steps: bool,
}

/// Tells a training as it goes, or holds it back for later.
pub struct Progress {
    introduction: Introduction,
    /// Lines that a dashboard hides for now.
    held: Option<Held>,
    last_line: Instant,
}

/// What is to be told when the dashboard is gone: all lines, and of the samples the last.
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<Mutex<(Vec<String>, Option<String>)>>);

impl Held {
    /// Tells it.
    pub fn release(&self) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sample = held.1.take();
        for line in held.0.drain(..).chain(sample) {
            say!("{line}");
        }
    }
}

impl Progress {
    /// Tells the training as it goes, or once `held` is released.
    pub fn new(introduction: Introduction, held: Option<Held>) -> Self {
        Self { introduction, held, last_line: Instant::now() }
    }

    fn line(&self, line: fmt::Arguments<'_>) {
        match &self.held {
            None => say!("{line}"),
            Some(Held(held)) => {
                held.lock().unwrap_or_else(PoisonError::into_inner).0.push(line.to_string());
            }
        }
    }

    fn sample(&self, sample: &str) {
        match &self.held {
            None => say!("{}", framed(sample)),
            Some(Held(held)) => {
                held.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(framed(sample));
            }
        }
    }

    /// Training time that is left, if the speed stays as it is.
    fn time_left(&self, step: &StepReport) -> Option<f64> {
        let StepReport {
            epoch,
            epochs,
            batch,
            batches,
            step,
            loss: _,
            smooth_loss: _,
            chars_per_second,
        } = *step;
        let mut left = (epochs.saturating_sub(epoch)) * batches + batches.saturating_sub(batch);
        if self.introduction.max_steps > 0 {
            left = left.min(self.introduction.max_steps.saturating_sub(step));
        }
        let chars = (left * self.introduction.chars_per_batch) as f64;
        (chars_per_second > 0.0).then(|| chars / chars_per_second)
    }
}

impl Observer for Progress {
    fn started(&mut self, info: &Started) {
        let Started {
            parameters,
            vocab_size,
            train_chars,
            valid_chars,
            batches,
            valid_batches: _,
            epoch,
            step,
        } = *info;
        let Introduction {
            text,
            network,
            machine,
            run,
            chars_per_batch: _,
            max_steps,
            epochs,
            by_steps: _,
        } = &self.introduction;
        self.line(format_args!(
            "{BOLD}text{BOLD:#}   {text}: {} characters to learn from, {} to validate with, {vocab_size} distinct",
            grouped(train_chars as u64),
            grouped(valid_chars as u64)
        ));
        self.line(format_args!(
            "{BOLD}model{BOLD:#}  {network}, {} parameters, {machine}",
            grouped(parameters as u64)
        ));
        let limit = match max_steps {
            0 => String::new(),
            steps => format!(", {} at most", counted(*steps, "step")),
        };
        self.line(format_args!(
            "{BOLD}run{BOLD:#}    {run}: {} of {}{limit}",
            counted(*epochs, "epoch"),
            match batches {
                1 => "1 batch".to_owned(),
                batches => format!("{} batches", grouped(batches as u64)),
            },
        ));
        if step > 0 {
            self.line(format_args!(
                "going on after step {}, in epoch {epoch}",
                grouped(step as u64)
            ));
        }
        self.last_line = Instant::now();
    }

    fn step(&mut self, report: &StepReport) {
        if self.held.is_some() || self.last_line.elapsed() < EVERY {
            return;
        }
        self.last_line = Instant::now();
        let StepReport {
            epoch,
            epochs,
            batch,
            batches,
            step,
            loss,
            smooth_loss: _,
            chars_per_second,
        } = *report;
        let left = self.time_left(report).map(|left| format!(", {} left", duration(left)));
        self.line(format_args!(
            "{DIM}epoch {epoch}/{epochs}, {:>2} %, step {}: loss {loss:.3}, {} characters/s{}{DIM:#}",
            100 * batch / batches.max(1),
            grouped(step as u64),
            grouped(chars_per_second as u64),
            left.unwrap_or_default(),
        ));
    }

    fn epoch(&mut self, report: &EpochReport, sample: &str) {
        let EpochReport {
            epoch,
            epochs,
            step,
            train_loss,
            smooth_loss,
            valid_loss,
            valid_perplexity,
            valid_bits_per_char,
            learning_rate: _,
            chars_per_second,
            seconds,
            best,
        } = *report;
        let best = if best { format!(" {GOOD}best{GOOD:#}") } else { String::new() };
        let (place, smoothed) = if self.introduction.by_steps {
            let place = format!("step {}, epoch {epoch}/{epochs}", grouped(step as u64));
            (place, format!(", smoothed {smooth_loss:.4}"))
        } else {
            (format!("epoch {epoch}/{epochs}"), String::new())
        };
        self.line(format_args!(
            "{BOLD}{place}{BOLD:#} training {train_loss:.4}{smoothed}, validation {BOLD}{valid_loss:.4}{BOLD:#} \
             (perplexity {valid_perplexity:.3}, {valid_bits_per_char:.3} bits/char), {} characters/s, {}{best}",
            grouped(chars_per_second as u64),
            duration(seconds)
        ));
        if !sample.is_empty() {
            self.sample(sample);
        }
        self.last_line = Instant::now();
    }
}

/// A sample with a bar in front of each line, so that one sees where it begins and ends.
fn framed(sample: &str) -> String {
    let mut text = format!("{DIM}  ┌{DIM:#}\n");
    for line in sample.lines() {
        let shown: String = line.chars().map(visible).collect();
        text += &format!("{DIM}  │{DIM:#} {shown}\n");
    }
    text + &format!("{DIM}  └{DIM:#}")
}

/// What a terminal would obey is shown as what it is not.
fn visible(char: char) -> char {
    match char {
        '\t' => char,
        '\r' => ' ',
        char if char.is_control() => char::REPLACEMENT_CHARACTER,
        char => char,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn introduction(max_steps: usize) -> Introduction {
        let (text, network) = ("a.txt".into(), "lstm".into());
        let (machine, run) = ("1 core".into(), "runs/a".into());
        Introduction {
            text,
            network,
            machine,
            run,
            chars_per_batch: 6,
            max_steps,
            epochs: 3,
            by_steps: false,
        }
    }

    const STEP: StepReport = StepReport {
        epoch: 2,
        epochs: 3,
        batch: 4,
        batches: 10,
        step: 14,
        loss: 1.5,
        smooth_loss: 1.6,
        chars_per_second: 3.0,
    };

    #[test]
    fn the_time_left_counts_all_epochs_and_ends_at_the_last_step() {
        // 6 batches of this epoch and 10 of the next, 6 characters each.
        assert_eq!(Progress::new(introduction(0), None).time_left(&STEP), Some(32.0));
        assert_eq!(Progress::new(introduction(17), None).time_left(&STEP), Some(6.0));
        let standing = StepReport { chars_per_second: 0.0, ..STEP };
        assert_eq!(Progress::new(introduction(0), None).time_left(&standing), None);
    }

    #[test]
    fn a_sample_cannot_steer_the_terminal() {
        let framed = framed("ab\u{1b}[2J\r\n\tc");
        let plain = anstream::adapter::strip_str(&framed).to_string();
        assert_eq!(plain, "  ┌\n  │ ab\u{fffd}[2J\n  │ \tc\n  └");
    }
}
