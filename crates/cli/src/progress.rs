//! Progress of a training: lines on standard error, or burn-train's dashboard.

use std::fmt;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use burn::train::Interrupter;
use charloom_train::{
    CheckpointError, EvalReport, MetricsRow, Observer, RecoveryReport, StepReport, TrainInfo,
};

use crate::dashboard::Dashboard;
use crate::report::{duration, pluralize, print_status, with_thousands};

/// Often enough to see that it is alive, seldom enough for a log file.
const INTERVAL: Duration = Duration::from_secs(5);

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();

/// What is printed before a training starts, besides what the trainer knows.
#[derive(Clone, Debug)]
pub struct RunBanner {
    pub text: String,
    pub network: String,
    pub machine: String,
    pub run: String,
    /// 0 for no limit.
    pub max_steps: usize,
    /// Whether the model is evaluated after a number of steps, not of epochs.
    pub evaluates_by_steps: bool,
    /// Whether samples are printed.
    pub samples: bool,
    /// The number of processes that train together.
    pub ranks: usize,
}

/// Reports a training as it runs. While a dashboard is shown, lines are held back until it is closed.
pub struct Progress {
    banner: RunBanner,
    info: Option<TrainInfo>,
    /// The interrupter that a dashboard is to be opened with.
    with_dashboard: Option<Interrupter>,
    dashboard: Option<Dashboard>,
    held_lines: Vec<String>,
    held_sample: Option<String>,
    last_line: Instant,
}

impl Progress {
    /// Lines, or a dashboard whose quit key stops the interrupter.
    pub fn new(banner: RunBanner, with_dashboard: Option<Interrupter>) -> Self {
        Self {
            banner,
            info: None,
            with_dashboard,
            dashboard: None,
            held_lines: Vec::new(),
            held_sample: None,
            last_line: Instant::now(),
        }
    }

    /// Closes the dashboard and prints what it hid: all lines, and the last sample.
    pub fn close(&mut self) {
        self.dashboard = None;
        for line in self.held_lines.drain(..).chain(self.held_sample.take()) {
            print_status!("{line}");
        }
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        match self.dashboard {
            None => print_status!("{line}"),
            Some(_) => self.held_lines.push(line.to_string()),
        }
    }
}

/// Training time that is left at the current speed.
fn time_left(report: &StepReport) -> Option<f64> {
    let StepReport { chars_left, chars_per_second, .. } = *report;
    (chars_per_second > 0.0).then(|| chars_left as f64 / chars_per_second)
}

/// How much of the training time processes wait for each other's gradients; nothing with one process.
fn percent_of_communication(fraction: f64) -> String {
    match fraction > 0.0 {
        true => format!(", {:.0} % communication", 100.0 * fraction),
        false => String::new(),
    }
}

impl Observer for Progress {
    fn started(&mut self, info: &TrainInfo) {
        let TrainInfo {
            parameters,
            vocab_size,
            train_chars,
            valid_chars,
            batches,
            phases,
            total_steps,
            epochs,
            epoch,
            step,
        } = *info;
        self.info = Some(*info);
        if let Some(interrupter) = self.with_dashboard.take() {
            self.dashboard = Some(Dashboard::open(interrupter, info));
        }
        let RunBanner { text, network, machine, run, max_steps, ranks, .. } = self.banner.clone();
        let machine = match ranks {
            1 => machine,
            _ => format!("{machine} in each of {ranks} processes"),
        };
        self.line(format_args!(
            "{BOLD}text{BOLD:#}   {text}: {} training characters, {} validation characters, {vocab_size} distinct",
            with_thousands(train_chars as u64),
            with_thousands(valid_chars as u64)
        ));
        self.line(format_args!(
            "{BOLD}model{BOLD:#}  {network}, {} parameters, {machine}",
            with_thousands(parameters as u64)
        ));
        let limit = match max_steps {
            0 => String::new(),
            steps => format!(", at most {}", pluralize(steps, "step")),
        };
        let schedule = match phases {
            1 => String::new(),
            _ => format!(
                " at first, {} steps in all; the batches change {}",
                with_thousands(total_steps as u64),
                if phases == 2 { "once".to_owned() } else { format!("{} times", phases - 1) },
            ),
        };
        self.line(format_args!(
            "{BOLD}run{BOLD:#}    {run}: {} of {}{schedule}{limit}",
            pluralize(epochs, "epoch"),
            match batches {
                1 => "1 batch".to_owned(),
                batches => format!("{} batches", with_thousands(batches as u64)),
            },
        ));
        if step > 0 {
            let step = with_thousands(step as u64);
            self.line(format_args!("resuming after step {step}, in epoch {epoch}"));
        }
        self.last_line = Instant::now();
    }

    fn skipped_checkpoint(&mut self, error: &CheckpointError) {
        self.line(format_args!("{error}; resuming from the checkpoint before it"));
    }

    fn recovered(&mut self, report: &RecoveryReport<'_>) {
        let RecoveryReport { error, step, recoveries, most } = report;
        let start = match step {
            0 => "the start".to_owned(),
            step => format!("step {}", with_thousands(*step as u64)),
        };
        self.line(format_args!(
            "{error}: back to {start}, at half the learning rate ({recoveries} of {most}, `train.recover`)"
        ));
    }

    fn step(&mut self, report: &StepReport) {
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.step(report);
            return;
        }
        let Some(TrainInfo { epochs, .. }) = self.info else { return };
        if self.last_line.elapsed() < INTERVAL {
            return;
        }
        self.last_line = Instant::now();
        let StepReport { epoch, batch, batches, step, loss, chars_per_second, .. } = *report;
        let communication = percent_of_communication(report.communication);
        let left = time_left(report).map(|left| format!(", {} left", duration(left)));
        self.line(format_args!(
            "{DIM}epoch {epoch}/{epochs}, {:>2} %, step {}: loss {loss:.3}, {} characters/s{communication}{}{DIM:#}",
            100 * batch / batches.max(1),
            with_thousands(step as u64),
            with_thousands(chars_per_second as u64),
            left.unwrap_or_default(),
        ));
    }

    fn evaluating(&mut self, done: usize, total: usize) {
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.evaluating(done, total);
        }
    }

    fn evaluated(&mut self, report: &EvalReport, sample: &str) {
        if let Some(dashboard) = &mut self.dashboard {
            dashboard.evaluated(report);
        }
        let EvalReport { metrics, smooth_loss, is_best } = *report;
        let MetricsRow {
            epoch,
            step,
            train_loss,
            valid_loss,
            valid_perplexity,
            valid_bits_per_char,
            learning_rate: _,
            chars_per_second,
            seconds,
            recoveries: _,
            communication,
        } = metrics;
        let epochs = self.info.map_or(epoch, |info| info.epochs);
        let best = if is_best { format!(" {GOOD}best{GOOD:#}") } else { String::new() };
        let (position, smoothed) = if self.banner.evaluates_by_steps {
            let position = format!("step {}, epoch {epoch}/{epochs}", with_thousands(step as u64));
            (position, format!(", smoothed {smooth_loss:.4}"))
        } else {
            (format!("epoch {epoch}/{epochs}"), String::new())
        };
        self.line(format_args!(
            "{BOLD}{position}{BOLD:#} training {train_loss:.4}{smoothed}, validation {BOLD}{valid_loss:.4}{BOLD:#} \
             (perplexity {valid_perplexity:.3}, {valid_bits_per_char:.3} bits/char), {} characters/s{}, {}{best}",
            with_thousands(chars_per_second as u64),
            percent_of_communication(communication.unwrap_or(0.0)),
            duration(seconds)
        ));
        if !sample.is_empty() && self.banner.samples {
            match self.dashboard {
                None => print_status!("{}", framed(sample)),
                Some(_) => self.held_sample = Some(framed(sample)),
            }
        }
        self.last_line = Instant::now();
    }
}

/// A sample with a bar in front of each line, which distinguishes it from messages.
fn framed(sample: &str) -> String {
    let mut text = format!("{DIM}  ┌{DIM:#}\n");
    for line in sample.lines() {
        let shown: String = line.chars().map(visible).collect();
        text += &format!("{DIM}  │{DIM:#} {shown}\n");
    }
    text + &format!("{DIM}  └{DIM:#}")
}

/// Control characters are replaced: a terminal would obey them.
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

    const STEP: StepReport = StepReport {
        epoch: 2,
        batch: 4,
        batches: 10,
        step: 14,
        loss: 1.5,
        smooth_loss: 1.6,
        learning_rate: 1e-3,
        gradient_norm: None,
        chars_per_second: 3.0,
        communication: 0.0,
        chars_left: 96,
    };

    #[test]
    fn the_time_left_is_that_of_the_characters_left_at_the_speed_so_far() {
        assert_eq!(time_left(&STEP), Some(32.0));
        assert_eq!(time_left(&StepReport { chars_per_second: 0.0, ..STEP }), None);
    }

    #[test]
    fn a_sample_cannot_control_the_terminal() {
        let framed = framed("ab\u{1b}[2J\r\n\tc");
        let plain = anstream::adapter::strip_str(&framed).to_string();
        assert_eq!(plain, "  ┌\n  │ ab\u{fffd}[2J\n  │ \tc\n  └");
    }
}
