//! burn-train's view of a training: its terminal dashboard, or nothing where [`crate::progress`] tells all.

use std::io::{self, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};

use burn::train::Interrupter;
use burn::train::LearnerSummary;
use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::MetricDefinition;
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};

/// What [`MetricsRendererTraining::on_train_end`] gives back.
type Ended = Result<(), Box<dyn std::error::Error>>;

/// Whether there is a terminal to show it on: it draws on standard output and reads keys.
pub fn is_possible() -> bool {
    io::stdout().is_terminal() && io::stderr().is_terminal() && io::stdin().is_terminal()
}

/// Burn's dashboard, with two things set right. At the end of a training it resets the interrupter that it was given,
/// which would make us forget why the training ended: so it has one of its own, whose wish to stop is passed on. And it
/// puts the terminal in a mode where Ctrl-C is a key like any other: so that is undone.
pub struct Dashboard {
    inner: TuiMetricsRendererWrapper,
    /// What the dashboard's own quit key sets.
    quit: Interrupter,
    interrupter: Interrupter,
}

impl Dashboard {
    pub fn new(interrupter: Interrupter) -> Self {
        let quit = Interrupter::new();
        let inner = TuiMetricsRendererWrapper::new(quit.clone(), None);
        Self { inner, quit, interrupter }
    }

    /// Passes a call on. The dashboard's "kill" key panics in here, when it has put the terminal right.
    fn pass<T>(&mut self, call: impl FnOnce(&mut TuiMetricsRendererWrapper) -> T) -> T {
        if self.quit.should_stop() && !self.interrupter.should_stop() {
            self.interrupter.stop(self.quit.get_message().as_deref());
        }
        catch_unwind(AssertUnwindSafe(|| call(&mut self.inner)))
            .unwrap_or_else(|_| std::process::exit(130))
    }
}

/// Makes Ctrl-C a signal again.
#[cfg(unix)]
fn let_signals_through() {
    let _ = Command::new("stty").arg("isig").stderr(Stdio::null()).status();
}

#[cfg(not(unix))]
fn let_signals_through() {}

/// Leaves the dashboard's screen when there is no time to end it in good order.
pub fn abandon() {
    // Mouse off, main screen, cursor on.
    let _ = io::stdout()
        .write_all(b"\x1b[?1006l\x1b[?1015l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?1049l\x1b[?25h");
    let _ = io::stdout().flush();
    let _ = Command::new("stty").arg("sane").stderr(Stdio::null()).status();
}

impl MetricsRenderer for Dashboard {
    fn manual_close(&mut self) {
        self.pass(|inner| inner.manual_close());
    }

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.pass(|inner| inner.register_metric(definition));
    }
}

impl MetricsRendererTraining for Dashboard {
    fn update_train(&mut self, state: MetricState) {
        self.pass(|inner| inner.update_train(state));
    }

    fn update_valid(&mut self, state: MetricState) {
        self.pass(|inner| inner.update_valid(state));
    }

    fn on_train_end(&mut self, summary: Option<LearnerSummary>) -> Ended {
        self.pass(|inner| inner.on_train_end(summary))
    }
}

impl TrainingProgressLogger for Dashboard {
    fn start(
        &mut self,
        total_epochs: usize,
        starting_epoch: usize,
        total_items: Option<usize>,
        label: Option<&str>,
    ) {
        self.pass(|inner| inner.start(total_epochs, starting_epoch, total_items, label));
    }

    fn update_epoch(&mut self, epoch: usize) {
        self.pass(|inner| inner.update_epoch(epoch));
    }

    fn start_split(&mut self, split: &str, total_items: usize) {
        let_signals_through();
        self.pass(|inner| inner.start_split(split, total_items));
    }

    fn update_split(&mut self, items_processed: usize) {
        self.pass(|inner| inner.update_split(items_processed));
    }

    fn end_split(&mut self) {
        self.pass(TrainingProgressLogger::end_split);
    }

    fn end(&mut self) {
        self.pass(TrainingProgressLogger::end);
    }

    fn log_event_training(&mut self, event: String) {
        self.pass(|inner| inner.log_event_training(event));
    }
}

// Nothing is evaluated with burn-train.
impl MetricsRendererEvaluation for Dashboard {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl EvaluationProgressLogger for Dashboard {
    fn start_global_progress(&mut self, _total_tests: usize) {}
    fn start_test(&mut self, _name: &str, _total_items: usize) {}
    fn update_test_progress(&mut self, _items_processed: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _event: String) {}
}
