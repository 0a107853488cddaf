//! burn-train's terminal dashboard.

use std::io::{self, IsTerminal};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use burn::train::Interrupter;
use burn::train::logger::TrainingProgressLogger;
use burn::train::metric::{
    MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry, SerializedEntry,
};
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use burn::train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};
use charloom_train::{EvalReport, StepReport, TrainInfo};
use crossterm::cursor::Show;
use crossterm::event::DisableMouseCapture;
use crossterm::terminal::{LeaveAlternateScreen, disable_raw_mode};

/// Whether there is a terminal for it: it draws on standard output and reads keys.
pub fn is_possible() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal() && io::stdin().is_terminal()
}

/// The dashboard while a training runs; dropped, it gives the terminal back.
pub struct Dashboard {
    tui: TuiMetricsRendererWrapper,
    loss: Metric,
    perplexity: Metric,
    speed: Metric,
    learning_rate: Metric,
    /// Batches of the epoch.
    batches: usize,
    /// The epoch that is shown.
    epoch: usize,
    /// Whether an evaluation is shown.
    evaluating: bool,
}

impl Dashboard {
    /// Opens it. Its quit key stops `interrupter`.
    pub fn open(interrupter: Interrupter, info: &TrainInfo) -> Self {
        let mut dashboard = Self {
            tui: TuiMetricsRendererWrapper::new(interrupter, None),
            loss: Metric::new("Loss", Some("nats/char"), false),
            perplexity: Metric::new("Perplexity", None, false),
            speed: Metric::new("Characters per second", Some("chars/s"), true),
            learning_rate: Metric::new("Learning rate", None, true),
            batches: info.batches,
            epoch: 0,
            evaluating: false,
        };
        let Dashboard { loss, perplexity, speed, learning_rate, .. } = &dashboard;
        let metrics = [loss, perplexity, speed, learning_rate].map(|metric| metric.definition());
        let (epochs, epoch, batches) = (info.epochs, info.epoch, info.batches);
        dashboard.draw(|tui| {
            metrics.into_iter().for_each(|metric| tui.register_metric(metric));
            tui.start(epochs, epoch, Some(batches), None);
        });
        dashboard
    }

    /// Draws on it. Its "kill" key panics in here, after it has restored the terminal.
    fn draw(&mut self, draw: impl FnOnce(&mut TuiMetricsRendererWrapper)) {
        catch_unwind(AssertUnwindSafe(|| draw(&mut self.tui)))
            .unwrap_or_else(|_| std::process::exit(130));
    }

    pub fn step(&mut self, report: &StepReport) {
        let StepReport { epoch, batch, batches, loss, learning_rate, chars_per_second, .. } =
            *report;
        if self.epoch != epoch || self.batches != batches || self.evaluating {
            if self.epoch != epoch {
                self.loss.restart();
                self.perplexity.restart();
            }
            (self.epoch, self.batches, self.evaluating) = (epoch, batches, false);
            self.draw(|tui| {
                enable_signals();
                tui.update_epoch(epoch - 1);
                tui.start_split("train", batches);
            });
        }
        let states = [
            self.loss.update(loss),
            self.perplexity.update(loss.exp()),
            self.speed.update(chars_per_second),
            self.learning_rate.update(learning_rate),
        ];
        self.draw(|tui| {
            states.into_iter().for_each(|state| tui.update_train(state));
            tui.update_split(batch);
        });
    }

    pub fn evaluating(&mut self, done: usize, total: usize) {
        let starts = !self.evaluating;
        self.evaluating = true;
        self.draw(|tui| {
            if starts {
                tui.end_split();
                tui.start_split("valid", total);
            }
            tui.update_split(done);
        });
    }

    pub fn evaluated(&mut self, report: &EvalReport) {
        let metrics = &report.metrics;
        let states =
            [self.loss.show(metrics.valid_loss), self.perplexity.show(metrics.valid_perplexity)];
        self.draw(|tui| {
            states.into_iter().for_each(|state| tui.update_valid(state));
            tui.end_split();
        });
    }
}

/// A curve of the dashboard, and its running mean over the epoch.
struct Metric {
    id: MetricId,
    name: Arc<String>,
    unit: Option<&'static str>,
    higher_is_better: bool,
    sum: f64,
    count: usize,
}

impl Metric {
    fn new(name: &str, unit: Option<&'static str>, higher_is_better: bool) -> Self {
        let name = Arc::new(name.to_owned());
        Self { id: MetricId::new(name.clone()), name, unit, higher_is_better, sum: 0.0, count: 0 }
    }

    fn definition(&self) -> MetricDefinition {
        let (unit, higher_is_better) = (self.unit.map(str::to_owned), self.higher_is_better);
        MetricDefinition {
            metric_id: self.id.clone(),
            name: self.name.clone(),
            description: None,
            attributes: NumericAttributes { unit, higher_is_better }.into(),
        }
    }

    fn restart(&mut self) {
        (self.sum, self.count) = (0.0, 0);
    }

    /// The value of a batch.
    fn update(&mut self, value: f64) -> MetricState {
        (self.sum, self.count) = (self.sum + value, self.count + 1);
        let mean = self.sum / self.count as f64;
        self.state(value, format!("epoch {mean:.4} - batch {value:.4}"))
    }

    /// The value of an evaluation.
    fn show(&self, value: f64) -> MetricState {
        self.state(value, format!("{value:.4}"))
    }

    fn state(&self, value: f64, formatted: String) -> MetricState {
        let number = NumericEntry::Value(value);
        let entry = SerializedEntry::new(formatted, number.serialize());
        MetricState::Numeric(MetricEntry::new(self.id.clone(), entry), Some(number))
    }
}

/// The dashboard turns Ctrl-C into a key like any other; this makes it a signal again.
#[cfg(unix)]
fn enable_signals() {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let terminal = io::stdin();
    // Where that fails, the quit key stops the training.
    if let Ok(mut modes) = tcgetattr(&terminal) {
        modes.local_modes |= LocalModes::ISIG;
        _ = tcsetattr(&terminal, OptionalActions::Now, &modes);
    }
}

#[cfg(not(unix))]
fn enable_signals() {}

/// Restores the terminal when there is no time to close the dashboard.
pub fn restore_terminal() {
    _ = crossterm::execute!(io::stdout(), DisableMouseCapture, LeaveAlternateScreen, Show);
    _ = disable_raw_mode();
}
